/* SPDX-License-Identifier: MIT */
#include "nats/client.h"

#include <string.h>

#include "nats/api.h"
#include "nats/command.h"
#include "nats/subject.h"

enum { STATUS_NO_RESPONDERS = 503 };

void nats_client_start(struct nats_client *c, const struct nats_options *options, int64_t now)
{
    buf_reset(&c->out);
    buf_reset(&c->inbox);
    nats_input_reset(&c->in);
    c->parser = (struct nats_parser){
        .message_max = options->message_max > 0 ? options->message_max : NATS_MESSAGE_MAX,
    };
    /* The counter goes on, so that the names of this connection differ from those of the last. */
    memcpy(c->random.key, options->random_key, sizeof(c->random.key));
    nats_session_start(&c->session, options, now);
    nats_request_reset(&c->requests);
    memset(c->subscriptions, 0, sizeof(c->subscriptions));
    c->reply_sid = 0;
    c->lame_duck = false;
    err_clear(&c->failure);
}

void nats_client_free(struct nats_client *c)
{
    buf_free(&c->out);
    buf_free(&c->inbox);
    buf_free(&c->subject);
    nats_input_free(&c->in);
    nats_session_free(&c->session);
    *c = (struct nats_client){0};
}

struct nats_space nats_client_space(struct nats_client *c)
{
    return nats_input_space(&c->in, c->parser.need);
}

void nats_client_trim(struct nats_client *c)
{
    nats_input_trim(&c->in, c->parser.need);
    buf_trim(&c->out, NATS_OUTPUT_KEPT);
}

struct nats_memory nats_client_detach(struct nats_client *c)
{
    return nats_input_detach(&c->in);
}

void nats_client_set_account(struct nats_client *c, struct account *account)
{
    c->out.account = account;
    c->in.account = account;
}

void nats_client_received(struct nats_client *c, size_t len, int64_t now)
{
    nats_input_filled(&c->in, len);
    nats_session_received(&c->session, now);
}

static struct nats_subscription *find_subscription(struct nats_client *c, uint64_t sid)
{
    struct nats_subscription *s = &c->subscriptions[sid % NATS_SUBSCRIPTIONS_MAX];
    return sid != 0 && s->sid == sid ? s : NULL;
}

uint64_t nats_client_subscribe(struct nats_client *c, struct slice subject, void *owner,
                               uint32_t slot)
{
    for (size_t i = 0; i < NATS_SUBSCRIPTIONS_MAX; i++) {
        struct nats_subscription *s = &c->subscriptions[i];
        if (s->sid != 0)
            continue;
        *s = (struct nats_subscription){
            .sid = ++c->generation * NATS_SUBSCRIPTIONS_MAX + i,
            .owner = owner,
            .slot = slot,
        };
        nats_command_subscribe(&c->out, subject, s->sid);
        return s->sid;
    }
    return 0;
}

void nats_client_unsubscribe(struct nats_client *c, uint64_t sid)
{
    struct nats_subscription *s = find_subscription(c, sid);
    if (s == NULL)
        return;
    nats_command_unsubscribe(&c->out, sid);
    *s = (struct nats_subscription){0};
}

void nats_client_inbox(struct nats_client *c, struct buf *out)
{
    char token[NATS_TOKEN_LEN + 1];
    const char *prefix = c->session.options->inbox_prefix;
    nats_random_token(&c->random, token);
    buf_append_text(out, prefix != NULL ? prefix : "_INBOX");
    buf_append_byte(out, '.');
    buf_append_text(out, token);
}

const char *nats_client_api_prefix(const struct nats_client *c)
{
    const char *prefix = c->session.options->api_prefix;
    return prefix != NULL ? prefix : NATS_API_PREFIX;
}

static void subscribe_replies(struct nats_client *c)
{
    nats_client_inbox(c, &c->inbox);
    buf_append_text(&c->inbox, ".r.");
    buf_reset(&c->subject);
    buf_append_slice(&c->subject, buf_slice(&c->inbox));
    buf_append_byte(&c->subject, '*');
    c->reply_sid = nats_client_subscribe(c, buf_slice(&c->subject), NULL, 0);
}

uint64_t nats_client_request(struct nats_client *c, struct slice subject, struct slice header,
                             struct slice payload, int64_t timeout, int64_t now)
{
    struct slice token;
    uint64_t id = nats_request_begin(&c->requests, &c->random, now + timeout, &token);
    if (id == 0)
        return 0;
    buf_reset(&c->subject);
    buf_append_slice(&c->subject, buf_slice(&c->inbox));
    buf_append_slice(&c->subject, token);
    nats_command_publish(&c->out, subject, buf_slice(&c->subject), header, payload);
    return id;
}

void nats_client_publish(struct nats_client *c, struct slice subject, struct slice header,
                         struct slice payload)
{
    nats_command_publish(&c->out, subject, (struct slice){0}, header, payload);
}

void nats_client_delete_consumer(struct nats_client *c, struct buf *subject, const char *stream,
                                 const char *consumer)
{
    buf_reset(subject);
    nats_api_subject(subject, nats_client_api_prefix(c), "CONSUMER.DELETE", stream, consumer);
    nats_client_publish(c, buf_slice(subject), (struct slice){0}, (struct slice){0});
}

void nats_client_probe(struct nats_client *c, int64_t now)
{
    nats_session_probe(&c->session, now, &c->out);
}

int nats_client_tls_done(struct nats_client *c, struct err *err)
{
    if (nats_session_tls_done(&c->session, &c->out, &c->failure) < 0) {
        *err = c->failure;
        return -1;
    }
    return 0;
}

bool nats_client_is_ready(const struct nats_client *c)
{
    return c->session.state == NATS_SESSION_READY;
}

int64_t nats_client_deadline(const struct nats_client *c)
{
    int64_t session = nats_session_deadline(&c->session);
    int64_t request = nats_request_deadline(&c->requests);
    return session < request ? session : request;
}

/* A reply to a request. 0 if nobody waits for it. */
static int take_reply(struct nats_client *c, const struct nats_frame *frame,
                      struct nats_event *event)
{
    event->request = nats_request_finish(&c->requests, nats_subject_last_token(frame->subject));
    if (event->request == 0)
        return 0;
    event->kind = NATS_EVENT_REPLY;
    event->header = frame->header;
    event->payload = frame->payload;
    event->outcome = NATS_OUTCOME_REPLY;
    if (nats_header_parse(frame->header, &event->status) && event->status.status != 0)
        event->outcome = event->status.status == STATUS_NO_RESPONDERS ? NATS_OUTCOME_NO_RESPONDERS
                                                                      : NATS_OUTCOME_STATUS;
    return 1;
}

/*
 * A message on a subscription. Only the reply subject tells data from a status: a publisher can
 * have a status line stored in the header of its message.
 */
static int take_message(struct nats_client *c, const struct nats_frame *frame,
                        struct nats_event *event)
{
    if (c->reply_sid != 0 && frame->sid == c->reply_sid)
        return take_reply(c, frame, event);
    const struct nats_subscription *s = find_subscription(c, frame->sid);
    if (s == NULL) {
        c->unknown_sids++;
        return 0;
    }
    event->owner = s->owner;
    event->slot = s->slot;
    event->subject = frame->subject;
    event->reply = frame->reply;
    event->header = frame->header;
    event->payload = frame->payload;
    if (nats_ack_is(frame->reply)) {
        if (!nats_ack_parse(frame->reply, &event->ack)) {
            c->foreign_messages++;
            return 0;
        }
        event->kind = NATS_EVENT_MESSAGE;
        event->bytes =
            frame->subject.len + frame->reply.len + frame->header.len + frame->payload.len;
    } else if (frame->header.len > 0 && nats_header_parse(frame->header, &event->status) &&
               event->status.status != 0) {
        event->kind = NATS_EVENT_STATUS;
    } else {
        event->kind = NATS_EVENT_PLAIN;
    }
    return 1;
}

static int take_session_event(struct nats_client *c, enum nats_session_event session_event,
                              struct nats_event *event)
{
    switch (session_event) {
    case NATS_SESSION_NOTHING:
        return 0;
    case NATS_SESSION_START_TLS:
        event->kind = NATS_EVENT_START_TLS;
        return 1;
    case NATS_SESSION_BECAME_READY:
        subscribe_replies(c);
        event->kind = NATS_EVENT_READY;
        return 1;
    case NATS_SESSION_NEW_INFO:
        event->kind = NATS_EVENT_INFO;
        return 1;
    case NATS_SESSION_LAME_DUCK:
        event->kind = c->lame_duck ? NATS_EVENT_INFO : NATS_EVENT_LAME_DUCK;
        c->lame_duck = true;
        return 1;
    case NATS_SESSION_ERROR:
        event->kind = NATS_EVENT_SERVER_ERROR;
        if (event->error.closes)
            err_set(
                &c->failure, ERR_REFUSED, "the server says: %.*s",
                (int)(event->error.text.len < ERR_TEXT_MAX ? event->error.text.len : ERR_TEXT_MAX),
                (const char *)event->error.text.data);
        return 1;
    }
    return 0;
}

static int take_frame(struct nats_client *c, const struct nats_frame *frame,
                      struct nats_event *event)
{
    if (frame->kind == NATS_FRAME_MESSAGE)
        return take_message(c, frame, event);
    enum nats_session_event session_event;
    bool more = nats_input_bytes(&c->in).len > 0;
    if (nats_session_frame(&c->session, frame, more, &c->out, &session_event, &event->error,
                           &c->failure) < 0)
        return -1;
    return take_session_event(c, session_event, event);
}

/* What time has brought, now that all bytes are used. */
static int take_time(struct nats_client *c, int64_t now, struct nats_event *event)
{
    uint64_t request = nats_request_expire(&c->requests, now);
    if (request != 0) {
        event->kind = NATS_EVENT_REPLY;
        event->outcome = NATS_OUTCOME_TIMEOUT;
        event->request = request;
        event->header = event->payload = (struct slice){0};
        return 1;
    }
    return nats_session_tick(&c->session, now, &c->out, &c->failure);
}

static int next(struct nats_client *c, int64_t now, struct nats_event *event)
{
    if (err_is_set(&c->failure))
        return -1;
    int got = 0;
    while (got == 0 && c->session.state != NATS_SESSION_WAIT_TLS) {
        struct nats_frame frame;
        size_t used;
        switch (nats_parse(&c->parser, nats_input_bytes(&c->in), &frame, &used, &c->failure)) {
        case NATS_PARSE_MORE:
            return take_time(c, now, event);
        case NATS_PARSE_BAD:
            return -1;
        case NATS_PARSE_FRAME:
            nats_input_consume(&c->in, used);
            got = take_frame(c, &frame, event);
            break;
        }
    }
    return got != 0 ? got : take_time(c, now, event);
}

int nats_client_next(struct nats_client *c, int64_t now, struct nats_event *event, struct err *err)
{
    int got = next(c, now, event);
    if (got < 0) {
        c->session.state = NATS_SESSION_DEAD;
        if (!err_is_set(err))
            *err = c->failure;
    }
    return got;
}
