/* SPDX-License-Identifier: MIT */
#include "object/lock.h"

#include <signal.h>
#include <sys/wait.h>

#include "store_fixture.h"

TEST(store_lock_is_for_one_process)
{
    struct store_system system = {0};
    struct err err = {0};
    int fd = store_lock(&system, AT_FDCWD, "here", &err);
    EXPECT(fd >= 0);
    EXPECT(store_lock(&system, AT_FDCWD, "here", &err) == -1);
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "here is in use by process %d; stop it, or give this one another name",
                   getpid());
    EXPECT(err.code == ERR_REFUSED);
    EXPECT_TEXT(err.text, expected);
    EXPECT(close(fd) == 0);
    err_clear(&err);
    fd = store_lock(&system, AT_FDCWD, "here", &err);
    EXPECT(fd >= 0);
    EXPECT(close(fd) == 0);
}

TEST(store_lock_of_a_dead_process_is_no_lock)
{
    struct store_system system = {0};
    struct err err = {0};
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        if (store_lock(&system, AT_FDCWD, "here", &err) >= 0)
            (void)raise(SIGKILL);
        _exit(1);
    }
    int status;
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    int fd = store_lock(&system, AT_FDCWD, "here", &err);
    EXPECT(fd >= 0);
    char *text = fixture_read("lock");
    EXPECT_U64(strtoull(text, NULL, 10), getpid());
    free(text);
    EXPECT(close(fd) == 0);
}

TEST(store_lock_that_says_nothing_useful)
{
    struct store_system system = {0};
    struct err err = {0};
    int fd = store_lock(&system, AT_FDCWD, "here", &err);
    EXPECT(fd >= 0);
    EXPECT(ftruncate(fd, 0) == 0 && pwrite(fd, "\x1b[2J", 4, 0) == 4);
    EXPECT(store_lock(&system, AT_FDCWD, "here", &err) == -1);
    EXPECT_TEXT(err.text, "here is in use by process ?; stop it, or give this one another name");
    EXPECT(close(fd) == 0);
}
