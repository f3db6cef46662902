/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_GUARD_H
#define VARVE_WATCH_GUARD_H

#include "base/secret.h"
#include "config/config.h"
#include "net/http.h"

/*
 * Who may ask the HTTP endpoint, and who could listen: metrics.token_file and metrics.tls. A zeroed
 * struct is empty.
 */
struct guard {
    const struct config *config; /* NULL: it does not listen */
    struct buf token;            /* that requests have to bring */
    struct tls_server *tls;      /* NULL: in the clear */
    int64_t expires;             /* our certificate, in nanoseconds since 1970; 0: there is none */
};

/* Guard a server that listens, and say in the log where, and what could be better. `config` and the
 * server's use of this last until guard_close. ERR_USAGE or ERR_SYSTEM if a file can't be used. */
int guard_open(struct guard *g, const struct config *config, struct http_server *server,
               struct err *err) __attribute__((warn_unused_result));

/* The files that guard_reload reads, to be read ahead. */
void guard_files(const struct guard *g, struct secret_files *files);

/* Read the files again; what can't be used is logged, and the former stays in force. */
void guard_reload(struct guard *g, struct http_server *server);

/* After http_close. */
void guard_close(struct guard *g);

/* What metrics.tls means to net/tls. Borrows from `config`. */
struct tls_options guard_tls_options(const struct config *config);

/* Read a token, the one line of a file, into `out`, which was empty and is to be freed by
 * secret_free. */
int guard_read_token(struct buf *out, const char *path, struct err *err)
    __attribute__((warn_unused_result));

#endif
