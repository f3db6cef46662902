/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

#include "base/account.h"
#include "test.h"

TEST(scratch_memory_is_used_again)
{
    struct parquet_scratch scratch = {0};
    struct account account = {0};
    parquet_scratch_set_account(&scratch, &account);
    uint32_t *numbers = parquet_scratch_numbers(&scratch, 1000);

    numbers[999] = 7;
    EXPECT(parquet_scratch_numbers(&scratch, 10) == numbers);
    uint64_t held = account_bytes(&account);
    EXPECT(held >= 4000);
    parquet_scratch_numbers(&scratch, 1000);
    EXPECT_U64(account_bytes(&account), held);
    parquet_scratch_free(&scratch);
    EXPECT_U64(account_bytes(&account), 0);
}

TEST(scratch_used_flags_begin_as_zero)
{
    struct parquet_scratch scratch = {0};

    memset(parquet_scratch_used(&scratch, 300), 1, 300);
    const uint8_t *used = parquet_scratch_used(&scratch, 200);
    for (int i = 0; i < 200; i++)
        EXPECT_U64(used[i], 0);
    EXPECT(parquet_scratch_used(&scratch, 0) == used);
    parquet_scratch_free(&scratch);
}
