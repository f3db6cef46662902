/* SPDX-License-Identifier: MIT */
#include "pipeline/receive.h"

#include <assert.h>

static_assert((int)EVENT_RESULTS <= (int)SOURCE_REASONS_MAX, "each reason has its counter");

struct epoch_origin receive_origin(struct source *s)
{
    return (struct epoch_origin){.source = s->index,
                                 .texts = {.stream = s->settings->stream,
                                           .created = buf_text(&s->generation.created),
                                           .consumer = s->settings->consumer}};
}

/* The message goes into the open epoch: so does its ack. */
static void owe(struct pipeline *p, const struct source *source, const struct nats_ack *ack,
                int64_t now)
{
    acker_owe(&p->acker, source->index, p->epochs.open->number, ack, now);
}

static void add_row(struct pipeline *p, struct source *source, const struct nats_event *event,
                    const struct event *decoded, int64_t now)
{
    struct event_origin origin = {
        .stream_seq = event->ack.stream_seq,
        .stream_time_ns = event->ack.timestamp_ns,
        .subject = event->subject,
        .header = event->header,
    };
    bool suspect = false;
    int64_t time = event_partition_time(decoded, &origin, p->wall, &suspect);
    struct epoch_origin from = receive_origin(source);
    epochs_add_row(&p->epochs, &from, decoded, &origin, time, suspect, now);
    owe(p, source, &event->ack, now);
}

/* A message as it came, without what varve made of it. */
struct raw_message {
    struct slice subject, header, payload;
    const struct nats_ack *ack;
    struct nats_memory memory; /* has the payload, which is not copied. data NULL: it is copied */
};

/* A quarter of the memory is what a message may take that goes the way of all others. */
static bool is_large(const struct pipeline *p, const struct nats_event *event)
{
    return event->bytes > FLOW_MESSAGE_BYTES(p->memory_limit, p->source_count);
}

static void quarantine(struct pipeline *p, struct source *source, const struct raw_message *raw,
                       const struct dead_letter_cause *cause, int64_t now)
{
    struct epoch_origin from = receive_origin(source);
    struct quarantined message = {
        .stream = slice_of(from.texts.stream),
        .stream_created = slice_of(from.texts.created),
        .origin = {.stream_seq = raw->ack->stream_seq,
                   .stream_time_ns = raw->ack->timestamp_ns,
                   .subject = raw->subject,
                   .header = raw->header},
        .result = (enum event_result)cause->code,
        .detail = cause->detail,
        .payload = raw->payload,
    };
    if (raw->memory.data != NULL) {
        struct store_outside payload = {.memory = raw->memory.data,
                                        .size = raw->memory.size,
                                        .account = raw->memory.account,
                                        .value = raw->payload,
                                        .column = QUARANTINE_COLUMN_PAYLOAD};
        epochs_add_large(&p->epochs, &from, &message, &payload, now);
    } else {
        epochs_add_quarantined(&p->epochs, &from, &message, now);
    }
    owe(p, source, raw->ack, now);
}

static void take_no_row(struct pipeline *p, struct source *source, const struct nats_event *event,
                        enum event_result result, const char *detail, int64_t now)
{
    struct dead_letter_cause cause = {(int)result, event_result_name(result), detail};
    struct raw_message raw = {.subject = event->subject,
                              .header = event->header,
                              .payload = event->payload,
                              .ack = &event->ack};
    if (dead_letters_publish(&p->dead_letters, &p->connection.client, source, event, &cause,
                             flow_room(p), now))
        return;
    dead_letters_log(source, event->ack.stream_seq, &cause, "quarantine");
    if (is_large(p, event))
        raw.memory = nats_client_detach(&p->connection.client);
    quarantine(p, source, &raw, &cause, now);
}

static void take_new(struct pipeline *p, struct source *source, const struct nats_event *event,
                     int64_t now)
{
    struct event decoded;
    source->counters.pending++;
    if (is_large(p, event)) {
        take_no_row(p, source, event, EVENT_TOO_LARGE,
                    "larger than a quarter of memory_limit, which the sources share", now);
        return;
    }
    enum event_result result = event_decode(&p->decoder, event->payload, event->subject, &decoded);
    if (result == EVENT_OK)
        add_row(p, source, event, &decoded, now);
    else
        take_no_row(p, source, event, result, event_reason(&p->decoder), now);
    event_decoder_trim(&p->decoder);
}

static void settle(struct pipeline *p, struct dead_letter *letter, int64_t now)
{
    struct nats_ack ack = dead_letter_ack(letter);
    if (letter->confirmed) {
        struct epoch_origin from = receive_origin(letter->source);
        epochs_add_dead_letter(&p->epochs, &from, (enum event_result)letter->cause.code,
                               ack.stream_seq, ack.timestamp_ns, now);
        owe(p, letter->source, &ack, now);
    } else {
        bool large = letter->memory.data != NULL;
        struct raw_message raw = {.subject = buf_slice(&letter->subject),
                                  .header = buf_slice(&letter->header),
                                  .payload = large ? letter->large : buf_slice(&letter->payload),
                                  .ack = &ack,
                                  .memory = letter->memory};
        letter->memory = (struct nats_memory){0}; /* it is the store's now */
        quarantine(p, letter->source, &raw, &letter->cause, now);
    }
    dead_letters_release(&p->dead_letters, letter);
}

bool receive_confirmation(struct pipeline *p, const struct nats_event *event, int64_t now)
{
    struct dead_letter *letter = dead_letters_reply(&p->dead_letters, event, now);
    if (letter != NULL)
        settle(p, letter, now);
    return letter != NULL;
}

void receive_unconfirmed(struct pipeline *p, int64_t now)
{
    struct dead_letter *letter;
    while ((letter = dead_letters_give_up(&p->dead_letters)) != NULL)
        settle(p, letter, now);
}

void receive_message(struct pipeline *p, struct source *source, const struct nats_event *event,
                     int64_t now)
{
    if (p->phase != PIPELINE_RUNNING)
        return; /* not counted, not acked: it will come again */
    struct nats_client *client = &p->connection.client;
    switch (source_receive(source, client, event, now)) {
    case LEDGER_NEW:
        take_new(p, source, event, now);
        break;
    case LEDGER_PENDING:
        /* The ack of its first delivery, which comes with its epoch, is for this one, too; where
         * none is owed for that, the source has noted it. */
        source->counters.rows_deduplicated++;
        break;
    case LEDGER_DURABLE:
        source->counters.rows_deduplicated++;
        acker_again(&p->acker, client, source->index, &event->ack);
        break;
    case LEDGER_NOTHING:
        acker_again(&p->acker, client, source->index, &event->ack);
        break;
    case LEDGER_VOID:
        break;
    }
}
