/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_S3_PART_H
#define VARVE_OBJECT_S3_PART_H

#include "net/http_client.h"
#include "object/s3_client.h"
#include "object/s3_credentials.h"
#include "object/s3_sign.h"

/* What the files of the client share (s3_client.c, s3_place.c, s3_request.c, s3_answer.c,
 * s3_differ.c, s3_list.c, s3_upload.c). */

enum {
    S3_QUERY_MAX = 6,
    S3_FIELDS_MAX = 4,
    S3_COMPARE_PIECE = 4 * 1024 * 1024, /* of an object that is read back */
    S3_ANSWER_MAX = 16 * 1024 * 1024, /* a list of 1,000 keys of 1,024 bytes, each a %XX or &#x; */
};

/* Between attempts, and also where the store asks for more. */
#define S3_PAUSE_MAX (15 * CLOCK_SECOND)

/* Where the bucket is. */
struct s3_place {
    struct http_origin origin;
    char base[256]; /* path of the endpoint, and of the bucket unless `virtual_host` */
    char region[S3_REGION_MAX];
    bool virtual_host;
    bool aws;   /* AWS itself: the host follows from the region */
    bool named; /* the endpoint was given */
};

/* Of the options, the environment and the shared files. */
int s3_place_find(const struct s3_options *options, struct s3_place *out, struct err *err)
    __attribute__((warn_unused_result));

/* Take another region, of which a server has told. False if that changes nothing. */
bool s3_place_move(struct s3_place *place, const char *bucket, struct slice region);

struct s3_client {
    char *bucket, *prefix, *ca_file, *profile;
    char *access_key_id, *secret_access_key, *session_token;
    struct s3_place place;
    enum s3_checksum checksum;
    size_t part; /* bytes */
    bool whole;
    int64_t patience;
    const atomic_bool *stop;
    struct http_client *http;
    struct s3_source *source;
    struct s3_signing_key key;
    int64_t skew;                  /* ns to be added to our clock */
    struct buf target;             /* path?query */
    struct buf head;               /* of the request */
    struct buf answer;             /* body of an answer that is not somebody else's */
    struct buf canonical, to_sign; /* of the last request, where the log is to have them */
    char address[NET_HOST_MAX + 300];
    struct s3_counters counters;
};

/* One request, which is borrowed while it is asked. */
struct s3_request {
    enum s3_operation operation;
    const char *method;
    const char *key; /* without the prefix; NULL: the bucket itself */
    struct s3_pair query[S3_QUERY_MAX];
    unsigned query_count;
    struct s3_pair fields[S3_FIELDS_MAX]; /* more that are sent and signed */
    unsigned field_count;
    struct slice body;
    const char *sha256; /* of the body, where it is known; else NULL */
    bool has_body;
    enum s3_condition_kind condition; /* what does not hold is TAKEN, to be settled by who asks */
    bool checksum;                    /* of the object: x-amz-checksum-sha256 */
    /* Where the body of a good answer is appended, at most so much; NULL: client->answer. */
    struct buf *out;
    uint64_t offset, out_max; /* what was asked for of an object */
    bool completes;           /* a good answer may have an error in it */
};

/* What an attempt means for the next one. */
enum s3_verdict {
    S3_VERDICT_DONE,
    S3_VERDICT_ABSENT,
    S3_VERDICT_TAKEN,
    S3_VERDICT_REFUSED,
    S3_VERDICT_AGAIN, /* nothing was done: after a pause */
    S3_VERDICT_MAYBE, /* the same, but it may have been done */
    S3_VERDICT_NOW,   /* nothing was done, and the cause is put right */
};

/* A request, until it has an outcome. */
struct s3_call {
    struct s3_client *client;
    const struct s3_request *r;
    struct s3_result *result;
    struct err *err; /* why the last attempt failed */
    char payload[SHA256_TEXT_MAX];
    char checksum[S3_SHA256_MAX];
    const struct s3_credentials *who; /* of this attempt */
    uint64_t got;                     /* bytes that came for r->out */
    int64_t retry_after;
    unsigned digests;
    bool moved, set_clock, renewed; /* once each */
    struct buf message;
};

/* An answer has come: its fields, its error, and what follows. */
enum s3_verdict s3_take_answer(struct s3_call *c, const struct http_answer *answer);

/* The store has found another signature: what was signed here and, where it tells that, there. For
 * the log at DEBUG. */
void s3_log_signature(const struct s3_call *c);

void s3_query(struct s3_request *r, const char *name, struct slice value);
void s3_field(struct s3_request *r, const char *name, const char *value);
void s3_condition(struct s3_request *r, struct s3_condition condition);

/*
 * Ask until there is an outcome. `deadline` (monotonic) is that of s3_deadline. *maybe, which may
 * be set before: an attempt may have been carried out though its answer was lost.
 */
enum s3_outcome s3_ask(struct s3_client *client, const struct s3_request *r, int64_t deadline,
                       bool *maybe, struct s3_result *result, struct err *err)
    __attribute__((warn_unused_result));

/* Put an object in parts: the outcome is that of its completion, as s3_ask has it. TAKEN and
 * UNCLEAR are to be settled by who asks. */
enum s3_outcome s3_put_parts(struct s3_client *client, const char *key, struct slice body,
                             struct s3_condition condition, bool *maybe, struct s3_result *result,
                             struct err *err) __attribute__((warn_unused_result));

/* An outcome, with the reason of it. */
enum s3_outcome s3_end(enum s3_outcome outcome, const struct err *why, struct err *err);

/* ERR_LIMIT if a key is too long. */
int s3_check_key(const struct s3_client *client, const char *key, struct err *err)
    __attribute__((warn_unused_result));

/* When to give up what is begun now and moves so many bytes. */
int64_t s3_deadline(const struct s3_client *client, uint64_t bytes);

/* Wait before the next attempt, longer each time; *pause begins with 0. False: there is no time, or
 * varve ends. */
bool s3_pause(const struct s3_client *client, int64_t *pause, int64_t at_least, int64_t deadline);

#endif
