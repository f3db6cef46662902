/* SPDX-License-Identifier: MIT */
#include "object/object.h"

#include "test.h"

TEST(object_names)
{
    static const char *const good[] = {"a", "a/b.parquet", "_delta_log/1.json", "a b/\xff", "..."};
    static const char *const bad[] = {"",   "/",   "/a",  "a/",      "a//b",  ".",
                                      "..", "./a", "a/.", "../../a", "a/../b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        EXPECT(object_name_is_valid(slice_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(!object_name_is_valid(slice_of(bad[i])));
    EXPECT(!object_name_is_valid((struct slice){(const uint8_t *)"a\0b", 3}));
    char part[OBJECT_PART_MAX + 2] = {0};
    memset(part, 'x', OBJECT_PART_MAX);
    EXPECT(object_name_is_valid(slice_of(part)));
    part[OBJECT_PART_MAX] = 'x';
    EXPECT(!object_name_is_valid(slice_of(part)));
}

TEST(object_names_are_numbered_before_the_ending)
{
    static const char *const names[][2] = {{"a/1-2.parquet", "a/1-2-3.parquet"},
                                           {"a.b/c", "a.b/c-3"},
                                           {"a", "a-3"},
                                           {"x.y.z", "x.y-3.z"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf out = {0};
        object_name_numbered(&out, slice_of(names[i][0]), 3);
        EXPECT_TEXT(buf_text(&out), names[i][1]);
        buf_free(&out);
    }
}
