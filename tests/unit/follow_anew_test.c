/* SPDX-License-Identifier: MIT */
#include "follow/anew.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "bucket_model.h"
#include "delta/clean.h"
#include "delta/log.h"
#include "delta/replace.h"
#include "object/open.h"
#include "store_fixture.h"

/*
 * Tables of a bucket that are made anew, in the model of one. The old table has sim/1-100.parquet,
 * each new one sim/1-40.parquet and sim/41-60.parquet in its folder. Whatever becomes of any
 * request, whichever process dies at one and whoever is at it at the same time: who reads the log
 * finds the old files or those of one new table, and each of these is there.
 */
#define URL BUCKET_MODEL_URL
#define KEY "sim/{first_seq}-{last_seq}.parquet"
#define DAY (24 * 3600 * CLOCK_SECOND)
enum { OLD = 100, FIRST = 40, LAST = 60 };

static struct store *try_open(const char *root, const char *instance, struct err *err)
{
    struct store_config config = {
        .root = root, .instance = instance, .engine = "varve/0", .schema = &fixture_schema};
    return store_open(&config, err);
}

static struct store *open_at(const char *root, const char *instance)
{
    struct err err = {0};
    struct store *store = try_open(root, instance, &err);
    EXPECT_TEXT(err.text, "");
    return store;
}

/* A commit of a follower to the table at `root`: -1 where the process died. */
static int add(const char *root, uint64_t first, uint64_t last, struct err *err)
{
    struct seqset rows = {0};
    struct position position = fixture_position(last);
    struct store *store = try_open(root, "typed", err);
    int result = -1;
    seqset_add_range(&rows, first, last);
    struct store_epoch_file file = {
        .key = KEY, .stream = "S", .created = "C", .sequences = &rows, .rows = last - first + 1};
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .rows_of = &rows};
    if (store != NULL && (file.file = fixture_try_file(store, first, last, 1, err)) != NULL)
        result = store_commit(store, &epoch, err);
    object_staged_free(file.file);
    store_close(store);
    seqset_free(&rows);
    return result;
}

static int make(const char *beside, struct err *err)
{
    return add(beside, 1, FIRST, err) == 0 ? add(beside, FIRST + 1, LAST, err) : -1;
}

static int restart(struct err *err)
{
    struct follow_anew a = {.follower = "typed"};
    const char *beside = follow_anew_begin(&a, URL, &fixture_schema, err);
    int result = beside == NULL ? -1 : make(beside, err);
    if (result == 0)
        result = follow_anew_end(&a, err);
    follow_anew_free(&a);
    return result;
}

static void expect_restart(void)
{
    struct err err = {0};
    EXPECT(restart(&err) == 0);
    EXPECT_TEXT(err.text, "");
}

static struct bucket_model *begin(void)
{
    struct err err = {0};
    log_configure(LOG_OFF, LOG_LOGFMT);
    struct bucket_model *m = bucket_model_new();
    service_reach(0);
    EXPECT(add(URL, 1, OLD, &err) == 0);
    EXPECT_TEXT(err.text, "");
    bucket_model_start(m);
    return m;
}

static struct object_store *open_objects(void)
{
    struct err err = {0};
    struct object_config place = {
        .root = URL, .entries = DELTA_LOG_FOLDER, .writer = "k", .writer_name = "k"};
    struct object_store *store = object_open(&place, &err);
    EXPECT_TEXT(err.text, "");
    return store;
}

static void load(struct delta_snapshot *table)
{
    struct err err = {0};
    struct object_store *store = open_objects();
    EXPECT(delta_snapshot_load(table, store, &err) == 0 && table->found);
    EXPECT_TEXT(err.text, "");
    object_store_close(store);
}

static bool is_object(const char *name)
{
    struct err err = {0};
    struct object_info info;
    bool found = false;
    struct object_store *store = open_objects();
    EXPECT(object_head(store, name, &info, &found, &err) == 0);
    object_store_close(store);
    return found;
}

/* The number of the new table whose files are those of the table, all there; 0: the old ones. */
static unsigned look(void)
{
    struct delta_snapshot table = {.want_files = true};
    size_t live = 0;
    unsigned number = 0;
    load(&table);
    for (size_t i = 0; i < table.files.count; i++) {
        const struct delta_file *file = table.files.list[i];
        char path[128], end = 0;
        if (file == NULL)
            continue;
        (void)snprintf(path, sizeof(path), "%.*s", (int)file->path.len,
                       (const char *)file->path.data);
        live++;
        EXPECT(is_object(path));
        if (sscanf(path, "_anew/%u%c", &number, &end) == 2) /* NOLINT(cert-err34-c) */
            EXPECT(strstr(path, "/sim/1-40.parquet") != NULL ||
                   strstr(path, "/sim/41-60.parquet") != NULL);
        else
            EXPECT_TEXT(path, "sim/1-100.parquet");
    }
    EXPECT_U64(live, number > 0 ? 2 : 1);
    delta_snapshot_free(&table);
    return number;
}

static void tidy(struct bucket_model *m)
{
    struct err err = {0};
    bucket_model_start(m);
    struct object_store *store = open_objects();
    EXPECT(follow_anew_tidy(store, clock_wall(), &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_store_close(store);
}

struct left {
    struct delta_snapshot table;
    unsigned others;
};

static void note_left(void *context, const char *key, struct slice body)
{
    struct left *left = context;
    (void)body;
    left->others += strncmp(key, DELTA_LOG_FOLDER, strlen(DELTA_LOG_FOLDER)) != 0 &&
                    delta_snapshot_file(&left->table, slice_of(key)) == NULL;
}

/* When the time of old files has come, nothing lies there that the log does not name. */
static void expect_tidied(struct bucket_model *m)
{
    struct left left = {.table = {.want_files = true}};
    bucket_model_wait(m, clock_monotonic() + 8 * DAY);
    tidy(m);
    load(&left.table);
    bucket_model_walk(m, note_left, &left);
    EXPECT_U64(left.others, 0);
    EXPECT_U64(bucket_model_uploads(m), 0);
    delta_snapshot_free(&left.table);
}

TEST(follow_anew_leaves_nothing_of_the_old_table)
{
    struct bucket_model *m = begin();
    struct store *other = open_at(URL, "another");
    fixture_commit(other, KEY, 101, 120);
    store_close(other);
    expect_restart();
    EXPECT_U64(look(), 1);
    EXPECT(is_object("sim/1-100.parquet")); /* for who reads an older version, */
    bucket_model_wait(m, clock_monotonic() + 6 * DAY);
    tidy(m);
    EXPECT(is_object("sim/1-100.parquet"));
    EXPECT(!is_object("_anew/1/_delta_log/00000000000000000000.json"));
    expect_tidied(m); /* until then */
    EXPECT(!is_object("sim/1-100.parquet"));
    EXPECT_U64(look(), 1);
    for (int turn = 0; turn < 2; turn++) {
        struct store *store = open_at(URL, "typed");
        const struct position *p = positions_find(&store->positions, "S", "C", "D");
        const struct position *any = positions_find(&store->positions, "S", "C", STORE_ANYBODY);
        EXPECT_U64(p->through, LAST);
        EXPECT(seqset_contains(&any->above, LAST) && !seqset_contains(&any->above, LAST + 1));
        EXPECT(!store->recovery.incomplete);
        store_close(store);
    }
    /* What another instance had is void, too: here it is in the checkpoint alone. */
    other = open_at(URL, "another");
    const struct position *p = positions_find(&other->positions, "S", "C", "D");
    EXPECT(p == NULL || (p->through == 0 && p->above.count == 0));
    store_close(other);
    struct err err = {0};
    EXPECT(add(URL, LAST + 1, LAST + 20, &err) == 0);
    EXPECT_TEXT(err.text, "");
    bucket_model_free(m);
}

/* Files of old versions stay for their time, of whichever table they are. */
TEST(follow_anew_again_leaves_all_old_versions_what_they_are)
{
    struct bucket_model *m = begin();
    expect_restart();
    bucket_model_wait(m, clock_monotonic() + 3 * DAY);
    for (int i = 0; i < 2; i++) {
        bucket_model_start(m);
        expect_restart();
        tidy(m);
        EXPECT(is_object("sim/1-100.parquet") && is_object("_anew/1/sim/1-40.parquet"));
    }
    EXPECT_U64(look(), 3);
    EXPECT(is_object("_anew/2/sim/1-40.parquet"));
    bucket_model_wait(m, clock_monotonic() + 5 * DAY);
    tidy(m);
    EXPECT(!is_object("sim/1-100.parquet") && is_object("_anew/1/sim/1-40.parquet"));
    expect_tidied(m);
    EXPECT_U64(look(), 3);
    bucket_model_free(m);
}

/* Another engine puts a file in the place of one of `_anew/1/`. */
static void merge(const char *old, const char *fresh)
{
    struct err err = {0};
    struct delta_snapshot table = {0};
    struct buf entry = {0};
    bool taken = true;
    load(&table);
    buf_printf(&entry,
               "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"OPTIMIZE\"}}\n"
               "{\"remove\":{\"path\":\"%s\",\"deletionTimestamp\":%" PRId64 ",\"dataChange\":"
               "false}}\n"
               "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":1,"
               "\"modificationTime\":1,\"dataChange\":false}}\n",
               old, clock_wall() / CLOCK_MILLISECOND, fresh);
    struct object_store *store = open_objects();
    EXPECT(object_put(store, fresh, slice_of("x"), &err) == 0);
    EXPECT(delta_entry_append(store, table.version + 1, buf_slice(&entry), &taken, &err) == 0);
    EXPECT(!taken);
    EXPECT_TEXT(err.text, "");
    object_store_close(store);
    delta_snapshot_free(&table);
    buf_free(&entry);
}

/* What it has replaced there stays as long as old versions can be read, and goes then, alone. */
TEST(follow_anew_lets_go_of_what_another_engine_has_replaced)
{
    static const char first[] = "_anew/1/sim/1-40.parquet", last[] = "_anew/1/sim/41-60.parquet";
    struct bucket_model *m = begin();
    expect_restart();
    expect_tidied(m);
    bucket_model_start(m);
    merge(first, "part-1.parquet");
    bucket_model_wait(m, clock_monotonic() + 6 * DAY);
    tidy(m);
    EXPECT(is_object(first) && is_object(last));
    expect_tidied(m);
    EXPECT(!is_object(first) && is_object(last) && is_object("part-1.parquet"));
    /* Of the last one, too: the folder has nothing of the table then. */
    bucket_model_start(m);
    merge(last, "part-2.parquet");
    bucket_model_wait(m, clock_monotonic() + 3 * DAY);
    tidy(m);
    EXPECT(is_object(last));
    bucket_model_start(m);
    expect_restart(); /* nor does another one remove it */
    tidy(m);
    EXPECT(is_object(last) && is_object("part-2.parquet"));
    expect_tidied(m);
    EXPECT(!is_object(last) && !is_object("part-2.parquet"));
    EXPECT_U64(look(), 2);
    bucket_model_free(m);
}

/* The file is back, under its path in another encoding: it is as live, and so is its folder. */
TEST(follow_anew_leaves_what_is_live_in_another_encoding)
{
    static const char first[] = "_anew/1/sim/1-40.parquet", last[] = "_anew/1/sim/41-60.parquet";
    struct bucket_model *m = begin();
    expect_restart();
    expect_tidied(m);
    bucket_model_start(m);
    merge(first, "part-1.parquet");
    merge(last, "%5Fanew/1/sim/41%2D60.parquet");
    bucket_model_wait(m, clock_monotonic() + 8 * DAY);
    tidy(m);
    EXPECT(!is_object(first) && is_object(last));
    bucket_model_free(m);
}

/* An engine that lets transactions expire takes the numbers away. */
TEST(follow_anew_takes_no_folder_that_is_there)
{
    struct follow_anew a = {.follower = "typed"};
    struct err err = {0};
    struct bucket_model *m = begin();
    struct object_store *store = open_objects();
    EXPECT(object_put(store, "_anew/41/sim/1-40.parquet", slice_of("x"), &err) == 0);
    EXPECT(object_put(store, "_anew/mine/x", slice_of("x"), &err) == 0);
    object_store_close(store);
    EXPECT_TEXT(follow_anew_begin(&a, URL, &fixture_schema, &err), URL "/_anew/42");
    EXPECT_TEXT(err.text, "");
    EXPECT(!is_object("_anew/41/sim/1-40.parquet") && is_object("_anew/mine/x"));
    follow_anew_free(&a);
    bucket_model_free(m);
}

/* Entries of the old table are of no use, whoever has nothing else that says what it had there. */
TEST(follow_anew_holds_back_no_clean_up_of_the_log)
{
    struct delta_cleaned cleaned;
    struct err err = {0};
    struct bucket_model *m = begin();
    struct store *other = open_at(URL, "another");
    fixture_commit(other, KEY, 101, 120);
    store_close(other);
    expect_restart();
    bucket_model_wait(m, clock_monotonic() + 40 * DAY);
    bucket_model_start(m);
    struct object_store *store = open_objects();
    EXPECT(delta_log_clean(store, clock_wall(), &cleaned, &err) == 0);
    EXPECT_TEXT(err.text, "");
    EXPECT(!cleaned.held && cleaned.removed >= 3);
    object_store_close(store);
    EXPECT(!is_object("_delta_log/00000000000000000000.json"));
    EXPECT_U64(look(), 1);
    store = NULL;
    struct store *typed = open_at(URL, "typed");
    EXPECT_U64(positions_find(&typed->positions, "S", "C", "D")->through, LAST);
    store_close(typed);
    bucket_model_free(m);
}

TEST(follow_anew_of_two_refuses_the_first)
{
    struct follow_anew first = {.follower = "typed"}, second = {.follower = "typed"};
    struct err err = {0};
    struct bucket_model *m = begin();
    const char *one = follow_anew_begin(&first, URL, &fixture_schema, &err);
    EXPECT(one != NULL && make(one, &err) == 0);
    EXPECT_TEXT(one, URL "/_anew/1");
    const char *two = follow_anew_begin(&second, URL, &fixture_schema, &err);
    EXPECT_TEXT(two, URL "/_anew/2");
    EXPECT(!is_object("_anew/1/sim/1-40.parquet"));
    EXPECT(make(one, &err) == 0); /* it does not know */
    EXPECT(follow_anew_end(&first, &err) == -1 && err.code == ERR_REFUSED);
    EXPECT(strstr(err.text, "another --restart of it has begun meanwhile") != NULL);
    EXPECT_U64(look(), 0);
    err_clear(&err);
    EXPECT(make(two, &err) == 0 && follow_anew_end(&second, &err) == 0);
    EXPECT_TEXT(err.text, "");
    EXPECT_U64(look(), 2);
    follow_anew_free(&first);
    follow_anew_free(&second);
    expect_tidied(m);
    EXPECT_U64(look(), 2);
    bucket_model_free(m);
}

TEST(follow_anew_makes_a_table_where_there_is_none)
{
    struct delta_snapshot table = {.want_files = true};
    struct follow_anew a = {.follower = "typed"};
    struct err err = {0};
    struct bucket_model *m = bucket_model_new();
    service_reach(0);
    const char *beside = follow_anew_begin(&a, URL, &fixture_schema, &err);
    EXPECT_TEXT(err.text, "");
    load(&table);
    EXPECT_U64(table.files.count, 0);
    delta_snapshot_free(&table);
    EXPECT(make(beside, &err) == 0 && follow_anew_end(&a, &err) == 0);
    EXPECT_TEXT(err.text, "");
    EXPECT_U64(look(), 1);
    follow_anew_free(&a);
    bucket_model_free(m);
}

/* Nobody begins another one: what is left goes nevertheless, and who wakes up is refused. */
TEST(follow_anew_is_given_up_after_a_day)
{
    struct follow_anew a = {.follower = "typed"};
    struct err err = {0};
    struct bucket_model *m = begin();
    const char *beside = follow_anew_begin(&a, URL, &fixture_schema, &err);
    EXPECT(beside != NULL && make(beside, &err) == 0);
    bucket_model_wait(m, clock_monotonic() + DAY / 2);
    tidy(m);
    EXPECT(is_object("_anew/1/sim/1-40.parquet"));
    bucket_model_wait(m, clock_monotonic() + DAY);
    tidy(m);
    EXPECT(!is_object("_anew/1/sim/1-40.parquet"));
    EXPECT(!is_object("_anew/1/_delta_log/00000000000000000000.json"));
    EXPECT(follow_anew_end(&a, &err) == -1);
    EXPECT_U64(look(), 0);
    follow_anew_free(&a);
    expect_restart();
    EXPECT_U64(look(), 3); /* 2 was to give up 1 */
    bucket_model_free(m);
}

static uint64_t count_requests(void)
{
    struct bucket_model *m = begin();
    expect_restart();
    EXPECT_U64(look(), 1);
    bucket_model_start(m);
    expect_restart();
    uint64_t requests = bucket_model_requests(m); /* of one that removes what another had */
    EXPECT_U64(look(), 2);
    bucket_model_free(m);
    return requests;
}

TEST(follow_anew_that_dies_at_any_request)
{
    const enum bucket_fate fates[] = {BUCKET_LOST, BUCKET_UNANSWERED, BUCKET_LATE};
    uint64_t requests = count_requests(), kills = 0, old = 0;
    EXPECT(requests > 40);
    for (uint64_t n = 1; n < requests; n++) {
        struct err err = {0};
        struct bucket_model *m = begin();
        bucket_model_kill(m, n, fates[n % 3]);
        int result = restart(&err);
        kills += bucket_model_is_dead(m);
        EXPECT((result == -1) == err_is_set(&err));
        bucket_model_start(m);
        old += look() == 0;
        EXPECT(is_object("sim/1-100.parquet"));
        expect_restart();
        EXPECT(look() > 0);
        EXPECT(is_object("sim/1-100.parquet"));
        expect_tidied(m);
        EXPECT(look() > 0);
        bucket_model_free(m);
    }
    EXPECT(kills > 40 && old > 20 && old < requests - 4);
}

TEST(follow_anew_that_dies_and_is_not_done_again)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n < requests; n++) {
        struct err err = {0};
        struct bucket_model *m = begin();
        bucket_model_kill(m, n, n % 2 == 0 ? BUCKET_LOST : BUCKET_LATE);
        (void)!restart(&err);
        bucket_model_start(m);
        unsigned number = look();
        bucket_model_wait(m, clock_monotonic() + DAY);
        expect_tidied(m);
        tidy(m);
        EXPECT(look() == number || bucket_model_is_dead(m) || look() == 1);
        bucket_model_free(m);
    }
}

struct beginning {
    struct bucket_model *model;
    struct follow_anew anew;
    int64_t ahead; /* its clock, ns */
};

static void begin_at(void *context)
{
    struct beginning *b = context;
    struct err err = {0};
    bucket_model_set_clock(b->model, b->ahead);
    EXPECT(follow_anew_begin(&b->anew, URL, &fixture_schema, &err) != NULL);
    EXPECT_TEXT(err.text, "");
    bucket_model_set_clock(b->model, 0);
}

/* In the same millisecond, too, what they put into the log differs: else each would take the
 * other's entry for its own. */
TEST(follow_anew_by_two_makes_two)
{
    unsigned both = 0;
    for (uint64_t n = 1; n < 10; n++) {
        for (int64_t ms = 0; ms < 40; ms++) {
            struct bucket_model *m = begin();
            struct beginning one = {.model = m, .anew = {.follower = "typed"}};
            struct beginning two = one;
            two.ahead = -ms * CLOCK_MILLISECOND;
            bucket_model_interpose(m, n, begin_at, &two);
            begin_at(&one);
            both += two.anew.tables.count > 0;
            if (two.anew.tables.count > 0)
                EXPECT(one.anew.tables.list[0].number != two.anew.tables.list[0].number);
            follow_anew_free(&one.anew);
            follow_anew_free(&two.anew);
            bucket_model_free(m);
        }
    }
    EXPECT(both > 100);
}

static void restart_too(void *context)
{
    struct err err = {0};
    (void)context;
    (void)!restart(&err); /* one of the two may be refused */
}

TEST(follow_anew_by_two_at_once)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n < requests; n++) {
        struct err err = {0};
        struct bucket_model *m = begin();
        bucket_model_interpose(m, n, restart_too, NULL);
        (void)!restart(&err);
        bucket_model_start(m);
        EXPECT(look() > 0);
        EXPECT(is_object("sim/1-100.parquet"));
        expect_tidied(m);
        EXPECT(look() > 0);
        bucket_model_free(m);
    }
}

/* Another engine merges the old files, as long as they are those of the table. */
static void optimize(void *context)
{
    struct delta_snapshot table = {.want_files = true};
    struct err err = {0};
    bool taken = false;
    struct object_store *store = open_objects();
    (void)context;
    load(&table);
    if (delta_snapshot_file(&table, slice_of("sim/1-100.parquet")) != NULL) {
        static const char entry[] =
            "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"OPTIMIZE\"}}\n"
            "{\"remove\":{\"path\":\"sim/1-100.parquet\",\"deletionTimestamp\":1,\"dataChange\":"
            "false}}\n"
            "{\"add\":{\"path\":\"part-1.parquet\",\"partitionValues\":{},\"size\":1,"
            "\"modificationTime\":1,\"dataChange\":false}}\n";
        EXPECT(object_put(store, "part-1.parquet", slice_of("x"), &err) == 0);
        EXPECT(delta_entry_append(store, table.version + 1, slice_of(entry), &taken, &err) == 0);
        EXPECT(!taken);
    }
    EXPECT_TEXT(err.text, "");
    delta_snapshot_free(&table);
    object_store_close(store);
}

TEST(follow_anew_beside_an_engine_that_merges)
{
    uint64_t requests = count_requests();
    unsigned merged = 0;
    for (uint64_t n = 1; n < requests; n++) {
        struct bucket_model *m = begin();
        bucket_model_interpose(m, n, optimize, NULL);
        expect_restart();
        bucket_model_start(m);
        EXPECT_U64(look(), 1);
        merged += is_object("part-1.parquet");
        bucket_model_wait(m, clock_monotonic() + 8 * DAY);
        tidy(m);
        EXPECT(!is_object("part-1.parquet"));
        EXPECT_U64(look(), 1);
        bucket_model_free(m);
    }
    EXPECT(merged > 20);
}

TEST(follow_anew_entry_is_no_longer_than_it_may)
{
    struct delta_snapshot old = {.want_files = true}, fresh = {.want_files = true};
    struct err err = {0};
    for (unsigned i = 0; i < 1000; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "sim/%u.parquet", i);
        struct delta_action action = {.kind = DELTA_ADD, .add = {.path = slice_of(path)}};
        EXPECT(delta_snapshot_apply(&old, &action, &err) == 0);
        EXPECT(delta_snapshot_apply(&fresh, &action, &err) == 0);
    }
    const struct delta_replacement r = {
        .instance = "i", .engine = "e", .old = &old, .fresh = &fresh, .folder = "_anew/1/"};
    for (size_t limit = 0; limit < 1000 * 1000; limit += 9999) {
        struct buf out = {0};
        bool fits = delta_replacement_write(&out, &r, limit);
        EXPECT(fits == (out.len <= limit));
        EXPECT(out.len <= limit + 4096); /* it was not written to its end */
        buf_free(&out);
    }
    delta_snapshot_free(&old);
    delta_snapshot_free(&fresh);
}
