/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_LOGIN_H
#define VARVE_DRAIN_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "config/config.h"
#include "nats/creds.h"
#include "nats/session.h"
#include "nats/url.h"

/*
 * Who we are to a server: from its URL, from the configuration, or from the files that this names.
 * Files are read anew for each connection, which is how credentials that somebody else renews
 * arrive. What was read is overwritten as soon as it was said.
 */
enum login_way {
    LOGIN_NONE,
    LOGIN_URL, /* in the URL: a user, or a token */
    LOGIN_USER,
    LOGIN_TOKEN,
    LOGIN_NKEY,
    LOGIN_CREDENTIALS, /* a JWT, and most often its seed */
};

/* The keys of the configuration that say who we are; each with a `*_file`, but for the last two,
 * which are files. */
enum login_key {
    LOGIN_KEY_USER,
    LOGIN_KEY_PASSWORD,
    LOGIN_KEY_TOKEN,
    LOGIN_KEY_SEED,
    LOGIN_KEY_CREDENTIALS,
    LOGIN_KEYS,
};

/* A zeroed struct logs in as nobody. */
struct login {
    struct buf configured[LOGIN_KEYS]; /* texts, empty: not given */
    struct buf files[LOGIN_KEYS];      /* paths, the same */

    /* Of the newest attempt. */
    enum login_way way;
    struct buf said[LOGIN_KEYS]; /* what the server is told, until login_forget; of CREDENTIALS the
                                    JWT */
    struct nats_nkey key;        /* until it has signed, but for its public text */
    struct nats_jwt jwt;         /* of CREDENTIALS, even afterwards */
    struct buf exposed;          /* a line for each file that others can read or change */
};

/* Take over what the configuration says, for the next attempts. */
void login_configure(struct login *l, const struct config_nats *nats);

/* The files that login_prepare reads, to be read ahead. */
void login_files(struct login *l, struct secret_files *files);

/* Read what there is to be said to the server with this URL, whose own credentials go first. What
 * `out` points to lives until login_forget or the next attempt. The errors name key and file and
 * show nothing of what is in it. */
int login_prepare(struct login *l, const struct nats_url *url, struct nats_credentials *out,
                  struct err *err) __attribute__((warn_unused_result));

/* Read credentials that run out soon once more, without using them. True if nobody has renewed them
 * in their file: that is logged, unless it was `told` before. */
bool login_look(struct login *l, const struct nats_url *url, bool told);

/* Overwrite what is secret of the newest attempt: it was said, or the server never asked. */
void login_forget(struct login *l);

/* Append why the server that said `kind` may have refused the newest attempt, and what to do about
 * it; `wall` as by clock_wall. */
void login_explain(const struct login *l, enum nats_error_kind kind, int64_t wall, struct buf *out);

/* When the credentials run out, nanoseconds since 1970; INT64_MAX: they don't, or don't say so. */
int64_t login_expires(const struct login *l);

/* From when on somebody should know: a quarter of their life before, and a day at most. */
int64_t login_expires_soon(const struct login *l);

/* Give all of it back, overwritten. */
void login_free(struct login *l);

#endif
