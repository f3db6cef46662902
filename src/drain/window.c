/* SPDX-License-Identifier: MIT */
#include "drain/window.h"

#include "base/num.h"

void window_open(struct window *w, uint64_t after)
{
    w->open = true;
    w->after = after;
}

void window_close(struct window *w)
{
    w->open = false;
    seqset_free(&w->got);
}

void window_forget(struct window *w, uint64_t through)
{
    if (through <= w->after)
        return;
    seqset_remove_through(&w->got, through);
    w->after = through;
}

void window_add(struct window *w, uint64_t first, uint64_t last)
{
    if (!w->open || last <= w->after)
        return;
    if (w->got.count == WINDOW_RANGES_MAX)
        window_forget(w, w->got.list[WINDOW_RANGES_MAX / 2].last);
    if (last > w->after)
        seqset_add_range(&w->got, first > w->after ? first : w->after + 1, last);
}

void window_add_all(struct window *w, const struct seqset *sequences)
{
    static const struct seqset nothing;
    if (!w->open)
        return;
    seqset_add_new(&w->got, sequences, &nothing, w->after);
    if (w->got.count > WINDOW_RANGES_MAX)
        window_forget(w, w->got.list[w->got.count - WINDOW_RANGES_MAX / 2 - 1].last);
}

bool window_lacks(const struct window *w, uint64_t sequence)
{
    return w->open && sequence > w->after && !seqset_contains(&w->got, sequence);
}

uint64_t window_count(const struct window *w, uint64_t first, uint64_t last)
{
    uint64_t count = 0;
    for (size_t i = 0; i < w->got.count && w->got.list[i].first <= last; i++) {
        const struct seqrange *r = &w->got.list[i];
        uint64_t from = r->first > first ? r->first : first;
        uint64_t to = num_least_u64(r->last, last);
        count += from <= to ? to - from + 1 : 0;
    }
    return count;
}

bool window_is_filling(const struct window *w)
{
    return w->got.count > WINDOW_RANGES_MAX / 2;
}
