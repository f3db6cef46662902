/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

#include <string.h>

static uint32_t *reserve(struct buf *buffer, uint32_t count)
{
    buf_reset(buffer);
    buf_reserve(buffer, (size_t)count * sizeof(uint32_t));
    /* Memory from the allocator is aligned for any type. */
    return (uint32_t *)(void *)buffer->data;
}

uint32_t *parquet_scratch_numbers(struct parquet_scratch *scratch, uint32_t count)
{
    return reserve(&scratch->numbers, count);
}

uint32_t *parquet_scratch_indexes(struct parquet_scratch *scratch, uint32_t count)
{
    return reserve(&scratch->indexes, count);
}

uint8_t *parquet_scratch_used(struct parquet_scratch *scratch, uint32_t count)
{
    buf_reset(&scratch->used);
    buf_reserve(&scratch->used, count);
    if (count > 0)
        memset(scratch->used.data, 0, count);
    return scratch->used.data;
}

void parquet_scratch_set_account(struct parquet_scratch *scratch, struct account *account)
{
    scratch->body.account = account;
    scratch->numbers.account = account;
    scratch->indexes.account = account;
    scratch->used.account = account;
    scratch->name.account = account;
}

void parquet_scratch_free(struct parquet_scratch *scratch)
{
    buf_free(&scratch->body);
    buf_free(&scratch->numbers);
    buf_free(&scratch->indexes);
    buf_free(&scratch->used);
    buf_free(&scratch->name);
}
