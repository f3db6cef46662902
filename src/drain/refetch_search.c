/* SPDX-License-Identifier: MIT */
#include "drain/refetch_part.h"
#include "nats/stream.h"

/* What the stream itself says of a range: one question for each message that it has. */

/* Has the stream a message of ours from `search_from` on? */
static void search(struct refetch *r, struct nats_client *client, int64_t now)
{
    buf_reset(&r->subject);
    buf_reset(&r->body);
    nats_api_subject(&r->subject, nats_client_api_prefix(client), "STREAM.MSG.GET",
                     r->settings->stream, NULL);
    nats_stream_next_body(&r->body, r->search_from,
                          slice_of(r->settings->subjects.items[r->filter]));
    r->request = nats_client_request(client, buf_slice(&r->subject), (struct slice){0},
                                     buf_slice(&r->body), REFETCH_CONFIRM_TIMEOUT, now);
    r->state = REFETCH_SEARCHING;
    if (r->request == 0)
        refetch_wait_a_while(r, client, now);
}

void refetch_search(struct refetch *r, struct nats_client *client, int64_t now)
{
    r->filter = 0;
    r->search_from = r->next;
    search(r, client, now);
}

/* There is one. A queue has passed it; else the server that has the consumer lags behind. */
static void take_found(struct refetch *r, struct nats_client *client, int64_t now)
{
    if (r->kept) {
        refetch_wait_a_while(r, client, now);
        return;
    }
    r->passed = true;
    r->state = REFETCH_DONE;
}

/* The next message of that subject is this one; UINT64_MAX: there is none. */
static void search_on(struct refetch *r, struct nats_client *client, uint64_t found, int64_t now)
{
    const struct ledger *ledger = &r->generation->ledger;
    bool within = found <= r->range.last;
    bool lacked = r->by_window ? window_lacks(&ledger->window, found)
                               : !seqset_contains(&ledger->taken, found);
    uint64_t end = r->by_window ? found : seqset_contiguous_end(&ledger->taken, found);
    r->search_from = within ? end + 1 : UINT64_MAX;
    if (r->search_from > r->range.last) {
        r->search_from = r->next;
        r->filter++;
    }
    if (within && lacked)
        take_found(r, client, now);
    else if (r->filter < r->settings->subjects.count)
        search(r, client, now);
    else if (r->kept)
        refetch_finish(r, client);
    else
        r->state = REFETCH_DONE;
}

void refetch_on_searched(struct refetch *r, struct nats_client *client,
                         const struct nats_event *event, int64_t now)
{
    struct nats_stored_message message;
    struct nats_api_error error = {0};
    struct err err = {0};
    bool answered = event->outcome == NATS_OUTCOME_REPLY;
    bool found = answered &&
                 nats_stored_message_parse(event->payload, &r->arena, &message, &error, &err) == 0;
    if (found && message.sequence >= r->search_from)
        search_on(r, client, message.sequence, now);
    else if (error.meaning == NATS_MEANING_NO_MESSAGE)
        search_on(r, client, UINT64_MAX, now);
    else
        refetch_wait_a_while(r, client, now);
}
