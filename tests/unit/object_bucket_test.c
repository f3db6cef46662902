/* SPDX-License-Identifier: MIT */
#include "object/bucket.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bucket_fixture.h"
#include "test.h"

/*
 * A large object in the place of two small ones, as compaction does it: what goes to the store in
 * parts is there whole or not at all, whatever becomes of any request, and no upload is left.
 */
enum { LARGE = 9 * 1024 * 1024, PIECE = 1024 * 1024 };

static const char *const old_names[] = {"d/a.parquet", "d/b.parquet", NULL};
static const char new_name[] = "d/a-b.parquet";

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / PIECE);
}

static int write_large(struct object_staged *staged, struct err *err)
{
    static uint8_t piece[PIECE];
    for (size_t at = 0; at < LARGE; at += PIECE) {
        for (size_t i = 0; i < PIECE; i++)
            piece[i] = byte_at(at + i);
        if (object_write(staged, piece, PIECE, err) != 0)
            return -1;
    }
    return 0;
}

/* Merge; what could not be done is left to whoever comes next. */
static int merge(struct object_store *store, struct err *err)
{
    struct bucket_entries entries = {store, 1, old_names};
    struct object_staged *staged = object_stage(store, err);
    object_expect(staged, new_name);
    int result = write_large(staged, err);
    if (result == 0)
        result = object_finish(store, &staged, 1, err);
    if (result == 0) {
        struct object_member member = {
            .id = object_staged_id(staged), .name = new_name, .size = LARGE};
        struct object_swap swap = {
            .folder = "d/",
            .old = old_names,
            .old_count = 2,
            .group = {&member, 1, bucket_entry_text, bucket_entry_name, &entries}};
        result = object_swap(store, &swap, err);
    }
    if (result == 0)
        object_staged_free(staged);
    else
        object_abandon(staged);
    return result;
}

struct seen {
    bool old[2], other;
    unsigned large, entry;
};

static void look_at(void *context, const char *key, struct slice body)
{
    struct seen *s = context;
    if (strncmp(key, "d/a-b", 5) == 0) { /* new_name, or with a number if that was taken back */
        EXPECT_U64(body.len, LARGE);
        for (size_t i = 0; i < body.len; i += 4093)
            EXPECT(body.data[i] == byte_at(i));
        s->large++;
    } else if (strcmp(key, old_names[0]) == 0 || strcmp(key, old_names[1]) == 0) {
        s->old[strcmp(key, old_names[1]) == 0] = true;
    } else if (slice_starts_with(body, "{\"names\":\"d/a-b")) {
        s->entry++;
    } else {
        s->other = s->other || strstr(key, ".pending") != NULL;
    }
}

/* Either as it was, or as it should be; by the entry, if it is there. */
static bool expect_either(struct bucket_model *m)
{
    struct seen s = {0};
    bucket_model_walk(m, look_at, &s);
    EXPECT(s.large == s.entry && s.entry < 2);
    EXPECT(s.old[0] == !s.entry && s.old[1] == !s.entry && !s.other);
    return s.entry;
}

static struct bucket_model *begin(void)
{
    struct bucket_model *m = bucket_model_new();
    struct object_store *store = bucket_open();
    struct err err = {0};
    for (int i = 0; i < 2; i++)
        EXPECT(object_put(store, old_names[i], slice_of("small"), &err) == 0);
    object_store_close(store);
    bucket_model_start(m);
    return m;
}

struct sweep {
    struct object_store *store;
    char name[64];
};

static bool note_renounced(void *context, struct slice name)
{
    struct sweep *s = context;
    EXPECT(slice_is(name, new_name));
    (void)snprintf(s->name, sizeof(s->name), "%s", new_name);
    return true;
}

static void note_entry(void *context, const char *key, struct slice body)
{
    struct sweep *s = context;
    if (strncmp(key, "log/0", 5) == 0 && slice_starts_with(body, "{\"names\":\"d/a-b.parquet\"}"))
        s->name[0] = '\0'; /* it is named */
}

/* As the store does it, which knows the entries. */
static void sweep(struct bucket_model *m, struct object_store *store)
{
    struct sweep s = {.store = store};
    struct err err = {0};
    EXPECT(object_renounced(store, note_renounced, &s, &err) == 0);
    bucket_model_walk(m, note_entry, &s);
    if (s.name[0] != '\0')
        EXPECT(object_remove(store, s.name, &err) == 0);
    EXPECT_TEXT(err.text, "");
}

/* As the next compaction begins; a young commit is another's, and uploads of today may be. */
static bool settle_after(struct bucket_model *m, int64_t hours)
{
    struct err err = {0};
    uint32_t removed;
    bucket_model_start(m);
    bucket_model_wait(m, clock_monotonic() + hours * 3600 * CLOCK_SECOND);
    struct object_store *store = bucket_open();
    struct bucket_entries entries = {.store = store, .number = 1};
    const struct object_group instead = {NULL, 0, bucket_entry_text, bucket_entry_name, &entries};
    bool settled = object_settle(store, &instead, &err) == 0;
    if (settled) {
        sweep(m, store);
        EXPECT(object_clean(store, &removed, &err) == 0);
        EXPECT_TEXT(err.text, "");
    }
    object_store_close(store);
    return settled;
}

static bool settle_later(struct bucket_model *m)
{
    return settle_after(m, 25);
}

static uint64_t count_requests(void)
{
    struct bucket_model *m = begin();
    struct object_store *store = bucket_open();
    struct err err = {0};
    EXPECT(merge(store, &err) == 0);
    EXPECT(expect_either(m));
    uint64_t requests = bucket_model_requests(m);
    object_store_close(store);
    bucket_model_free(m);
    return requests;
}

static void meet(uint64_t at, enum bucket_fate fate, bool dies)
{
    struct bucket_model *m = begin();
    struct object_store *store = bucket_open();
    struct err err = {0};
    if (dies)
        bucket_model_kill(m, at, fate);
    else
        bucket_model_set_fate(m, at, fate);
    bool done = merge(store, &err) == 0;
    object_store_close(store);
    if (done)
        EXPECT(expect_either(m));
    EXPECT(settle_later(m));
    EXPECT(expect_either(m) || !done);
    EXPECT_U64(bucket_model_uploads(m), 0); /* those whose begin was not answered are a day old */
    bucket_model_free(m);
}

TEST(object_bucket_puts_large_objects_in_parts)
{
    uint64_t requests = count_requests();
    EXPECT(requests > 8);
    for (uint64_t n = 1; n <= requests; n++)
        for (int fate = BUCKET_LOST; fate < BUCKET_FATES; fate++)
            if (fate != BUCKET_LATE)
                meet(n, (enum bucket_fate)fate, false);
}

/* What another process that keeps the table in order does meanwhile: nothing, unless it is first.
 */
static void merge_too(void *context)
{
    struct err err = {0};
    struct object_store *store = bucket_open();
    struct bucket_entries entries = {.store = store, .number = 1};
    const struct object_group instead = {NULL, 0, bucket_entry_text, bucket_entry_name, &entries};
    *(bool *)context = object_settle(store, &instead, &err) == 0 && merge(store, &err) == 0;
    EXPECT(*(bool *)context || err.code == ERR_REFUSED);
    object_store_close(store);
}

TEST(object_bucket_is_compacted_by_one_at_a_time)
{
    uint64_t requests = count_requests(), first = 0, second = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct object_store *store = bucket_open();
        struct err err = {0};
        bool other = false;
        bucket_model_interpose(m, n, merge_too, &other);
        bool done = merge(store, &err) == 0;
        object_store_close(store);
        EXPECT(done || err.code == ERR_REFUSED);
        EXPECT(done != other);
        EXPECT(expect_either(m));
        EXPECT(settle_later(m));
        EXPECT(expect_either(m));
        first += done;
        second += other;
        bucket_model_free(m);
    }
    EXPECT(first > 0 && second > 0);
}

/* Whoever keeps the table in order from another host, with another clock. */
static bool keep_elsewhere(struct bucket_model *m, int64_t hours_ahead, bool *merged)
{
    struct err err = {0};
    bucket_model_set_clock(m, hours_ahead * 3600 * CLOCK_SECOND);
    struct object_store *store = bucket_open();
    struct bucket_entries entries = {.store = store, .number = 1};
    const struct object_group instead = {NULL, 0, bucket_entry_text, bucket_entry_name, &entries};
    bool settled = object_settle(store, &instead, &err) == 0;
    if (settled)
        sweep(m, store);
    *merged = settled && merge(store, &err) == 0;
    object_store_close(store);
    bucket_model_set_clock(m, 0);
    return settled;
}

static const int64_t clocks[] = {-36, 36};                                    /* hours */
enum { CLOCKS = sizeof(clocks) / sizeof(clocks[0]), NOT_YET = 9, OVER = 11 }; /* minutes */

/* One dies at any request, of a commit or before. Until ten minutes have gone by, by the clock of
 * the store, his turn is not over for others, whatever time it is where they are. Then it is. */
TEST(object_bucket_lease_ends_by_the_clock_of_the_store)
{
    uint64_t requests = count_requests(), refused = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        for (int i = 0; i < CLOCKS; i++) {
            struct bucket_model *m = begin();
            struct object_store *store = bucket_open();
            struct err err = {0};
            bool merged = false;
            bucket_model_kill(m, n, BUCKET_UNANSWERED);
            bucket_model_set_clock(m, clocks[CLOCKS - 1 - i] * 3600 * CLOCK_SECOND);
            (void)!merge(store, &err);
            object_store_close(store);
            int64_t dead = clock_monotonic();
            bucket_model_wait(m, dead + NOT_YET * 60 * CLOCK_SECOND);
            bucket_model_start(m);
            bool early = keep_elsewhere(m, clocks[i], &merged);
            refused += !early;
            bucket_model_wait(m, dead + OVER * 60 * CLOCK_SECOND);
            EXPECT(early || keep_elsewhere(m, clocks[i], &merged));
            (void)expect_either(m);
            bucket_model_free(m);
        }
    }
    EXPECT(refused > 0 && refused % CLOCKS == 0); /* no clock makes a difference */
}

struct elsewhere { /* a host */
    struct bucket_model *model;
    int64_t hours_ahead;
    bool merged;
};

/* The lease of who has a turn is over meanwhile: he was stopped for so long. */
static void take_over(void *context)
{
    struct elsewhere *e = context;
    bucket_model_wait(e->model, clock_monotonic() + OVER * 60 * CLOCK_SECOND);
    (void)keep_elsewhere(e->model, e->hours_ahead, &e->merged);
}

/* He goes on, and commits nothing any more, or has committed before: never both. */
TEST(object_bucket_fences_who_was_stopped_beyond_his_lease)
{
    uint64_t requests = count_requests(), first = 0, second = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct object_store *store = bucket_open();
        struct err err = {0};
        struct elsewhere other = {m, clocks[n % CLOCKS], false};
        bucket_model_interpose(m, n, take_over, &other);
        bool done = merge(store, &err) == 0;
        object_store_close(store);
        EXPECT(!done || !other.merged);
        EXPECT(settle_later(m));
        bool one = expect_either(m);
        EXPECT(one || (!done && !other.merged));
        first += one && !other.merged;
        second += other.merged;
        bucket_model_free(m);
    }
    EXPECT(first > 0 && second > 0);
}

TEST(object_bucket_removes_what_a_death_leaves_of_large_objects)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n <= requests; n++) {
        meet(n, BUCKET_LOST, true);
        meet(n, BUCKET_UNANSWERED, true);
    }
}

/* Whoever starts beside it, removes what is a day old, and leaves what is under way. */
static void clean_too(void *context)
{
    struct err err = {0};
    uint32_t removed = 0;
    struct object_store *store = bucket_open();
    (void)context;
    EXPECT(object_clean(store, &removed, &err) == 0);
    EXPECT_U64(removed, 0);
    object_store_close(store);
}

TEST(object_bucket_leaves_large_objects_that_others_are_at)
{
    uint64_t requests = count_requests(), open = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct object_store *store = bucket_open();
        struct err err = {0};
        bucket_model_interpose(m, n, clean_too, NULL);
        EXPECT(merge(store, &err) == 0);
        EXPECT_TEXT(err.text, "");
        object_store_close(store);
        EXPECT(expect_either(m));
        bucket_model_free(m);

        m = begin(); /* it dies there: for 23 hours nobody knows that */
        store = bucket_open();
        bucket_model_kill(m, n, BUCKET_UNANSWERED);
        (void)!merge(store, &err);
        object_store_close(store);
        uint64_t left = bucket_model_uploads(m);
        bucket_model_start(m);
        bucket_model_wait(m, clock_monotonic() + 23 * 3600 * CLOCK_SECOND);
        clean_too(NULL);
        EXPECT_U64(bucket_model_uploads(m), left);
        open += left;
        bucket_model_free(m);
    }
    EXPECT(open > 0);
}

/* The last request of one who has died comes when the next one has taken all back, or is at it. The
 * entry that it was to make is in nobody's way, and names nothing that has gone. */
TEST(object_bucket_is_whole_when_what_a_dead_keeper_sent_is_late)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n <= requests; n++) {
        /* Odd ones after an even request, even ones after an odd one: the next request has the
         * others, and an emulated machine takes a minute for all. */
        for (uint64_t delay = 1 + n % 2; delay < 12; delay += 2) {
            struct bucket_model *m = begin();
            struct object_store *store = bucket_open();
            struct err err = {0};
            bucket_model_delay(m, delay);
            bucket_model_kill(m, n, BUCKET_LATE);
            (void)!merge(store, &err);
            object_store_close(store);
            for (int i = 0; i < 4; i++) /* what is late comes meanwhile, and may fence it */
                (void)settle_after(m, 1);
            EXPECT(settle_after(m, 1));
            (void)expect_either(m);
            bucket_model_free(m);
        }
    }
}

/* A commit of one small file. */
static int commit_small(struct object_store *store, struct err *err)
{
    struct bucket_entries entries = {.store = store, .number = 1};
    struct object_staged *staged = object_stage(store, err);
    int result = object_write(staged, "row", 3, err);
    if (result == 0)
        result = object_finish(store, &staged, 1, err);
    const struct object_member member = {
        .id = object_staged_id(staged), .name = new_name, .size = 3};
    const struct object_group group = {&member, 1, bucket_entry_text, bucket_entry_name, &entries};
    if (result == 0)
        result = object_commit(store, &group, err);
    object_staged_free(staged);
    return result;
}

static int instead_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    (void)context, (void)names, (void)err;
    buf_append_text(out, "{\"instead\":true}\n");
    return 0;
}

/* The next one takes the commit back. False: the other one has come first. */
static bool take_back(struct bucket_model *m)
{
    struct err err = {0};
    struct buf text = {0};
    const char *name = new_name;
    bool found = false;
    bucket_model_start(m);
    struct object_store *store = bucket_open();
    struct bucket_entries entries = {.store = store, .number = 1};
    const struct object_group instead = {NULL, 0, instead_text, bucket_entry_name, &entries};
    EXPECT(object_interrupted(store, &text, &found, &err) == 0);
    if (found && object_withdraw(store, &name, 1, &instead, &err) != 0)
        EXPECT(err.code == ERR_REFUSED);
    object_store_close(store);
    buf_free(&text);
    return !err_is_set(&err);
}

struct small {
    bool file, entry;
};

static void look_for_small(void *context, const char *key, struct slice body)
{
    struct small *s = context;
    s->file = s->file || strcmp(key, new_name) == 0;
    s->entry = s->entry || (strncmp(key, "log/0", 5) == 0 &&
                            slice_starts_with(body, "{\"names\":\"d/a-b.parquet\"}"));
}

TEST(object_bucket_takes_back_a_commit_whose_entry_is_late)
{
    uint64_t taken = 0;
    for (uint64_t n = 1; n <= 8; n++) {
        for (uint64_t delay = 1; delay < 16; delay++) {
            struct bucket_model *m = bucket_model_new();
            struct object_store *store = bucket_open();
            struct small s = {0};
            struct err err = {0};
            bucket_model_delay(m, delay);
            bucket_model_kill(m, n, BUCKET_LATE);
            (void)!commit_small(store, &err);
            object_store_close(store);
            bool back = take_back(m);
            for (uint64_t i = 0; i < delay; i++) { /* by now all has come */
                struct object_store *other = bucket_open();
                struct object_info info;
                bool found;
                EXPECT(object_head(other, "x", &info, &found, &err) == 0);
                object_store_close(other);
            }
            bucket_model_walk(m, look_for_small, &s);
            EXPECT(!s.entry || s.file);
            taken += back && !s.entry;
            bucket_model_free(m);
        }
    }
    EXPECT(taken > 0);
}
