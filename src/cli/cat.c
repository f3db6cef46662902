/* SPDX-License-Identifier: MIT */
#include "cli/cat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "follow/filter.h"
#include "cli/options.h"
#include "cli/prune.h"
#include "cli/selection.h"
#include "cli/value_json.h"
#include "follow/file_source.h"
#include "follow/reader.h"
#include "object/open.h"
#include "parquet/read/records.h"
#include "verify/table.h"
#include "verify/tree.h"

void cat_append_folder(struct buf *out, const char *path)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    bool file = object_is_url(path) ? text_ends_with(path, ".parquet")
                                    : stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
    if (!file)
        buf_append_text(out, path);
    else if (slash == NULL)
        buf_append_byte(out, '.');
    else
        buf_append(out, path, slash == path ? 1 : (size_t)(slash - path));
}

bool cat_prune(struct cat *cat, struct parquet_file *file, const char *name)
{
    struct prune_result r = prune_file(&cat->filter, file);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < file->metadata.row_groups_count; i++)
        rows += parquet_file_rows(file, i);
    cat->files++;
    cat->groups += r.groups;
    cat->groups_skipped += r.groups_skipped;
    cat->pages += r.pages;
    cat->pages_skipped += r.pages_skipped;
    if (r.groups_skipped == 0 && r.pages_skipped == 0)
        return true;
    if (cat->verbose)
        (void)fprintf(stderr,
                      "varve: %s: %u of %u row groups and %" PRIu64 " of %" PRIu64
                      " pages in the others skipped by statistics\n",
                      name, r.groups_skipped, r.groups, r.pages_skipped, r.pages);
    if (rows == 0)
        cat->files_skipped++;
    return rows > 0;
}

void cat_tell_without(uint64_t rows)
{
    if (rows > 0)
        (void)fprintf(stderr,
                      "varve: %" PRIu64
                      " rows of another engine have no stream_seq, and are passed over\n",
                      rows);
}

/* The part of the line in front of each value: `{"a":`, `,"b":` and so on. */
static const char **prefixes_of(const struct selection *s, struct arena *arena)
{
    struct buf text = {0};
    const char **prefixes = arena_calloc(arena, s->shown + 1, sizeof(char *));
    for (uint32_t i = 0; i < s->shown; i++) {
        buf_reset(&text);
        buf_append_byte(&text, i == 0 ? '{' : ',');
        json_append_string(&text, s->fields[i]->name);
        buf_append_byte(&text, ':');
        prefixes[i] = arena_text(arena, text.data, text.len);
    }
    buf_free(&text);
    return prefixes;
}

static void append_record(struct cat *cat, const struct parquet_file *file,
                          const struct selection *s, const char *const *prefixes,
                          const struct parquet_value *row, const struct slice *values)
{
    const struct parquet_value *v = row->first;
    buf_reset(&cat->line);
    for (uint32_t i = 0; v != NULL && i < s->shown; i++, v = v->next) {
        buf_append_text(&cat->line, prefixes[i]);
        if (selection_is_text(s, i, values))
            value_json_append_text(&cat->line, values[i]);
        else
            value_json_append_tree(&cat->line, file, v);
    }
    buf_append_text(&cat->line, "}\n");
}

static int print_rows(struct cat *cat, struct parquet_file *file, const char *path,
                      struct arena *arena, struct err *err)
{
    struct selection s;
    const struct parquet_value *row = NULL;
    int more = 0;
    if (selection_make(&s, file, cat->columns, &cat->filter, arena, err) != 0)
        return -1;
    if (!cat_prune(cat, file, path))
        return 0;
    const char **prefixes = prefixes_of(&s, arena);
    struct slice *values = arena_calloc(arena, s.count + 1, sizeof(*values));
    struct parquet_records *records = parquet_records_new(file, s.fields, s.count, cat->codec);
    while (cat->left > 0 && (more = parquet_records_next(records, &row, err)) == 1) {
        uint32_t count = 0;
        for (const struct parquet_value *v = row->first; v != NULL; v = v->next)
            values[count++] = v->null ? (struct slice){0} : v->bytes;
        if (!selection_passes(&s, values))
            continue;
        append_record(cat, file, &s, prefixes, row, values);
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
        result = print_rows(cat, &file, path, &arena, err);
        parquet_file_close(&file);
    }
    file_source_close(&source);
    arena_free(&arena);
    return result == 0 ? 0 : err_prefix(err, "%s", path);
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
    struct object_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    struct err err = {0};
    bool flat = false;
    if (!verify_table_exists(path)) {
        if (!cat->follow)
            return cat_files(cat, path);
        (void)err_set(&err, ERR_USAGE, "%s: --follow needs a directory with a commit log", path);
        return cli_fail(&err);
    }
    struct object_store *store = object_open(&config, &err);
    int result = store != NULL ? cat_table(cat, store, &flat, &err) : -1;
    if (store != NULL)
        object_store_close(store);
    if (result != 0) {
        (void)err_prefix(&err, "%s", path);
        return cli_fail(&err);
    }
    return flat ? CLI_DONE : cat_files(cat, path);
}

static int parse_option(struct cat *cat, int option, const char *value, struct err *err)
{
    switch (option) {
    case 'c':
        cat->columns = value;
        return 0;
    case 'w':
    case 'f':
    case 't':
        return filter_take_option(&cat->filter, option, value, err);
    case 'v':
        cat->verbose = true;
        return 0;
    case 'F':
        cat->follow = true;
        return 0;
    case 'C':
        return cli_reach_by_file(value, err);
    default: /* 'l' */
        if (num_parse_u64(slice_of(value), &cat->left))
            return 0;
        return err_set(err, ERR_USAGE, "--limit needs a number, not '%s'", value);
    }
}

static int parse(struct cat *cat, struct cli_words *w)
{
    struct err err = {0};
    int option;
    while ((option = cli_next(w)) > 0)
        if (parse_option(cat, option, w->value, &err) != 0)
            return cli_usage("cat", "%s", err.text);
    if (option == CLI_END && cat->follow && w->count > 1)
        return cli_usage("cat", "--follow takes one PATH");
    return option == CLI_STOP ? w->status : CLI_GO_ON;
}

static int print_all(struct cat *cat, const struct cli_words *w)
{
    int status = CLI_DONE;
    cat->codec = parquet_codec_new(NULL);
    for (int i = 0; i < w->count; i++)
        status |= cat_path(cat, w->operands[i]);
    if (cat->verbose && cat->filter.terms.count > 0)
        (void)fprintf(stderr,
                      "varve: skipped by statistics: %" PRIu64 " of %" PRIu64 " files, %" PRIu64
                      " of %" PRIu64 " row groups, %" PRIu64 " of %" PRIu64
                      " pages in the others\n",
                      cat->files_skipped, cat->files, cat->groups_skipped, cat->groups,
                      cat->pages_skipped, cat->pages);
    parquet_codec_free(cat->codec);
    buf_free(&cat->line);
    return status;
}

int cli_cat(int argc, char **argv)
{
    struct cat cat = {.left = UINT64_MAX};
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    int status = parse(&cat, &w);
    if (status == CLI_GO_ON && confine_reading(w.operands, w.count, NULL, &err) != 0)
        status = cli_fail(&err);
    if (status == CLI_GO_ON)
        status = print_all(&cat, &w);
    filter_free(&cat.filter);
    return status; /* main looks at stdout */
}
