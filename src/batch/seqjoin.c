/* SPDX-License-Identifier: MIT */
#include "batch/seqjoin.h"

/* Ranges that are moved for as little as one: 16 KiB of them. A run has more, or is the last. */
enum { FEW_RANGES = 1 << 10 };

static bool moves_much(const struct seqset *set, uint64_t lowest, size_t count)
{
    const struct seqrange *next = seqset_find(set, lowest == 0 ? 0 : lowest - 1);
    size_t behind = next == NULL ? 0 : (size_t)(set->list + set->count - next);
    return behind > FEW_RANGES && behind / 2 > count;
}

static struct seqset *newest_run(struct seqjoin *join)
{
    return &join->runs.list[join->runs.count - 1];
}

static void drop_newest(struct seqjoin *join)
{
    seqset_free(newest_run(join));
    join->runs.count--;
}

/* Once a run has grown to half of the one before, the two are one. */
static void merge_grown(struct seqjoin *join, struct seqset *into)
{
    while (join->runs.count > 0 && newest_run(join)->count > FEW_RANGES) {
        struct seqset *newest = newest_run(join);
        struct seqset *before = join->runs.count > 1 ? newest - 1 : into;
        if (before->count / 2 > newest->count)
            return;
        seqset_add_all(before, newest);
        drop_newest(join);
    }
}

/* Where `count` ranges from `lowest` on move little: the set itself, the newest run, or one more.
 */
static struct seqset *place_of(struct seqjoin *join, struct seqset *into, uint64_t lowest,
                               size_t count)
{
    if (!moves_much(into, lowest, count))
        return into;
    if (join->runs.count > 0 && !moves_much(newest_run(join), lowest, count))
        return newest_run(join);
    struct seqset *run = array_add(&join->runs);
    *run = (struct seqset){.account = into->account};
    return run;
}

bool seqjoin_add(struct seqjoin *join, struct seqset *into, uint64_t sequence)
{
    bool above = into->count == 0 || sequence > into->list[into->count - 1].last;
    if (above && join->runs.count == 0)
        return seqset_add(into, sequence); /* nearly always */
    if (seqset_contains(into, sequence))
        return false;
    for (size_t i = 0; i < join->runs.count; i++)
        if (seqset_contains(&join->runs.list[i], sequence))
            return false;
    seqset_add_range(place_of(join, into, sequence, 1), sequence, sequence);
    merge_grown(join, into);
    return true;
}

void seqjoin_add_all(struct seqjoin *join, struct seqset *into, const struct seqset *from)
{
    if (from->count == 0)
        return;
    seqset_add_all(place_of(join, into, from->list[0].first, from->count), from);
    merge_grown(join, into);
}

void seqjoin_finish(struct seqjoin *join, struct seqset *into)
{
    while (join->runs.count > 0) {
        seqset_add_all(join->runs.count > 1 ? newest_run(join) - 1 : into, newest_run(join));
        drop_newest(join);
    }
    seqjoin_free(join);
}

void seqjoin_free(struct seqjoin *join)
{
    while (join->runs.count > 0)
        drop_newest(join);
    array_free(&join->runs);
}
