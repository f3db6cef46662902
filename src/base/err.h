/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_ERR_H
#define VARVE_BASE_ERR_H

#include <stdbool.h>

/*
 * Errors are values. A function that can fail takes a `struct err *` last, returns -1 and fills it;
 * 0 (or a non-negative result) means success and leaves it alone. The first error wins: setting an
 * error that is already set changes nothing, so that a cleanup path can't hide the cause.
 *
 * The text says what, where and, if the user can do something about it, what to do, on one line:
 * it names the coordinates it knows (file, offset, stream, sequence, row group, column).
 */
enum err_code {
    ERR_NONE = 0,
    ERR_USAGE,       /* the command line or the configuration is wrong */
    ERR_SYSTEM,      /* a system call failed: `system` holds errno */
    ERR_NETWORK,     /* the peer is gone or does not answer */
    ERR_PROTOCOL,    /* the peer said something that the protocol does not allow */
    ERR_REFUSED,     /* the server understood and said no */
    ERR_FORMAT,      /* a file or a message is not what it claims to be */
    ERR_UNSUPPORTED, /* legal, but outside of what varve reads or writes */
    ERR_LIMIT,       /* larger than a named limit */
};

enum { ERR_TEXT_MAX = 512 };

struct err {
    enum err_code code;
    int system; /* errno of the failed call, 0 if none */
    char text[ERR_TEXT_MAX];
};

/* Fill `e` unless it is already set. Long texts are cut. Always returns -1. */
int err_set(struct err *e, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call; ": " and the text of `system` are appended. Returns -1. */
int err_set_system(struct err *e, int system, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put coordinates that only a caller knows in front of the text, as "<prefix>: <text>". Does
 * nothing when `e` is not set. Always returns -1, so that `return err_prefix(...)` reads well. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make `e` ready for use again. */
void err_clear(struct err *e);

static inline bool err_is_set(const struct err *e)
{
    return e->code != ERR_NONE;
}

#endif
