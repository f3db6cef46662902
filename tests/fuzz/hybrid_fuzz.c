/* SPDX-License-Identifier: MIT */
#include "parquet/read/rle.h"

#include <string.h>

enum { COUNT = 3000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as runs: read in one go and in pieces they are the same values, none wider than they
 * may be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t whole[COUNT], pieces[COUNT];
    struct rle_reader r;
    struct err err = {0};
    if (size < 1)
        return 0;
    unsigned width = data[0] % (RLE_READ_WIDTH_MAX + 1);
    struct slice bytes = {data + 1, size - 1};
    rle_reader_init(&r, bytes, width);
    int result = rle_read(&r, whole, COUNT, &err);
    err_clear(&err);
    rle_reader_init(&r, bytes, width);
    for (size_t at = 0; at < COUNT; at += 7) {
        size_t n = COUNT - at < 7 ? COUNT - at : 7;
        if (rle_read(&r, pieces + at, n, &err) != 0) {
            if (result == 0)
                __builtin_trap();
            return 0;
        }
    }
    if (result != 0 || memcmp(whole, pieces, sizeof(whole)) != 0)
        __builtin_trap();
    for (size_t i = 0; i < COUNT; i++) {
        if (((uint64_t)whole[i] >> width) != 0)
            __builtin_trap();
    }
    return 0;
}
