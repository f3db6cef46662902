/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_CHILD_H
#define VARVE_TESTS_UNIT_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* Run `run` in a child process. Returns its wait status; `text` gets what it wrote to stderr, cut
 * to `size` and NUL-terminated. */
static inline int child_run(void (*run)(void), char *text, size_t size)
{
    int ends[2];
    EXPECT(pipe(ends) == 0);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    EXPECT(close(ends[1]) == 0);
    size_t len = 0;
    char block[4096];
    ssize_t got;
    while ((got = read(ends[0], block, sizeof(block))) > 0) {
        size_t fits = size - 1 - len < (size_t)got ? size - 1 - len : (size_t)got;
        memcpy(text + len, block, fits);
        len += fits;
    }
    text[len] = '\0';
    EXPECT(close(ends[0]) == 0);
    int status;
    EXPECT(waitpid(pid, &status, 0) == pid);
    return status;
}

/* True if `run` ends in a failed ASSERT. */
static inline bool child_assert_fails(void (*run)(void))
{
    char text[1024];
    int status = child_run(run, text, sizeof(text));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
           strstr(text, "internal error") != NULL;
}

#endif
