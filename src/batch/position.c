/* SPDX-License-Identifier: MIT */
#include "batch/position.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Ranges that may lie below `through` for a while. */
enum { SETTLE_RANGES = 1 << 12 };

void position_free(struct position *p)
{
    free((void *)p->stream);
    free((void *)p->created);
    free((void *)p->consumer);
    seqset_free(&p->above);
    seqjoin_free(&p->late);
}

/* Keep the oldest and the newest, and of the others those without which a mark would be more than
 * four times as far from the newest as the next one: of a thousand million messages some thirty
 * stay. */
static void thin(struct position_marks *m)
{
    uint64_t newest = m->list[m->count - 1].sequence;
    size_t kept = m->count - 1;
    for (size_t i = m->count - 1; i > 0; i--) {
        uint64_t kept_distance = newest - m->list[kept].sequence;
        bool needed = i == 1 || (newest - m->list[i - 2].sequence) / 4 > kept_distance;
        if (needed)
            m->list[--kept] = m->list[i - 1];
    }
    m->count -= kept;
    memmove(m->list, m->list + kept, m->count * sizeof(*m->list));
}

void position_marks_add(struct position_marks *marks, uint64_t sequence, int64_t time)
{
    if (marks->count > 0 && sequence <= marks->list[marks->count - 1].sequence)
        return;
    if (marks->count == POSITION_MARKS_MAX)
        thin(marks);
    if (marks->count < POSITION_MARKS_MAX)
        marks->list[marks->count++] = (struct position_mark){sequence, time};
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
        .delivered = p->delivered,
        .seen = p->seen,
        .marks = p->marks,
    };
    seqset_add_all(&copy.above, &p->above);
    make_place(positions, &copy);
    *array_add(positions) = copy;
}

/* What continues `through` is no gap above it. */
static void settle(struct position *p)
{
    if (p->above.count == 0)
        return;
    seqset_remove_through(&p->above, p->through);
    if (p->through == UINT64_MAX)
        return;
    uint64_t end = seqset_contiguous_end(&p->above, p->through + 1);
    p->through = end > p->through ? end : p->through;
    seqset_remove_through(&p->above, p->through);
}

void position_raise(struct position *p, uint64_t through)
{
    p->through = through > p->through ? through : p->through;
    settle(p);
}

static void complete(struct position *p)
{
    seqjoin_finish(&p->late, &p->above);
    settle(p);
    p->settled = p->above.count;
}

/* What lies below `through` by now has to go before there is twice as much: it may be most. */
static void gather_above(struct position *p, const struct seqset *above)
{
    seqjoin_add_all(&p->late, &p->above, above);
    if (p->above.count / 2 > p->settled && p->above.count > SETTLE_RANGES)
        complete(p);
}

void positions_gather(struct positions *positions, const struct position *p)
{
    struct position *old =
        (struct position *)positions_find(positions, p->stream, p->created, p->consumer);
    if (old == NULL) {
        positions_put(positions, p);
        return;
    }
    if (old->start == 0)
        old->start = p->start;
    if (old->through < p->through)
        old->through = p->through;
    if (old->last_seq <= p->last_seq) {
        old->last_seq = p->last_seq;
        old->last_time = p->last_time;
        old->delivered = p->delivered;
        old->marks = p->marks;
    }
    if (old->seen < p->seen)
        old->seen = p->seen;
    gather_above(old, &p->above);
    struct position newest = *old;
    struct position *last = &positions->list[positions->count - 1];
    memmove(old, old + 1, (size_t)(last - old) * sizeof(*old));
    *last = newest;
}

void positions_merge(struct positions *positions, const struct position *p)
{
    positions_gather(positions, p);
    complete(&positions->list[positions->count - 1]);
}

void positions_complete(struct positions *positions)
{
    for (size_t i = 0; i < positions->count; i++)
        complete(&positions->list[i]);
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
