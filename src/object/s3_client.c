/* SPDX-License-Identifier: MIT */
#include "object/s3_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"
#include "object/s3_part.h"
#include "object/s3_xml.h"

enum {
    RANGE_MAX = 64,
};

static int find_source(struct s3_client *s, struct err *err)
{
    const struct s3_identity identity = {
        .access_key_id = s->access_key_id,
        .secret_access_key = s->secret_access_key,
        .session_token = s->session_token,
        .profile = s->profile,
        .region = s->place.region,
        .ca_file = s->ca_file,
        .aws = s->place.aws,
        .stop = s->stop,
    };
    s->source = s3_source_open(&identity, err);
    return s->source != NULL ? 0 : -1;
}

struct s3_client *s3_client_open(const struct s3_options *o, struct err *err)
{
    struct s3_client *s = calloc(1, sizeof(*s));
    if (s == NULL)
        out_of_memory(sizeof(*s));
    const char *bundle = s3_environment("AWS_CA_BUNDLE");
    *s = (struct s3_client){
        .bucket = text_copy(o->bucket),
        .prefix = text_copy(o->prefix),
        .profile = text_copy(o->profile),
        .ca_file = text_copy(o->ca_file[0] != '\0' ? o->ca_file : bundle),
        .access_key_id = text_copy(o->access_key_id),
        .secret_access_key = text_copy(o->secret_access_key),
        .session_token = text_copy(o->session_token),
        .checksum = o->checksum,
        .part = o->part_bytes > 0 ? o->part_bytes : S3_PART_BYTES,
        .whole = o->whole,
        .patience = o->patience > 0 ? o->patience : S3_PATIENCE,
        .stop = o->stop,
        .target.account = o->account,
        .head.account = o->account,
        .answer.account = o->account,
    };
    if (s3_place_find(o, &s->place, err) != 0 || find_source(s, err) != 0) {
        s3_client_close(s);
        return NULL;
    }
    s->http = http_client_new(&s->place.origin, "output.s3", s->ca_file, s->stop);
    return s;
}

static void free_secret(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void s3_client_close(struct s3_client *s)
{
    if (s == NULL)
        return;
    http_client_free(s->http);
    s3_source_close(s->source);
    free(s->bucket);
    free(s->prefix);
    free(s->profile);
    free(s->ca_file);
    free(s->access_key_id);
    free_secret(s->secret_access_key);
    free_secret(s->session_token);
    buf_free(&s->target);
    secret_free(&s->head);
    buf_free(&s->answer);
    buf_free(&s->canonical);
    buf_free(&s->to_sign);
    explicit_bzero(&s->key, sizeof(s->key));
    free(s);
}

const struct s3_counters *s3_client_counters(const struct s3_client *s)
{
    return &s->counters;
}

const char *s3_client_address(struct s3_client *s)
{
    struct buf text = {0};
    http_origin_append(&text, &s->place.origin);
    snprintf(s->address, sizeof(s->address), "http%s://%s%s", s->place.origin.tls ? "s" : "",
             buf_text(&text), s->place.base);
    buf_free(&text);
    return s->address;
}

const char *s3_client_credentials(const struct s3_client *s)
{
    return s3_source_name(s->source);
}

size_t s3_client_part(const struct s3_client *s)
{
    return s->part;
}

bool s3_client_in_path(const struct s3_client *s)
{
    return !s->place.virtual_host;
}

enum s3_outcome s3_end(enum s3_outcome outcome, const struct err *why, struct err *err)
{
    if (err_is_set(why))
        (void)err_set(err, why->code, "%s", why->text);
    return outcome;
}

int s3_check_key(const struct s3_client *s, const char *key, struct err *err)
{
    if (strlen(s->prefix) + strlen(key) > S3_KEY_MAX)
        return err_set(err, ERR_LIMIT, "s3://%s/%s%s: a key has at most %d bytes", s->bucket,
                       s->prefix, key, S3_KEY_MAX);
    return 0;
}

/* Read what is at a key and compare: DONE if it is `body`, TAKEN if it is something else. */
static enum s3_outcome read_back(struct s3_client *s, const char *key, struct slice body,
                                 struct s3_result *result, struct err *err)
{
    struct buf piece = {.account = s->answer.account};
    enum s3_outcome outcome = S3_DONE;
    uint64_t at = 0;
    do {
        uint64_t len = num_least_u64(body.len - at, S3_COMPARE_PIECE);
        buf_reset(&piece);
        /* With the last piece goes a byte more, which shows an object that is longer. */
        uint64_t more = at + len == body.len ? 1 : 0;
        outcome = s3_get(s, key, at, len + more, &piece, result, err);
        if (outcome == S3_DONE &&
            !slice_equal(buf_slice(&piece), (struct slice){body.data + at, (size_t)len}))
            outcome = S3_TAKEN;
        at += len;
    } while (outcome == S3_DONE && at < body.len);
    buf_free(&piece);
    result->same = outcome == S3_DONE;
    return outcome;
}

static void begin_put(struct s3_request *r, const char *key, struct slice body,
                      struct s3_condition condition)
{
    *r = (struct s3_request){
        .operation = S3_OPERATION_PUT,
        .method = "PUT",
        .key = key,
        .body = body,
        .has_body = true,
        .checksum = true,
    };
    s3_field(r, "content-type",
             text_ends_with(key, ".json") ? "application/json" : "application/octet-stream");
    s3_condition(r, condition);
}

enum s3_outcome s3_put(struct s3_client *s, const char *key, struct slice body,
                       struct s3_condition condition, struct s3_result *result, struct err *err)
{
    return s3_put_hashed(s, key, body, NULL, condition, result, err);
}

/* *maybe: as s3_ask has it. */
static enum s3_outcome put_until_clear(struct s3_client *s, const char *key, struct slice body,
                                       const char *sha256, struct s3_condition condition,
                                       bool *maybe, struct s3_result *result, struct err *err)
{
    struct s3_request r;
    int64_t deadline = s3_deadline(s, body.len);
    int64_t pause = 0;
    bool parts = !s->whole && body.len / S3_WHOLE_PARTS > s->part;
    begin_put(&r, key, body, condition);
    r.sha256 = sha256;
    for (;;) {
        struct err why = {0};
        struct err unread = {0};
        enum s3_outcome outcome = parts ? s3_put_parts(s, key, body, condition, maybe, result, &why)
                                        : s3_ask(s, &r, deadline, maybe, result, &why);
        bool lost = outcome == S3_UNCLEAR;
        /* What did not match before anything of ours was there is another's. */
        bool open = lost || (outcome == S3_TAKEN && (condition.kind == S3_IF_ABSENT || *maybe));
        if (condition.kind == S3_ANY || !open)
            return s3_end(outcome, &why, err);
        enum s3_outcome there = read_back(s, key, body, result, &unread);
        /* With S3_IF_MATCH, what is there may be what our request is still going to replace. */
        if (there == S3_DONE || (there == S3_TAKEN && !(lost && condition.kind == S3_IF_MATCH)))
            return there;
        bool gone = there == S3_ABSENT && outcome == S3_TAKEN;
        if (gone && s3_pause(s, &pause, 0, deadline))
            continue;
        (void)err_set(
            &unread, ERR_NETWORK,
            "s3://%s/%s%s: put: the store says that there is another object, and has none",
            s->bucket, s->prefix, key);
        return s3_end(S3_UNCLEAR, lost ? &why : &unread, err);
    }
}

enum s3_outcome s3_put_hashed(struct s3_client *s, const char *key, struct slice body,
                              const char *sha256, struct s3_condition condition,
                              struct s3_result *result, struct err *err)
{
    struct s3_result unwanted;
    bool maybe = false;
    result = result != NULL ? result : &unwanted;
    *result = (struct s3_result){0};
    if (s3_check_key(s, key, err) != 0)
        return S3_REFUSED;
    enum s3_outcome outcome = put_until_clear(s, key, body, sha256, condition, &maybe, result, err);
    result->late = maybe;
    return outcome;
}

static void begin_range(char out[static RANGE_MAX], uint64_t offset, uint64_t len)
{
    uint64_t last;
    if (num_add_u64(offset, len - 1, &last))
        snprintf(out, RANGE_MAX, "bytes=%" PRIu64 "-%" PRIu64, offset, last);
    else
        snprintf(out, RANGE_MAX, "bytes=%" PRIu64 "-", offset);
}

enum s3_outcome s3_get(struct s3_client *s, const char *key, uint64_t offset, uint64_t len,
                       struct buf *out, struct s3_result *result, struct err *err)
{
    char range[RANGE_MAX];
    struct s3_result unwanted;
    struct s3_request r = {.operation = S3_OPERATION_GET, .method = "GET", .key = key};
    size_t start = out->len;
    bool maybe = false;
    result = result != NULL ? result : &unwanted;
    if (len == 0)
        return s3_head(s, key, result, err);
    if (s3_check_key(s, key, err) != 0)
        return S3_REFUSED;
    begin_range(range, offset, len);
    s3_field(&r, "range", range);
    r.out = out;
    r.offset = offset;
    r.out_max = len;
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, len), &maybe, result, err);
    /* All of the object, where the store does not do ranges. */
    if (outcome == S3_DONE && result->status == 200 && offset > 0) {
        out->len = start;
        (void)err_set(err, ERR_UNSUPPORTED, "s3://%s/%s%s: the store gives no part of an object",
                      s->bucket, s->prefix, key);
        return S3_REFUSED;
    }
    if (out->len - start > len)
        out->len = start + (size_t)len;
    return outcome;
}

enum s3_outcome s3_head(struct s3_client *s, const char *key, struct s3_result *result,
                        struct err *err)
{
    struct s3_request r = {.operation = S3_OPERATION_HEAD, .method = "HEAD", .key = key};
    bool maybe = false;
    if (s3_check_key(s, key, err) != 0)
        return S3_REFUSED;
    if (s->checksum == S3_CHECKSUM_SHA256)
        s3_field(&r, "x-amz-checksum-mode", "ENABLED");
    return s3_ask(s, &r, s3_deadline(s, 0), &maybe, result, err);
}

enum s3_outcome s3_delete(struct s3_client *s, const char *key, struct s3_result *result,
                          struct err *err)
{
    struct s3_request r = {.operation = S3_OPERATION_DELETE, .method = "DELETE", .key = key};
    bool maybe = false;
    if (s3_check_key(s, key, err) != 0)
        return S3_REFUSED;
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, 0), &maybe, result, err);
    return outcome == S3_ABSENT ? S3_DONE : outcome;
}
