/* SPDX-License-Identifier: MIT */
#include "nats/client.h"

#include "base/assert.h"

uint64_t nats_request_begin(struct nats_requests *r, struct nats_random *random, int64_t deadline,
                            struct slice *token)
{
    if (r->count == NATS_REQUESTS_MAX)
        return 0;
    struct nats_request *entry = r->entries;
    while (entry->id != 0)
        entry++;
    ASSERT(entry < r->entries + NATS_REQUESTS_MAX);
    r->count++;
    entry->id = ++r->last_id;
    entry->deadline = deadline;
    nats_random_token(random, entry->token);
    *token = slice_of(entry->token);
    return entry->id;
}

static uint64_t finish(struct nats_requests *r, struct nats_request *entry)
{
    uint64_t id = entry->id;
    entry->id = 0;
    r->count--;
    return id;
}

uint64_t nats_request_finish(struct nats_requests *r, struct slice token)
{
    unsigned left = r->count;
    for (struct nats_request *entry = r->entries; left > 0; entry++) {
        if (entry->id != 0 && slice_is(token, entry->token))
            return finish(r, entry);
        left -= entry->id != 0;
    }
    return 0;
}

uint64_t nats_request_expire(struct nats_requests *r, int64_t now)
{
    unsigned left = r->count;
    for (struct nats_request *entry = r->entries; left > 0; entry++) {
        if (entry->id != 0 && now >= entry->deadline)
            return finish(r, entry);
        left -= entry->id != 0;
    }
    return 0;
}

void nats_request_cancel(struct nats_requests *r, uint64_t id)
{
    for (size_t i = 0; i < NATS_REQUESTS_MAX && id != 0; i++) {
        if (r->entries[i].id == id) {
            finish(r, &r->entries[i]);
            return;
        }
    }
}

void nats_request_reset(struct nats_requests *r)
{
    *r = (struct nats_requests){.last_id = r->last_id};
}

int64_t nats_request_deadline(const struct nats_requests *r)
{
    int64_t earliest = INT64_MAX;
    unsigned left = r->count;
    for (const struct nats_request *entry = r->entries; left > 0; entry++) {
        if (entry->id != 0 && entry->deadline < earliest)
            earliest = entry->deadline;
        left -= entry->id != 0;
    }
    return earliest;
}
