/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static void append(struct buf *values, const char *text)
{
    buf_append_u32le(values, (uint32_t)strlen(text));
    buf_append_text(values, text);
}

TEST(dictionary_numbers_in_order_of_appearance)
{
    struct dictionary d = {0};
    struct buf values = {0};
    uint32_t numbers[10];
    static const char *const texts[] = {"b", "a",           "",  "b", "",
                                        "a", "long enough", "a", "b", "long enough"};
    static const uint32_t expected[] = {0, 1, 2, 0, 2, 1, 3, 1, 0, 3};

    for (int i = 0; i < 10; i++)
        append(&values, texts[i]);
    for (int i = 0; i < 10; i++) /* pays only if values repeat enough */
        append(&values, "long enough");
    uint32_t all[20];
    EXPECT(dictionary_number(&d, buf_slice(&values), 20, all));
    memcpy(numbers, all, sizeof(numbers));
    EXPECT_BYTES(numbers, sizeof(numbers), expected, sizeof(expected));
    EXPECT_U64(d.entries, 4);
    struct slice page = dictionary_page(&d);
    EXPECT_BYTES(page.data, page.len, "\1\0\0\0b\1\0\0\0a\0\0\0\0\13\0\0\0long enough", 29);
    dictionary_free(&d);
    buf_free(&values);
}

TEST(dictionary_constant_values)
{
    struct dictionary d = {0};
    struct buf values = {0};
    uint32_t numbers[1000];

    for (int i = 0; i < 1000; i++)
        append(&values, "same");
    EXPECT(dictionary_number(&d, buf_slice(&values), 1000, numbers));
    EXPECT_U64(d.entries, 1);
    for (int i = 0; i < 1000; i++)
        EXPECT_U64(numbers[i], 0);
    dictionary_free(&d);
    buf_free(&values);
}

/* Records of equal size that differ only in the last byte of the last one are not constant; nor are
 * records whose bytes repeat across their borders. */
TEST(dictionary_nearly_constant_values)
{
    struct dictionary d = {0};
    struct buf values = {0};
    uint32_t numbers[9];

    for (int i = 0; i < 8; i++)
        append(&values, "sane");
    append(&values, "same");
    EXPECT(dictionary_number(&d, buf_slice(&values), 9, numbers));
    EXPECT_U64(d.entries, 2);
    EXPECT_U64(numbers[7], 0);
    EXPECT_U64(numbers[8], 1);
    dictionary_free(&d);
    buf_free(&values);
}

/* The last eight bytes of all values are equal: they meet in one slot of the small table. */
TEST(dictionary_values_with_equal_ends)
{
    struct dictionary d = {0};
    struct buf values = {0};
    uint32_t numbers[4000];
    char text[40];

    for (uint32_t i = 0; i < 4000; i++) {
        snprintf(text, sizeof(text), "%04u-the-same-end", i * 7 % 500);
        append(&values, text);
    }
    EXPECT(dictionary_number(&d, buf_slice(&values), 4000, numbers));
    EXPECT_U64(d.entries, 500);
    for (uint32_t i = 0; i < 4000; i++) {
        struct slice key = map_key(&d.map, numbers[i]);
        snprintf(text, sizeof(text), "%04u-the-same-end", i * 7 % 500);
        EXPECT(slice_is(key, text));
    }
    dictionary_free(&d);
    buf_free(&values);
}

TEST(dictionary_gives_up_when_it_does_not_pay)
{
    struct dictionary d = {0};
    struct buf values = {0};
    uint32_t numbers[100];
    char text[16];

    for (int i = 0; i < 100; i++)
        append(&values, "aa");
    EXPECT(dictionary_number(&d, buf_slice(&values), 100, numbers));
    struct slice before = dictionary_page(&d);
    buf_reset(&values);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "distinct-%03d", i);
        append(&values, text);
    }
    EXPECT(!dictionary_number(&d, buf_slice(&values), 100, numbers));
    /* what pages refer to is still there, and nothing else */
    EXPECT_U64(d.entries, 1);
    EXPECT_U64(before.len, 6);
    struct slice after = dictionary_page(&d);
    EXPECT_BYTES(after.data, after.len, "\2\0\0\0aa", 6);
    dictionary_reset(&d);
    EXPECT_U64(dictionary_page(&d).len, 0);
    dictionary_free(&d);
    buf_free(&values);
}

static bool number_distinct(struct dictionary *d, uint32_t first, uint32_t count)
{
    struct buf values = {0};
    uint32_t *numbers = malloc(2 * count * sizeof(*numbers));
    char text[16];

    /* each value twice over, and once more, so that the dictionary is less than half of it all */
    for (uint32_t i = 0; i < 2 * count; i++) {
        snprintf(text, sizeof(text), "%05u", first + i / 2);
        append(&values, text);
    }
    bool ok = dictionary_number(d, buf_slice(&values), 2 * count, numbers);
    free(numbers);
    buf_free(&values);
    return ok;
}

TEST(dictionary_takes_65536_entries_and_no_more)
{
    struct dictionary d = {0};

    for (uint32_t i = 0; i < 65536; i += 8192)
        EXPECT(number_distinct(&d, i, 8192));
    EXPECT_U64(d.entries, 65536);
    EXPECT(number_distinct(&d, 65535, 1));
    EXPECT(!number_distinct(&d, 65536, 1));
    EXPECT_U64(d.entries, 65536);
    dictionary_free(&d);
}

TEST(dictionary_takes_a_mebibyte_and_no_more)
{
    struct dictionary d = {0};
    struct buf values = {0};
    uint32_t numbers[64];
    uint8_t *large = calloc(1, 256 * 1024);

    for (uint8_t i = 0; i < 5; i++) {
        memset(large, i, 256 * 1024 - 4);
        buf_reset(&values);
        for (int j = 0; j < 8; j++) {
            buf_append_u32le(&values, 256 * 1024 - 4);
            buf_append(&values, large, 256 * 1024 - 4);
        }
        bool fits = i < 4;
        EXPECT(dictionary_number(&d, buf_slice(&values), 8, numbers) == fits);
    }
    EXPECT_U64(d.entries, 4);
    EXPECT_U64(dictionary_page(&d).len, 1024 * 1024);
    free(large);
    dictionary_free(&d);
    buf_free(&values);
}

TEST(dictionary_no_values)
{
    struct dictionary d = {0};

    EXPECT(dictionary_number(&d, (struct slice){NULL, 0}, 0, NULL));
    EXPECT_U64(d.entries, 0);
    dictionary_free(&d);
}
