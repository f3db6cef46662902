/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_S3_CLIENT_H
#define VARVE_OBJECT_S3_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"

/*
 * A client of an S3-compatible object store, for the keys below one prefix of one bucket (Amazon S3
 * API reference): HTTP/1.1 on one connection that is kept alive, each request signed with its
 * payload's SHA-256 (Signature Version 4), nothing sent in chunks.
 *
 * One thread at a time. Each call waits for its answer, tries again what may pass by itself, with
 * growing pauses, and gives up after `patience`, or soon after *stop is set. A connection that
 * fails, a slow server or a wrong clock of this host is nothing that a caller has to know of: what
 * is left is told by the outcome.
 */
enum {
    S3_KEY_MAX = 1024, /* bytes of a key with its prefix: the limit of S3 */
    S3_ETAG_MAX = 128,
    S3_CODE_MAX = 64,
    S3_REQUEST_ID_MAX = 128,
    S3_UPLOAD_ID_MAX = 1024,
    S3_SHA256_MAX = 45, /* base64, with the NUL */
    S3_PART_MIN = 5 * 1024 * 1024,
    S3_PARTS_MAX = 10000,
    S3_PART_BYTES = 8 * 1024 * 1024, /* 10,000 of them are 78 GiB */
    S3_WHOLE_PARTS = 8, /* what is larger than so many parts is put in parts: above 64 MiB */
};

enum s3_addressing {
    S3_ADDRESSING_AUTO, /* virtual for AWS itself, path for every other endpoint */
    S3_ADDRESSING_PATH,
    S3_ADDRESSING_VIRTUAL,
};

enum s3_checksum {
    S3_CHECKSUM_SHA256, /* x-amz-checksum-sha256: the store verifies it, and keeps it */
    S3_CHECKSUM_NONE,   /* for a store that does not take it */
};

/* Texts are borrowed for the life of the client, and never NULL: "" is not given. What is not given
 * comes from the environment and the shared files of AWS's tools (s3_settings.h). */
struct s3_options {
    const char *endpoint; /* "https://host", "http://host:9000"; "": AWS, in `region` */
    const char *region;
    const char *bucket;
    const char *prefix; /* "" or "a/b/": stands in front of each key */
    enum s3_addressing addressing;
    const char *access_key_id, *secret_access_key, *session_token;
    const char *profile; /* of the shared files */
    const char *ca_file; /* PEM; "": what the host trusts */
    enum s3_checksum checksum;
    size_t part_bytes;       /* of what goes in parts; 0: S3_PART_BYTES */
    bool whole;              /* put everything in one request, however large it is */
    int64_t patience;        /* ns for one call, with all its attempts; 0: S3_PATIENCE */
    const atomic_bool *stop; /* NULL: nobody stops it */
    struct account *account; /* that buffers are booked to; may be NULL */
};

#define S3_PATIENCE (INT64_C(60) * 1000000000)

enum s3_outcome {
    S3_DONE,
    S3_ABSENT,  /* there is no such key (or upload) */
    S3_TAKEN,   /* the condition does not hold: there is another object. Nothing was done */
    S3_UNCLEAR, /* it may have happened, may happen still, or not: the answer was lost, and reading
                   back has failed as well */
    S3_LATER,   /* nothing happened: the store is not reached, or has too much to do */
    S3_REFUSED, /* the store says no, and will say so again until somebody changes something */
};

/* What the last answer said. Texts are "" where it said nothing. */
struct s3_result {
    int status;             /* of HTTP; 0: there was no answer */
    char code[S3_CODE_MAX]; /* of the error, such as "AccessDenied" */
    char request_id[S3_REQUEST_ID_MAX];
    char etag[S3_ETAG_MAX];     /* opaque, with its quotes */
    char sha256[S3_SHA256_MAX]; /* of the object's bytes, as the store has it; head only */
    uint64_t size;              /* of the whole object; head and get */
    int64_t modified;           /* ns since 1970; head and get. 0: not told */
    bool same;                  /* put: it was there already, byte for byte */
    bool late; /* put, whatever came of it: an attempt was lost, and may come yet */
};

/* Requests by operation and how they ended, for metrics. */
enum s3_operation {
    S3_OPERATION_PUT,
    S3_OPERATION_GET,
    S3_OPERATION_HEAD,
    S3_OPERATION_LIST,
    S3_OPERATION_DELETE,
    S3_OPERATION_UPLOAD, /* all that multipart uploads take */
    S3_OPERATIONS,
};
extern const char *const s3_operation_names[S3_OPERATIONS];

enum {
    S3_COUNT_2XX,
    S3_COUNT_3XX,
    S3_COUNT_4XX,
    S3_COUNT_5XX,
    S3_COUNT_LOST, /* no answer */
    S3_COUNTS,
};
extern const char *const s3_count_names[S3_COUNTS];

/* Written by the client's thread, read by any. Attempts count one by one. */
struct s3_counters {
    _Atomic uint64_t requests[S3_OPERATIONS][S3_COUNTS];
    _Atomic uint64_t nanoseconds[S3_OPERATIONS];
    _Atomic int64_t skew; /* ns that the store's clock is ahead of ours, as it was last told */
};

struct s3_client;

/* Nothing is sent yet. NULL: an option makes no sense, or a file can't be read (ERR_USAGE). */
struct s3_client *s3_client_open(const struct s3_options *options, struct err *err)
    __attribute__((warn_unused_result));

/* Accepts NULL. */
void s3_client_close(struct s3_client *client);

/* Valid as long as the client. */
const struct s3_counters *s3_client_counters(const struct s3_client *client);

/* Where requests go: "https://bucket.s3.eu-west-1.amazonaws.com", "http://host:9000/bucket", and
 * what kind of credentials they have: "environment", "profile default", "container"... For people;
 * valid until the next call. */
const char *s3_client_address(struct s3_client *client);
size_t s3_client_part(const struct s3_client *client);  /* bytes of a part */
bool s3_client_in_path(const struct s3_client *client); /* the bucket, not in the host's name */
const char *s3_client_credentials(const struct s3_client *client);

/*
 * In all that follows: `key` is relative to the prefix, and borrowed. `err` is set by UNCLEAR,
 * LATER and REFUSED; it names bucket, key, the store's code and message and the request's id.
 * `result` may be NULL.
 */
enum s3_condition_kind { S3_ANY, S3_IF_ABSENT, S3_IF_MATCH };
struct s3_condition {
    enum s3_condition_kind kind;
    const char *etag; /* of S3_IF_MATCH, with its quotes */
};

/*
 * Put an object: it is there whole when this is DONE, and durable as far as the store goes. With
 * S3_IF_ABSENT: whenever an object is in the way it is read and compared, whoever put it. The same
 * bytes are DONE, with result->same: mostly they are ours, of an attempt whose answer was lost.
 * Others are TAKEN. So content must tell its writer. With S3_IF_MATCH: ABSENT, or TAKEN by
 * another version.
 *
 * What is large goes in parts (see s3_upload_begin), which are aborted unless it is DONE; it is
 * whole and conditional all the same.
 */
enum s3_outcome s3_put(struct s3_client *client, const char *key, struct slice body,
                       struct s3_condition condition, struct s3_result *result, struct err *err)
    __attribute__((warn_unused_result));

/* The same of bytes whose SHA-256 is known, as 64 digits; NULL: it is not. The store is told of it,
 * so bytes that have changed since are refused; in parts each part has a hash of its own. */
enum s3_outcome s3_put_hashed(struct s3_client *client, const char *key, struct slice body,
                              const char *sha256, struct s3_condition condition,
                              struct s3_result *result, struct err *err)
    __attribute__((warn_unused_result));

/* Append at most `len` bytes from `offset` on; fewer, or none, where the object ends. */
enum s3_outcome s3_get(struct s3_client *client, const char *key, uint64_t offset, uint64_t len,
                       struct buf *out, struct s3_result *result, struct err *err)
    __attribute__((warn_unused_result));

enum s3_outcome s3_head(struct s3_client *client, const char *key, struct s3_result *result,
                        struct err *err) __attribute__((warn_unused_result));

/* DONE also if there was no such key. */
enum s3_outcome s3_delete(struct s3_client *client, const char *key, struct s3_result *result,
                          struct err *err) __attribute__((warn_unused_result));

struct s3_listed {
    struct slice key; /* relative to the prefix of the client */
    uint64_t size;
    int64_t modified; /* ns since 1970 */
};

/* False: no more, please. What it gets is valid during the call, in which the client must not be
 * used. */
typedef bool s3_visit(void *context, const struct s3_listed *object);

/* The objects whose keys begin with `prefix` and come after `after` ("" for all), in byte order. */
enum s3_outcome s3_list(struct s3_client *client, const char *prefix, const char *after,
                        s3_visit *visit, void *context, struct err *err)
    __attribute__((warn_unused_result));

/*
 * A large object in parts (multipart upload): begin, each part, complete; or abort. `id` is a text
 * that the store has given. Parts but the last have at least S3_PART_MIN bytes, all the same many.
 */
enum s3_outcome s3_upload_begin(struct s3_client *client, const char *key,
                                char id[static S3_UPLOAD_ID_MAX], struct err *err)
    __attribute__((warn_unused_result));

/* What is to be known of a part until the upload is complete. */
struct s3_part {
    char etag[S3_ETAG_MAX];
    char sha256[SHA256_TEXT_MAX]; /* of its bytes */
    uint64_t size;
};

/* `number` counts from 1. */
enum s3_outcome s3_upload_part(struct s3_client *client, const char *key, const char *id,
                               unsigned number, struct slice body, struct s3_part *out,
                               struct err *err) __attribute__((warn_unused_result));

/* Make the object of its `count` parts. Where the outcome of an attempt is unclear, or an object is
 * in the way, what is at the key is read: the same bytes are DONE, with result->same, others are
 * TAKEN. ABSENT: the upload is gone, and there is no such object. */
enum s3_outcome s3_upload_complete(struct s3_client *client, const char *key, const char *id,
                                   const struct s3_part *parts, unsigned count,
                                   struct s3_condition condition, struct s3_result *result,
                                   struct err *err) __attribute__((warn_unused_result));

/* DONE also if it is gone. */
enum s3_outcome s3_upload_abort(struct s3_client *client, const char *key, const char *id,
                                struct err *err) __attribute__((warn_unused_result));

struct s3_listed_upload {
    struct slice key; /* relative to the prefix of the client */
    const char *id;
    int64_t begun; /* ns since 1970 */
};
typedef bool s3_visit_upload(void *context, const struct s3_listed_upload *upload);

/* Uploads under the prefix that were neither completed nor aborted. DONE, and nothing visited,
 * where the store can't list them, or does not let us. */
enum s3_outcome s3_uploads_list(struct s3_client *client, s3_visit_upload *visit, void *context,
                                struct err *err) __attribute__((warn_unused_result));

#endif
