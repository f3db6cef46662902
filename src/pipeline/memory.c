/* SPDX-License-Identifier: MIT */
#include "pipeline/memory.h"

uint64_t memory_held(const struct pipeline *p)
{
    uint64_t bytes = batcher_memory(&p->batcher) + account_bytes(&p->acker.account) +
                     dead_letters_memory(&p->dead_letters) +
                     nats_client_memory(&p->connection.client);
    for (const struct epoch *epoch = p->sealed; epoch != NULL; epoch = epoch->next_sealed)
        bytes += epoch_memory(epoch);
    for (uint32_t i = 0; i < p->source_count; i++)
        bytes += ledger_memory(&p->sources[i].generation.ledger);
    return bytes + bytes / MEMORY_ROUNDING;
}

void memory_set_limit(struct pipeline *p, uint64_t limit)
{
    p->memory_limit = limit;
    p->batcher.limits.batch_bytes = FLOW_BATCH_BYTES(limit);
    p->batcher.limits.open_memory = FLOW_OPEN_BYTES(limit);
    p->batcher.limits.row_group_bytes = FLOW_ROW_GROUP_BYTES(limit);
    for (uint32_t i = 0; i < p->source_count; i++)
        source_set_limits(&p->sources[i], FLOW_PULL_BYTES(limit, p->source_count),
                          FLOW_MESSAGE_BYTES(limit, p->source_count));
}
