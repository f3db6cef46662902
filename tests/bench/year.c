/* SPDX-License-Identifier: MIT */

/*
 * year ROOT COMMITS KEEP_DAYS: a table over a long time, made quickly. One commit a minute by a
 * clock that jumps, each with a few events of a simulation that runs for a day; beside it the
 * keeper does what it does in varve run: checkpoints, clean-up of the log, compaction, retention.
 * What the clean-up goes by, the time at which an entry was put, is set to the minute of its
 * commit.
 *
 * Prints a line now and then, and starts again: days that have passed, live files, their bytes,
 * objects in the log, bytes of these, resident KiB, seconds that the start took to read the table.
 * The last line is "open" and the seconds of one more start.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "delta/log.h"
#include "delta/properties.h"
#include "event/event.h"
#include "pipeline/upkeep.h"
#include "store/compact.h"
#include "store/keeper.h"
#include "store/path.h"
#include "store/writer.h"

#define MINUTE (60 * CLOCK_SECOND)
#define DAY (1440 * MINUTE)
/* The keeper looks less often than it would: reading what there is of a table takes it as long as
 * some tens of commits. */
enum { ROWS = 3, LINES = 24, KEEP_EVERY = 360 };

static int64_t began, passed; /* ns */

static int64_t monotonic(void *context)
{
    (void)context;
    return passed + CLOCK_SECOND;
}

static int64_t wall(void *context)
{
    (void)context;
    return began + passed;
}

static const struct clock jumping = {monotonic, wall, NULL};

static void fail(const struct err *err)
{
    (void)fprintf(stderr, "year: %s\n", err->text);
    exit(1);
}

static const struct store_origin origin = {"LOGGING", "2026-01-01T00:00:00Z", "varve"};

struct year {
    struct store *store;
    struct store_writer *writer;
    struct store_path path;
    struct store_kind kind;
    struct keeper *keeper;
    struct retain_counters retained;
    struct compact_counters compacted;
    const char *root;
    uint64_t sequence;
    uint64_t dated; /* entries before this one have their time */
    int64_t keep;   /* ns */
};

static void add_row(struct year *y)
{
    char id[32], simulation[32];
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)++y->sequence);
    (void)snprintf(simulation, sizeof(simulation), "run-%03lld", (long long)(passed / DAY));
    struct event event = {.timestamp_ns = wall(NULL) - (int64_t)(y->sequence % 1000),
                          .event_id = slice_of(id),
                          .event_type_key = slice_of("sim.agent_reward.v1"),
                          .event_payload = slice_of("{\"reward\":0.5}"),
                          .worker_id = slice_of("worker-1"),
                          .simulation_id = slice_of(simulation),
                          .payload_format_hint = slice_of("application/json")};
    struct event_origin from = {.stream_seq = y->sequence,
                                .stream_time_ns = wall(NULL),
                                .subject = slice_of("logging.events.raw")};
    struct store_row row = {.kind = &y->kind,
                            .origin = &origin,
                            .sequence = y->sequence,
                            .values = {.simulation_id = event.simulation_id,
                                       .event_type_key = event.event_type_key,
                                       .worker_id = event.worker_id,
                                       .stream = slice_of(origin.stream),
                                       .instance = slice_of("year"),
                                       .time = event.timestamp_ns}};
    event_append(store_writer_begin_row(y->writer, &row), &event, &from, false);
    (void)store_writer_end_row(y->writer);
}

/* The entries before the newest one, those of the keeper, too: what the newest one is like, varve
 * remembers. */
static void set_times(struct year *y)
{
    char path[4096];
    int64_t at = wall(NULL) - MINUTE;
    const struct timespec times[2] = {{(time_t)(at / CLOCK_SECOND), 0},
                                      {(time_t)(at / CLOCK_SECOND), 0}};
    for (; y->dated < y->store->table.version; y->dated++) {
        (void)snprintf(path, sizeof(path), "%s/_delta_log/%020llu.json", y->root,
                       (unsigned long long)y->dated);
        (void)utimensat(AT_FDCWD, path, times, 0); /* one that was cleaned up needs none */
    }
}

static void commit(struct year *y, uint64_t number)
{
    struct seqset rows = {0};
    struct store_committed done;
    seqset_add_range(&rows, y->sequence + 1, y->sequence + ROWS);
    for (int i = 0; i < ROWS; i++)
        add_row(y);
    struct position position = {.stream = origin.stream,
                                .created = origin.created,
                                .consumer = origin.consumer,
                                .start = 1,
                                .through = y->sequence,
                                .last_seq = y->sequence,
                                .last_time = wall(NULL)};
    store_writer_seal(y->writer, &(struct store_seal){.number = number,
                                                      .rows = ROWS,
                                                      .time = monotonic(NULL),
                                                      .positions = &position,
                                                      .rows_of = &rows,
                                                      .position_count = 1});
    while (!store_writer_committed(y->writer, &done)) {
        struct store_trouble trouble;
        (void)store_writer_turn(y->writer, monotonic(NULL));
        trouble = store_writer_trouble(y->writer);
        if (trouble.failing)
            fail(&trouble.err);
    }
    positions_free(&done.others);
    seqset_free(&rows);
    keeper_note(y->keeper, done.version);
    set_times(y);
}

struct objects {
    const char *root;
    uint64_t count, bytes;
};

static bool count_object(void *context, struct slice name)
{
    struct objects *objects = context;
    struct stat st;
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%.*s", objects->root, (int)name.len,
                   (const char *)name.data);
    objects->count++;
    objects->bytes += stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    return true;
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        (void)fclose(file);
    return pages * 4;
}

static void open_year(struct year *y)
{
    struct err err = {0};
    struct store_config config = {
        .root = y->root, .instance = "year", .engine = "varve/year", .schema = &event_schema};
    y->store = store_open(&config, &err);
    if (y->store == NULL ||
        store_path_parse(&y->path,
                         "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet",
                         &err) != 0)
        fail(&err);
    y->kind = (struct store_kind){.schema = &event_schema, .path = &y->path};
    y->writer =
        store_writer_new(&(struct store_writer_options){.store = y->store,
                                                        .instance = "year",
                                                        .parquet = parquet_options_default(),
                                                        .stepped = true},
                         &err);
    if (y->writer == NULL)
        fail(&err);
    store_writer_set_limits(y->writer, &(struct store_writer_limits){1 << 20, 1 << 22, 1 << 20});
    y->keeper =
        keeper_new(&(struct keeper_options){.root = y->root, .version = y->store->table.version});
    keeper_add_log_jobs(y->keeper, DELTA_CHECKPOINT_INTERVAL);
    const struct compact_options compaction = upkeep_compaction(NULL);
    keeper_add_compaction(y->keeper, &compaction, DAY, &y->compacted);
    const struct retain_options retention = upkeep_retention(y->keep, 0);
    keeper_add_retention(y->keeper, &retention, &y->retained);
}

static void close_year(struct year *y)
{
    keeper_free(y->keeper);
    store_writer_free(y->writer);
    store_close(y->store);
}

/* What a restart takes; by the clock of the machine. */
static double reopen(struct year *y)
{
    close_year(y);
    clock_replace(NULL);
    const int64_t since = clock_monotonic();
    clock_replace(&jumping);
    open_year(y);
    clock_replace(NULL);
    const int64_t took = clock_monotonic() - since;
    clock_replace(&jumping);
    return (double)took / (double)CLOCK_SECOND;
}

static void print_line(struct year *y)
{
    struct delta_snapshot s = {.want_files = true};
    struct objects log = {.root = y->root};
    struct err err = {0};
    uint64_t live = 0, bytes = 0;
    long resident = resident_kib(); /* before we look */
    if (delta_snapshot_load(&s, y->store->objects, &err) != 0 ||
        object_list(y->store->objects, DELTA_LOG_FOLDER, "", count_object, &log, &err) != 0)
        fail(&err);
    for (size_t i = 0; i < s.files.count; i++) {
        live += s.files.list[i] != NULL;
        bytes += s.files.list[i] != NULL ? s.files.list[i]->size : 0;
    }
    delta_snapshot_free(&s);
    (void)printf("%lld %llu %llu %llu %llu %ld %.3f\n", (long long)(passed / DAY),
                 (unsigned long long)live, (unsigned long long)bytes, (unsigned long long)log.count,
                 (unsigned long long)log.bytes, resident, reopen(y));
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct year y = {0};
    if (argc != 4) {
        (void)fprintf(stderr, "usage: year ROOT COMMITS KEEP_DAYS\n");
        return 2;
    }
    const uint64_t commits = strtoull(argv[2], NULL, 10);
    y.root = argv[1];
    y.keep = (int64_t)atoi(argv[3]) * DAY;
    began = clock_wall() - (int64_t)commits * MINUTE; /* it ends now */
    log_configure(LOG_WARNING, LOG_LOGFMT);
    clock_replace(&jumping);
    open_year(&y);
    for (uint64_t i = 1; i <= commits; i++) {
        passed = (int64_t)i * MINUTE;
        commit(&y, i);
        if (i % KEEP_EVERY == 0)
            (void)keeper_step(y.keeper, monotonic(NULL));
        if (i % (commits / LINES + 1) == 0)
            print_line(&y);
    }
    print_line(&y);
    (void)printf("open %.3f\n", reopen(&y));
    close_year(&y);
    return 0;
}
