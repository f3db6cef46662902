/* SPDX-License-Identifier: MIT */
#include "parquet/write/scratch.h"

#include <string.h>

uint32_t *parquet_scratch_numbers(struct parquet_scratch *scratch, uint32_t count)
{
    buf_reset(&scratch->numbers);
    buf_reserve(&scratch->numbers, (size_t)count * sizeof(uint32_t));
    /* Memory from the allocator is aligned for any type. */
    return (uint32_t *)(void *)scratch->numbers.data;
}

uint8_t *parquet_scratch_used(struct parquet_scratch *scratch, uint32_t count)
{
    buf_reset(&scratch->used);
    buf_reserve(&scratch->used, count);
    if (count > 0)
        memset(scratch->used.data, 0, count);
    return scratch->used.data;
}

uint64_t parquet_scratch_memory(const struct parquet_scratch *scratch)
{
    return (uint64_t)scratch->body.cap + scratch->numbers.cap + scratch->used.cap;
}

void parquet_scratch_free(struct parquet_scratch *scratch)
{
    buf_free(&scratch->body);
    buf_free(&scratch->numbers);
    buf_free(&scratch->used);
}
