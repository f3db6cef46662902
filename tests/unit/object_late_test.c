/* SPDX-License-Identifier: MIT */
#include "object/object.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include "bucket_fixture.h"
#include "test.h"

/*
 * A request that was lost, and was sent again, comes when things have changed: what it puts then is
 * named by an entry, or is among the names that were renounced, where the next start finds it.
 */
static const char wanted[] = "d/a.parquet";
static const char *const old_names[] = {"d/x.parquet", "d/y.parquet", NULL};

enum { REQUESTS = 24, DELAYS = 24, DAY = 24 /* hours */ };

/* One small file, by a commit or in the place of the old ones. */
static int put_row(struct object_store *store, bool swaps, struct err *err)
{
    struct bucket_entries entries = {store, 1, swaps ? old_names : NULL};
    struct object_staged *staged = object_stage(store, err);
    int result = object_write(staged, "row", 3, err);
    if (result == 0)
        result = object_finish(store, &staged, 1, err);
    const struct object_member member = {.id = object_staged_id(staged), .name = wanted, .size = 3};
    const struct object_group group = {&member, 1, bucket_entry_text, bucket_entry_name, &entries};
    const struct object_swap swap = {
        .folder = "d/", .old = old_names, .old_count = 2, .group = group};
    if (result == 0)
        result = swaps ? object_swap(store, &swap, err) : object_commit(store, &group, err);
    if (result == 0 || !swaps)
        object_staged_free(staged);
    else
        object_abandon(staged);
    return result;
}

struct found {
    char entry[64];     /* what one names */
    unsigned rows, own; /* of what was put here; of these, that which is named */
};

static void look_for_entry(void *context, const char *key, struct slice body)
{
    struct found *f = context;
    if (strncmp(key, "log/0", 5) == 0 && slice_starts_with(body, "{\"names\":\"d/"))
        (void)snprintf(f->entry, sizeof(f->entry), "%.*s", (int)body.len - 13, body.data + 10);
}

static void look_for_rows(void *context, const char *key, struct slice body)
{
    struct found *f = context;
    f->rows += slice_is(body, "row");
    f->own += slice_is(body, "row") && strcmp(key, f->entry) == 0;
}

static struct found look(struct bucket_model *m)
{
    struct found f = {0};
    bucket_model_walk(m, look_for_entry, &f);
    bucket_model_walk(m, look_for_rows, &f);
    return f;
}

struct sweep {
    struct found found;
    ARRAY(char *) names;
};

static bool note(void *context, struct slice name)
{
    struct sweep *s = context;
    if (!slice_is(name, s->found.entry))
        *array_add(&s->names) = text_copy_slice(name);
    return true;
}

/* As the store does it at its start, which knows the entries, and its own files: so many are
 * removed. */
static unsigned sweep(struct bucket_model *m, struct object_store *store)
{
    struct sweep s = {.found = look(m)};
    struct err err = {0};
    unsigned removed = 0;
    EXPECT(object_renounced(store, note, &s, &err) == 0);
    for (size_t i = 0; i < s.names.count; i++) {
        struct buf there = {0};
        char *name = s.names.list[i];
        bool found;
        EXPECT(object_get_all(store, name, 64, &there, &found, &err) == 0);
        if (found && slice_is(buf_slice(&there), "row")) {
            EXPECT(object_remove(store, name, &err) == 0);
            removed++;
        }
        buf_free(&there);
        free(name);
    }
    array_free(&s.names);
    EXPECT_TEXT(err.text, "");
    return removed;
}

static void clean(struct object_store *store)
{
    struct err err = {0};
    uint32_t removed;
    EXPECT(object_clean(store, &removed, &err) == 0);
    EXPECT_TEXT(err.text, "");
}

static void put(const char *name, const char *body)
{
    struct err err = {0};
    bool taken;
    struct object_store *store = bucket_open();
    EXPECT(object_put_if_absent(store, name, slice_of(body), &taken, &err) == 0);
    object_store_close(store);
}

static void remove_if(const char *name, const char *body)
{
    struct err err = {0};
    struct buf there = {0};
    bool found;
    struct object_store *store = bucket_open();
    EXPECT(object_get_all(store, name, 64, &there, &found, &err) == 0);
    if (found && slice_is(buf_slice(&there), body))
        EXPECT(object_remove(store, name, &err) == 0);
    buf_free(&there);
    object_store_close(store);
}

/* By then everything has come. */
static void let_come(uint64_t requests)
{
    struct err err = {0};
    struct object_store *store = bucket_open();
    struct object_info info;
    bool found;
    for (uint64_t i = 0; i <= requests; i++)
        EXPECT(object_head(store, "x", &info, &found, &err) == 0);
    object_store_close(store);
}

/* Another instance has a file of that name, for a while. */
static void take_name(void *context)
{
    (void)context;
    put(wanted, "another's");
}

/* A .pending that came late, with a name that was left: nothing of it is there, or what is. */
static void take_back(struct bucket_model *m, struct object_store *store)
{
    struct err err = {0};
    struct buf there = {0};
    struct bucket_entries entries = {.store = store, .number = 1};
    const struct object_group instead = {NULL, 0, bucket_entry_text, bucket_entry_name, &entries};
    const char *name = wanted;
    bool found;
    EXPECT(object_renounce(store, &name, 1, &err) == 0);
    EXPECT(object_get_all(store, name, 64, &there, &found, &err) == 0);
    bool own = found && slice_is(buf_slice(&there), "row") && strcmp(look(m).entry, name) != 0;
    EXPECT(object_withdraw(store, &name, own ? 1 : 0, &instead, &err) == 0);
    EXPECT_TEXT(err.text, "");
    buf_free(&there);
}

static unsigned start_anew(struct bucket_model *m)
{
    struct err err = {0};
    struct buf text = {0};
    bool found = true;
    bucket_model_start(m);
    struct object_store *store = bucket_open();
    while (found) {
        EXPECT(object_interrupted(store, &text, &found, &err) == 0);
        EXPECT_TEXT(err.text, "");
        if (found)
            take_back(m, store);
    }
    unsigned removed = sweep(m, store);
    clean(store);
    object_store_close(store);
    buf_free(&text);
    return removed;
}

TEST(object_late_file_of_a_name_that_another_had_is_found)
{
    unsigned swept = 0;
    for (uint64_t k = 0; k < (uint64_t)REQUESTS * DELAYS; k++) {
        struct bucket_model *m = bucket_model_new();
        struct object_store *store = bucket_open();
        struct err err = {0};
        uint64_t n = 1 + k / DELAYS, delay = 1 + k % DELAYS;
        bucket_model_delay(m, delay);
        bucket_model_set_fate(m, n, BUCKET_LATE);
        bucket_model_interpose(m, n + 1, take_name, NULL);
        EXPECT(put_row(store, false, &err) == 0);
        EXPECT_TEXT(err.text, "");
        remove_if(wanted, "another's");
        let_come(delay);
        object_store_close(store);
        swept += start_anew(m);
        struct found f = look(m);
        EXPECT_U64(f.rows, 1);
        EXPECT_U64(f.own, 1);
        bucket_model_free(m);
    }
    EXPECT(swept > 0);
}

/* Another's entry comes first, and what is to be replaced has gone: the swap is off. */
static void remove_old(void *context)
{
    (void)context;
    put("log/0001.json", "{\"names\":\"\"}\n");
    remove_if(old_names[0], "old");
}

/* A day later nobody is at it any more. */
static unsigned settle_later(struct bucket_model *m)
{
    struct err err = {0};
    bucket_model_start(m);
    bucket_model_wait(m, clock_monotonic() + DAY * 3600 * CLOCK_SECOND);
    struct object_store *store = bucket_open();
    struct bucket_entries entries = {.store = store, .number = 1};
    const struct object_group instead = {NULL, 0, bucket_entry_text, bucket_entry_name, &entries};
    EXPECT(object_settle(store, &instead, &err) == 0);
    EXPECT_TEXT(err.text, "");
    unsigned removed = sweep(m, store);
    clean(store);
    object_store_close(store);
    return removed;
}

TEST(object_late_file_of_a_swap_that_was_taken_back_is_found)
{
    unsigned swept = 0, off = 0;
    for (uint64_t k = 0; k < (uint64_t)REQUESTS * DELAYS * 3; k++) {
        struct bucket_model *m = bucket_model_new();
        struct err err = {0};
        uint64_t n = 1 + k / DELAYS / 3, delay = 1 + k / 3 % DELAYS;
        for (int i = 0; i < 2; i++)
            put(old_names[i], "old");
        bucket_model_start(m);
        struct object_store *store = bucket_open();
        bucket_model_delay(m, delay);
        bucket_model_set_fate(m, n, BUCKET_LATE);
        bucket_model_interpose(m, n + 1 + k % 3, remove_old, NULL);
        bool done = put_row(store, true, &err) == 0;
        off += !done;
        let_come(delay);
        object_store_close(store);
        swept += settle_later(m);
        struct found f = look(m);
        EXPECT_U64(f.rows, f.own);
        EXPECT(f.own == 1 || !done);
        bucket_model_free(m);
    }
    EXPECT(off > 0 && swept > 0);
}

/* The process that noted a name has run for three days when its host is started again. */
TEST(object_late_file_is_found_when_the_next_start_is_days_later)
{
    struct bucket_model *m = bucket_model_new();
    const char *name = wanted;
    struct err err = {0};
    struct object_store *store = bucket_open();
    EXPECT(object_renounce(store, &name, 1, &err) == 0);
    object_store_close(store);
    put(wanted, "row");
    bucket_model_wait(m, clock_monotonic() + 3 * DAY * 3600 * CLOCK_SECOND);
    /* One that has noted more, and dies before it has looked, forgets nothing. */
    store = bucket_open();
    name = "d/b.parquet";
    EXPECT(object_renounce(store, &name, 1, &err) == 0);
    object_store_close(store);
    EXPECT_U64(start_anew(m), 1);
    EXPECT_U64(look(m).rows, 0);
    /* It can come no more. */
    put(wanted, "row");
    EXPECT_U64(start_anew(m), 0);
    put("d/b.parquet", "row");
    EXPECT_U64(start_anew(m), 1);
    bucket_model_free(m);
}
