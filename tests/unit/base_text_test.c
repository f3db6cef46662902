/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdlib.h>

#include "test.h"

TEST(text_copy_is_a_copy_of_its_own)
{
    char original[] = "some text";
    char *copy = text_copy(original);
    original[0] = 'S';
    EXPECT_TEXT(copy, "some text");
    free(copy);
    copy = text_copy_slice((struct slice){(const uint8_t *)original + 5, 2});
    EXPECT_TEXT(copy, "te");
    free(copy);
    copy = text_copy_slice((struct slice){0});
    EXPECT_TEXT(copy, "");
    free(copy);
}

TEST(text_ends_with_compares_the_end)
{
    EXPECT(text_ends_with("a.parquet", ".parquet"));
    EXPECT(text_ends_with(".parquet", ".parquet"));
    EXPECT(text_ends_with("x", ""));
    EXPECT(!text_ends_with("parquet", ".parquet"));
    EXPECT(!text_ends_with("a.parquets", ".parquet"));
    EXPECT(!text_ends_with("", "x"));
}

TEST(text_hex_digit_knows_both_cases_and_nothing_else)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {(char)c, '\0'};
        char *end;
        bool digit = strspn(text, "0123456789abcdefABCDEF") == 1;
        EXPECT_I64(text_hex_digit((uint8_t)c), digit ? strtol(text, &end, 16) : -1);
    }
}
