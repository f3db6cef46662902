/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

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
                               unsigned number, struct slice body, char etag[static S3_ETAG_MAX],
                               struct err *err)
{
    struct s3_request r = begin("PUT", key, id);
    struct s3_result result;
    char text[16];
    bool maybe = false;
    snprintf(text, sizeof(text), "%u", number);
    s3_query(&r, "partNumber", slice_of(text));
    r.body = body;
    r.has_body = true;
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, body.len), &maybe, &result, err);
    if (outcome == S3_DONE && result.etag[0] == '\0') {
        (void)err_set(err, ERR_PROTOCOL, "s3://%s/%s%s: upload: part %u got no ETag", s->bucket,
                      s->prefix, key, number);
        return S3_LATER;
    }
    memcpy(etag, result.etag, S3_ETAG_MAX);
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

/* What became of an upload that is gone, or whose completion was not answered. */
static enum s3_outcome look_back(struct s3_client *s, const char *key, uint64_t size,
                                 struct s3_result *result, struct err *err)
{
    enum s3_outcome outcome = s3_head(s, key, result, err);
    if (outcome == S3_DONE && result->size != size)
        outcome = S3_TAKEN;
    result->same = outcome == S3_DONE;
    return outcome;
}

enum s3_outcome s3_upload_complete(struct s3_client *s, const char *key, const char *id,
                                   const char (*etags)[S3_ETAG_MAX], unsigned count, uint64_t size,
                                   struct s3_condition condition, struct s3_result *result,
                                   struct err *err)
{
    struct s3_request r = begin("POST", key, id);
    struct s3_result unwanted;
    struct buf text = {0};
    struct err why = {0};
    bool maybe = false;
    result = result != NULL ? result : &unwanted;
    buf_append_text(&text, "<CompleteMultipartUpload>");
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&text, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        append_escaped(&text, etags[i]);
        buf_append_text(&text, "</ETag></Part>");
    }
    buf_append_text(&text, "</CompleteMultipartUpload>");
    s3_field(&r, "content-type", "application/xml");
    s3_condition(&r, condition);
    r.body = buf_slice(&text);
    r.has_body = true;
    r.completes = true;
    /* The store may take minutes to put large objects together. */
    enum s3_outcome outcome = s3_ask(s, &r, s3_deadline(s, size), &maybe, result, &why);
    buf_free(&text);
    bool open = outcome == S3_UNCLEAR || outcome == S3_ABSENT ||
                (outcome == S3_TAKEN && (maybe || condition.kind == S3_IF_ABSENT));
    if (!open)
        return s3_end(outcome, &why, err);
    enum s3_outcome there =
        look_back(s, key, size, result, err_is_set(&why) ? &(struct err){0} : err);
    /* Nothing there, or what was there before, is no answer while ours may still be under way. */
    if (outcome == S3_UNCLEAR &&
        (there == S3_ABSENT || (there == S3_TAKEN && condition.kind != S3_IF_ABSENT)))
        return s3_end(S3_UNCLEAR, &why, err);
    return there == S3_LATER || there == S3_REFUSED ? s3_end(S3_UNCLEAR, &why, err) : there;
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
