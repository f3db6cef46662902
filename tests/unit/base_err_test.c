/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "test.h"

TEST(err_set_fills_and_returns_minus_one)
{
    struct err e = {0};
    EXPECT(!err_is_set(&e));
    EXPECT_I64(err_set(&e, ERR_FORMAT, "%s: offset %d", "a.parquet", 12), -1);
    EXPECT(err_is_set(&e));
    EXPECT_I64(e.code, ERR_FORMAT);
    EXPECT_I64(e.system, 0);
    EXPECT_TEXT(e.text, "a.parquet: offset 12");
}

TEST(err_first_one_wins)
{
    struct err e = {0};
    err_set_system(&e, ENOSPC, "%s", "write x");
    EXPECT_I64(err_set(&e, ERR_LIMIT, "later"), -1);
    EXPECT_I64(err_set_system(&e, EIO, "later"), -1);
    EXPECT_I64(e.code, ERR_SYSTEM);
    EXPECT_I64(e.system, ENOSPC);
    char expected[128] = "write x: ";
    strcat(expected, strerror(ENOSPC));
    EXPECT_TEXT(e.text, expected);
}

TEST(err_clear_makes_it_usable_again)
{
    struct err e = {0};
    err_set_system(&e, EIO, "first");
    err_clear(&e);
    EXPECT(!err_is_set(&e));
    EXPECT_I64(e.system, 0);
    EXPECT_TEXT(e.text, "");
    err_set(&e, ERR_USAGE, "second");
    EXPECT_TEXT(e.text, "second");
    EXPECT_I64(e.system, 0);
}

TEST(err_prefix_stacks_outermost_first)
{
    struct err e = {0};
    EXPECT_I64(err_prefix(&e, "nothing to prefix"), -1);
    EXPECT(!err_is_set(&e));
    EXPECT_TEXT(e.text, "");
    err_set(&e, ERR_FORMAT, "bad length");
    EXPECT_I64(err_prefix(&e, "column %d", 3), -1);
    EXPECT_I64(err_prefix(&e, "%s", "f.parquet"), -1);
    EXPECT_TEXT(e.text, "f.parquet: column 3: bad length");
    EXPECT_I64(e.code, ERR_FORMAT);
}

static void fill_text(char *text, size_t len, char c)
{
    memset(text, c, len);
    text[len] = '\0';
}

TEST(err_long_texts_are_cut_not_overrun)
{
    char big[2000];
    fill_text(big, sizeof(big) - 1, 'x');
    struct err e = {0};
    err_set(&e, ERR_LIMIT, "%s", big);
    EXPECT_U64(strlen(e.text), ERR_TEXT_MAX - 1);
    struct err s = {0};
    err_set_system(&s, EIO, "%s", big);
    EXPECT_U64(strlen(s.text), ERR_TEXT_MAX - 1);
    EXPECT_I64(s.system, EIO);
}

TEST(err_prefix_of_every_length_keeps_the_text_bounded)
{
    char prefix[ERR_TEXT_MAX * 2];
    char body[ERR_TEXT_MAX];
    for (size_t body_len = 1; body_len < ERR_TEXT_MAX; body_len += 51) {
        for (size_t len = 0; len < sizeof(prefix) - 1; len++) {
            fill_text(prefix, len, 'p');
            fill_text(body, body_len, 'b');
            struct err e = {0};
            err_set(&e, ERR_FORMAT, "%s", body);
            err_prefix(&e, "%s", prefix);
            EXPECT(strlen(e.text) < ERR_TEXT_MAX);
            const char *cause = strstr(e.text, ": ") + 2;
            size_t prefix_len = (size_t)(cause - e.text) - 2;
            if (len < 250)
                EXPECT_U64(prefix_len, len);
            if (len + 2 + body_len < ERR_TEXT_MAX)
                EXPECT_U64(strlen(cause), body_len);
            /* However long the prefix, half of the room is left for the cause. */
            EXPECT(strlen(cause) >= (body_len < 255 ? body_len : 255));
            EXPECT_U64(prefix_len, strspn(e.text, "p"));
            EXPECT_U64(strlen(cause), strspn(cause, "b"));
        }
    }
}
