/* SPDX-License-Identifier: MIT */
#include "object/object.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "object/memory.h"
#include "object/posix.h"
#include "test.h"

/*
 * A run of varve as an object store sees it: recover what a crash left, then commit what is missing
 * of a few groups. Group g has members <g>/a/b, <g>/c and z-<g>/2, and some more of that kind if
 * asked for; the content of each is its name. The text of an entry has a line "<id> <name>" for
 * each member.
 *
 * For every n the power fails, or the process is killed, in front of the n-th system call; what is
 * there after recovery must be whole groups, at least those that were reported as committed, and
 * nothing else.
 */
enum { GROUPS = 3, MEMBERS_MAX = 160 };

struct group;

struct world {
    struct memory_disk *disk;
    struct system system;
    uint64_t members; /* of each group, at least 3 */
    bool taken;       /* all groups want the same names */
    struct group *borrowed;
    uint64_t committed; /* groups of which object_commit has said so */
};

struct group {
    struct object_store *store;
    uint64_t next; /* number of the entry */
    struct object_member members[MEMBERS_MAX];
    char names[MEMBERS_MAX][32], ids[MEMBERS_MAX][OBJECT_ID_MAX];
    size_t count;
};

static bool count_entry(void *context, struct slice name)
{
    (void)name;
    ++*(uint64_t *)context;
    return true;
}

static int group_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    struct group *g = context;
    (void)err;
    for (size_t i = 0; i < g->count; i++)
        buf_printf(out, "%s %s\n", g->members[i].id, names[i]);
    return 0;
}

static int group_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct group *g = context;
    (void)err;
    g->next += taken;
    buf_printf(out, "log/%04" PRIu64, g->next);
    return 0;
}

static void add_member(struct group *g, const char *id, const char *name)
{
    size_t i = g->count++;
    (void)snprintf(g->ids[i], sizeof(g->ids[i]), "%s", id);
    (void)snprintf(g->names[i], sizeof(g->names[i]), "%s", name);
    g->members[i] = (struct object_member){.id = g->ids[i], .name = g->names[i]};
}

static struct object_group as_group(struct group *g)
{
    return (struct object_group){g->members, g->count, group_text, group_name, g};
}

static void parse_text(struct group *g, struct buf *text)
{
    char *rest;
    char *copy = strdup(buf_text(text));
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *blank = strchr(line, ' ');
        EXPECT(blank != NULL);
        *blank = '\0';
        add_member(g, line, blank + 1);
    }
    free(copy);
}

/* What opening does; the number of the next entry, which is how many there are and one. */
static int recover(struct object_store *store, uint64_t *next, struct err *err)
{
    struct group *g = calloc(1, sizeof(*g));
    struct buf text = {0};
    bool found, committed;
    uint32_t removed;
    *next = 1;
    int result = object_list(store, "log/", "", count_entry, next, err);
    if (result == 0)
        result = object_interrupted(store, &text, &found, err);
    if (result == 0 && found) {
        parse_text(g, &text);
        g->store = store;
        g->next = *next;
        struct object_group group = as_group(g);
        result = object_resume(store, &group, &committed, err);
        EXPECT(result != 0 || committed);
        *next = g->next + 1;
    }
    if (result == 0)
        result = object_clean(store, &removed, err);
    buf_free(&text);
    free(g);
    return result;
}

static void member_name(char out[static 32], uint64_t number, uint64_t member)
{
    if (member == 0)
        (void)snprintf(out, 32, "%" PRIu64 "/a/b", number);
    else if (member == 1)
        (void)snprintf(out, 32, "%" PRIu64 "/c", number);
    else
        (void)snprintf(out, 32, "z-%" PRIu64 "/%" PRIu64, number, member);
}

static int commit_group(struct world *w, struct object_store *store, uint64_t number,
                        struct err *err)
{
    struct group *g = calloc(1, sizeof(*g));
    struct object_staged *staged[MEMBERS_MAX] = {NULL};
    int result = 0;
    g->store = store;
    g->next = number;
    for (uint64_t i = 0; i < w->members && result == 0; i++) {
        char name[32];
        member_name(name, w->taken ? 1 : number, i);
        staged[i] = object_stage(store, err);
        if (staged[i] == NULL || object_write(staged[i], name, strlen(name), err) != 0)
            result = -1;
        else
            add_member(g, object_staged_id(staged[i]), name);
    }
    if (result == 0)
        result = object_finish(store, staged, (size_t)w->members, err);
    struct object_group group = as_group(g);
    /* As the committer does it: until it works, or the power is gone. */
    for (int attempt = 0; result == 0 && attempt < 8; attempt++) {
        err_clear(err);
        result = object_commit(store, &group, err);
        if (result == 0 || memory_disk_is_off(w->disk))
            break;
        result = attempt == 7 ? -1 : 0;
    }
    if (result == 0)
        w->committed = number;
    for (uint64_t i = 0; i < w->members; i++) {
        if (result != 0 && g->count < w->members)
            object_abandon(staged[i]);
        else
            object_staged_free(staged[i]);
    }
    free(w->borrowed);
    w->borrowed = g; /* by the store, until it is closed or this is committed */
    return result;
}

/* Until all is committed, or the power is gone. */
static void run(struct world *w)
{
    struct object_posix_config config = {.root = "data/root",
                                         .entries = "log/",
                                         .writer = "w",
                                         .writer_name = "w",
                                         .system = w->system};
    for (int attempt = 0; attempt < 8 && !memory_disk_is_off(w->disk); attempt++) {
        struct err err = {0};
        uint64_t next;
        struct object_store *store = object_posix_open(&config, &err);
        bool done = store != NULL && recover(store, &next, &err) == 0;
        while (done && next <= GROUPS)
            done = commit_group(w, store, next++, &err) == 0;
        object_store_close(store);
        free(w->borrowed);
        w->borrowed = NULL;
        if (done)
            return;
    }
}

static void expect_object(struct object_store *store, const char *name)
{
    struct err err = {0};
    struct buf text = {0};
    bool found;
    EXPECT(object_get_all(store, name, 64, &text, &found, &err) == 0 && found);
    EXPECT(slice_starts_with(slice_of(name), buf_text(&text))); /* with a number, if it was taken */
    buf_free(&text);
}

static bool note_object(void *context, struct slice name)
{
    bool added;
    if (!slice_starts_with(name, "log/"))
        (void)map_put(context, name, &added);
    return true;
}

/* After recovery: `through` groups, each whole, and nothing else. */
static void expect_groups(struct object_store *store, uint64_t through, uint64_t members)
{
    struct err err = {0};
    struct map objects = {0};
    uint64_t entries = 0;
    EXPECT(object_list(store, "log/", "", count_entry, &entries, &err) == 0);
    EXPECT_U64(entries, through);
    EXPECT(object_list(store, "", "", note_object, &objects, &err) == 0);
    EXPECT_U64(objects.count, through * members);
    for (uint64_t number = 1; number <= through; number++) {
        struct group *g = calloc(1, sizeof(*g));
        struct buf text = {0};
        char name[32];
        bool found;
        (void)snprintf(name, sizeof(name), "log/%04" PRIu64, number);
        EXPECT(object_get_all(store, name, 1 << 16, &text, &found, &err) == 0 && found);
        parse_text(g, &text);
        EXPECT_U64(g->count, members);
        for (size_t i = 0; i < g->count; i++)
            expect_object(store, g->names[i]);
        buf_free(&text);
        free(g);
    }
    map_free(&objects);
}

/* Recover, look, go on to the end, look again. */
static void expect_all_or_nothing(struct world *w)
{
    struct object_posix_config config = {.root = "data/root",
                                         .entries = "log/",
                                         .writer = "w",
                                         .writer_name = "w",
                                         .system = w->system};
    struct err err = {0};
    uint64_t next;
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    (void)!recover(store, &next, &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(next - 1 >= w->committed);
    expect_groups(store, next - 1, w->members);
    object_store_close(store);
    run(w);
    store = object_posix_open(&config, &err);
    EXPECT(store != NULL);
    expect_groups(store, GROUPS, w->members);
    object_store_close(store);
}

static int no_renameat2(void *context, enum system_call call, bool after)
{
    (void)context;
    return call == SYSTEM_CALL_RENAMEAT2 && !after ? EINVAL : 0;
}

static struct world new_world(uint64_t seed, uint64_t members, system_hook *hook)
{
    struct memory_disk *disk = memory_disk_new(seed);
    struct world w = {disk, memory_disk_system(disk), members, false, NULL, 0};
    w.system.hook = hook;
    return w;
}

static uint64_t count_calls(uint64_t members, bool taken, system_hook *hook)
{
    struct world w = new_world(0, members, hook);
    w.taken = taken;
    run(&w);
    EXPECT_U64(w.committed, GROUPS);
    uint64_t calls = memory_disk_calls(w.disk);
    memory_disk_free(w.disk);
    return calls;
}

static void cut_at_every_call(uint64_t members, bool taken, uint64_t step, uint64_t seeds,
                              system_hook *hook)
{
    uint64_t calls = count_calls(members, taken, hook);
    EXPECT(calls > 100);
    for (uint64_t n = 1; n <= calls + 1; n += step) {
        for (uint64_t seed = 0; seed < seeds; seed++) {
            struct world w = new_world(n * 1000 + seed, members, hook);
            w.taken = taken;
            memory_disk_cut(w.disk, n);
            run(&w);
            memory_disk_restart(w.disk, true);
            expect_all_or_nothing(&w);
            memory_disk_free(w.disk);
        }
    }
}

TEST(object_commit_is_all_or_nothing_after_a_power_cut)
{
    cut_at_every_call(3, false, 1, 12, NULL);
}

TEST(object_commit_is_all_or_nothing_without_renameat2)
{
    cut_at_every_call(3, false, 1, 8, no_renameat2);
}

/* So many that they are made durable at once. */
TEST(object_commit_of_many_is_all_or_nothing)
{
    cut_at_every_call(MEMBERS_MAX, false, 41, 1, NULL);
}

/* The process is killed at call n, the next one loses power at its call m, most of them in
 * recovery. */
TEST(object_commit_is_resumed_more_than_once)
{
    uint64_t calls = count_calls(3, false, NULL);
    for (uint64_t n = 1; n <= calls; n++) {
        for (uint64_t m = 1 + n % 4; m < 50; m += 4) {
            struct world w = new_world(n * 1000 + m, 3, NULL);
            memory_disk_cut(w.disk, n);
            run(&w);
            memory_disk_restart(w.disk, (m & 1) != 0);
            memory_disk_cut(w.disk, m);
            run(&w);
            memory_disk_restart(w.disk, true);
            expect_all_or_nothing(&w);
            memory_disk_free(w.disk);
        }
    }
}

/* Each call fails once, and the process goes on; then the power fails. What was reported as
 * committed is there. */
TEST(object_commit_that_failed_before_a_power_cut)
{
    static const int errors[] = {EIO, ENOSPC};
    uint64_t calls = count_calls(3, false, NULL);
    for (uint64_t n = 1; n <= calls; n++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct world w = new_world(n * 1000 + seed, 3, NULL);
            memory_disk_fail(w.disk, SYSTEM_CALL_COUNT, n, errors[seed & 1]);
            run(&w);
            EXPECT_U64(w.committed, GROUPS);
            memory_disk_restart(w.disk, true);
            expect_all_or_nothing(&w);
            memory_disk_free(w.disk);
        }
    }
}

/* The disk is full in the middle of it, and then is not. */
TEST(object_commit_on_a_full_disk)
{
    for (uint64_t room = 0; room < 400; room++) {
        struct world w = new_world(room, 3, NULL);
        memory_disk_set_room(w.disk, room);
        run(&w);
        EXPECT(room > 0 || w.committed == 0);
        memory_disk_set_room(w.disk, 1 << 20);
        memory_disk_restart(w.disk, (room & 1) != 0);
        expect_all_or_nothing(&w);
        memory_disk_free(w.disk);
    }
}

TEST(object_commit_of_names_that_are_taken)
{
    cut_at_every_call(4, true, 1, 2, NULL);
    cut_at_every_call(4, true, 1, 1, no_renameat2);
}

static int count_renames(void *context, enum system_call call, bool after)
{
    *(uint64_t *)context += call == SYSTEM_CALL_RENAMEAT && !after;
    return 0;
}

/* That names are taken is found out when files are moved. What is to be moved is then written down
 * anew, once, and not for each of the names. */
TEST(object_commit_of_many_names_that_are_taken)
{
    uint64_t renames = 0;
    struct world w = new_world(0, MEMBERS_MAX, count_renames);
    w.taken = true;
    w.system.context = &renames;
    run(&w);
    EXPECT_U64(w.committed, GROUPS);
    EXPECT_U64(renames, 1 + 2 * (GROUPS - 1));
    memory_disk_free(w.disk);
}
