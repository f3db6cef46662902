/* SPDX-License-Identifier: MIT */

/*
 * The store without the rest of varve, for tests/fault/test_log.py: commits files that the test has
 * made, by commands on stdin, one a line, words separated by blanks:
 *
 *     file PATH SIMULATION FIRST LAST MIN_NS MAX_NS    a file of the next epoch; SIMULATION is "-"
 *                                                      for none, and may have %XX
 *     quarantine PATH FIRST LAST
 *     commit THROUGH [ABOVE]                           retried until it works, for a while
 *
 * Answers "open THROUGH ABOVE", "failed TEXT", "committed". Faults come from VARVE_FAULT, see
 * object/fault.h. Usage: store-driver ROOT INSTANCE STREAM CREATED
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "event/event.h"
#include "delta/action.h"
#include "store/commit.h"
#include "object/fault.h"
#include "parquet/write/statistics.h"
#include "object/object.h"
#include "store/path.h"
#include "store/store.h"

enum { FILES_MAX = 64, TRIES = 500, COLUMNS = 3 };

static const char template[] = "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet";

/* A file of the epoch, and what its struct store_epoch_file borrows. */
struct item {
    struct buf key, simulation;
    struct seqset sequences;
    struct bounds_bytes bounds; /* of `simulation` */
    struct store_column_stats stats[COLUMNS];
};

struct driver {
    struct store *store;
    struct store_path path;
    const char *stream, *created;
    struct store_epoch_file files[FILES_MAX];
    struct item items[FILES_MAX];
    size_t count;
};

static void fail(const char *text)
{
    (void)fprintf(stderr, "store-driver: %s\n", text);
    exit(2);
}

static uint64_t number(const char *word)
{
    uint64_t value = 0;
    if (word == NULL || !num_parse_u64(slice_of(word), &value))
        fail("a number is missing");
    return value;
}

static const char *word(char **rest)
{
    const char *found = strtok_r(NULL, " \n", rest);
    if (found == NULL)
        fail("a word is missing");
    return found;
}

static struct object_staged *copy_in(struct driver *d, const char *path)
{
    static char block[1 << 16];
    struct err err = {0};
    FILE *from = fopen(path, "rb");
    struct object_staged *file = object_stage(d->store->objects, &err);
    if (from == NULL || file == NULL)
        fail(from == NULL ? path : err.text);
    size_t got;
    while ((got = fread(block, 1, sizeof(block), from)) > 0) {
        if (object_write(file, block, got, &err) != 0)
            fail(err.text);
    }
    (void)fclose(from); /* only read */
    if (object_finish(d->store->objects, &file, 1, &err) != 0)
        fail(err.text);
    return file;
}

static struct item *add(struct driver *d, const char *path, uint64_t first, uint64_t last)
{
    if (d->count == FILES_MAX)
        fail("too many files");
    struct item *item = &d->items[d->count];
    seqset_add_range(&item->sequences, first, last);
    d->files[d->count++] = (struct store_epoch_file){.file = copy_in(d, path),
                                                     .stream = d->stream,
                                                     .created = d->created,
                                                     .sequences = &item->sequences,
                                                     .rows = last - first + 1};
    return item;
}

static void add_file(struct driver *d, char *rest)
{
    const char *path = word(&rest);
    const char *simulation = word(&rest);
    uint64_t first = number(word(&rest));
    uint64_t last = number(word(&rest));
    int64_t min = (int64_t)number(word(&rest));
    int64_t max = (int64_t)number(word(&rest));
    struct item *item = add(d, path, first, last);
    if (strcmp(simulation, "-") != 0 && !delta_path_decode(&item->simulation, slice_of(simulation)))
        fail("a bad simulation");
    struct slice id = buf_slice(&item->simulation);
    struct store_path_values values = {.simulation_id = id, .time = min};
    store_path_key(&item->key, &d->path, &values);
    item->stats[0] = (struct store_column_stats){
        .column = EVENT_COLUMN_TIMESTAMP_NS, .bounded = true, .min = min, .max = max};
    item->bounds = bounds_of_range(id, id, true);
    item->stats[1] = (struct store_column_stats){.column = EVENT_COLUMN_SIMULATION_ID,
                                                 .bounded = item->bounds.has_max,
                                                 .text_min = bounds_min(&item->bounds),
                                                 .text_max = bounds_max(&item->bounds)};
    item->stats[2] = (struct store_column_stats){.column = EVENT_COLUMN_STREAM_SEQ,
                                                 .bounded = true,
                                                 .min = (int64_t)first,
                                                 .max = (int64_t)last};
    d->files[d->count - 1].key = buf_text(&item->key);
    d->files[d->count - 1].columns = item->stats;
    d->files[d->count - 1].column_count = COLUMNS;
}

static void add_quarantine(struct driver *d, char *rest)
{
    const char *path = word(&rest);
    uint64_t first = number(word(&rest));
    uint64_t last = number(word(&rest));
    struct item *item = add(d, path, first, last);
    store_path_quarantine_key(&item->key, slice_of(d->stream));
    d->files[d->count - 1].key = buf_text(&item->key);
    d->files[d->count - 1].quarantine = true;
}

static void commit(struct driver *d, char *rest)
{
    struct position position = {.stream = d->stream, .created = d->created, .consumer = "c"};
    position.through = number(word(&rest));
    const char *above = strtok_r(NULL, " \n", &rest);
    if (above != NULL && !seqset_parse_text(&position.above, slice_of(above)))
        fail("bad ranges");
    struct store_epoch epoch = {.files = d->files,
                                .file_count = d->count,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    struct err err = {0};
    int result = -1;
    for (int i = 0; i < TRIES && result != 0; i++) {
        struct timespec pause = {0, i == 0 ? 0 : 10000000};
        (void)nanosleep(&pause, NULL);
        err_clear(&err);
        result = store_commit(d->store, &epoch, &err);
        if (result != 0)
            (void)printf("failed %s\n", err.text);
        (void)fflush(stdout);
    }
    if (result != 0)
        fail("gave up");
    for (size_t i = 0; i < d->count; i++) {
        object_staged_free(d->files[i].file);
        buf_free(&d->items[i].key);
        buf_free(&d->items[i].simulation);
        seqset_free(&d->items[i].sequences);
    }
    d->count = 0;
    seqset_free(&position.above);
    (void)printf("committed\n");
    (void)fflush(stdout);
}

static void greet(const struct driver *d)
{
    struct buf above = {0};
    const struct position *p = positions_find(&d->store->positions, d->stream, d->created, "c");
    if (p != NULL)
        seqset_write_text(&above, &p->above);
    (void)printf("open %" PRIu64 " %s\n", p == NULL ? 0 : p->through, buf_text(&above));
    (void)fflush(stdout);
    buf_free(&above);
}

int main(int argc, char **argv)
{
    static struct driver d;
    struct err err = {0};
    char line[4096];
    if (argc != 5)
        fail("usage: store-driver ROOT INSTANCE STREAM CREATED");
    struct store_config config = {
        .root = argv[1], .instance = argv[2], .engine = "varve/test", .schema = &event_schema};
    struct fault *fault = NULL;
    if (getenv("VARVE_FAULT") != NULL) {
        fault = fault_new(getenv("VARVE_FAULT"), &err);
        if (fault == NULL)
            fail(err.text);
        config.system = (struct system){.hook = fault_hook, .context = fault};
    }
    d.stream = argv[3];
    d.created = argv[4];
    d.store = store_open(&config, &err);
    if (d.store == NULL || store_path_parse(&d.path, template, &err) != 0)
        fail(err.text);
    greet(&d);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *rest;
        const char *command = strtok_r(line, " \n", &rest);
        if (command == NULL)
            continue;
        if (strcmp(command, "file") == 0)
            add_file(&d, rest);
        else if (strcmp(command, "quarantine") == 0)
            add_quarantine(&d, rest);
        else if (strcmp(command, "commit") == 0)
            commit(&d, rest);
        else
            fail("an unknown command");
    }
    store_close(d.store);
    fault_free(fault);
    return 0;
}
