/* SPDX-License-Identifier: MIT */
#include "quality/sketch.h"

#include <string.h>

enum { BITS = 5 }; /* of SKETCH_BUCKETS */

/* The number of the bucket of a magnitude: values below 32 have one each, and each power of two
 * above as many as that. */
static uint32_t bucket_of(uint64_t magnitude)
{
    if (magnitude < SKETCH_BUCKETS)
        return (uint32_t)magnitude;
    unsigned shift = 63 - (unsigned)__builtin_clzll(magnitude) - BITS;
    return (shift << BITS) + (uint32_t)(magnitude >> shift);
}

/* Its middle. */
static uint64_t value_of(uint32_t bucket)
{
    if (bucket < 2 * SKETCH_BUCKETS)
        return bucket;
    unsigned shift = (bucket >> BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << BITS)) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

static struct sketch_block *find_block(struct sketch *s, int32_t number)
{
    size_t at = 0;
    while (at < s->blocks.count && s->blocks.list[at].number < number)
        at++;
    if (at < s->blocks.count && s->blocks.list[at].number == number)
        return &s->blocks.list[at];
    (void)array_add(&s->blocks);
    struct sketch_block *block = &s->blocks.list[at];
    memmove(block + 1, block, (s->blocks.count - 1 - at) * sizeof(*block));
    *block = (struct sketch_block){.number = number};
    return block;
}

void sketch_add(struct sketch *s, int64_t value)
{
    /* Numbers below zero are those of what they lack to -1, in blocks below zero. */
    uint32_t bucket = bucket_of(value < 0 ? ~(uint64_t)value : (uint64_t)value);
    int32_t number = (int32_t)(bucket >> BITS);
    struct sketch_block *block = find_block(s, value < 0 ? ~number : number);
    block->counts[bucket % SKETCH_BUCKETS]++;
    if (s->count == 0 || value < s->min)
        s->min = value;
    if (s->count == 0 || value > s->max)
        s->max = value;
    s->count++;
}

static int64_t bounded(const struct sketch *s, int64_t value)
{
    if (value < s->min)
        return s->min;
    return value > s->max ? s->max : value;
}

int64_t sketch_quantile(const struct sketch *s, uint32_t percent)
{
    uint64_t rank = s->count / 100 * percent + s->count % 100 * percent / 100, seen = 0;
    for (size_t i = 0; i < s->blocks.count; i++) {
        const struct sketch_block *block = &s->blocks.list[i];
        bool negative = block->number < 0;
        for (uint32_t j = 0; j < SKETCH_BUCKETS; j++) {
            uint32_t place = negative ? SKETCH_BUCKETS - 1 - j : j;
            seen += block->counts[place];
            if (seen <= rank && seen < s->count)
                continue;
            uint32_t number = (uint32_t)(negative ? ~block->number : block->number);
            uint64_t value = value_of(number * SKETCH_BUCKETS + place);
            return bounded(s, (int64_t)(negative ? ~value : value));
        }
    }
    return 0;
}

void sketch_free(struct sketch *s)
{
    array_free(&s->blocks);
    s->count = 0;
}
