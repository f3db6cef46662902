/* SPDX-License-Identifier: MIT */
#include "quality/quality.h"

#include <string.h>
#include <strings.h>

#include "event/protobuf.h"

static bool is_one_of(struct slice media, const char *const *names)
{
    for (; *names != NULL; names++)
        if (media.len == strlen(*names) &&
            strncasecmp((const char *)media.data, *names, media.len) == 0)
            return true;
    return false;
}

enum quality_format quality_format_of(struct slice media)
{
    static const char *const json[] = {"json", "application/json", "text/json", NULL};
    static const char *const protobuf[] = {"protobuf", "application/protobuf",
                                           "application/x-protobuf",
                                           "application/vnd.google.protobuf", NULL};
    bool json_like =
        media.len > 5 && strncasecmp((const char *)media.data + media.len - 5, "+json", 5) == 0;
    if (json_like || is_one_of(media, json))
        return QUALITY_FORMAT_JSON;
    return is_one_of(media, protobuf) ? QUALITY_FORMAT_PROTOBUF : QUALITY_FORMAT_UNKNOWN;
}

static bool is_protobuf(struct slice payload)
{
    struct wire_field field;
    size_t at = 0;
    int more;
    do
        more = protobuf_next(payload, &at, &field);
    while (more == 1);
    return more == 0;
}

static struct quality_decoder *add_decoder(struct quality *q, int entry, struct slice message)
{
    const struct config_payload *p = &q->config->payloads[entry];
    struct quality_decoder *d = account_alloc(&q->account, 1, sizeof(*d));
    struct err ignored = {0};
    switch (p->format) {
    case CONFIG_FORMAT_PROTOBUF:
    case CONFIG_FORMAT_FLATBUFFERS:
        d->type = payload_message_new(q->types[entry], message, NULL, 0, &ignored);
        break;
    case CONFIG_FORMAT_JSON:
        d->type = payload_json_new(p->columns.items, p->columns.count, &ignored);
        break;
    }
    if (d->type != NULL) {
        payload_widen(d->type);
        d->schema = (struct schema){.columns = d->type->columns, .count = d->type->count};
        d->rows = batch_new(&d->schema, &q->account);
    }
    return d;
}

/* What an event is decoded as by `payloads`, or NULL. */
static struct quality_decoder *decoder_of(struct quality *q, const struct quality_group *g,
                                          enum quality_format format, struct slice hint)
{
    const struct config_payload *p = &q->config->payloads[g->payload];
    const struct payload_types *types = q->types[g->payload]; /* NULL: of JSON */
    struct slice message = {0};
    bool added;
    if (types != NULL)
        message = payload_types_message(types, p->message, p->event_type);
    if (types != NULL && message.len == 0)
        message = payload_named_message(hint);
    if (types != NULL ? !payload_types_have(types, message)
                      : strcmp(p->event_type, "*") == 0 && format != QUALITY_FORMAT_JSON)
        return NULL;
    struct slice key = quality_key(q, (uint32_t)g->payload, message);
    if (q->decoders.count >= QUALITY_DECODERS_MAX && map_find(&q->decoder_map, key) < 0)
        return NULL;
    uint32_t number = map_put(&q->decoder_map, key, &added);
    if (added)
        *array_add(&q->decoders) = add_decoder(q, g->payload, message);
    struct quality_decoder *d = q->decoders.list[number];
    return d->type != NULL ? d : NULL;
}

static bool decodes(struct quality_decoder *d, struct slice payload)
{
    batch_mark(d->rows);
    bool ok = payload_append(d->type, d->rows, 0, payload) == PAYLOAD_OK;
    batch_rollback(d->rows);
    return ok;
}

bool quality_payload_is_right(struct quality *q, const struct quality_group *g,
                              enum quality_format format, struct slice hint, struct slice payload)
{
    struct quality_decoder *d = g->payload >= 0 ? decoder_of(q, g, format, hint) : NULL;
    if (d != NULL)
        return decodes(d, payload);
    switch (format) {
    case QUALITY_FORMAT_JSON:
        return json_is_valid(payload);
    case QUALITY_FORMAT_PROTOBUF:
        return is_protobuf(payload);
    case QUALITY_FORMAT_UNKNOWN:
        break;
    }
    return true;
}
