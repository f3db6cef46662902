/* SPDX-License-Identifier: MIT */
#include "verify/sequences.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"

static int by_first(const void *a, const void *b)
{
    const struct seqrange *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool is_ordered(const struct seqset *set)
{
    size_t i = 1;
    while (i < set->count && set->list[i - 1].first <= set->list[i].first)
        i++;
    return i >= set->count;
}

void sequences_normalize(struct seqset *set, uint64_t *twice)
{
    size_t kept = 0;
    *twice = 0;
    if (set->count == 0)
        return;
    if (!is_ordered(set))
        qsort(set->list, set->count, sizeof(*set->list), by_first);
    for (size_t i = 1; i < set->count; i++) {
        struct seqrange *last = &set->list[kept], next = set->list[i];
        if (next.first <= last->last && *twice == 0)
            *twice = next.first;
        if (next.first <= last->last || next.first - last->last == 1) {
            if (next.last > last->last)
                last->last = next.last;
        } else {
            set->list[++kept] = next;
        }
    }
    set->count = kept + 1;
}

void sequences_add(struct sequences *s, struct slice stream, struct slice created, uint32_t file,
                   bool quarantine, const struct seqset *ranges)
{
    struct buf key = {0};
    bool added = false;
    claims_key(&key, stream, created);
    uint32_t number = map_put(&s->streams, buf_slice(&key), &added);
    buf_free(&key);
    array_reserve(s, ranges->count);
    for (size_t i = 0; i < ranges->count; i++)
        s->list[s->count++] = (struct sequence_range){ranges->list[i].first, ranges->list[i].last,
                                                      number, file, quarantine};
}

static inline bool is_before(const struct sequence_range *a, const struct sequence_range *b)
{
    return a->stream != b->stream ? a->stream < b->stream : a->first < b->first;
}

/* Where the ranges from `at` on, one at least, are not in order any more. */
static size_t order_end(const struct sequence_range *list, size_t count, size_t at)
{
    size_t end = at + 1;
    while (end < count && !is_before(&list[end], &list[end - 1]))
        end++;
    return end;
}

/* The ranges of [at, middle) and of [middle, end), each in order, together. */
static void merge(const struct sequence_range *list, size_t at, size_t middle, size_t end,
                  struct sequence_range *out)
{
    for (size_t other = middle; at < middle || other < end;) {
        bool takes_other = at == middle || (other < end && is_before(&list[other], &list[at]));
        *out++ = takes_other ? list[other++] : list[at++];
    }
}

/* Those of a file are in order already, so neighbours are merged until all are: as often as the
 * number of files has bits, where qsort would look at each range five times as often. */
void sequences_sort(struct sequences *s)
{
    struct sequence_range *from = s->list, *to = NULL;
    size_t count = s->count;
    if (count == 0 || order_end(from, count, 0) == count)
        return;
    to = account_alloc(s->account, s->cap, sizeof(*to));
    for (size_t end = 0; end < count;) {
        size_t pairs = 0;
        for (end = 0; end < count; pairs++) {
            size_t at = end, middle = order_end(from, count, at);
            end = middle < count ? order_end(from, count, middle) : count;
            merge(from, at, middle, end, to + at);
        }
        struct sequence_range *merged = to;
        to = from;
        from = merged;
        if (pairs > 1)
            end = 0;
    }
    s->list = from;
    account_free(s->account, to, s->cap * sizeof(*to));
}

/* One stream, from its first sequence on. */
struct sweep {
    struct report *report;
    const char *const *paths;
    struct slice stream;
    struct gaps *gaps;
    uint64_t covered;                        /* up to here all is in files, or a gap */
    const struct sequence_range *table_last; /* the row range that reaches farthest */
    uint64_t duplicates;
};

static void found_duplicate(struct sweep *w, const struct sequence_range *range)
{
    uint64_t last = range->last < w->table_last->last ? range->last : w->table_last->last;
    if (w->duplicates++ < REPORT_EACH_MAX)
        report_found(w->report, "duplicate", "%.*s: %" PRIu64 "-%" PRIu64 " are in %s and in %s",
                     (int)w->stream.len, (const char *)w->stream.data, range->first, last,
                     w->paths[w->table_last->file], w->paths[range->file]);
}

static void step(struct sweep *w, const struct sequence_range *range)
{
    if (w->covered != UINT64_MAX && range->first > w->covered + 1 && w->gaps != NULL)
        gaps_add(w->gaps, w->covered + 1, range->first - 1);
    if (range->last > w->covered)
        w->covered = range->last;
    if (range->quarantine)
        return;
    if (w->table_last != NULL && range->first <= w->table_last->last)
        found_duplicate(w, range);
    if (w->table_last == NULL || range->last > w->table_last->last)
        w->table_last = range;
}

static void end_stream(struct sweep *w)
{
    if (w->gaps != NULL)
        gaps_end(w->gaps, w->covered);
    if (w->duplicates > REPORT_EACH_MAX)
        report_total(w->report, "duplicate", false, "%.*s: %" PRIu64 " more", (int)w->stream.len,
                     (const char *)w->stream.data, w->duplicates - REPORT_EACH_MAX);
}

static bool counts(const struct verified_file *files, uint32_t file)
{
    return files == NULL || files[file].state == VERIFY_LIVE || files[file].state == VERIFY_BESIDE;
}

/* The same stream in another state: what varve puts behind the time of its creation, from '~' on,
 * when it was set back, differs. */
static bool is_former(struct slice key, struct slice other)
{
    const uint8_t *mark = memrchr(key.data, '~', key.len);
    size_t len = mark != NULL ? (size_t)(mark - key.data) : 0;
    return len > 0 && !slice_equal(key, other) && other.len >= len &&
           memcmp(key.data, other.data, len) == 0 && (other.len == len || other.data[len] == '~');
}

/* Rows of former states of a stream that are in front of the first row of this one: where the two
 * are the same, nothing was stored again. */
static void find_carried(const struct sequences *s, const struct verified_file *states,
                         struct slice key, uint64_t first, struct seqset *out)
{
    seqset_reset(out);
    for (size_t i = 0; i < s->count; i++) {
        const struct sequence_range *range = &s->list[i];
        if (range->first < first && counts(states, range->file) &&
            is_former(key, map_key(&s->streams, range->stream)))
            seqset_add_range(out, range->first, range->last < first ? range->last : first - 1);
    }
}

/* Generations that the commits know, and of which no file has a row: the server may know more. */
static void report_without_files(const struct sequences *s, const struct verified_file *states,
                                 struct gaps *gaps, struct seqset *carried)
{
    for (uint32_t i = 0; i < gaps->claims->generations.count; i++) {
        struct slice key = map_key(&gaps->claims->generations, i);
        if (map_find(&s->streams, key) >= 0)
            continue;
        uint64_t first = gaps_begin(gaps, key);
        find_carried(s, states, key, UINT64_MAX, carried);
        gaps->carried = carried;
        gaps_end(gaps, first > 0 ? first - 1 : 0);
    }
}

void sequences_report(struct sequences *s, struct report *r, const char *const *paths,
                      const struct verified_file *states, struct gaps *gaps)
{
    struct sweep w = {0};
    struct seqset carried = {0};
    sequences_sort(s);
    int64_t stream = -1;
    for (size_t i = 0; i < s->count; i++) {
        const struct sequence_range *range = &s->list[i];
        if (!counts(states, range->file))
            continue;
        if (range->stream != stream) {
            end_stream(&w);
            stream = range->stream;
            w = (struct sweep){.report = r,
                               .paths = paths,
                               .stream = map_key(&s->streams, range->stream),
                               .gaps = gaps,
                               .covered = range->first > 0 ? range->first - 1 : 0};
            uint64_t first = gaps != NULL ? gaps_begin(gaps, w.stream) : 0;
            if (first > 0 && first <= w.covered)
                w.covered = first - 1;
            find_carried(s, states, w.stream, range->first, &carried);
            if (gaps != NULL)
                gaps->carried = &carried;
        }
        step(&w, range);
    }
    end_stream(&w);
    if (gaps != NULL && gaps->server != NULL)
        report_without_files(s, states, gaps, &carried);
    seqset_free(&carried);
}

void sequences_find_extra(const struct sequences *s, struct verified_file *files)
{
    struct seqset set = {0}; /* of the stream at hand */
    for (size_t i = 0, end = 0; i < s->count; i = end) {
        seqset_reset(&set);
        for (end = i; end < s->count && s->list[end].stream == s->list[i].stream; end++)
            if (counts(files, s->list[end].file))
                seqset_add_range(&set, s->list[end].first, s->list[end].last);
        for (size_t j = i; j < end; j++) {
            const struct sequence_range *range = &s->list[j];
            if (!counts(files, range->file) &&
                seqset_contiguous_end(&set, range->first) < range->last)
                files[range->file].extra = true;
        }
    }
    seqset_free(&set);
}

void sequences_free(struct sequences *s)
{
    array_free(s);
    map_free(&s->streams);
    *s = (struct sequences){0};
}
