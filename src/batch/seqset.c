/* SPDX-License-Identifier: MIT */
#include "batch/seqset.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"

static _Thread_local uint64_t moved;

uint64_t seqset_moved(void)
{
    return moved;
}

/* The index of the first range whose last is >= sequence, or count. */
static size_t find(const struct seqset *set, uint64_t sequence)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->list[middle].last < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert_at(struct seqset *set, size_t at, struct seqrange range)
{
    (void)array_add(set);
    moved += set->count - at;
    memmove(set->list + at + 1, set->list + at, (set->count - 1 - at) * sizeof(*set->list));
    set->list[at] = range;
}

static void remove_ranges(struct seqset *set, size_t from, size_t to)
{
    if (from == to)
        return;
    moved += set->count - to;
    memmove(set->list + from, set->list + to, (set->count - to) * sizeof(*set->list));
    set->count -= to - from;
}

bool seqset_add(struct seqset *set, uint64_t sequence)
{
    if (set->count > 0) {
        struct seqrange *newest = &set->list[set->count - 1];
        if (newest->last < UINT64_MAX && sequence == newest->last + 1) {
            newest->last = sequence;
            return true;
        }
    }
    if (seqset_contains(set, sequence))
        return false;
    seqset_add_range(set, sequence, sequence);
    return true;
}

void seqset_add_range(struct seqset *set, uint64_t first, uint64_t last)
{
    ASSERT(first <= last);
    /* All ranges that touch first..last, neighbours included, become one. */
    size_t from = find(set, first == 0 ? 0 : first - 1);
    size_t to = from;
    struct seqrange merged = {first, last};
    while (to < set->count && (last == UINT64_MAX || set->list[to].first <= last + 1)) {
        if (set->list[to].first < merged.first)
            merged.first = set->list[to].first;
        if (set->list[to].last > merged.last)
            merged.last = set->list[to].last;
        to++;
    }
    if (from == to) {
        insert_at(set, from, merged);
        return;
    }
    set->list[from] = merged;
    remove_ranges(set, from + 1, to);
}

/* The lower of the next ranges of two ascending lists, which it takes off its list. */
static struct seqrange take_lower(const struct seqrange **a, const struct seqrange *a_end,
                                  const struct seqrange **b, const struct seqrange *b_end)
{
    bool from_a = *b == b_end || (*a < a_end && (*a)->first <= (*b)->first);
    return from_a ? *(*a)++ : *(*b)++;
}

/* In one pass, since two sets may have a million ranges each that lie between one another's: what
 * the set has from there on is moved out of the way, and comes back merged. The place that is
 * written is never ahead of the one that is read. */
void seqset_add_all(struct seqset *set, const struct seqset *from)
{
    if (from->count == 0 || from == set)
        return;
    uint64_t lowest = from->list[0].first;
    size_t at = find(set, lowest == 0 ? 0 : lowest - 1);
    size_t behind = set->count - at;
    array_reserve(set, from->count);
    moved += behind + from->count;
    const struct seqrange *own = set->list + at + from->count;
    memmove(set->list + at + from->count, set->list + at, behind * sizeof(*set->list));
    const struct seqrange *own_end = own + behind;
    const struct seqrange *other = from->list;
    const struct seqrange *other_end = other + from->count;
    struct seqrange merged = take_lower(&own, own_end, &other, other_end);
    while (own < own_end || other < other_end) {
        struct seqrange next = take_lower(&own, own_end, &other, other_end);
        if (merged.last != UINT64_MAX && next.first > merged.last + 1) {
            set->list[at++] = merged;
            merged = next;
        } else if (next.last > merged.last) {
            merged.last = next.last;
        }
    }
    set->list[at++] = merged;
    set->count = at;
}

/* Appends to `out`, which has nothing above, what is in `rest`, but not in `without`. */
static void append_new(struct seqset *out, struct seqrange rest, const struct seqset *without)
{
    for (size_t at = find(without, rest.first); at < without->count; at++) {
        struct seqrange known = without->list[at];
        if (known.first > rest.last)
            break;
        if (known.first > rest.first)
            seqset_add_range(out, rest.first, known.first - 1);
        if (known.last >= rest.last)
            return;
        rest.first = known.last + 1;
    }
    seqset_add_range(out, rest.first, rest.last);
}

void seqset_add_new(struct seqset *set, const struct seqset *from, const struct seqset *without,
                    uint64_t through)
{
    /* What is new comes in order: only what lies between that of the set has to be merged. */
    struct seqset between = {.account = set->account};
    bool behind =
        set->count == 0 || from->count == 0 || from->list[0].first > set->list[set->count - 1].last;
    struct seqset *more = behind ? set : &between;
    for (size_t i = 0; i < from->count; i++) {
        struct seqrange rest = from->list[i];
        if (rest.last <= through)
            continue;
        if (rest.first <= through)
            rest.first = through + 1;
        append_new(more, rest, without);
    }
    seqset_add_all(set, &between);
    seqset_free(&between);
}

bool seqset_contains(const struct seqset *set, uint64_t sequence)
{
    size_t at = find(set, sequence);
    return at < set->count && set->list[at].first <= sequence;
}

uint64_t seqset_size(const struct seqset *set)
{
    uint64_t total = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint64_t length = set->list[i].last - set->list[i].first;
        if (length == UINT64_MAX || total > UINT64_MAX - length - 1)
            return UINT64_MAX;
        total += length + 1;
    }
    return total;
}

const struct seqrange *seqset_find(const struct seqset *set, uint64_t sequence)
{
    size_t at = find(set, sequence);
    return at == set->count ? NULL : &set->list[at];
}

uint64_t seqset_last_through(const struct seqset *set, uint64_t sequence)
{
    size_t at = find(set, sequence);
    if (at < set->count && set->list[at].first <= sequence)
        return sequence;
    return at > 0 ? set->list[at - 1].last : 0;
}

bool seqset_meet(const struct seqset *a, const struct seqset *b, uint64_t *first)
{
    const struct seqset *few = a->count < b->count ? a : b;
    const struct seqset *many = few == a ? b : a;
    for (size_t i = 0; i < few->count; i++) {
        const struct seqrange *range = &few->list[i];
        const struct seqrange *next = seqset_find(many, range->first);
        if (next == NULL || next->first > range->last)
            continue;
        *first = next->first > range->first ? next->first : range->first;
        return true;
    }
    return false;
}

uint64_t seqset_contiguous_end(const struct seqset *set, uint64_t from)
{
    size_t at = find(set, from);
    if (at == set->count || set->list[at].first > from)
        return from - 1;
    return set->list[at].last;
}

void seqset_remove_through(struct seqset *set, uint64_t sequence)
{
    size_t at = find(set, sequence);
    if (at < set->count && set->list[at].first <= sequence) {
        if (set->list[at].last == sequence)
            at++;
        else
            set->list[at].first = sequence + 1;
    }
    remove_ranges(set, 0, at);
}

void seqset_write_text(struct buf *out, const struct seqset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct seqrange *range = &set->list[i];
        if (i > 0)
            buf_append_byte(out, ',');
        buf_append_decimal(out, range->first);
        if (range->last == range->first)
            continue;
        buf_append_byte(out, '-');
        buf_append_decimal(out, range->last);
    }
}

void seqset_put_json(struct json_writer *w, const char *name, const struct seqset *set)
{
    struct buf *out = json_put_raw(w, name);
    buf_append_byte(out, '"');
    seqset_write_text(out, set); /* nothing of it needs an escape */
    buf_append_byte(out, '"');
}

static struct slice cut(struct slice *rest, char separator)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    struct slice head = {rest->data, end == NULL ? rest->len : (size_t)(end - rest->data)};
    size_t used = head.len + (end == NULL ? 0 : 1);
    rest->data += used;
    rest->len -= used;
    return head;
}

bool seqset_parse_text(struct seqset *out, struct slice text)
{
    size_t count = 0;
    uint64_t before = 0;
    if (text.len > 0 && text.data[text.len - 1] == ',')
        return false;
    while (text.len > 0) {
        struct slice range = cut(&text, ',');
        struct slice last_text = range;
        struct slice first_text = cut(&last_text, '-');
        uint64_t first, last;
        if (!num_parse_u64(first_text, &first))
            return false;
        if (first_text.len == range.len)
            last = first;
        else if (!num_parse_u64(last_text, &last))
            return false;
        if (first > last || (count > 0 && first <= before) || ++count > SEQSET_TEXT_RANGES_MAX)
            return false;
        seqset_add_range(out, first, last);
        before = last;
    }
    return true;
}

size_t seqset_memory(const struct seqset *set)
{
    return set->cap * sizeof(*set->list);
}

void seqset_reset(struct seqset *set)
{
    set->count = 0;
}

void seqset_free(struct seqset *set)
{
    array_free(set);
}
