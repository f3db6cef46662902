/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "oracle_part.h"

void oracle_fail(struct oracle *o, const char *format, ...)
{
    va_list args;
    if (o->failure[0] != '\0')
        return;
    va_start(args, format);
    (void)vsnprintf(o->failure, sizeof(o->failure), format, args);
    va_end(args);
}

const char *oracle_failure(const struct oracle *o)
{
    return o->failure[0] == '\0' ? NULL : o->failure;
}

struct oracle *oracle_new(struct server *server, struct disk *disk, const char *root,
                          const char *dead_letters)
{
    struct oracle *o = calloc(1, sizeof(*o));
    if (o == NULL)
        abort();
    o->server = server;
    o->disk = disk;
    o->root = root;
    o->dead_letters = dead_letters;
    o->next_dead = 1;
    o->codec = parquet_codec_new(NULL);
    return o;
}

static void forget_names(struct oracle *o)
{
    for (size_t i = 0; i < o->named.count; i++) {
        free(o->named.list[i].path);
        array_free(&o->named.list[i].events);
    }
    o->named.count = 0;
}

void oracle_free(struct oracle *o)
{
    forget_names(o);
    array_free(&o->named);
    array_free(&o->list);
    array_free(&o->others);
    parquet_codec_free(o->codec);
    buf_free(&o->path);
    buf_free(&o->entry);
    free(o);
}

uint64_t oracle_rows(const struct oracle *o)
{
    return o->rows;
}

void oracle_accepted(struct oracle *o, const char *stream, uint64_t seq, uint32_t number,
                     int64_t base, const char *subject, int64_t time)
{
    struct buf message = {0};
    *array_add(&o->list) = (struct accepted){.stream = stream,
                                             .seq = seq,
                                             .number = number,
                                             .base = base,
                                             .time = time,
                                             .subject = subject,
                                             .bad = !sim_event_make(number, base, &message)};
    buf_free(&message);
}

void oracle_excuse(struct oracle *o, const char *stream, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < o->list.count; i++)
        if (strcmp(o->list.list[i].stream, stream) == 0 && o->list.list[i].seq >= first &&
            o->list.list[i].seq <= last)
            o->list.list[i].excused = true;
}

void oracle_made_again(struct oracle *o, const char *stream, uint64_t after)
{
    for (size_t i = 0; i < o->list.count; i++) {
        struct accepted *a = &o->list.list[i];
        if (strcmp(a->stream, stream) == 0 && a->seq > after)
            a->excused = a->past = true;
    }
    if (strcmp(o->dead_letters, stream) == 0 && o->next_dead > after + 1)
        o->next_dead = after + 1;
}

void oracle_replaced(struct oracle *o, bool kept)
{
    oracle_look(o);
    for (size_t i = 0; i < o->list.count; i++) {
        struct accepted *a = &o->list.list[i];
        a->was_durable = a->was_durable || a->rows + a->dead > 0;
        a->excused = a->excused || (!kept && a->was_durable);
        a->rows = a->dead = 0;
    }
    o->next_version = 0;
    o->next_dead = 1;
    forget_names(o);
}

void oracle_other(struct oracle *o, const char *stream, uint64_t seq)
{
    *array_add(&o->others) = (struct other){stream, seq};
}

uint64_t oracle_unsure(const struct oracle *o)
{
    return o->unsure;
}

/* Of these, the messages of other subjects; or those of them that are not in the stream any more.
 */
static uint64_t count_others(const struct oracle *o, const char *stream, uint64_t first,
                             uint64_t last, bool gone)
{
    uint64_t count = 0;
    for (size_t i = 0; i < o->others.count; i++) {
        const struct other *other = &o->others.list[i];
        struct server_stored stored;
        count += strcmp(other->stream, stream) == 0 && other->seq >= first && other->seq <= last &&
                 (!gone || !server_next_message(o->server, stream, other->seq, &stored) ||
                  stored.seq != other->seq);
    }
    return count;
}

void oracle_alarmed(struct oracle *o, const char *stream, uint64_t first, uint64_t last,
                    uint64_t count, bool shared)
{
    uint64_t gone = 0, told = 0;
    struct server_stored stored;
    oracle_look(o);
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        if (strcmp(a->stream, stream) != 0 || a->seq < first || a->seq > last)
            continue;
        gone += a->excused && a->rows + a->dead == 0;
        /* A varve that was killed behind that has not committed it: see FAULTS.md. */
        told += a->bad && a->published &&
                (!server_next_message(o->server, stream, a->seq, &stored) || stored.seq != a->seq);
    }
    if (gone == 0 && count <= count_others(o, stream, first, last, !shared) + told)
        o->unsure++;
    else if (gone == 0)
        oracle_fail(o, "varve says that it lost %llu of sequences %llu to %llu of %s: none is lost",
                    (unsigned long long)count, (unsigned long long)first, (unsigned long long)last,
                    stream);
}

struct accepted *oracle_find(struct oracle *o, uint32_t number)
{
    for (size_t i = 0; i < o->list.count; i++)
        if (o->list.list[i].number == number)
            return &o->list.list[i];
    return NULL;
}

void oracle_on_ack(void *oracle, const char *stream, const char *consumer, uint64_t seq, bool all,
                   int64_t now)
{
    struct oracle *o = oracle;
    (void)now;
    oracle_look(o);
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        if (a->excused || strcmp(a->stream, stream) != 0 || a->seq > seq ||
            (!all && a->seq != seq) || a->rows + a->dead > 0 || a->was_durable)
            continue;
        oracle_fail(o, "sequence %llu of %s was acked by %s and is not durable",
                    (unsigned long long)a->seq, stream, consumer);
    }
}

void oracle_on_drop(void *oracle, const char *stream, uint64_t seq)
{
    oracle_excuse(oracle, stream, seq, seq);
}

void oracle_look_at_log(struct oracle *o)
{
    oracle_look(o);
}

bool oracle_is_complete(struct oracle *o)
{
    oracle_look(o);
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        if (!a->excused && a->rows + a->dead == 0)
            return false;
    }
    return true;
}

void oracle_check_acked(struct oracle *o, const char *stream, const char *consumer)
{
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        if (!a->excused && strcmp(a->stream, stream) == 0 &&
            !server_is_acked(o->server, stream, consumer, a->seq))
            oracle_fail(o, "sequence %llu of %s is stored, and %s has no ack of it",
                        (unsigned long long)a->seq, stream, consumer);
    }
}

static void check_named(void *context, const char *path, uint64_t size)
{
    struct oracle *o = context;
    const char *below = path + strlen(o->root) + 1;
    (void)size;
    if (below[0] == '.' || strncmp(below, "_delta_log/", 11) == 0)
        return;
    for (size_t i = 0; i < o->named.count; i++)
        if (strcmp(o->named.list[i].path, path) == 0)
            return;
    oracle_fail(o, "%s is not named by the log", path);
}

void oracle_finish(struct oracle *o)
{
    oracle_look(o);
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        if (!a->excused && !a->bad && a->rows == 0)
            oracle_fail(o, "event %u, sequence %llu of %s, is not in the store", a->number,
                        (unsigned long long)a->seq, a->stream);
        if (!a->excused && a->bad && a->dead == 0)
            oracle_fail(o, "event %u, sequence %llu of %s, is no dead letter", a->number,
                        (unsigned long long)a->seq, a->stream);
        if (a->bad ? a->rows > 0 : a->dead > 0)
            oracle_fail(o, "event %u, sequence %llu of %s, is what it can't be", a->number,
                        (unsigned long long)a->seq, a->stream);
    }
    disk_walk(o->disk, o->root, check_named, o);
    oracle_follow(o);
}

static void put_hex(struct json_writer *line, const char *name, struct slice bytes)
{
    struct buf *out = json_put_raw(line, name);
    if (bytes.data == NULL) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '"');
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%02x", bytes.data[i]);
    buf_append_byte(out, '"');
}

void oracle_tell(const struct oracle *o, struct buf *out)
{
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        struct json_writer line = {.out = out};
        struct slice row[SIM_EVENT_COLUMNS];
        sim_event_row(a->number, a->base, row);
        json_open_object(&line, NULL);
        json_put_text(&line, "stream", a->stream);
        json_put_u64(&line, "stream_seq", a->seq);
        json_put_i64(&line, "stream_time", a->time / 1000);
        json_put_text(&line, "nats_subject", a->subject);
        json_put_bool(&line, "bad", a->bad);
        json_put_bool(&line, "excused", a->excused);
        json_put_i64(&line, oracle_columns[0], oracle_int64(row[0]));
        for (int c = 1; c < SIM_EVENT_COLUMNS; c++)
            put_hex(&line, oracle_columns[c], row[c]);
        json_close_object(&line);
        buf_append_byte(out, '\n');
    }
}

bool oracle_next_file(struct oracle *o, uint64_t value, struct buf *path)
{
    oracle_look(o);
    for (size_t i = 0; i < o->named.count; i++) {
        const struct named *n = &o->named.list[(i + value) % o->named.count];
        if (n->removed || n->events.count == 0)
            continue;
        buf_append_text(path, n->path);
        return true;
    }
    return false;
}

/* A name that was removed is free, and may be another file's by now. */
static bool is_there(const struct oracle *o, const char *path)
{
    for (size_t i = 0; i < o->named.count; i++)
        if (!o->named.list[i].removed && strcmp(o->named.list[i].path, path) == 0)
            return true;
    return false;
}

void oracle_removed(const struct oracle *o, void (*visit)(void *context, const char *path),
                    void *context)
{
    for (size_t i = 0; i < o->named.count; i++)
        if (o->named.list[i].removed && !is_there(o, o->named.list[i].path))
            visit(context, o->named.list[i].path);
}

uint64_t oracle_version(const struct oracle *o)
{
    return o->next_version;
}
