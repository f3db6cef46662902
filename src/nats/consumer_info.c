/* SPDX-License-Identifier: MIT */
#include "nats/consumer.h"

#include "base/num.h"
#include "base/time.h"

static enum nats_deliver deliver_of(struct slice text)
{
    for (int i = 0; i < NATS_DELIVER_UNKNOWN; i++)
        if (slice_is(text, nats_deliver_name((enum nats_deliver)i)))
            return (enum nats_deliver)i;
    return NATS_DELIVER_UNKNOWN;
}

static enum nats_ack_policy ack_of(struct slice text)
{
    for (int i = 0; i < NATS_ACK_UNKNOWN; i++)
        if (slice_is(text, nats_ack_policy_name((enum nats_ack_policy)i)))
            return (enum nats_ack_policy)i;
    return NATS_ACK_UNKNOWN;
}

/* filter_subject and filter_subjects exclude each other. */
static int read_filters(const struct json *config, struct arena *arena,
                        struct nats_consumer_config *c, struct err *err)
{
    struct slice one = {0};
    const struct json *many = json_member(config, "filter_subjects");
    size_t count = 0;
    json_get_text(config, "filter_subject", &one);
    if (many != NULL && many->type == JSON_ARRAY)
        for (const struct json *f = many->first; f != NULL; f = f->next)
            count += f->type == JSON_STRING;
    if (count > NATS_FILTERS_MAX)
        return err_set(err, ERR_LIMIT, "a consumer with %zu filter subjects", count);

    struct slice *filters = arena_calloc(arena, count + 1, sizeof(*filters));
    c->filters = filters;
    if (one.len > 0)
        filters[c->filter_count++] = one;
    if (count > 0)
        for (const struct json *f = many->first; f != NULL && c->filter_count < count + 1;
             f = f->next)
            if (f->type == JSON_STRING)
                filters[c->filter_count++] = f->text;
    return 0;
}

static int read_config(const struct json *config, struct arena *arena,
                       struct nats_consumer_config *c, struct err *err)
{
    struct slice text;
    json_get_text(config, "name", &c->name);
    json_get_text(config, "durable_name", &c->durable);
    json_get_text(config, "description", &c->description);
    c->deliver =
        json_get_text(config, "deliver_policy", &text) ? deliver_of(text) : NATS_DELIVER_UNKNOWN;
    c->ack = json_get_text(config, "ack_policy", &text) ? ack_of(text) : NATS_ACK_UNKNOWN;
    json_get_u64(config, "opt_start_seq", &c->start_seq);
    if (json_get_text(config, "opt_start_time", &text) && !time_parse(text, &c->start_time_ns))
        return err_set(err, ERR_PROTOCOL, "a consumer's opt_start_time is not a time");
    json_get_i64(config, "ack_wait", &c->ack_wait_ns);
    json_get_i64(config, "max_deliver", &c->max_deliver);
    json_get_i64(config, "max_ack_pending", &c->max_ack_pending);
    json_get_i64(config, "max_waiting", &c->max_waiting);
    json_get_i64(config, "max_batch", &c->max_batch);
    json_get_i64(config, "max_expires", &c->max_expires_ns);
    json_get_i64(config, "max_bytes", &c->max_bytes);
    json_get_i64(config, "inactive_threshold", &c->inactive_threshold_ns);
    json_get_i64(config, "num_replicas", &c->replicas);
    json_get_bool(config, "mem_storage", &c->memory);
    json_get_bool(config, "headers_only", &c->headers_only);
    const struct json *groups = json_member(config, "priority_groups");
    c->grouped = groups != NULL && groups->first != NULL;
    json_get_text(config, "deliver_subject", &c->deliver_subject);
    return read_filters(config, arena, c, err);
}

static int read_info(const struct json *root, struct arena *arena, struct nats_consumer_info *info,
                     struct err *err)
{
    info->raw_config = json_member(root, "config");
    if (!json_get_text(root, "name", &info->name) || info->raw_config == NULL ||
        info->raw_config->type != JSON_OBJECT)
        return err_set(err, ERR_PROTOCOL, "a consumer's info lacks its name or configuration");
    json_get_text(root, "stream_name", &info->stream);
    json_get_text(root, "created", &info->created);
    const struct json *delivered = json_member(root, "delivered");
    json_get_u64(delivered, "consumer_seq", &info->delivered_consumer_seq);
    json_get_u64(delivered, "stream_seq", &info->delivered_stream_seq);
    const struct json *floor = json_member(root, "ack_floor");
    json_get_u64(floor, "consumer_seq", &info->ack_floor_consumer_seq);
    json_get_u64(floor, "stream_seq", &info->ack_floor_stream_seq);
    json_get_u64(root, "num_ack_pending", &info->ack_pending);
    json_get_u64(root, "num_redelivered", &info->redelivered);
    json_get_u64(root, "num_waiting", &info->waiting);
    json_get_u64(root, "num_pending", &info->pending);
    json_get_bool(root, "paused", &info->paused);
    json_get_text(json_member(root, "cluster"), "leader", &info->leader);
    return read_config(info->raw_config, arena, &info->config, err);
}

int nats_consumer_info_parse(struct slice json, struct arena *arena,
                             struct nats_consumer_info *info, struct nats_api_error *error,
                             struct err *err)
{
    *info = (struct nats_consumer_info){0};
    const struct json *root = nats_api_reply(json, arena, error, err);
    return root != NULL ? read_info(root, arena, info, err) : -1;
}

void nats_consumer_list_body(struct buf *out, uint64_t offset)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_u64(&w, "offset", offset);
    json_close_object(&w);
}

int nats_consumer_page_parse(struct slice json, struct arena *arena,
                             struct nats_consumer_page *page, struct nats_api_error *error,
                             struct err *err)
{
    *page = (struct nats_consumer_page){0};
    const struct json *root = nats_api_reply(json, arena, error, err);
    if (root == NULL)
        return -1;
    const struct json *list = json_member(root, "consumers");
    size_t count = 0;
    json_get_u64(root, "total", &page->total);
    if (list == NULL || list->type == JSON_NULL)
        return 0; /* Go writes an empty list as null */
    if (list->type != JSON_ARRAY)
        return err_set(err, ERR_PROTOCOL, "a list of consumers is not an array");
    for (const struct json *c = list->first; c != NULL; c = c->next)
        count++;
    if (count > NATS_CONSUMER_PAGE_MAX)
        return err_set(err, ERR_LIMIT, "a page of %zu consumers", count);
    page->consumers = arena_calloc(arena, count, sizeof(*page->consumers));
    for (const struct json *c = list->first; c != NULL; c = c->next)
        if (read_info(c, arena, &page->consumers[page->count++], err) != 0)
            return -1;
    return 0;
}
