/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/confine.h"
#include "cli/value_json.h"
#include "follow/file_source.h"
#include "follow/reader.h"
#include "object/posix.h"
#include "parquet/read/records.h"
#include "verify/table.h"
#include "verify/tree.h"

struct cat {
    const char *columns; /* comma-separated, NULL: all */
    uint64_t left;       /* rows that may still be printed */
    struct parquet_codec *codec;
    struct buf line;
};

/* The columns to print, in the arena. */
static int choose(const struct cat *cat, const struct parquet_file *file, struct arena *arena,
                  const struct parquet_field ***fields, uint32_t *count, struct err *err)
{
    *count = 0;
    *fields = arena_calloc(arena, strlen(cat->columns) + 1, sizeof(struct parquet_field *));
    for (const char *at = cat->columns;; at++) {
        size_t len = strcspn(at, ",");
        const struct parquet_field *field =
            parquet_field_child(file->root, (struct slice){(const uint8_t *)at, len});
        if (field == NULL)
            return err_set(err, ERR_FORMAT, "it has no column '%.*s'; see varve inspect", (int)len,
                           at);
        for (uint32_t i = 0; i < *count; i++)
            if ((*fields)[i] == field)
                return err_set(err, ERR_FORMAT, "column '%.*s' is listed twice", (int)len, at);
        (*fields)[(*count)++] = field;
        at += len;
        if (*at == '\0')
            return 0;
    }
}

/* The part of the line in front of each value: `{"a":`, `,"b":` and so on. */
static const char **prefixes_of(const struct parquet_field *root,
                                const struct parquet_field *const *fields, uint32_t count,
                                struct arena *arena)
{
    struct buf text = {0};
    const char **prefixes = arena_calloc(arena, count, sizeof(char *));
    const struct parquet_field *next = root->first;
    for (uint32_t i = 0; i < count; i++, next = next->next) {
        buf_reset(&text);
        buf_append_byte(&text, i == 0 ? '{' : ',');
        json_append_string(&text, fields != NULL ? fields[i]->name : next->name);
        buf_append_byte(&text, ':');
        prefixes[i] = arena_text(arena, text.data, text.len);
    }
    buf_free(&text);
    return prefixes;
}

static int print_rows(struct cat *cat, const struct parquet_file *file, struct arena *arena,
                      struct err *err)
{
    const struct parquet_field **fields = NULL;
    const struct parquet_value *row = NULL;
    uint32_t count = file->root->children;
    int more = 0;
    if (cat->columns != NULL && choose(cat, file, arena, &fields, &count, err) != 0)
        return -1;
    const char **prefixes = prefixes_of(file->root, fields, count, arena);
    struct parquet_records *records = parquet_records_new(file, fields, count, cat->codec);
    while (cat->left > 0 && (more = parquet_records_next(records, &row, err)) == 1) {
        buf_reset(&cat->line);
        const char **prefix = prefixes;
        for (const struct parquet_value *v = row->first; v != NULL; v = v->next) {
            buf_append_text(&cat->line, *prefix++);
            value_json_append_tree(&cat->line, file, v);
        }
        buf_append_text(&cat->line, "}\n");
        if (fwrite(cat->line.data, 1, cat->line.len, stdout) != cat->line.len)
            break; /* told in the end */
        cat->left--;
    }
    parquet_records_free(records);
    return more < 0 ? -1 : 0;
}

static int cat_file(struct cat *cat, const char *path, struct err *err)
{
    struct file_source source;
    struct parquet_file file;
    struct arena arena = {0};
    int result = -1;
    if (file_source_open(&source, path, err) != 0)
        return err_prefix(err, "%s", path);
    if (parquet_file_open(&file, &source.source, err) == 0) {
        result = print_rows(cat, &file, &arena, err);
        parquet_file_close(&file);
    }
    file_source_close(&source);
    arena_free(&arena);
    return result == 0 ? 0 : err_prefix(err, "%s", path);
}

/* What of a table is printed, as a file of it has it. */
struct columns {
    struct object_source source;
    struct parquet_file file;
    struct arena arena;
    struct follow_column list[FOLLOW_COLUMNS_MAX];
    const struct parquet_leaf *leaves[FOLLOW_COLUMNS_MAX];
    uint32_t count;
};

/* *flat: all that is asked for are plain values. */
static int open_columns(struct cat *cat, struct columns *c, struct object_store *store,
                        const char *name, bool *flat, struct err *err)
{
    const struct parquet_field **fields = NULL;
    if (object_source_open(&c->source, store, name, err) != 0 ||
        parquet_file_open(&c->file, &c->source.source, err) != 0)
        return err_prefix(err, "%s", name);
    uint32_t count = c->file.root->children;
    const struct parquet_field *field = c->file.root->first;
    if (cat->columns != NULL && choose(cat, &c->file, &c->arena, &fields, &count, err) != 0)
        return -1;
    *flat =
        count <= FOLLOW_COLUMNS_MAX && parquet_file_leaf(&c->file, slice_of(FOLLOW_SEQUENCE)) >= 0;
    for (uint32_t i = 0; i < count && *flat; i++, field = field->next) {
        const struct parquet_field *wanted = fields != NULL ? fields[i] : field;
        const struct parquet_leaf *leaf = &c->file.leaves[wanted->leaf];
        *flat = wanted->kind == PARQUET_FIELD_VALUE;
        c->leaves[i] = leaf;
        c->list[i] = (struct follow_column){arena_text(&c->arena, leaf->name.data, leaf->name.len),
                                            leaf->type.type};
    }
    c->count = count;
    return 0;
}

static void close_columns(struct columns *c)
{
    parquet_file_close(&c->file);
    object_source_close(&c->source);
    arena_free(&c->arena);
}

static void print_row(struct cat *cat, const struct columns *c, const struct follow_row *row)
{
    buf_reset(&cat->line);
    for (uint32_t i = 0; i < c->count; i++) {
        buf_append_byte(&cat->line, i == 0 ? '{' : ',');
        json_append_string(&cat->line, c->leaves[i]->name);
        buf_append_byte(&cat->line, ':');
        value_json_append(&cat->line, c->leaves[i], row->values[i]);
    }
    buf_append_text(&cat->line, "}\n");
    (void)fwrite(cat->line.data, 1, cat->line.len, stdout); /* told in the end */
    cat->left--;
}

static int print_stream(struct cat *cat, const struct columns *c, struct object_store *store,
                        const struct follow_stream *stream, struct err *err)
{
    struct follow_reader *r =
        follow_reader_new(store, stream->files.list, stream->files.count, c->list, c->count, 0);
    struct follow_row row;
    int more = 0;
    while (cat->left > 0 && !ferror(stdout) && (more = follow_reader_next(r, &row, err)) == 1)
        print_row(cat, c, &row);
    follow_reader_free(r);
    return more < 0 ? -1 : 0;
}

/* *flat is false, and nothing is printed, if the rows are not of plain values. */
static int print_table(struct cat *cat, struct object_store *store, bool *flat, struct err *err)
{
    struct delta_snapshot snapshot = {.want_files = true, .want_varve = true};
    struct follow_catalogue catalogue = {0};
    struct columns columns = {0};
    *flat = true;
    int result = delta_snapshot_load(&snapshot, store, err);
    if (result == 0)
        result = follow_catalogue_fill(&catalogue, &snapshot, err);
    delta_snapshot_free(&snapshot);
    if (result == 0 && catalogue.streams.count > 0)
        result = open_columns(cat, &columns, store, catalogue.streams.list[0].files.list[0].name,
                              flat, err);
    for (size_t i = 0; result == 0 && *flat && i < catalogue.streams.count; i++)
        result = print_stream(cat, &columns, store, &catalogue.streams.list[i], err);
    close_columns(&columns);
    follow_catalogue_free(&catalogue);
    return result;
}

/* All files of an argument, one broken one does not hide the others. */
static int cat_files(struct cat *cat, const char *path)
{
    struct err err = {0};
    struct file_list list = {0};
    int status = CLI_DONE;
    if (file_list_read(&list, path, &err) != 0) {
        status = cli_fail(&err);
    }
    for (size_t i = 0; i < list.count && cat->left > 0 && !ferror(stdout); i++) {
        err_clear(&err);
        if (list.list[i].quarantine)
            continue;
        if (cat_file(cat, list.list[i].path, &err) != 0) {
            status = cli_fail(&err);
        }
    }
    file_list_free(&list);
    return status;
}

static int cat_path(struct cat *cat, const char *path)
{
    struct object_posix_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    struct err err = {0};
    bool flat = false;
    if (!verify_table_exists(path))
        return cat_files(cat, path);
    struct object_store *store = object_posix_open(&config, &err);
    int result = store != NULL ? print_table(cat, store, &flat, &err) : -1;
    if (store != NULL)
        object_store_close(store);
    if (result != 0) {
        (void)err_prefix(&err, "%s", path);
        return cli_fail(&err);
    }
    return flat ? CLI_DONE : cat_files(cat, path);
}

static int parse(struct cat *cat, struct cli_words *w)
{
    int option;
    while ((option = cli_next(w)) > 0) {
        if (option == 'c')
            cat->columns = w->value;
        else if (!num_parse_u64(slice_of(w->value), &cat->left))
            return cli_usage("cat", "--limit needs a number, not '%s'", w->value);
    }
    return option == CLI_STOP ? w->status : CLI_GO_ON;
}

int cli_cat(int argc, char **argv)
{
    struct cat cat = {.left = UINT64_MAX};
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    int status = parse(&cat, &w);
    if (status != CLI_GO_ON)
        return status;
    if (confine_reading(w.operands, w.count, false, &err) != 0)
        return cli_fail(&err);
    status = CLI_DONE;
    cat.codec = parquet_codec_new(NULL);
    for (int i = 0; i < w.count; i++)
        status |= cat_path(&cat, w.operands[i]);
    parquet_codec_free(cat.codec);
    buf_free(&cat.line);
    return status; /* main looks at stdout */
}
