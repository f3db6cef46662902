/* SPDX-License-Identifier: MIT */
#include "follow/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "nats/command.h"
#include "nats/stream.h"

enum {
    OUTPUT_TARGET = 256 * 1024, /* bytes to have ready for the socket */
    /* The server's answers (nats-server's errors.json). */
    WRONG_LAST_SEQUENCE = 10071,
    WRONG_LAST_ID = 10070,
    TOO_BIG = 10054,
    HEADER_TOO_BIG = 10097,
    OTHER_STREAM = 10060,
    NO_RESPONDERS = 503, /* a status */
};

bool publisher_subject_valid(const char *subject)
{
    return nats_subject_valid(slice_of(subject), true) && strchr(subject, '*') == NULL;
}

static int fail_for_good(struct publisher *p, enum err_code code, const char *text)
{
    p->final = true;
    return err_set(&p->failure, code, "%s", text);
}

static int failed(const struct publisher *p, struct err *err)
{
    *err = p->failure;
    return -1;
}

static bool split_id(struct slice id, struct slice *generation, uint64_t *sequence)
{
    const uint8_t *first = id.len > 0 ? memchr(id.data, '/', id.len) : NULL;
    size_t last = id.len;
    while (last > 0 && id.data[last - 1] != '/')
        last--;
    if (first == NULL || id.data + last < first + 2)
        return false;
    *generation = (struct slice){first + 1, (size_t)(id.data + last - 2 - first)};
    return num_parse_u64((struct slice){id.data + last, id.len - last}, sequence);
}

bool publisher_place(const struct publisher *p, struct slice *generation, uint64_t *sequence)
{
    return split_id(buf_slice(&p->previous), generation, sequence);
}

/* Ask, and read the answer: `parse` is one of nats/stream.h. */
static int ask(struct publisher *p, const char *call, const char *stream, struct slice *reply)
{
    arena_reset(&p->arena);
    return api_client_api(&p->ask, call, stream, NULL, buf_slice(&p->payload), reply, &p->failure);
}

/* The stream that takes the subject. */
static int find_stream(struct publisher *p)
{
    struct slice reply, name;
    struct nats_api_error error;
    bool more;
    if (p->options->stream != NULL) {
        ASSERT(nats_name_valid(slice_of(p->options->stream)));
        memcpy(p->stream, p->options->stream, strlen(p->options->stream) + 1);
        return 0;
    }
    buf_reset(&p->payload);
    nats_stream_names_body(&p->payload, slice_of(p->options->subject));
    if (ask(p, "STREAM.NAMES", NULL, &reply) != 0 ||
        nats_stream_names_parse(reply, &p->arena, &name, &more, &error, &p->failure) != 0)
        return -1;
    if (name.len == 0 || more || !nats_name_valid(name)) {
        p->final = name.len > 0;
        return err_set(&p->failure, ERR_REFUSED,
                       name.len == 0 ? "no stream takes %s: make one first, varve makes none"
                                     : "more than one stream takes %s: say which",
                       p->options->subject);
    }
    memcpy(p->stream, name.data, name.len);
    p->stream[name.len] = '\0';
    return 0;
}

static int look_at_stream(struct publisher *p, bool *keeps)
{
    struct slice reply;
    struct nats_stream_info info;
    struct nats_api_error error;
    buf_reset(&p->payload);
    if (ask(p, "STREAM.INFO", p->stream, &reply) != 0 ||
        nats_stream_info_parse(reply, &p->arena, &info, &error, &p->failure) != 0)
        return err_prefix(&p->failure, "stream %s", p->stream);
    p->base = info.last_seq;
    *keeps = info.retention == NATS_RETENTION_LIMITS;
    return 0;
}

/* Whether a header block is of this replay; *id is that of its message. */
static bool is_ours(const struct publisher *p, struct slice block, struct slice *id)
{
    struct nats_header header;
    struct slice mark, generation;
    uint64_t sequence;
    if (!nats_header_parse(block, &header) || !nats_header_get(&header, PUBLISHER_MARK, &mark) ||
        !nats_header_get(&header, PUBLISHER_ID, id) || !slice_is(mark, p->options->mark) ||
        !split_id(*id, &generation, &sequence))
        return false;
    size_t run = (size_t)(generation.data - id->data) - 1;
    if (p->run[0] == '\0') /* else of an earlier one */
        return !p->options->begin && run <= PUBLISHER_MARK_MAX;
    return slice_is((struct slice){id->data, run}, p->run);
}

/* Ask for a message by p->payload; *found: there is one. */
static int get_message(struct publisher *p, struct nats_stored_message *message, bool *found)
{
    struct slice reply;
    struct nats_api_error error;
    *found = false;
    if (ask(p, "STREAM.MSG.GET", p->stream, &reply) != 0)
        return -1;
    if (nats_stored_message_parse(reply, &p->arena, message, &error, &p->failure) == 0)
        *found = true;
    else if (error.meaning == NATS_MEANING_NO_MESSAGE)
        err_clear(&p->failure);
    else
        return err_prefix(&p->failure, "stream %s", p->stream);
    return 0;
}

/* The last message of the subject: *any, and whether it is of this replay. */
static int look_at_last(struct publisher *p, bool *any, bool *ours)
{
    struct nats_stored_message message;
    struct slice id;
    buf_reset(&p->payload);
    nats_stream_last_body(&p->payload, slice_of(p->options->subject));
    if (get_message(p, &message, any) != 0)
        return -1;
    *ours = *any && is_ours(p, message.header, &id);
    if (!*ours)
        return 0;
    const uint8_t *slash = memchr(id.data, '/', id.len); /* there is one: it is ours */
    if (p->run[0] == '\0')
        memcpy(p->run, id.data, (size_t)(slash - id.data));
    buf_reset(&p->previous);
    buf_append_slice(&p->previous, id);
    return 0;
}

int publisher_each_back(struct publisher *p, uint64_t limit,
                        bool (*visit)(void *context, struct slice generation, uint64_t sequence),
                        void *context, struct err *err)
{
    bool more = true, found;
    for (uint64_t at = p->base; at > 0 && limit > 0 && more; at--, limit--) {
        struct nats_stored_message message;
        struct slice id, generation;
        uint64_t sequence;
        buf_reset(&p->payload);
        nats_stream_get_body(&p->payload, at);
        if (get_message(p, &message, &found) != 0)
            return failed(p, err);
        if (found && is_ours(p, message.header, &id) && split_id(id, &generation, &sequence))
            more = visit(context, generation, sequence);
    }
    return 0;
}

/* Where to go on: behind the last message, if it is ours. */
static int find_place(struct publisher *p)
{
    bool keeps = false, any = false, ours = false;
    /* In this order: who publishes in between has moved the end of the stream. */
    if (look_at_stream(p, &keeps) != 0 || look_at_last(p, &any, &ours) != 0 || ours)
        return err_is_set(&p->failure) ? -1 : 0;
    if (p->published > 0 && p->options->run == NULL)
        return fail_for_good(p, ERR_REFUSED,
                             any ? "somebody else has published to the same subject"
                                 : "the last message of this replay was removed from the stream");
    if (!p->options->begin && any)
        return fail_for_good(p, ERR_REFUSED,
                             "the last message of the subject is not of this replay: --new begins "
                             "it behind that");
    if (!p->options->begin && !keeps && p->base > 0)
        return fail_for_good(p, ERR_REFUSED,
                             "the stream does not keep what was consumed, which would tell how far "
                             "a replay has come: --new begins it");
    buf_reset(&p->previous);
    if (p->run[0] == '\0') {
        char token[NATS_TOKEN_LEN + 1];
        nats_random_token(&p->ask.connection.client.random, token);
        memcpy(p->run, token, sizeof(token));
    }
    return 0;
}

static int subscribe(struct publisher *p)
{
    struct nats_client *client = &p->ask.connection.client;
    buf_reset(&p->inbox);
    nats_client_inbox(client, &p->inbox);
    buf_append_byte(&p->inbox, '.');
    size_t len = p->inbox.len;
    buf_append_byte(&p->inbox, '*');
    uint64_t sid = nats_client_subscribe(client, buf_slice(&p->inbox), p, 0);
    p->inbox.len = len;
    return sid != 0 ? 0 : err_set(&p->failure, ERR_LIMIT, "too many subscriptions");
}

int publisher_open(struct publisher *p, const struct publisher_options *options, struct err *err)
{
    if (p->is_open)
        api_client_close(&p->ask);
    p->options = options;
    p->is_open = true;
    p->contended = false;
    p->sent = p->asked = p->confirmed = p->bytes = p->bytes_asked = 0;
    p->held = false;
    err_clear(&p->failure);
    if (options->run != NULL)
        (void)snprintf(p->run, sizeof(p->run), "%s", options->run);
    if (api_client_connect(&p->ask, options->config, &p->failure) != 0 || find_stream(p) != 0 ||
        find_place(p) != 0 || subscribe(p) != 0)
        return failed(p, err);
    return 0;
}

/* What the server says of a message that it does not take. */
static void take_refusal(struct publisher *p, const struct nats_api_error *error, uint64_t number,
                         const struct err *why)
{
    p->contended = error->code == WRONG_LAST_SEQUENCE || error->code == WRONG_LAST_ID;
    p->final =
        error->code == TOO_BIG || error->code == HEADER_TOO_BIG || error->code == OTHER_STREAM;
    bool next = number == p->confirmed; /* else it may be one in front of it that was not taken */
    if (p->contended)
        (void)err_set(&p->failure, ERR_NETWORK,
                      next ? "others publish into stream %s, too"
                           : "others publish into stream %s, too, or it has not taken a message",
                      p->stream);
    else
        (void)err_set(&p->failure, why->code, "what would be sequence %" PRIu64 " of stream %s: %s",
                      p->base + number + 1, p->stream, why->text);
}

static void take_ack(struct publisher *p, const struct nats_event *event)
{
    struct nats_pub_ack ack;
    struct nats_api_error error = {0};
    struct err why = {0};
    uint64_t number;
    if (!num_parse_u64(nats_subject_last_token(event->subject), &number) || number < p->confirmed ||
        number >= p->sent)
        return; /* of no message that waits */
    arena_reset(&p->arena);
    if (nats_pub_ack_parse(event->payload, &p->arena, &ack, &error, &why) != 0) {
        take_refusal(p, &error, number, &why);
        return;
    }
    if (ack.duplicate || ack.sequence != p->base + number + 1 || !slice_is(ack.stream, p->stream)) {
        p->contended = true;
        (void)err_set(&p->failure, ERR_NETWORK, "stream %s has changed meanwhile", p->stream);
        return;
    }
    /* None is taken before the one in front of it. */
    p->published += number + 1 - p->confirmed;
    p->confirmed = number + 1;
    p->moved_at = clock_monotonic();
}

static void take_event(struct publisher *p, const struct nats_event *event)
{
    switch (event->kind) {
    case NATS_EVENT_PLAIN:
        take_ack(p, event);
        return;
    case NATS_EVENT_STATUS:
        (void)err_set(&p->failure, ERR_REFUSED,
                      event->status.status == NO_RESPONDERS
                          ? "no stream takes the subject of a message (%d%.*s)"
                          : "the server answers a message with %d %.*s",
                      event->status.status, (int)event->status.text.len,
                      (const char *)event->status.text.data);
        return;
    case NATS_EVENT_SERVER_ERROR:
        (void)err_set(&p->failure, ERR_REFUSED, "the server says: %.*s", (int)event->error.text.len,
                      (const char *)event->error.text.data);
        return;
    case NATS_EVENT_START_TLS:
    case NATS_EVENT_READY:
    case NATS_EVENT_MESSAGE:
    case NATS_EVENT_REPLY:
    case NATS_EVENT_INFO:
    case NATS_EVENT_LAME_DUCK:
        return;
    }
}

static int turn(struct publisher *p, int64_t until, struct err *err)
{
    struct connection *c = &p->ask.connection;
    struct nats_event event;
    if (err_is_set(&p->failure))
        return failed(p, err);
    until = clock_earliest(until, connection_flush(c, clock_monotonic()));
    const struct waker *waker = p->options->waker;
    struct net_wait list[] = {connection_wait(c),
                              {.handle = waker != NULL ? waker->handle : -1, .want = NET_READABLE}};
    net_wait(list, sizeof(list) / sizeof(list[0]), until);
    int64_t now = clock_monotonic();
    if (list[1].ready != 0)
        net_calm(waker);
    connection_turn(c, list[0].ready != 0, now);
    while (connection_next(c, now, &event))
        take_event(p, &event);
    if (connection_take_lost(c))
        (void)err_set(&p->failure, ERR_NETWORK, "%s", c->failure.text);
    if (p->asked > p->confirmed && now > p->moved_at + PUBLISHER_PATIENCE)
        (void)err_set(&p->failure, ERR_NETWORK, "the server confirms nothing");
    return err_is_set(&p->failure) ? failed(p, err) : 0;
}

/* For one more, of a window of this part. Messages that the server was not asked to confirm take no
 * room, or there might never be any. */
static bool has_room(const struct publisher *p, size_t bytes, unsigned part)
{
    if (p->asked <= p->confirmed)
        return true;
    uint64_t oldest = p->bytes_before[p->confirmed % PUBLISHER_WINDOW];
    return p->asked - p->confirmed < PUBLISHER_WINDOW / part - PUBLISHER_ASK &&
           p->bytes_asked - oldest + bytes <= PUBLISHER_WINDOW_BYTES / part;
}

/* Confirmations come in small pieces: half of the window has to be free before more is sent. */
static int wait_for_room(struct publisher *p, size_t bytes, struct err *err)
{
    if (has_room(p, bytes, 1))
        return 0;
    while (!has_room(p, bytes, 2))
        if (turn(p, INT64_MAX, err) != 0)
            return -1;
    return 0;
}

/* Send the message that is held, if one is; `last`: it is to be confirmed. */
static int release(struct publisher *p, bool last, struct err *err)
{
    struct nats_client *client = &p->ask.connection.client;
    size_t bytes = p->header.len + p->payload.len;
    if (!p->held)
        return 0;
    if (wait_for_room(p, bytes, err) != 0)
        return -1;
    p->bytes_before[p->sent % PUBLISHER_WINDOW] = p->bytes;
    p->bytes += bytes;
    bool ask = last || p->sent == 0 || p->sent + 1 - p->asked >= PUBLISHER_ASK ||
               p->bytes - p->bytes_asked >= PUBLISHER_ASK_BYTES;
    size_t len = p->inbox.len;
    buf_append_decimal(&p->inbox, p->sent);
    nats_command_publish(&client->out, buf_slice(&p->subject),
                         ask ? buf_slice(&p->inbox) : (struct slice){0}, buf_slice(&p->header),
                         buf_slice(&p->payload));
    p->inbox.len = len;
    p->sent++;
    p->held = false;
    struct buf before = p->previous;
    p->previous = p->id;
    p->id = before;
    if (!ask)
        return 0;
    if (p->asked <= p->confirmed)
        p->moved_at = clock_monotonic();
    p->asked = p->sent;
    p->bytes_asked = p->bytes;
    return 0;
}

int publisher_turn(struct publisher *p, int64_t until, struct err *err)
{
    return release(p, true, err) == 0 ? turn(p, until, err) : -1;
}

int publisher_put(struct publisher *p, const struct follow_event *row, struct err *err)
{
    const struct nats_client *client = &p->ask.connection.client;
    if (release(p, false, err) != 0)
        return -1;
    if (!publisher_make(p, row)) {
        (void)fail_for_good(p, ERR_FORMAT, "its subject is none to publish to");
        return failed(p, err);
    }
    if (p->header.len + p->payload.len > client->session.info.max_payload) {
        (void)fail_for_good(p, ERR_LIMIT,
                            "with its headers it is larger than max_payload of the server");
        return failed(p, err);
    }
    p->held = true;
    return client->out.len < OUTPUT_TARGET ? 0 : turn(p, 0, err);
}

int publisher_flush(struct publisher *p, struct err *err)
{
    if (release(p, true, err) != 0)
        return -1;
    while (p->confirmed < p->sent)
        if (turn(p, p->moved_at + PUBLISHER_PATIENCE + 1, err) != 0)
            return -1;
    return 0;
}

void publisher_free(struct publisher *p)
{
    if (p->is_open)
        api_client_close(&p->ask);
    buf_free(&p->previous);
    buf_free(&p->id);
    buf_free(&p->header);
    buf_free(&p->payload);
    buf_free(&p->subject);
    buf_free(&p->inbox);
    arena_free(&p->arena);
    *p = (struct publisher){0};
}
