/* SPDX-License-Identifier: MIT */
#include "parquet/read/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as DELTA_BINARY_PACKED: measuring and reading agree on where they end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delta_reader d;
    struct err err = {0};
    int64_t value = 0;
    size_t len = 0;
    if (size < 2)
        return 0;
    uint64_t count = data[0] | (uint64_t)data[1] << 8;
    struct slice bytes = {data + 2, size - 2};
    int measured = delta_measure(bytes, count, &len, &err);
    err_clear(&err);
    int result = delta_reader_init(&d, bytes, count, &err);
    while (result == 0 && d.left > 0)
        result = delta_read(&d, &value, 1, &err);
    if (result != measured || (result == 0 && (d.at != len || len > bytes.len)))
        __builtin_trap();
    return 0;
}
