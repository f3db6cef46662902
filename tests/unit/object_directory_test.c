/* SPDX-License-Identifier: MIT */
#include "object/directory.h"

#include <errno.h>

#include "store_fixture.h"

static void expect_parent(const char *path, const char *expected)
{
    struct buf out = {0};
    directory_parent(&out, slice_of(path));
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(directory_knows_parents)
{
    expect_parent("a", ".");
    expect_parent("a/b", "a");
    expect_parent("a/b/c.parquet", "a/b");
    expect_parent("/a", "/");
    expect_parent("/a/b", "/a");
    expect_parent("a//b", "a");
    expect_parent(".", ".");
}

TEST(directory_knows_the_last_part)
{
    EXPECT_TEXT(directory_base("a"), "a");
    EXPECT_TEXT(directory_base("/a/b.c"), "b.c");
}

TEST(directory_makes_what_is_missing)
{
    struct system system = {0};
    struct err err = {0};
    const unsigned all = DIRECTORY_MAKE | DIRECTORY_DURABLE | DIRECTORY_FOLLOW;
    int fd = directory_open(&system, AT_FDCWD, "a/b//", all, &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(fd >= 0 && access("a/b", F_OK) == 0);
    EXPECT(directory_open(&system, fd, "c/d/e", 0, &err) == -1 && err.system == ENOENT);
    err_clear(&err);
    int below = directory_open(&system, fd, "c/d/e", DIRECTORY_MAKE, &err);
    EXPECT(below >= 0 && access("a/b/c/d/e", F_OK) == 0);
    EXPECT(close(below) == 0 && close(fd) == 0);
    char path[4096];
    EXPECT(getcwd(path, sizeof(path) - 8) != NULL);
    (void)strcat(path, "/x/y");
    fd = directory_open(&system, AT_FDCWD, path, all, &err);
    EXPECT(fd >= 0 && access("x/y", F_OK) == 0);
    EXPECT(close(fd) == 0);
}

static int count_opens(void *context, enum system_call call, bool after)
{
    uint32_t *opens = context;
    *opens += call == SYSTEM_CALL_OPENAT && !after;
    return 0;
}

/* What was there may be a link, and has to be opened; what was made is none. */
TEST(directory_opens_only_what_was_there)
{
    uint32_t opens = 0;
    struct system system = {.hook = count_opens, .context = &opens};
    struct err err = {0};
    EXPECT(directory_make(&system, AT_FDCWD, slice_of("f/g/h"), 0, &err) == 0);
    EXPECT(access("f/g/h", F_OK) == 0);
    EXPECT_U64(opens, 0);
    EXPECT(directory_make(&system, AT_FDCWD, slice_of("f/g/i/j"), 0, &err) == 0);
    EXPECT(access("f/g/i/j", F_OK) == 0);
    EXPECT_U64(opens, 2);
    EXPECT(mkdir("elsewhere", 0755) == 0 && symlink("../elsewhere", "f/link") == 0);
    EXPECT(directory_make(&system, AT_FDCWD, slice_of("f/link/k"), 0, &err) == -1);
    EXPECT(access("elsewhere/k", F_OK) != 0);
}

struct calls {
    uint32_t fsyncs, syncfs;
    int error; /* of syncfs */
};

static int count_syncs(void *context, enum system_call call, bool after)
{
    struct calls *calls = context;
    calls->fsyncs += call == SYSTEM_CALL_FSYNC && !after;
    calls->syncfs += call == SYSTEM_CALL_SYNCFS && !after;
    return call == SYSTEM_CALL_SYNCFS ? calls->error : 0;
}

/* More than some are made durable at once, where the kernel can do that. */
TEST(directory_syncs_many_at_once)
{
    struct calls calls = {0};
    struct system system = {.hook = count_syncs, .context = &calls};
    struct err err = {0};
    struct map paths = {0};
    bool added;
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    EXPECT(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0);
    (void)map_put(&paths, slice_of("a"), &added);
    (void)map_put(&paths, slice_of("b"), &added);
    EXPECT(directory_sync_all(&system, fd, &paths, 2, &err) == 0);
    EXPECT(calls.fsyncs == 2 && calls.syncfs == 0);
    calls.error = EIO;
    EXPECT(directory_sync_all(&system, fd, &paths, 1, &err) == -1 && err.system == EIO);
    EXPECT(calls.fsyncs == 2);
    err_clear(&err);
    calls.error = ENOSYS;
    EXPECT(directory_sync_all(&system, fd, &paths, 1, &err) == 0);
    EXPECT(calls.fsyncs == 4 && calls.syncfs == 2);
    EXPECT(close(fd) == 0);
    map_free(&paths);
}

TEST(directory_says_what_is_in_the_way)
{
    struct system system = {0};
    struct err err = {0};
    fixture_write("file", "");
    EXPECT(directory_open(&system, AT_FDCWD, "file", DIRECTORY_FOLLOW, &err) == -1);
    EXPECT_TEXT(err.text, "can't open the directory file: Not a directory");
    err_clear(&err);
    EXPECT(directory_open(&system, AT_FDCWD, "file/a", DIRECTORY_MAKE, &err) == -1);
    EXPECT(err.system == ENOTDIR);
    err_clear(&err);
    EXPECT(directory_sync(&system, AT_FDCWD, "nowhere", &err) == -1);
    EXPECT(err.code == ERR_SYSTEM && err.system == ENOENT);
}
