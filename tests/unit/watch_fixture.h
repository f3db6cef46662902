/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_WATCH_FIXTURE_H
#define VARVE_TESTS_UNIT_WATCH_FIXTURE_H

#include "test.h"
#include "watch/watch.h"

/*
 * A watch that is shown two streams, A and one that the test names, of a pipeline that is well:
 * connected, pulling, with nothing waiting. A test changes of the view what it likes.
 */
struct fixture {
    struct watch watch;
    struct view view;
    struct view_source sources[2];
    struct source_counters counters[2];
    struct nats_client client;
};

#define NOW (1000 * CLOCK_SECOND)
#define MAX_AGE (10 * CLOCK_SECOND)

enum { PAUSE_MEMORY, PAUSE_DISK, PAUSES };
enum { REASON_ROWS, REASON_AGE, REASONS };

static inline const char *fixture_pause(uint32_t index)
{
    return index == PAUSE_MEMORY ? "memory" : "disk";
}

static inline const char *fixture_reason(uint32_t index)
{
    return index == REASON_ROWS ? "rows" : "age";
}

static inline void fixture_open(struct fixture *f, const char *stream)
{
    static const uint64_t key[2] = {1, 2};
    *f = (struct fixture){.view = {.client = &f->client,
                                   .server = "h:4222",
                                   .instance = "one",
                                   .version = slice_of("2.11.0"),
                                   .pause_names = {fixture_pause, PAUSES},
                                   .reason_names = {fixture_reason, REASONS},
                                   .output = "/out",
                                   .max_age = MAX_AGE,
                                   .disk_free = UINT64_MAX,
                                   .sources = f->sources,
                                   .source_count = 2}};
    for (int i = 0; i < 2; i++)
        f->sources[i] = (struct view_source){.known = true,
                                             .stream = i == 0 ? "A" : stream,
                                             .state = "pulling",
                                             .waits_because = "",
                                             .counters = &f->counters[i],
                                             .oldest = INT64_MAX};
    watch_init(&f->watch);
    f->watch.view = &f->view;
    alerts_init(&f->watch.alerts, "", "i", "w", 2, 30 * CLOCK_SECOND, key);
}

static inline void fixture_close(struct fixture *f)
{
    watch_close(&f->watch);
}

#endif
