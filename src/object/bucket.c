/* SPDX-License-Identifier: MIT */
#include "object/bucket.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/random.h"
#include "base/text.h"
#include "object/bucket_part.h"

static const char scheme[] = "s3://";

enum { PIECE_FIRST = 1024 * 1024, PIECE = 8 * 1024 * 1024 }; /* bytes */

/* An upload that is older has no writer any more. */
#define ORPHAN_AGE (24 * 3600 * CLOCK_SECOND)

/* Of a writer, for one request beside the time that its bytes take: who writes tries again by
 * himself, and has to end when he is asked to. */
#define WRITER_PATIENCE (5 * CLOCK_SECOND)

/* A commit of another process takes seconds. */
#define FENCED_MAX (60 * CLOCK_SECOND)

/* Which stores are open, and what those had sent that are closed. */
static struct {
    pthread_mutex_t lock;
    struct bucket *first;
    struct s3_counters closed;
} counted = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add_counters(struct s3_counters *to, const struct s3_counters *from)
{
    for (int o = 0; o < S3_OPERATIONS; o++) {
        for (int c = 0; c < S3_COUNTS; c++)
            to->requests[o][c] += from->requests[o][c];
        to->nanoseconds[o] += from->nanoseconds[o];
    }
    if (from->skew != 0)
        to->skew = from->skew;
}

void object_bucket_count(struct s3_counters *out)
{
    *out = (struct s3_counters){0};
    ASSERT(pthread_mutex_lock(&counted.lock) == 0);
    add_counters(out, &counted.closed);
    for (const struct bucket *b = counted.first; b != NULL; b = b->next)
        add_counters(out, s3_client_counters(b->client));
    ASSERT(pthread_mutex_unlock(&counted.lock) == 0);
}

static void begin_counting(struct bucket *b)
{
    ASSERT(pthread_mutex_lock(&counted.lock) == 0);
    b->next = counted.first;
    counted.first = b;
    ASSERT(pthread_mutex_unlock(&counted.lock) == 0);
}

static void end_counting(struct bucket *b)
{
    ASSERT(pthread_mutex_lock(&counted.lock) == 0);
    struct bucket **at = &counted.first;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    add_counters(&counted.closed, s3_client_counters(b->client));
    ASSERT(pthread_mutex_unlock(&counted.lock) == 0);
}

/* Amazon S3 user guide, "General purpose bucket naming rules"; other stores also take '_' and
 * capitals. */
static bool is_bucket(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool sign = i > 0 && (c == '-' || c == '.' || c == '_');
        if (!letter && !(c >= '0' && c <= '9') && !sign)
            return false;
    }
    return name.len >= 3 && name.len <= 255;
}

/* Slashes at the end of the prefix mean nothing. */
static int take_apart(struct bucket *b, struct err *err)
{
    struct buf prefix = {0};
    const char *bucket = b->url + strlen(scheme);
    size_t len = strcspn(bucket, "/");
    struct slice rest = slice_of(bucket + len);
    while (rest.len > 0 && rest.data[rest.len - 1] == '/')
        rest.len--;
    if (rest.len > 0) {
        rest.data++; /* the slash behind the bucket */
        rest.len--;
        buf_append_slice(&prefix, rest);
        buf_append_byte(&prefix, '/');
    }
    b->bucket = text_copy_slice((struct slice){(const uint8_t *)bucket, len});
    b->prefix = text_copy(buf_text(&prefix));
    buf_free(&prefix);
    if (!is_bucket(slice_of(b->bucket)))
        return err_set(err, ERR_USAGE,
                       "%s: \"%.64s\" is no name of a bucket: write s3://BUCKET/PREFIX", b->url,
                       b->bucket);
    if (rest.len > 0 && !object_name_is_valid(rest))
        return err_set(err, ERR_USAGE, "%s: a prefix has no empty parts, and none of dots", b->url);
    return 0;
}

int object_bucket_check_url(const char *url, struct err *err)
{
    struct bucket b = {.url = text_copy(url)};
    int result = take_apart(&b, err);
    free(b.url);
    free(b.bucket);
    free(b.prefix);
    return result;
}

static int open_client(struct bucket *b, const struct object_bucket_config *config, struct err *err)
{
    struct s3_options options = *config->options;
    options.bucket = b->bucket;
    options.prefix = b->prefix;
    if (b->writer != NULL)
        options.patience = WRITER_PATIENCE;
    if (config->probe) {
        struct object_bucket_found unwanted = {0};
        struct object_bucket_found *found = config->found != NULL ? config->found : &unwanted;
        if (bucket_probe(&options, b->writer_name, found, err) != 0)
            return -1;
        options.whole = found->whole;
    }
    b->client = s3_client_open(&options, err);
    return b->client == NULL ? -1 : 0;
}

static const struct object_operations bucket_operations;

struct object_store *object_bucket_open(const struct object_bucket_config *config, struct err *err)
{
    struct bucket *b = calloc(1, sizeof(*b));
    if (b == NULL)
        out_of_memory(sizeof(*b));
    b->store.operations = &bucket_operations;
    b->url = text_copy(config->url);
    b->entries = text_copy(config->entries);
    if (config->writer != NULL) {
        b->writer = text_copy(config->writer);
        b->writer_name = text_copy(config->writer_name);
    }
    int result = take_apart(b, err);
    if (result == 0)
        result = random_bytes(&b->nonce, sizeof(b->nonce), err);
    if (result == 0)
        result = open_client(b, config, err);
    if (result == 0)
        begin_counting(b);
    if (result == 0)
        return &b->store;
    object_store_close(&b->store);
    return NULL;
}

int object_bucket_probe(const char *url, const struct s3_options *options,
                        struct object_bucket_found *out, struct err *err)
{
    struct object_bucket_config config = {
        .url = url, .entries = "_/", .probe = true, .options = options, .found = out};
    struct object_store *store = object_bucket_open(&config, err);
    object_store_close(store);
    return store == NULL ? -1 : 0;
}

static void close_store(struct object_store *store)
{
    struct bucket *b = bucket_of(store);
    bucket_forget_commit(b);
    if (b->client != NULL)
        end_counting(b);
    s3_client_close(b->client);
    array_free(&b->staged);
    map_free(&b->withdrawn);
    buf_free(&b->entry);
    buf_free(&b->pending_name);
    buf_free(&b->outdated_name);
    free(b->url);
    free(b->bucket);
    free(b->prefix);
    free(b->entries);
    free(b->writer);
    free(b->writer_name);
    free(b);
}

static int put(struct object_store *store, const char *name, struct slice content, bool replace,
               bool *taken, struct err *err)
{
    struct s3_condition condition = {.kind = replace ? S3_ANY : S3_IF_ABSENT};
    enum s3_outcome outcome = s3_put(bucket_of(store)->client, name, content, condition, NULL, err);
    *taken = outcome == S3_TAKEN;
    return outcome == S3_DONE || *taken ? 0 : bucket_failed(outcome, name, err);
}

/* In pieces: who asks for all of an object does not know how much that is, and each request has the
 * time that its bytes take. */
static int get(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
               struct buf *out, bool *found, struct err *err)
{
    enum s3_outcome outcome = S3_DONE;
    uint64_t most = PIECE_FIRST;
    bool more = true;
    for (uint64_t at = 0; more && outcome == S3_DONE;) {
        uint64_t piece = num_least_u64(len - at, most);
        size_t before = out->len;
        outcome = s3_get(bucket_of(store)->client, name, offset + at, piece, out, NULL, err);
        at += piece;
        more = out->len - before == piece && at < len;
        most = PIECE;
    }
    *found = outcome == S3_DONE;
    return *found || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, name, err);
}

/* Of an object that came in parts a store has a hash of their hashes, with "-<parts>" behind it:
 * that says nothing of the bytes to somebody who does not know the parts. */
static void take_hash(struct object_info *info, const char *base64)
{
    struct buf hash = {0};
    if (base64_decode(&hash, slice_of(base64)) && hash.len == SHA256_BYTES)
        sha256_format(hash.data, info->sha256);
    buf_free(&hash);
}

static int head(struct object_store *store, const char *name, struct object_info *out, bool *found,
                struct err *err)
{
    struct s3_result result = {0};
    enum s3_outcome outcome = s3_head(bucket_of(store)->client, name, &result, err);
    *found = outcome == S3_DONE;
    if (*found) {
        *out = (struct object_info){.size = result.size, .modified = result.modified};
        take_hash(out, result.sha256);
    }
    return *found || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, name, err);
}

struct listing {
    object_visit *visit;
    void *context;
};

/* Others may have put there what can't be an object of ours, such as the names of folders, which
 * end with a slash. */
static bool visit_key(void *context, const struct s3_listed *listed)
{
    const struct listing *l = context;
    struct slice key = listed->key;
    bool hidden = key.len > 0 && key.data[0] == '.';
    for (size_t i = 1; i < key.len && !hidden; i++)
        hidden = key.data[i] == '.' && key.data[i - 1] == '/';
    return hidden || !object_name_is_valid(key) || l->visit(l->context, key);
}

static int list(struct object_store *store, const char *folder, const char *after,
                object_visit *visit, void *context, struct err *err)
{
    struct listing l = {visit, context};
    enum s3_outcome outcome = s3_list(bucket_of(store)->client, folder, after, visit_key, &l, err);
    return outcome == S3_DONE || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, folder, err);
}

static int remove_object(struct object_store *store, const char *name, struct err *err)
{
    enum s3_outcome outcome = s3_delete(bucket_of(store)->client, name, NULL, err);
    return outcome == S3_DONE || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, name, err);
}

/* There are no folders. */
static int tidy(struct object_store *store, const char *name, struct err *err)
{
    (void)store;
    (void)name;
    (void)err;
    return 0;
}

static int free_bytes(struct object_store *store, uint64_t *bytes, bool *known, struct err *err)
{
    (void)store;
    (void)err;
    *bytes = 0;
    *known = false;
    return 0;
}

struct orphan {
    char *key, *id;
};

struct orphans {
    ARRAY(struct orphan);
    int64_t before;
};

static bool note_orphan(void *context, const struct s3_listed_upload *upload)
{
    struct orphans *o = context;
    if (upload->begun != 0 && upload->begun < o->before)
        *array_add(o) = (struct orphan){text_copy_slice(upload->key), text_copy(upload->id)};
    return true;
}

/* Nothing that a crash leaves behind has a name; but the parts of uploads cost money. */
static int clean(struct object_store *store, uint32_t *removed, struct err *err)
{
    struct bucket *b = bucket_of(store);
    struct orphans o = {.before = clock_wall() + s3_client_counters(b->client)->skew - ORPHAN_AGE};
    enum s3_outcome outcome = s3_uploads_list(b->client, note_orphan, &o, err);
    int result =
        outcome == S3_DONE || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, b->url, err);
    for (size_t i = 0; i < o.count; i++) {
        if (result == 0 && s3_upload_abort(b->client, o.list[i].key, o.list[i].id, err) != S3_DONE)
            result = bucket_failed(S3_LATER, o.list[i].key, err);
        *removed += result == 0;
        free(o.list[i].key);
        free(o.list[i].id);
    }
    array_free(&o);
    return result == 0 ? bucket_forget_renounced(b, err) : -1;
}

/* A bucket that is gone may come back; what is staged does not depend on it. But a commit of
 * another process that does not go on is that of one which has died: it sent .pending, and that
 * came when we had begun already. */
static int reopen(struct object_store *store, bool *lost, struct err *err)
{
    const struct bucket *b = bucket_of(store);
    *lost = false;
    if (b->fenced_since == 0 || clock_monotonic() < b->fenced_since + FENCED_MAX)
        return 0;
    return err_set(err, ERR_REFUSED,
                   "a commit that another process has begun as instance %s does not go on: varve "
                   "starts over, and takes it back",
                   b->writer);
}

int bucket_failed(enum s3_outcome outcome, const char *name, struct err *err)
{
    if (outcome == S3_ABSENT || outcome == S3_TAKEN)
        return err_set(err, ERR_REFUSED, "%s %s", name,
                       outcome == S3_ABSENT ? "is not there" : "was put by somebody else");
    ASSERT(err_is_set(err));
    return -1;
}

static const struct object_operations bucket_operations = {
    .close = close_store,
    .put = put,
    .get = get,
    .head = head,
    .list = list,
    .remove = remove_object,
    .tidy = tidy,
    .free_bytes = free_bytes,
    .stage = bucket_stage,
    .expect = bucket_expect,
    .write = bucket_write,
    .lend = bucket_lend,
    .remote = true,
    .finish = bucket_finish,
    .abandon = bucket_abandon,
    .staged_free = bucket_staged_free,
    .place = bucket_place,
    .commit = bucket_commit,
    .interrupted = bucket_interrupted,
    .resume = bucket_resume,
    .withdraw = bucket_withdraw,
    .renounce = bucket_renounce,
    .renounced = bucket_renounced,
    .swap = bucket_swap,
    .settle = bucket_settle,
    .clean = clean,
    .reopen = reopen,
};
