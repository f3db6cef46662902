/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_KEEPER_H
#define VARVE_STORE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "object/object.h"
#include "object/system.h"

/*
 * Who keeps a store in order beside those that write to it: a thread of its own at the lowest
 * priority, which makes checkpoints of the log and cleans it up. It is one for all instances on a
 * store: whoever has the lock. Nothing waits for it; what fails is tried again later.
 */
struct keeper;

struct keeper_options {
    const char *root;
    struct system system;
    uint64_t version;  /* of the table, at start */
    uint64_t interval; /* commits between checkpoints that it asked for then */
};

/* NULL if the thread can't be started. Texts are copied. */
struct keeper *keeper_new(const struct keeper_options *options, struct err *err)
    __attribute__((warn_unused_result));

/* The table has this version now. */
void keeper_note(struct keeper *keeper, uint64_t version);

/* End the thread; `finish`: after what is due now, else as soon as possible. Accepts NULL. */
void keeper_free(struct keeper *keeper, bool finish);

/* Open the store as its keeper: ERR_REFUSED if another process is it at the moment. */
struct object_store *keeper_open(const char *root, const struct system *system, struct err *err)
    __attribute__((warn_unused_result));

#endif
