/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_BUCKET_H
#define VARVE_TESTS_SIM_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "net/network.h"

/*
 * The object store of tests/bucket in the simulated world. Its objects are files of the disk, below
 * the path that is their key: what is there is durable, and whoever looks at the disk sees it. So
 * operators and other engines do to a table in a bucket what they do to one in a directory.
 *
 * Any request may get lost, or its answer, or come late; a process may die at one; and others have
 * a turn in front of one. What is sent to any other host goes to the network beside. Waiting for
 * the store, or for the next attempt, takes the time of the world.
 */
struct bucket_manner {
    uint64_t faults; /* permille of requests that meet another fate than to be answered */
    uint64_t away;   /* permille of connections that are refused */
};

struct sim_bucket;

/* `now` is that of the world, which it moves on; `wall` is added to it for the store's own clock.
 */
struct sim_bucket *sim_bucket_new(struct disk *disk, const struct network *beside, int64_t *now,
                                  int64_t wall, uint64_t seed);
void sim_bucket_free(struct sim_bucket *b);

/* For network_replace. */
const struct network *sim_bucket_network(struct sim_bucket *b);
void sim_bucket_set_manner(struct sim_bucket *b, struct bucket_manner manner);

/* Who sends from now on; he dies as disk.h says, at one of his requests. What a dead one has sent
 * may still come. */
void sim_bucket_switch(struct sim_bucket *b, struct disk_process *process);
void sim_bucket_break_all(struct sim_bucket *b, const struct disk_process *process);

/* Called in front of a put that wants no other object there, with the last part of its name; */
void sim_bucket_set_rival(struct sim_bucket *b, disk_rival *rival, void *context);
/* and in front of some requests: somebody else may have a turn, who is the one to send meanwhile.
 */
typedef void bucket_turn(void *context);
void sim_bucket_set_turn(struct sim_bucket *b, bucket_turn *turn, void *context);

/* What is late and due is done, and when the next is due; or all of it at once. */
void sim_bucket_step(struct sim_bucket *b);
int64_t sim_bucket_deadline(const struct sim_bucket *b);
void sim_bucket_settle(struct sim_bucket *b);

/* The store's clock goes on, while nobody is at it. */
void sim_bucket_wait(struct sim_bucket *b, int64_t time);

/* Uploads that were neither completed nor aborted. */
uint64_t sim_bucket_uploads(const struct sim_bucket *b);

#endif
