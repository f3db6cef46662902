/* SPDX-License-Identifier: MIT */
#include "cli/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/num.h"
#include "base/time.h"
#include "cli/prune.h"
#include "event/event.h"
#include "follow/ahead.h"
#include "follow/mixed.h"
#include "parquet/write/layout.h"
#include "pipeline/stop.h"

#define PROGRESS_PERIOD (CLOCK_SECOND / 5)

static enum parquet_meaning meaning_of(const struct column_spec *column)
{
    if (column->type == COLUMN_INT64)
        return column->meaning == COLUMN_TIME_MICROS ? PARQUET_MEANING_TIMESTAMP
                                                     : PARQUET_MEANING_SIGNED;
    return column->meaning == COLUMN_TEXT ? PARQUET_MEANING_TEXT : PARQUET_MEANING_BYTES;
}

int replay_bind(struct replay *r, struct err *err)
{
    size_t count = r->filter.terms.count;
    r->tests = calloc(count + 1, sizeof(*r->tests));
    if (r->tests == NULL)
        out_of_memory((count + 1) * sizeof(*r->tests));
    for (size_t i = 0; i < count; i++) {
        const struct filter_term *term = &r->filter.terms.list[i];
        struct replay_test *t = &r->tests[i];
        while (t->column < EVENT_COLUMNS &&
               !slice_is(term->column, event_schema.columns[t->column].name))
            t->column++;
        if (t->column == EVENT_COLUMNS)
            return err_set(err, ERR_USAGE, "events have no column '%.*s'", (int)term->column.len,
                           (const char *)term->column.data);
        const struct column_spec *column = &event_schema.columns[t->column];
        t->leaf = (struct parquet_leaf){.type = {.type = layout_type(column->type)},
                                        .meaning = meaning_of(column),
                                        .unit = PARQUET_UNIT_MICROS};
        if (filter_bind(term, &t->leaf, &t->test, err) != 0) {
            err->code = ERR_USAGE;
            return -1;
        }
    }
    return 0;
}

static bool passes(const void *context, const struct slice *values)
{
    const struct replay *r = context;
    for (size_t i = 0; i < r->filter.terms.count; i++)
        if (!filter_passes(&r->tests[i].test, values[r->tests[i].column]))
            return false;
    return true;
}

int64_t replay_due(struct replay_pace *pace, const struct slice *values, int64_t now)
{
    struct slice value =
        values[pace->by_event ? EVENT_COLUMN_EVENT_TIME : EVENT_COLUMN_STREAM_TIME];
    if (pace->speed == 0 || value.data == NULL)
        return pace->started ? pace->due : now;
    int64_t time = (int64_t)load_u64le(value.data);
    if (!pace->started) {
        pace->started = true;
        pace->latest = time;
        pace->due = now;
    }
    if (time <= pace->latest)
        return pace->due;
    /* The times are of a file, and may be any: the difference fits what is unsigned. */
    double gap = (double)((uint64_t)time - (uint64_t)pace->latest) * 1000 / pace->speed;
    if (pace->max_gap > 0 && gap > (double)pace->max_gap)
        gap = (double)pace->max_gap;
    pace->latest = time;
    pace->due =
        gap < (double)(INT64_MAX / 2 - pace->due) ? pace->due + (int64_t)gap : INT64_MAX / 2;
    return pace->due;
}

static void show(struct replay *r, const struct slice *values, int64_t now)
{
    char count[NUM_COUNT_TEXT_MAX], time[TIME_TEXT_MAX] = "";
    struct slice at = values[EVENT_COLUMN_STREAM_TIME];
    r->next_progress = now + PROGRESS_PERIOD;
    num_format_count(r->dry_run ? r->rows : r->publisher.published, count);
    int64_t ns;
    if (at.data != NULL && !__builtin_mul_overflow((int64_t)load_u64le(at.data), 1000, &ns))
        time_format(ns, 0, time);
    (void)fprintf(stderr, "\r\033[K%s messages, at %s", count, time);
    (void)fflush(stderr);
}

static int take(struct replay *r, const struct follow_event *row, struct err *err)
{
    int64_t now = clock_monotonic();
    if (r->progress && now >= r->next_progress)
        show(r, row->values, now);
    r->rows++;
    if (r->dry_run)
        return 0;
    int64_t due = replay_due(&r->pace, row->values, now);
    while (now < due && !r->stopped) {
        if (publisher_turn(&r->publisher, due, err) != 0)
            return -1;
        r->stopped = stop_take().stop;
        now = clock_monotonic();
    }
    return r->stopped ? 0 : publisher_put(&r->publisher, row, err);
}

static void prune(void *context, struct parquet_file *file)
{
    const struct replay *r = context;
    (void)prune_file(&r->filter, file);
}

/* What is neither published nor asked for is not read: no file has a column of that name. */
static void leave_out(const struct replay *r, struct follow_column columns[static EVENT_COLUMNS])
{
    bool timed = r->pace.speed != 0, used[EVENT_COLUMNS];
    for (size_t i = 0; i < EVENT_COLUMNS; i++)
        used[i] = true;
    used[EVENT_COLUMN_STREAM_SEQ] = false; /* it comes with each row */
    used[EVENT_COLUMN_STREAM_TIME] = r->progress || (timed && !r->pace.by_event);
    used[EVENT_COLUMN_EVENT_TIME] = timed && r->pace.by_event;
    for (size_t i = 0; i < r->filter.terms.count; i++)
        used[r->tests[i].column] = true;
    for (size_t i = 0; i < EVENT_COLUMNS; i++)
        if (!used[i])
            columns[i].name = "";
}

static int read_stream(struct replay *r, const struct follow_stream *stream, uint64_t after,
                       struct err *err)
{
    struct follow_column columns[EVENT_COLUMNS];
    struct follow_row row;
    int more = 0;
    follow_event_columns(columns);
    leave_out(r, columns);
    struct follow_reader *reader = follow_reader_new(
        r->store, stream->files.list, stream->files.count, columns, EVENT_COLUMNS, after, NULL);
    follow_reader_set_prune(reader, prune, r);
    struct follow_ahead *ahead = follow_ahead_new(reader, EVENT_COLUMNS, passes, r);
    while (!r->stopped && (more = follow_ahead_next(ahead, &row, err)) == 1) {
        struct follow_event event = {stream->stream, stream->created, row.sequence, row.values};
        r->stopped = stop_take().stop;
        if (r->stopped || row.sequence == after)
            continue;
        after = row.sequence; /* a file that another engine has copied has it twice */
        if (take(r, &event, err) != 0) {
            (void)err_prefix(err, "sequence %" PRIu64 " of stream %s", row.sequence,
                             stream->stream);
            more = -1;
            break;
        }
    }
    follow_ahead_free(ahead);
    follow_reader_free(reader);
    return more < 0 ? -1 : 0;
}

/* Where the publisher is: the stream to go on with, and behind which sequence. */
static int find_start(const struct replay *r, const struct follow_catalogue *catalogue,
                      size_t *start, uint64_t *after, struct err *err)
{
    struct slice generation;
    struct buf name = {0};
    size_t i = 0;
    *start = 0;
    *after = 0;
    if (!publisher_place(&r->publisher, &generation, after))
        return 0;
    for (; i < catalogue->streams.count; i++) {
        const struct follow_stream *s = &catalogue->streams.list[i];
        buf_reset(&name);
        if (s->stream != NULL)
            buf_printf(&name, "%s/%s", s->stream, s->created);
        if (slice_equal(buf_slice(&name), generation))
            break;
    }
    buf_free(&name);
    *start = i;
    return i < catalogue->streams.count
               ? 0
               : err_set(err, ERR_FORMAT, "it has no row of %.*s, of which the last message was",
                         (int)generation.len, (const char *)generation.data);
}

static int read_all(struct replay *r, struct err *err)
{
    struct follow_catalogue catalogue = {0};
    size_t start = 0;
    uint64_t after = 0;
    int result = follow_catalogue_fill(&catalogue, &r->table, err);
    if (result == 0)
        result = follow_mixed_resolve(&catalogue, r->store, r->table.version, NULL, NULL, err);
    if (result == 0)
        result = find_start(r, &catalogue, &start, &after, err);
    for (size_t i = start; i < catalogue.streams.count && result == 0; i++) {
        result = read_stream(r, &catalogue.streams.list[i], after, err);
        after = 0;
    }
    follow_catalogue_free(&catalogue);
    return result;
}

/* Files may be moved while they are read: go on with the new ones. */
static bool has_moved(struct replay *r)
{
    struct err ignored = {0};
    uint64_t version = r->table.version;
    delta_snapshot_free(&r->table);
    r->table = (struct delta_snapshot){.want_files = true, .want_varve = true};
    return delta_snapshot_load(&r->table, r->store, &ignored) == 0 && r->table.version != version;
}

int replay_rows(struct replay *r, struct err *err)
{
    while (read_all(r, err) != 0) {
        if (err_is_set(&r->publisher.failure) || r->dry_run || !has_moved(r))
            return -1;
        err_clear(err);
    }
    return r->dry_run ? 0 : publisher_flush(&r->publisher, err);
}
