/* SPDX-License-Identifier: MIT */
#include "parquet/dictionary.h"

#include "base/bytes.h"

/* Whether all values are equal, at the price of one memcmp: a run of equal records is equal to
 * itself, moved by one record. */
static bool is_constant(struct slice values, size_t record, uint32_t count)
{
    return values.len == record * count &&
           memcmp(values.data, values.data + record, values.len - record) == 0;
}

static bool fits(const struct map *map)
{
    return map->count <= DICTIONARY_ENTRIES_MAX && map->keys.len <= DICTIONARY_BYTES_MAX;
}

static bool number_each(struct map *map, struct slice values, uint32_t *numbers)
{
    const uint8_t *at = values.data, *end = values.data + values.len;

    while (at < end) {
        struct slice value = {at + 4, load_u32le(at)};
        bool added;
        *numbers++ = map_put(map, value, &added);
        if (added && !fits(map))
            return false;
        at = value.data + value.len;
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
                      : number_each(&d->map, values, numbers);
    if (!fitted || d->map.keys.len > (d->plain + values.len) / 2)
        return false;
    d->entries = d->map.count;
    d->bytes = d->map.keys.len;
    d->plain += values.len;
    return true;
}

struct slice dictionary_page(const struct dictionary *d)
{
    return (struct slice){d->map.keys.data, d->bytes};
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
    *d = (struct dictionary){0};
}
