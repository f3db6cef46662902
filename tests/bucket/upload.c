/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/time.h"
#include "service.h"

/* Objects that come in parts (Amazon S3 API reference, CreateMultipartUpload and the others). */

void service_list_uploads(struct bucket_service *s, struct buf *out)
{
    char time[TIME_TEXT_MAX];
    struct buf text = {0};
    buf_append_text(&text, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
    for (size_t i = 0; i < s->uploads.count; i++) {
        const struct bucket_upload_begun *u = &s->uploads.list[i];
        time_format(u->begun, 3, time);
        buf_printf(&text,
                   "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>",
                   u->key, u->id, time);
    }
    buf_append_text(&text, "</ListMultipartUploadsResult>");
    service_answer(out, 200, "", buf_slice(&text));
    buf_free(&text);
}

static struct bucket_upload_begun *find_upload(struct bucket_service *s,
                                               const struct bucket_request *r)
{
    char id[BUCKET_KEY_MAX];
    service_query(r, "uploadId", id);
    for (size_t i = 0; i < s->uploads.count; i++)
        if (strcmp(s->uploads.list[i].id, id) == 0 && strcmp(s->uploads.list[i].key, r->key) == 0)
            return &s->uploads.list[i];
    return NULL;
}

void service_forget_upload(struct bucket_service *s, struct bucket_upload_begun *u)
{
    free(u->key);
    free(u->id);
    for (size_t i = 0; i < u->parts.count; i++)
        buf_free(&u->parts.list[i].body);
    array_free(&u->parts);
    *u = s->uploads.list[--s->uploads.count];
}

static void begin_upload(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    struct buf text = {0};
    buf_printf(&text, "upload-%" PRIu64, ++s->next_upload);
    *array_add(&s->uploads) = (struct bucket_upload_begun){
        .key = strdup(r->key), .id = strdup(buf_text(&text)), .begun = s->now};
    buf_reset(&text);
    buf_printf(&text,
               "<InitiateMultipartUploadResult><UploadId>upload-%" PRIu64
               "</UploadId></InitiateMultipartUploadResult>",
               s->next_upload);
    service_answer(out, 200, "", buf_slice(&text));
    buf_free(&text);
}

static void put_part(struct bucket_upload_begun *u, const struct bucket_request *r, struct buf *out)
{
    char number[BUCKET_KEY_MAX], etag[BUCKET_ETAG_MAX], field[96];
    struct bucket_part_sent *p = NULL;
    service_query(r, "partNumber", number);
    unsigned n = (unsigned)strtoul(number, NULL, 10);
    for (size_t i = 0; i < u->parts.count && p == NULL; i++)
        p = u->parts.list[i].number == n ? &u->parts.list[i] : NULL;
    if (p == NULL) {
        p = array_add(&u->parts);
        *p = (struct bucket_part_sent){.number = n};
    }
    buf_reset(&p->body);
    buf_append_slice(&p->body, buf_slice(&r->body));
    service_make_etag(buf_slice(&r->body), etag);
    (void)snprintf(field, sizeof(field), "etag: %s\r\n", etag);
    service_answer(out, 200, field, (struct slice){0});
}

/* Each part is named with its number and its ETag, in order. */
static void complete_upload(struct bucket_service *s, struct bucket_upload_begun *u,
                            const struct bucket_request *r, struct buf *out)
{
    struct buf whole = {0}, want = {0};
    if (!service_check_condition(s, r, out))
        return;
    buf_append_text(&want, "<CompleteMultipartUpload>");
    for (unsigned n = 1; n <= u->parts.count; n++) {
        for (size_t i = 0; i < u->parts.count; i++) {
            char etag[BUCKET_ETAG_MAX];
            if (u->parts.list[i].number != n)
                continue;
            buf_append_slice(&whole, buf_slice(&u->parts.list[i].body));
            service_make_etag(buf_slice(&u->parts.list[i].body), etag);
            buf_printf(&want,
                       "<Part><PartNumber>%u</PartNumber><ETag>&#34;%.16s&#34;</ETag></Part>", n,
                       etag + 1);
        }
    }
    buf_append_text(&want, "</CompleteMultipartUpload>");
    ASSERT(slice_equal(buf_slice(&want), buf_slice(&r->body)));
    s->objects.put(s->objects.context, r->key, buf_slice(&whole));
    service_forget_upload(s, u);
    service_answer(out, 200, "", slice_of("<CompleteMultipartUploadResult/>"));
    buf_free(&whole);
    buf_free(&want);
}

static void go_on(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    struct bucket_upload_begun *u = find_upload(s, r);
    if (u == NULL) {
        service_answer_error(out, 404, "NoSuchUpload");
    } else if (strcmp(r->method, "PUT") == 0) {
        put_part(u, r, out);
    } else if (strcmp(r->method, "POST") == 0) {
        complete_upload(s, u, r, out);
    } else {
        ASSERT(strcmp(r->method, "DELETE") == 0);
        service_forget_upload(s, u);
        service_answer(out, 204, "", (struct slice){0});
    }
}

void service_do_upload(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    if (strstr(r->query, "uploadId=") != NULL) {
        go_on(s, r, out);
    } else {
        ASSERT(strncmp(r->query, "uploads=", 8) == 0);
        begin_upload(s, r, out);
    }
}
