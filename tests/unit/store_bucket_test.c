/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/sha256.h"
#include "bucket_model.h"
#include "delta/action.h"
#include "object/bucket.h"
#include "object/open.h"
#include "object/s3_client.h"
#include "store/store.h"
#include "store/writer.h"
#include "test.h"

/*
 * Varve's store in a bucket, against a model of one whose answers get lost: open it, then store
 * what is missing of EPOCHS epochs of one stream. Each has six rows in two partitions, x and y, so
 * what each file is called is known beforehand. Whatever becomes of any request, whichever process
 * dies at one, and whoever runs at the same time: each row is stored once, what was reported stays,
 * and after the next start nothing lies in the bucket that the log does not name.
 */
enum { EPOCHS = 3, EPOCH_ROWS = 6, TURNS = 60, PART = 100 };

static size_t part; /* bytes; 0: no file has more than one */

static const struct column_spec columns[] = {
    {.name = "seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    /* What a process has left is not what the next one is to put there. */
    {.name = "start", .type = COLUMN_INT64},
};
static const struct schema narrow = {"narrow", columns, 2};

struct party {
    struct bucket_model *model;
    const char *name, *stream;
    uint64_t epochs;    /* to be stored, */
    uint64_t committed; /* and reported as such, by this party and those before it */
    uint64_t conflicts; /* reported with these */
    bool stuck;         /* it was refused, time and again */
    bool over;          /* it has to start over, as the pipeline does then */
    unsigned starts;
    /* Of the epoch at hand; the writer borrows it. */
    struct store_path path;
    struct store_kind table;
    struct store_origin origin;
    struct position position;
    struct seqset rows, none;
    struct err why;
};

static void fill_epoch(struct store_writer *w, struct party *p, uint64_t first)
{
    for (uint64_t seq = first; seq < first + EPOCH_ROWS; seq++) {
        struct store_row row = {.kind = &p->table,
                                .origin = &p->origin,
                                .sequence = seq,
                                .values = {.simulation_id = slice_of(seq % 2 == 1 ? "x" : "y")}};
        struct batch *b = store_writer_begin_row(w, &row);
        batch_put_int64(b, 0, (int64_t)seq);
        batch_put_int64(b, 1, (int64_t)p->starts);
        batch_end_row(b);
        (void)store_writer_end_row(w);
    }
}

/* As the pipeline does it: until it is committed. False: the process is dead, or is refused. */
static bool settle(struct party *p, struct store_writer *w)
{
    struct store_committed how;
    for (int turn = 0; turn < TURNS && !bucket_model_is_dead(p->model); turn++) {
        int64_t next = store_writer_turn(w, clock_monotonic());
        if (store_writer_committed(w, &how)) {
            positions_free(&how.others);
            p->conflicts += how.conflicts;
            return true;
        }
        if (next != INT64_MAX)
            bucket_model_wait(p->model, next);
    }
    struct store_trouble trouble = store_writer_trouble(w);
    p->over = trouble.outdated && !bucket_model_is_dead(p->model);
    p->stuck = !p->over && !bucket_model_is_dead(p->model);
    p->why = trouble.err;
    return false;
}

static bool store_epoch(struct party *p, struct store_writer *w, uint64_t number)
{
    uint64_t first = (number - 1) * EPOCH_ROWS + 1, last = number * EPOCH_ROWS;
    p->position = (struct position){.stream = p->stream,
                                    .created = "C",
                                    .consumer = "D",
                                    .through = last,
                                    .last_seq = last,
                                    .last_time = (int64_t)last * 1000};
    seqset_reset(&p->rows);
    seqset_add_range(&p->rows, first, last);
    fill_epoch(w, p, first);
    store_writer_seal(w, &(struct store_seal){.number = number,
                                              .time = clock_monotonic(),
                                              .positions = &p->position,
                                              .rows_of = &p->rows,
                                              .dead_letters = &p->none,
                                              .position_count = 1});
    return settle(p, w);
}

static struct store *open_store(const struct party *p, struct err *err)
{
    const struct store_source source = {p->stream, "D", .shared = true};
    struct store_config config = {.root = BUCKET_MODEL_URL,
                                  .instance = p->name,
                                  .engine = "varve/0",
                                  .schema = &narrow,
                                  .sources = &source,
                                  .source_count = 1};
    return store_open(&config, err);
}

static struct store_writer *start_writer(struct store *store, const struct party *p)
{
    struct err err = {0};
    struct store_writer *w =
        store_writer_new(&(struct store_writer_options){.store = store,
                                                        .instance = p->name,
                                                        .parquet = parquet_options_default(),
                                                        .stepped = true},
                         &err);
    EXPECT(w != NULL);
    store_writer_set_limits(
        w, &(struct store_writer_limits){.batch_bytes = 4096, .open_memory = UINT64_MAX});
    return w;
}

/* Start, and store what is missing. */
static void start(struct party *p)
{
    struct store *store = NULL;
    struct err err = {0};
    for (int attempt = 0; attempt < 4 && store == NULL && !bucket_model_is_dead(p->model);
         attempt++) {
        err_clear(&err);
        store = open_store(p, &err);
    }
    if (store == NULL) {
        p->stuck = !bucket_model_is_dead(p->model);
        p->why = err;
        return;
    }
    const struct position *position = positions_find(&store->positions, p->stream, "C", "D");
    uint64_t done = position == NULL ? 0 : position->through / EPOCH_ROWS;
    EXPECT(done >= p->committed);
    p->committed = done;
    struct store_writer *w = start_writer(store, p);
    p->table = (struct store_kind){.schema = &narrow, .path = &p->path};
    p->origin = (struct store_origin){.stream = p->stream, .created = "C", .consumer = "D"};
    EXPECT(store_path_parse(&p->path, "{simulation_id}/{stream}-{first_seq}-{last_seq}.parquet",
                            &err) == 0);
    while (p->committed < p->epochs && store_epoch(p, w, p->committed + 1))
        p->committed++;
    store_writer_free(w);
    store_close(store);
    seqset_free(&p->rows);
}

static void run(struct party *p)
{
    do {
        p->starts++;
        p->over = false;
        start(p);
        if (p->over)
            err_clear(&p->why);
    } while (p->over && p->starts < 4);
}

struct view {
    struct map there; /* "<name> <SHA-256>" of each object that is no log */
    struct map named; /* the same, as the log says */
    bool pending;     /* a commit under way is there */
};

static void note_text(struct map *map, struct slice name, const char *hash)
{
    struct buf text = {0};
    bool added;
    buf_append_slice(&text, name);
    buf_printf(&text, " %s", hash);
    (void)map_put(map, buf_slice(&text), &added);
    EXPECT(added);
    buf_free(&text);
}

static void note_adds(struct view *v, struct slice line)
{
    struct arena arena = {0};
    struct err err = {0};
    const struct json *add = json_member(json_parse(&arena, line, &err), "add");
    struct slice uri, hash;
    EXPECT_TEXT(err.text, "");
    if (add != NULL) {
        struct buf path = {0}, text = {0};
        EXPECT(json_get_text(add, "path", &uri) && delta_path_decode(&path, uri) &&
               json_get_text(json_member(add, "tags"), "varve.sha256", &hash));
        buf_append_slice(&text, hash);
        note_text(&v->named, buf_slice(&path), buf_text(&text));
        buf_free(&path);
        buf_free(&text);
    }
    arena_free(&arena);
}

static void look_at(void *context, const char *key, struct slice body)
{
    struct view *v = context;
    char hash[SHA256_TEXT_MAX];
    size_t len = strlen(key);
    v->pending = v->pending || strstr(key, ".pending-") != NULL;
    if (strncmp(key, "_delta_log/", 11) != 0) {
        sha256_text(body, hash);
        note_text(&v->there, slice_of(key), hash);
    } else if (len == 11 + 20 + 5 && strcmp(key + len - 5, ".json") == 0) {
        while (body.len > 0) {
            const uint8_t *end = memchr(body.data, '\n', body.len);
            EXPECT(end != NULL);
            size_t line = (size_t)(end - body.data);
            note_adds(v, (struct slice){body.data, line});
            body = (struct slice){end + 1, body.len - line - 1};
        }
    }
}

static struct view look(struct bucket_model *m)
{
    struct view v = {0};
    bucket_model_walk(m, look_at, &v);
    return v;
}

static void forget(struct view *v)
{
    map_free(&v->there);
    map_free(&v->named);
}

/* How many files the log names that begin with this. */
static uint64_t count_files(const struct view *v, const char *start)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < v->named.count; i++)
        count += slice_starts_with(map_key(&v->named, i), start);
    return count;
}

/* Of the rows that a name says, perhaps with a number behind it, there is one file. */
static void expect_file(const struct view *v, const char *partition, const char *stream,
                        uint64_t first)
{
    char name[64], plain[96], numbered[96];
    (void)snprintf(name, sizeof(name), "%s/%s-%" PRIu64 "-%" PRIu64, partition, stream, first,
                   first + EPOCH_ROWS - 2);
    (void)snprintf(plain, sizeof(plain), "%s.parquet ", name);
    (void)snprintf(numbered, sizeof(numbered), "%s-", name);
    EXPECT_U64(count_files(v, plain) + count_files(v, numbered), 1);
}

/* The files of the first epochs of a stream: their names say which rows they have. */
static void expect_stream(const struct view *v, const char *stream, uint64_t epochs)
{
    for (uint64_t n = 0; n < epochs; n++) {
        expect_file(v, "x", stream, n * EPOCH_ROWS + 1);
        expect_file(v, "y", stream, n * EPOCH_ROWS + 2);
    }
}

/* Each file that the log names is there, with the bytes that it says. */
static void expect_whole(const struct view *v)
{
    for (uint32_t i = 0; i < v->named.count; i++)
        EXPECT(map_find(&v->there, map_key(&v->named, i)) >= 0);
}

/* So many epochs of each stream are in the table, and nothing else. */
static void expect_rows(struct bucket_model *m, uint64_t first, uint64_t second)
{
    struct view v = look(m);
    expect_whole(&v);
    expect_stream(&v, "S", first);
    expect_stream(&v, "T", second);
    EXPECT_U64(v.named.count, 2 * (first + second));
    forget(&v);
}

/* Nor is anything else in the bucket. */
static void expect_exactly(struct bucket_model *m, uint64_t first, uint64_t second)
{
    struct view v = look(m);
    expect_rows(m, first, second);
    EXPECT_U64(v.there.count, v.named.count);
    EXPECT(!v.pending);
    forget(&v);
}

static struct party as(struct bucket_model *m, const char *name, const char *stream)
{
    return (struct party){.model = m, .name = name, .stream = stream, .epochs = EPOCHS};
}

static struct bucket_model *begin(void)
{
    log_configure(LOG_OFF, LOG_LOGFMT);
    struct bucket_model *m = bucket_model_new();
    service_reach(part);
    return m;
}

/* How many requests a whole run makes, and that it does what it should. */
static uint64_t count_requests(void)
{
    struct bucket_model *m = begin();
    struct party p = as(m, "i", "S");
    run(&p);
    EXPECT_U64(p.committed, EPOCHS);
    expect_exactly(m, EPOCHS, 0);
    uint64_t requests = bucket_model_requests(m);
    bucket_model_free(m);
    return requests;
}

/* After one more start, nothing lies in the bucket that the log does not name. */
static void expect_swept(struct bucket_model *m, const char *name)
{
    struct party last = as(m, name, "S");
    last.epochs = 0;
    bucket_model_start(m);
    run(&last);
    EXPECT_TEXT(last.why.text, "");
    struct view v = look(m);
    expect_whole(&v);
    EXPECT_U64(v.there.count, v.named.count);
    EXPECT(!v.pending);
    forget(&v);
    bucket_model_wait(m, clock_wall() + 25 * 3600 * CLOCK_SECOND);
    bucket_model_start(m);
    run(&last);
    EXPECT_U64(bucket_model_uploads(m), 0);
}

/* The process goes on, whatever became of one request. */
static void meet_every_fate(uint64_t requests)
{
    for (int fate = BUCKET_LOST; fate < BUCKET_FATES; fate++) {
        for (uint64_t n = 1; n <= requests; n++) {
            struct bucket_model *m = begin();
            struct party p = as(m, "i", "S");
            bucket_model_set_fate(m, n, (enum bucket_fate)fate);
            run(&p);
            EXPECT_TEXT(p.why.text, "");
            EXPECT_U64(p.committed, EPOCHS);
            expect_exactly(m, EPOCHS, 0);
            expect_swept(m, "i");
            bucket_model_free(m);
        }
    }
}

TEST(store_bucket_goes_on_after_every_fate_of_every_request)
{
    uint64_t requests = count_requests();
    EXPECT(requests > 50);
    meet_every_fate(requests);
}

/* A file is too large for one request. */
TEST(store_bucket_goes_on_after_every_fate_of_every_request_of_parts)
{
    uint64_t requests = count_requests();
    part = PART;
    EXPECT(count_requests() > requests + (uint64_t)2 * EPOCHS * (2 + S3_WHOLE_PARTS));
    meet_every_fate(count_requests());
}

/* What was thought lost and was sent again comes late: it may take .pending of the next commit. */
TEST(store_bucket_leaves_nothing_when_a_request_is_late)
{
    uint64_t requests = count_requests(), started_over = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        for (uint64_t delay = 3; delay < 24; delay += 2) {
            struct bucket_model *m = begin();
            struct party p = as(m, "i", "S");
            bucket_model_delay(m, delay);
            bucket_model_set_fate(m, n, BUCKET_LATE);
            run(&p);
            EXPECT_TEXT(p.why.text, "");
            EXPECT_U64(p.committed, EPOCHS);
            expect_rows(m, EPOCHS, 0);
            bool over = p.starts > 1;
            p.starts = 0;
            for (int i = 0; i < 2; i++) { /* by now all has come */
                bucket_model_start(m);
                run(&p);
            }
            expect_swept(m, "i");
            started_over += over;
            bucket_model_free(m);
        }
    }
    EXPECT_U64(started_over, 0); /* .pending is nobody else's */
}

/* What was reported is there, epochs are whole, and the next start leaves nothing else. */
static void expect_recovered(struct party *p)
{
    struct err err = {0};
    bucket_model_start(p->model);
    p->stuck = false;
    uint64_t epochs = p->epochs;
    p->epochs = 0; /* a start alone */
    run(p);
    EXPECT_TEXT(err.text, "");
    expect_exactly(p->model, p->committed, 0);
    p->epochs = epochs;
    run(p);
    EXPECT_TEXT(p->why.text, "");
    EXPECT_U64(p->committed, EPOCHS);
    expect_exactly(p->model, EPOCHS, 0);
    expect_swept(p->model, "i");
}

static void kill_at_every_request(enum bucket_fate fate)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S");
        bucket_model_kill(m, n, fate);
        run(&p);
        EXPECT(bucket_model_is_dead(m));
        err_clear(&p.why);
        expect_recovered(&p);
        bucket_model_free(m);
    }
}

TEST(store_bucket_recovers_from_death_before_every_request)
{
    kill_at_every_request(BUCKET_LOST);
}

TEST(store_bucket_recovers_from_death_after_every_request)
{
    kill_at_every_request(BUCKET_UNANSWERED);
}

TEST(store_bucket_recovers_from_death_between_parts)
{
    part = PART;
    kill_at_every_request(BUCKET_LOST);
    kill_at_every_request(BUCKET_UNANSWERED);
}

/* What the dead process has sent comes when the next one has begun: that one goes on by itself. */
TEST(store_bucket_goes_on_when_what_a_dead_process_sent_is_late)
{
    uint64_t requests = count_requests(), started_over = 0;
    for (uint64_t k = 0; k < 3 * requests; k++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S");
        uint64_t n = 1 + k / 3;
        bucket_model_delay(m, 3 + k % 3 * 15);
        bucket_model_kill(m, n, BUCKET_LATE);
        run(&p);
        bucket_model_start(m);
        err_clear(&p.why);
        p.starts = 0;
        run(&p);
        EXPECT_TEXT(p.why.text, "");
        EXPECT_U64(p.committed, EPOCHS);
        expect_rows(m, EPOCHS, 0);
        expect_swept(m, "i");
        started_over += p.starts > 1;
        bucket_model_free(m);
    }
    EXPECT_U64(started_over, 0); /* .pending is nobody else's */
}

/* A request is thought lost and sent again; it comes in front of a later one, perhaps of the next
 * commit, at which the process dies. */
static void die_after_a_late_request(enum bucket_fate last)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n <= requests; n++) {
        for (uint64_t delay = 2; delay < 20 && n + delay < requests; delay++) {
            struct bucket_model *m = begin();
            struct party p = as(m, "i", "S");
            bucket_model_delay(m, delay);
            bucket_model_set_fate(m, n, BUCKET_LATE);
            bucket_model_kill(m, n + delay + 1, last);
            run(&p);
            err_clear(&p.why);
            for (int i = 0; i < 3; i++) { /* by now all has come */
                bucket_model_start(m);
                run(&p);
            }
            EXPECT_TEXT(p.why.text, "");
            EXPECT_U64(p.committed, EPOCHS);
            expect_rows(m, EPOCHS, 0);
            expect_swept(m, "i");
            bucket_model_free(m);
        }
    }
}

TEST(store_bucket_recovers_from_death_after_a_late_request)
{
    die_after_a_late_request(BUCKET_UNANSWERED);
}

TEST(store_bucket_recovers_from_death_at_one_of_two_late_requests)
{
    die_after_a_late_request(BUCKET_LATE);
}

struct found_pending {
    char key[128];
    struct buf body;
};

static void note_pending(void *context, const char *key, struct slice body)
{
    struct found_pending *found = context;
    if (strstr(key, ".pending-") == NULL)
        return;
    (void)snprintf(found->key, sizeof(found->key), "%s", key);
    buf_append_slice(&found->body, body);
}

/* The commit under way gets the name that it had until version 0.1.0. False: there is none. */
static bool rename_pending(struct bucket_model *m, const char *name)
{
    struct found_pending found = {0};
    struct err err = {0};
    struct s3_options options = *object_reached();
    struct s3_condition any = {.kind = S3_ANY};
    bucket_model_walk(m, note_pending, &found);
    bool is_there = found.key[0] != '\0';
    bucket_model_start(m);
    options.bucket = "bucket";
    options.prefix = "table/";
    struct s3_client *client = s3_client_open(&options, &err);
    EXPECT(client != NULL);
    if (is_there) {
        EXPECT(strcmp(found.key, name) != 0);
        EXPECT(s3_put(client, name, buf_slice(&found.body), any, NULL, &err) == S3_DONE &&
               s3_delete(client, found.key, NULL, &err) == S3_DONE);
    }
    s3_client_close(client);
    buf_free(&found.body);
    return is_there;
}

TEST(store_bucket_recovers_what_an_earlier_version_was_at)
{
    uint64_t requests = count_requests(), met = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S");
        bucket_model_kill(m, n, BUCKET_UNANSWERED);
        run(&p);
        err_clear(&p.why);
        met += rename_pending(m, "_delta_log/.pending-i");
        expect_recovered(&p);
        bucket_model_free(m);
    }
    EXPECT(met > requests / 4);
}

/* Of three instances each has a name that begins with that of another one, or with what stands
 * behind it. What one has left the others leave alone. */
TEST(store_bucket_tells_instances_apart_whose_names_begin_alike)
{
    static const char *const names[] = {"i", "i2", "i~0"};
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n <= requests; n++) {
        for (int k = 0; k < 3; k++) {
            struct bucket_model *m = begin();
            struct party p = as(m, names[k], "S"), other = as(m, names[(k + 1) % 3], "T");
            struct found_pending before = {0}, after = {0};
            bucket_model_kill(m, n, BUCKET_UNANSWERED);
            run(&p);
            err_clear(&p.why);
            bucket_model_walk(m, note_pending, &before);
            bucket_model_start(m);
            run(&other);
            EXPECT_TEXT(other.why.text, "");
            bucket_model_walk(m, note_pending, &after);
            EXPECT_TEXT(after.key, before.key);
            EXPECT(slice_equal(buf_slice(&after.body), buf_slice(&before.body)));
            run(&p);
            EXPECT_TEXT(p.why.text, "");
            expect_exactly(m, EPOCHS, EPOCHS);
            buf_free(&before.body);
            buf_free(&after.body);
            bucket_model_free(m);
        }
    }
}

/* Most of the second deaths come in recovery. */
TEST(store_bucket_recovers_from_death_in_recovery)
{
    uint64_t requests = count_requests();
    for (uint64_t n = 1; n <= requests; n += 2) {
        for (uint64_t k = 1 + n % 3; k < 40; k += 3) {
            struct bucket_model *m = begin();
            struct party p = as(m, "i", "S");
            bucket_model_kill(m, n, k % 2 == 0 ? BUCKET_LOST : BUCKET_UNANSWERED);
            run(&p);
            bucket_model_start(m);
            bucket_model_kill(m, k, n % 4 == 1 ? BUCKET_LOST : BUCKET_UNANSWERED);
            run(&p);
            err_clear(&p.why);
            expect_recovered(&p);
            bucket_model_free(m);
        }
    }
}

static void run_other(void *context)
{
    run(context);
}

/* Another instance writes to the table at any moment. Both get through, with one log. */
TEST(store_bucket_is_shared_by_two_instances)
{
    uint64_t requests = count_requests(), met = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S"), other = as(m, "j", "T");
        bucket_model_interpose(m, n, run_other, &other);
        run(&p);
        EXPECT_TEXT(p.why.text, "");
        EXPECT_TEXT(other.why.text, "");
        expect_exactly(m, EPOCHS, EPOCHS);
        EXPECT(p.conflicts <= 1 && other.conflicts == 0); /* the other has the table for itself */
        met += p.conflicts;
        bucket_model_free(m);
    }
    EXPECT(met > 0 && met < requests);
}

/* A second process starts as the same instance, at any moment, and stores so many epochs. The first
 * one can't store a row again, nor what the other has taken back: it stops, and says why. How often
 * it had to. */
static uint64_t fence_at_every_request(uint64_t requests, uint64_t epochs)
{
    uint64_t stuck = 0, over = 0;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S"), twin = as(m, "i", "S");
        twin.epochs = epochs;
        bucket_model_interpose(m, n, run_other, &twin);
        run(&p);
        EXPECT_TEXT(twin.why.text, "");
        EXPECT(twin.committed >= epochs);
        EXPECT(!p.stuck || strstr(p.why.text, "another process commits as instance i") != NULL);
        EXPECT(p.stuck || p.committed == EPOCHS);
        stuck += p.stuck;
        over += p.starts > 1;
        struct view v = look(m);
        expect_whole(&v);
        EXPECT_U64(v.named.count % 2, 0);
        expect_stream(&v, "S", v.named.count / 2);
        forget(&v);
        expect_swept(m, "i");
        bucket_model_free(m);
    }
    EXPECT(over > 0);
    return stuck;
}

TEST(store_bucket_fences_two_processes_of_one_instance)
{
    uint64_t requests = count_requests();
    EXPECT(fence_at_every_request(requests, EPOCHS) > requests / 2);
    /* The other one starts, and has nothing to store: the first goes on, if need be from the start.
     */
    EXPECT_U64(fence_at_every_request(requests, 0), 0);
}

/* Two processes recover what a third one has left, the second of them at any moment of the first's
 * recovery, and goes on to the end: what it stores the first one does not take away. */
TEST(store_bucket_recovers_in_two_processes_at_once)
{
    uint64_t requests = count_requests();
    for (uint64_t k = 1; k <= requests; k += 1) {
        for (uint64_t n = 1 + k % 3; n < 40; n += 3) {
            struct bucket_model *m = begin();
            struct party p = as(m, "i", "S"), slow = p, twin = p;
            bucket_model_kill(m, k, BUCKET_UNANSWERED);
            run(&p);
            bucket_model_start(m);
            bucket_model_interpose(m, n, run_other, &twin);
            run(&slow);
            EXPECT_TEXT(twin.why.text, "");
            expect_rows(m, EPOCHS, 0);
            expect_swept(m, "i");
            bucket_model_free(m);
        }
    }
}

static void lose_log(struct bucket_model *m)
{
    const struct object_config config = {.root = BUCKET_MODEL_URL, .entries = "_delta_log/"};
    struct err err = {0};
    bucket_model_start(m);
    struct object_store *store = object_open(&config, &err);
    EXPECT(store != NULL && object_bucket_erase(store, "_delta_log/", &err) == 0);
    object_store_close(store);
    bucket_model_start(m);
}

/* A file that can't be read when the log is begun anew is not left out of it: whoever starts next
 * would find a log, and never look again. */
TEST(store_bucket_adopts_every_file_or_does_not_start)
{
    uint64_t refused = 0, requests = UINT64_MAX;
    for (uint64_t n = 1; n <= requests; n++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S");
        struct err err = {0};
        run(&p);
        lose_log(m);
        bucket_model_set_fate(m, n, BUCKET_DENIED);
        struct store *store = open_store(&p, &err);
        requests = bucket_model_requests(m) > n || store == NULL ? UINT64_MAX : n;
        refused += store == NULL;
        store_close(store);
        expect_swept(m, "i");
        struct view v = look(m);
        EXPECT_U64(v.named.count, 2 * EPOCHS);
        forget(&v);
        bucket_model_free(m);
    }
    EXPECT(refused > 2 * EPOCHS);
}

/*
 * Histories: some processes after one another, each meets its fate at a request, dies at one, and
 * has another instance, or one of its own name, come in between.
 */
TEST(store_bucket_histories)
{
    for (int history = 0; history < 300; history++) {
        struct bucket_model *m = begin();
        struct party p = as(m, "i", "S"), other = as(m, "j", "T");
        bool twins = history % 2 == 0;
        for (int process = 0; process < 4; process++) {
            struct party twin = as(m, "i", "S");
            twin.epochs = other.epochs = test_random() % (EPOCHS + 1);
            twin.committed = p.committed;
            bucket_model_start(m);
            bucket_model_set_fate(m, 1 + test_random() % 60,
                                  (enum bucket_fate)(test_random() % BUCKET_FATES));
            bucket_model_kill(m, 1 + test_random() % 80,
                              test_random() % 2 == 0 ? BUCKET_LOST : BUCKET_UNANSWERED);
            bucket_model_interpose(m, 1 + test_random() % 80, run_other, twins ? &twin : &other);
            run(&p);
            EXPECT(!p.stuck || strstr(p.why.text, "another process commits as") != NULL);
            p.committed = twin.committed > p.committed ? twin.committed : p.committed;
            p.stuck = false;
            err_clear(&p.why);
        }
        bucket_model_start(m);
        run(&p);
        EXPECT_TEXT(p.why.text, "");
        other.epochs = EPOCHS;
        run(&other);
        EXPECT_TEXT(other.why.text, "");
        if (twins)
            expect_rows(m, EPOCHS, EPOCHS);
        else
            expect_exactly(m, EPOCHS, EPOCHS);
        expect_swept(m, "i");
        bucket_model_free(m);
    }
}
