/* SPDX-License-Identifier: MIT */
#include "drain/widened.h"

#include <string.h>

#include "test.h"

TEST(widened_after_what_was_noted)
{
    char stream[] = "S", consumer[] = "C";
    const struct config_source source = {.stream = stream, .consumer = consumer};
    static const char noted[] = "S C a.* 0\nS C b.> 7\nS C a.b 9\nS other z 3\nT C z 4\nS C z\n";
    static const struct {
        const char *noted, *subject;
        uint64_t after;
    } cases[] = {
        {"", "a.b", 0},    /* nothing is known */
        {noted, "a.b", 0}, /* the wider one has had it */
        {noted, "a.*", 0},   {noted, "a.>", 20},    {noted, "b.c.d", 7},      {noted, "b.>", 7},
        {noted, "b.*", 7},   {noted, "z", 20},      {noted, ">", 20},         {"S C > 5", "a.>", 5},
        {"S D a 1", "b", 0}, {"T C a 1\n", "b", 0}, {"S C a x\nS C", "b", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        EXPECT_U64(widened_after(slice_of(cases[i].noted), &source, cases[i].subject, 20),
                   cases[i].after);
}

TEST(widened_note_is_read_again)
{
    char stream[] = "S", consumer[] = "C";
    const struct config_source source = {.stream = stream, .consumer = consumer};
    struct buf noted = {0};
    widened_note(&noted, &source, "a", 0);
    widened_note(&noted, &source, "b", 12);
    EXPECT(strcmp(buf_text(&noted), "S C a 0\nS C b 12\n") == 0);
    EXPECT_U64(widened_after(buf_slice(&noted), &source, "b", 30), 12);
    EXPECT_U64(widened_after(buf_slice(&noted), &source, "c", 30), 30);
    buf_free(&noted);
}
