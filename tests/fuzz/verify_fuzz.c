/* SPDX-License-Identifier: MIT */
#include "parquet/verify/verify.h"

#include <string.h>

#include "follow/filter.h"
#include "cli/prune.h"
#include "parquet/read/records.h"
#include "parquet/read/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_bytes(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct slice *bytes = context;
    (void)err; /* a read outside of the file is a bug */
    if (offset > bytes->len || len > bytes->len - offset)
        __builtin_trap();
    memcpy(data, bytes->data + offset, len);
    return 0;
}

static void count(void *context, const struct parquet_finding *finding)
{
    uint64_t *findings = context;
    (*findings)++;
    if (finding->text[0] == '\0')
        __builtin_trap();
}

/* A file that is all right can be read to its end; and no file can do worse than be refused. */
static void read_rows(const struct parquet_source *source, struct parquet_codec *codec, bool good)
{
    enum { LEAVES = 64, ROWS = 100000 };
    struct parquet_file file;
    struct err err = {0};
    const struct parquet_value *row = NULL;
    if (parquet_file_open(&file, source, &err) != 0)
        return;
    if (file.leaves_count <= LEAVES) {
        struct parquet_records *records = parquet_records_new(&file, NULL, 0, codec);
        int more = 1;
        for (int i = 0; more == 1 && i < ROWS; i++)
            more = parquet_records_next(records, &row, &err);
        if (good && more < 0)
            __builtin_trap();
        parquet_records_free(records);
    }
    parquet_file_close(&file);
}

/* How many rows pass a term; `pruned`: of those that statistics and indexes leave. -1: not known.
 */
static int64_t count_passing(const struct parquet_source *source, struct parquet_codec *codec,
                             const struct filter_term *term, bool pruned)
{
    enum { ROWS = 10000 };
    struct filter_term terms[] = {*term};
    struct filter filter = {.terms = {.list = terms, .count = 1}};
    struct parquet_file file;
    struct filter_test test;
    struct slice value;
    struct err err = {0};
    int64_t passing = 0;
    int more = -1;
    if (parquet_file_open(&file, source, &err) != 0)
        return -1;
    uint32_t leaf = parquet_field_child(file.root, term->column)->leaf;
    if (filter_bind(term, &file.leaves[leaf], &test, &err) == 0) {
        if (pruned)
            (void)prune_file(&filter, &file);
        struct parquet_rows *rows = parquet_rows_new(&file, &leaf, 1, codec);
        for (int i = 0; i < ROWS && (more = parquet_rows_next(rows, &value, &err)) == 1; i++)
            passing += filter_passes(&test, value);
        parquet_rows_free(rows);
    }
    parquet_file_close(&file);
    return more == 0 ? passing : -1;
}

/* What `varve cat --where` leaves out of a file that is all right has no row that passes. */
static void filter_rows(const struct parquet_source *source, struct parquet_codec *codec, bool good)
{
    static const char *const values[] = {"3", "true", "2026-11-28", "null"};
    enum { COLUMNS = 3, VALUES = sizeof(values) / sizeof(values[0]) };
    struct parquet_file file;
    struct err err = {0};
    if (parquet_file_open(&file, source, &err) != 0)
        return;
    const struct parquet_field *field = file.root->first;
    for (size_t i = 0; i < COLUMNS && field != NULL; i++, field = field->next) {
        size_t chosen = source->size + i;
        bool null = chosen % VALUES == VALUES - 1; /* of which no other is less or greater */
        unsigned ops = null ? FILTER_NOT_EQUAL + 1 : FILTER_GREATER_EQUAL + 1;
        const struct filter_term term = {.column = field->name,
                                         .op = (enum filter_op)(chosen / VALUES % ops),
                                         .null = null,
                                         .value = slice_of(values[chosen % VALUES])};
        if (field->kind != PARQUET_FIELD_VALUE ||
            parquet_field_child(file.root, field->name) != field)
            continue;
        int64_t all = count_passing(source, codec, &term, false);
        if (all == -1)
            continue; /* nor can it be told what is missing */
        int64_t found = count_passing(source, codec, &term, true);
        if (good && found != all)
            __builtin_trap();
    }
    parquet_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {data, size};
    struct parquet_source source = {read_bytes, &bytes, size};
    uint64_t findings = 0;
    struct parquet_verify verify = {
        .codec = parquet_codec_new(NULL), .found = count, .context = &findings};
    parquet_verify(&verify, &source);
    if ((verify.findings == 0) != (findings == 0))
        __builtin_trap();
    read_rows(&source, verify.codec, verify.findings == 0);
    filter_rows(&source, verify.codec, verify.findings == 0);
    parquet_verify_free(&verify);
    parquet_codec_free(verify.codec);
    return 0;
}
