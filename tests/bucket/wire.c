/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "object/open.h"
#include "service.h"

/* Connections: bytes to requests, and what becomes of these. */

/* What stands behind `name` up to the end of its line; "" if the name is not there. */
static void copy_field(struct slice head, const char *name, char *out, size_t size)
{
    const char *at = memmem(head.data, head.len, name, strlen(name));
    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(name);
    size_t len = strcspn(at, "\r");
    ASSERT(len < size);
    memcpy(out, at, len);
    out[len] = '\0';
}

/* Take a whole request from the front of what has come; false if there is none. */
static bool take_request(struct buf *in, struct bucket_request *r)
{
    char number[32], line[BUCKET_KEY_MAX], target[BUCKET_KEY_MAX], condition[8];
    const uint8_t *end = memmem(in->data, in->len, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    struct slice head = {in->data, (size_t)(end - in->data) + 4};
    copy_field(head, "\r\ncontent-length: ", number, sizeof(number));
    size_t len = number[0] == '\0' ? 0 : strtoull(number, NULL, 10);
    if (in->len < head.len + len)
        return false;
    copy_field(head, "", line, sizeof(line));
    ASSERT(sscanf(line, "%7s %511s", r->method, target) == 2);
    const char *query = strchr(target, '?');
    (void)snprintf(r->query, sizeof(r->query), "%s", query == NULL ? "" : query + 1);
    target[strcspn(target, "?")] = '\0';
    ASSERT(strncmp(target, "/bucket", 7) == 0);
    const char *key = target[7] == '/' ? target + 8 : "";
    r->query[strlen(r->query)] = '\0';
    struct bucket_request decoded = {0};
    (void)snprintf(decoded.query, sizeof(decoded.query), "k=%.500s", key);
    service_query(&decoded, "k", r->key);
    copy_field(head, "\r\nrange: ", r->range, sizeof(r->range));
    copy_field(head, "\r\nif-match: ", r->match, sizeof(r->match));
    copy_field(head, "\r\nif-none-match: ", condition, sizeof(condition));
    r->if_absent = condition[0] != '\0';
    buf_reset(&r->body);
    buf_append(&r->body, in->data + head.len, len);
    buf_consume(in, head.len + len);
    return true;
}

bool service_meet(struct bucket_service *s, struct bucket_connection *c,
                  const struct bucket_request *r, enum bucket_fate fate)
{
    struct buf first = {0};
    size_t start = c->out.len;
    switch (fate) {
    case BUCKET_FINE:
        service_do(s, r, &c->out);
        break;
    case BUCKET_TWICE:
        service_do(s, r, &first);
        service_do(s, r, &c->out);
        break;
    case BUCKET_ERROR:
        service_do(s, r, &first);
        service_answer_error(&c->out, 500, "InternalError");
        break;
    case BUCKET_UNANSWERED:
        service_do(s, r, &first);
        c->broken = true;
        break;
    case BUCKET_LATE:
    case BUCKET_LOST:
    case BUCKET_FATES:
        c->broken = true;
        break;
    case BUCKET_SLOW_DOWN:
        service_answer_error(&c->out, 503, "SlowDown");
        break;
    case BUCKET_CONFLICT:
        service_answer_error(&c->out, 409, "ConditionalRequestConflict");
        break;
    case BUCKET_DENIED:
        service_answer_error(&c->out, 403, "AccessDenied");
        break;
    }
    /* An answer to HEAD has no body. */
    const uint8_t *end =
        c->out.len == start ? NULL : memmem(c->out.data + start, c->out.len - start, "\r\n\r\n", 4);
    if (strcmp(r->method, "HEAD") == 0 && end != NULL)
        c->out.len = (size_t)(end - c->out.data) + 4;
    buf_free(&first);
    return fate == BUCKET_LATE;
}

int service_connect(struct bucket_service *s, const void *owner, struct err *err)
{
    for (int i = 0; i < BUCKET_CONNECTIONS_MAX; i++) {
        struct bucket_connection *c = &s->connections[i];
        if (c->open)
            continue;
        c->owner = owner;
        c->open = true;
        c->broken = false;
        buf_reset(&c->in);
        buf_reset(&c->out);
        return BUCKET_FIRST_HANDLE + i;
    }
    return err_set_system(err, EMFILE, "connect");
}

enum net_io service_read(struct bucket_service *s, int handle, void *data, size_t len, size_t *done,
                         struct err *err)
{
    struct bucket_connection *c = &s->connections[handle - BUCKET_FIRST_HANDLE];
    if (c->broken) {
        (void)err_set_system(err, ECONNRESET, "read");
        return NET_IO_DEAD;
    }
    if (c->out.len == 0)
        return NET_IO_AGAIN;
    *done = (size_t)num_least_u64(len, c->out.len);
    memcpy(data, c->out.data, *done);
    buf_consume(&c->out, *done);
    return NET_IO_DONE;
}

enum net_io service_write(struct bucket_service *s, int handle, const void *data, size_t len,
                          size_t *done, struct err *err)
{
    struct bucket_connection *c = &s->connections[handle - BUCKET_FIRST_HANDLE];
    struct bucket_request r = {0};
    if (c->broken) {
        (void)err_set_system(err, ECONNRESET, "write");
        return NET_IO_DEAD;
    }
    buf_append(&c->in, data, len);
    *done = len;
    if (take_request(&c->in, &r))
        s->serve(s->context, c, &r);
    buf_free(&r.body);
    return NET_IO_DONE;
}

void service_close(struct bucket_service *s, int handle)
{
    s->connections[handle - BUCKET_FIRST_HANDLE].open = false;
}

unsigned service_ready(const struct bucket_service *s, int handle)
{
    const struct bucket_connection *c = &s->connections[handle - BUCKET_FIRST_HANDLE];
    return NET_WRITABLE | (c->broken || c->out.len > 0 ? NET_READABLE : 0u);
}

void service_break(struct bucket_service *s, const void *owner)
{
    for (int i = 0; i < BUCKET_CONNECTIONS_MAX; i++)
        if (s->connections[i].owner == owner)
            s->connections[i].broken = true;
}

void service_reach(size_t part)
{
    const struct s3_options options = {.endpoint = BUCKET_ENDPOINT,
                                       .region = "us-east-1",
                                       .access_key_id = "AKIAEXAMPLE",
                                       .secret_access_key = "secret",
                                       .session_token = "",
                                       .profile = "",
                                       .ca_file = "",
                                       .checksum = S3_CHECKSUM_NONE,
                                       .part_bytes = part};
    object_reach(&options);
}

void service_free(struct bucket_service *s)
{
    while (s->uploads.count > 0)
        service_forget_upload(s, &s->uploads.list[0]);
    array_free(&s->uploads);
    for (int i = 0; i < BUCKET_CONNECTIONS_MAX; i++) {
        ASSERT(!s->connections[i].open);
        buf_free(&s->connections[i].in);
        buf_free(&s->connections[i].out);
    }
}
