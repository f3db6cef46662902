/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_PIPE_H
#define VARVE_TESTS_SIM_PIPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Bytes that take their time, in the order in which they were sent. A zeroed one is empty. */
struct sim_piece {
    size_t len;
    int64_t at; /* when it arrives */
};

/* One direction. */
struct sim_pipe {
    struct buf bytes;
    struct {
        struct sim_piece *list;
        size_t count, cap;
    } pieces;
    int64_t last; /* arrival of the newest piece: nothing overtakes */
};

void sim_pipe_reset(struct sim_pipe *p);
void sim_pipe_free(struct sim_pipe *p);

/* They arrive at `at`, or with what was sent before if that is later. */
void sim_pipe_put(struct sim_pipe *p, const void *data, size_t len, int64_t at);

/* How many bytes have arrived; take so many of them; when more will. */
size_t sim_pipe_arrived(const struct sim_pipe *p, int64_t now);
void sim_pipe_take(struct sim_pipe *p, size_t len);
int64_t sim_pipe_deadline(const struct sim_pipe *p);

#endif
