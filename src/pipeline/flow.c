/* SPDX-License-Identifier: MIT */
#include "pipeline/flow.h"

const char *flow_pause_name(enum flow_pause pause)
{
    static const char *const names[FLOW_PAUSES] = {
        [FLOW_COMMIT] = "commit",
        [FLOW_ENCODER] = "encoder",
        [FLOW_MEMORY] = "memory",
        [FLOW_DISK_LOW] = "disk",
    };
    return names[pause];
}

uint64_t flow_seal_memory(uint64_t memory_limit)
{
    return memory_limit / 2;
}

uint32_t flow_pauses(const struct flow_state *s)
{
    uint32_t pauses = 0;
    if (s->failing || s->epochs >= FLOW_EPOCHS_MAX)
        pauses |= 1u << FLOW_COMMIT;
    if (s->queued >= FLOW_QUEUE_BYTES(s->memory_limit))
        pauses |= 1u << FLOW_ENCODER;
    if (s->memory >= s->memory_limit / 4 * 3)
        pauses |= 1u << FLOW_MEMORY;
    if (s->disk_free < s->min_free)
        pauses |= 1u << FLOW_DISK_LOW;
    return pauses;
}
