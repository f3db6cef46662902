/* SPDX-License-Identifier: MIT */
#include "follow/timeseries.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/json.h"
#include "base/text.h"
#include "event/event.h"
#include "follow/series_counts.h"
#include "follow/series_notes.h"
#include "follow/series_point.h"
#include "follow/series_writer.h"

enum {
    LINE_SHOWN_MAX = 64 * 1024, /* of a line that was refused */
    NOTES_MAX = 1024 * 1024,    /* bytes, with which a commit is due */
    ORIGINS_MAX = 1 << 16,      /* generations of streams, of which a store has a few */
};

/* The generation of a stream that rows are of. */
struct origin {
    char *stream, *created;
};

struct series_target {
    struct follow_target target;
    const struct config *config;
    const struct config_follower *follower;
    struct series_point *points;
    size_t point_count;
    bool counts; /* some of them do */
    struct series_writer writer;
    struct series_lines lines;
    struct series_counts counted;
    struct object_store *store; /* NULL: not opened yet */
    ARRAY(struct origin) origins;
    uint64_t rows;         /* taken since the last commit */
    uint64_t noted;        /* of these: what notes are about */
    struct buf notes;      /* a JSON object a line */
    struct buf notes_name; /* by the first of them */
    struct series_notes kept;
};

static int open_store(struct series_target *t, struct err *err)
{
    if (t->store != NULL)
        return 0;
    t->store = follow_open_store(t->config->output.log_output_directory, "refused",
                                 "what was refused to", t->follower->name, err);
    return t->store != NULL ? 0 : -1;
}

static int open_target(struct follow_target *target, const struct delta_follower *done,
                       struct err *err)
{
    struct series_target *t = (struct series_target *)target;
    (void)done; /* what is there already may come again */
    if (series_writer_open(&t->writer, target->stop, err) != 0)
        return -1;
    if (!t->counts)
        return 0;
    return open_store(t, err) != 0 ? -1 : series_counts_open(&t->counted, t->store, err);
}

static int find_origin(struct series_target *t, const struct follow_event *row, uint32_t *origin,
                       struct err *err)
{
    size_t at = t->origins.count;
    while (at > 0 && (strcmp(t->origins.list[at - 1].stream, row->stream) != 0 ||
                      strcmp(t->origins.list[at - 1].created, row->created) != 0))
        at--;
    if (at == 0) {
        if (t->origins.count == ORIGINS_MAX)
            return err_set(err, ERR_LIMIT, "its rows are of more than %d streams", ORIGINS_MAX);
        *array_add(&t->origins) = (struct origin){text_copy(row->stream), text_copy(row->created)};
        at = t->origins.count;
    }
    *origin = (uint32_t)at - 1;
    return 0;
}

/* Note what was not written: a line that was refused, with its status; or, without one, a row. */
static void note(struct series_target *t, const struct series_line *line, struct slice text,
                 int status, struct slice why)
{
    const struct origin *origin = &t->origins.list[line->origin];
    struct json_writer w = {.out = &t->notes};
    if (t->notes.len == 0) {
        buf_reset(&t->notes_name);
        buf_append_text(&t->notes_name, "_refused/");
        text_escape(&t->notes_name, slice_of(t->follower->name));
        buf_append_byte(&t->notes_name, '/');
        text_escape(&t->notes_name, slice_of(origin->stream));
        /* A stream that was made again has these sequences again. */
        buf_printf(&t->notes_name, "-%08x-%llu.jsonl",
                   crc32_update(0, origin->created, strlen(origin->created)),
                   (unsigned long long)line->sequence);
    }
    json_open_object(&w, NULL);
    json_put_text(&w, "stream", origin->stream);
    json_put_text(&w, "created", origin->created);
    json_put_u64(&w, "sequence", line->sequence);
    if (text.len > LINE_SHOWN_MAX)
        text.len = LINE_SHOWN_MAX;
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0)
        json_put_slice(&w, "line", text);
    if (status > 0)
        json_put_u64(&w, "status", (uint64_t)status);
    json_put_slice(&w, "reason", why);
    json_close_object(&w);
    buf_append_byte(&t->notes, '\n');
    t->noted++;
}

static void refused(void *context, const struct series_line *line, struct slice text, int status,
                    struct slice why)
{
    note(context, line, text, status, why);
}

static int take_point(struct series_target *t, struct series_point *p, uint32_t origin,
                      const struct follow_event *row, struct err *err)
{
    struct buf *text = &t->lines.text;
    struct series_line line = {.origin = origin, .sequence = row->sequence};
    bool made;
    if (series_point_make(p, row, &made, err) != 0)
        return -1;
    if (p->reason.len > 0)
        note(t, &line, (struct slice){0}, 0, buf_slice(&p->reason));
    if (!made)
        return 0;
    if (p->counts) {
        series_counts_add(&t->counted, row, origin, buf_slice(&p->series), p->time);
        return 0;
    }
    buf_append_slice(text, buf_slice(&p->series));
    buf_append_byte(text, ' ');
    buf_append_slice(text, buf_slice(&p->fields));
    buf_printf(text, " %lld\n", (long long)p->time);
    line.end = text->len;
    *array_add(&t->lines.list) = line;
    return 0;
}

static int take(struct follow_target *target, const struct follow_event *row, struct err *err)
{
    struct series_target *t = (struct series_target *)target;
    uint32_t origin = 0;
    if (find_origin(t, row, &origin, err) != 0)
        return -1;
    if (t->counts)
        series_counts_take(&t->counted, row);
    for (size_t i = 0; i < t->point_count; i++)
        if (take_point(t, &t->points[i], origin, row, err) != 0)
            return -1;
    t->rows++;
    target->full = t->lines.list.count >= SERIES_LINES_MAX ||
                   t->lines.text.len >= SERIES_BYTES_MAX || t->notes.len >= NOTES_MAX;
    return 0;
}

static void forget(struct series_target *t)
{
    buf_reset(&t->lines.text);
    buf_trim(&t->lines.text, 2 * SERIES_BYTES_MAX);
    t->lines.list.count = 0;
    buf_reset(&t->notes);
    buf_trim(&t->notes, NOTES_MAX);
    series_counts_reset(&t->counted);
    t->rows = t->noted = 0;
    t->target.full = false;
}

/* Keep what was not written. In place of what is there: the same rows have come again. */
static int keep_notes(struct series_target *t, struct err *err)
{
    if (t->notes.len == 0)
        return 0;
    if (open_store(t, err) != 0)
        return -1;
    int result = series_notes_put(&t->kept, t->store, t->follower->name, buf_text(&t->notes_name),
                                  buf_slice(&t->notes), err);
    t->target.counts.removed = t->kept.removed;
    return result;
}

static int commit(struct follow_target *target, const struct delta_follower *done, struct err *err)
{
    struct series_target *t = (struct series_target *)target;
    (void)done;
    if (series_counts_lines(&t->counted, t->store, &t->lines, err) != 0 ||
        series_writer_send(&t->writer, &t->lines, refused, t, err) != 0 || keep_notes(t, err) != 0)
        return -1;
    target->counts.rows += t->rows;
    target->counts.refused += t->noted;
    forget(t);
    return 0;
}

static int check(struct follow_target *target, struct buf *says, struct err *err)
{
    struct series_target *t = (struct series_target *)target;
    struct buf answer = {0};
    int result = series_writer_open(&t->writer, NULL, err);
    if (result == 0)
        result = series_writer_probe(&t->writer, &answer, err);
    if (result == 0)
        buf_printf(says,
                   answer.len == 0 ? "%s would take its lines"
                                   : "%s is there, and answers a request without lines %s",
                   t->follower->url, buf_text(&answer));
    buf_free(&answer);
    series_writer_close(&t->writer);
    return result;
}

static void close_target(struct follow_target *target)
{
    struct series_target *t = (struct series_target *)target;
    series_writer_close(&t->writer);
    object_store_close(t->store);
    t->store = NULL;
    series_notes_forget(&t->kept);
    forget(t);
}

static void free_target(struct follow_target *target)
{
    struct series_target *t = (struct series_target *)target;
    close_target(target);
    for (size_t i = 0; i < t->point_count; i++)
        series_point_free(&t->points[i]);
    for (size_t i = 0; i < t->origins.count; i++) {
        free(t->origins.list[i].stream);
        free(t->origins.list[i].created);
    }
    array_free(&t->origins);
    array_free(&t->lines.list);
    buf_free(&t->lines.text);
    buf_free(&t->notes);
    buf_free(&t->notes_name);
    free((void *)(uintptr_t)t->counted.name);
    series_counts_free(&t->counted);
    series_writer_free(&t->writer);
    free(t->points);
    free(t);
}

static int add_points(struct series_target *t, struct err *err)
{
    const struct config_list *points = &t->follower->points;
    for (; t->point_count < points->count; t->point_count++) {
        struct series_point *p = &t->points[t->point_count];
        if (series_point_init(p, t->config, points->items[t->point_count],
                              t->follower->max_tag_values, &t->target.account, err) != 0) {
            t->point_count++;
            return err_prefix(err, "points[%zu]", t->point_count - 1);
        }
        t->counts = t->counts || p->counts;
    }
    return 0;
}

struct follow_target *follow_timeseries_new(const struct config *config,
                                            const struct config_follower *follower, struct err *err)
{
    static const struct follow_target_operations operations = {
        open_target, take, commit, check, close_target, free_target};
    struct series_target *t = calloc(1, sizeof(*t));
    struct series_point *points = calloc(follower->points.count, sizeof(*points));
    struct buf name = {0};
    if (t == NULL || points == NULL)
        out_of_memory(sizeof(*t));
    *t = (struct series_target){.target = {.operations = &operations},
                                .config = config,
                                .follower = follower,
                                .points = points};
    t->lines.text.account = t->lines.list.account = &t->target.account;
    t->notes.account = t->counted.keys.account = t->counted.windows.account = &t->target.account;
    buf_printf(&name, "%s+sending", follower->name); /* no follower can be called so */
    t->counted.name = text_copy_slice(buf_slice(&name));
    buf_free(&name);
    if (series_writer_init(&t->writer, follower, &t->target.account, err) == 0 &&
        add_points(t, err) == 0)
        return &t->target;
    free_target(&t->target);
    return NULL;
}

int follow_timeseries_same(const struct config *config, const struct config_follower *follower,
                           struct err *err)
{
    struct series_target *t = (struct series_target *)follow_timeseries_new(config, follower, err);
    if (t == NULL)
        return err_prefix(err, "follower %s", follower->name);
    bool counts = t->counts;
    free_target(&t->target);
    if (!counts)
        return 0;
    return err_set(err, ERR_USAGE,
                   "--restart: points without fields are counts, which would stand beside the old "
                   "ones, and add up: leave them to a follower of their own, or give them another "
                   "measurement and --forget this one");
}
