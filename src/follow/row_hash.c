/* SPDX-License-Identifier: MIT */
#include "follow/row_hash.h"

#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"

struct row_hash row_hash_of(const struct slice values[static EVENT_COLUMNS])
{
    struct row_hash out;
    struct sha256 h;
    uint8_t whole[SHA256_BYTES];
    sha256_begin(&h);
    for (uint32_t i = 0; i < EVENT_COLUMNS; i++) {
        uint8_t length[8];
        /* A null is not an empty text. */
        store_u64le(length, values[i].data != NULL ? (uint64_t)values[i].len + 1 : 0);
        sha256_add(&h, length, sizeof(length));
        if (values[i].data != NULL)
            sha256_add(&h, values[i].data, values[i].len);
    }
    sha256_end(&h, whole);
    memcpy(out.bytes, whole, sizeof(out.bytes));
    return out;
}
