/* SPDX-License-Identifier: MIT */

/*
 * nested_cases FILE ROWS BATCH PROFILE PAGE_BYTES GROUP_ROWS
 *
 * Writes the Parquet file FILE out of the text file ROWS, whose first line is the schema (a JSON
 * array of columns, depth first) and whose other lines are rows (JSON objects). BATCH rows go into
 * a batch. Structs are objects, lists arrays, maps arrays of pairs; bytes are in hexadecimal;
 * dates, times and decimals are the numbers that are stored. What an object lacks is null.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "batch/batch.h"
#include "parquet/write/writer.h"

#include "../program.h"

static struct column_spec specs[SCHEMA_COLUMNS_MAX];
static struct schema schema = {"nested", specs, 0};
static struct schema_node nodes[SCHEMA_COLUMNS_MAX];
static struct buf scratch;

static const char *text_of(const struct json *object, const char *name)
{
    const struct json *member = json_member(object, name);
    return member == NULL ? "" : strndup((const char *)member->text.data, member->text.len);
}

static int find(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return (int)i;
    die("no such word", word);
}

static void read_schema(const struct json *columns)
{
    static const char *const types[] = {"int64",  "bytes",  "boolean", "int32", "float",
                                        "double", "struct", "list",    "map"};
    static const char *const meanings[] = {"", "text", "enum", "json", "micros", "date", "decimal"};
    for (const struct json *c = columns->first; c != NULL; c = c->next) {
        struct column_spec *spec = &specs[schema.count++];
        uint64_t number = 0;
        spec->name = text_of(c, "name");
        spec->type = (enum column_type)find(types, 9, text_of(c, "type"));
        spec->meaning = (enum column_meaning)find(meanings, 7, text_of(c, "meaning"));
        (void)json_get_bool(c, "optional", &spec->optional);
        (void)json_get_bool(c, "dictionary", &spec->dictionary);
        (void)json_get_bool(c, "bounds", &spec->bounds);
        if (json_get_u64(c, "children", &number))
            spec->children = (uint32_t)number;
        if (json_get_u64(c, "precision", &number))
            spec->precision = (uint8_t)number;
        if (json_get_u64(c, "scale", &number))
            spec->scale = (uint8_t)number;
    }
}

static struct slice bytes_of(const struct json *value, bool text)
{
    if (text)
        return value->text;
    buf_reset(&scratch);
    for (size_t i = 0; i + 1 < value->text.len; i += 2) {
        char digits[3] = {(char)value->text.data[i], (char)value->text.data[i + 1], '\0'};
        buf_append_byte(&scratch, (uint8_t)strtoul(digits, NULL, 16));
    }
    return buf_slice(&scratch);
}

static double real_of(const struct json *value)
{
    char *text = strndup((const char *)value->text.data, value->text.len);
    double real = strtod(text, NULL); /* NaN and infinity are strings */
    free(text);
    return real;
}

static int64_t integer_of(const struct json *value)
{
    char *text = strndup((const char *)value->text.data, value->text.len);
    int64_t number = strtoll(text, NULL, 10);
    free(text);
    return number;
}

static void put_value(struct batch *b, uint32_t column, const struct json *value);

/* The columns in first..end that are directly within one group. */
static void put_fields(struct batch *b, uint32_t first, uint32_t end, const struct json *object)
{
    for (uint32_t i = first; i < end; i = nodes[i].end) {
        const struct json *value = json_member(object, specs[i].name);
        if (value != NULL)
            put_value(b, i, value);
    }
}

static void put_group(struct batch *b, uint32_t column, const struct json *value)
{
    if (specs[column].type == COLUMN_STRUCT) {
        batch_begin_struct(b, column);
        put_fields(b, column + 1, nodes[column].end, value);
    } else if (specs[column].type == COLUMN_LIST) {
        batch_begin_list(b, column);
        for (const struct json *item = value->first; item != NULL; item = item->next)
            put_value(b, column + 1, item);
    } else {
        batch_begin_map(b, column);
        for (const struct json *pair = value->first; pair != NULL; pair = pair->next) {
            batch_begin_entry(b);
            put_value(b, column + 1, pair->first);
            put_value(b, nodes[column + 1].end, pair->first->next);
            batch_end(b);
        }
    }
    batch_end(b);
}

static void put_value(struct batch *b, uint32_t column, const struct json *value)
{
    if (value->type == JSON_NULL) {
        batch_put_null(b, column);
        return;
    }
    switch (specs[column].type) {
    case COLUMN_INT64:
        batch_put_int64(b, column, integer_of(value));
        break;
    case COLUMN_INT32:
        batch_put_int32(b, column, (int32_t)integer_of(value));
        break;
    case COLUMN_BOOLEAN:
        batch_put_boolean(b, column, value->boolean);
        break;
    case COLUMN_FLOAT:
        batch_put_float(b, column, (float)real_of(value));
        break;
    case COLUMN_DOUBLE:
        batch_put_double(b, column, real_of(value));
        break;
    case COLUMN_BYTES:
        batch_put_bytes(b, column, bytes_of(value, specs[column].meaning != COLUMN_RAW));
        break;
    case COLUMN_STRUCT:
    case COLUMN_LIST:
    case COLUMN_MAP:
        put_group(b, column, value);
        break;
    }
}

static int put(void *context, const void *data, size_t len, struct err *err)
{
    if (fwrite(data, 1, len, context) != len)
        return err_set(err, ERR_SYSTEM, "write failed");
    return 0;
}

static int copy_rows(struct parquet_writer *w, FILE *in, uint32_t batch_rows,
                     struct parquet_sink sink, struct err *err)
{
    struct batch *b = batch_new(&schema, NULL);
    struct arena arena = {0};
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, in)) > 0) {
        arena_reset(&arena);
        const struct json *row =
            json_parse(&arena, (struct slice){(uint8_t *)line, (size_t)len}, err);
        if (row == NULL)
            return -1;
        batch_mark(b); /* each row twice, the first time not to stay */
        put_fields(b, 0, schema.count, row);
        batch_rollback(b);
        put_fields(b, 0, schema.count, row);
        if (!batch_row_fits(b))
            die("row", "too large");
        batch_end_row(b);
        if (b->rows == batch_rows) {
            if (parquet_writer_append(w, b, sink, err) != 0)
                return -1;
            batch_reset(b);
        }
    }
    if (parquet_writer_append(w, b, sink, err) != 0)
        return -1;
    batch_free(b);
    arena_free(&arena);
    free(line);
    return parquet_writer_finish(w, sink, err);
}

int main(int argc, char **argv)
{
    struct parquet_options options = parquet_options_default();
    struct err err = {0};
    struct arena arena = {0};
    char *line = NULL;
    size_t cap = 0;
    if (argc != 7)
        die("usage", "nested_cases FILE ROWS BATCH PROFILE PAGE_BYTES GROUP_ROWS");
    FILE *out = fopen(argv[1], "wb"), *in = fopen(argv[2], "rb");
    if (out == NULL || in == NULL)
        die("can't open", argv[2]);
    ssize_t len = getline(&line, &cap, in);
    const struct json *columns =
        json_parse(&arena, (struct slice){(uint8_t *)line, len > 0 ? (size_t)len : 0}, &err);
    if (columns == NULL)
        die("schema", err.text);
    read_schema(columns);
    if (schema_nodes(&schema, nodes, &err) != 0)
        die("schema", err.text);
    options.delta = strcmp(argv[4], "delta") == 0;
    options.page_bytes = (uint32_t)strtoul(argv[5], NULL, 10);
    options.row_group_rows = (uint32_t)strtoul(argv[6], NULL, 10);
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    if (copy_rows(w, in, (uint32_t)strtoul(argv[3], NULL, 10),
                  (struct parquet_sink){.write = put, .context = out}, &err) != 0)
        die("writing", err.text);
    if (fclose(out) != 0)
        die("can't close", argv[1]);
    (void)fclose(in);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    arena_free(&arena);
    buf_free(&scratch);
    free(line);
    return 0;
}
