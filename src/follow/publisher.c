/* SPDX-License-Identifier: MIT */
#include "follow/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "follow/publisher_part.h"
#include "nats/api.h"
#include "nats/command.h"

enum {
    OUTPUT_TARGET = 256 * 1024, /* bytes to have ready for the socket */
    /* The server's answers (nats-server's errors.json). */
    WRONG_LAST_SEQUENCE = 10071,
    WRONG_LAST_ID = 10070,
    TOO_BIG = 10054,
    HEADER_TOO_BIG = 10097,
    OTHER_STREAM = 10060,
    BATCH_TOO_LARGE = 10199,
    NO_RESPONDERS = 503, /* a status */
};

bool publisher_subject_valid(const char *subject)
{
    return nats_subject_valid(slice_of(subject), true) && strchr(subject, '*') == NULL;
}

int publisher_fail(struct publisher *p, enum err_code code, const char *text)
{
    p->final = true;
    return err_set(&p->failure, code, "%s", text);
}

static int failed(const struct publisher *p, struct err *err)
{
    *err = p->failure;
    return -1;
}

void publisher_draw(struct publisher *p, char *out)
{
    char token[NATS_TOKEN_LEN + 1];
    nats_random_token(&p->ask.connection.client.random, token);
    memcpy(out, token, PUBLISHER_TOKEN_LEN);
    out[PUBLISHER_TOKEN_LEN] = '\0';
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

/* Of the connection that was: whether nothing came of it, since others were faster. */
static void note_contention(struct publisher *p)
{
    if (p->outpaced)
        p->fruitless = p->confirmed > p->chained_from ? 0 : p->fruitless + 1;
    p->contended = p->outpaced = false;
}

int publisher_open(struct publisher *p, const struct publisher_options *options, struct err *err)
{
    if (p->is_open)
        api_client_close(&p->ask);
    note_contention(p);
    p->options = options;
    p->is_open = true;
    p->held = p->alone = p->any = false;
    p->chained_from = p->quiet = 0;
    p->sent = p->asked = p->confirmed = p->bytes = p->bytes_asked = 0;
    p->in_batch = 0;
    buf_reset(&p->generation); /* RUN may be another one */
    if (p->batch_most == 0)
        p->batch_most = PUBLISHER_BATCH;
    if (p->batch_now == 0 || p->batch_now > p->batch_most)
        p->batch_now = p->batch_most;
    err_clear(&p->failure);
    if (options->run != NULL)
        (void)snprintf(p->run, sizeof(p->run), "%s", options->run);
    if (api_client_connect(&p->ask, options->config, &p->failure) != 0 ||
        publisher_find_place(p) != 0 || subscribe(p) != 0)
        return failed(p, err);
    publisher_draw(p, p->batch_token);
    return 0;
}

/* What the server says of a batch. What else may be wrong with it is told of its messages, without
 * batches. */
static void take_batch_refusal(struct publisher *p, const struct nats_api_error *error,
                               const struct err *why)
{
    p->contended = true;
    p->outpaced = error->code == WRONG_LAST_SEQUENCE || error->code == WRONG_LAST_ID;
    if (p->outpaced) {
        (void)err_set(&p->failure, ERR_NETWORK, "others publish into stream %s, too", p->stream);
        p->batch_now = p->batch_now > 1 ? p->batch_now / 2 : 1;
        return;
    }
    p->batch_most = error->code == BATCH_TOO_LARGE ? p->batch_most / 2 : 1;
    (void)err_set(&p->failure, why->code, "stream %s does not take a batch: %s", p->stream,
                  why->text);
}

/* What the server says of a message that it does not take. */
static void take_refusal(struct publisher *p, const struct nats_api_error *error, uint64_t number,
                         const struct err *why)
{
    p->contended = p->outpaced = error->code == WRONG_LAST_SEQUENCE || error->code == WRONG_LAST_ID;
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

/* Of a message that was alone on its way, wherever it is, and whenever it came. */
static void take_single(struct publisher *p, const struct nats_pub_ack *ack)
{
    bool next = !ack->duplicate && ack->sequence == p->base + p->sent;
    p->base = ack->sequence - p->sent;
    p->quiet = next ? p->quiet + 1 : 0;
    if (p->quiet < PUBLISHER_QUIET)
        return;
    p->single = false;
    p->chained_from = p->sent;
    p->fruitless = PUBLISHER_FRUITLESS - 1;
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
    if (p->batches && event->payload.len == 0)
        return; /* the first one of a batch: no more than that it was begun */
    arena_reset(&p->arena);
    if (nats_pub_ack_parse(event->payload, &p->arena, &ack, &error, &why) != 0) {
        if (p->batches)
            take_batch_refusal(p, &error, &why);
        else
            take_refusal(p, &error, number, &why);
        return;
    }
    bool here = slice_is(ack.stream, p->stream);
    if (p->single && here)
        take_single(p, &ack);
    else if (ack.duplicate || ack.sequence != p->base + number + 1 || !here) {
        p->contended = p->outpaced = true;
        (void)err_set(&p->failure, ERR_NETWORK, "stream %s has changed meanwhile", p->stream);
        return;
    }
    /* None is taken before the one in front of it. */
    p->published += number + 1 - p->confirmed;
    p->confirmed = number + 1;
    p->moved_at = clock_monotonic();
    if (p->batches)
        p->batch_now = 2 * p->batch_now < p->batch_most ? 2 * p->batch_now : p->batch_most;
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

/* Before the last message of a batch: what stands in front of its first one has to be there. */
static int wait_for_earlier(struct publisher *p, struct err *err)
{
    while (p->confirmed < p->sent - p->in_batch)
        if (turn(p, p->moved_at + PUBLISHER_PATIENCE + 1, err) != 0)
            return -1;
    return 0;
}

static void swap(struct buf *a, struct buf *b)
{
    struct buf kept = *a;
    *a = *b;
    *b = kept;
}

/* Send the message of which p->header is the header block; `confirm`: it confirms those in front of
 * it, too. `reply`: an answer is asked for. */
static void send_message(struct publisher *p, struct publisher_message *m, bool confirm, bool reply)
{
    struct buf *out = &p->ask.connection.client.out;
    size_t len = p->inbox.len;
    p->bytes_before[p->sent % PUBLISHER_WINDOW] = p->bytes;
    p->bytes += p->header.len + m->payload.len;
    buf_append_decimal(&p->inbox, p->sent);
    nats_command_publish(out, buf_slice(&m->subject),
                         reply ? buf_slice(&p->inbox) : (struct slice){0}, buf_slice(&p->header),
                         buf_slice(&m->payload));
    p->inbox.len = len;
    p->sent++;
    p->held = false;
    swap(&p->previous, &m->id);
    swap(&p->place, &m->row);
    if (!confirm)
        return;
    if (p->asked <= p->confirmed)
        p->moved_at = clock_monotonic();
    p->asked = p->sent;
    p->bytes_asked = p->bytes;
}

/* Send the message that is held, if one is; `last`: it is to be confirmed. */
static int release(struct publisher *p, bool last, struct err *err)
{
    struct publisher_message *m = &p->messages[p->current];
    if (!p->held)
        return 0;
    bool single = p->single;
    last = last || p->alone || single;
    bool batched = p->in_batch > 0 || (p->batches && !last);
    size_t bytes = m->headers.len + m->payload.len;
    uint64_t waiting = p->bytes + bytes - p->bytes_asked;
    bool confirm = last || waiting >= PUBLISHER_ASK_BYTES ||
                   (batched ? p->in_batch + 1 >= p->batch_now
                            : p->sent == 0 || p->sent + 1 - p->asked >= PUBLISHER_ASK);
    if ((batched && confirm && wait_for_earlier(p, err) != 0) || wait_for_room(p, bytes, err) != 0)
        return -1;
    publisher_head(p, m, batched, batched && confirm);
    send_message(p, m, confirm, confirm || (batched && p->in_batch == 0));
    if (batched)
        p->in_batch = confirm ? 0 : p->in_batch + 1;
    p->batch += batched && confirm;
    while (single && p->confirmed < p->sent)
        if (turn(p, p->moved_at + PUBLISHER_PATIENCE + 1, err) != 0)
            return -1;
    return 0;
}

int publisher_turn(struct publisher *p, int64_t until, struct err *err)
{
    return release(p, true, err) == 0 ? turn(p, until, err) : -1;
}

/* It is the next to be sent: whether it is as large as the server takes, or smaller. */
static bool fits_alone(struct publisher *p, const struct publisher_message *m)
{
    publisher_head(p, m, false, false);
    return p->header.len + m->payload.len <= p->ask.connection.client.session.info.max_payload;
}

int publisher_put(struct publisher *p, const struct follow_event *row, struct err *err)
{
    const struct nats_client *client = &p->ask.connection.client;
    struct publisher_message *m = &p->messages[1 - p->current];
    bool made = publisher_make(p, m, row);
    bool fits = made && publisher_most(p, m) <= client->session.info.max_payload;
    if (release(p, !fits, err) != 0)
        return -1;
    if (!fits && !(made && fits_alone(p, m))) {
        if (publisher_flush(p, err) != 0)
            return -1;
        int result =
            made ? publisher_fail(p, ERR_LIMIT,
                                  "with its headers it is larger than max_payload of the server")
                 : publisher_fail(p, ERR_FORMAT, "its subject is none to publish to");
        *err = p->failure;
        return result;
    }
    p->current = 1 - p->current;
    p->held = true;
    p->alone = !fits;
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
    for (size_t i = 0; i < sizeof(p->messages) / sizeof(p->messages[0]); i++) {
        buf_free(&p->messages[i].id);
        buf_free(&p->messages[i].row);
        buf_free(&p->messages[i].subject);
        buf_free(&p->messages[i].payload);
        buf_free(&p->messages[i].headers);
    }
    buf_free(&p->previous);
    buf_free(&p->place);
    buf_free(&p->header);
    buf_free(&p->inbox);
    buf_free(&p->generation);
    buf_free(&p->id_front);
    buf_free(&p->headers_front);
    arena_free(&p->arena);
    note_contention(p);
    *p = (struct publisher){.batch_most = p->batch_most, .fruitless = p->fruitless};
}
