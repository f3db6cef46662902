/* SPDX-License-Identifier: MIT */
#include "cli/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "files.h"
#include "test.h"

/*
 * What commands are left with that read what somebody else has made. Each test is a process of its
 * own (test.h), which confines itself.
 */
static bool can_be_whole(void)
{
    struct sandbox_support support = sandbox_support();
    if (support.landlock >= SANDBOX_LANDLOCK_WRITE && support.calls)
        return true;
    (void)fprintf(stderr, "not tried: this kernel can't confine files and system calls\n");
    return false;
}

static const char entry[] = "table/_delta_log/00000000000000000000.json";

/* A folder that looks like a table, a file that is given by itself, and what is not given. */
static void make_folders(void)
{
    EXPECT(mkdir("table", 0755) == 0);
    EXPECT(mkdir("table/_delta_log", 0755) == 0);
    EXPECT(mkdir("outside", 0755) == 0);
    write_file(entry, "x");
    write_file("alone", "x");
    write_file("outside/file", "x");
    EXPECT(symlink("../outside/file", "table/link") == 0);
}

/* The errno of an open, 0 if it works. */
static int open_error(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

static bool opens_sockets(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static void expect_reading_alone(void)
{
    char *const arguments[] = {"/bin/true", NULL};
    EXPECT_I64(open_error("table", O_RDONLY | O_DIRECTORY), 0);
    EXPECT_I64(open_error(entry, O_RDONLY), 0);
    EXPECT_I64(open_error(entry, O_WRONLY), EACCES);
    EXPECT_I64(open_error("table/new", O_WRONLY | O_CREAT), EACCES);
    EXPECT(unlink(entry) != 0 && rename(entry, "table/other") != 0);
    EXPECT(mkdir("table/folder", 0755) != 0);
    EXPECT_I64(open_error("outside/file", O_RDONLY), EACCES);
    EXPECT_I64(open_error("table/link", O_RDONLY), EACCES);
    EXPECT(execv(arguments[0], arguments) != 0 && fork() < 0);
}

/* cat, inspect, verify and quality of files of others: what they find goes to what is open. */
TEST(confine_readers_read_what_they_were_given)
{
    char *given[] = {"table", "alone", "missing"};
    struct err err = {0};
    int ends[2];
    if (!can_be_whole())
        return;
    make_folders();
    EXPECT(pipe(ends) == 0);
    EXPECT(confine_reading(given, 3, NULL, &err) == 0);
    expect_reading_alone();
    EXPECT_I64(open_error("alone", O_RDONLY), 0);
    EXPECT_I64(open_error("alone", O_WRONLY), EACCES);
    EXPECT_I64(open_error("/etc/passwd", O_RDONLY), EACCES);
    EXPECT(!opens_sockets());
    EXPECT(write(ends[1], "x", 1) == 1);
}

/* verify --server and replay ask a server as well, and write as little. */
TEST(confine_readers_that_ask_a_server_do_nothing_more)
{
    char *given[] = {"table"};
    static struct config config;
    struct err err = {0};
    if (!can_be_whole())
        return;
    make_folders();
    config_init(&config);
    EXPECT(config_finish(&config, &err) == 0);
    EXPECT(confine_reading(given, 1, &config, &err) == 0);
    expect_reading_alone();
    EXPECT(opens_sockets());
    config_free(&config);
}

/* compact, expire and quality on a store of ours; with --dry-run they look alone. */
TEST(confine_who_changes_a_store_changes_nothing_else)
{
    char *path = "table";
    struct err err = {0};
    if (!can_be_whole())
        return;
    make_folders();
    EXPECT(confine_to_store(&path, false, &err) == 0);
    EXPECT_I64(open_error("table/new", O_WRONLY | O_CREAT), 0);
    EXPECT_I64(open_error("alone", O_RDONLY), EACCES);
    EXPECT_I64(open_error("outside/file", O_WRONLY), EACCES);
    EXPECT(!opens_sockets());
}

TEST(confine_who_looks_at_a_store_changes_nothing)
{
    char *path = "table";
    struct err err = {0};
    if (!can_be_whole())
        return;
    make_folders();
    EXPECT(confine_to_store(&path, true, &err) == 0);
    expect_reading_alone();
    EXPECT(!opens_sockets());
}

TEST(confine_to_what_is_no_store_is_an_error)
{
    char *path = "outside";
    struct err err = {0};
    EXPECT(mkdir("outside", 0755) == 0);
    EXPECT(confine_to_store(&path, false, &err) == -1 && err.code == ERR_SYSTEM);
}
