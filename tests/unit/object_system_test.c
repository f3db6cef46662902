/* SPDX-License-Identifier: MIT */
#include "object/system.h"

#include <errno.h>

#include "base/map.h"
#include "store_fixture.h"

struct seen {
    enum system_call refuse; /* this call fails with `error` */
    int error;
    uint32_t before[SYSTEM_CALL_COUNT], after[SYSTEM_CALL_COUNT];
};

static int see(void *context, enum system_call call, bool after)
{
    struct seen *seen = context;
    (after ? seen->after : seen->before)[call]++;
    return !after && call == seen->refuse ? seen->error : 0;
}

TEST(system_asks_the_hook)
{
    struct seen seen = {SYSTEM_CALL_MKDIRAT, EIO, {0}, {0}};
    struct system system = {.hook = see, .context = &seen};
    errno = 0;
    EXPECT(system_mkdir(&system, AT_FDCWD, "a", 0755) == -1 && errno == EIO);
    EXPECT(access("a", F_OK) < 0);
    EXPECT(seen.before[SYSTEM_CALL_MKDIRAT] == 1 && seen.after[SYSTEM_CALL_MKDIRAT] == 0);
    seen.refuse = SYSTEM_CALL_COUNT;
    EXPECT(system_mkdir(&system, AT_FDCWD, "a", 0755) == 0);
    EXPECT(system_mkdir(&system, AT_FDCWD, "a", 0755) == -1 && errno == EEXIST);
    EXPECT(seen.before[SYSTEM_CALL_MKDIRAT] == 3 && seen.after[SYSTEM_CALL_MKDIRAT] == 2);
}

static void expect_noreplace(const struct system *system, bool links)
{
    bool linked;
    fixture_write("new", "new");
    fixture_write("old", "old");
    EXPECT(system_rename_noreplace(system, AT_FDCWD, "new", AT_FDCWD, "old", &linked) == -1);
    EXPECT(errno == EEXIST && !linked);
    char *text = fixture_read("old");
    EXPECT_TEXT(text, "old");
    free(text);
    EXPECT(fixture_is_file("new"));
    EXPECT(system_rename_noreplace(system, AT_FDCWD, "new", AT_FDCWD, "other", &linked) == 0);
    EXPECT(linked == links && fixture_is_file("new") == links && fixture_is_file("other"));
    EXPECT(system_rename_noreplace(system, AT_FDCWD, "gone", AT_FDCWD, "x", &linked) == -1);
    EXPECT(errno == ENOENT);
    EXPECT(unlink("other") == 0 && unlink("old") == 0);
}

TEST(system_never_replaces)
{
    struct system plain = {0};
    bool linked;
    expect_noreplace(&plain, false);
    struct seen seen = {SYSTEM_CALL_RENAMEAT2, EINVAL, {0}, {0}};
    struct system system = {.hook = see, .context = &seen};
    expect_noreplace(&system, true);
    EXPECT(seen.after[SYSTEM_CALL_LINKAT] == 3 && seen.after[SYSTEM_CALL_UNLINKAT] == 0);
    static const int lacking[] = {ENOSYS, EOPNOTSUPP, EPERM};
    for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
        seen.error = lacking[i];
        expect_noreplace(&system, true);
    }
    seen.error = EIO; /* not a reason to try another way */
    EXPECT(system_rename_noreplace(&system, AT_FDCWD, "a", AT_FDCWD, "b", &linked) == -1);
    EXPECT(errno == EIO && seen.after[SYSTEM_CALL_LINKAT] == 12);
}

static void note(void *context, const char *name, enum system_kind kind)
{
    bool added;
    EXPECT(kind == SYSTEM_FILE || kind == SYSTEM_UNKNOWN);
    (void)map_put(context, slice_of(name), &added);
}

TEST(system_lists_all_names)
{
    struct system system = {0};
    struct map names = {0};
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    char name[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        fixture_write(name, "");
    }
    for (int round = 0; round < 2; round++) { /* the descriptor stays where it is */
        EXPECT(system_list(&system, fd, note, &names) == 0);
        EXPECT_U64(names.count, 1000);
        EXPECT(map_find(&names, slice_of("999")) >= 0 && map_find(&names, slice_of(".")) < 0);
        map_reset(&names);
    }
    struct seen seen = {SYSTEM_CALL_GETDENTS, EIO, {0}, {0}};
    struct system failing = {.hook = see, .context = &seen};
    EXPECT(system_list(&failing, fd, note, &names) == -1 && errno == EIO);
    EXPECT(close(fd) == 0);
    map_free(&names);
}

TEST(system_knows_the_free_space)
{
    struct system system = {0};
    uint64_t bytes = 0;
    bool known = false;
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    EXPECT(system_free_bytes(&system, fd, &bytes, &known) == 0 && known && bytes > 0);
    EXPECT(close(fd) == 0);
}

static int open_below(const struct system *system, int dir, const char *path)
{
    int fd = system_openat(system, dir, path, SYSTEM_OPEN_FOLDER, 0);
    if (fd >= 0) {
        EXPECT(close(fd) == 0);
        return 0;
    }
    return errno;
}

static void expect_no_way_out(void)
{
    struct system system = {0};
    int dir = open("root", O_RDONLY | O_DIRECTORY);
    EXPECT(dir >= 0);
    EXPECT(open_below(&system, dir, ".") == 0);
    EXPECT(open_below(&system, dir, "a/b") == 0);
    EXPECT(open_below(&system, dir, "a/x") == ENOENT);
    EXPECT(open_below(&system, dir, "file/x") == ENOTDIR);
    EXPECT(open_below(&system, dir, "file") == ENOTDIR);
    static const char *const links[] = {"out", "out/there", "in", "in/b", "a/b/up"};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        EXPECT_I64(open_below(&system, dir, links[i]), ELOOP);
    EXPECT(open_below(&system, dir, "..") == EXDEV);
    EXPECT(open_below(&system, dir, "a/../..") == EXDEV);
    /* Nothing is made through a link, nor is the file behind it opened. */
    EXPECT(system_openat(&system, dir, "out/new", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644) == -1);
    EXPECT(errno == ELOOP && access("elsewhere/new", F_OK) != 0);
    EXPECT(system_openat(&system, dir, "precious", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644) == -1);
    EXPECT(errno == ELOOP);
    EXPECT(close(dir) == 0);
}

TEST(system_follows_no_link_below_a_directory)
{
    EXPECT(mkdir("root", 0755) == 0 && mkdir("root/a", 0755) == 0 && mkdir("root/a/b", 0755) == 0);
    EXPECT(mkdir("elsewhere", 0755) == 0 && mkdir("elsewhere/there", 0755) == 0);
    fixture_write("root/file", "");
    fixture_write("elsewhere/precious", "");
    EXPECT(symlink("../elsewhere", "root/out") == 0 && symlink("a", "root/in") == 0);
    EXPECT(symlink("../..", "root/a/b/up") == 0);
    EXPECT(symlink("../elsewhere/precious", "root/precious") == 0);
    expect_no_way_out();
    /* The same without openat2, which Linux has since 5.6. */
    kernel_forget_openat2();
    expect_no_way_out();
}
