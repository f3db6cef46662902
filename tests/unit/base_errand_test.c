/* SPDX-License-Identifier: MIT */
#include "base/errand.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "test.h"

/* A job that hangs until a byte comes. */
struct job {
    int pipe[2], woken[2], freed[2];
    int result;
};

static void run(void *context)
{
    struct job *job = context;
    char byte = 0;
    job->result = (int)read(job->pipe[0], &byte, 1) == 1 ? byte : -1;
}

static void forget(void *context)
{
    struct job *job = context;
    EXPECT(write(job->freed[1], "", 1) == 1);
}

static void wake(int handle)
{
    EXPECT(write(handle, "", 1) == 1);
}

static struct errand *begin(struct job *job, bool threaded)
{
    EXPECT(pipe(job->pipe) == 0 && pipe(job->woken) == 0 && pipe(job->freed) == 0);
    if (!threaded)
        EXPECT(write(job->pipe[1], "x", 1) == 1);
    struct errand_job what = {run, forget, job};
    return errand_begin(&what, threaded, (struct waker){wake, job->woken[1]});
}

/* Whether something comes within this time. */
static bool comes(int fd, int ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, ms) == 1;
}

static void end(struct job *job)
{
    for (int i = 0; i < 2; i++) {
        (void)close(job->pipe[i]);
        (void)close(job->woken[i]);
        (void)close(job->freed[i]);
    }
}

TEST(errand_wakes_when_it_is_done)
{
    struct job job;
    struct errand *e = begin(&job, true);
    EXPECT(!errand_is_done(e));
    EXPECT(write(job.pipe[1], "x", 1) == 1);
    EXPECT(comes(job.woken[0], 60000));
    EXPECT(errand_is_done(e) || comes(job.woken[0], 0));
    while (!errand_is_done(e))
        (void)comes(job.freed[0], 1);
    EXPECT_I64(job.result, 'x');
    EXPECT(!comes(job.freed[0], 0));
    errand_free(e);
    EXPECT(comes(job.freed[0], 0));
    end(&job);
}

TEST(errand_without_a_thread_is_done_at_once)
{
    struct job job;
    struct errand *e = begin(&job, false);
    EXPECT(errand_is_done(e) && job.result == 'x');
    errand_free(e);
    EXPECT(comes(job.freed[0], 0));
    end(&job);
}

/* Nobody waits for it, and nobody is woken; when it comes back it is forgotten. */
TEST(errand_that_hangs_is_left_behind)
{
    struct job job;
    errand_free(begin(&job, true));
    EXPECT(!comes(job.freed[0], 0));
    EXPECT(write(job.pipe[1], "x", 1) == 1);
    EXPECT(comes(job.freed[0], 60000));
    EXPECT(!comes(job.woken[0], 0));
    errand_free(NULL);
}
