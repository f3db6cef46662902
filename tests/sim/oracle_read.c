/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"
#include "oracle_part.h"
#include "parquet/read/rows.h"

/* The store by the public formats alone, as far as a power cut would leave it. */

const char *const oracle_columns[ORACLE_COLUMNS] = {
    "timestamp_ns",   "event_id",      "event_type_key",      "event_payload",
    "worker_id",      "simulation_id", "payload_format_hint", "correlation_id",
    "unknown_fields", "stream_seq",    "stream_time",         "nats_subject",
    "event_time",     "headers"};

int64_t oracle_int64(struct slice value)
{
    uint64_t out = 0;
    for (int i = 7; i >= 0; i--)
        out = out << 8 | value.data[i];
    return (int64_t)out;
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
    if ((uint64_t)oracle_int64(values[9]) != a->seq)
        oracle_fail(o, "event %u has sequence %lld, not %llu", a->number,
                    (long long)oracle_int64(values[9]), (unsigned long long)a->seq);
    if (oracle_int64(values[10]) != a->time / 1000)
        oracle_fail(o, "event %u has another stream_time", a->number);
    if (!slice_is(values[11], a->subject))
        oracle_fail(o, "event %u has another subject", a->number);
    int64_t timestamp = oracle_int64(wanted[0]); /* 0 where it is absurd */
    if (timestamp > 0 ? values[12].data == NULL || oracle_int64(values[12]) != timestamp / 1000
                      : values[12].data != NULL)
        oracle_fail(o, "event %u has another event_time", a->number);
    struct buf header = {0};
    sim_event_header(a->number, &header);
    if (header.len == 0 ? values[13].data != NULL : !slice_equal(values[13], buf_slice(&header)))
        oracle_fail(o, "event %u has other headers", a->number);
    buf_free(&header);
}

static void take_row(struct oracle *o, const char *path, const struct slice *values, bool dead)
{
    uint32_t number;
    struct slice id = values[dead ? 0 : 1];
    struct accepted *a = sim_event_number(id, &number) ? oracle_find(o, number) : NULL;
    if (a == NULL) {
        oracle_fail(o, "%s has a row that nobody published", path);
        return;
    }
    if (dead) {
        a->dead++;
        return;
    }
    check_row(o, a, values);
    *array_add(&o->named.list[o->named.count - 1].events) = number;
    o->rows++;
    if (++a->rows > 1)
        oracle_fail(o, "event %u, sequence %llu of %s, is stored %u times; again in %s", number,
                    (unsigned long long)a->seq, a->stream, a->rows, path);
}

static int read_rows(struct oracle *o, const struct parquet_file *file, const char *path, bool dead,
                     struct err *err)
{
    uint32_t columns[ORACLE_COLUMNS];
    struct slice values[ORACLE_COLUMNS];
    uint32_t count = dead ? 1 : ORACLE_COLUMNS;
    int more = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t leaf = parquet_file_leaf(file, slice_of(dead ? "payload" : oracle_columns[i]));
        if (leaf < 0)
            return err_set(err, ERR_FORMAT, "it has no column %s", oracle_columns[i]);
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
        int byte = path.data[i];
        if (byte == '%' && i + 2 < path.len) {
            byte = text_hex_digit(path.data[i + 1]) << 4 | text_hex_digit(path.data[i + 2]);
            i += 2;
        }
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
    *array_add(&o->named) = (struct named){.path = name};
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

/* A file that the table has no more. */
static void take_remove(struct oracle *o, struct slice path)
{
    decode_path(o, path);
    for (size_t i = 0; i < o->named.count; i++) {
        struct named *n = &o->named.list[i];
        if (n->removed || strcmp(n->path, buf_text(&o->path)) != 0)
            continue;
        n->removed = true;
        for (size_t k = 0; k < n->events.count; k++)
            oracle_find(o, n->events.list[k])->rows--;
    }
}

static void take_action(struct oracle *o, struct slice line, bool removes)
{
    struct arena arena = {0};
    struct err err = {0};
    struct slice path;
    const struct json *action = json_parse(&arena, line, &err);
    if (action == NULL)
        oracle_fail(o, "the log has a line that is no JSON: %s", err.text);
    if (removes) {
        if (json_get_text(json_member(action, "remove"), "path", &path))
            take_remove(o, path);
        arena_free(&arena);
        return;
    }
    if (json_get_text(json_member(action, "add"), "path", &path))
        take_file(o, path, false);
    const struct json *list =
        json_member(json_member(json_member(action, "commitInfo"), "varve"), "quarantine");
    for (const struct json *q = list == NULL ? NULL : list->first; q != NULL; q = q->next)
        if (json_get_text(q, "path", &path))
            take_file(o, path, true);
    arena_free(&arena);
}

static void take_lines(struct oracle *o, bool removes)
{
    for (size_t at = 0; at < o->entry.len;) {
        const uint8_t *line = o->entry.data + at;
        const uint8_t *end = memchr(line, '\n', o->entry.len - at);
        size_t len = end == NULL ? o->entry.len - at : (size_t)(end - line);
        take_action(o, (struct slice){line, len}, removes);
        at += len + 1;
    }
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
        take_lines(o, true);
        take_lines(o, false);
    }
}

static void take_dead_letters(struct oracle *o)
{
    struct server_stored stored;
    uint32_t number;
    while (o->dead_letters != NULL &&
           server_next_message(o->server, o->dead_letters, o->next_dead, &stored)) {
        struct accepted *a =
            sim_event_number(stored.payload, &number) ? oracle_find(o, number) : NULL;
        if (a == NULL) {
            oracle_fail(o, "a dead letter that nobody published");
        } else {
            a->published = true;
            a->dead++;
        }
        o->next_dead = stored.seq + 1;
    }
}

void oracle_look(struct oracle *o)
{
    take_entries(o);
    take_dead_letters(o);
}
