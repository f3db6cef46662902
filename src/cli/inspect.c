/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/num.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "cli/value_json.h"
#include "follow/file_source.h"
#include "parquet/read/column.h"
#include "verify/table.h"

enum {
    /* Longer bounds and footer entries are cut for people; --json has all of them. */
    BOUND_SHOWN_MAX = 32,
    ENTRY_SHOWN_MAX = 120,
};

static void cell_cut(struct table *t, struct slice text, size_t max)
{
    struct buf shown = {0};
    if (text.len > max) {
        buf_append(&shown, text.data, utf8_prefix(text, max));
        buf_append_text(&shown, "...");
        table_cell(t, buf_slice(&shown));
        buf_free(&shown);
        return;
    }
    table_cell(t, text);
}

static void cell_size(struct table *t, int64_t bytes)
{
    char text[NUM_SIZE_TEXT_MAX];
    num_format_size((uint64_t)bytes, text);
    table_number(t, "%s", text);
}

static void cell_bound(struct table *t, const struct parquet_leaf *leaf, bool has,
                       struct slice bound)
{
    struct buf text = {0};
    bool fits = leaf->type.width == 0 || bound.len == leaf->type.width;
    if (bound.data == NULL)
        bound.data = (const uint8_t *)""; /* empty, which is not null */
    if (has && fits && leaf->unsupported == NULL)
        value_json_append(&text, leaf, bound);
    cell_cut(t, buf_slice(&text), BOUND_SHOWN_MAX);
    buf_free(&text);
}

static void print_head(const char *path, const struct parquet_file *file)
{
    const struct parquet_file_metadata *m = &file->metadata;
    struct table t = {0};
    char size[NUM_SIZE_TEXT_MAX];
    num_format_size(file->source.size, size);
    printf("%s\n  %s, %" PRId64 " rows in %u row group%s, %u columns, format version %d\n", path,
           size, m->num_rows, m->row_groups_count, m->row_groups_count == 1 ? "" : "s",
           file->leaves_count, m->version);
    if (m->has_created_by) {
        table_text(&t, "created by");
        cell_cut(&t, m->created_by, ENTRY_SHOWN_MAX);
        table_end_row(&t);
    }
    for (uint32_t i = 0; i < m->key_values_count; i++) {
        cell_cut(&t, m->key_values[i].key, ENTRY_SHOWN_MAX);
        cell_cut(&t, m->key_values[i].value, ENTRY_SHOWN_MAX);
        table_end_row(&t);
    }
    table_print(&t, 2, stdout);
}

static void print_schema(const struct parquet_file *file)
{
    struct table t = {0};
    struct buf text = {0};
    for (uint32_t i = 0; i < file->leaves_count; i++) {
        const struct parquet_leaf *leaf = &file->leaves[i];
        const char *type = parquet_type_name(leaf->element->type);
        table_cell(&t, leaf->name);
        table_text(&t, leaf->repetition > 0   ? "repeated"
                       : leaf->definition > 0 ? "optional"
                                              : "required");
        buf_reset(&text);
        buf_append_text(&text, type != NULL ? type : "unknown type");
        if (leaf->element->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY)
            buf_printf(&text, "(%d)", leaf->element->type_length);
        table_cell(&t, buf_slice(&text));
        buf_reset(&text);
        annotation_append(&text, leaf->element);
        if (leaf->unsupported != NULL)
            buf_printf(&text, "%s(%s: varve can't read it)", text.len > 0 ? " " : "",
                       leaf->unsupported);
        table_cell(&t, buf_slice(&text));
        table_end_row(&t);
    }
    printf("\nschema\n");
    table_print(&t, 2, stdout);
    buf_free(&text);
}

static void add_chunk(struct table *t, const struct parquet_leaf *leaf,
                      const struct parquet_column_chunk *chunk)
{
    const struct parquet_statistics *s = &chunk->statistics;
    struct buf text = {0};
    const char *codec = parquet_compression_name(chunk->codec);
    for (uint32_t i = 0; i < chunk->encodings_count; i++) {
        const char *name = parquet_encoding_name(chunk->encodings[i]);
        buf_printf(&text, "%s%s", i == 0 ? "" : " ", name != NULL ? name : "unknown");
    }
    table_cell(t, leaf->name);
    table_cell(t, buf_slice(&text));
    table_text(t, codec != NULL ? codec : "unknown");
    cell_size(t, chunk->total_compressed_size);
    cell_size(t, chunk->total_uncompressed_size);
    if (chunk->total_compressed_size > 0)
        table_number(t, "%.1fx",
                     (double)chunk->total_uncompressed_size / (double)chunk->total_compressed_size);
    else
        table_number(t, "%s", "");
    if (s->has_null_count)
        table_number(t, "%" PRId64, s->null_count);
    else
        table_number(t, "%s", "?");
    cell_bound(t, leaf, s->has_min, s->min);
    cell_bound(t, leaf, s->has_max, s->max);
    table_end_row(t);
    buf_free(&text);
}

static void print_row_groups(const struct parquet_file *file)
{
    static const char *const titles[] = {"column", "encodings", "codec", "stored", "raw",
                                         "ratio",  "nulls",     "min",   "max"};
    for (uint32_t i = 0; i < file->metadata.row_groups_count; i++) {
        const struct parquet_row_group *group = &file->metadata.row_groups[i];
        struct table t = {0};
        for (size_t k = 0; k < sizeof(titles) / sizeof(titles[0]); k++)
            table_text(&t, titles[k]);
        table_end_row(&t);
        for (uint32_t k = 0; k < group->columns_count; k++)
            add_chunk(&t, &file->leaves[k], &group->columns[k]);
        printf("\nrow group %u: %" PRId64 " rows\n", i, group->num_rows);
        table_print(&t, 2, stdout);
    }
}

static int inspect(const char *path, bool json, struct err *err)
{
    struct file_source source;
    struct parquet_file file;
    struct buf text = {0};
    if (verify_table_exists(path))
        return inspect_table(path, json, err);
    if (file_source_open(&source, path, err) != 0)
        return err_prefix(err, "%s", path);
    int result = parquet_file_open(&file, &source.source, err);
    if (result != 0) {
        err_prefix(err, "%s", path);
    } else if (json) {
        inspect_json(&text, path, &file);
        (void)fwrite(text.data, 1, text.len, stdout); /* looked at in the end */
    } else {
        print_head(path, &file);
        print_schema(&file);
        print_row_groups(&file);
    }
    parquet_file_close(&file);
    file_source_close(&source);
    buf_free(&text);
    return result;
}

int cli_inspect(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    bool json = false;
    int option, status = CLI_DONE;
    while ((option = cli_next(&w)) > 0) {
        if (option == 'j')
            json = true;
        else if (cli_reach_by_file(w.value, &err) != 0)
            return cli_fail(&err);
    }
    if (option == CLI_STOP)
        return w.status;
    if (confine_reading(w.operands, w.count, NULL, &err) != 0)
        return cli_fail(&err);
    for (int i = 0; i < w.count; i++) {
        err_clear(&err);
        if (i > 0 && !json)
            (void)putchar('\n'); /* looked at in the end */
        if (inspect(w.operands[i], json, &err) != 0) {
            status = cli_fail(&err);
        }
    }
    return status; /* main looks at stdout */
}
