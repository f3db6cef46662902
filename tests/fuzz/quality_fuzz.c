/* SPDX-License-Identifier: MIT */
#include "follow/identities.h"

#include <string.h>

#include "base/assert.h"
#include "quality/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct quality *q, struct slice payload)
{
    static const uint8_t number[8] = {7};
    struct slice values[QUALITY_COLUMNS];
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        values[i] = slice_of(i % 2 == 0 ? "json" : "b");
    values[QUALITY_EVENT_PAYLOAD] = payload;
    values[QUALITY_TIMESTAMP_NS] = values[QUALITY_STREAM_SEQ] = values[QUALITY_STREAM_TIME] =
        (struct slice){number, sizeof(number)};
    for (int i = 0; i < 2; i++) {
        quality_set_stream(q, slice_of("S"));
        quality_take(q, values);
    }
}

/* All that is made of what it knows can be made, and is read again as it was put. */
static void use(struct quality *q)
{
    struct quality_summary summary;
    struct buf out = {0}, put = {0};
    struct err err = {0};
    struct quality again;
    size_t at = 0;
    uint32_t *order = quality_order(q), groups = (uint32_t)q->groups.count;
    for (uint32_t i = 0, count; i < groups; i += count) {
        struct json_writer w = {.out = &out};
        count = quality_together(q, order + i, groups - i);
        quality_put_json(q, &w, order + i, count);
    }
    quality_order_free(q, order);
    quality_summarize(q, &summary);
    ASSERT(summary.simulations >= summary.bad && summary.lines <= QUALITY_LINES);
    quality_put_state(q, &put);
    ASSERT(quality_init(&again, q->config, NULL, 0, &err) == 0);
    ASSERT(quality_get_state(&again, buf_slice(&put), &at, &err) == 0 && at == put.len);
    buf_reset(&out);
    quality_put_state(&again, &out);
    ASSERT(slice_equal(buf_slice(&out), buf_slice(&put)));
    quality_free(&again);
    buf_free(&out);
    buf_free(&put);
}

/* A saved state: what is known, and the identities. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct slice bytes = {data, size};
    struct err err = {0};
    struct quality q;
    struct identities ids = {.folder = "_quality/_state/x/"};
    size_t at = 0;
    if (config.quality.required.count == 0)
        config_init(&config);
    ASSERT(quality_init(&q, &config, NULL, 0, &err) == 0);
    if (quality_get_state(&q, bytes, &at, &err) == 0) {
        take(&q, bytes);
        use(&q);
        if (identities_get(&ids, bytes, &at, &err) == 0)
            ASSERT(at <= size && ids.runs.count <= ids.chunks.count + 64);
    }
    identities_free(&ids);
    quality_free(&q);
    return 0;
}
