/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_MESSAGE_H
#define VARVE_DRAIN_MESSAGE_H

#include <stdbool.h>

#include "config/config.h"
#include "nats/client.h"

/* Is what a consumer delivers an event of ours? */
enum message_kind {
    MESSAGE_EVENT,
    /* Written by the server itself: there was a message of this subject, and it expired, or was
     * removed or purged (ADR-48). It has no body. */
    MESSAGE_MARKER,
    /* The server has left out the body, because somebody set headers_only on the consumer. */
    MESSAGE_STRIPPED,
    /* Of a subject that is not configured. */
    MESSAGE_FOREIGN,
};

/* `any_subject`: nobody can tell which ones are configured. That the consumer has a filter proves
 * nothing: somebody may have changed it. */
enum message_kind message_classify(const struct config_source *settings, bool any_subject,
                                   const struct nats_event *event);

#endif
