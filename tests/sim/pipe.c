/* SPDX-License-Identifier: MIT */
#include "pipe.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void sim_pipe_reset(struct sim_pipe *p)
{
    buf_reset(&p->bytes);
    p->pieces.count = 0;
    p->last = 0;
}

void sim_pipe_free(struct sim_pipe *p)
{
    buf_free(&p->bytes);
    free(p->pieces.list);
    *p = (struct sim_pipe){0};
}

void sim_pipe_put(struct sim_pipe *p, const void *data, size_t len, int64_t at)
{
    p->last = at > p->last ? at : p->last;
    buf_append(&p->bytes, data, len);
    p->pieces.list = array_grow(p->pieces.list, &p->pieces.cap, p->pieces.count, 1,
                                sizeof(*p->pieces.list), NULL);
    p->pieces.list[p->pieces.count++] = (struct sim_piece){len, p->last};
}

size_t sim_pipe_arrived(const struct sim_pipe *p, int64_t now)
{
    size_t len = 0;
    for (size_t i = 0; i < p->pieces.count && p->pieces.list[i].at <= now; i++)
        len += p->pieces.list[i].len;
    return len;
}

void sim_pipe_take(struct sim_pipe *p, size_t len)
{
    size_t gone = 0;
    buf_consume(&p->bytes, len);
    while (gone < p->pieces.count && p->pieces.list[gone].len <= len)
        len -= p->pieces.list[gone++].len;
    p->pieces.count -= gone;
    if (gone > 0)
        memmove(p->pieces.list, p->pieces.list + gone, p->pieces.count * sizeof(*p->pieces.list));
    if (len > 0)
        p->pieces.list[0].len -= len;
}

int64_t sim_pipe_deadline(const struct sim_pipe *p)
{
    return p->pieces.count > 0 ? p->pieces.list[0].at : INT64_MAX;
}
