/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_BUCKET_SERVICE_H
#define VARVE_TESTS_BUCKET_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "net/network.h"

/*
 * An object store for models of one: a bucket behind HTTP (Amazon S3 API reference: PutObject with
 * its conditions, GetObject with a range, HeadObject, DeleteObject, ListObjectsV2, and the calls of
 * multipart uploads), on connections without sockets. Where its objects are, what time it is, and
 * what becomes of a request is up to whoever has it: tests/unit/bucket_model.h, where a test says
 * so, and tests/sim/bucket.h, where chance does. Signatures are not looked at.
 */
#define BUCKET_ENDPOINT "http://model:9000"

enum {
    BUCKET_CONNECTIONS_MAX = 64,
    BUCKET_FIRST_HANDLE = 1 << 17,
    BUCKET_KEY_MAX = 512,
    BUCKET_ETAG_MAX = 72,
};

enum bucket_fate {
    BUCKET_FINE,
    BUCKET_LOST,       /* not done; the connection breaks */
    BUCKET_UNANSWERED, /* done; the connection breaks before the answer */
    BUCKET_LATE,       /* the connection breaks, and it is done later */
    BUCKET_TWICE,      /* done twice, as by a proxy that tries again; the second answer comes */
    BUCKET_ERROR,      /* done, and answered with 500 */
    BUCKET_SLOW_DOWN,  /* 503, not done */
    BUCKET_CONFLICT,   /* 409, not done */
    BUCKET_DENIED,     /* 403, not done */
    BUCKET_FATES
};

typedef void bucket_object_visit(void *context, const char *key, uint64_t size, int64_t modified);

/* Where the objects are: keys begin behind the bucket. */
struct bucket_objects {
    void *context;
    /* Append the body; false if there is no such object. */
    bool (*get)(void *context, const char *key, struct buf *body, int64_t *modified);
    void (*put)(void *context, const char *key, struct slice body);
    void (*remove)(void *context, const char *key);
    void (*walk)(void *context, bucket_object_visit *visit, void *visitor); /* all, by key */
};

/* A request, taken apart. */
struct bucket_request {
    char method[8], key[BUCKET_KEY_MAX], query[BUCKET_KEY_MAX], range[64], match[128];
    bool if_absent;
    struct buf body;
};

struct bucket_part_sent {
    unsigned number;
    struct buf body;
};

struct bucket_upload_begun {
    char *key, *id;
    ARRAY(struct bucket_part_sent) parts;
    int64_t begun;
};

struct bucket_connection {
    const void *owner;
    bool open, broken;
    struct buf in, out;
};

/* What is to become of a request that came on a connection: calls service_meet. */
typedef void service_serve(void *context, struct bucket_connection *c, struct bucket_request *r);

/* `now` is for who has it to keep: ns since 1970. */
struct bucket_service {
    struct bucket_objects objects;
    service_serve *serve;
    void *context;
    int64_t now;
    ARRAY(struct bucket_upload_begun) uploads;
    uint64_t next_upload;
    struct bucket_connection connections[BUCKET_CONNECTIONS_MAX];
};

void service_free(struct bucket_service *s);

/* Reach it, from now on, as `varve` does by what is configured; `part`: see struct s3_options. */
void service_reach(size_t part);

/* As struct network has them, for handles from BUCKET_FIRST_HANDLE on. -1: too many are open. */
int service_connect(struct bucket_service *s, const void *owner, struct err *err);
enum net_io service_read(struct bucket_service *s, int handle, void *data, size_t len, size_t *done,
                         struct err *err);
enum net_io service_write(struct bucket_service *s, int handle, const void *data, size_t len,
                          size_t *done, struct err *err);
void service_close(struct bucket_service *s, int handle);
unsigned service_ready(const struct bucket_service *s, int handle);

/* All connections of this owner break. */
void service_break(struct bucket_service *s, const void *owner);

/* Do a request, and append the answer. */
void service_do(struct bucket_service *s, const struct bucket_request *r, struct buf *out);

/* What becomes of a request, and of the connection that it came on. True: it is late, and to be
 * done by and by. */
bool service_meet(struct bucket_service *s, struct bucket_connection *c,
                  const struct bucket_request *r, enum bucket_fate fate);

/* Between the files of it: the calls of multipart uploads, and what they need. */
void service_do_upload(struct bucket_service *s, const struct bucket_request *r, struct buf *out);
void service_forget_upload(struct bucket_service *s, struct bucket_upload_begun *u);
void service_list_uploads(struct bucket_service *s, struct buf *out);
void service_answer(struct buf *out, int status, const char *fields, struct slice body);
void service_answer_error(struct buf *out, int status, const char *code);
void service_make_etag(struct slice body, char out[static BUCKET_ETAG_MAX]);
/* The value of a name in the query, decoded; "" if it is not there. */
void service_query(const struct bucket_request *r, const char *name,
                   char out[static BUCKET_KEY_MAX]);
/* False, and an answer, if the condition of a request does not hold. */
bool service_check_condition(struct bucket_service *s, const struct bucket_request *r,
                             struct buf *out);

#endif
