/* SPDX-License-Identifier: MIT */
#include "follow/feed.h"

#include <pthread.h>

#include "base/array.h"
#include "base/bytes.h"
#include "follow/session.h"
#include "store/writer.h"
#include "table_fixture.h"
#include "test.h"

/* What is fed straight from commits is what the store has, whoever takes it and when. */

enum { PARTS = 3 };

/* The byte at a place of a file: it follows from the version and the file. */
static uint8_t byte_of(uint64_t version, uint64_t file, uint64_t at)
{
    return (uint8_t)(version * 131 + file * 17 + at * 7 + at / 251);
}

static char *sum_of(uint64_t version, uint64_t file, char text[static SHA256_TEXT_MAX])
{
    (void)snprintf(text, SHA256_TEXT_MAX, "%032llx%032llx", (unsigned long long)version,
                   (unsigned long long)file);
    return text;
}

/* A commit of `files` files of `size` bytes each, some in one piece and some in several. */
static struct store_group *make_group(struct account *account, uint64_t version, uint64_t files,
                                      uint64_t size)
{
    static const struct store_kind kind = {0};
    static const struct store_origin origin = {"S", "C", "D"};
    static struct staging staging; /* not used: nothing is copied there */
    struct store_group *g = group_new(account, &staging);
    struct group_part *part = group_add_part(g, &kind, &origin, slice_of("x/y"));
    for (uint64_t f = 0; f < files; f++) {
        struct group_file *file = group_add_file(g, part);
        struct buf bytes = {0};
        for (uint64_t at = 0; at < size; at++)
            buf_append_byte(&bytes, byte_of(version, f, at));
        (void)sum_of(version, f, file->sha256);
        file->whole = true;
        if (f % PARTS == 0) {
            group_keep_image(g, file, buf_slice(&bytes));
        } else if (f % PARTS == 1) {
            for (size_t at = 0; at < bytes.len; at += 100)
                group_file_append(
                    file,
                    (struct slice){bytes.data + at, bytes.len - at < 100 ? bytes.len - at : 100});
        } else {
            struct slice all;
            group_file_append(file, (struct slice){bytes.data, 1});
            all = (struct slice){bytes.data + 1, bytes.len - 1};
            bytes.account = NULL;
            group_file_take(file, &bytes);
            group_file_append(file, all);
        }
        buf_free(&bytes);
    }
    return g;
}

/* Whether file `f` of a commit is there, and as it should be. */
static bool has(struct feed *feed, uint64_t version, uint64_t f, uint64_t size)
{
    struct feed_place place;
    char sum[SHA256_TEXT_MAX];
    uint8_t data[512];
    uint64_t found = 0;
    if (!feed_find(feed, slice_of(sum_of(version, f, sum)), &place, &found))
        return false;
    EXPECT_U64(found, size);
    for (int i = 0; i < 8; i++) {
        uint64_t at = test_random() % size;
        size_t len = (size_t)(test_random() % (size - at) % sizeof(data)) + 1;
        if (!feed_read(feed, &place, at, data, len))
            return false;
        for (size_t j = 0; j < len; j++)
            EXPECT_U64(data[j], byte_of(version, f, at + j));
    }
    EXPECT(!feed_read(feed, &place, size - 1, data, 2)); /* there is no such byte */
    return true;
}

TEST(follow_feed_keeps_what_is_not_taken)
{
    struct account account = {0};
    struct feed *feed = feed_new();
    feed_put(feed, 1, make_group(&account, 1, 1, 1000), UINT64_MAX);
    EXPECT(!has(feed, 1, 0, 1000)); /* nobody keeps up */
    EXPECT_U64(account_bytes(&account), 0);
    feed_taken(feed, 0, 1);
    feed_taken(feed, 1, 1);
    for (uint64_t version = 2; version < 6; version++)
        feed_put(feed, version, make_group(&account, version, PARTS, 1000), UINT64_MAX);
    for (uint64_t file = 0; file < PARTS; file++)
        EXPECT(has(feed, 2, file, 1000) && has(feed, 5, file, 1000));
    EXPECT(feed_bytes(feed) <= account_bytes(&account));
    feed_taken(feed, 0, 5);
    EXPECT(has(feed, 2, 0, 1000)); /* the other one needs it still */
    feed_taken(feed, 1, 3);
    EXPECT(!has(feed, 3, 0, 1000) && has(feed, 4, 0, 1000));
    feed_leave(feed, 1); /* it has failed: nobody waits for it */
    EXPECT(!has(feed, 5, 0, 1000));
    EXPECT_U64(feed_bytes(feed), 0);
    EXPECT_U64(account_bytes(&account), 0);
    feed_free(feed);
}

TEST(follow_feed_is_bounded)
{
    struct account account = {0};
    struct feed *feed = feed_new();
    feed_taken(feed, 0, 0);
    for (uint64_t version = 1; version <= 20; version++)
        feed_put(feed, version, make_group(&account, version, 1, 10000), 40000);
    EXPECT(feed_bytes(feed) <= 40000 && account_bytes(&account) <= 50000);
    EXPECT(!has(feed, 10, 0, 10000) && has(feed, 20, 0, 10000));
    feed_put(feed, 21, make_group(&account, 21, 1, 50000), 40000);
    EXPECT(!has(feed, 21, 0, 50000)); /* too large to be kept at all */
    for (uint64_t version = 22; version < 24 + 2 * FEED_COMMITS_MAX; version++)
        feed_put(feed, version, make_group(&account, version, 1, 10), UINT64_MAX);
    EXPECT(!has(feed, 23, 0, 10) && has(feed, 23 + FEED_COMMITS_MAX, 0, 10) == false);
    EXPECT(has(feed, 24 + FEED_COMMITS_MAX, 0, 10));
    feed_put(feed, 1000, make_group(&account, 1000, FEED_FILES_MAX + 1, 2), UINT64_MAX);
    EXPECT(!has(feed, 1000, 7, 2));
    feed_put(feed, 1001, make_group(&account, 1001, FEED_FILES_MAX, 2), UINT64_MAX);
    EXPECT(has(feed, 1001, 6, 2));
    feed_drop(feed);
    EXPECT(!has(feed, 1001, 6, 2));
    feed_put(feed, 1002, make_group(&account, 1002, 1, 2), UINT64_MAX);
    feed_close(feed);
    EXPECT_U64(account_bytes(&account), 0);
    feed_put(feed, 1003, make_group(&account, 1003, 1, 2), UINT64_MAX);
    EXPECT_U64(account_bytes(&account), 0);
    feed_free(feed);
}

struct crowd {
    struct feed *feed;
    _Atomic uint64_t newest, found;
    _Atomic uint32_t readers;
};

/* Take what comes until the feed is empty for good. */
static void *read_along(void *argument)
{
    struct crowd *c = argument;
    uint32_t reader = atomic_fetch_add(&c->readers, 1) % 4;
    for (uint64_t version = 0; version != UINT64_MAX;) {
        version = atomic_load(&c->newest);
        for (uint64_t f = 0; version != UINT64_MAX && f < PARTS; f++)
            if (has(c->feed, version, f, 1000))
                atomic_fetch_add(&c->found, 1);
        if (version % 5 == reader)
            feed_leave(c->feed, reader);
        else if (version != UINT64_MAX)
            feed_taken(c->feed, reader, version - 1);
    }
    return NULL;
}

TEST(follow_feed_readers_and_commits_at_once)
{
    struct account account = {0};
    struct crowd c = {.feed = feed_new(), .newest = 1};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        EXPECT(pthread_create(&threads[i], NULL, read_along, &c) == 0);
    for (uint64_t version = 2; version < 3000 || (c.found < 100 && version < 300000); version++) {
        feed_put(c.feed, version, make_group(&account, version, PARTS, 1000), 20000);
        atomic_store(&c.newest, version);
        if (version % 7 == 0)
            feed_drop(c.feed);
    }
    feed_close(c.feed); /* with readers in it */
    EXPECT_U64(account_bytes(&account), 0);
    atomic_store(&c.newest, UINT64_MAX);
    for (int i = 0; i < 4; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    EXPECT(c.found >= 100);
    feed_free(c.feed);
}

/* A table with its writer, and one who follows it: rows that were taken, and those of them that
 * were committed. */
static const struct store_origin origin = {"S", "C", "D"};

struct table {
    struct store *store;
    struct store_path path;
    struct store_kind kind;
    struct store_writer *writer;
    struct account account;
    struct position position;
    struct seqset rows, none;
    uint64_t next, sealed;
    struct feed *feed;
    char dir[64];
};

struct follower_target {
    struct follow_target target;
    struct follow_session session;
    uint64_t taken, committed; /* the newest rows */
    atomic_bool stop;
};

/* The row behind one: there are gaps. */
static uint64_t behind(uint64_t sequence)
{
    return sequence + (sequence % 20 == 19 ? 2 : 1);
}

static size_t payload_of(uint64_t sequence, uint8_t payload[static 20000])
{
    size_t len = (size_t)(sequence * 2654435761u >> 7) % (sequence % 50 == 0 ? 20000 : 300);
    for (size_t i = 0; i < len; i++)
        payload[i] = (uint8_t)((sequence + i) * 2654435761u >> 13);
    return len;
}

static void open_table(struct table *t)
{
    struct err err = {0};
    *t = (struct table){.next = 1, .position = fixture_position(0), .feed = feed_new()};
    fixture_begin_fast(t->dir);
    t->store = table_open(&fixture_schema, (struct system){0});
    EXPECT(store_path_parse(&t->path, "{simulation_id}/{first_seq}-{last_seq}.parquet", &err) == 0);
    t->kind = (struct store_kind){.schema = &fixture_schema, .path = &t->path};
    t->writer =
        store_writer_new(&(struct store_writer_options){.store = t->store,
                                                        .instance = "i",
                                                        .parquet = parquet_options_default(),
                                                        .account = &t->account,
                                                        .stepped = true,
                                                        .hand_on = true},
                         &err);
    EXPECT(t->writer != NULL);
    store_writer_set_limits(t->writer, &(struct store_writer_limits){.batch_bytes = 4096,
                                                                     .open_memory = UINT64_MAX,
                                                                     .row_group_bytes = 20000});
}

static void append(struct table *t)
{
    uint8_t payload[20000];
    char simulation[8];
    (void)snprintf(simulation, sizeof(simulation), "sim-%u", (unsigned)(test_random() % PARTS));
    const struct store_row row = {.kind = &t->kind,
                                  .origin = &origin,
                                  .sequence = t->next,
                                  .values = {.simulation_id = slice_of(simulation)}};
    struct batch *b = store_writer_begin_row(t->writer, &row);
    batch_put_int64(b, 0, 1);
    batch_put_bytes(b, 1, slice_of(simulation));
    batch_put_bytes(b, 2, (struct slice){payload, payload_of(t->next, payload)});
    batch_put_int64(b, 3, (int64_t)t->next);
    batch_put_int64(b, 4, 1);
    batch_end_row(b);
    (void)store_writer_end_row(t->writer);
    (void)seqset_add(&t->rows, t->next);
    t->next = behind(t->next);
}

static void commit_rows(struct table *t)
{
    struct store_committed how;
    seqset_reset(&t->rows);
    for (uint64_t rows = test_random() % 300 + 1; rows > 0; rows--)
        append(t);
    t->position.through = t->position.last_seq = t->next - 1;
    store_writer_seal(t->writer, &(struct store_seal){.number = ++t->sealed,
                                                      .positions = &t->position,
                                                      .rows_of = &t->rows,
                                                      .dead_letters = &t->none,
                                                      .position_count = 1});
    while (!store_writer_committed(t->writer, &how))
        (void)store_writer_turn(t->writer, 0);
    positions_free(&how.others);
    feed_put(t->feed, how.version, how.group, test_random() % 4 == 0 ? 5000 : UINT64_MAX);
}

static int open_target(struct follow_target *target, const struct delta_follower *done,
                       struct err *err)
{
    (void)target, (void)done, (void)err;
    return 0;
}

static int take(struct follow_target *target, const struct follow_event *row, struct err *err)
{
    struct follower_target *f = (struct follower_target *)target;
    uint8_t payload[20000];
    size_t len = payload_of(row->sequence, payload);
    (void)err;
    EXPECT_U64(row->sequence, behind(f->taken));
    const struct slice found = row->values[EVENT_COLUMN_EVENT_PAYLOAD];
    EXPECT(found.len == len && memcmp(found.data, payload, len) == 0);
    f->taken = row->sequence;
    return 0;
}

static int commit_target(struct follow_target *target, const struct delta_follower *done,
                         struct err *err)
{
    struct follower_target *f = (struct follower_target *)target;
    (void)done, (void)err;
    f->committed = f->taken;
    return 0;
}

static void close_target(struct follow_target *target)
{
    struct follower_target *f = (struct follower_target *)target;
    f->taken = f->committed;
}

static void ignore(void *context)
{
    (void)context;
}

static void follow(struct follower_target *f, const char *name, struct feed *feed, uint32_t number)
{
    static const struct follow_target_operations operations = {
        open_target, take, commit_target, NULL, close_target, NULL};
    *f = (struct follower_target){.target.operations = &operations};
    f->session = (struct follow_session){.root = "root",
                                         .name = name,
                                         .target = &f->target,
                                         .stop = &f->stop,
                                         .tell = ignore,
                                         .feed = {.feed = feed, .number = number}};
}

static void turn(struct follower_target *f)
{
    struct err err = {0};
    bool news;
    EXPECT(follow_session_round(&f->session, &news, &err) == 0);
    EXPECT_TEXT(err.text, "");
}

/* One that is fed, one that is fed as well and is killed now and then, and one that reads files:
 * each has each row, once and in order, with all its bytes. */
TEST(follow_feed_and_files_are_the_same)
{
    struct table t;
    struct follower_target fed, killed, reading;
    open_table(&t);
    follow(&fed, "fed", t.feed, 0);
    follow(&killed, "killed", t.feed, 1);
    follow(&reading, "reading", NULL, 0);
    for (int i = 0; i < 150; i++) {
        uint64_t what = test_random() % 12;
        char why[256];
        if (what < 5)
            commit_rows(&t);
        if (t.next > 1 && what < 8)
            turn(&fed);
        if (t.next > 1 && what > 6 && what < 10)
            turn(&killed);
        if (what == 9)
            follow_session_close(&killed.session);
        if (what == 10)
            feed_drop(t.feed);
        if (what == 11 && i % 3 == 0)
            (void)table_compact(&fixture_schema, why);
    }
    commit_rows(&t);
    turn(&fed);
    turn(&killed);
    turn(&reading);
    uint64_t last = t.rows.list[t.rows.count - 1].last;
    EXPECT(fed.committed == last && killed.committed == last && reading.committed == last);
    EXPECT(fed.session.feed.fed > 0 && reading.session.feed.fed == 0);
    follow_session_close(&fed.session);
    follow_session_close(&killed.session);
    follow_session_close(&reading.session);
    feed_free(t.feed);
    store_writer_free(t.writer);
    EXPECT_U64(account_bytes(&t.account), 0);
    EXPECT_U64(account_bytes(&fed.target.account), 0);
    seqset_free(&t.rows);
    store_close(t.store);
    fixture_end_fast(t.dir);
}

static void *take_all(void *argument)
{
    struct crowd *c = argument;
    atomic_fetch_add(&c->readers, 1);
    feed_taken(c->feed, 0, UINT64_MAX);
    return NULL;
}

/* The owner of the rows' memory may go when the feed is closed, whoever was freeing some then. */
TEST(follow_feed_is_closed_when_all_is_free)
{
    for (int round = 0; round < 300; round++) {
        struct account account = {0};
        struct crowd c = {.feed = feed_new()};
        pthread_t thread;
        feed_taken(c.feed, 0, 0);
        for (uint64_t version = 1; version <= FEED_COMMITS_MAX; version++)
            feed_put(c.feed, version, make_group(&account, version, 1, 10), UINT64_MAX);
        EXPECT(pthread_create(&thread, NULL, take_all, &c) == 0);
        while (atomic_load(&c.readers) == 0)
            continue;
        feed_close(c.feed);
        EXPECT_U64(account_bytes(&account), 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        feed_free(c.feed);
    }
}
