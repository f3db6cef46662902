/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/time.h"
#include "object/s3_part.h"
#include "object/s3_xml.h"

/* What an answer means, and what is to be put right before the next attempt ("Error responses" in
 * the Amazon S3 API reference). */

#define SKEW_TOLD (60 * CLOCK_SECOND) /* less is no reason to be refused */
#define SKEW_MAX (900 * CLOCK_SECOND) /* more is: MaxAllowedSkewMilliseconds */

enum {
    DIGESTS_MAX = 3, /* bodies that did not arrive as they were sent, one after the other */
    MESSAGE_MAX = 200,
};

static void copy_field(const struct http_answer *answer, const char *name, char *out, size_t size)
{
    struct slice value;
    out[0] = '\0';
    if (http_answer_field(answer, name, &value) && value.len < size) {
        memcpy(out, value.data, value.len);
        out[value.len] = '\0';
    }
}

/* "Fri, 27 Nov 2026 09:57:09 GMT" (RFC 9110, section 5.6.7). */
static bool parse_http_date(struct slice text, int64_t *ns)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char rfc3339[TIME_TEXT_MAX];
    if (text.len != 29 || memcmp(text.data + 25, " GMT", 4) != 0)
        return false;
    for (int month = 0; month < 12; month++) {
        const char *at = (const char *)text.data;
        if (memcmp(months + 3 * month, at + 8, 3) != 0)
            continue;
        snprintf(rfc3339, sizeof(rfc3339), "%.4s-%02d-%.2sT%.8sZ", at + 12, month + 1, at + 5,
                 at + 17);
        return time_parse(slice_of(rfc3339), ns);
    }
    return false;
}

static void take_times(struct s3_call *c, const struct http_answer *answer)
{
    struct slice value;
    int64_t ns;
    if (http_answer_field(answer, "date", &value) && parse_http_date(value, &ns))
        atomic_store(&c->client->counters.skew, ns - clock_wall());
    if (http_answer_field(answer, "last-modified", &value) && parse_http_date(value, &ns))
        c->result->modified = ns;
    uint64_t seconds;
    c->retry_after = 0;
    if (!http_answer_field(answer, "retry-after", &value))
        return;
    /* Either is common (RFC 9110, section 10.2.3). A date is of the store's clock. */
    if (num_parse_u64(value, &seconds))
        c->retry_after =
            (int64_t)num_least_u64(seconds, S3_PAUSE_MAX / CLOCK_SECOND) * CLOCK_SECOND;
    else if (parse_http_date(value, &ns))
        c->retry_after = clock_earliest(ns - clock_wall() - atomic_load(&c->client->counters.skew),
                                        S3_PAUSE_MAX);
}

/* Up to a character, which is left out, too; all of it where there is none. */
static struct slice cut_at(struct slice *rest, char mark)
{
    const uint8_t *at = memchr(rest->data, mark, rest->len);
    struct slice part = {rest->data, at != NULL ? (size_t)(at - rest->data) : rest->len};
    size_t len = part.len + (at != NULL ? 1 : 0);
    *rest = (struct slice){rest->data + len, rest->len - len};
    return part;
}

/* "bytes 0-99/1234" (RFC 9110, section 14.4): the size of the whole. What begins elsewhere, or ends
 * before what was asked for or the object does, would pass for the end of it: false. */
static bool take_size(struct s3_call *c, const struct http_answer *answer)
{
    struct slice value;
    uint64_t first, last, *size = &c->result->size;
    if (answer->status != 206 || c->r->out == NULL) {
        *size = answer->has_length ? answer->length : 0;
        return true;
    }
    if (!http_answer_field(answer, "content-range", &value) ||
        !slice_starts_with(value, "bytes ") || memchr(value.data, '/', value.len) == NULL)
        return false;
    value = (struct slice){value.data + 6, value.len - 6};
    struct slice from = cut_at(&value, '-');
    struct slice to = cut_at(&value, '/');
    if (!num_parse_u64(from, &first) || !num_parse_u64(to, &last) || !num_parse_u64(value, size))
        return false;
    uint64_t expected =
        num_least_u64(c->r->out_max, *size > c->r->offset ? *size - c->r->offset : 0);
    return first == c->r->offset && last - first + 1 == c->got && c->got == expected;
}

/* Others have written it: what goes into our own messages is short and printable. */
static void set_message(struct s3_call *c, const char *before, struct slice text)
{
    buf_reset(&c->message);
    buf_append_text(&c->message, before);
    buf_append(&c->message, text.data, text.len < MESSAGE_MAX ? text.len : MESSAGE_MAX);
    for (size_t i = 0; i < c->message.len; i++)
        if (c->message.data[i] < ' ' || c->message.data[i] == 0x7f)
            c->message.data[i] = ' ';
}

/* What an error's body says: <Error><Code>..</Code><Message>..</Message>. */
static bool take_error(void *context, const char *path, struct slice text)
{
    struct s3_call *c = context;
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    if (strcmp(name, "Code") == 0 && text.len < sizeof(c->result->code)) {
        memcpy(c->result->code, text.data, text.len);
        c->result->code[text.len] = '\0';
    } else if (strcmp(name, "Message") == 0) {
        set_message(c, "", text);
    }
    return true;
}

static bool is_code(const struct s3_call *c, const char *code)
{
    return strcmp(c->result->code, code) == 0;
}

/* The store's clock is far from ours, and it says so. */
static enum s3_verdict set_clock(struct s3_call *c)
{
    struct buf text = {0};
    int64_t server = 0;
    int64_t skew = atomic_load(&c->client->counters.skew);
    if (xml_find(buf_slice(&c->client->answer), "Error/ServerTime", &text) &&
        time_parse(buf_slice(&text), &server))
        skew = server - clock_wall();
    buf_free(&text);
    int64_t change = skew - c->client->skew;
    /* The same time again: it was the upload that took too long. */
    if (c->set_clock || (change < SKEW_TOLD && change > -SKEW_TOLD))
        return S3_VERDICT_AGAIN;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "object_store_clock");
    log_text(&line, "bucket", c->client->bucket);
    log_seconds(&line, "ahead_of_ours", skew);
    log_end(&line);
    c->client->skew = skew;
    c->set_clock = true;
    return S3_VERDICT_NOW;
}

/* The bucket is in another region, which some answers name. */
static enum s3_verdict move(struct s3_call *c, const struct http_answer *answer)
{
    struct slice region;
    struct buf text = {0};
    if (!http_answer_field(answer, "x-amz-bucket-region", &region) &&
        xml_find(buf_slice(&c->client->answer), "Error/Region", &text))
        region = buf_slice(&text);
    bool moved = !c->moved && s3_place_move(&c->client->place, c->client->bucket, region);
    buf_free(&text);
    if (!moved)
        return S3_VERDICT_REFUSED;
    c->moved = true;
    http_client_free(c->client->http);
    c->client->http =
        http_client_new(&c->client->place.origin, "output.s3", c->client->ca_file, c->client->stop);
    return S3_VERDICT_NOW;
}

static bool tells_other_region(const struct s3_call *c, const struct http_answer *answer)
{
    struct slice region;
    return http_answer_field(answer, "x-amz-bucket-region", &region) &&
           !slice_is(region, c->client->place.region);
}

/* Credentials are not good any more: others are asked for, once. */
static enum s3_verdict renew(struct s3_call *c)
{
    bool changed = false;
    if (c->renewed || !s3_source_renews(c->client->source))
        return S3_VERDICT_REFUSED;
    if (s3_source_renew(c->client->source, &changed, c->err) != 0)
        return S3_VERDICT_AGAIN; /* who gives them is away for a moment */
    c->renewed = true;
    return changed ? S3_VERDICT_NOW : S3_VERDICT_REFUSED;
}

static enum s3_verdict judge_refusal(struct s3_call *c, const struct http_answer *answer)
{
    /* An answer to HEAD has no body to say why. */
    bool mute = c->result->code[0] == '\0';
    int64_t skew = atomic_load(&c->client->counters.skew) - c->client->skew;
    if (is_code(c, "RequestTimeTooSkewed") ||
        (mute && answer->status == 403 && (skew > SKEW_MAX || -skew > SKEW_MAX)))
        return set_clock(c);
    if (is_code(c, "SignatureDoesNotMatch") || (mute && answer->status == 403))
        s3_log_signature(c);
    if (mute && tells_other_region(c, answer))
        return move(c, answer);
    if (is_code(c, "ExpiredToken") || is_code(c, "InvalidToken") ||
        is_code(c, "TokenRefreshRequired") || is_code(c, "InvalidAccessKeyId") ||
        (mute && answer->status != 404))
        return renew(c);
    /* Whoever gives a user another secret, or other rights, writes them to the file. */
    if (is_code(c, "SignatureDoesNotMatch") || is_code(c, "AccessDenied"))
        return s3_source_rereads(c->client->source) ? renew(c) : S3_VERDICT_REFUSED;
    if (is_code(c, "AuthorizationHeaderMalformed") ||
        is_code(c, "IllegalLocationConstraintException"))
        return move(c, answer);
    if (is_code(c, "RequestTimeout") || is_code(c, "IncompleteBody"))
        return S3_VERDICT_AGAIN;
    if (is_code(c, "XAmzContentSHA256Mismatch") || is_code(c, "BadDigest") ||
        is_code(c, "InvalidDigest"))
        return ++c->digests < DIGESTS_MAX ? S3_VERDICT_AGAIN : S3_VERDICT_REFUSED;
    return S3_VERDICT_REFUSED;
}

static enum s3_verdict judge(struct s3_call *c, const struct http_answer *answer)
{
    switch (answer->status) {
    case 304:
    case 412:
        return c->r->condition != S3_ANY ? S3_VERDICT_TAKEN : S3_VERDICT_REFUSED;
    case 404:
        return is_code(c, "NoSuchBucket") ? S3_VERDICT_REFUSED : S3_VERDICT_ABSENT;
    case 409:
        return c->r->condition == S3_IF_ABSENT ? S3_VERDICT_TAKEN : S3_VERDICT_AGAIN;
    case 416: /* nothing is there, from this offset on */
        return S3_VERDICT_DONE;
    case 408:
    case 425:
    case 429:
        return S3_VERDICT_AGAIN;
    case 501:
    case 505:
        return S3_VERDICT_REFUSED;
    default:
        break;
    }
    if (answer->status < 300)
        return S3_VERDICT_DONE;
    if (answer->status < 400)
        return move(c, answer);
    if (answer->status >= 500)
        return is_code(c, "SlowDown") ? S3_VERDICT_AGAIN : S3_VERDICT_MAYBE;
    return judge_refusal(c, answer);
}

static void say_why(struct s3_call *c, int status)
{
    err_clear(c->err);
    /* A bucket that is not there may come, as a store that is away does. */
    bool away = status >= 500 || status == 429 || is_code(c, "NoSuchBucket");
    enum err_code code = away ? ERR_NETWORK : ERR_REFUSED;
    (void)err_set(c->err, code, "the store answers %d%s%s%s%s%s", status,
                  c->result->code[0] != '\0' ? " " : "", c->result->code,
                  c->message.len > 0 ? " \"" : "", c->message.len > 0 ? buf_text(&c->message) : "",
                  c->message.len > 0 ? "\"" : "");
    if (c->result->request_id[0] != '\0') {
        struct err why = *c->err;
        err_clear(c->err);
        (void)err_set(c->err, why.code, "%s (request %s)", why.text, c->result->request_id);
    }
}

enum s3_verdict s3_take_answer(struct s3_call *c, const struct http_answer *answer)
{
    struct s3_result *result = c->result;
    struct err ignored = {0};
    struct slice place, body = buf_slice(&c->client->answer);
    int status = answer->status;
    *result = (struct s3_result){.status = status};
    buf_reset(&c->message);
    copy_field(answer, "x-amz-request-id", result->request_id, sizeof(result->request_id));
    copy_field(answer, "etag", result->etag, sizeof(result->etag));
    copy_field(answer, "x-amz-checksum-sha256", result->sha256, sizeof(result->sha256));
    take_times(c, answer);
    bool whole = take_size(c, answer);
    if (status >= 300)
        (void)!xml_walk(body, take_error, c, &ignored);
    if (status >= 300 && status < 400 && http_answer_field(answer, "location", &place))
        set_message(c, "moved to ", place);
    enum s3_verdict verdict = judge(c, answer);
    if (!whole) {
        set_message(c, "another part of the object than was asked for", (struct slice){0});
        verdict = S3_VERDICT_AGAIN;
    }
    if (verdict == S3_VERDICT_DONE && c->r->completes && status < 300) {
        struct buf end = {0};
        /* "200 with an error inside": it is sent before the work is done. */
        if (!xml_find(body, "CompleteMultipartUploadResult", &end)) {
            (void)!xml_walk(body, take_error, c, &ignored);
            verdict = S3_VERDICT_MAYBE;
        }
        buf_free(&end);
    }
    if (verdict != S3_VERDICT_DONE && !(verdict == S3_VERDICT_AGAIN && err_is_set(c->err)))
        say_why(c, status);
    return verdict;
}
