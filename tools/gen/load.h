/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TOOLS_GEN_LOAD_H
#define VARVE_TOOLS_GEN_LOAD_H

#include <stdint.h>

#include "base/buf.h"

/*
 * A reproducible load. Each message is a function of these numbers and its index, so that
 * tests/live/generator.py, which is written independently, can tell what every column of every row
 * must hold. Change both or none.
 */
struct load {
    uint64_t seed;
    uint64_t simulations;   /* "sim-0001" and so on, at least 1 */
    uint64_t payload_bytes; /* of every payload; 0: each type its own sizes */
    uint64_t per_hour;      /* events in an hour of their timestamps, at least 1 */
};

enum { LOAD_SIMULATION_MAX = 32 };

/* The simulation of the event with this index; empty: of none. */
void load_simulation(const struct load *load, uint64_t index, char out[LOAD_SIMULATION_MAX]);

/* Append the event with this index: a GenericEventRequest as it stands on the wire. */
void load_event(const struct load *load, uint64_t index, struct buf *out);

/* Append a message that is no event: cut off, not protobuf at all, or with text that is not UTF-8,
 * by turns. */
void load_corrupt(const struct load *load, uint64_t index, struct buf *out);

#endif
