/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_INPUT_H
#define VARVE_NATS_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The read buffer of a connection: contiguous, so that frames are parsed where they arrived. Reads
 * append at the tail; the partial frame moves to the front only when little tail is left or the
 * frame would not fit. A zeroed struct is empty and has no memory yet.
 */
enum {
    NATS_INPUT_START = 1024 * 1024, /* what a read takes at full speed is a quarter of this */
};

struct nats_input {
    uint8_t *data;
    size_t cap;
    size_t start; /* the first byte that is not consumed */
    size_t end;
};

struct nats_space {
    uint8_t *data;
    size_t len;
};

/*
 * Free space for the next read, never empty. `need` is the total length that the partial frame
 * needs (nats_parser.need, or 0); the buffer grows to hold it, so the parser's limits bound it.
 * Invalidates all slices into the buffer.
 */
struct nats_space nats_input_space(struct nats_input *in, size_t need);

/* `len` bytes were written to the space. */
void nats_input_filled(struct nats_input *in, size_t len);

/* What is there and not consumed. Valid until the next nats_input_space. */
struct slice nats_input_bytes(const struct nats_input *in);

/* Consume the first `len` bytes. They stay where they are until the next nats_input_space. */
void nats_input_consume(struct nats_input *in, size_t len);

/* Give back what a large frame took, unless `need` (as above) or what is there wants it.
 * Invalidates all slices into the buffer if there is something to give back. */
void nats_input_trim(struct nats_input *in, size_t need);

/* Forget the content, keep the memory. */
void nats_input_reset(struct nats_input *in);
void nats_input_free(struct nats_input *in);

#endif
