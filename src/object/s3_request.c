/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/num.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"
#include "object/s3_part.h"

/* Requests: how one is written, and tried until there is an outcome. */

#define ATTEMPT_MAX (30 * CLOCK_SECOND)       /* of what moves next to nothing */
#define PAUSE_FIRST (100 * CLOCK_MILLISECOND) /* of object_store's and the SDKs' order */

enum { RATE_MIN = 256 * 1024 }; /* bytes a second: slower than this a transfer is given up */

const char *const s3_operation_names[S3_OPERATIONS] = {"put",  "get",    "head",
                                                       "list", "delete", "upload"};
const char *const s3_count_names[S3_COUNTS] = {"2xx", "3xx", "4xx", "5xx", "lost"};

void s3_query(struct s3_request *r, const char *name, struct slice value)
{
    ASSERT(r->query_count < S3_QUERY_MAX);
    r->query[r->query_count++] = (struct s3_pair){slice_of(name), value};
}

void s3_field(struct s3_request *r, const char *name, const char *value)
{
    ASSERT(r->field_count < S3_FIELDS_MAX);
    r->fields[r->field_count++] = (struct s3_pair){slice_of(name), slice_of(value)};
}

void s3_condition(struct s3_request *r, struct s3_condition condition)
{
    r->condition = condition.kind;
    switch (condition.kind) {
    case S3_ANY:
        break;
    case S3_IF_ABSENT:
        s3_field(r, "if-none-match", "*");
        break;
    case S3_IF_MATCH:
        s3_field(r, "if-match", condition.etag);
        break;
    }
}

static int64_t time_for(uint64_t bytes)
{
    return (int64_t)num_least_u64(bytes / RATE_MIN, 24 * 3600) * CLOCK_SECOND;
}

int64_t s3_deadline(const struct s3_client *client, uint64_t bytes)
{
    return clock_monotonic() + client->patience + time_for(bytes);
}

bool s3_pause(const struct s3_client *client, int64_t *pause, int64_t at_least, int64_t deadline)
{
    uint32_t random = 0;
    struct err ignored = {0};
    int64_t most = *pause > 0 ? 2 * *pause : PAUSE_FIRST;
    (void)!random_bytes(&random, sizeof(random), &ignored);
    *pause =
        clock_earliest(PAUSE_FIRST + (most - PAUSE_FIRST) / 1000 * (random % 1001), S3_PAUSE_MAX);
    *pause = clock_earliest(most, S3_PAUSE_MAX) / 2 + *pause / 2;
    int64_t until = clock_monotonic() + (at_least > *pause ? at_least : *pause);
    while (clock_monotonic() < until) {
        if (client->stop != NULL && atomic_load(client->stop))
            return false;
        if (until >= deadline)
            return false;
        net_wait(NULL, 0, clock_earliest(until, clock_monotonic() + 100 * CLOCK_MILLISECOND));
    }
    return true;
}

static void append_target(struct s3_call *c, struct buf *path, struct buf *query)
{
    struct s3_client *s = c->client;
    buf_append_text(path, s->place.base);
    if (c->r->key != NULL) {
        buf_append_byte(path, '/');
        s3_encode(path, slice_of(s->prefix), true);
        s3_encode(path, slice_of(c->r->key), true);
    } else if (path->len == 0) {
        buf_append_byte(path, '/');
    }
    s3_encode_query(query, c->r->query, c->r->query_count);
}

/* The fields that are signed; `host` and `date` are borrowed. */
static unsigned list_fields(const struct s3_call *c, struct s3_pair fields[static S3_PAIRS_MAX],
                            struct slice host, const char *date, struct slice token)
{
    unsigned count = 0;
    fields[count++] = (struct s3_pair){slice_of("host"), host};
    fields[count++] = (struct s3_pair){slice_of("x-amz-content-sha256"), slice_of(c->payload)};
    fields[count++] = (struct s3_pair){slice_of("x-amz-date"), slice_of(date)};
    if (token.len > 0)
        fields[count++] = (struct s3_pair){slice_of("x-amz-security-token"), token};
    if (c->checksum[0] != '\0')
        fields[count++] =
            (struct s3_pair){slice_of("x-amz-checksum-sha256"), slice_of(c->checksum)};
    for (unsigned i = 0; i < c->r->field_count; i++)
        fields[count++] = c->r->fields[i];
    return count;
}

static void write_head(struct s3_call *c)
{
    struct s3_client *s = c->client;
    const struct s3_credentials *who = c->who;
    struct buf host = {0};
    struct buf query = {0};
    struct s3_pair fields[S3_PAIRS_MAX];
    char date[S3_DATE_MAX];
    bool shown = log_enabled(LOG_DEBUG);
    buf_reset(&s->canonical);
    buf_reset(&s->to_sign);
    http_origin_append(&host, &s->place.origin);
    s3_date(clock_wall() + s->skew, date);
    buf_reset(&s->target);
    append_target(c, &s->target, &query);
    buf_reset(&s->head);
    buf_printf(&s->head, "%s %s", c->r->method, buf_text(&s->target));
    if (query.len > 0)
        buf_printf(&s->head, "?%s", buf_text(&query));
    buf_append_text(&s->head, " HTTP/1.1\r\n");
    unsigned count = list_fields(c, fields, buf_slice(&host), date, buf_slice(&who->session_token));
    for (unsigned i = 0; i < count; i++) {
        buf_append_slice(&s->head, fields[i].name);
        buf_append_text(&s->head, ": ");
        buf_append_slice(&s->head, fields[i].value);
        buf_append_text(&s->head, "\r\n");
    }
    if (c->r->has_body)
        buf_printf(&s->head, "content-length: %zu\r\n", c->r->body.len);
    buf_append_text(&s->head, "user-agent: varve\r\nauthorization: ");
    const struct s3_to_sign sign = {
        .method = c->r->method,
        .path = buf_slice(&s->target),
        .query = buf_slice(&query),
        .fields = fields,
        .field_count = count,
        .payload = slice_of(c->payload),
        .date = date,
        .region = s->place.region,
        .access_key_id = buf_slice(&who->access_key_id),
        .secret_access_key = buf_slice(&who->secret_access_key),
        .canonical = shown ? &s->canonical : NULL,
        .to_sign = shown ? &s->to_sign : NULL,
    };
    s3_sign(&s->head, &sign, &s->key);
    buf_append_text(&s->head, "\r\n\r\n");
    buf_free(&host);
    buf_free(&query);
}

static void count(struct s3_call *c, int status, int64_t begun)
{
    /* A status beyond 599 is taken for one of the server's (RFC 9110, section 15). */
    unsigned which = status == 0    ? S3_COUNT_LOST
                     : status > 599 ? S3_COUNT_5XX
                                    : (unsigned)status / 100 - 2;
    struct s3_counters *counters = &c->client->counters;
    atomic_fetch_add(&counters->requests[c->r->operation][which], 1);
    atomic_fetch_add(&counters->nanoseconds[c->r->operation],
                     (uint64_t)(clock_monotonic() - begun));
}

static enum s3_verdict attempt(struct s3_call *c, int64_t deadline)
{
    struct s3_client *s = c->client;
    struct http_answer answer;
    struct buf *out = c->r->out != NULL ? c->r->out : &s->answer;
    err_clear(c->err);
    *c->result = (struct s3_result){0};
    if (s3_source_get(s->source, &c->who, c->err) != 0)
        return S3_VERDICT_AGAIN;
    write_head(c);
    buf_reset(&s->answer);
    size_t start = out->len;
    uint64_t most = c->r->out == NULL ? S3_ANSWER_MAX : c->r->out_max;
    int64_t begun = clock_monotonic();
    const struct http_question question = {
        .head = buf_slice(&s->head),
        .body = c->r->body,
        .head_only = c->r->operation == S3_OPERATION_HEAD,
        .body_max = most > 64 * 1024 ? most : 64 * 1024,
        .deadline =
            clock_earliest(deadline, begun + ATTEMPT_MAX +
                                         time_for(c->r->body.len + (c->r->out != NULL ? most : 0))),
    };
    enum http_end end = http_client_ask(s->http, &question, &answer, out, c->err);
    count(c, end == HTTP_ANSWERED ? answer.status : 0, begun);
    if (end == HTTP_ANSWERED) {
        c->got = out->len - start;
        if (c->r->out != NULL && answer.status >= 300) {
            buf_append(&s->answer, out->data + start, out->len - start);
            out->len = start;
        }
        enum s3_verdict verdict = s3_take_answer(c, &answer);
        if (verdict != S3_VERDICT_DONE && c->r->out != NULL)
            out->len = start;
        return verdict;
    }
    out->len = start;
    (void)err_prefix(c->err, "%s", s3_client_address(s));
    return end == HTTP_UNSENT ? S3_VERDICT_AGAIN : S3_VERDICT_MAYBE;
}

static void begin(struct s3_call *c)
{
    struct sha256 h;
    uint8_t hash[SHA256_BYTES];
    if (c->r->sha256 != NULL) {
        for (size_t i = 0; i < SHA256_BYTES; i++)
            hash[i] = (uint8_t)(text_hex_digit((uint8_t)c->r->sha256[2 * i]) << 4 |
                                text_hex_digit((uint8_t)c->r->sha256[2 * i + 1]));
    } else {
        sha256_begin(&h);
        sha256_add(&h, c->r->body.data, c->r->body.len);
        sha256_end(&h, hash);
    }
    sha256_format(hash, c->payload);
    if (c->r->checksum && c->client->checksum == S3_CHECKSUM_SHA256) {
        struct buf text = {0};
        base64_append(&text, (struct slice){hash, sizeof(hash)});
        snprintf(c->checksum, sizeof(c->checksum), "%s", buf_text(&text));
        buf_free(&text);
    }
}

static void place_error(const struct s3_call *c)
{
    const struct s3_client *s = c->client;
    (void)err_prefix(c->err, "s3://%s/%s%s: %s", s->bucket, s->prefix,
                     c->r->key != NULL ? c->r->key : "", s3_operation_names[c->r->operation]);
}

enum s3_outcome s3_ask(struct s3_client *client, const struct s3_request *r, int64_t deadline,
                       bool *maybe, struct s3_result *result, struct err *err)
{
    struct s3_result unwanted;
    struct err why = {0};
    struct s3_call c = {.client = client, .r = r, .err = &why};
    enum s3_outcome outcome = S3_LATER;
    int64_t pause = 0;
    bool going = true;
    c.result = result != NULL ? result : &unwanted;
    begin(&c);
    while (going) {
        going = false;
        switch (attempt(&c, deadline)) {
        case S3_VERDICT_DONE:
            outcome = S3_DONE;
            break;
        case S3_VERDICT_ABSENT:
            outcome = S3_ABSENT;
            break;
        case S3_VERDICT_TAKEN:
            outcome = S3_TAKEN;
            break;
        case S3_VERDICT_REFUSED:
            outcome = S3_REFUSED;
            break;
        case S3_VERDICT_NOW:
            going = true;
            break;
        case S3_VERDICT_MAYBE:
            *maybe = true;
            going = s3_pause(client, &pause, c.retry_after, deadline);
            break;
        case S3_VERDICT_AGAIN:
            going = s3_pause(client, &pause, c.retry_after, deadline);
            break;
        }
    }
    bool reads = r->operation == S3_OPERATION_GET || r->operation == S3_OPERATION_HEAD ||
                 r->operation == S3_OPERATION_LIST;
    if (outcome == S3_LATER && *maybe && !reads)
        outcome = S3_UNCLEAR;
    if (outcome == S3_REFUSED || outcome == S3_LATER || outcome == S3_UNCLEAR) {
        place_error(&c);
        (void)err_set(err, why.code, "%s", why.text);
    }
    buf_free(&c.message);
    return outcome;
}
