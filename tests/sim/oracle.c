/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/json.h"
#include "event.h"
#include "parquet/read/rows.h"

enum { COLUMNS = SIM_EVENT_COLUMNS + 3 }; /* and stream_seq, stream_time, nats_subject */

static const char *const names[COLUMNS] = {
    "timestamp_ns",   "event_id",      "event_type_key",      "event_payload",
    "worker_id",      "simulation_id", "payload_format_hint", "correlation_id",
    "unknown_fields", "stream_seq",    "stream_time",         "nats_subject"};

struct accepted {
    const char *stream; /* of the caller, a literal of the history */
    uint64_t seq;
    uint32_t number;
    int64_t base, time;
    const char *subject;
    bool bad, excused;
    bool past;           /* the stream has others under its number */
    uint32_t rows, dead; /* durable ones */
};

struct oracle {
    struct server *server;
    struct disk *disk;
    const char *root, *dead_letters;
    ARRAY(struct accepted) list;
    ARRAY(char *) named; /* files, by the log */
    uint64_t next_version, next_dead, rows;
    struct parquet_codec *codec;
    struct buf path, entry;
    char failure[512];
};

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
    o->codec = parquet_codec_new();
    return o;
}

static void forget_names(struct oracle *o)
{
    for (size_t i = 0; i < o->named.count; i++)
        free(o->named.list[i]);
    o->named.count = 0;
}

void oracle_free(struct oracle *o)
{
    forget_names(o);
    array_free(&o->named);
    array_free(&o->list);
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
}

void oracle_replaced(struct oracle *o, bool kept)
{
    for (size_t i = 0; i < o->list.count; i++) {
        struct accepted *a = &o->list.list[i];
        a->excused = a->excused || (!kept && a->rows + a->dead > 0);
        a->rows = a->dead = 0;
    }
    o->next_version = 0;
    o->next_dead = 1;
    forget_names(o);
}

static struct accepted *find_number(struct oracle *o, uint32_t number)
{
    for (size_t i = 0; i < o->list.count; i++)
        if (o->list.list[i].number == number)
            return &o->list.list[i];
    return NULL;
}

static int read_at(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct buf *file = context;
    if (offset > file->len || len > file->len - offset)
        return err_set(err, ERR_FORMAT, "it ends before byte %llu",
                       (unsigned long long)(offset + len));
    memcpy(data, file->data + offset, len);
    return 0;
}

static int64_t int64_of(struct slice value)
{
    uint64_t out = 0;
    for (int i = 7; i >= 0; i--)
        out = out << 8 | value.data[i];
    return (int64_t)out;
}

static bool same(struct slice a, struct slice b)
{
    return (a.data == NULL) == (b.data == NULL) && slice_equal(a, b);
}

static void check_row(struct oracle *o, const struct accepted *a, const struct slice *values)
{
    struct slice wanted[SIM_EVENT_COLUMNS];
    sim_event_row(a->number, a->base, wanted);
    for (int i = 0; i < SIM_EVENT_COLUMNS; i++)
        if (!same(values[i], wanted[i]))
            oracle_fail(o, "column %d of event %u is not what was published", i, a->number);
    if ((uint64_t)int64_of(values[9]) != a->seq)
        oracle_fail(o, "event %u has sequence %lld, not %llu", a->number,
                    (long long)int64_of(values[9]), (unsigned long long)a->seq);
    if (int64_of(values[10]) != a->time / 1000)
        oracle_fail(o, "event %u has another stream_time", a->number);
    if (!slice_is(values[11], a->subject))
        oracle_fail(o, "event %u has another subject", a->number);
}

static void take_row(struct oracle *o, const char *path, const struct slice *values, bool dead)
{
    uint32_t number;
    struct slice id = values[dead ? 0 : 1];
    struct accepted *a = sim_event_number(id, &number) ? find_number(o, number) : NULL;
    if (a == NULL) {
        oracle_fail(o, "%s has a row that nobody published", path);
        return;
    }
    if (dead) {
        a->dead++;
        return;
    }
    check_row(o, a, values);
    o->rows++;
    if (++a->rows > 1)
        oracle_fail(o, "event %u, sequence %llu of %s, is stored %u times; again in %s", number,
                    (unsigned long long)a->seq, a->stream, a->rows, path);
}

static int read_rows(struct oracle *o, const struct parquet_file *file, const char *path, bool dead,
                     struct err *err)
{
    uint32_t columns[COLUMNS];
    struct slice values[COLUMNS];
    uint32_t count = dead ? 1 : COLUMNS;
    int more = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t leaf = parquet_file_leaf(file, slice_of(dead ? "payload" : names[i]));
        if (leaf < 0)
            return err_set(err, ERR_FORMAT, "it has no column %s", names[i]);
        columns[i] = (uint32_t)leaf;
    }
    struct parquet_rows *rows = parquet_rows_new(file, columns, count, o->codec);
    while ((more = parquet_rows_next(rows, values, err)) == 1)
        take_row(o, path, values, dead);
    parquet_rows_free(rows);
    return more;
}

/* `path` as in the log: percent-encoded. */
static void decode_path(struct oracle *o, struct slice path)
{
    buf_reset(&o->path);
    buf_printf(&o->path, "%s/", o->root);
    for (size_t i = 0; i < path.len; i++) {
        unsigned byte = path.data[i];
        if (byte == '%' && i + 2 < path.len &&
            sscanf((const char *)path.data + i + 1, "%2x", &byte) == 1)
            i += 2;
        buf_append_byte(&o->path, (uint8_t)byte);
    }
}

static void take_file(struct oracle *o, struct slice path, bool dead)
{
    struct buf content = {0};
    struct parquet_file file = {0};
    struct err err = {0};
    decode_path(o, path);
    char *name = strdup(buf_text(&o->path));
    *array_add(&o->named) = name;
    struct parquet_source source = {read_at, &content, 0};
    if (!disk_read(o->disk, name, true, &content)) {
        oracle_fail(o, "the log durably names %s, which is not durable", name);
    } else {
        source.size = content.len;
        if (parquet_file_open(&file, &source, &err) != 0 ||
            read_rows(o, &file, name, dead, &err) != 0)
            oracle_fail(o, "%s: %s", name, err.text);
        parquet_file_close(&file);
    }
    buf_free(&content);
}

static void take_action(struct oracle *o, struct slice line)
{
    struct arena arena = {0};
    struct err err = {0};
    struct slice path;
    const struct json *action = json_parse(&arena, line, &err);
    if (action == NULL)
        oracle_fail(o, "the log has a line that is no JSON: %s", err.text);
    if (json_get_text(json_member(action, "add"), "path", &path))
        take_file(o, path, false);
    const struct json *list =
        json_member(json_member(json_member(action, "commitInfo"), "varve"), "quarantine");
    for (const struct json *q = list == NULL ? NULL : list->first; q != NULL; q = q->next)
        if (json_get_text(q, "path", &path))
            take_file(o, path, true);
    arena_free(&arena);
}

static void take_entries(struct oracle *o)
{
    for (;; o->next_version++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/_delta_log/%020llu.json", o->root,
                       (unsigned long long)o->next_version);
        buf_reset(&o->entry);
        if (!disk_read(o->disk, path, true, &o->entry) || o->failure[0] != '\0')
            return;
        for (size_t at = 0; at < o->entry.len;) {
            const uint8_t *line = o->entry.data + at;
            const uint8_t *end = memchr(line, '\n', o->entry.len - at);
            size_t len = end == NULL ? o->entry.len - at : (size_t)(end - line);
            take_action(o, (struct slice){line, len});
            at += len + 1;
        }
    }
}

static void take_dead_letters(struct oracle *o)
{
    struct server_stored stored;
    uint32_t number;
    while (o->dead_letters != NULL &&
           server_next_message(o->server, o->dead_letters, o->next_dead, &stored)) {
        struct accepted *a =
            sim_event_number(stored.payload, &number) ? find_number(o, number) : NULL;
        if (a == NULL)
            oracle_fail(o, "a dead letter that nobody published");
        else
            a->dead++;
        o->next_dead = stored.seq + 1;
    }
}

static void look(struct oracle *o)
{
    take_entries(o);
    take_dead_letters(o);
}

void oracle_on_ack(void *oracle, const char *stream, const char *consumer, uint64_t seq, bool all,
                   int64_t now)
{
    struct oracle *o = oracle;
    (void)now;
    look(o);
    for (size_t i = 0; i < o->list.count; i++) {
        const struct accepted *a = &o->list.list[i];
        if (a->excused || strcmp(a->stream, stream) != 0 || a->seq > seq ||
            (!all && a->seq != seq) || a->rows + a->dead > 0)
            continue;
        oracle_fail(o, "sequence %llu of %s was acked by %s and is not durable",
                    (unsigned long long)a->seq, stream, consumer);
    }
}

bool oracle_is_complete(struct oracle *o)
{
    look(o);
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
        if (strcmp(o->named.list[i], path) == 0)
            return;
    oracle_fail(o, "%s is not named by the log", path);
}

void oracle_finish(struct oracle *o)
{
    look(o);
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
        json_put_i64(&line, names[0], int64_of(row[0]));
        for (int c = 1; c < SIM_EVENT_COLUMNS; c++)
            put_hex(&line, names[c], row[c]);
        json_close_object(&line);
        buf_append_byte(out, '\n');
    }
}
