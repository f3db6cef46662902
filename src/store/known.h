/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_KNOWN_H
#define VARVE_STORE_KNOWN_H

#include "base/err.h"
#include "store/store.h"

/*
 * Add to store->positions what of each generation of a stream is stored, whoever fetched it: a row
 * is known by generation and sequence. store->table was read with want_varve.
 *
 * A source that this instance has no position of would store all of its stream again where the log
 * does not say which sequences are there, so then the files that it says too little of are looked
 * into. ERR_REFUSED if even these can't tell, ERR_LIMIT for more than SEQSET_RANGES_MAX gaps.
 */
int store_add_known(struct store *store, const struct store_config *config, struct err *err)
    __attribute__((warn_unused_result));

#endif
