/* SPDX-License-Identifier: MIT */
#include "object/system.h"

#include <errno.h>

#include "base/map.h"
#include "store_fixture.h"

struct seen {
    enum store_call refuse; /* this call fails with `error` */
    int error;
    uint32_t before[STORE_CALL_COUNT], after[STORE_CALL_COUNT];
};

static int see(void *context, enum store_call call, bool after)
{
    struct seen *seen = context;
    (after ? seen->after : seen->before)[call]++;
    return !after && call == seen->refuse ? seen->error : 0;
}

TEST(store_system_asks_the_hook)
{
    struct seen seen = {STORE_CALL_MKDIRAT, EIO, {0}, {0}};
    struct store_system system = {see, &seen};
    errno = 0;
    EXPECT(store_system_mkdir(&system, AT_FDCWD, "a", 0755) == -1 && errno == EIO);
    EXPECT(access("a", F_OK) < 0);
    EXPECT(seen.before[STORE_CALL_MKDIRAT] == 1 && seen.after[STORE_CALL_MKDIRAT] == 0);
    seen.refuse = STORE_CALL_COUNT;
    EXPECT(store_system_mkdir(&system, AT_FDCWD, "a", 0755) == 0);
    EXPECT(store_system_mkdir(&system, AT_FDCWD, "a", 0755) == -1 && errno == EEXIST);
    EXPECT(seen.before[STORE_CALL_MKDIRAT] == 3 && seen.after[STORE_CALL_MKDIRAT] == 2);
}

static void expect_noreplace(const struct store_system *system)
{
    fixture_write("new", "new");
    fixture_write("old", "old");
    EXPECT(store_system_rename_noreplace(system, AT_FDCWD, "new", AT_FDCWD, "old") == -1);
    EXPECT(errno == EEXIST);
    char *text = fixture_read("old");
    EXPECT_TEXT(text, "old");
    free(text);
    EXPECT(fixture_is_file("new"));
    EXPECT(store_system_rename_noreplace(system, AT_FDCWD, "new", AT_FDCWD, "other") == 0);
    EXPECT(!fixture_is_file("new") && fixture_is_file("other"));
    EXPECT(store_system_rename_noreplace(system, AT_FDCWD, "new", AT_FDCWD, "x") == -1);
    EXPECT(errno == ENOENT);
    EXPECT(unlink("other") == 0 && unlink("old") == 0);
}

TEST(store_system_never_replaces)
{
    struct store_system plain = {0};
    expect_noreplace(&plain);
    struct seen seen = {STORE_CALL_RENAMEAT2, EINVAL, {0}, {0}};
    struct store_system system = {see, &seen};
    expect_noreplace(&system);
    EXPECT(seen.after[STORE_CALL_LINKAT] == 3 && seen.after[STORE_CALL_UNLINKAT] == 1);
    seen.error = ENOSYS;
    expect_noreplace(&system);
    seen.error = EIO; /* not a reason to try another way */
    EXPECT(store_system_rename_noreplace(&system, AT_FDCWD, "a", AT_FDCWD, "b") == -1);
    EXPECT(errno == EIO && seen.after[STORE_CALL_LINKAT] == 6);
}

static void note(void *context, const char *name)
{
    bool added;
    (void)map_put(context, slice_of(name), &added);
}

TEST(store_system_lists_all_names)
{
    struct store_system system = {0};
    struct map names = {0};
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    char name[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        fixture_write(name, "");
    }
    for (int round = 0; round < 2; round++) { /* the descriptor stays where it is */
        EXPECT(store_system_list(&system, fd, note, &names) == 0);
        EXPECT_U64(names.count, 1000);
        EXPECT(map_find(&names, slice_of("999")) >= 0 && map_find(&names, slice_of(".")) < 0);
        map_reset(&names);
    }
    struct seen seen = {STORE_CALL_GETDENTS, EIO, {0}, {0}};
    struct store_system failing = {see, &seen};
    EXPECT(store_system_list(&failing, fd, note, &names) == -1 && errno == EIO);
    EXPECT(close(fd) == 0);
    map_free(&names);
}

TEST(store_system_knows_the_free_space)
{
    struct store_system system = {0};
    uint64_t bytes = 0;
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    EXPECT(store_system_free_bytes(&system, fd, &bytes) == 0 && bytes > 0);
    EXPECT(close(fd) == 0);
}
