/* SPDX-License-Identifier: MIT */
#include "object/memory.h"

#include <errno.h>

#include "base/buf.h"
#include "test.h"

/* What the disk promises, call by call: the oracle of other tests stands on it. */
enum { CUTS = 64 };

static int make(const struct system *s, int dir, const char *name, const char *text)
{
    int fd = system_openat(s, dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    EXPECT(fd >= 0);
    EXPECT(system_pwrite(s, fd, text, strlen(text), 0) == (ssize_t)strlen(text));
    return fd;
}

/* The content of a file, or NULL if there is none. Valid until the next call. */
static const char *content(const struct system *s, const char *path)
{
    static char text[64];
    int fd = system_openat(s, SYSTEM_WORKING_DIR, path, O_RDONLY, 0);
    if (fd < 0)
        return NULL;
    ssize_t got = system_pread(s, fd, text, sizeof(text) - 1, 0);
    EXPECT(got >= 0 && system_close(s, fd) == 0);
    text[got] = '\0';
    return text;
}

static bool is(const struct system *s, const char *path, const char *text)
{
    const char *found = content(s, path);
    return found == NULL ? text == NULL : text != NULL && strcmp(found, text) == 0;
}

static void sync_root(const struct system *s)
{
    int root = system_openat(s, SYSTEM_WORKING_DIR, ".", SYSTEM_OPEN_FOLDER, 0);
    EXPECT(root >= 0 && system_fsync(s, root) == 0 && system_close(s, root) == 0);
}

/* How often `path` has `text` after a power cut behind `act`. */
static uint32_t survives(void (*act)(const struct system *s), const char *path, const char *text)
{
    uint32_t count = 0;
    for (uint64_t seed = 0; seed < CUTS; seed++) {
        struct memory_disk *disk = memory_disk_new(seed);
        struct system s = memory_disk_system(disk);
        act(&s);
        memory_disk_restart(disk, true);
        count += is(&s, path, text);
        memory_disk_free(disk);
    }
    return count;
}

static void write_only(const struct system *s)
{
    (void)make(s, SYSTEM_WORKING_DIR, "a", "text");
}

static void write_and_sync_name(const struct system *s)
{
    (void)make(s, SYSTEM_WORKING_DIR, "a", "text");
    sync_root(s);
}

static void write_and_sync_bytes(const struct system *s)
{
    EXPECT(system_fdatasync(s, make(s, SYSTEM_WORKING_DIR, "a", "text")) == 0);
}

static void write_and_sync_both(const struct system *s)
{
    write_and_sync_bytes(s);
    sync_root(s);
}

TEST(memory_spares_what_was_synced)
{
    EXPECT_U64(survives(write_and_sync_both, "a", "text"), CUTS);
    uint32_t whole = survives(write_only, "a", "text");
    uint32_t gone = survives(write_only, "a", NULL);
    EXPECT(whole > 0 && gone > 0 && whole + gone < CUTS); /* and some are damaged */
    EXPECT_U64(survives(write_and_sync_name, "a", NULL), 0);
    EXPECT(survives(write_and_sync_name, "a", "text") < CUTS);
    gone = survives(write_and_sync_bytes, "a", NULL);
    EXPECT(gone > 0 && survives(write_and_sync_bytes, "a", "text") == CUTS - gone);
}

static void failed_sync(const struct system *s)
{
    int fd = make(s, SYSTEM_WORKING_DIR, "a", "text");
    sync_root(s);
    memory_disk_fail(s->disk, SYSTEM_CALL_FDATASYNC, 1, EIO);
    EXPECT(system_fdatasync(s, fd) == -1 && errno == EIO);
    EXPECT(is(s, "a", "text"));
    EXPECT(system_fdatasync(s, fd) == 0);
}

TEST(memory_never_finds_again_what_a_failed_sync_has_lost)
{
    EXPECT_U64(survives(failed_sync, "a", ""), CUTS);
}

static void move_between(const struct system *s)
{
    EXPECT(system_mkdir(s, SYSTEM_WORKING_DIR, "from", 0755) == 0);
    EXPECT(system_mkdir(s, SYSTEM_WORKING_DIR, "to", 0755) == 0);
    int from = system_openat(s, SYSTEM_WORKING_DIR, "from", SYSTEM_OPEN_FOLDER, 0);
    int to = system_openat(s, SYSTEM_WORKING_DIR, "to", SYSTEM_OPEN_FOLDER, 0);
    EXPECT(system_fdatasync(s, make(s, from, "x", "text")) == 0);
    EXPECT(system_fsync(s, from) == 0);
    sync_root(s);
    bool linked;
    EXPECT(system_rename_noreplace(s, from, "x", to, "y", &linked) == 0 && !linked);
}

static void move_and_sync(const struct system *s)
{
    move_between(s);
    int to = system_openat(s, SYSTEM_WORKING_DIR, "to", SYSTEM_OPEN_FOLDER, 0);
    EXPECT(system_fsync(s, to) == 0);
}

TEST(memory_moves_as_a_whole)
{
    uint32_t moved = survives(move_between, "to/y", "text");
    EXPECT(moved > 0 && moved < CUTS);
    EXPECT_U64(survives(move_between, "from/x", NULL), moved);
    EXPECT_U64(survives(move_and_sync, "to/y", "text"), CUTS);
    EXPECT_U64(survives(move_and_sync, "from/x", NULL), CUTS);
}

static void make_below(const struct system *s)
{
    EXPECT(system_mkdir(s, SYSTEM_WORKING_DIR, "new", 0755) == 0);
    int folder = system_openat(s, SYSTEM_WORKING_DIR, "new", SYSTEM_OPEN_FOLDER, 0);
    EXPECT(system_fdatasync(s, make(s, folder, "a", "text")) == 0 && system_fsync(s, folder) == 0);
}

static void make_below_and_sync_all(const struct system *s)
{
    make_below(s);
    (void)make(s, SYSTEM_WORKING_DIR, "b", "more");
    EXPECT(system_syncfs(s, SYSTEM_WORKING_DIR) == 0);
}

TEST(memory_needs_the_parent_of_a_new_folder)
{
    uint32_t there = survives(make_below, "new/a", "text");
    EXPECT(there > 0 && there < CUTS);
    EXPECT_U64(survives(make_below_and_sync_all, "new/a", "text"), CUTS);
    EXPECT_U64(survives(make_below_and_sync_all, "b", "more"), CUTS);
}

static void replace(const struct system *s)
{
    write_and_sync_both(s);
    EXPECT(system_fdatasync(s, make(s, SYSTEM_WORKING_DIR, "b", "new")) == 0);
    EXPECT(system_rename(s, SYSTEM_WORKING_DIR, "b", SYSTEM_WORKING_DIR, "a") == 0);
    EXPECT(system_unlink(s, SYSTEM_WORKING_DIR, "a") == 0);
}

TEST(memory_changes_one_name_in_order)
{
    uint32_t old = survives(replace, "a", "text");
    uint32_t new = survives(replace, "a", "new");
    uint32_t gone = survives(replace, "a", NULL);
    EXPECT(old > 0 && new > 0 && gone > 0 && old + new + gone == CUTS);
}

TEST(memory_is_the_same_for_the_same_seed)
{
    for (uint64_t seed = 1; seed < 9; seed++) {
        char first[64] = {0};
        for (int round = 0; round < 2; round++) {
            struct memory_disk *disk = memory_disk_new(seed);
            struct system s = memory_disk_system(disk);
            for (char name[] = "a"; name[0] <= 'j'; name[0]++)
                (void)make(&s, SYSTEM_WORKING_DIR, name, "0123456789");
            memory_disk_restart(disk, true);
            for (char name[] = "a"; name[0] <= 'j'; name[0]++) {
                const char *found = content(&s, name);
                char len = (char)(found == NULL ? 'x' : 'a' + strlen(found));
                EXPECT(round == 0 || first[name[0] - 'a'] == len);
                first[name[0] - 'a'] = len;
            }
            memory_disk_free(disk);
        }
    }
}

TEST(memory_fails_and_fills_up_as_told)
{
    struct memory_disk *disk = memory_disk_new(1);
    struct system s = memory_disk_system(disk);
    uint64_t bytes;
    bool known;
    memory_disk_set_room(disk, 10);
    int fd = make(&s, SYSTEM_WORKING_DIR, "a", "12345678");
    EXPECT(system_pwrite(&s, fd, "abcd", 4, 8) == 2); /* cut short, as a full disk does it */
    EXPECT(system_pwrite(&s, fd, "cd", 2, 10) == -1 && errno == ENOSPC);
    EXPECT(system_pwrite(&s, fd, "X", 1, 0) == 1);
    EXPECT(is(&s, "a", "X2345678ab"));
    EXPECT(system_free_bytes(&s, fd, &bytes, &known) == 0 && known && bytes == 0);
    EXPECT(system_unlink(&s, SYSTEM_WORKING_DIR, "a") == 0);
    EXPECT(system_free_bytes(&s, fd, &bytes, &known) == 0 && bytes == 10);
    memory_disk_fail(disk, SYSTEM_CALL_COUNT, 2, EROFS);
    EXPECT(system_mkdir(&s, SYSTEM_WORKING_DIR, "d", 0755) == 0);
    EXPECT(system_mkdir(&s, SYSTEM_WORKING_DIR, "e", 0755) == -1 && errno == EROFS);
    EXPECT(system_mkdir(&s, SYSTEM_WORKING_DIR, "e", 0755) == 0);
    memory_disk_cut(disk, 2);
    EXPECT(system_fsync(&s, fd) == 0 && !memory_disk_is_off(disk));
    EXPECT(system_fsync(&s, fd) == -1 && errno == EIO && memory_disk_is_off(disk));
    EXPECT(system_mkdir(&s, SYSTEM_WORKING_DIR, "f", 0755) == -1 && errno == EIO);
    memory_disk_restart(disk, true);
    EXPECT(system_fsync(&s, fd) == -1 && errno == EBADF);
    EXPECT(system_mkdir(&s, SYSTEM_WORKING_DIR, "f", 0755) == 0);
    memory_disk_free(disk);
}

TEST(memory_locks_until_it_is_closed)
{
    struct memory_disk *disk = memory_disk_new(1);
    struct system s = memory_disk_system(disk);
    int one = make(&s, SYSTEM_WORKING_DIR, "lock", "");
    int two = system_openat(&s, SYSTEM_WORKING_DIR, "/lock", O_RDWR, 0);
    EXPECT(system_lock(&s, one) == 0 && system_lock(&s, one) == 0);
    EXPECT(system_lock(&s, two) == -1 && errno == EWOULDBLOCK);
    EXPECT(system_close(&s, one) == 0 && system_lock(&s, two) == 0);
    memory_disk_restart(disk, false); /* the process was killed */
    one = system_openat(&s, SYSTEM_WORKING_DIR, "lock", O_RDWR, 0);
    EXPECT(system_lock(&s, one) == 0);
    memory_disk_free(disk);
}
