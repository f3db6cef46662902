/* SPDX-License-Identifier: MIT */
#include "pipeline/receive.h"

static void add_row(struct pipeline *p, struct source *source, const struct nats_event *event,
                    const struct event *decoded, int64_t now)
{
    struct event_origin origin = {
        .stream_seq = event->ack.stream_seq,
        .stream_time_ns = event->ack.timestamp_ns,
        .subject = event->subject,
    };
    bool suspect = false;
    int64_t time = event_partition_time(decoded, &origin, clock_wall(), &suspect);
    struct batcher_source identity = source_identity(source);
    batcher_add(&p->batcher, &identity, decoded, &origin, &event->ack, time, suspect, now);
}

static void take_new(struct pipeline *p, struct source *source, const struct nats_event *event,
                     int64_t now)
{
    struct event decoded;
    enum event_result result = event_decode(&p->decoder, event->payload, event->subject, &decoded);
    source->stats.pending++;
    if (result == EVENT_OK)
        add_row(p, source, event, &decoded, now);
    else
        dead_letters_take(&p->dead_letters, &p->connection.client, source, event, result,
                          event_reason(&p->decoder), now);
    event_decoder_trim(&p->decoder);
}

static bool is_acked(const struct source *source)
{
    return source->settings->delivery == CONFIG_DURABLE;
}

void receive_message(struct pipeline *p, struct source *source, const struct nats_event *event,
                     int64_t now)
{
    if (p->phase != PIPELINE_RUNNING)
        return; /* not counted, not acked: it will come again */
    struct nats_client *client = &p->connection.client;
    struct batcher_source identity;
    switch (source_receive(source, client, event, now)) {
    case LEDGER_NEW:
        take_new(p, source, event, now);
        break;
    case LEDGER_PENDING:
        source->stats.rows_deduplicated++;
        identity = source_identity(source);
        if (is_acked(source))
            batcher_add_ack(&p->batcher, &identity, &event->ack, now);
        break;
    case LEDGER_DURABLE:
        source->stats.rows_deduplicated++;
        if (!is_acked(source))
            break;
        nats_ack_append_publish(&client->out, &event->ack);
        source->stats.acks_sent++;
        break;
    case LEDGER_VOID:
        break;
    }
}
