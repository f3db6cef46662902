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

uint64_t flow_pull_bytes(const struct flow_state *s)
{
    uint64_t most = s->memory_limit / 4 * 3;
    /* A single large message stands in the read buffer, decoded and in its batch at a time. */
    uint64_t taken = s->memory + 3 * s->oversize;
    return taken < most ? (most - taken) / s->expansion : 0;
}

uint32_t flow_pauses(const struct flow_state *s)
{
    uint32_t pauses = 0;
    if (s->failing || s->epochs >= FLOW_EPOCHS_MAX)
        pauses |= 1u << FLOW_COMMIT;
    if (s->queued >= FLOW_QUEUE_BYTES(s->memory_limit))
        pauses |= 1u << FLOW_ENCODER;
    /* Where nothing is held that a commit would free, waiting would not end. */
    if (flow_pull_bytes(s) < FLOW_PULL_BYTES_MIN(s->memory_limit) && (s->epochs > 0 || !s->empty))
        pauses |= 1u << FLOW_MEMORY;
    if (s->disk_free < s->min_free)
        pauses |= 1u << FLOW_DISK_LOW;
    return pauses;
}

bool flow_must_seal(const struct flow_state *s)
{
    if (s->epochs > 0 || s->empty)
        return false;
    bool in_the_way = s->oversize > 0 && (flow_pauses(s) & 1u << FLOW_MEMORY) != 0;
    return in_the_way || s->memory >= s->memory_limit / 2;
}
