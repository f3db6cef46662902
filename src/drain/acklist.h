/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_ACKLIST_H
#define VARVE_DRAIN_ACKLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "nats/ack.h"

/*
 * The acks that an epoch owes, some ten bytes each instead of the eighty of an ack subject: the
 * numbers of each subject as differences to the one before. What is rendered is the subject as it
 * came, byte for byte. A zeroed struct is empty; its map and its buffer may be given an account.
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

#endif
