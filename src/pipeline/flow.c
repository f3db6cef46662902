/* SPDX-License-Identifier: MIT */
#include "pipeline/flow.h"

#include "base/log.h"
#include "base/num.h"
#include "pipeline/pipeline.h"
#include "pipeline/seal.h"

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

static uint64_t most_at_once(const struct flow_state *s)
{
    return s->memory_limit / 4 * 3;
}

static uint64_t free_partitions(const struct flow_state *s)
{
    uint64_t most = FLOW_PARTITIONS_MAX(s->memory_limit);
    return s->partitions < most ? most - s->partitions : 0;
}

uint64_t flow_share(const struct flow_state *s)
{
    return num_least_u64(flow_pull_bytes(s), free_partitions(s) * s->message);
}

uint64_t flow_pull_bytes(const struct flow_state *s)
{
    uint64_t most = most_at_once(s);
    /* A single large message stands in the read buffer, decoded and in its batch at a time. */
    uint64_t taken = s->memory + 3 * s->oversize + s->large;
    return taken < most ? (most - taken) / s->expansion : 0;
}

bool flow_has_room(const struct flow_state *s)
{
    return s->memory + s->expansion * s->on_the_way + s->large <= most_at_once(s);
}

bool flow_may_be_large(const struct flow_state *s)
{
    return flow_has_room(s) || (s->epochs == 0 && s->empty && s->on_the_way == 0);
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
    if (free_partitions(s) < FLOW_PARTITIONS_MIN(s->memory_limit) && s->epochs > 0)
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
    in_the_way = in_the_way || (s->large > 0 && !flow_has_room(s));
    return in_the_way || s->memory - s->idle >= s->memory_limit / 2;
}

static uint64_t rounded(uint64_t bytes)
{
    return bytes + bytes / FLOW_ROUNDING;
}

uint64_t flow_memory(const struct pipeline *p)
{
    return rounded(account_bytes(&p->account) + account_bytes(&p->followers.account));
}

/* However much followers hold, it leaves the drain what it needs to go on. */
static uint64_t counted(const struct pipeline *p)
{
    uint64_t others = rounded(account_bytes(&p->followers.account));
    return rounded(account_bytes(&p->account)) +
           num_least_u64(others, FLOW_FOLLOWERS_BYTES(p->memory_limit));
}

uint64_t flow_room(const struct pipeline *p)
{
    uint64_t most = p->memory_limit / 4 * 3, memory = counted(p);
    return memory < most ? most - memory : 0;
}

void flow_set_limit(struct pipeline *p, uint64_t limit)
{
    p->memory_limit = limit;
    p->epochs.limits.partitions = FLOW_PARTITIONS(limit);
    store_writer_set_limits(p->writer, &(struct store_writer_limits){
                                           .batch_bytes = FLOW_BATCH_BYTES(limit),
                                           .open_memory = FLOW_OPEN_BYTES(limit),
                                           .row_group_bytes = FLOW_ROW_GROUP_BYTES(limit),
                                       });
    for (uint32_t i = 0; i < p->source_count; i++)
        source_set_limits(&p->sources[i], FLOW_PULL_BYTES(limit, p->source_count),
                          FLOW_MESSAGE_BYTES(limit, p->source_count), FLOW_LARGE_BYTES(limit));
}

static void log_pauses(uint32_t before, uint32_t after)
{
    for (int i = 0; i < FLOW_PAUSES; i++) {
        uint32_t bit = 1u << i;
        if ((before & bit) == (after & bit))
            continue;
        /* Short ones are how the queue works. */
        bool serious = i == FLOW_DISK_LOW;
        log_message(serious ? LOG_WARNING : LOG_DEBUG, (after & bit) != 0 ? "paused" : "resumed",
                    "%s", flow_pause_name((enum flow_pause)i));
    }
}

static uint64_t message_bytes(const struct pipeline *p)
{
    uint64_t bytes = 0, messages = 0;
    for (uint32_t i = 0; i < p->source_count; i++) {
        bytes += p->sources[i].counters.bytes_received;
        messages += p->sources[i].counters.messages_received;
    }
    return messages > 0 ? bytes / messages + 1 : FLOW_MESSAGE_START;
}

static struct flow_state flow_of(struct pipeline *p)
{
    uint64_t idle = rounded(store_writer_idle(p->writer)); /* `memory`, looked at later, has it */
    struct flow_state state = {
        .epochs = p->epochs.sealed_count,
        .failing = p->trouble.failing,
        .empty = epochs_is_empty(&p->epochs),
        .queued = store_writer_queued(p->writer),
        .memory = counted(p),
        .idle = idle,
        .expansion = store_writer_expansion(p->writer),
        .partitions = epochs_partitions(&p->epochs),
        .message = message_bytes(p),
        .memory_limit = p->memory_limit,
        .disk_free = p->disk_free,
        .min_free = p->config->output.min_free,
    };
    for (uint32_t i = 0; i < p->source_count; i++) {
        state.oversize += source_oversize(&p->sources[i]);
        state.on_the_way += source_on_the_way(&p->sources[i]);
        if (state.large == 0) /* one at a time */
            state.large = source_large(&p->sources[i]);
    }
    /* Published as a dead letter it stands in the output as well. */
    if (p->config->dead_letter.subject[0] != '\0' && 2 * state.large <= most_at_once(&state))
        state.large *= 2;
    return state;
}

static void look_at_disk(struct pipeline *p, int64_t now)
{
    if (now >= p->next_disk) {
        space_ask(p->space);
        p->next_disk = now + FLOW_DISK_INTERVAL;
    }
    p->disk_free = space_bytes(p->space);
}

static void limit_pulls(struct pipeline *p, const struct flow_state *state, bool pause)
{
    uint64_t share = flow_share(state) / p->source_count;
    bool alone = state->large > 0 && !flow_has_room(state);
    bool wanted = state->large > 0;
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct source *s = &p->sources[i];
        bool first = wanted && source_large(s) > 0;
        wanted = wanted && !first;
        source_limit_pull(s, share, pause || (alone && !first));
        source_allow_large(s, first && flow_may_be_large(state), alone);
    }
}

int64_t flow_control(struct pipeline *p, int64_t now)
{
    look_at_disk(p, now);
    struct flow_state state = flow_of(p);
    /* What is fed to followers goes before it makes a pull much smaller. */
    if (followers_fed_bytes(&p->followers) > 0 &&
        flow_pull_bytes(&state) < FLOW_PULL_BYTES(p->memory_limit, 2)) {
        followers_starve(&p->followers);
        state = flow_of(p);
    }
    if (state.idle > 0 && flow_pull_bytes(&state) < FLOW_PULL_BYTES(p->memory_limit, 2)) {
        store_writer_free_idle(p->writer);
        state = flow_of(p);
    }
    if (flow_must_seal(&state)) {
        seal_seal(p, EPOCH_MEMORY, now);
        state = flow_of(p);
    }
    uint32_t pauses = flow_pauses(&state);
    log_pauses(p->pauses, pauses);
    p->pauses = pauses;
    limit_pulls(p, &state, pauses != 0 || p->move_at != INT64_MAX);
    return p->next_disk;
}
