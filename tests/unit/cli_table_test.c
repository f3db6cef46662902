/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

#include "test.h"

static void expect_printed(struct table *t, const char *expected)
{
    char text[500] = {0};
    FILE *file = tmpfile();
    EXPECT(file != NULL);
    table_print(t, 1, file);
    rewind(file);
    EXPECT(fread(text, 1, sizeof(text) - 1, file) == strlen(expected));
    EXPECT_TEXT(text, expected);
    (void)fclose(file); /* it is gone anyway */
}

TEST(cli_table_aligns)
{
    struct table t = {0};
    table_text(&t, "name");
    table_text(&t, "size");
    table_text(&t, "note");
    table_end_row(&t);
    table_text(&t, "a longer name");
    table_number(&t, "%d", 12345);
    table_text(&t, "");
    table_end_row(&t);
    table_text(&t, "\xc3\xa9"); /* one character */
    table_number(&t, "%d", 7);
    table_text(&t, "x");
    table_end_row(&t);
    expect_printed(&t, " name            size  note\n"
                       " a longer name  12345\n"
                       " \xc3\xa9                  7  x\n");
    expect_printed(&t, ""); /* it is empty again */
}

TEST(cli_table_control_characters)
{
    struct table t = {0};
    table_text(&t, "a\x1b[31m\n\tb\x7f");
    table_cell(&t, (struct slice){(const uint8_t *)"x\0y", 3});
    table_end_row(&t);
    expect_printed(&t, " a?[31m??b?  x?y\n");
}
