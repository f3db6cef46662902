/* SPDX-License-Identifier: MIT */
#include "object/directory.h"

#include <errno.h>

#include "store_fixture.h"

static void expect_parent(const char *path, const char *expected)
{
    struct buf out = {0};
    store_directory_parent(&out, slice_of(path));
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(store_directory_knows_parents)
{
    expect_parent("a", ".");
    expect_parent("a/b", "a");
    expect_parent("a/b/c.parquet", "a/b");
    expect_parent("/a", "/");
    expect_parent("/a/b", "/a");
    expect_parent("a//b", "a");
    expect_parent(".", ".");
}

TEST(store_directory_makes_what_is_missing)
{
    struct store_system system = {0};
    struct err err = {0};
    struct map made = {0};
    int fd = store_directory_open(&system, AT_FDCWD, "a/b", &err);
    EXPECT(fd >= 0);
    EXPECT(store_directory_make_parents(&system, fd, "c/d/e.parquet", &made, &err) == 0);
    EXPECT_U64(made.count, 2);
    EXPECT(map_find(&made, slice_of(".")) >= 0 && map_find(&made, slice_of("c")) >= 0);
    EXPECT(access("a/b/c/d", F_OK) == 0 && access("a/b/c/d/e.parquet", F_OK) < 0);
    EXPECT(store_directory_make_parents(&system, fd, "c/x", &made, &err) == 0);
    EXPECT_U64(made.count, 2);
    EXPECT(store_directory_sync_all(&system, fd, &made, &err) == 0);
    EXPECT(close(fd) == 0);
    map_free(&made);
}

TEST(store_directory_says_what_is_in_the_way)
{
    struct store_system system = {0};
    struct err err = {0};
    fixture_write("file", "");
    EXPECT(store_directory_open(&system, AT_FDCWD, "file", &err) == -1);
    EXPECT_TEXT(err.text, "can't open the directory file: Not a directory");
    err_clear(&err);
    EXPECT(store_directory_open(&system, AT_FDCWD, "file/a", &err) == -1);
    EXPECT(err.system == ENOTDIR);
    err_clear(&err);
    EXPECT(store_directory_sync(&system, AT_FDCWD, "nowhere", &err) == -1);
    EXPECT(err.code == ERR_SYSTEM && err.system == ENOENT);
}
