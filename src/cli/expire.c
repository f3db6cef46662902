/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/inspect.h"
#include "cli/options.h"
#include "delta/action.h"
#include "delta/log.h"
#include "object/open.h"
#include "pipeline/upkeep.h"

static int parse(struct cli_words *w, int64_t *older, bool *dry_run)
{
    struct err err = {0};
    int option;
    while ((option = cli_next(w)) > 0) {
        if (option == 'n')
            *dry_run = true;
        else if (option == 'C' && cli_reach_by_file(w->value, &err) != 0)
            return cli_fail(&err);
        else if (option == 'C')
            continue;
        else if (!num_parse_duration(slice_of(w->value), older) || *older == 0)
            return cli_usage("expire", "--older-than takes a duration such as 30d or 12h");
    }
    if (option == CLI_STOP)
        return w->status;
    if (w->count != 1)
        return cli_usage("expire", "name one PATH");
    return *older > 0 ? CLI_GO_ON : cli_usage("expire", "--older-than is missing");
}

struct listing {
    struct table table;
    uint64_t partitions, files, bytes;
};

static void list(void *context, const struct retain_partition *p)
{
    struct listing *l = context;
    char size[NUM_SIZE_TEXT_MAX], newest[TIME_TEXT_MAX];
    struct buf folder = {0}; /* as it is called where it lies */
    num_format_size(p->bytes, size);
    time_format(p->newest, 0, newest);
    l->partitions++;
    l->files += p->files;
    l->bytes += p->bytes;
    if (!delta_path_decode(&folder, p->folder))
        buf_append_slice(&folder, p->folder);
    if (folder.len == 0)
        buf_append_byte(&folder, '.');
    table_cell(&l->table, buf_slice(&folder));
    table_number(&l->table, "%" PRIu64, p->files);
    table_number(&l->table, "%s", size);
    table_text(&l->table, newest);
    table_end_row(&l->table);
    buf_free(&folder);
}

static void print_total(const char *what, uint64_t partitions, uint64_t files, uint64_t bytes)
{
    char size[NUM_SIZE_TEXT_MAX];
    num_format_size(bytes, size);
    (void)printf("%s%" PRIu64 " partition%s, %" PRIu64 " file%s, %s\n", what, partitions,
                 partitions == 1 ? "" : "s", files, files == 1 ? "" : "s", size);
}

static int look(const char *path, const struct retain_options *options, struct err *err)
{
    struct object_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    static const char *const heads[] = {"partition", "files", "size", "newest row"};
    struct listing l = {0};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        table_text(&l.table, heads[i]);
    table_end_row(&l.table);
    struct object_store *store = object_open(&config, err);
    int result = store == NULL ? -1 : retain_look(store, options, clock_wall(), list, &l, err);
    if (result == 0 && l.partitions > 0)
        table_print(&l.table, 0, stdout);
    if (result == 0)
        print_total("would go: ", l.partitions, l.files, l.bytes);
    buf_free(&l.table.cells);
    object_store_close(store);
    return result;
}

static int expire(const char *path, const struct retain_options *options, struct err *err)
{
    struct retain_done done = {.more = true}, total = {0};
    struct object_store *store = keeper_open_patiently(path, err);
    if (store == NULL)
        return -1;
    int result = 0;
    while (result == 0 && done.more) {
        result = retain(store, options, clock_wall(), NULL, &done, err);
        total.partitions += done.partitions;
        total.files += done.files;
        total.bytes += done.bytes;
        total.finished += done.finished;
    }
    object_store_close(store);
    if (total.finished > 0)
        (void)printf("finished: %" PRIu64 " files of a run that was interrupted\n", total.finished);
    print_total("gone: ", total.partitions, total.files, total.bytes);
    if (result == 0 && done.held > 0)
        result = err_set(err, ERR_REFUSED, "%" PRIu64 " partitions stay: %s", done.held, done.why);
    return result;
}

int cli_expire(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    int64_t older = 0;
    bool dry_run = false;
    int status = parse(&w, &older, &dry_run);
    if (status != CLI_GO_ON)
        return status;
    const char *path = w.operands[0];
    struct retain_options options = upkeep_retention(older, 0);
    int result = confine_to_store(w.operands, dry_run, &err);
    if (result == 0)
        result = dry_run ? look(path, &options, &err) : expire(path, &options, &err);
    if (result != 0)
        (void)err_prefix(&err, "%s", path);
    return result == 0 ? CLI_DONE : cli_fail(&err);
}
