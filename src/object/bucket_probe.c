/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "object/bucket_part.h"

enum {
    /* A store that looks first and puts then lets two win in more than half of all races. */
    RACES = 6,
    RACE_BYTES = 64 * 1024, /* long enough on the way that both are looked at before either is in */
    RACERS = 2,
    KEY_MAX = OBJECT_PART_MAX + 64,
};

#define FOLDER ".varve/"
#define OLD (3600 * CLOCK_SECOND) /* who tries needs seconds */

struct racer {
    struct s3_client *client;
    const char *key;
    pthread_barrier_t *start;
    struct buf body;
    enum s3_outcome outcome;
    struct err err;
};

static void *race(void *context)
{
    struct racer *r = context;
    struct s3_condition absent = {.kind = S3_IF_ABSENT};
    (void)pthread_barrier_wait(r->start);
    r->outcome = s3_put(r->client, r->key, buf_slice(&r->body), absent, NULL, &r->err);
    return NULL;
}

static int refuse(struct s3_client *client, const char *why, struct err *err)
{
    return err_set(err, ERR_REFUSED,
                   "the object store at %s %s, and commits would overwrite each other: varve needs "
                   "a store that honours If-None-Match",
                   s3_client_address(client), why);
}

/* Both at once: one has to win, and the other one to hear of it. */
static int race_once(struct racer *racers, const char *key, struct err *err)
{
    pthread_barrier_t start;
    pthread_t second;
    ASSERT(pthread_barrier_init(&start, NULL, RACERS) == 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i].key = key;
        racers[i].start = &start;
        err_clear(&racers[i].err);
    }
    int error = pthread_create(&second, NULL, race, &racers[1]);
    if (error == 0) {
        (void)race(&racers[0]);
        ASSERT(pthread_join(second, NULL) == 0);
    }
    ASSERT(pthread_barrier_destroy(&start) == 0);
    if (error != 0)
        return err_set_system(err, error, "a thread can't be started");
    int done = 0;
    for (int i = 0; i < RACERS; i++) {
        done += racers[i].outcome == S3_DONE;
        if (racers[i].outcome != S3_DONE && racers[i].outcome != S3_TAKEN) {
            *err = racers[i].err;
            return bucket_failed(racers[i].outcome, key, err);
        }
    }
    return done > 1 ? refuse(racers[0].client, "lets two writers make one object", err) : 0;
}

/* One after the other, with different bytes; then what was put is read. */
static int try_one(struct s3_client *client, const char *key, struct err *err)
{
    const struct slice first = {(const uint8_t *)"varve", 5};
    const struct slice second = {(const uint8_t *)"Varve", 5};
    struct s3_condition absent = {.kind = S3_IF_ABSENT};
    struct buf there = {0};
    enum s3_outcome outcome = s3_put(client, key, first, absent, NULL, err);
    if (outcome != S3_DONE)
        return bucket_failed(outcome, key, err);
    outcome = s3_put(client, key, second, absent, NULL, err);
    if (outcome == S3_DONE)
        return refuse(client, "puts one object in place of another in spite of If-None-Match", err);
    if (outcome == S3_TAKEN)
        outcome = s3_get(client, key, 0, second.len + 1, &there, NULL, err);
    bool same = slice_equal(buf_slice(&there), first);
    buf_free(&there);
    if (outcome != S3_DONE)
        return bucket_failed(outcome, key, err);
    return same ? 0 : refuse(client, "gives back other bytes than were put", err);
}

/* In parts, where there is an object: *whole if it takes its place. A store that has no uploads, or
 * says what nobody knows, gets none. */
static int try_parts(struct s3_client *client, const char *key, bool *whole, struct err *err)
{
    const struct slice other = {(const uint8_t *)"another", 7};
    struct s3_condition absent = {.kind = S3_IF_ABSENT};
    char id[S3_UPLOAD_ID_MAX];
    struct s3_part part;
    struct err ignored = {0};
    *whole = true;
    enum s3_outcome outcome = s3_upload_begin(client, key, id, err);
    if (outcome == S3_REFUSED) {
        err_clear(err);
        return 0;
    }
    if (outcome == S3_DONE) {
        outcome = s3_upload_part(client, key, id, 1, other, &part, err);
        if (outcome == S3_DONE)
            outcome = s3_upload_complete(client, key, id, &part, 1, absent, NULL, err);
        if (outcome != S3_DONE)
            (void)!s3_upload_abort(client, key, id, &ignored);
    }
    *whole = outcome != S3_TAKEN;
    if (outcome == S3_LATER || outcome == S3_UNCLEAR)
        return bucket_failed(outcome, key, err);
    err_clear(err);
    return 0;
}

static bool note_key(void *context, const struct s3_listed *listed)
{
    bool *listed_any = context;
    (void)listed;
    *listed_any = true;
    return false;
}

/* What probes have left that were killed, or are just making. */
struct left {
    const char *own; /* what names of our earlier ones begin with */
    int64_t before;  /* others are old that were put before */
    ARRAY(char *) keys;
};

static bool note_left(void *context, const struct s3_listed *listed)
{
    struct left *l = context;
    bool old = listed->modified != 0 && listed->modified < l->before;
    if (slice_starts_with(listed->key, l->own) || old)
        *array_add(&l->keys) = text_copy_slice(listed->key);
    return true;
}

static int find_left(struct s3_client *client, const char *own, struct left *l, struct err *err)
{
    l->own = own;
    l->before = clock_wall() + s3_client_counters(client)->skew - OLD;
    enum s3_outcome outcome = s3_list(client, FOLDER, "", note_left, l, err);
    return outcome == S3_DONE || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, own, err);
}

static bool has_left(const struct left *l, const char *key)
{
    bool found = false;
    for (size_t i = 0; i < l->keys.count && !found; i++)
        found = strcmp(l->keys.list[i], key) == 0;
    return found;
}

static void free_left(struct left *l)
{
    for (size_t i = 0; i < l->keys.count; i++)
        free(l->keys.list[i]);
    array_free(&l->keys);
}

/* What was there `before` we tried, and still is: another process of our name that tries as we do
 * has each of its objects for a moment only. */
static int remove_left(struct s3_client *client, const char *own, const struct left *before,
                       struct err *err)
{
    struct left l = {0};
    if (before->keys.count == 0)
        return 0;
    int result = find_left(client, own, &l, err);
    for (size_t i = 0; i < l.keys.count && result == 0; i++) {
        if (!has_left(before, l.keys.list[i]))
            continue;
        enum s3_outcome outcome = s3_delete(client, l.keys.list[i], NULL, err);
        result = outcome == S3_DONE ? 0 : bucket_failed(outcome, l.keys.list[i], err);
    }
    free_left(&l);
    return result;
}

static int probe(struct racer *racers, const char *own, bool *whole, struct err *err)
{
    struct s3_client *client = racers[0].client;
    struct left left = {0};
    uint64_t number;
    bool listed = false;
    int result = find_left(client, own, &left, err);
    if (result == 0)
        result = random_bytes(&number, sizeof(number), err);
    for (int i = 0; i <= RACES && result == 0; i++) {
        char key[KEY_MAX];
        struct err ignored = {0};
        (void)snprintf(key, sizeof(key), "%s%016" PRIx64 "-%d", own, number, i);
        result = i == 0 ? try_one(client, key, err) : race_once(racers, key, err);
        if (i == 0 && result == 0) {
            enum s3_outcome outcome = s3_list(client, key, "", note_key, &listed, err);
            result = outcome == S3_DONE && listed ? 0
                     : outcome == S3_DONE ? refuse(client, "does not list what was put", err)
                                          : bucket_failed(outcome, key, err);
            if (result == 0)
                result = try_parts(client, key, whole, err);
        }
        enum s3_outcome gone = s3_delete(client, key, NULL, result == 0 ? err : &ignored);
        if (result == 0 && gone != S3_DONE)
            result = bucket_failed(gone, key, err);
    }
    if (result == 0)
        result = remove_left(client, own, &left, err);
    free_left(&left);
    return result;
}

static void look_back(struct s3_client *client, struct object_bucket_found *out)
{
    const struct s3_counters *c = s3_client_counters(client);
    uint64_t requests = 0, nanoseconds = 0;
    for (int o = 0; o < S3_OPERATIONS; o++) {
        nanoseconds += c->nanoseconds[o];
        for (int k = 0; k < S3_COUNTS; k++)
            requests += c->requests[o][k];
    }
    (void)snprintf(out->address, sizeof(out->address), "%s", s3_client_address(client));
    (void)snprintf(out->credentials, sizeof(out->credentials), "%s", s3_client_credentials(client));
    out->in_path = s3_client_in_path(client);
    out->skew = c->skew;
    out->latency = requests > 0 ? (int64_t)(nanoseconds / requests) : 0;
}

int bucket_probe(const struct s3_options *options, const char *writer,
                 struct object_bucket_found *out, struct err *err)
{
    struct racer racers[RACERS] = {0};
    struct buf own = {0};
    int result = 0;
    /* Each writer tries alone, and can tell what it has left: */
    if (writer != NULL)
        buf_printf(&own, FOLDER "probe/%s/", writer);
    else
        buf_append_text(&own, FOLDER "check/");
    for (int i = 0; i < RACERS && result == 0; i++) {
        racers[i].client = s3_client_open(options, err);
        result = racers[i].client == NULL ? -1 : 0;
        for (size_t k = 0; k < RACE_BYTES; k++)
            buf_append_byte(&racers[i].body, (uint8_t)('a' + i));
    }
    if (result == 0)
        result = probe(racers, buf_text(&own), &out->whole, err);
    if (racers[0].client != NULL)
        look_back(racers[0].client, out);
    for (int i = 0; i < RACERS; i++) {
        s3_client_close(racers[i].client);
        buf_free(&racers[i].body);
    }
    buf_free(&own);
    return result;
}
