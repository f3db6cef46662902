/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_RANDOM_H
#define VARVE_NATS_RANDOM_H

#include <stdint.h>

/*
 * Numbers that can't be guessed from those seen before: SipHash-2-4 of a counter under a secret
 * key. Inbox names come from here, and whoever can guess one can forge replies. The caller brings
 * the key: from getrandom, or fixed for a test.
 */
struct nats_random {
    uint64_t key[2];
    uint64_t counter;
};

uint64_t nats_random_next(struct nats_random *r);

/* 0 to bound-1; bound > 0. */
uint64_t nats_random_below(struct nats_random *r, uint64_t bound);

/* 22 characters of [0-9A-Za-z] and a NUL: like a NUID, good as a subject token and in a name. */
enum { NATS_TOKEN_LEN = 22 };
void nats_random_token(struct nats_random *r, char out[static NATS_TOKEN_LEN + 1]);

#endif
