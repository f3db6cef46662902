/* SPDX-License-Identifier: MIT */
#include "object/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "object/system.h"
#include "test.h"

/* The kernel's file system with one thing wrong. */
static struct system_calls odd;

static struct object_store *open_odd(struct buf *doubts, struct err *err)
{
    struct object_posix_config config = {.root = "root",
                                         .entries = "log/",
                                         .writer = "i",
                                         .writer_name = "i",
                                         .system = {.calls = &odd},
                                         .doubts = doubts};
    return object_posix_open(&config, err);
}

static void expect_refused(const char *reason)
{
    struct buf doubts = {0};
    struct err err = {0};
    EXPECT(open_odd(&doubts, &err) == NULL);
    EXPECT(err.code == ERR_REFUSED);
    EXPECT(strstr(err.text, "this file system can't keep what varve promises") != NULL);
    EXPECT(strstr(err.text, reason) != NULL);
    EXPECT(access("root/log", F_OK) != 0);
    EXPECT(access("root/.varve/i/probe-one.inprogress", F_OK) != 0);
    EXPECT(access("root/.varve/i/probe-two.inprogress", F_OK) != 0);
    buf_free(&doubts);
}

static int rename_replaces(void *disk, int from_dir, const char *from, int to_dir, const char *to,
                           enum system_rename how)
{
    (void)how;
    return system_kernel.rename(disk, from_dir, from, to_dir, to, SYSTEM_REPLACE);
}

TEST(probe_refuses_a_rename_that_replaces)
{
    odd = system_kernel;
    odd.rename = rename_replaces;
    expect_refused("in the place of another one");
}

/* As if it had not; by NFS an answer can be lost, and the second try says that the name is taken.
 */
static int rename_replaces_and_lies(void *disk, int from_dir, const char *from, int to_dir,
                                    const char *to, enum system_rename how)
{
    int result = system_kernel.rename(disk, from_dir, from, to_dir, to, SYSTEM_REPLACE);
    if (how != SYSTEM_REPLACE)
        errno = EEXIST;
    return how == SYSTEM_REPLACE ? result : -1;
}

TEST(probe_looks_at_what_is_there_afterwards)
{
    odd = system_kernel;
    odd.rename = rename_replaces_and_lies;
    expect_refused("in the place of another one");
}

static int rename_lacks(void *disk, int from_dir, const char *from, int to_dir, const char *to,
                        enum system_rename how)
{
    if (how == SYSTEM_REPLACE)
        return system_kernel.rename(disk, from_dir, from, to_dir, to, SYSTEM_REPLACE);
    errno = EINVAL;
    return -1;
}

static int link_lacks(void *disk, int from_dir, const char *from, int to_dir, const char *to)
{
    (void)disk, (void)from_dir, (void)from, (void)to_dir, (void)to;
    errno = EPERM;
    return -1;
}

TEST(probe_refuses_what_can_neither_rename_nor_link)
{
    odd = system_kernel;
    odd.rename = rename_lacks;
    odd.link = link_lacks;
    expect_refused("neither rename");
}

static int stat_by_name(void *disk, int dir, const char *path, bool follow, struct stat *out)
{
    int result = system_kernel.stat(disk, dir, path, follow, out);
    for (const char *c = path; result == 0 && *c != '\0'; c++)
        out->st_ino = out->st_ino * 31 + (ino_t)*c;
    return result;
}

TEST(probe_refuses_links_that_are_two_files)
{
    odd = system_kernel;
    odd.rename = rename_lacks;
    odd.stat = stat_by_name;
    expect_refused("different inode numbers");
}

static int sync_lacks(void *disk, int fd)
{
    struct stat st;
    (void)disk;
    errno = EINVAL;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? -1 : 0;
}

TEST(probe_refuses_folders_that_do_not_last)
{
    odd = system_kernel;
    odd.fsync = sync_lacks;
    expect_refused("the names in a folder");
}

static int sync_is_full(void *disk, int fd)
{
    (void)disk, (void)fd;
    errno = ENOSPC;
    return -1;
}

static int lock_is_given(void *disk, int fd, bool shared)
{
    (void)disk, (void)fd, (void)shared;
    return 0;
}

/* Whether it is the place that is wrong or only its state must not be mixed up. */
TEST(probe_of_a_full_disk_says_nothing)
{
    struct buf doubts = {0};
    struct err err = {0};
    odd = system_kernel;
    odd.fdatasync = sync_is_full;
    odd.lock = lock_is_given;
    struct object_store *store = open_odd(&doubts, &err);
    EXPECT(store != NULL);
    EXPECT_U64(doubts.len, 0);
    object_store_close(store);
    buf_free(&doubts);
}

TEST(probe_doubts_locks)
{
    struct buf doubts = {0};
    struct err err = {0};
    odd = system_kernel;
    odd.lock = lock_is_given;
    struct object_store *store = open_odd(&doubts, &err);
    EXPECT(store != NULL);
    EXPECT(strstr(buf_text(&doubts), "locks do not hold") != NULL);
    object_store_close(store);
    buf_free(&doubts);
}

TEST(probe_has_nothing_against_this_host)
{
    struct buf doubts = {0};
    struct err err = {0};
    EXPECT(object_posix_probe(".", &doubts, &err) == 0);
    EXPECT_U64(doubts.len, 0);
    buf_free(&doubts);
}
