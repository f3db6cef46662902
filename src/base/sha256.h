/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_SHA256_H
#define VARVE_BASE_SHA256_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* SHA-256 (FIPS 180-4): sha256_begin, sha256_add as often as needed, sha256_end once. Where the
 * processor has instructions for it these are used. */
enum {
    SHA256_BYTES = 32,
    SHA256_TEXT_MAX = 2 * SHA256_BYTES + 1,
    SHA256_BLOCK = 64,
};

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[SHA256_BLOCK];
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_end(struct sha256 *h, uint8_t out[static SHA256_BYTES]);

/* The hash of one piece of data as 64 small hexadecimal digits and a NUL. */
void sha256_text(struct slice data, char out[static SHA256_TEXT_MAX]);

/* The same digits of a finished hash. */
void sha256_format(const uint8_t hash[static SHA256_BYTES], char out[static SHA256_TEXT_MAX]);

/* Whether a text from outside is what sha256_text makes: 64 small hexadecimal digits. */
bool sha256_is_text(struct slice text);

/* HMAC-SHA-256 (RFC 2104) of one piece of data. `out` may be the memory of `key`. */
void sha256_hmac(struct slice key, struct slice data, uint8_t out[static SHA256_BYTES]);

/* For tests: do without the instructions. */
void sha256_portable_only(void);

#endif
