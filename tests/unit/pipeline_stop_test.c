/* SPDX-License-Identifier: MIT */
#include "pipeline/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/network.h"
#include "test.h"

static struct waker waker;

/* Has somebody been woken since the last time? */
static bool was_woken(void)
{
    struct net_wait wait = {.handle = waker.handle, .want = NET_READABLE};
    net_wait(&wait, 1, 0);
    net_calm(&waker);
    return wait.ready != 0;
}

static void install(void)
{
    struct err err = {0};
    EXPECT(net_waker(&waker, &err) == 0 && stop_install(&err) == 0);
    stop_wakes(&waker);
    EXPECT(!was_woken());
}

TEST(stop_reports_a_stop_once)
{
    install();
    EXPECT(raise(SIGTERM) == 0);
    EXPECT(was_woken());
    struct stop_request asked = stop_take();
    EXPECT(asked.stop && !asked.reload);
    EXPECT(!stop_take().stop);
}

/* A signal that came while nobody waited yet is not forgotten. */
TEST(stop_wakes_for_what_came_before)
{
    install();
    stop_wakes(NULL);
    EXPECT(raise(SIGHUP) == 0);
    EXPECT(!was_woken());
    stop_wakes(&waker);
    EXPECT(was_woken());
    EXPECT(stop_take().reload);
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
