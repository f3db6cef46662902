/* SPDX-License-Identifier: MIT */
#include "pipeline/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/assert.h"
#include "pipeline/stop.h"

/* The process around the pipeline: what it waits for, and signals. */

static int poll_timeout(int64_t deadline, int64_t now)
{
    if (deadline <= now)
        return 0;
    int64_t ms = (deadline - now) / CLOCK_MILLISECOND + 1;
    return ms > 60 * 1000 ? 60 * 1000 : (int)ms;
}

static void wait_until(struct pipeline *p, int64_t deadline)
{
    struct pollfd *fds = p->ready;
    fds[PIPELINE_WAIT_STOP] = (struct pollfd){.fd = stop_descriptor(), .events = POLLIN};
    fds[PIPELINE_WAIT_WAKE] = (struct pollfd){.fd = p->wake, .events = POLLIN};
    fds[PIPELINE_WAIT_NETWORK] = connection_poll(&p->connection);
    p->watched = watch_poll(&p->watch, fds + PIPELINE_WAIT_WATCH);
    int timeout = poll_timeout(deadline, clock_monotonic());
    int ready = poll(fds, PIPELINE_WAIT_WATCH + p->watched, timeout);
    ASSERT(ready >= 0 || errno == EINTR);
    uint64_t count;
    ssize_t got = read(p->wake, &count, sizeof(count));
    (void)got; /* nothing to read: nobody woke us */
}

int pipeline_run(const struct config *config, const struct pipeline_options *options,
                 struct err *err)
{
    struct pipeline *p = pipeline_new(config, options, err);
    if (p == NULL)
        return -1;
    while (!pipeline_is_done(p)) {
        wait_until(p, pipeline_turn(p));
        struct stop_request asked = stop_take();
        if (asked.reload)
            pipeline_reload(p);
        if (asked.stop)
            pipeline_stop(p);
    }
    return pipeline_free(p, err);
}
