/* SPDX-License-Identifier: MIT */
#include "drain/source_consumer.h"

#include "base/clock.h"

/* An ephemeral consumer outlives a short stall of ours, and is gone soon after us. */
#define EPHEMERAL_INACTIVE (120 * CLOCK_SECOND)

bool consumer_covers(const struct config_source *settings, const struct nats_stream_info *info)
{
    for (size_t i = 0; i < info->subject_count; i++) {
        bool found = false;
        for (size_t j = 0; j < settings->subjects.count && !found; j++)
            found = slice_is(info->subjects[i], settings->subjects.items[j]);
        if (!found)
            return false;
    }
    return info->subject_count > 0;
}

/* Where a consumer that we make starts: behind what is in the store or on its way there; where that
 * is nothing, as configured. */
static void fill_start(struct nats_consumer_config *wanted, const struct consumer_scene *scene)
{
    if (scene->retention == NATS_RETENTION_WORKQUEUE)
        return; /* the server allows nothing but all */
    if (scene->renewed || scene->position > 0) {
        wanted->deliver = NATS_DELIVER_BY_START_SEQUENCE;
        wanted->start_seq = (scene->renewed ? scene->floor : scene->position) + 1;
        return;
    }
    if (scene->whole)
        return;
    const struct config_start *start = &scene->settings->start;
    switch (start->kind) {
    case CONFIG_START_FIRST:
        break;
    case CONFIG_START_NEW:
        wanted->deliver = NATS_DELIVER_NEW;
        break;
    case CONFIG_START_SEQUENCE:
        wanted->deliver = NATS_DELIVER_BY_START_SEQUENCE;
        wanted->start_seq = start->sequence;
        break;
    case CONFIG_START_TIME:
        wanted->deliver = NATS_DELIVER_BY_START_TIME;
        wanted->start_time_ns = start->time;
        break;
    }
}

void consumer_wish(struct consumer_wish *wish, const struct consumer_scene *scene)
{
    const struct config_source *settings = scene->settings;
    bool durable = settings->delivery == CONFIG_DURABLE;
    struct nats_consumer_config *wanted = &wish->config;
    *wanted = (struct nats_consumer_config){
        .deliver = NATS_DELIVER_ALL,
        .max_deliver = -1,
        .filters = wish->filters,
    };
    /* A filter costs the server time, but a durable consumer must stay right when the stream gets
     * other subjects. */
    if (durable || !scene->covers_stream) {
        for (size_t i = 0; i < settings->subjects.count; i++)
            wish->filters[i] = slice_of(settings->subjects.items[i]);
        wanted->filter_count = settings->subjects.count;
    }
    if (durable) {
        wanted->durable = slice_of(settings->consumer);
        wanted->description = slice_of("varve: events to Parquet");
        wanted->ack = scene->retention == NATS_RETENTION_WORKQUEUE || scene->shared
                          ? NATS_ACK_EXPLICIT
                          : NATS_ACK_ALL;
        wanted->ack_wait_ns = config_ack_wait(scene->config);
        wanted->max_ack_pending = (int64_t)config_max_ack_pending(scene->config);
    } else {
        wanted->name = scene->ephemeral;
        wanted->ack = NATS_ACK_NONE;
        wanted->max_deliver = 0; /* means nothing without acks */
        wanted->inactive_threshold_ns = EPHEMERAL_INACTIVE;
        wanted->replicas = 1;
        wanted->memory = true;
    }
    fill_start(wanted, scene);
}

void consumer_compare(struct consumer_wish *wish, const struct consumer_scene *scene,
                      const struct nats_consumer_info *found, struct nats_consumer_diff *diff)
{
    consumer_wish(wish, scene);
    struct nats_consumer_config *wanted = &wish->config;
    const struct nats_consumer_config *is = &found->config;
    nats_consumer_adopt_start(wanted, is);
    if (scene->covers_stream && is->filter_count == 0)
        wanted->filter_count = 0; /* ours would change nothing */
    /* More acks, more patience and more room than we need contradict nothing. */
    if (wanted->ack == NATS_ACK_ALL && is->ack == NATS_ACK_EXPLICIT)
        wanted->ack = is->ack;
    if (is->ack_wait_ns > wanted->ack_wait_ns)
        wanted->ack_wait_ns = is->ack_wait_ns;
    if (is->max_ack_pending > wanted->max_ack_pending || is->max_ack_pending == -1)
        wanted->max_ack_pending = is->max_ack_pending;
    nats_consumer_compare(wanted, is, diff);
}

bool consumer_is_to_be_renewed(const struct consumer_wish *wish, const struct consumer_scene *scene,
                               const struct nats_consumer_info *found,
                               const struct nats_consumer_diff *diff)
{
    return diff->fixed == 1 && wish->config.ack == NATS_ACK_EXPLICIT &&
           found->config.ack == NATS_ACK_ALL &&
           scene->config->consumer.manage != CONFIG_MANAGE_BIND;
}
