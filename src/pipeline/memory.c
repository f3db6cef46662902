/* SPDX-License-Identifier: MIT */
#include "pipeline/memory.h"

uint64_t memory_held(const struct pipeline *p)
{
    uint64_t bytes = store_writer_memory(p->writer) + account_bytes(&p->epochs_account) +
                     account_bytes(&p->acker.account) + dead_letters_memory(&p->dead_letters) +
                     nats_client_memory(&p->connection.client);
    for (uint32_t i = 0; i < p->source_count; i++)
        bytes += ledger_memory(&p->sources[i].generation.ledger);
    return bytes + bytes / MEMORY_ROUNDING;
}

void memory_set_limit(struct pipeline *p, uint64_t limit)
{
    p->memory_limit = limit;
    store_writer_set_limits(p->writer, &(struct store_writer_limits){
                                           .batch_bytes = FLOW_BATCH_BYTES(limit),
                                           .open_memory = FLOW_OPEN_BYTES(limit),
                                           .row_group_bytes = FLOW_ROW_GROUP_BYTES(limit),
                                       });
    for (uint32_t i = 0; i < p->source_count; i++)
        source_set_limits(&p->sources[i], FLOW_PULL_BYTES(limit, p->source_count),
                          FLOW_MESSAGE_BYTES(limit, p->source_count));
}
