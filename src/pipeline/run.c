/* SPDX-License-Identifier: MIT */
#include "pipeline/pipeline.h"

#include "pipeline/stop.h"

/* The process around the pipeline: waiting, and signals. */

int pipeline_run(const struct config *config, const struct pipeline_options *options,
                 struct err *err)
{
    struct pipeline *p = pipeline_new(config, options, err);
    if (p == NULL)
        return -1;
    stop_wakes(&p->waker);
    while (!pipeline_is_done(p)) {
        int64_t deadline = pipeline_turn(p);
        size_t count = pipeline_waits(p);
        net_wait(p->waits, count, deadline);
        struct stop_request asked = stop_take();
        if (asked.reload)
            pipeline_reload(p);
        if (asked.stop)
            pipeline_stop(p);
    }
    stop_wakes(NULL);
    return pipeline_free(p, err);
}
