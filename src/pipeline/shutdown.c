/* SPDX-License-Identifier: MIT */
#include "pipeline/shutdown.h"

#include "base/log.h"
#include "pipeline/receive.h"
#include "pipeline/seal.h"

void shutdown_begin(struct pipeline *p, enum epoch_reason reason, int64_t now)
{
    if (p->phase != PIPELINE_RUNNING)
        return;
    log_message(LOG_INFO, "stopping", "%s", epoch_reason_name(reason));
    receive_unconfirmed(p, now);
    if (!epochs_is_empty(&p->epochs))
        seal_seal(p, reason, now);
    for (uint32_t i = 0; i < p->source_count; i++)
        source_end_pulls(&p->sources[i],
                         connection_is_ready(&p->connection) ? &p->connection.client : NULL);
    p->phase = PIPELINE_DRAINING;
}

/* --once: nothing more is coming. */
void shutdown_check_once(struct pipeline *p, int64_t now)
{
    if (!p->once || p->phase != PIPELINE_RUNNING)
        return;
    bool all_idle = true;
    bool all_ended = true;
    for (uint32_t i = 0; i < p->source_count; i++) {
        bool refused = p->sources[i].state == SOURCE_REFUSED;
        bool ended = refused || source_at_end(&p->sources[i]);
        if (refused && !err_is_set(&p->failure))
            p->failure = p->sources[i].refusal; /* for when the others are at their end */
        all_ended = all_ended && ended;
        all_idle = all_idle && (ended || p->sources[i].end.idle);
    }
    if (all_ended && !dead_letters_wait(&p->dead_letters, NULL))
        shutdown_begin(p, EPOCH_END, now);
    else if (all_idle && !epochs_is_empty(&p->epochs) && p->epochs.sealed == NULL)
        seal_seal(p, EPOCH_END, now); /* the server is waiting for these acks */
}

/* Nothing can go on if the server's side contradicts the configuration of every source. */
void shutdown_check_refused(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->sources[i].state != SOURCE_REFUSED)
            return;
    if (p->phase != PIPELINE_RUNNING)
        return;
    p->failure = p->sources[0].refusal;
    shutdown_begin(p, EPOCH_STOP, now);
}

void shutdown_advance(struct pipeline *p, int64_t now)
{
    if (p->phase == PIPELINE_DRAINING) {
        if (p->trouble.failing && p->trouble.failed >= PIPELINE_LAST_ATTEMPTS) {
            p->failure = p->trouble.err;
            p->phase = PIPELINE_DONE;
        } else if (p->epochs.sealed == NULL) {
            p->phase = PIPELINE_ACKING;
            p->ack_deadline = now + PIPELINE_ACK_GRACE;
        }
    }
    if (p->phase == PIPELINE_ACKING &&
        (acker_is_idle(&p->acker) || !connection_is_ready(&p->connection) ||
         now >= p->ack_deadline))
        p->phase = PIPELINE_DONE;
}
