/* SPDX-License-Identifier: MIT */
#include "drain/redelivery.h"

#include "nats/ack.h"

static uint32_t sequences_at_once(struct seqrange range, uint64_t pending)
{
    uint64_t each = (range.last - range.first) / (pending > 0 ? pending : 1) + 1;
    uint64_t most = REDELIVERY_SEQUENCES_MAX / REDELIVERY_AT_ONCE;
    return REDELIVERY_AT_ONCE * (uint32_t)(each < most ? each : most);
}

void redelivery_begin(struct redelivery *r, struct seqrange range, uint64_t pending,
                      uint64_t consumer_seq, enum redelivery_how how, int64_t now)
{
    r->state = REDELIVERY_ASKING;
    r->left = range;
    r->at_once = sequences_at_once(range, pending);
    r->consumer_seq = consumer_seq;
    r->how = how;
    r->next = now;
    r->awaited = 0;
}

void redelivery_cancel(struct redelivery *r)
{
    r->state = REDELIVERY_DONE;
    r->awaited = 0;
}

void redelivery_free(struct redelivery *r)
{
    buf_free(&r->subject);
}

void redelivery_came(struct redelivery *r)
{
    if (r->state == REDELIVERY_ASKING && r->awaited > 0 && --r->awaited == 0)
        r->next = 0; /* all came: ask for more at once */
}

/* A NAK counts only with the number of a delivery above the consumer's floor; an ack needs none. */
static void send(struct redelivery *r, struct nats_client *client, struct slice prefix,
                 uint64_t sequence, bool nak)
{
    struct slice payload = nak ? slice_of("-NAK") : (struct slice){0};
    struct nats_ack ack = {.prefix = prefix,
                           .delivered = 1,
                           .stream_seq = sequence,
                           .consumer_seq = nak ? r->consumer_seq : NATS_ACK_OF_NO_DELIVERY};
    buf_reset(&r->subject);
    nats_ack_append_subject(&r->subject, &ack);
    nats_client_publish(client, buf_slice(&r->subject), (struct slice){0}, payload);
}

/* 1: the sequence is acked, -1: asked for, 0: neither. */
static int what_to_do(enum redelivery_how how, const struct ledger *ledger, uint64_t sequence)
{
    bool durable = seqset_contains(&ledger->durable, sequence);
    bool unknown = !seqset_contains(&ledger->taken, sequence); /* else its epoch acks it */
    switch (how) {
    case REDELIVERY_ACKS_AND_ASKS:
        return durable ? 1 : unknown ? -1 : 0;
    case REDELIVERY_ACKS:
        return durable ? 1 : 0;
    case REDELIVERY_ASKS:
        return unknown ? -1 : 0;
    case REDELIVERY_ASKS_DURABLE:
        return durable || unknown ? -1 : 0;
    }
    return 0;
}

int64_t redelivery_tick(struct redelivery *r, struct nats_client *client, struct slice prefix,
                        const struct ledger *ledger, int64_t now)
{
    if (r->state == REDELIVERY_DONE)
        return INT64_MAX;
    if (now < r->next)
        return r->next;
    r->awaited = 0;
    for (uint32_t i = 0; i < r->at_once; i++) {
        uint64_t sequence = r->left.first;
        int what = what_to_do(r->how, ledger, sequence);
        if (what != 0) {
            r->awaited += what < 0;
            send(r, client, prefix, sequence, what < 0);
        }
        if (sequence == r->left.last) {
            r->state = REDELIVERY_DONE;
            return INT64_MAX;
        }
        r->left.first++;
    }
    r->next = now + REDELIVERY_INTERVAL;
    return r->next;
}
