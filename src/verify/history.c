/* SPDX-License-Identifier: MIT */
#include "verify/history.h"

bool history_is_needed(const struct verify_table *t, const struct file_list *list)
{
    bool needed = false;
    for (size_t i = 0; i < list->count && !needed; i++)
        needed = list->list[i].quarantine;
    for (size_t i = 0; i < t->live_files.count && !needed; i++)
        needed = delta_map_get(&t->live_files.list[i]->tags, "varve.stream").data == NULL;
    return needed;
}

/* Whether some of these are settled, and have not expired. */
static bool are_due(const struct claim *claim, uint64_t first, uint64_t last)
{
    while (first <= last) {
        const struct seqrange *settled = seqset_find(&claim->settled, first);
        if (settled == NULL || settled->first > last)
            return false;
        first = settled->first > first ? settled->first : first;
        const struct seqrange *expired = seqset_find(&claim->expired, first);
        if (expired == NULL || expired->first > first)
            return true;
        if (expired->last >= last)
            return false;
        first = expired->last + 1;
    }
    return false;
}

/* The ranges of one generation begin at `at`; returns where they end. *covered: up to here all is
 * in files or not due. */
static size_t cover(const struct verify_table *t, const struct sequences *s, size_t at,
                    const struct verified_file *files, const struct claim *claim, uint64_t *covered,
                    bool *due)
{
    uint32_t stream = s->list[at].stream;
    for (; at < s->count && s->list[at].stream == stream; at++) {
        const struct sequence_range *range = &s->list[at];
        if (verify_table_live(t, files[range->file].relative) == NULL)
            continue;
        if (range->first > *covered && range->first - *covered > 1)
            *due = *due || are_due(claim, *covered + 1, range->first - 1);
        if (range->last > *covered)
            *covered = range->last;
    }
    return at;
}

bool history_explains(const struct verify_table *t, struct sequences *s,
                      const struct verified_file *files, const struct claims *claims)
{
    bool due = false;
    sequences_sort(s);
    for (uint32_t i = 0; i < s->streams.count && !due; i++)
        due = map_find(&claims->generations, map_key(&s->streams, i)) < 0;
    for (uint32_t i = 0; i < claims->generations.count && !due; i++) {
        const struct claim *claim = &claims->list[i];
        int64_t stream = map_find(&s->streams, map_key(&claims->generations, i));
        uint64_t covered = claim->start > 0 ? claim->start - 1 : 0;
        for (size_t at = 0; at < s->count;) {
            if (s->list[at].stream == stream)
                at = cover(t, s, at, files, claim, &covered, &due);
            else
                at++;
        }
        due = due || (covered < UINT64_MAX && are_due(claim, covered + 1, UINT64_MAX));
    }
    return due;
}

void history_read(struct verify_table *t)
{
    if (t->history)
        return;
    t->history = true;
    verify_table_add_history(t);
}
