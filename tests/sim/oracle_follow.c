/* SPDX-License-Identifier: MIT */
#include "oracle_part.h"

#include "delta/log.h"
#include "follow/reader.h"
#include "object/posix.h"

/* What a follower gets of one stream: its rows, in its order. */
static uint64_t follow(struct oracle *o, struct object_store *store,
                       const struct follow_stream *stream)
{
    struct follow_reader *r =
        follow_reader_new(store, stream->files.list, stream->files.count, NULL, 0, 0, NULL);
    struct follow_row row;
    struct err err = {0};
    uint64_t rows = 0, before = 0;
    int more = 0;
    while ((more = follow_reader_next(r, &row, &err)) == 1) {
        if (row.sequence <= before && stream->stream != NULL)
            oracle_fail(o, "a follower gets sequence %llu behind %llu",
                        (unsigned long long)row.sequence, (unsigned long long)before);
        before = row.sequence;
        rows++;
    }
    if (more != 0)
        oracle_fail(o, "a follower can't read on: %s", err.text);
    follow_reader_free(r);
    return rows;
}

void oracle_follow(struct oracle *o)
{
    struct disk_process process = {0};
    struct object_posix_config config = {
        .root = o->root, .entries = DELTA_LOG_FOLDER, .system = disk_system(o->disk)};
    struct delta_snapshot snapshot = {.want_files = true, .want_varve = true};
    struct follow_catalogue catalogue = {0};
    struct err err = {0};
    uint64_t rows = 0, stored = 0;
    disk_switch(o->disk, &process);
    struct object_store *store = object_posix_open(&config, &err);
    if (store == NULL || delta_snapshot_load(&snapshot, store, &err) != 0 ||
        follow_catalogue_fill(&catalogue, &snapshot, &err) != 0)
        oracle_fail(o, "a follower can't read the table: %s", err.text);
    for (size_t i = 0; i < catalogue.streams.count; i++)
        rows += follow(o, store, &catalogue.streams.list[i]);
    for (size_t i = 0; i < o->list.count; i++)
        stored += o->list.list[i].rows;
    if (rows != stored)
        oracle_fail(o, "a follower gets %llu rows of %llu", (unsigned long long)rows,
                    (unsigned long long)stored);
    delta_snapshot_free(&snapshot);
    follow_catalogue_free(&catalogue);
    if (store != NULL)
        object_store_close(store);
    disk_close_all(o->disk, &process);
}
