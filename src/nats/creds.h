/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_CREDS_H
#define VARVE_NATS_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "nats/nkey.h"

/*
 * What a user logs in with: the file that `nsc` writes (.creds; creds_utils.go of nats-io/jwt),
 * with the user's JWT and its seed, each one line between a line with dashes before and one behind
 * it.
 */
enum {
    NATS_CREDS_MAX = 64 * 1024, /* of a file: sixteen times what a server takes in a login */
};

struct nats_creds {
    struct slice jwt;
    struct slice seed; /* empty: there is none, as for a bearer's JWT */
};

/* Find both in a file; a file with nothing but a JWT is one, too. The slices are of `file`. The
 * error shows nothing of it (ERR_FORMAT). */
int nats_creds_parse(struct nats_creds *creds, struct slice file, struct err *err)
    __attribute__((warn_unused_result));

/* Find the seed in a file that may have other lines (comments, for instance): the first line that
 * begins with S and is as long as a seed. The slice is of `file`. */
int nats_creds_find_seed(struct slice *seed, struct slice file, struct err *err)
    __attribute__((warn_unused_result));

/* What a user's JWT says of itself. Its signature is the server's to check. */
struct nats_jwt {
    char subject[NATS_NKEY_PUBLIC_TEXT + 1]; /* the user's public key */
    int64_t issued;                          /* seconds since 1970; 0: not given, like the next */
    int64_t not_before;
    int64_t expires;
    bool bearer; /* it alone lets one in: nothing has to be signed */
};

int nats_jwt_parse(struct nats_jwt *jwt, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

#endif
