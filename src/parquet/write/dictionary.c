/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include "base/bytes.h"

/* Whether all values are equal, at the price of one comparison: a run of equal records is equal to
 * itself, moved by one record. */
static bool is_constant(struct slice values, size_t record, uint32_t count)
{
    size_t rest = values.len - record;

    return values.len == record * count && slice_equal((struct slice){values.data, rest},
                                                       (struct slice){values.data + record, rest});
}

static bool fits(const struct map *map)
{
    return map->count <= DICTIONARY_ENTRIES_MAX && map->keys.len <= DICTIONARY_BYTES_MAX;
}

/*
 * Most values are one of a few, so each is first looked for in a small table by its last bytes,
 * where the names of workers, simulations and types differ; that is twice as fast as the map, whose
 * hash reads all of a value. A value that is not there, or collides, goes to the map. It is cleared
 * for each batch, so that of few values is a smaller one.
 */
enum { RECENT_BITS_MIN = 6, RECENT_BITS = 10, RECENT_VALUES = 8 };

struct recent {
    const uint8_t *record; /* the PLAIN value, in the batch; NULL: empty */
    uint32_t number;
};

/* How many bits number the slots for `count` values: RECENT_VALUES a slot. */
static unsigned recent_bits(uint32_t count)
{
    unsigned bits = RECENT_BITS_MIN;

    while (bits < RECENT_BITS && count >> bits >= RECENT_VALUES)
        bits++;
    return bits;
}

/* Which slot is that of a record of `size` bytes, at least 8. */
static size_t recent_slot(const uint8_t *record, size_t size, unsigned bits)
{
    uint64_t hash = (load_u64le(record + size - 8) + size) * UINT64_C(0x9E3779B97F4A7C15);

    return (size_t)(hash >> (64 - bits));
}

/* Whether the `size` bytes, at least 8, of two records are equal: their lengths are among them. */
static inline bool same_record(const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t at = 0; at + 8 < size; at += 8)
        if (load_u64le(a + at) != load_u64le(b + at))
            return false;
    return load_u64le(a + size - 8) == load_u64le(b + size - 8);
}

static bool number_each(struct map *map, struct slice values, uint32_t count, uint32_t *numbers)
{
    struct recent recent[1 << RECENT_BITS];
    unsigned bits = recent_bits(count);
    const uint8_t *at = values.data, *end = values.data + values.len;

    memset(recent, 0, sizeof(*recent) << bits);
    for (; at < end; numbers++) {
        const uint8_t *record = at;
        struct slice value = {at + 4, load_u32le(at)};
        size_t size = 4 + value.len;
        struct recent *slot = size >= 8 ? &recent[recent_slot(record, size, bits)] : NULL;
        at += size;
        if (slot != NULL && slot->record != NULL && same_record(slot->record, record, size)) {
            *numbers = slot->number;
            continue;
        }
        bool added;
        *numbers = map_put(map, value, &added);
        if (added && !fits(map))
            return false;
        if (slot != NULL)
            *slot = (struct recent){record, *numbers};
    }
    return true;
}

static bool number_constant(struct map *map, struct slice value, uint32_t count, uint32_t *numbers)
{
    bool added;
    uint32_t number = map_put(map, value, &added);

    for (uint32_t i = 0; i < count; i++)
        numbers[i] = number;
    return fits(map);
}

bool dictionary_number(struct dictionary *d, struct slice values, uint32_t count, uint32_t *numbers)
{
    if (count == 0)
        return true;

    struct slice first = {values.data + 4, load_u32le(values.data)};
    bool fitted = is_constant(values, first.len + 4, count)
                      ? number_constant(&d->map, first, count, numbers)
                      : number_each(&d->map, values, count, numbers);
    if (!fitted || d->map.keys.len > (d->plain + values.len) / 2)
        return false;
    d->entries = d->map.count;
    d->bytes = d->map.keys.len;
    d->plain += values.len;
    return true;
}

struct slice dictionary_page(const struct dictionary *d)
{
    return (struct slice){d->map.keys.data, (size_t)d->bytes};
}

void dictionary_reset(struct dictionary *d)
{
    map_reset(&d->map);
    d->entries = 0;
    d->bytes = 0;
    d->plain = 0;
}

void dictionary_free(struct dictionary *d)
{
    map_free(&d->map);
    *d = (struct dictionary){.map = {.account = d->map.account}};
}
