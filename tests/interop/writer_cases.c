/* SPDX-License-Identifier: MIT */

/*
 * writer_cases FILE SEED ROWS STRIPE [OPTION=VALUE]... -- COLUMN...
 *
 * Writes a Parquet file whose values follow from SEED, column and row alone, so that another
 * program knows them without reading ours: tests/interop/generate.py makes the same values. Rows
 * come in groups of STRIPE. A column is NAME,TYPE,FLAGS,GENERATOR,NULLS: see columns_of in
 * generate.py.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "batch/batch.h"
#include "parquet/write/writer.h"

#include "../program.h"

enum { COLUMNS_MAX = 400, PARTS = 5, PARAMETERS = 4 };

struct generator {
    const char *kind;
    const char *text[PARAMETERS]; /* what stands behind the kind, between colons */
    uint64_t number[PARAMETERS];  /* the same as numbers */
};

struct source {
    struct generator value, null;
};

static struct column_spec specs[COLUMNS_MAX];
static struct source sources[COLUMNS_MAX];
static struct buf scratch;

/* splitmix64: the number that follows `state` */
static uint64_t mix(uint64_t state)
{
    uint64_t z = state + UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static struct generator parse_generator(char *text)
{
    struct generator g = {.kind = strtok(text, ":")};

    for (int i = 0; i < PARAMETERS; i++) {
        g.text[i] = strtok(NULL, ":");
        if (g.text[i] == NULL)
            break;
        g.number[i] = g.text[i][0] == '-' ? (uint64_t)strtoll(g.text[i], NULL, 10)
                                          : strtoull(g.text[i], NULL, 10);
    }
    return g;
}

static bool has(const char *list, const char *word)
{
    return strstr(list, word) != NULL;
}

static void parse_column(const char *text, uint32_t index)
{
    char *parts[PARTS], *copy = strdup(text);

    parts[0] = copy;
    for (int i = 1; i < PARTS; i++) {
        char *comma = strchr(parts[i - 1], ',');
        if (comma == NULL)
            die("column", text);
        *comma = '\0';
        parts[i] = comma + 1;
    }
    specs[index] = (struct column_spec){
        .name = parts[0],
        .type = has(parts[1], "int64") || has(parts[1], "micros") ? COLUMN_INT64 : COLUMN_BYTES,
        .meaning = has(parts[1], "text")     ? COLUMN_TEXT
                   : has(parts[1], "micros") ? COLUMN_TIME_MICROS
                                             : COLUMN_RAW,
        .optional = has(parts[2], "optional"),
        .dictionary = has(parts[2], "dictionary"),
        .bounds = has(parts[2], "bounds"),
        .ordered = has(parts[2], "ordered"),
        .random = has(parts[2], "random"),
    };
    sources[index] = (struct source){parse_generator(parts[3]), parse_generator(parts[4])};
}

static void parse_option(struct parquet_options *options, char *text)
{
    char *value = strchr(text, '=');

    if (value == NULL)
        die("option", text);
    *value++ = '\0';
    if (strcmp(text, "level") == 0)
        options->compression_level = atoi(value);
    else if (strcmp(text, "page_bytes") == 0)
        options->page_bytes = (uint32_t)atol(value);
    else if (strcmp(text, "row_group_rows") == 0)
        options->row_group_rows = (uint32_t)atol(value);
    else if (strcmp(text, "row_group_bytes") == 0)
        options->row_group_bytes = (uint64_t)atoll(value);
    else if (strcmp(text, "delta") == 0)
        options->delta = true;
    else
        die("unknown option", text);
}

static bool is_null(const struct generator *g, uint64_t row, uint64_t random)
{
    if (strcmp(g->kind, "none") == 0)
        return false;
    if (strcmp(g->kind, "all") == 0)
        return true;
    if (strcmp(g->kind, "first") == 0)
        return row < g->number[0];
    if (strcmp(g->kind, "from") == 0)
        return row >= g->number[0];
    if (strcmp(g->kind, "every") == 0)
        return row % g->number[0] == 0;
    if (strcmp(g->kind, "percent") == 0)
        return mix(random) % 100 < g->number[0];
    die("nulls", g->kind);
}

static int64_t int64_value(const struct generator *g, uint64_t row, uint64_t random)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, -1, 0, 1, 1000000007};

    if (strcmp(g->kind, "step") == 0)
        return (int64_t)(g->number[0] + row * g->number[1]);
    if (strcmp(g->kind, "jitter") == 0)
        return (int64_t)(g->number[0] + row * g->number[1] + random % g->number[2]);
    if (strcmp(g->kind, "random") == 0)
        return (int64_t)random;
    if (strcmp(g->kind, "edges") == 0)
        return edges[random % 6];
    if (strcmp(g->kind, "again") == 0) /* each n-th is one that came before */
        return (int64_t)(row % g->number[0] == g->number[0] - 1 ? row - g->number[0] / 2 : row);
    die("int64", g->kind);
}

static void put_key(uint64_t number)
{
    buf_printf(&scratch, "key-%05llu", (unsigned long long)number);
}

static void put_bytes(uint64_t len, uint64_t random, uint8_t mask)
{
    for (uint64_t i = 0; i < len; i++)
        buf_append_byte(&scratch, (uint8_t)(mix(random + i / 8) >> i % 8 * 8) & mask);
}

static void put_characters(uint64_t count, uint64_t random)
{
    static const uint32_t edges[] = {0,      0x41,   0x7f,   0x80,    0x7ff,   0x800,
                                     0xd7ff, 0xe000, 0xffff, 0x10000, 0x1f600, 0x10ffff};
    uint8_t bytes[4];

    for (uint64_t i = 0; i < count; i++)
        buf_append(&scratch, bytes, utf8_encode(edges[mix(random + i) % 12], bytes));
}

static void put_uuid(uint64_t random)
{
    uint64_t other = mix(random);

    buf_printf(&scratch, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(random >> 32),
               (unsigned)(random >> 16 & 0xffff), (unsigned)(random & 0xffff),
               (unsigned)(other >> 48), (unsigned long long)(other & 0xffffffffffff));
}

static void put_repeated(uint64_t count, const char *hex)
{
    for (uint64_t i = 0; i < count; i++)
        for (const char *at = hex; *at != '\0'; at += 2) {
            char digits[3] = {at[0], at[1], '\0'};
            buf_append_byte(&scratch, (uint8_t)strtoul(digits, NULL, 16));
        }
}

static struct slice bytes_value(const struct generator *g, uint64_t row, uint64_t random)
{
    const uint64_t *n = g->number;

    buf_reset(&scratch);
    if (strcmp(g->kind, "cycle") == 0)
        put_key(row % n[0]);
    else if (strcmp(g->kind, "keys") == 0)
        put_key(random % n[0]);
    else if (strcmp(g->kind, "growing") == 0)
        put_key(random % (1 + row / n[0]));
    else if (strcmp(g->kind, "until") == 0) /* few, then all different from a row on */
        put_key(row < n[0] ? row % n[1] : 10000 + row);
    else if (strcmp(g->kind, "runs") == 0)
        put_key(row / n[0] % n[1]);
    else if (strcmp(g->kind, "bytes") == 0)
        put_bytes(n[0] + random % (n[1] - n[0] + 1), random, (uint8_t)n[2]);
    else if (strcmp(g->kind, "characters") == 0)
        put_characters(n[0] + random % (n[1] - n[0] + 1), random);
    else if (strcmp(g->kind, "uuid") == 0)
        put_uuid(random);
    else if (strcmp(g->kind, "repeated") == 0)
        put_repeated(n[0], g->text[1]);
    else if (strcmp(g->kind, "edge") == 0) { /* a long character around the cut of bounds */
        put_repeated(60 + random % 5, "78");
        put_repeated(2, "f09f9880");
        put_key(random % 97);
    } else if (strcmp(g->kind, "large") == 0) /* one in n is large */
        put_bytes(random % n[0] == 0 ? n[1] : 5, random, 0x3f);
    else
        die("bytes", g->kind);
    return buf_slice(&scratch);
}

static void put_row(struct batch *b, uint64_t seed, uint64_t row)
{
    for (uint32_t i = 0; i < b->schema->count; i++) {
        const struct source *s = &sources[i];
        uint64_t random = mix(mix(seed + i) + row);
        if (is_null(&s->null, row, random))
            batch_put_null(b, i);
        else if (specs[i].type == COLUMN_INT64)
            batch_put_int64(b, i, int64_value(&s->value, row, random));
        else
            batch_put_bytes(b, i, bytes_value(&s->value, row, random));
    }
    batch_end_row(b);
}

static int put(void *context, const void *data, size_t len, struct err *err)
{
    if (fwrite(data, 1, len, context) != len)
        return err_set(err, ERR_SYSTEM, "write failed");
    return 0;
}

static int write_rows(struct parquet_writer *w, struct batch *b, const uint64_t *arguments,
                      struct parquet_sink sink, struct err *err)
{
    uint64_t seed = arguments[0], rows = arguments[1], row_group = arguments[2];

    for (uint64_t row = 0; row < rows;) {
        batch_reset(b);
        for (uint64_t i = 0; i < row_group && row < rows; i++, row++)
            put_row(b, seed, row);
        if (parquet_writer_append(w, b, sink, err) != 0)
            return -1;
    }
    parquet_writer_metadata(w, "cases", slice_of("writer"));
    parquet_writer_metadata(w, "not.utf8",
                            slice_of("a\xff"
                                     "b"));
    return parquet_writer_finish(w, sink, err);
}

int main(int argc, char **argv)
{
    struct parquet_options options = parquet_options_default();
    struct schema schema = {"cases", specs, 0};
    struct err err = {0};
    uint64_t arguments[3];
    int at = 5;

    if (argc < 7)
        die("usage", "writer_cases FILE SEED ROWS STRIPE [OPTION=VALUE]... -- COLUMN...");
    for (int i = 0; i < 3; i++)
        arguments[i] = strtoull(argv[2 + i], NULL, 10);
    for (; at < argc && strcmp(argv[at], "--") != 0; at++)
        parse_option(&options, argv[at]);
    for (at++; at < argc && schema.count < COLUMNS_MAX; at++)
        parse_column(argv[at], schema.count++);

    FILE *out = fopen(argv[1], "wb");
    if (out == NULL)
        die("cannot open", argv[1]);
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    if (write_rows(w, b, arguments, (struct parquet_sink){.write = put, .context = out}, &err) != 0)
        die("writing", err.text);
    if (fclose(out) != 0)
        die("cannot close", argv[1]);
    batch_free(b);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    buf_free(&scratch);
    return 0;
}
