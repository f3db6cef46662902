/* SPDX-License-Identifier: MIT */
#include "drain/api_client.h"

#include "base/assert.h"
#include "nats/api.h"

static void wait_for_socket(struct api_client *a, int64_t deadline)
{
    struct net_wait wait = connection_wait(&a->connection);
    net_wait(&wait, 1, a->turn_at < deadline ? a->turn_at : deadline);
    connection_turn(&a->connection, wait.ready != 0, clock_monotonic());
}

static void note_complaint(struct api_client *a, const struct nats_event *event)
{
    if (event->kind != NATS_EVENT_SERVER_ERROR || a->deaf)
        return;
    a->deaf = event->error.kind == NATS_ERROR_SUBSCRIBE_PERMISSION;
    buf_reset(&a->complaint);
    buf_append_slice(&a->complaint, event->error.text);
}

int api_client_connect(struct api_client *a, const struct config *config, struct err *err)
{
    *a = (struct api_client){0};
    if (connection_init(&a->connection, config, err) != 0)
        return -1;
    struct connection *c = &a->connection;
    int64_t deadline = clock_monotonic() + API_CLIENT_CONNECT_TIMEOUT;
    struct nats_event event;
    while (!connection_is_ready(c) && c->pool.rounds == 0 && clock_monotonic() < deadline) {
        wait_for_socket(a, deadline);
        while (connection_next(c, clock_monotonic(), &event))
            note_complaint(a, &event);
        a->turn_at = connection_flush(c, clock_monotonic());
    }
    if (connection_is_ready(c))
        return 0;
    if (c->reasons.len > 0)
        return err_set(err, a->complaint.len > 0 ? ERR_REFUSED : ERR_NETWORK, "%s",
                       buf_text(&c->reasons));
    return err_set(err, ERR_NETWORK, "%s: no answer", c->address);
}

void api_client_close(struct api_client *a)
{
    connection_free(&a->connection);
    buf_free(&a->subject);
    buf_free(&a->reply);
    buf_free(&a->answered);
    buf_free(&a->answered_body);
    buf_free(&a->complaint);
}

/* Until the answer: true. */
static bool wait_for_reply(struct api_client *a, uint64_t request, int64_t deadline,
                           enum nats_outcome *outcome)
{
    struct nats_event event;
    while (connection_is_ready(&a->connection) && clock_monotonic() < deadline) {
        a->turn_at = connection_flush(&a->connection, clock_monotonic());
        wait_for_socket(a, deadline);
        while (connection_next(&a->connection, clock_monotonic(), &event)) {
            note_complaint(a, &event);
            if (event.kind != NATS_EVENT_REPLY || event.request != request)
                continue;
            *outcome = event.outcome;
            buf_reset(&a->reply);
            buf_append_slice(&a->reply, event.payload);
            return true;
        }
        if (a->complaint.len > 0)
            return false;
    }
    return false;
}

static uint64_t send_request(struct api_client *a, struct buf *subject, struct slice header,
                             struct slice body)
{
    uint64_t request = nats_client_request(&a->connection.client, buf_slice(subject), header, body,
                                           API_CLIENT_TIMEOUT, clock_monotonic());
    ASSERT(request != 0); /* one question at a time, or two */
    return request;
}

static enum nats_outcome wait_or_cancel(struct api_client *a, uint64_t request)
{
    enum nats_outcome outcome = NATS_OUTCOME_TIMEOUT;
    int64_t deadline = clock_monotonic() + API_CLIENT_TIMEOUT + CLOCK_SECOND;
    if (!wait_for_reply(a, request, deadline, &outcome))
        nats_request_cancel(&a->connection.client.requests, request);
    return outcome;
}

static int refused(struct api_client *a, struct err *err)
{
    return err_set(err, ERR_REFUSED, "%s: the server says: %s", buf_text(&a->subject),
                   buf_text(&a->complaint));
}

int api_client_api(struct api_client *a, const char *call, const char *stream, const char *consumer,
                   struct slice body, struct slice *reply, struct err *err)
{
    buf_reset(&a->subject);
    nats_api_subject(&a->subject, nats_client_api_prefix(&a->connection.client), call, stream,
                     consumer);
    if (a->deaf)
        return refused(a, err);
    buf_reset(&a->complaint);
    enum nats_outcome outcome =
        wait_or_cancel(a, send_request(a, &a->subject, (struct slice){0}, body));
    if (outcome == NATS_OUTCOME_REPLY) {
        buf_reset(&a->answered);
        buf_append_slice(&a->answered, buf_slice(&a->subject));
        buf_reset(&a->answered_body);
        buf_append_slice(&a->answered_body, body);
        *reply = buf_slice(&a->reply);
        return 0;
    }
    if (a->complaint.len > 0)
        return refused(a, err);
    if (outcome == NATS_OUTCOME_NO_RESPONDERS)
        return err_set(err, ERR_REFUSED, "%s: JetStream is not enabled for this server or account",
                       buf_text(&a->subject));
    return err_set(err, ERR_NETWORK, "%s: no answer; the user may not have permission to ask",
                   buf_text(&a->subject));
}

bool api_client_try(struct api_client *a, const struct buf *subject, struct slice header,
                    struct slice body, struct err *err)
{
    ASSERT(a->answered.len > 0);
    buf_reset(&a->subject);
    buf_append_slice(&a->subject, buf_slice(subject));
    if (a->deaf)
        return refused(a, err) == 0;
    buf_reset(&a->complaint);
    uint64_t trial = send_request(a, &a->subject, header, body);
    uint64_t behind =
        send_request(a, &a->answered, (struct slice){0}, buf_slice(&a->answered_body));
    (void)wait_or_cancel(a, behind);
    nats_request_cancel(&a->connection.client.requests, trial);
    if (a->complaint.len > 0)
        (void)refused(a, err);
    return !err_is_set(err);
}
