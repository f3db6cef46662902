/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_HEADER_H
#define VARVE_NATS_HEADER_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * The header block of HMSG and HPUB (ADR-4): "NATS/1.0", perhaps a status, and lines of
 * "Key: value". Slices point into the block.
 */
struct nats_header {
    struct slice lines; /* the "Key: value" lines */
    int status;         /* 100 to 999, or 0 if the block has none */
    struct slice text;  /* what follows the status, may be empty */
};

/* Read the first line. False if the block is not a header block; *h is then empty. A missing blank
 * line at the end is tolerated. */
bool nats_header_parse(struct slice block, struct nats_header *h)
    __attribute__((warn_unused_result));

/* The first value of `key` (letters without regard to case), trimmed; false if there is none. */
bool nats_header_get(const struct nats_header *h, const char *key, struct slice *value);

/* The same as a decimal number. */
bool nats_header_get_u64(const struct nats_header *h, const char *key, uint64_t *value);

/* Build a block: begin, any number of adds, end. `key` is of our own making. Bytes of `value` that
 * would end the line become blanks. */
void nats_header_begin(struct buf *out);
void nats_header_add(struct buf *out, const char *key, struct slice value);
void nats_header_add_u64(struct buf *out, const char *key, uint64_t value);
void nats_header_end(struct buf *out);

#endif
