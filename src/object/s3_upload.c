/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/account.h"
#include "base/num.h"
#include "object/s3_part.h"
#include "object/s3_xml.h"

/* Objects in parts (Amazon S3 API reference, CreateMultipartUpload and the others). */

static struct s3_request begin(const char *method, const char *key, const char *id)
{
    struct s3_request r = {.operation = S3_OPERATION_UPLOAD, .method = method, .key = key};
    if (id != NULL)
        s3_query(&r, "uploadId", slice_of(id));
    return r;
}

enum s3_outcome s3_upload_begin(struct s3_client *s, const char *key,
                                char id[static S3_UPLOAD_ID_MAX], struct err *err)
{
    struct s3_request r = begin("POST", key, NULL);
    struct buf text = {0};
    bool maybe = false;
    if (s3_check_key(s, key, err) != 0)
        return S3_REFUSED;
    s3_query(&r, "uploads", slice_of(""));
    s3_field(&r, "content-type", "application/octet-stream");
    r.has_body = true;
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, 0), &maybe, NULL, err);
    bool found = outcome == S3_DONE &&
                 xml_find(buf_slice(&s->answer), "InitiateMultipartUploadResult/UploadId", &text);
    if (found && text.len > 0 && text.len < S3_UPLOAD_ID_MAX &&
        memchr(text.data, '\0', text.len) == NULL) {
        snprintf(id, S3_UPLOAD_ID_MAX, "%s", buf_text(&text));
    } else if (outcome == S3_DONE) {
        (void)err_set(err, ERR_PROTOCOL, "s3://%s/%s%s: upload: the answer has no UploadId",
                      s->bucket, s->prefix, key);
        outcome = S3_LATER;
    }
    buf_free(&text);
    return outcome;
}

enum s3_outcome s3_upload_part(struct s3_client *s, const char *key, const char *id,
                               unsigned number, struct slice body, struct s3_part *out,
                               struct err *err)
{
    struct s3_request r = begin("PUT", key, id);
    struct s3_result result;
    char text[16];
    bool maybe = false;
    snprintf(text, sizeof(text), "%u", number);
    s3_query(&r, "partNumber", slice_of(text));
    sha256_text(body, out->sha256);
    out->size = body.len;
    r.body = body;
    r.sha256 = out->sha256;
    r.has_body = true;
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, body.len), &maybe, &result, err);
    if (outcome == S3_DONE && result.etag[0] == '\0') {
        (void)err_set(err, ERR_PROTOCOL, "s3://%s/%s%s: upload: part %u got no ETag", s->bucket,
                      s->prefix, key, number);
        return S3_LATER;
    }
    memcpy(out->etag, result.etag, S3_ETAG_MAX);
    return outcome;
}

/* ETags are quoted, opaque, and may hold what XML has a use for. */
static void append_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&' || *text == '<' || *text == '>' || *text == '"')
            buf_printf(out, "&#%d;", *text);
        else
            buf_append_byte(out, (uint8_t)*text);
    }
}

static uint64_t size_of(const struct s3_part *parts, unsigned count)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].size;
    return size;
}

/* Whether the bytes from `offset` on are those of a part: DONE, or TAKEN. */
static enum s3_outcome compare_part(struct s3_client *s, const char *key, uint64_t offset,
                                    const struct s3_part *part, struct err *err)
{
    struct buf piece = {.account = s->answer.account};
    struct sha256 sum;
    uint8_t hash[SHA256_BYTES];
    char text[SHA256_TEXT_MAX];
    enum s3_outcome outcome = S3_DONE;
    sha256_begin(&sum);
    for (uint64_t at = 0; at < part->size && outcome == S3_DONE; at += piece.len) {
        buf_reset(&piece);
        outcome = s3_get(s, key, offset + at, num_least_u64(part->size - at, S3_COMPARE_PIECE),
                         &piece, NULL, err);
        if (outcome == S3_DONE && piece.len == 0)
            outcome = S3_TAKEN; /* it has become shorter */
        sha256_add(&sum, piece.data, piece.len);
    }
    sha256_end(&sum, hash);
    sha256_format(hash, text);
    buf_free(&piece);
    return outcome == S3_DONE && strcmp(text, part->sha256) != 0 ? S3_TAKEN : outcome;
}

/* What became of an upload that is gone, or whose completion was not answered. An object of the
 * same size may well be another: one that this was to replace. */
static enum s3_outcome look_back(struct s3_client *s, const char *key, const struct s3_part *parts,
                                 unsigned count, struct s3_result *result, struct err *err)
{
    enum s3_outcome outcome = s3_head(s, key, result, err);
    uint64_t offset = 0;
    if (outcome == S3_DONE && result->size != size_of(parts, count))
        outcome = S3_TAKEN;
    for (unsigned i = 0; i < count && outcome == S3_DONE; offset += parts[i++].size)
        outcome = compare_part(s, key, offset, &parts[i], err);
    result->same = outcome == S3_DONE;
    return outcome;
}

/* The outcome of the request alone. The store may take minutes to put large objects together. */
static enum s3_outcome complete(struct s3_client *s, const char *key, const char *id,
                                const struct s3_part *parts, unsigned count,
                                struct s3_condition condition, bool *maybe,
                                struct s3_result *result, struct err *err)
{
    struct s3_request r = begin("POST", key, id);
    struct buf text = {0};
    buf_append_text(&text, "<CompleteMultipartUpload>");
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&text, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        append_escaped(&text, parts[i].etag);
        buf_append_text(&text, "</ETag></Part>");
    }
    buf_append_text(&text, "</CompleteMultipartUpload>");
    s3_field(&r, "content-type", "application/xml");
    s3_condition(&r, condition);
    r.body = buf_slice(&text);
    r.has_body = true;
    r.completes = true;
    enum s3_outcome outcome =
        s3_ask(s, &r, s3_deadline(s, size_of(parts, count)), maybe, result, err);
    buf_free(&text);
    return outcome;
}

/* *maybe: as s3_ask has it. */
static enum s3_outcome complete_until_clear(struct s3_client *s, const char *key, const char *id,
                                            const struct s3_part *parts, unsigned count,
                                            struct s3_condition condition, bool *maybe,
                                            struct s3_result *result, struct err *err)
{
    struct err why = {0};
    enum s3_outcome outcome = complete(s, key, id, parts, count, condition, maybe, result, &why);
    bool open = outcome == S3_UNCLEAR || outcome == S3_ABSENT ||
                (outcome == S3_TAKEN && (*maybe || condition.kind == S3_IF_ABSENT));
    if (!open)
        return s3_end(outcome, &why, err);
    enum s3_outcome there =
        look_back(s, key, parts, count, result, err_is_set(&why) ? &(struct err){0} : err);
    /* Nothing there, or what was there before, is no answer while ours may still be under way. */
    if (outcome == S3_UNCLEAR &&
        (there == S3_ABSENT || (there == S3_TAKEN && condition.kind != S3_IF_ABSENT)))
        return s3_end(S3_UNCLEAR, &why, err);
    return there == S3_LATER || there == S3_REFUSED ? s3_end(S3_UNCLEAR, &why, err) : there;
}

enum s3_outcome s3_upload_complete(struct s3_client *s, const char *key, const char *id,
                                   const struct s3_part *parts, unsigned count,
                                   struct s3_condition condition, struct s3_result *result,
                                   struct err *err)
{
    struct s3_result unwanted;
    bool maybe = false;
    result = result != NULL ? result : &unwanted;
    enum s3_outcome outcome =
        complete_until_clear(s, key, id, parts, count, condition, &maybe, result, err);
    result->late = maybe;
    return outcome;
}

/* DONE, or else LATER or REFUSED: of the object there is nothing yet. */
static enum s3_outcome send_parts(struct s3_client *s, const char *key, const char *id,
                                  struct slice body, struct s3_part *parts, struct err *err)
{
    enum s3_outcome outcome = S3_DONE;
    for (unsigned i = 0; body.len > 0 && outcome == S3_DONE; i++) {
        struct slice part = {body.data, (size_t)num_least_u64(body.len, s->part)};
        outcome = s3_upload_part(s, key, id, i + 1, part, &parts[i], err);
        body = (struct slice){body.data + part.len, body.len - part.len};
    }
    if (outcome == S3_ABSENT)
        (void)err_set(err, ERR_NETWORK, "s3://%s/%s%s: upload: the store has forgotten it",
                      s->bucket, s->prefix, key);
    return outcome == S3_DONE || outcome == S3_REFUSED ? outcome : S3_LATER;
}

enum s3_outcome s3_put_parts(struct s3_client *s, const char *key, struct slice body,
                             struct s3_condition condition, bool *maybe, struct s3_result *result,
                             struct err *err)
{
    char id[S3_UPLOAD_ID_MAX];
    unsigned count = (unsigned)((body.len + s->part - 1) / s->part);
    if (count > S3_PARTS_MAX) {
        (void)err_set(err, ERR_LIMIT, "s3://%s/%s%s: upload: more than %d parts", s->bucket,
                      s->prefix, key, S3_PARTS_MAX);
        return S3_REFUSED;
    }
    enum s3_outcome outcome = s3_upload_begin(s, key, id, err);
    if (outcome != S3_DONE)
        return outcome == S3_REFUSED ? outcome : S3_LATER;
    struct s3_part *parts = account_alloc(s->answer.account, count, sizeof(*parts));
    outcome = send_parts(s, key, id, body, parts, err);
    if (outcome == S3_DONE)
        outcome = complete(s, key, id, parts, count, condition, maybe, result, err);
    account_free(s->answer.account, parts, count * sizeof(*parts));
    /* The upload is gone: an attempt that was not answered may have completed it. */
    if (outcome == S3_ABSENT) {
        *maybe = true;
        (void)err_set(err, ERR_NETWORK, "s3://%s/%s%s: upload: the store has forgotten it",
                      s->bucket, s->prefix, key);
        return S3_UNCLEAR;
    }
    /* What is still under way can't come true any more. An upload that can't be aborted now is
     * removed a day later (bucket.c). */
    if (outcome != S3_DONE)
        (void)!s3_upload_abort(s, key, id, &(struct err){0});
    return outcome;
}

enum s3_outcome s3_upload_abort(struct s3_client *s, const char *key, const char *id,
                                struct err *err)
{
    struct s3_request r = begin("DELETE", key, id);
    struct err why = {0};
    struct s3_result result;
    bool maybe = false;
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, 0), &maybe, &result, &why);
    /* Of an upload that is gone some say 403. */
    if (outcome == S3_ABSENT || (outcome == S3_REFUSED && result.status == 403 && maybe))
        return S3_DONE;
    return s3_end(outcome, &why, err);
}
