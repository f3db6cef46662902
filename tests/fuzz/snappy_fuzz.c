/* SPDX-License-Identifier: MIT */
#include "parquet/read/page.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any length may be announced, up to what a block of this size can hold. The output lies at the end
 * of memory of its size, so that a byte too many is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct err err = {0};
    if (size < 2)
        return 0;
    size_t len = ((size_t)data[0] | (size_t)data[1] << 8) % (size * SNAPPY_RATIO_MAX + 1);
    buf_reserve_exact(&out, len + 4);
    buf_append(&out, "abcd", 4);
    int result = snappy_decompress((struct slice){data + 2, size - 2}, len, &out, &err);
    if (out.len != (result == 0 ? len + 4 : 4) || memcmp(out.data, "abcd", 4) != 0)
        __builtin_trap();
    if ((result == 0) == (err.code != ERR_NONE))
        __builtin_trap();
    buf_free(&out);
    return 0;
}
