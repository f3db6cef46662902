/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "event/event.h"
#include "follow/series_point.h"
#include "follow/table.h"

enum { READINGS_MAX = 64 }; /* messages of one point */

/* What a payload is read by where `payloads` says nothing. */
static const struct config_payload by_json = {.format = CONFIG_FORMAT_JSON, .message = ""};
static const struct config_payload by_simulation = {
    .event_type = "*", .format = CONFIG_FORMAT_PROTOBUF, .descriptor_set = "", .message = ""};

/* A path without "$.", in front of which no other step can stand. */
static const char *steps_of(const struct series_source *s)
{
    if (s->path[0] != '$')
        return s->path;
    return s->path + (s->path[1] == '.' ? 2 : 1);
}

/* Of the columns from *first up to *end that with this name: it is *first then, and *end is behind
 * all that is in it. */
static bool find_step(const struct schema *schema, struct slice step, uint32_t *first,
                      uint32_t *end)
{
    while (*first < *end && !slice_is(step, schema->columns[*first].name))
        *first = schema_end(schema, *first);
    if (*first == *end)
        return false;
    *end = schema_end(schema, *first);
    return true;
}

/* "a.b[2].c": its column, and which element of the one list on the way. */
static int find_place(const struct schema *schema, const char *path, uint32_t *column,
                      uint32_t *element, struct err *err)
{
    uint32_t first = 0, end = schema->count;
    uint64_t index;
    bool listed = false;
    *element = 0;
    for (const char *at = path; at != NULL;) {
        struct slice step = {(const uint8_t *)at, strcspn(at, ".[")};
        if (!find_step(schema, step, &first, &end))
            return err_set(err, ERR_USAGE, "%s: it has no field %.*s", path, (int)step.len, at);
        at += step.len;
        if (schema->columns[first].type == COLUMN_LIST) {
            struct slice digits = {(const uint8_t *)at + 1,
                                   at[0] == '[' ? strcspn(at + 1, "]") : 0};
            if (listed || at[0] != '[' || at[1 + digits.len] != ']' ||
                !num_parse_u64(digits, &index) || index >= BATCH_ROW_ENTRIES_MAX)
                return err_set(err, ERR_USAGE, "%s: which one of the list %.*s? Write %.*s[0]",
                               path, (int)step.len, (const char *)step.data, (int)step.len,
                               (const char *)step.data);
            listed = true;
            *element = (uint32_t)index;
            at += digits.len + 2;
            first++;
        }
        if (at[0] == '\0')
            break;
        if (at[0] != '.' || schema->columns[first].type != COLUMN_STRUCT)
            return err_set(err, ERR_USAGE, "%s: %.*s has no parts", path, (int)step.len,
                           (const char *)step.data);
        at++;
        first++;
    }
    *column = first;
    return column_is_leaf(&schema->columns[first])
               ? 0
               : err_set(err, ERR_USAGE, "%s is no single value", path);
}

static int find_places(struct series_point *p, struct series_reading *r, struct err *err)
{
    uint32_t next = 0;
    for (size_t i = 0; i < p->sources.count; i++) {
        const struct series_source *s = &p->sources.list[i];
        if (s->path == NULL)
            continue;
        r->places[i].column = next++; /* of JSON: one a path */
        if (p->settings->format != CONFIG_FORMAT_JSON &&
            find_place(&r->schema, steps_of(s), &r->places[i].column, &r->places[i].element, err) !=
                0)
            return -1;
        const struct column_spec *spec = &r->schema.columns[r->places[i].column];
        if (!series_source_fits(s, spec))
            return err_set(err, ERR_USAGE, "%s is of another type in the payload", s->path);
    }
    return 0;
}

/* Each path as a column of its own. */
static struct payload_type *json_payload(struct series_point *p, struct err *err)
{
    static const char *const words[] = {[SERIES_DOUBLE] = "double",
                                        [SERIES_INTEGER] = "integer",
                                        [SERIES_BOOLEAN] = "boolean",
                                        [SERIES_LABEL] = "text"};
    const char **columns = arena_calloc(&p->arena, p->sources.count + 1, sizeof(*columns));
    struct buf text = {0};
    size_t count = 0;
    for (size_t i = 0; i < p->sources.count; i++) {
        const struct series_source *s = &p->sources.list[i];
        if (s->path == NULL)
            continue;
        buf_reset(&text);
        buf_printf(&text, "c%zu %s $", count, s->is_tag ? "json" : words[s->type]);
        if (steps_of(s)[0] != '[')
            buf_append_byte(&text, '.');
        buf_append_text(&text, steps_of(s));
        columns[count++] = arena_text(&p->arena, text.data, text.len);
    }
    buf_free(&text);
    return payload_json_new(columns, count, err);
}

static struct payload_type *payload_of(struct series_point *p, struct slice message,
                                       struct err *err)
{
    switch (p->settings->format) {
    case CONFIG_FORMAT_PROTOBUF:
    case CONFIG_FORMAT_FLATBUFFERS:
        return payload_message_new(p->types, message, NULL, 0, err);
    case CONFIG_FORMAT_JSON:
        return json_payload(p, err);
    }
    return NULL;
}

/* Where its columns are. */
static int prepare(struct series_point *p, struct series_reading *r, struct err *err)
{
    r->schema = (struct schema){"payload", r->payload->columns, r->payload->count};
    struct schema_node *nodes = calloc(r->schema.count, sizeof(*nodes));
    if (nodes == NULL)
        out_of_memory(r->schema.count * sizeof(*nodes));
    int result = schema_nodes(&r->schema, nodes, err);
    free(nodes);
    if (result == 0)
        result = find_places(p, r, err);
    if (result == 0)
        r->batch = batch_new(&r->schema, p->account);
    return result;
}

/* Find out how payloads of a message are read. */
static struct series_reading *add_reading(struct series_point *p, struct slice message,
                                          struct err *err)
{
    struct series_reading *r = calloc(1, sizeof(*r));
    if (r == NULL)
        out_of_memory(sizeof(*r));
    *array_add(&p->readings) = r;
    r->message = text_copy_slice(message);
    r->places = arena_calloc(&p->arena, p->sources.count + 1, sizeof(*r->places));
    r->payload = payload_of(p, message, err);
    if (r->payload == NULL || prepare(p, r, err) != 0) {
        payload_free(r->payload);
        r->payload = NULL;
        buf_append_text(&r->reason, err->text);
    }
    return r;
}

/* The entry of `payloads` for an event type; NULL: there is none. */
static const struct config_payload *settings_of(const struct config *config, const char *event_type)
{
    const struct config_payload *any = NULL;
    for (size_t i = 0; i < config->payload_count; i++) {
        if (strcmp(config->payloads[i].event_type, event_type) == 0)
            return &config->payloads[i];
        if (strcmp(config->payloads[i].event_type, "*") == 0)
            any = &config->payloads[i];
    }
    return any;
}

int series_payload_init(struct series_point *p, const struct config *config, struct err *err)
{
    const char *path = NULL;
    for (size_t i = 0; i < p->sources.count; i++)
        path = path == NULL ? p->sources.list[i].path : path;
    if (path == NULL)
        return 0;
    p->settings = settings_of(config, p->event_type);
    if (p->settings == NULL)
        p->settings = path[0] == '$' ? &by_json : &by_simulation;
    struct slice message = {0};
    if (p->settings->format != CONFIG_FORMAT_JSON) {
        p->types = follow_types_read(p->settings, err);
        if (p->types == NULL)
            return -1;
        message = payload_types_message(p->types, p->settings->message, p->settings->event_type);
        p->named = message.len == 0;
        if (p->named)
            return 0;
    }
    return add_reading(p, message, err)->payload != NULL ? 0 : -1;
}

/* By what the event says that its payload is. */
static struct series_reading *find_reading(struct series_point *p, struct slice content_type)
{
    struct slice message = payload_named_message(content_type);
    struct err err = {0};
    if (p->any && p->settings->format == CONFIG_FORMAT_JSON &&
        !slice_starts_with(content_type, "application/json"))
        return NULL;
    if (!p->named)
        return p->readings.list[0];
    for (size_t i = 0; i < p->readings.count; i++)
        if (slice_is(message, p->readings.list[i]->message))
            return p->readings.list[i];
    if (!payload_types_have(p->types, message) || p->readings.count == READINGS_MAX) {
        buf_append_text(&p->reason, p->any ? "" : "its content type names no message of the set");
        return NULL;
    }
    return add_reading(p, message, &err);
}

const struct series_reading *series_payload_read(struct series_point *p,
                                                 const struct follow_event *row)
{
    struct series_reading *r = find_reading(p, row->values[EVENT_COLUMN_PAYLOAD_FORMAT_HINT]);
    if (r == NULL)
        return NULL;
    if (r->payload == NULL) {
        if (!p->any)
            buf_append_slice(&p->reason, buf_slice(&r->reason));
        return NULL;
    }
    batch_reset(r->batch);
    enum payload_result result =
        payload_append(r->payload, r->batch, 0, row->values[EVENT_COLUMN_EVENT_PAYLOAD]);
    if (result != PAYLOAD_OK)
        buf_append_slice(&p->reason, buf_slice(&r->payload->reason));
    if (result == PAYLOAD_BAD)
        return NULL;
    batch_end_row(r->batch);
    return r;
}

/* The entry of a column with this number; false if it is null, or there are fewer. */
static bool find_value(const struct series_reading *r, uint32_t column, uint32_t element,
                       struct slice *out)
{
    const struct column *c = &r->batch->columns[column];
    uint32_t width = column_width(r->schema.columns[column].type);
    uint8_t full = batch_definition(r->batch, column);
    const uint8_t *at = c->values.data;
    for (uint32_t i = 0; i < batch_entries(r->batch, column); i++) {
        bool null = definition_at(buf_slice(&c->definitions), i, full) < full;
        size_t len = null ? 0 : width > 0 ? width : load_u32le(at);
        at += null || width > 0 ? 0 : sizeof(uint32_t);
        if (i == element) {
            *out = (struct slice){at, len};
            return !null;
        }
        at += len;
    }
    return false;
}

/* A JSON value as a tag: its text without quotes, or its literal; nothing else is. */
static bool unquote(struct arena *arena, struct slice *value)
{
    struct err err = {0};
    const struct json *json = json_parse(arena, *value, &err);
    if (json == NULL || json->type == JSON_ARRAY || json->type == JSON_OBJECT)
        return false;
    if (json->type == JSON_STRING)
        *value = json->text;
    return true;
}

bool series_append_read(struct series_point *p, const struct series_reading *r, size_t source,
                        struct buf *out)
{
    const struct series_source *s = &p->sources.list[source];
    const struct column_spec *spec = &r->schema.columns[r->places[source].column];
    struct slice value;
    struct arena arena = {0};
    if (!find_value(r, r->places[source].column, r->places[source].element, &value))
        return false;
    bool has = !s->is_tag || spec->meaning != COLUMN_JSON || unquote(&arena, &value);
    has = has && series_append_value(s, spec, value, out);
    arena_free(&arena);
    return has;
}

void series_payload_free(struct series_point *p)
{
    for (size_t i = 0; i < p->readings.count; i++) {
        struct series_reading *r = p->readings.list[i];
        payload_free(r->payload);
        batch_free(r->batch);
        buf_free(&r->reason);
        free(r->message);
        free(r);
    }
    array_free(&p->readings);
    payload_types_free(p->types);
}
