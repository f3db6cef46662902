/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_RANDOM_H
#define VARVE_BASE_RANDOM_H

#include <stddef.h>

#include "base/err.h"

/*
 * Bytes that nobody can guess: from getrandom(2), or from /dev/urandom where the kernel is older
 * than 3.17 or a container's filter denies the call. Fails with ERR_SYSTEM where there is neither.
 */
int random_bytes(void *out, size_t len, struct err *err) __attribute__((warn_unused_result));

/* A random UUID (RFC 9562, version 4) as text, with its NUL. */
enum { RANDOM_UUID_TEXT = 37 };
int random_uuid(char out[static RANDOM_UUID_TEXT], struct err *err)
    __attribute__((warn_unused_result));

#endif
