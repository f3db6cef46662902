/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_BUCKET_MODEL_H
#define VARVE_TESTS_UNIT_BUCKET_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../bucket/service.h"
#include "base/buf.h"

/*
 * The object store of tests/bucket with its objects in memory. It takes the place of the network
 * and of the clock, so varve's own client talks to it, in one thread; time goes on where somebody
 * waits.
 *
 * One request can have another fate than to be done and answered (BUCKET_LATE: it is done in front
 * of the next but one), a process can die at one, and something else can happen in front of one:
 * what other processes do.
 */
#define BUCKET_MODEL_URL "s3://bucket/table"

struct bucket_model;

/* The network and the clock are its own from now on. */
struct bucket_model *bucket_model_new(void);
void bucket_model_free(struct bucket_model *m);

/* So many requests have come since the last start. */
uint64_t bucket_model_requests(const struct bucket_model *m);

/* A process starts: no connection is open, none of what is said below holds any more. */
void bucket_model_start(struct bucket_model *m);

/* Of its request number `at` (1: the first). */
void bucket_model_set_fate(struct bucket_model *m, uint64_t at, enum bucket_fate fate);

/* The process dies at this request: before it is done, after it, or (BUCKET_LATE) it is done in
 * front of a later request of whoever comes next. Nothing that it sends from then on arrives. */
void bucket_model_kill(struct bucket_model *m, uint64_t at, enum bucket_fate fate);
/* How many requests overtake one that is late; 2 at first. */
void bucket_model_delay(struct bucket_model *m, uint64_t requests);
bool bucket_model_is_dead(const struct bucket_model *m);

/* In front of this request somebody else has a turn, whose requests are all fine and not counted.
 */
typedef void bucket_turn(void *context);
void bucket_model_interpose(struct bucket_model *m, uint64_t at, bucket_turn *turn, void *context);

/* Visit all objects, by key, without the prefix of BUCKET_MODEL_URL. */
typedef void bucket_model_visit(void *context, const char *key, struct slice body);
void bucket_model_walk(struct bucket_model *m, bucket_model_visit *visit, void *context);

/* Uploads that were neither completed nor aborted. */
uint64_t bucket_model_uploads(const struct bucket_model *m);

/* From now on the clock of the process at hand is so far ahead of the store's, ns; 0 at first. */
void bucket_model_set_clock(struct bucket_model *m, int64_t ahead);

/* So many connections were made, since the model is there. */
uint64_t bucket_model_connects(const struct bucket_model *m);

/* Let time pass. */
void bucket_model_wait(struct bucket_model *m, int64_t until);

#endif
