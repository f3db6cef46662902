/* SPDX-License-Identifier: MIT */
#include "follow/series_counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "base/num.h"
#include "base/time.h"

enum {
    GROUPS_MAX = 1000, /* each is a crash between the server and the note of it, and the next */
    GROUP_NAME_MAX = 512,
    KEEP = 1024 * 1024,
};

/* The note is no follower of any table: no table has this id. */
static struct slice no_table(void)
{
    return slice_of("sending");
}

/* "GROUP:STREAM" */
static const char *group_name(char out[static GROUP_NAME_MAX], unsigned group, const char *stream)
{
    (void)snprintf(out, GROUP_NAME_MAX, "%u:%s", group, stream);
    return out;
}

int series_counts_open(struct series_counts *c, struct object_store *store, struct err *err)
{
    bool found;
    delta_follower_free(&c->known);
    c->groups = 0;
    if (delta_follower_read(&c->known, store, c->name, no_table(), &found, err) != 0)
        return -1;
    for (size_t i = 0; i < c->known.generations.count; i++) {
        const char *name = c->known.generations.list[i].stream;
        const char *colon = strchr(name, ':');
        struct slice digits = {(const uint8_t *)name, colon != NULL ? (size_t)(colon - name) : 0};
        uint64_t group;
        if (!num_parse_u64(digits, &group) || group >= GROUPS_MAX)
            return err_set(err, ERR_FORMAT, "_delta_log/_varve/followers/%s.json is damaged",
                           c->name);
        if (group >= c->groups)
            c->groups = (unsigned)group + 1;
    }
    return 0;
}

/* The group of a row that was written down; c->groups: it was not. */
static unsigned group_of(const struct series_counts *c, const struct follow_event *row)
{
    char name[GROUP_NAME_MAX];
    struct delta_follower known = c->known;
    for (unsigned group = 0; group < c->groups; group++) {
        const struct seqset *rows =
            delta_follower_rows(&known, group_name(name, group, row->stream), row->created, false);
        if (rows != NULL && seqset_contains(rows, row->sequence))
            return group;
    }
    return c->groups;
}

void series_counts_take(struct series_counts *c, const struct follow_event *row)
{
    c->group = group_of(c, row);
    if (c->group < c->groups)
        c->again = true;
    else
        (void)seqset_add(delta_follower_rows(&c->fresh, row->stream, row->created, true),
                         row->sequence);
}

void series_counts_add(struct series_counts *c, const struct follow_event *row, uint32_t origin,
                       struct slice series, int64_t time)
{
    int64_t second = num_floor_divide(time, CLOCK_SECOND);
    bool added;
    buf_reset(&c->key);
    buf_append_u32le(&c->key, c->group);
    buf_append_u32le(&c->key, origin);
    buf_append_u64le(&c->key, (uint64_t)second);
    size_t start = c->key.len;
    buf_append_slice(&c->key, series);
    uint32_t number = map_put(&c->keys, buf_slice(&c->key), &added);
    if (added)
        *array_add(&c->windows) = (struct series_window){
            .first = row->sequence,
            .origin = origin,
            .place = crc32_update(0, row->created, strlen(row->created)),
            .second = second,
            .series = start,
        };
    c->windows.list[number].count++;
}

static int write_down(struct series_counts *c, struct object_store *store, struct err *err)
{
    char name[GROUP_NAME_MAX];
    if (!c->again) {
        delta_follower_free(&c->known); /* it is committed */
        c->groups = 0;
    }
    if (c->groups == GROUPS_MAX)
        return err_set(err, ERR_LIMIT, "%d attempts to count the same rows have failed",
                       GROUPS_MAX);
    for (size_t i = 0; i < c->fresh.generations.count; i++) {
        const struct delta_followed *g = &c->fresh.generations.list[i];
        seqset_add_all(delta_follower_rows(&c->known, group_name(name, c->groups, g->stream),
                                           g->created, true),
                       &g->rows);
    }
    free(c->known.name);
    c->known.name = NULL;
    struct delta_follower note = c->known;
    note.name = (char *)(uintptr_t)c->name; /* it is not changed */
    return delta_follower_write(&note, store, no_table(), err);
}

/* Neighbours lie a millisecond apart, which is what VictoriaMetrics tells apart. */
static int64_t time_of(const struct series_window *w)
{
    uint64_t number = w->first + w->place;
    uint64_t ns = number % 1000 * 1000000 + number / 1000 % 1000000;
    return time_ns_of(w->second, (int64_t)ns);
}

int series_counts_lines(struct series_counts *c, struct object_store *store,
                        struct series_lines *lines, struct err *err)
{
    if (c->windows.count == 0)
        return 0;
    if (write_down(c, store, err) != 0)
        return -1;
    for (size_t i = 0; i < c->windows.count; i++) {
        const struct series_window *w = &c->windows.list[i];
        struct slice key = map_key(&c->keys, (uint32_t)i);
        buf_append(&lines->text, key.data + w->series, key.len - w->series);
        buf_printf(&lines->text, " count=%" PRIu64 "i %" PRId64 "\n", w->count, time_of(w));
        *array_add(&lines->list) =
            (struct series_line){.end = lines->text.len, .origin = w->origin, .sequence = w->first};
    }
    return 0;
}

void series_counts_reset(struct series_counts *c)
{
    map_reset(&c->keys);
    if (c->keys.keys.cap > KEEP)
        map_free(&c->keys);
    c->windows.count = 0;
    c->again = false;
    c->groups = 0;
    delta_follower_free(&c->known);
    delta_follower_free(&c->fresh);
}

void series_counts_free(struct series_counts *c)
{
    series_counts_reset(c);
    map_free(&c->keys);
    array_free(&c->windows);
    buf_free(&c->key);
}
