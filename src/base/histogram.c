/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"

const double histogram_bounds[HISTOGRAM_BUCKETS] = {0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1,
                                                    2.5,   5,     10,    20,  30,   45,  60,
                                                    90,    120,   300,   600, 1800, 3600};

static void observe(struct histogram *h, int64_t ns, uint64_t count)
{
    double seconds = ns < 0 ? 0 : (double)ns / (double)CLOCK_SECOND;
    uint32_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && seconds > histogram_bounds[bucket])
        bucket++;
    h->counts[bucket] += count;
    h->sum += seconds * (double)count;
}

void histogram_observe(struct histogram *h, int64_t ns)
{
    observe(h, ns, 1);
}

/* Differences wrap around, so that any two steps have one. */
static void append_run(struct moments *m)
{
    varint_append(&m->runs, zigzag_encode((int64_t)((uint64_t)m->step - (uint64_t)m->appended)));
    varint_append(&m->runs, m->count);
    m->appended = m->step;
}

void moments_add(struct moments *m, int64_t ns)
{
    int64_t step = ns / MOMENTS_STEP;
    if (m->count > 0 && step != m->step) {
        append_run(m);
        m->count = 0;
    }
    m->step = step;
    m->count++;
}

void histogram_observe_moments(struct histogram *h, const struct moments *m, int64_t end)
{
    struct slice runs = buf_slice(&m->runs);
    int64_t step = 0;
    size_t at = 0;
    while (at < runs.len) {
        uint64_t difference = 0, count = 0;
        ASSERT(varint_read(runs, &at, &difference) && varint_read(runs, &at, &count));
        step = (int64_t)((uint64_t)step + (uint64_t)zigzag_decode(difference));
        observe(h, end - step * MOMENTS_STEP, count);
    }
    if (m->count > 0)
        observe(h, end - m->step * MOMENTS_STEP, m->count);
}

void moments_free(struct moments *m)
{
    buf_free(&m->runs);
    *m = (struct moments){.runs = m->runs};
}
