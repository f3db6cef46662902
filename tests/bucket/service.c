/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/num.h"
#include "base/time.h"

void service_make_etag(struct slice body, char out[static BUCKET_ETAG_MAX])
{
    (void)snprintf(out, BUCKET_ETAG_MAX, "\"%016" PRIx64 "\"", map_hash(body));
}

void service_answer(struct buf *out, int status, const char *fields, struct slice body)
{
    buf_printf(out, "HTTP/1.1 %d x\r\ncontent-length: %zu\r\n%s\r\n", status, body.len, fields);
    buf_append_slice(out, body);
}

void service_answer_error(struct buf *out, int status, const char *code)
{
    struct buf text = {0};
    buf_printf(&text, "<Error><Code>%s</Code></Error>", code);
    service_answer(out, status, "", buf_slice(&text));
    buf_free(&text);
}

bool service_check_condition(struct bucket_service *s, const struct bucket_request *r,
                             struct buf *out)
{
    char etag[BUCKET_ETAG_MAX];
    struct buf body = {0};
    int64_t modified;
    bool there = s->objects.get(s->objects.context, r->key, &body, &modified);
    if (there)
        service_make_etag(buf_slice(&body), etag);
    bool good = !(r->if_absent && there) &&
                !(r->match[0] != '\0' && (!there || strcmp(etag, r->match) != 0));
    if (!good)
        service_answer_error(out, 412, "PreconditionFailed");
    buf_free(&body);
    return good;
}

static void put(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    char etag[BUCKET_ETAG_MAX], field[96];
    if (!service_check_condition(s, r, out))
        return;
    s->objects.put(s->objects.context, r->key, buf_slice(&r->body));
    service_make_etag(buf_slice(&r->body), etag);
    (void)snprintf(field, sizeof(field), "etag: %s\r\n", etag);
    service_answer(out, 200, field, (struct slice){0});
}

/* Wed, 21 Oct 2015 07:28:00 GMT; which day of the week it is nobody asks. */
static void http_date(int64_t ns, char out[static 32])
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct time_utc t = time_utc_of(ns);
    (void)snprintf(out, 32, "Mon, %02u %s %04u %02u:%02u:%02u GMT", t.date.day % 100u,
                   months[(t.date.month - 1) % 12], (unsigned)t.date.year % 10000u, t.hour % 100u,
                   t.minute % 100u, t.second % 100u);
}

/* "bytes=1-9", or "bytes=1-" up to the end; "" is all. */
static void read_range(const char *text, uint64_t *first, uint64_t *last)
{
    char *end;
    if (text[0] == '\0')
        return;
    ASSERT(strncmp(text, "bytes=", 6) == 0);
    *first = strtoull(text + 6, &end, 10);
    ASSERT(*end == '-');
    if (end[1] != '\0')
        *last = strtoull(end + 1, NULL, 10);
}

static void get(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    uint64_t first = 0, last = UINT64_MAX;
    char etag[BUCKET_ETAG_MAX], date[32], now[32], fields[320];
    struct buf body = {0};
    int64_t modified;
    if (!s->objects.get(s->objects.context, r->key, &body, &modified)) {
        service_answer_error(out, 404, "NoSuchKey");
        return;
    }
    service_make_etag(buf_slice(&body), etag);
    http_date(modified, date);
    http_date(s->now, now);
    int len = snprintf(fields, sizeof(fields), "etag: %s\r\nlast-modified: %s\r\ndate: %s\r\n",
                       etag, date, now);
    read_range(r->range, &first, &last);
    if (strcmp(r->method, "HEAD") == 0) {
        buf_printf(out, "HTTP/1.1 200 x\r\ncontent-length: %zu\r\n%s\r\n", body.len, fields);
    } else if (first >= body.len) {
        service_answer_error(out, 416, "InvalidRange");
    } else {
        size_t count = (size_t)num_least_u64(body.len - first, last - first + 1);
        (void)snprintf(fields + len, sizeof(fields) - (size_t)len,
                       "content-range: bytes %" PRIu64 "-%" PRIu64 "/%zu\r\n", first,
                       first + count - 1, body.len);
        service_answer(out, 206, fields, (struct slice){body.data + first, count});
    }
    buf_free(&body);
}

void service_query(const struct bucket_request *r, const char *name,
                   char out[static BUCKET_KEY_MAX])
{
    size_t len = strlen(name), n = 0;
    const char *at = r->query;
    while (at != NULL && !(strncmp(at, name, len) == 0 && at[len] == '=')) {
        at = strchr(at, '&');
        at = at == NULL ? NULL : at + 1;
    }
    for (at = at == NULL ? "" : at + len + 1; *at != '\0' && *at != '&'; at++) {
        const char hex[3] = {at[0] == '%' ? at[1] : '\0', at[0] == '%' ? at[2] : '\0', '\0'};
        out[n++] = at[0] == '%' ? (char)strtoul(hex, NULL, 16) : at[0];
        at += at[0] == '%' ? 2 : 0;
    }
    out[n] = '\0';
}

struct listing {
    char prefix[BUCKET_KEY_MAX], after[BUCKET_KEY_MAX];
    struct buf text;
};

static void list_object(void *context, const char *key, uint64_t size, int64_t modified)
{
    struct listing *l = context;
    char time[TIME_TEXT_MAX];
    if (strncmp(key, l->prefix, strlen(l->prefix)) != 0 || strcmp(key, l->after) <= 0)
        return;
    time_format(modified, 3, time);
    buf_printf(&l->text, "<Contents><Key>");
    for (; *key != '\0'; key++) /* what XML has a use for */
        buf_printf(&l->text, *key == '&' || *key == '<' ? "&#%d;" : "%c", *key);
    buf_printf(&l->text, "</Key><LastModified>%s</LastModified><Size>%" PRIu64 "</Size></Contents>",
               time, size);
}

static void list(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    char now[32], field[48];
    struct listing l = {0};
    http_date(s->now, now);
    (void)snprintf(field, sizeof(field), "date: %s\r\n", now);
    service_query(r, "prefix", l.prefix);
    service_query(r, "start-after", l.after);
    buf_append_text(&l.text, "<ListBucketResult><IsTruncated>false</IsTruncated>");
    s->objects.walk(s->objects.context, list_object, &l);
    buf_append_text(&l.text, "</ListBucketResult>");
    service_answer(out, 200, field, buf_slice(&l.text));
    buf_free(&l.text);
}

void service_do(struct bucket_service *s, const struct bucket_request *r, struct buf *out)
{
    if (strstr(r->query, "uploadId=") != NULL || strcmp(r->method, "POST") == 0) {
        service_do_upload(s, r, out);
    } else if (strcmp(r->method, "PUT") == 0) {
        put(s, r, out);
    } else if (strcmp(r->method, "DELETE") == 0) {
        s->objects.remove(s->objects.context, r->key);
        service_answer(out, 204, "", (struct slice){0});
    } else if (r->key[0] != '\0') {
        get(s, r, out);
    } else if (strstr(r->query, "list-type=2") != NULL) {
        list(s, r, out);
    } else {
        service_list_uploads(s, out);
    }
}
