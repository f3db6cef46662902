/* SPDX-License-Identifier: MIT */
#include "pipeline/stop.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void install(void)
{
    struct err err = {0};
    EXPECT(stop_install(&err) == 0);
    EXPECT(!is_readable(stop_descriptor()));
}

TEST(stop_reports_a_stop_once)
{
    install();
    EXPECT(raise(SIGTERM) == 0);
    EXPECT(is_readable(stop_descriptor()));
    struct stop_request asked = stop_take();
    EXPECT(asked.stop && !asked.reload);
    EXPECT(!is_readable(stop_descriptor()));
    EXPECT(!stop_take().stop);
}

TEST(stop_reports_each_reload)
{
    install();
    for (int i = 0; i < 2; i++) {
        EXPECT(raise(SIGHUP) == 0);
        struct stop_request asked = stop_take();
        EXPECT(asked.reload && !asked.stop);
        EXPECT(!stop_take().reload);
    }
}

TEST(stop_survives_a_broken_pipe)
{
    int ends[2];
    install();
    EXPECT(pipe(ends) == 0);
    EXPECT(close(ends[0]) == 0);
    EXPECT(write(ends[1], "x", 1) == -1); /* and no SIGPIPE */
}

static int status_after(int first, int second)
{
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        install();
        (void)raise(first);
        (void)raise(second);
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(stop_ends_the_process_at_the_second_signal)
{
    EXPECT_I64(status_after(SIGTERM, SIGTERM), 128 + SIGTERM);
    EXPECT_I64(status_after(SIGTERM, SIGINT), 128 + SIGINT);
    EXPECT_I64(status_after(SIGHUP, SIGTERM), 0); /* a reload is no stop */
}
