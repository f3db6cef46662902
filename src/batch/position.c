/* SPDX-License-Identifier: MIT */
#include "batch/position.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void position_free(struct position *p)
{
    free((void *)p->stream);
    free((void *)p->created);
    free((void *)p->consumer);
    seqset_free(&p->above);
}

static bool is_source(const struct position *p, const char *stream, const char *consumer)
{
    return strcmp(p->stream, stream) == 0 && strcmp(p->consumer, consumer) == 0;
}

const struct position *positions_find(const struct positions *positions, const char *stream,
                                      const char *created, const char *consumer)
{
    for (size_t i = 0; i < positions->count; i++) {
        const struct position *p = &positions->list[i];
        if (is_source(p, stream, consumer) && strcmp(p->created, created) == 0)
            return p;
    }
    return NULL;
}

const struct position *positions_newest(const struct positions *positions, const char *stream,
                                        const char *consumer)
{
    for (size_t i = positions->count; i > 0; i--) {
        if (is_source(&positions->list[i - 1], stream, consumer))
            return &positions->list[i - 1];
    }
    return NULL;
}

static void remove_at(struct positions *positions, size_t at)
{
    position_free(&positions->list[at]);
    positions->count--;
    memmove(positions->list + at, positions->list + at + 1,
            (positions->count - at) * sizeof(*positions->list));
}

/* Drop this generation, to be put behind the others, or else the oldest if there are enough. */
static void make_place(struct positions *positions, const struct position *p)
{
    size_t generations = 0;
    size_t oldest = 0;
    for (size_t i = positions->count; i > 0; i--) {
        const struct position *old = &positions->list[i - 1];
        if (!is_source(old, p->stream, p->consumer))
            continue;
        if (strcmp(old->created, p->created) == 0) {
            remove_at(positions, i - 1);
            return;
        }
        generations++;
        oldest = i - 1;
    }
    if (generations >= POSITION_GENERATIONS_MAX)
        remove_at(positions, oldest);
}

void positions_put(struct positions *positions, const struct position *p)
{
    struct position copy = {
        .stream = text_copy(p->stream),
        .created = text_copy(p->created),
        .consumer = text_copy(p->consumer),
        .start = p->start,
        .through = p->through,
        .last_seq = p->last_seq,
        .last_time = p->last_time,
    };
    seqset_add_all(&copy.above, &p->above);
    make_place(positions, &copy);
    *array_add(positions) = copy;
}

void positions_copy(struct positions *to, const struct positions *from)
{
    for (size_t i = 0; i < from->count; i++)
        positions_put(to, &from->list[i]);
}

void positions_free(struct positions *positions)
{
    for (size_t i = 0; i < positions->count; i++)
        position_free(&positions->list[i]);
    array_free(positions);
}
