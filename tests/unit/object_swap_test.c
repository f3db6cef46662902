/* SPDX-License-Identifier: MIT */
#include "object/object.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "object/memory.h"
#include "object/posix.h"
#include "store_fixture.h"
#include "test.h"

/*
 * A folder with the objects 1, 2 and `other`; 1 and 2 are swapped for `both`. At each system call
 * the power fails, the process is killed, or the call fails. Whatever happened: when it is settled
 * there is either the entry and `both`, or neither, but 1 and 2; `other` is there, and so is what
 * another writer has committed meanwhile; and nothing is left over.
 */
struct world {
    struct memory_disk *disk;
    struct system system;
    bool keep;
    uint64_t entries; /* that others have made before */
};

enum fate { FATE_POWER_CUT, FATE_KILLED, FATE_EIO, FATE_ENOSPC };

static struct object_store *open_store(const struct world *w, const char *writer, struct err *err)
{
    struct object_posix_config config = {.root = "root",
                                         .entries = "log/",
                                         .writer = writer,
                                         .writer_name = writer,
                                         .system = w->system};
    return object_posix_open(&config, err);
}

static bool exists(struct object_store *store, const char *name)
{
    struct object_info info;
    struct err err = {0};
    bool found;
    EXPECT(object_head(store, name, &info, &found, &err) == 0);
    return found;
}

struct entry {
    struct object_store *store;
    uint64_t next;
    const char *text;
    bool refuse;
};

static int entry_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    const struct entry *e = context;
    (void)err;
    buf_printf(out, "%s %s\n", e->text, names[0]);
    return 0;
}

static int entry_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct entry *e = context;
    if (e->refuse)
        return err_set(err, ERR_REFUSED, "others were quicker");
    e->next += taken;
    buf_printf(out, "log/%04" PRIu64, e->next);
    return 0;
}

static struct object_staged *stage(struct object_store *store, const char *text, struct err *err)
{
    struct object_staged *staged = object_stage(store, err);
    if (staged != NULL && (object_write(staged, text, strlen(text), err) != 0 ||
                           object_finish(store, &staged, 1, err) != 0)) {
        object_abandon(staged);
        staged = NULL;
    }
    return staged;
}

static int commit(struct object_store *store, const char *name, struct err *err)
{
    struct object_staged *staged = stage(store, name, err);
    if (staged == NULL)
        return -1;
    struct object_member member = {.id = object_staged_id(staged), .name = name};
    struct entry entry = {store, 1, "commit", false};
    struct object_group group = {&member, 1, entry_text, entry_name, &entry};
    int result = object_commit(store, &group, err);
    object_staged_free(staged);
    return result;
}

static int swap(struct object_store *store, bool keep, bool refuse, struct err *err)
{
    struct object_staged *staged = stage(store, "both", err);
    if (staged == NULL)
        return -1;
    static const char *const old[] = {"sim/p/1", "sim/p/2"};
    struct object_member member = {.id = object_staged_id(staged), .name = "sim/p/both"};
    struct entry entry = {store, 1, "swap", refuse};
    struct object_swap swap = {
        "sim/p/", old, 2, keep, {&member, 1, entry_text, entry_name, &entry}};
    int result = object_swap(store, &swap, err);
    if (result == 0)
        object_staged_free(staged);
    else
        object_abandon(staged);
    return result;
}

static void commit_as(const struct world *w, const char *writer, const char *name)
{
    struct err err = {0};
    struct object_store *store = open_store(w, writer, &err);
    EXPECT(store != NULL && commit(store, name, &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_store_close(store);
}

static struct world begin(uint64_t seed, bool keep)
{
    struct memory_disk *disk = memory_disk_new(seed);
    struct world w = {disk, memory_disk_system(disk), keep, 3};
    commit_as(&w, "a", "sim/p/1");
    commit_as(&w, "a", "sim/p/2");
    commit_as(&w, "b", "sim/p/other");
    return w;
}

static bool note(void *context, struct slice name)
{
    bool added;
    (void)map_put(context, name, &added);
    return true;
}

static bool has(const struct map *names, const char *name)
{
    return map_find(names, slice_of(name)) >= 0;
}

/* What stands in the last entries: whether one of them is the swap's. */
static bool is_swapped(struct object_store *store, const struct map *names)
{
    bool swapped = false;
    for (uint64_t i = 1; i <= 5; i++) {
        struct buf name = {0}, text = {0};
        struct err err = {0};
        bool found;
        buf_printf(&name, "log/%04" PRIu64, i);
        if (has(names, buf_text(&name))) {
            EXPECT(object_get_all(store, buf_text(&name), 100, &text, &found, &err) == 0 && found);
            swapped = swapped || strcmp(buf_text(&text), "swap sim/p/both\n") == 0;
        }
        buf_free(&name);
        buf_free(&text);
    }
    return swapped;
}

/* Nothing is left of a swap. */
static void expect_clean(struct object_store *store)
{
    static const char *const hidden[] = {".varve/k/swap/1", ".varve/k/swap/both",
                                         ".varve/k/swap/other", ".varve/k/swap.record",
                                         "log/.pending-k"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        EXPECT_TEXT(exists(store, hidden[i]) ? hidden[i] : "", "");
}

static void check(const struct world *w, bool must_be_new, bool more)
{
    struct err err = {0};
    struct map names = {0};
    uint32_t removed;
    struct object_store *store = open_store(w, "k", &err);
    int settled = store != NULL ? object_settle(store, NULL, &err) : -1;
    EXPECT_TEXT(err.text, "");
    EXPECT(settled == 0);
    EXPECT(object_clean(store, &removed, &err) == 0 &&
           object_list(store, "", "", note, &names, &err) == 0);
    bool swapped = is_swapped(store, &names);
    EXPECT(swapped || !must_be_new);
    EXPECT(has(&names, "sim/p/other") && has(&names, "sim/p/both") == swapped);
    EXPECT(has(&names, "sim/p/1") == (!swapped || w->keep));
    EXPECT(has(&names, "sim/p/2") == (!swapped || w->keep));
    EXPECT(has(&names, "sim/p/more") == more);
    uint32_t objects = 1U + more + swapped + (!swapped || w->keep ? 2U : 0U);
    EXPECT(names.count == objects + 3U + more + swapped); /* and an entry for each commit */
    expect_clean(store);
    map_free(&names);
    object_store_close(store);
}

/* True: `n` was beyond the last call. */
static bool try_fate(enum fate fate, uint64_t n, bool keep, uint64_t seed)
{
    struct err err = {0};
    struct world w = begin(n + 1000 * seed, keep);
    struct object_store *store = open_store(&w, "k", &err);
    EXPECT(store != NULL && object_settle(store, NULL, &err) == 0);
    uint64_t before = memory_disk_calls(w.disk);
    if (fate == FATE_POWER_CUT || fate == FATE_KILLED)
        memory_disk_cut(w.disk, n);
    else
        memory_disk_fail(w.disk, SYSTEM_CALL_COUNT, n, fate == FATE_EIO ? EIO : ENOSPC);
    bool done = swap(store, keep, false, &err) == 0;
    bool beyond = memory_disk_calls(w.disk) - before < n;
    EXPECT(done || !beyond);
    object_store_close(store);
    memory_disk_restart(w.disk, fate == FATE_POWER_CUT);
    bool more = n % 2 == 0; /* another writer goes on before anybody settles it */
    if (more)
        commit_as(&w, "a", "sim/p/more");
    check(&w, done, more);
    memory_disk_free(w.disk);
    return beyond;
}

/* What was not made durable survives a power cut or not, as it happens: so more than once. */
static void try_all(enum fate fate, bool keep)
{
    const uint64_t seeds = fate == FATE_POWER_CUT ? 8 : 1;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        uint64_t n = 1;
        while (!try_fate(fate, n, keep, seed))
            n++;
        EXPECT(n > 40); /* a swap has no fewer calls */
    }
}

TEST(object_swap_survives_power_cuts)
{
    try_all(FATE_POWER_CUT, false);
    try_all(FATE_POWER_CUT, true);
}

TEST(object_swap_survives_kills)
{
    try_all(FATE_KILLED, false);
    try_all(FATE_KILLED, true);
}

TEST(object_swap_survives_failures)
{
    try_all(FATE_EIO, false);
    try_all(FATE_ENOSPC, false);
    try_all(FATE_EIO, true);
    try_all(FATE_ENOSPC, true);
}

/* Nothing is changed where others were quicker, or the folder holds what is no object. */
TEST(object_swap_can_be_refused)
{
    struct err err = {0};
    struct world w = begin(1, false);
    struct object_store *store = open_store(&w, "k", &err);
    EXPECT(store != NULL && object_settle(store, NULL, &err) == 0);
    EXPECT(swap(store, false, true, &err) == -1 && err.code == ERR_REFUSED);
    object_store_close(store);
    check(&w, false, false);
    commit_as(&w, "a", "sim/p/deeper/4");
    err = (struct err){0};
    store = open_store(&w, "k", &err);
    EXPECT(swap(store, false, false, &err) == -1 && err.code == ERR_REFUSED);
    EXPECT(swap(store, true, false, &(struct err){0}) == 0); /* beside it is no harm done */
    object_store_close(store);
    memory_disk_free(w.disk);
}

/* Where the file system has no exchange, all stays as it is, and beside the old files it works. */
TEST(object_swap_needs_an_exchange)
{
    struct err err = {0};
    struct world w = begin(1, false);
    struct object_store *store = open_store(&w, "k", &err);
    memory_disk_fail(w.disk, SYSTEM_CALL_RENAMEAT2, 1, EINVAL);
    EXPECT(swap(store, false, false, &err) == -1 && err.code == ERR_UNSUPPORTED);
    object_store_close(store);
    check(&w, false, false);
    memory_disk_free(w.disk);
}

/* While a swap is under way no commit moves anything, and the other way round. */
TEST(object_swap_waits_for_commits)
{
    struct memory_disk *disk = memory_disk_new(1);
    struct system s = memory_disk_system(disk);
    int one = system_openat(&s, SYSTEM_WORKING_DIR, "lock", O_RDWR | O_CREAT, 0644);
    int two = system_openat(&s, SYSTEM_WORKING_DIR, "lock", O_RDWR, 0);
    EXPECT(system_lock_shared(&s, one) == 0 && system_lock_shared(&s, two) == 0);
    EXPECT(system_lock(&s, two) == -1 && errno == EWOULDBLOCK);
    EXPECT(system_close(&s, one) == 0 && system_lock(&s, two) == 0);
    one = system_openat(&s, SYSTEM_WORKING_DIR, "lock", O_RDWR, 0);
    EXPECT(system_lock_shared(&s, one) == -1 && errno == EWOULDBLOCK);
    EXPECT(system_close(&s, two) == 0 && system_lock_shared(&s, one) == 0);
    memory_disk_free(disk);
}

/* A burst of two swaps; another writer's commit begins during the first of them. */
struct burst {
    struct object_store *late;
    pthread_t thread;
    struct entry entry;
    int swaps;      /* begun */
    bool committed; /* before the second one */
};

static void *commit_late(void *context)
{
    struct burst *b = context;
    struct err err = {0};
    return commit(b->late, "sim/late/1", &err) == 0 ? b : NULL;
}

static bool somebody_waits(void)
{
    int fd = open("root/.varve/%waiting", O_RDWR | O_CLOEXEC);
    bool waits = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    EXPECT(fd < 0 || close(fd) == 0);
    return waits;
}

/* The folders are held. */
static int burst_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    struct burst *b = context;
    const int64_t deadline = clock_monotonic() + 60 * CLOCK_SECOND;
    if (++b->swaps == 1) {
        EXPECT(pthread_create(&b->thread, NULL, commit_late, b) == 0);
        while (!somebody_waits() && clock_monotonic() < deadline)
            clock_sleep(CLOCK_MILLISECOND);
        EXPECT(access("root/sim/late/1", F_OK) != 0);
    } else {
        b->committed = access("root/sim/late/1", F_OK) == 0;
    }
    return entry_text(&b->entry, names, out, err);
}

static int burst_name(void *context, bool taken, struct buf *out, struct err *err)
{
    return entry_name(&((struct burst *)context)->entry, taken, out, err);
}

static void swap_in_burst(struct object_store *store, struct burst *b, const char *folder)
{
    struct err err = {0};
    struct buf names[2] = {{0}, {0}};
    struct object_staged *staged = stage(store, "both", &err);
    EXPECT(staged != NULL);
    buf_printf(&names[0], "%s1", folder);
    buf_printf(&names[1], "%sboth", folder);
    const char *const old[] = {buf_text(&names[0])};
    struct object_member member = {.id = object_staged_id(staged), .name = buf_text(&names[1])};
    struct object_swap swap = {folder, old, 1, false, {&member, 1, burst_text, burst_name, b}};
    EXPECT(object_swap(store, &swap, &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_staged_free(staged);
    buf_free(&names[0]);
    buf_free(&names[1]);
}

TEST(object_swap_lets_a_commit_pass_before_the_next_one)
{
    char dir[64];
    struct err err = {0};
    const struct world w = {0};
    void *done;
    fixture_begin_fast(dir);
    commit_as(&w, "a", "sim/p/1");
    commit_as(&w, "a", "sim/q/1");
    struct object_store *store = open_store(&w, "k", &err);
    struct burst b = {.late = open_store(&w, "late", &err), .entry = {store, 1, "swap", false}};
    EXPECT(store != NULL && b.late != NULL && object_settle(store, NULL, &err) == 0);
    swap_in_burst(store, &b, "sim/p/");
    swap_in_burst(store, &b, "sim/q/");
    EXPECT(pthread_join(b.thread, &done) == 0 && done == &b);
    EXPECT(b.swaps == 2 && b.committed);
    object_store_close(b.late);
    object_store_close(store);
    fixture_end_fast(dir);
}
