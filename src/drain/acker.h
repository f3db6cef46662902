/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_ACKER_H
#define VARVE_DRAIN_ACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "drain/source.h"
#include "nats/ack.h"
#include "nats/client.h"

/*
 * The acks that an epoch owes, one for each message: some ten bytes each instead of the eighty of
 * an ack subject: the numbers of each subject as differences to the one before. What is rendered is
 * the subject as it came, byte for byte. A zeroed struct is empty; its map and its buffer may be
 * given an account.
 */
struct acklist {
    struct map forms; /* distinct "<prefix><NUL><suffix>" */
    struct buf bytes;
    uint64_t count;
    struct nats_ack last; /* numbers only */
};

void acklist_add(struct acklist *list, const struct nats_ack *ack);

/* A reader of a list that no longer changes. A zeroed struct is at the start. */
struct acklist_cursor {
    size_t at;
    uint64_t done; /* acks read */
    struct nats_ack last;
};

/* The next ack, its slices borrowed from the list; false at the end. */
bool acklist_next(const struct acklist *list, struct acklist_cursor *cursor, struct nats_ack *ack);

void acklist_free(struct acklist *list);

/*
 * What is owed to the servers, filed under the number of the epoch that a message is in, and the
 * only place that acks what was delivered to this connection. Nothing is sent before
 * acker_committed names the epoch. It is kept until the server has confirmed the last of its acks,
 * so that acks which a broken connection or a change of leaders swallowed are sent again. Where
 * others share the consumer, the server is told that work is in progress (+WPI) while an epoch
 * waits, or it would give the messages to them. Those of a stream that was made again since are
 * dropped: under their numbers it has others. A consumer with ack policy `all` gets one ack for all
 * that is durable, and never one for a message above what is missing.
 */
enum {
    /* Acks are rendered while less than this waits to be written: an epoch of acks is 20 MB. */
    ACKER_OUTPUT_MAX = 256 * 1024,
};
#define ACKER_CONFIRM_TIMEOUT (10 * CLOCK_SECOND)
#define ACKER_PAUSE (CLOCK_SECOND / 20) /* while too many questions are open */
#define ACKER_RETRY CLOCK_SECOND /* when nobody has taken them: a consumer changes its leader */

struct acker_epoch;

struct acker {
    struct acker_epoch *first, **last;
    struct source *sources;
    uint32_t source_count;
    struct account account; /* of all that is owed; the owner may set its parent */
    struct buf subject;
};

/* `sources` is borrowed. */
void acker_init(struct acker *a, struct source *sources, uint32_t source_count);
void acker_free(struct acker *a);

/* A message of the source with this index, received at `now`, went into the epoch with this number:
 * the newest so far, or one behind it. Nothing is owed for what another consumer than the source's
 * durable one has delivered. */
void acker_owe(struct acker *a, uint32_t source, uint64_t epoch, const struct nats_ack *ack,
               int64_t now);

/* A message was delivered again that is durable, or nothing for us: it is acked on the spot. Where
 * one ack is for all up to a sequence, as soon as nothing else is owed. */
void acker_again(struct acker *a, struct nats_client *client, uint32_t source,
                 const struct nats_ack *ack);

/* The epoch is in the store since `wall` (clock_wall), whether anything is owed for it or not: its
 * acks are due. Counts the delay of each message. */
void acker_committed(struct acker *a, uint64_t epoch, int64_t wall);

/* Send what there is room for. Returns when there is more to send; INT64_MAX: not before something
 * else happens. As long as output waits to be written, being written is what happens. */
int64_t acker_tick(struct acker *a, struct nats_client *client, int64_t now);

/* True if the event was the answer to the last ack of an epoch. */
bool acker_reply(struct acker *a, const struct nats_event *event, int64_t now);

/* The connection is gone: what is not confirmed will be sent again. */
void acker_restart(struct acker *a);

/* When the oldest message of a source was received whose ack is not confirmed, committed or not;
 * INT64_MAX: there is none. */
int64_t acker_oldest(const struct acker *a, uint32_t source);

/* True if all that is committed is acked and confirmed. */
bool acker_is_idle(const struct acker *a);

#endif
