/* SPDX-License-Identifier: MIT */
#include "follow/identities.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "object/memory.h"
#include "object/open.h"
#include "test.h"

enum { SIMULATIONS = 3, EVENTS = 400000 };

/* A store in memory, what is kept in it, and what is to be found. */
struct run {
    struct memory_disk *disk;
    struct object_store *store;
    struct config config;
    struct quality q;
    struct identities ids;
    struct buf kept;
    bool *seen; /* by identity and simulation */
    uint64_t expected[SIMULATIONS];
    uint64_t sequence;
};

static const char folder[] = "_quality/_state/x/";

static void note(struct run *r, uint64_t identity, unsigned simulation)
{
    char id[24], name[2] = {(char)('a' + simulation), '\0'};
    uint8_t number[8];
    struct slice values[QUALITY_COLUMNS];
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        values[i] = slice_of("x");
    (void)snprintf(id, sizeof(id), "%u", (unsigned)identity);
    store_u64le(number, ++r->sequence);
    values[QUALITY_EVENT_ID] = slice_of(id);
    values[QUALITY_SIMULATION_ID] = slice_of(name);
    values[QUALITY_STREAM_SEQ] = values[QUALITY_STREAM_TIME] = values[QUALITY_TIMESTAMP_NS] =
        (struct slice){number, 8};
    quality_take(&r->q, values);
}

static void reload(struct run *r)
{
    struct err err = {0};
    size_t at = 0;
    identities_free(&r->ids);
    r->ids = (struct identities){.store = r->store, .folder = folder};
    EXPECT(r->kept.len == 0 || identities_get(&r->ids, buf_slice(&r->kept), &at, &err) == 0);
    EXPECT_U64(at, r->kept.len);
    EXPECT(identities_clean(&r->ids, &err) == 0);
}

static bool count_file(void *context, struct slice name)
{
    (void)name;
    ++*(size_t *)context;
    return true;
}

/* A commit, after some that came to nothing at different points. */
static void commit(struct run *r)
{
    struct err err = {0};
    struct quality_due *noted = calloc(r->q.noted.count, sizeof(*noted));
    size_t count = r->q.noted.count, files = 0;
    memcpy(noted, r->q.noted.list, count * sizeof(*noted));
    if (test_random() % 3 == 0) {
        EXPECT(identities_look_up(&r->ids, &r->q, &err) == 0);
        EXPECT(identities_write(&r->ids, &err) == 0);
        reload(r);
        for (size_t i = 0; i < count; i++)
            *array_add(&r->q.noted) = noted[i];
    }
    for (size_t g = 0; g < r->q.groups.count; g++)
        r->q.groups.list[g].findings[QUALITY_DUPLICATE].rows = 0;
    EXPECT(identities_look_up(&r->ids, &r->q, &err) == 0);
    EXPECT(identities_write(&r->ids, &err) == 0);
    buf_reset(&r->kept);
    identities_put(&r->ids, &r->kept);
    EXPECT(identities_tidy(&r->ids, &err) == 0);
    EXPECT(object_list(r->store, folder, "", count_file, &files, &err) == 0);
    EXPECT_U64(files, r->ids.chunks.count);
    EXPECT(r->kept.len < 16 * IDENTITIES_TAIL_MAX + 64 * files + 64);
    free(noted);
    for (size_t g = 0; g < r->q.groups.count; g++) {
        unsigned simulation =
            (unsigned)(map_key(&r->q.simulations, r->q.groups.list[g].simulation).data[0] - 'a');
        EXPECT_U64(r->q.groups.list[g].findings[QUALITY_DUPLICATE].rows, r->expected[simulation]);
        r->expected[simulation] = 0;
    }
}

TEST(follow_identities_finds_each_that_was_there_before)
{
    struct run r = {.disk = memory_disk_new(1), .seen = calloc(EVENTS, SIMULATIONS)};
    struct err err = {0};
    const struct object_config config = {.root = "/",
                                         .entries = "_delta_log/",
                                         .writer = "x",
                                         .writer_name = "%x",
                                         .system = memory_disk_system(r.disk)};
    config_init(&r.config);
    r.store = object_open(&config, &err);
    EXPECT(r.store != NULL && quality_init(&r.q, &r.config, NULL, 0, &err) == 0);
    reload(&r);
    uint64_t next = 0;
    for (int i = 0; i < EVENTS; i++) {
        bool again = next > 0 && test_random() % 8 == 0;
        uint64_t identity = again ? test_random() % next : next++;
        unsigned simulation = (unsigned)(test_random() % 8 % SIMULATIONS);
        bool *seen = &r.seen[identity * SIMULATIONS + simulation];
        r.expected[simulation] += *seen;
        *seen = true;
        note(&r, identity, simulation);
        if (test_random() % 20000 == 0 || i == EVENTS - 1)
            commit(&r);
    }
    EXPECT(r.ids.runs.count > 0 && r.ids.chunks.count > r.ids.runs.count);
    identities_free(&r.ids);
    quality_free(&r.q);
    object_store_close(r.store);
    memory_disk_free(r.disk);
    config_free(&r.config);
    buf_free(&r.kept);
    free(r.seen);
}
