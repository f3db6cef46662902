/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "base/account.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"

enum {
    FIRST_SLOTS = 64,
    KEY_MAX = 64 * 1024 * 1024,
};

static inline void multiply_wide(uint64_t a, uint64_t b, uint64_t *high, uint64_t *low)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    *high = (uint64_t)(product >> 64);
    *low = (uint64_t)product;
#else /* 32-bit machines: by halves, as on paper */
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
    uint64_t carry = a_low * b_high + (uint32_t)middle;
    *high = a_high * b_high + (middle >> 32) + (carry >> 32);
    *low = a * b;
#endif
}

/* The two halves of a 128-bit product folded together: every input bit reaches every output bit. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t high, low;
    multiply_wide(a, b, &high, &low);
    return high ^ low;
}

/* One seed a process, drawn at first use. Two threads that race here agree on whichever won. */
static uint64_t hash_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t value = atomic_load_explicit(&seed, memory_order_relaxed);
    if (value != 0)
        return value;
    uint64_t fresh;
    if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != (ssize_t)sizeof(fresh))
        fresh = (uint64_t)clock_wall() ^ (uint64_t)clock_monotonic() << 20;
    fresh |= 1;
    if (atomic_compare_exchange_strong(&seed, &value, fresh))
        return fresh;
    return value;
}

/*
 * A product with zero forgets its other operand. So whatever key bytes go into one is mixed with a
 * secret first: with constants from this file, keys could be made that all have the same hash.
 */
static uint64_t hash_with(uint64_t seed, struct slice key)
{
    static const uint64_t odd1 = UINT64_C(0x9E3779B97F4A7C15);
    static const uint64_t odd2 = UINT64_C(0xD1B54A32D192ED03);
    uint64_t secret = mix(seed, odd1);
    uint64_t h = seed ^ mix(key.len + odd1, odd2);
    const uint8_t *p = key.data;
    size_t left = key.len;
    for (; left >= 16; p += 16, left -= 16)
        h = mix(load_u64le(p) ^ h, load_u64le(p + 8) ^ secret);
    if (left >= 8)
        return mix(mix(load_u64le(p) ^ h, load_u64le(p + left - 8) ^ secret), odd2);
    if (left >= 4)
        return mix(mix(load_u32le(p) ^ h, load_u32le(p + left - 4) ^ secret), odd2);
    uint64_t tail = 0;
    for (size_t i = 0; i < left; i++)
        tail = tail << 8 | p[i];
    return mix(mix(tail ^ h, secret), odd2);
}

uint64_t map_hash(struct slice key)
{
    return hash_with(hash_seed(), key);
}

void map_hash_wide(uint64_t seed, struct slice key, uint64_t out[static 2])
{
    static const uint64_t odd = UINT64_C(0x8CB92BA72F3D8DD7);
    out[0] = hash_with(seed, key);
    out[1] = hash_with(mix(seed, odd), key);
}

static size_t slots_memory(const struct map *m)
{
    return m->mask == 0 ? 0 : ((size_t)m->mask + 1) * sizeof(*m->slots);
}

struct slice map_key(const struct map *m, uint32_t index)
{
    const uint8_t *at = m->keys.data + m->starts[index];
    return (struct slice){at + 4, load_u32le(at)};
}

/* The slot that holds `key`, or the empty one where it belongs. */
static struct map_slot *find_slot(const struct map *m, struct slice key, uint32_t hash)
{
    uint32_t at = hash & m->mask;
    while (m->slots[at].index != 0) {
        if (m->slots[at].hash == hash && slice_equal(map_key(m, m->slots[at].index - 1), key))
            break;
        at = (at + 1) & m->mask;
    }
    return &m->slots[at];
}

static void grow_slots(struct map *m)
{
    uint32_t count = m->mask == 0 ? FIRST_SLOTS : (m->mask + 1) * 2;
    struct map_slot *old = m->slots;
    uint32_t old_count = m->mask == 0 ? 0 : m->mask + 1;
    m->slots = account_alloc(m->account, count, sizeof(*m->slots));
    m->mask = count - 1;
    m->keys.account = m->account; /* it holds nothing before the first slot does */
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].index == 0)
            continue;
        uint32_t at = old[i].hash & m->mask;
        while (m->slots[at].index != 0)
            at = (at + 1) & m->mask;
        m->slots[at] = old[i];
    }
    account_free(m->account, old, old_count * sizeof(*old));
}

static void grow_starts(struct map *m)
{
    uint32_t cap = m->starts_cap == 0 ? FIRST_SLOTS : m->starts_cap * 2;
    m->starts = account_resize(m->account, m->starts, m->starts_cap * sizeof(*m->starts),
                               cap * sizeof(*m->starts));
    m->starts_cap = cap;
}

uint32_t map_put(struct map *m, struct slice key, bool *added)
{
    /* At most half full, so that probing stays short. */
    if (m->count >= m->mask / 2)
        grow_slots(m);
    uint32_t hash = (uint32_t)map_hash(key);
    struct map_slot *slot = find_slot(m, key, hash);
    *added = slot->index == 0;
    if (!*added)
        return slot->index - 1;
    ASSERT(m->count < MAP_KEYS_MAX && key.len <= KEY_MAX);
    ASSERT(m->keys.len <= UINT32_MAX - 4 - key.len);
    if (m->count == m->starts_cap)
        grow_starts(m);
    m->starts[m->count] = (uint32_t)m->keys.len;
    buf_append_u32le(&m->keys, (uint32_t)key.len);
    buf_append_slice(&m->keys, key);
    m->count++;
    *slot = (struct map_slot){.hash = hash, .index = m->count};
    return m->count - 1;
}

int64_t map_find(const struct map *m, struct slice key)
{
    if (m->count == 0)
        return -1;
    return (int64_t)find_slot(m, key, (uint32_t)map_hash(key))->index - 1;
}

void map_reset(struct map *m)
{
    if (m->count > 0)
        memset(m->slots, 0, ((size_t)m->mask + 1) * sizeof(*m->slots));
    m->count = 0;
    buf_reset(&m->keys);
}

void map_free(struct map *m)
{
    account_free(m->account, m->slots, slots_memory(m));
    account_free(m->account, m->starts, m->starts_cap * sizeof(*m->starts));
    buf_free(&m->keys);
    *m = (struct map){.account = m->account};
}
