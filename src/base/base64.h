/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_BASE64_H
#define VARVE_BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"

/* Append the standard base64 form (RFC 4648 section 4, with padding). */
void base64_append(struct buf *out, struct slice data);

/* Append the URL-safe form without padding (section 5). */
void base64_append_url(struct buf *out, struct slice data);

/* Append what a padded or unpadded standard base64 text stands for. False for anything else; `out`
 * then holds what it held before. */
bool base64_decode(struct buf *out, struct slice text) __attribute__((warn_unused_result));

/* The same for the URL-safe form, without padding. */
bool base64_decode_url(struct buf *out, struct slice text) __attribute__((warn_unused_result));

#endif
