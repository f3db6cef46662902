/* SPDX-License-Identifier: MIT */
#include "quality/quality.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

/*
 * Which event_id was there before. Of each its hash is kept in a table of open addressing. Where
 * there are more than it has room for, the rows come again, and each time those count whose hashes
 * are in another part of all. A hash of 112 bits, seeded at random, stands for the text itself:
 * two texts of 10^10 in a simulation have the same one with a chance of 10^-14.
 */
enum {
    FIRST_SLOTS = 4096,
    SIMULATION_BITS = 16,
};
_Static_assert(QUALITY_SIMULATIONS_MAX < 1 << SIMULATION_BITS, "each has a number of its own");

/* Where it is looked for first. */
static struct quality_id *first_slot(const struct quality *q, struct quality_id id)
{
    return &q->ids[(id.hash[1] >> 32) * q->ids_slots >> 32];
}

static struct quality_id *slot_of(const struct quality *q, struct quality_id id)
{
    struct quality_id *slot = first_slot(q, id), *end = q->ids + q->ids_slots;
    for (;;) {
        bool empty = slot->hash[0] == 0 && slot->hash[1] == 0;
        if (empty || (slot->hash[0] == id.hash[0] && slot->hash[1] == id.hash[1]))
            return slot;
        slot = slot + 1 < end ? slot + 1 : q->ids;
    }
}

/* What is looked up lies anywhere in it. A system that has none goes on with small ones. */
static void ask_for_large_pages(void *memory, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)memory;
    uintptr_t first = (start + page - 1) / page * page, end = (start + size) / page * page;
    if (end > first)
        (void)madvise((uint8_t *)memory + (first - start), end - first, MADV_HUGEPAGE);
}

static void grow(struct quality *q, uint64_t slots)
{
    struct quality_id *old = q->ids;
    uint64_t old_slots = q->ids_slots;
    slots = slots < FIRST_SLOTS ? FIRST_SLOTS : slots;
    slots = slots < q->ids_max ? slots : q->ids_max;
    size_t size = (size_t)slots * sizeof(*q->ids);
    q->ids = account_resize(&q->account, NULL, 0, size);
    /* Written at once: each page that is first read, and then written, is a fault more. */
    ask_for_large_pages(q->ids, size);
    memset(q->ids, 0, size);
    q->ids_slots = slots;
    for (uint64_t i = 0; i < old_slots; i++)
        if (old[i].hash[0] != 0 || old[i].hash[1] != 0)
            *slot_of(q, old[i]) = old[i];
    account_free(&q->account, old, (size_t)old_slots * sizeof(*old));
}

static void look_up(struct quality *q, const struct quality_due *due)
{
    struct quality_id *slot = slot_of(q, due->id);
    if (slot->hash[0] != 0 || slot->hash[1] != 0) {
        quality_find(&q->groups.list[due->group], QUALITY_DUPLICATE, due->sequence);
        return;
    }
    *slot = due->id;
    q->ids_count++;
}

static uint64_t slots_for(uint64_t ids)
{
    return ids < QUALITY_IDS_MAX ? ids + ids / 3 + 1 : QUALITY_IDS_MAX;
}

void quality_expect_ids(struct quality *q, uint64_t count)
{
    uint64_t slots = slots_for(count < QUALITY_IDS_MAX ? q->ids_count + count : count);
    if (slots > q->ids_slots && q->ids_slots < q->ids_max)
        grow(q, slots);
}

static void look_up_due(struct quality *q)
{
    bool fits = slots_for(q->ids_count + q->due_count) <= q->ids_slots;
    if (!fits && q->ids_slots < q->ids_max)
        grow(q, q->ids_slots * 2);
    else if (!fits)
        q->ids_full = true;
    for (uint32_t i = 0; i < q->due_count && !q->ids_full; i++)
        look_up(q, &q->due[i]);
    q->due_count = 0;
}

struct quality_id quality_identify(const struct quality *q, struct slice event_id)
{
    struct quality_id id = {{0, 0}};
    if (event_id.len > 0)
        map_hash_wide(q->seed, event_id, id.hash);
    return id;
}

void quality_note_id(struct quality *q, uint32_t group, struct quality_id id, uint64_t sequence)
{
    bool none = id.hash[0] == 0 && id.hash[1] == 0;
    if (none || q->ids_full)
        return;
    if (q->passes > 1 && (id.hash[0] & UINT32_MAX) * q->passes >> 32 != q->pass)
        return;
    uint64_t simulation = q->groups.list[group].simulation;
    id.hash[0] = id.hash[0] >> SIMULATION_BITS | simulation << (64 - SIMULATION_BITS);
    const struct quality_due due = {id, sequence, group};
    if (q->keeps_ids) {
        *array_add(&q->noted) = due;
        return;
    }
    if (q->ids != NULL)
        __builtin_prefetch(first_slot(q, id), 1);
    q->due[q->due_count++] = due;
    if (q->due_count == QUALITY_DUE)
        look_up_due(q);
}

static void forget_ids(struct quality *q)
{
    for (uint64_t i = 0; i < q->ids_slots; i++)
        q->ids[i] = (struct quality_id){{0, 0}};
    q->ids_count = 0;
    q->ids_full = false;
}

int quality_next_pass(struct quality *q)
{
    look_up_due(q);
    if (q->ids_full) {
        /* Half of what there is room for, on average: parts are not equal. Nothing that was counted
         * so far is of use. */
        for (size_t i = 0; i < q->groups.count; i++)
            q->groups.list[i].findings[QUALITY_DUPLICATE] = (struct quality_count){0, 0};
        uint64_t passes = q->rows / (q->ids_max / 2) + 1;
        ASSERT(passes <= UINT32_MAX);
        q->passes = q->passes < passes ? (uint32_t)passes : q->passes * 2;
        q->pass = 0;
    } else if (++q->pass >= q->passes) {
        return 0;
    }
    forget_ids(q);
    return 1;
}
