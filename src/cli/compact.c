/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/inspect.h"
#include "cli/options.h"
#include "delta/log.h"
#include "object/open.h"
#include "parquet/codec.h"
#include "pipeline/upkeep.h"

static bool parse_level(const char *text, int *level)
{
    int64_t number;
    if (!num_parse_i64(slice_of(text), &number) || number < PARQUET_LEVEL_MIN ||
        number > PARQUET_LEVEL_MAX)
        return false;
    *level = (int)number;
    return true;
}

static int parse(struct cli_words *w, struct compact_options *options, bool *dry_run)
{
    struct err err = {0};
    int option;
    while ((option = cli_next(w)) > 0) {
        if (option == 'n')
            *dry_run = true;
        else if (option == 'C' && cli_reach_by_file(w->value, &err) != 0)
            return cli_fail(&err);
        else if (option == 'l' && !parse_level(w->value, &options->level))
            return cli_usage("compact", "--compression-level takes a number from -7 to 19");
        else if (option != 'C' && option != 'l' &&
                 !num_parse_duration(slice_of(w->value),
                                     option == 'a' ? &options->after : &options->keep))
            return cli_usage("compact", "--after and --keep-replaced take a duration such as 10m");
    }
    if (option == CLI_STOP)
        return w->status;
    return w->count == 1 ? CLI_GO_ON : cli_usage("compact", "name one PATH");
}

struct listing {
    struct table table;
    uint64_t folders, from, into, bytes;
};

static void list(void *context, const struct compact_folder_report *f)
{
    struct listing *l = context;
    char size[NUM_SIZE_TEXT_MAX];
    if (f->why != NULL) {
        (void)fprintf(stderr, "varve: %s is left alone: %s\n", f->folder, f->why);
        return;
    }
    num_format_size(f->bytes, size);
    l->folders++;
    l->from += f->from;
    l->into += f->into;
    l->bytes += f->bytes;
    table_text(&l->table, f->folder);
    table_number(&l->table, "%" PRIu32, f->from);
    table_number(&l->table, "%" PRIu32, f->into);
    table_number(&l->table, "%s", size);
    table_end_row(&l->table);
}

static int look(const char *path, const struct compact_options *options, struct err *err)
{
    struct object_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    static const char *const heads[] = {"folder", "files", "into", "size"};
    struct listing l = {0};
    char size[NUM_SIZE_TEXT_MAX];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        table_text(&l.table, heads[i]);
    table_end_row(&l.table);
    struct object_store *store = object_open(&config, err);
    int result = store == NULL ? -1 : compact_look(store, options, clock_wall(), list, &l, err);
    if (result == 0 && l.folders > 0)
        table_print(&l.table, 0, stdout);
    num_format_size(l.bytes, size);
    if (result == 0)
        (void)printf("would become: %" PRIu64 " files of %" PRIu64 ", %s\n", l.into, l.from, size);
    buf_free(&l.table.cells);
    object_store_close(store);
    return result;
}

static void say(void *context, const struct compact_folder_report *f)
{
    (void)context;
    (void)fprintf(stderr, "varve: %s is left alone: %s\n", f->folder, f->why);
}

static int run(const char *path, const struct compact_options *options, struct err *err)
{
    struct compact_done done = {.more = true}, total = {0};
    char before[NUM_SIZE_TEXT_MAX], after[NUM_SIZE_TEXT_MAX];
    struct object_store *store = keeper_open_patiently(path, err);
    if (store == NULL)
        return -1;
    int result = 0;
    while (result == 0 && done.more) {
        result = compact(store, options, clock_wall(), NULL, say, NULL, &done, err);
        total.from += done.from;
        total.into += done.into;
        total.rows += done.rows;
        total.before += done.before;
        total.after += done.after;
    }
    object_store_close(store);
    num_format_size(total.before, before);
    num_format_size(total.after, after);
    (void)printf("became: %" PRIu64 " files of %" PRIu64 ", %s of %s, %" PRIu64 " rows\n",
                 total.into, total.from, after, before, total.rows);
    return result;
}

int cli_compact(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    bool dry_run = false;
    struct compact_options options = upkeep_compaction(NULL);
    options.any_columns = true; /* it may be a typed table */
    int status = parse(&w, &options, &dry_run);
    if (status != CLI_GO_ON)
        return status;
    const char *path = w.operands[0];
    int result = confine_to_store(w.operands, dry_run, &err);
    if (result == 0)
        result = dry_run ? look(path, &options, &err) : run(path, &options, &err);
    if (result != 0)
        (void)err_prefix(&err, "%s", path);
    return result == 0 ? CLI_DONE : cli_fail(&err);
}
