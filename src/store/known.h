/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_KNOWN_H
#define VARVE_STORE_KNOWN_H

#include "base/err.h"
#include "store/store.h"

/*
 * Append to `out`, with the consumer STORE_ANYBODY, what of each generation of a stream is stored,
 * whoever fetched it: a row is known by generation and sequence. store->table was read with
 * want_varve.
 *
 * The log may not say which sequences are there: where a source has no position of its own, or
 * entries of this instance are gone, the files that it says too little of are looked into, and
 * what they have is added to store->current, too. ERR_REFUSED if even they can't tell and a source
 * without a position would store all of its stream again; ERR_LIMIT for more than SEQSET_RANGES_MAX
 * gaps.
 */
int store_read_known(struct store *store, const struct store_config *config, struct positions *out,
                     struct err *err) __attribute__((warn_unused_result));

#endif
