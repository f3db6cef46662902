/* SPDX-License-Identifier: MIT */
#include "quality/quality.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/random.h"
#include "base/utf8.h"
#include "event/event.h"

const char *const quality_columns[QUALITY_COLUMNS] = {
    [QUALITY_TIMESTAMP_NS] = "timestamp_ns",
    [QUALITY_EVENT_ID] = "event_id",
    [QUALITY_EVENT_TYPE_KEY] = "event_type_key",
    [QUALITY_EVENT_PAYLOAD] = "event_payload",
    [QUALITY_WORKER_ID] = "worker_id",
    [QUALITY_SIMULATION_ID] = "simulation_id",
    [QUALITY_PAYLOAD_FORMAT_HINT] = "payload_format_hint",
    [QUALITY_STREAM_SEQ] = "stream_seq",
    [QUALITY_STREAM_TIME] = "stream_time",
};

/* "any" is all there is. */
static bool is_listed(const struct config_list *list, struct slice text)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_is(text, list->items[i]) || strcmp(list->items[i], "any") == 0)
            return true;
    return false;
}

int quality_init(struct quality *q, const struct config *config, struct payload_types *const *types,
                 uint64_t ids_max, struct err *err)
{
    *q = (struct quality){.config = config, .types = types, .ids_max = ids_max, .passes = 1};
    struct account *account = &q->account;
    q->simulations.account = q->type_map.account = q->streams.account = account;
    q->group_map.account = q->worker_map.account = q->contents.account = account;
    q->simulation_list.account = q->groups.account = q->workers.account = account;
    q->lasts.account = q->content_list.account = q->key.account = account;
    q->decoders.account = q->decoder_map.account = q->noted.account = account;
    q->keeps_ids = ids_max == 0;
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        q->required[i] = is_listed(&config->quality.required, slice_of(quality_columns[i]));
    return random_bytes(&q->seed, sizeof(q->seed), err);
}

void quality_free(struct quality *q)
{
    for (size_t i = 0; i < q->groups.count; i++) {
        sketch_free(&q->groups.list[i].skew);
        sketch_free(&q->groups.list[i].size);
    }
    for (size_t i = 0; i < q->decoders.count; i++) {
        struct quality_decoder *d = q->decoders.list[i];
        batch_free(d->rows);
        payload_free(d->type);
        account_free(&q->account, d, sizeof(*d));
    }
    array_free(&q->decoders);
    map_free(&q->decoder_map);
    account_free(&q->account, q->ids, (size_t)q->ids_slots * sizeof(*q->ids));
    map_free(&q->simulations);
    map_free(&q->type_map);
    map_free(&q->group_map);
    map_free(&q->worker_map);
    map_free(&q->contents);
    map_free(&q->streams);
    array_free(&q->noted);
    array_free(&q->lasts);
    array_free(&q->simulation_list);
    array_free(&q->groups);
    array_free(&q->workers);
    array_free(&q->content_list);
    buf_free(&q->key);
}

/* The number of a name; of one too many that of all of these. */
static uint32_t number_of(struct map *m, struct slice name, uint32_t max, bool *added)
{
    if (name.len > QUALITY_NAME_MAX)
        name.len = utf8_prefix(name, QUALITY_NAME_MAX);
    if (m->count >= max && map_find(m, name) < 0)
        name = slice_of(QUALITY_OTHERS);
    return map_put(m, name, added);
}

static uint32_t simulation_of(struct quality *q, struct slice id)
{
    bool added;
    uint32_t number = number_of(&q->simulations, id, QUALITY_SIMULATIONS_MAX, &added);
    if (added)
        *array_add(&q->simulation_list) = (struct quality_simulation){0};
    return number;
}

void quality_begin_stream(struct quality *q)
{
    q->stream++;
}

void quality_set_stream(struct quality *q, struct slice name)
{
    bool added;
    q->stream = number_of(&q->streams, name, QUALITY_STREAMS_MAX, &added);
}

struct slice quality_key(struct quality *q, uint32_t simulation, struct slice name)
{
    buf_reset(&q->key);
    buf_append_u32le(&q->key, simulation);
    buf_append(&q->key, name.data, utf8_prefix(name, QUALITY_NAME_MAX));
    return buf_slice(&q->key);
}

static void begin_group(struct quality *q, struct quality_group *g, uint32_t simulation,
                        uint32_t number)
{
    const struct config *config = q->config;
    struct slice type = map_key(&q->type_map, number);
    *g = (struct quality_group){.simulation = simulation, .type = number, .payload = -1};
    g->skew.blocks.account = g->size.blocks.account = &q->account;
    g->listed = is_listed(&config->quality.event_types, type);
    for (size_t i = 0; q->types != NULL && i < config->payload_count; i++) {
        const char *named = config->payloads[i].event_type;
        if (slice_is(type, named) || (g->payload < 0 && strcmp(named, "*") == 0))
            g->payload = (int)i;
    }
}

bool quality_add_group(struct quality *q, uint32_t simulation, uint32_t type)
{
    bool added;
    (void)map_put(&q->group_map, quality_key(q, simulation, map_key(&q->type_map, type)), &added);
    if (added)
        begin_group(q, array_add(&q->groups), simulation, type);
    return added;
}

static uint32_t group_of(struct quality *q, uint32_t simulation, struct slice type)
{
    struct slice key = quality_key(q, simulation, type);
    bool added;
    if (q->groups.count >= QUALITY_GROUPS_MAX && map_find(&q->group_map, key) < 0) {
        type = slice_of(QUALITY_OTHERS);
        simulation = simulation_of(q, type);
        key = quality_key(q, simulation, type);
    }
    uint32_t number = map_put(&q->group_map, key, &added);
    if (added) {
        uint32_t name = number_of(&q->type_map, type, QUALITY_GROUPS_MAX, &added);
        begin_group(q, array_add(&q->groups), simulation, name);
    }
    return number;
}

/* What is remembered of the newest event in this stream, of what has `first`; NULL: there is too
 * much of it. */
static struct quality_last *last_of(struct quality *q, uint32_t *first, bool *added)
{
    *added = false;
    for (uint32_t n = *first; n != 0; n = q->lasts.list[n - 1].other)
        if (q->lasts.list[n - 1].stream == q->stream)
            return &q->lasts.list[n - 1];
    if (q->lasts.count >= QUALITY_LASTS_MAX || q->stream >= QUALITY_STREAMS_MAX)
        return NULL;
    struct quality_last *last = array_add(&q->lasts);
    *last = (struct quality_last){.stream = q->stream, .other = *first};
    *first = (uint32_t)q->lasts.count;
    *added = true;
    return last;
}

/* Its number, and 1; 0: there are too many. */
static uint32_t worker_of(struct quality *q, uint32_t simulation, struct slice id)
{
    struct slice key = quality_key(q, simulation, id);
    bool added;
    if (q->workers.count >= QUALITY_WORKERS_MAX && map_find(&q->worker_map, key) < 0)
        return 0;
    uint32_t number = map_put(&q->worker_map, key, &added);
    if (added) {
        q->simulation_list.list[simulation].workers++;
        *array_add(&q->workers) = 0;
    }
    return number + 1;
}

bool quality_count_worker(struct quality *q, uint32_t number)
{
    struct slice key = map_key(&q->worker_map, number);
    if (key.len < sizeof(uint32_t) || load_u32le(key.data) >= q->simulation_list.count)
        return false;
    q->simulation_list.list[load_u32le(key.data)].workers++;
    return true;
}

void quality_add_content(struct quality *q, struct slice hint)
{
    struct slice media = hint; /* without parameters */
    media.len = 0;
    while (media.len < hint.len && hint.data[media.len] != ';')
        media.len++;
    while (media.len > 0 && media.data[media.len - 1] == ' ')
        media.len--;
    const struct config_list *list = &q->config->quality.content_types;
    *array_add(&q->content_list) =
        (struct quality_content){.format = quality_format_of(media),
                                 .listed = is_listed(list, hint) || is_listed(list, media)};
}

static uint32_t content_of(struct quality *q, struct slice hint)
{
    bool added;
    uint32_t number = number_of(&q->contents, hint, QUALITY_CONTENTS_MAX, &added);
    if (added)
        quality_add_content(q, hint);
    return number;
}

/* What the value of a column is; `of` is the simulation that it is looked up in, or 0. */
static uint32_t look_up(struct quality *q, enum quality_column column, uint32_t of,
                        struct slice name)
{
    switch (column) {
    case QUALITY_SIMULATION_ID:
        return simulation_of(q, name);
    case QUALITY_EVENT_TYPE_KEY:
        return group_of(q, of, name);
    case QUALITY_WORKER_ID:
        return worker_of(q, of, name);
    case QUALITY_PAYLOAD_FORMAT_HINT:
        return content_of(q, name);
    case QUALITY_TIMESTAMP_NS:
    case QUALITY_EVENT_ID:
    case QUALITY_EVENT_PAYLOAD:
    case QUALITY_STREAM_SEQ:
    case QUALITY_STREAM_TIME:
    case QUALITY_COLUMNS:
        break;
    }
    ASSERT(false);
    return 0;
}

/* The same, from memory if it can be. That it lies where it lay says where to look, and its bytes
 * that it is the same; once there are too many of something, what was found of it stays true. */
static uint32_t recall(struct quality *q, enum quality_column column, uint32_t of,
                       struct slice name)
{
    if (name.len > QUALITY_MEMO_NAME_MAX)
        return look_up(q, column, of, name);
    uint64_t place = ((uintptr_t)name.data + of) * UINT64_C(0x9E3779B97F4A7C15);
    struct quality_memo *m = &q->memo[column][place >> (64 - QUALITY_MEMO_BITS)];
    if (m->at == name.data && m->of == of && m->len == name.len + 1 &&
        slice_equal((struct slice){m->name, name.len}, name))
        return m->number;
    uint32_t number = look_up(q, column, of, name);
    *m = (struct quality_memo){
        .at = name.data, .of = of, .number = number, .len = (uint32_t)name.len + 1};
    if (name.len > 0)
        memcpy(m->name, name.data, name.len);
    return number;
}

void quality_find(struct quality_group *g, enum quality_finding finding, uint64_t sequence)
{
    struct quality_count *found = &g->findings[finding];
    if (found->rows++ == 0 || sequence < found->first)
        found->first = sequence;
}

static int64_t number_in(struct slice value)
{
    return value.len == sizeof(uint64_t) ? (int64_t)load_u64le(value.data) : 0;
}

/* How it is to the event before of its worker. */
static void compare(struct quality *q, struct quality_group *g, uint32_t *worker, int64_t time,
                    uint64_t sequence)
{
    bool added;
    struct quality_last *last = last_of(q, worker, &added);
    if (last == NULL)
        return;
    if (!added && time < last->at) {
        quality_find(g, QUALITY_BACKWARDS, sequence);
        if (last->at - time > g->backwards_max)
            g->backwards_max = last->at - time;
    }
    last->at = time;
}

static void count_time(struct quality *q, struct quality_group *g, const struct quality_seen *seen)
{
    int64_t time = seen->time, stored = seen->stored;
    if (time <= 0 || stored <= 0 || (time > stored && time - stored > EVENT_AHEAD_MAX)) {
        quality_find(g, QUALITY_BAD_TIME, seen->sequence);
        return;
    }
    int64_t skew = stored - time, limit = q->config->quality.max_skew;
    sketch_add(&g->skew, skew);
    if (limit > 0 && (skew > limit || skew < -limit))
        quality_find(g, QUALITY_SKEW, seen->sequence);
    if (!g->has_time || time < g->first_time)
        g->first_time = time;
    if (!g->has_time || time > g->last_time)
        g->last_time = time;
    g->has_time = true;
    if (seen->worker > 0)
        compare(q, g, &q->workers.list[seen->worker - 1], time, seen->sequence);
}

/* When the stream stored it, and how long after the one before of its type. */
static void count_place(struct quality *q, struct quality_group *g, int64_t stored,
                        uint64_t sequence)
{
    bool added;
    struct quality_last *last = last_of(q, &g->last, &added);
    if (g->rows == 1 || stored < g->first_stored)
        g->first_stored = stored;
    if (g->rows == 1 || stored > g->last_stored)
        g->last_stored = stored;
    if (last == NULL)
        return;
    if (!added && stored > last->at) {
        int64_t silence = stored - last->at;
        if (silence > g->silence_max || (silence == g->silence_max && stored < g->silence_end)) {
            g->silence_max = silence;
            g->silence_end = stored;
        }
        if (q->config->quality.max_silence > 0 && silence > q->config->quality.max_silence)
            quality_find(g, QUALITY_SILENCE, sequence);
    }
    if (added || stored > last->at)
        last->at = stored;
}

static void count_empty(struct quality *q, struct quality_group *g, const struct quality_seen *seen)
{
    bool lacks = false;
    for (unsigned left = seen->empty; left != 0; left &= left - 1) {
        int column = __builtin_ctz(left);
        g->empty[column]++;
        lacks = lacks || q->required[column];
    }
    if (lacks)
        quality_find(g, QUALITY_EMPTY, seen->sequence);
}

static uint16_t empty_fields(const struct slice *values)
{
    static const enum quality_column fields[] = {
        QUALITY_EVENT_ID,  QUALITY_EVENT_TYPE_KEY, QUALITY_EVENT_PAYLOAD,
        QUALITY_WORKER_ID, QUALITY_SIMULATION_ID,  QUALITY_PAYLOAD_FORMAT_HINT};
    unsigned empty = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (values[fields[i]].len == 0)
            empty |= 1U << fields[i];
    return (uint16_t)empty;
}

void quality_see(struct quality *q, const struct slice *values, struct quality_seen *seen)
{
    struct slice payload = values[QUALITY_EVENT_PAYLOAD];
    struct slice hint = values[QUALITY_PAYLOAD_FORMAT_HINT];
    int64_t micros = number_in(values[QUALITY_STREAM_TIME]);
    uint32_t simulation = recall(q, QUALITY_SIMULATION_ID, 0, values[QUALITY_SIMULATION_ID]);
    uint32_t group = recall(q, QUALITY_EVENT_TYPE_KEY, simulation, values[QUALITY_EVENT_TYPE_KEY]);
    uint32_t content_number = recall(q, QUALITY_PAYLOAD_FORMAT_HINT, 0, hint);
    const struct quality_group *g = &q->groups.list[group];
    const struct quality_content *content = &q->content_list.list[content_number];
    *seen = (struct quality_seen){
        .sequence = (uint64_t)number_in(values[QUALITY_STREAM_SEQ]),
        .time = number_in(values[QUALITY_TIMESTAMP_NS]),
        .stored = micros > 0 && micros <= INT64_MAX / 1000 ? micros * 1000 : 0,
        .id = quality_identify(q, values[QUALITY_EVENT_ID]),
        .group = group,
        .worker = recall(q, QUALITY_WORKER_ID, g->simulation, values[QUALITY_WORKER_ID]),
        .size = (uint32_t)payload.len,
        .empty = empty_fields(values),
        .unlisted = !content->listed,
        .bad = !quality_payload_is_right(q, g, content->format, hint, payload),
    };
}

void quality_count(struct quality *q, const struct quality_seen *seen)
{
    struct quality_group *g = &q->groups.list[seen->group];
    q->rows++;
    g->rows++;
    q->simulation_list.list[g->simulation].changed = true;
    g->bytes += seen->size;
    sketch_add(&g->size, seen->size);
    count_place(q, g, seen->stored, seen->sequence);
    count_time(q, g, seen);
    if (seen->empty != 0)
        count_empty(q, g, seen);
    if (!g->listed)
        quality_find(g, QUALITY_TYPE, seen->sequence);
    if (seen->unlisted)
        quality_find(g, QUALITY_CONTENT, seen->sequence);
    if (seen->bad)
        quality_find(g, QUALITY_PAYLOAD, seen->sequence);
    quality_note_id(q, seen->group, seen->id, seen->sequence);
}

void quality_take(struct quality *q, const struct slice *values)
{
    struct quality_seen seen;
    quality_see(q, values, &seen);
    quality_count(q, &seen);
}

void quality_take_id(struct quality *q, const struct slice *values)
{
    uint32_t simulation = simulation_of(q, values[QUALITY_SIMULATION_ID]);
    quality_note_id(q, group_of(q, simulation, values[QUALITY_EVENT_TYPE_KEY]),
                    quality_identify(q, values[QUALITY_EVENT_ID]),
                    (uint64_t)number_in(values[QUALITY_STREAM_SEQ]));
}
