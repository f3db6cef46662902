/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_S3_SIGN_H
#define VARVE_OBJECT_S3_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sha256.h"

/*
 * Signature Version 4 of requests to S3, in the Authorization field, with the payload's hash
 * (Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header").
 */
enum {
    S3_PAIRS_MAX = 16, /* fields, or parts of a query, of one request */
    S3_DATE_MAX = 17,  /* "20261126T120000Z", with its NUL */
    S3_REGION_MAX = 64,
};

/* A field with its name in small letters, or a part of a query, not encoded. Borrowed. */
struct s3_pair {
    struct slice name, value;
};

/* Append bytes as a URI has them (RFC 3986, section 2.3): all but A-Z a-z 0-9 - _ . ~ as %XX; a
 * '/' stays one if `path`. */
void s3_encode(struct buf *out, struct slice bytes, bool path);

/* Append "a=1&b=2": encoded, and in the order that is signed. A name without value gets its '='. */
void s3_encode_query(struct buf *out, const struct s3_pair *query, unsigned count);

/* ns since 1970 as x-amz-date has it. */
void s3_date(int64_t ns, char out[static S3_DATE_MAX]);

/* The signing key of a day, which is costly to make and worth keeping. Zeroed: none is known. As
 * secret as what it is made from; overwrite it in the end. */
struct s3_signing_key {
    char day[9];
    char region[S3_REGION_MAX];
    uint8_t of[SHA256_BYTES]; /* hash of the secret that it was made from */
    uint8_t key[SHA256_BYTES];
};

struct s3_to_sign {
    const char *method;
    struct slice path;  /* encoded, as it is sent */
    struct slice query; /* of s3_encode_query */
    /* All that are to be signed: host, x-amz-*, and what else must not be changed on the way; in
     * any order, each name once. */
    const struct s3_pair *fields;
    unsigned field_count;
    struct slice payload; /* x-amz-content-sha256 */
    const char *date;     /* x-amz-date */
    const char *region;   /* less than S3_REGION_MAX bytes */
    struct slice access_key_id, secret_access_key;
    /* Where CanonicalRequest and StringToSign are appended, to be compared with those of a store
     * that found another signature; NULL: nowhere. Without the session token. */
    struct buf *canonical, *to_sign;
};

/* Append a CanonicalRequest, of us or of a store, without the session token; nothing of it, if
 * `token` or `secret` is found in it otherwise. */
void s3_append_shown(struct buf *out, struct slice canonical, struct slice token,
                     struct slice secret);

/* Append the value of the Authorization field. */
void s3_sign(struct buf *out, const struct s3_to_sign *r, struct s3_signing_key *key);

#endif
