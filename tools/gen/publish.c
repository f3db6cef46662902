/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "nats/api.h"
#include "nats/command.h"
#include "nats/header.h"
#include "nats/subject.h"
#include "nats/url.h"
#include "net/connect.h"

enum {
    WINDOW = 4096,               /* messages that wait for their confirmation; a power of two */
    OUTPUT_TARGET = 1024 * 1024, /* bytes to have ready for the socket */
    API_TIMEOUT_S = 5,
    ACK_TIMEOUT_S = 10,
};

#define PATIENCE (100 * CLOCK_MILLISECOND) /* after which to look at the clock */

struct publisher {
    const struct publish_options *options;
    const struct load *load;
    struct nats_client client;
    struct nats_options nats_options;
    struct nats_url url;
    struct stream *stream;
    bool ready;
    struct arena arena;

    /* The API call that is under way. */
    uint64_t request;
    bool answered;
    enum nats_outcome outcome;
    struct buf answer;

    struct buf inbox; /* up to the number of the message: "_INBOX.x." */
    struct buf subject, header, message;
    uint64_t sent;
    uint64_t confirmed;
    bool waiting[WINDOW]; /* message number n, at n modulo WINDOW */
    uint64_t oldest;      /* lowest number that waits, or `sent` */
    struct publish_result *result;
};

/* Of message i: that of its event, or of one that is none (`corrupt`). */
static uint64_t index_of(const struct publish_options *options, uint64_t i, bool *corrupt)
{
    /* Message i is corrupt if the number of corrupt ones up to it is higher than up to the one
     * before: so they lie at even distances. */
    uint64_t total = options->count + options->corrupt;
    uint64_t before = i * options->corrupt / total;
    uint64_t after = (i + 1) * options->corrupt / total;
    *corrupt = after > before;
    return options->start_index + (*corrupt ? before : i - before);
}

void publish_message(const struct publish_options *options, const struct load *load, uint64_t i,
                     struct buf *out)
{
    bool corrupt;
    uint64_t index = index_of(options, i, &corrupt);
    if (corrupt)
        load_corrupt(load, index, out);
    else
        load_event(load, index, out);
}

/* The stream's answer to message n, whose number ends the subject. */
static int confirm(struct publisher *p, const struct nats_event *event, struct err *err)
{
    uint64_t n;
    struct nats_pub_ack ack;
    struct nats_api_error error;
    arena_reset(&p->arena);
    if (nats_pub_ack_parse(event->payload, &p->arena, &ack, &error, err) != 0)
        return err_prefix(err, "publish");
    if (!num_parse_u64(nats_subject_last_token(event->subject), &n) || n < p->oldest ||
        n >= p->sent || !p->waiting[n % WINDOW])
        return err_set(err, ERR_PROTOCOL, "a confirmation of something that was not published");
    if (!slice_is(ack.stream, p->options->stream))
        return err_set(err, ERR_REFUSED, "subject %s goes to stream %.*s, not to %s",
                       p->options->subject, (int)ack.stream.len, (const char *)ack.stream.data,
                       p->options->stream);
    p->waiting[n % WINDOW] = false;
    while (p->oldest < p->sent && !p->waiting[p->oldest % WINDOW])
        p->oldest++;
    struct publish_result *r = p->result;
    if (p->confirmed == 0 || ack.sequence < r->first_seq)
        r->first_seq = ack.sequence;
    if (ack.sequence > r->last_seq)
        r->last_seq = ack.sequence;
    p->confirmed++;
    return 0;
}

static int handle(struct publisher *p, const struct nats_event *event, struct err *err)
{
    switch (event->kind) {
    case NATS_EVENT_READY:
        p->ready = true;
        return 0;
    case NATS_EVENT_REPLY:
        if (event->request == p->request) {
            p->answered = true;
            p->outcome = event->outcome;
            buf_reset(&p->answer);
            if (event->outcome == NATS_OUTCOME_REPLY)
                buf_append_slice(&p->answer, event->payload);
        }
        return 0;
    case NATS_EVENT_PLAIN:
        return confirm(p, event, err);
    case NATS_EVENT_STATUS:
        if (event->status.status == 503)
            return err_set(err, ERR_REFUSED, "no stream takes subject %s", p->options->subject);
        return err_set(err, ERR_REFUSED, "publish: the server answered %d %.*s",
                       event->status.status, (int)event->status.text.len,
                       (const char *)event->status.text.data);
    case NATS_EVENT_START_TLS:
        return err_set(err, ERR_UNSUPPORTED, "the server requires TLS");
    case NATS_EVENT_SERVER_ERROR:
        return err_set(err, ERR_REFUSED, "the server says: %.*s", (int)event->error.text.len,
                       (const char *)event->error.text.data);
    case NATS_EVENT_MESSAGE:
    case NATS_EVENT_INFO:
    case NATS_EVENT_LAME_DUCK:
        return 0;
    }
    return 0;
}

static int read_some(struct publisher *p, struct err *err)
{
    struct nats_space space = nats_client_space(&p->client);
    size_t done;
    enum net_io io = stream_read(p->stream, space.data, space.len, &done, err);
    if (io == NET_IO_DONE)
        nats_client_received(&p->client, done, clock_monotonic());
    return io == NET_IO_DEAD ? -1 : 0;
}

static int write_some(struct publisher *p, struct err *err)
{
    struct buf *out = &p->client.out;
    size_t done;
    if (out->len == 0)
        return 0;
    enum net_io io = stream_write(p->stream, out->data, out->len, &done, err);
    if (io == NET_IO_DONE)
        buf_consume(out, done);
    return io == NET_IO_DEAD ? -1 : 0;
}

/* Wait for the peer, at most `longest` nanoseconds, and do what can be done. Where writing fails,
 * what the server said before it closed is read first, since it may say why. */
static int pump(struct publisher *p, int64_t longest, struct err *err)
{
    struct err broken = {0};
    struct nats_event event;
    int got;
    bool over = write_some(p, &broken) != 0;
    struct net_wait wait = stream_wait(p->stream, !over && p->client.out.len > 0);
    net_wait(&wait, 1, over ? 0 : clock_monotonic() + longest);
    if (over && wait.ready == 0)
        return err_set(err, broken.code, "%s", broken.text);
    if (wait.ready != 0 && read_some(p, err) != 0)
        return -1;
    while ((got = nats_client_next(&p->client, clock_monotonic(), &event, err)) > 0)
        if (handle(p, &event, err) != 0)
            return -1;
    return got;
}

static int open_stream(struct publisher *p, struct err *err)
{
    struct net_connecting connecting;
    int64_t deadline = clock_monotonic() + API_TIMEOUT_S * CLOCK_SECOND;
    if (net_connect_start(&connecting, p->url.host, p->url.port, deadline, err) != 0)
        return -1;
    enum net_io io;
    while ((io = net_connect_step(&connecting, clock_monotonic(), &p->stream, err)) ==
           NET_IO_AGAIN) {
        struct net_wait wait = net_connect_wait(&connecting);
        net_wait(&wait, 1, connecting.step_at);
    }
    while (io == NET_IO_DONE && (io = stream_handshake(p->stream, err)) == NET_IO_AGAIN) {
        struct net_wait wait = stream_wait(p->stream, false);
        net_wait(&wait, 1, deadline);
        if (clock_monotonic() >= deadline)
            return err_set(err, ERR_NETWORK, "the handshake took too long");
    }
    return io == NET_IO_DONE ? 0 : -1;
}

static int open_connection(struct publisher *p, struct err *err)
{
    if (nats_url_parse(&p->url, slice_of(p->options->server), err) != 0)
        return -1;
    if (open_stream(p, err) != 0)
        return err_prefix(err, "%s:%u", p->url.host, p->url.port);
    p->nats_options = (struct nats_options){.name = "varve-gen", .version = "0"};
    if (p->url.user[0] != '\0') {
        p->nats_options.credentials.user = p->url.user;
        p->nats_options.credentials.password = p->url.password;
    }
    if (p->url.token[0] != '\0')
        p->nats_options.credentials.token = p->url.token;
    uint64_t *key = p->nats_options.random_key;
    if (getrandom(key, sizeof(p->nats_options.random_key), 0) < 0)
        return err_set_system(err, errno, "getrandom");
    nats_client_start(&p->client, &p->nats_options, clock_monotonic());
    while (!p->ready)
        if (pump(p, PATIENCE, err) != 0)
            return -1;
    return 0;
}

/* One call of the JetStream API; the answer is in p->answer. */
static int call(struct publisher *p, const char *name, struct slice body, struct err *err)
{
    struct buf subject = {0};
    nats_api_subject(&subject, NATS_API_PREFIX, name, p->options->stream, NULL);
    p->answered = false;
    p->request = nats_client_request(&p->client, buf_slice(&subject), (struct slice){0}, body,
                                     API_TIMEOUT_S * CLOCK_SECOND, clock_monotonic());
    buf_free(&subject);
    while (!p->answered)
        if (pump(p, PATIENCE, err) != 0)
            return -1;
    if (p->outcome != NATS_OUTCOME_REPLY)
        return err_set(err, ERR_REFUSED, "%s: no answer: is JetStream on?", name);
    return 0;
}

static int make_stream(struct publisher *p, struct err *err)
{
    struct nats_api_error error;
    struct err answer = {0};
    if (call(p, "STREAM.INFO", (struct slice){0}, err) != 0)
        return -1;
    arena_reset(&p->arena);
    if (nats_api_reply(buf_slice(&p->answer), &p->arena, &error, &answer) != NULL)
        return 0;
    if (error.meaning != NATS_MEANING_NO_STREAM) {
        *err = answer;
        return -1;
    }
    struct buf body = {0};
    struct json_writer w = {.out = &body};
    json_open_object(&w, NULL);
    json_put_text(&w, "name", p->options->stream);
    json_open_array(&w, "subjects");
    json_put_text(&w, NULL, p->options->subject);
    json_close_array(&w);
    json_put_text(&w, "storage", "file");
    json_put_u64(&w, "num_replicas", 1);
    json_put_text(&w, "retention", p->options->retention);
    json_close_object(&w);
    int result = call(p, "STREAM.CREATE", buf_slice(&body), err);
    buf_free(&body);
    if (result < 0)
        return -1;
    return nats_api_reply(buf_slice(&p->answer), &p->arena, &error, err) == NULL ? -1 : 0;
}

static void write_subject(struct publisher *p)
{
    char simulation[LOAD_SIMULATION_MAX];
    const char *rest = p->options->subject, *star = strchr(rest, '*');
    buf_reset(&p->subject);
    if (star != NULL) {
        bool corrupt;
        load_simulation(p->load, index_of(p->options, p->sent, &corrupt), simulation);
        buf_append(&p->subject, rest, (size_t)(star - rest));
        buf_append_text(&p->subject, simulation[0] == '\0' || corrupt ? "none" : simulation);
        rest = star + 1;
    }
    buf_append_text(&p->subject, rest);
}

static void write_header(struct publisher *p)
{
    char id[64];
    bool corrupt;
    uint64_t index = index_of(p->options, p->sent, &corrupt);
    buf_reset(&p->header);
    if (!p->options->deduplicate)
        return;
    int len = snprintf(id, sizeof(id), "%s%" PRIu64 "-%" PRIu64, corrupt ? "corrupt-" : "",
                       p->load->seed, index);
    ASSERT(len > 0 && (size_t)len < sizeof(id));
    nats_header_begin(&p->header);
    nats_header_add(&p->header, "Nats-Msg-Id", slice_of(id));
    nats_header_end(&p->header);
}

static void send_one(struct publisher *p)
{
    size_t prefix = p->inbox.len;
    buf_append_decimal(&p->inbox, p->sent);
    buf_reset(&p->message);
    write_subject(p);
    write_header(p);
    publish_message(p->options, p->load, p->sent, &p->message);
    nats_command_publish(&p->client.out, buf_slice(&p->subject), buf_slice(&p->inbox),
                         buf_slice(&p->header), buf_slice(&p->message));
    p->inbox.len = prefix;
    p->waiting[p->sent % WINDOW] = true;
    p->sent++;
}

static int subscribe(struct publisher *p, struct err *err)
{
    nats_client_inbox(&p->client, &p->inbox);
    buf_append_text(&p->inbox, ".*");
    if (nats_client_subscribe(&p->client, buf_slice(&p->inbox), NULL, 0) == 0)
        return err_set(err, ERR_LIMIT, "no subscription is left");
    p->inbox.len--; /* the number of a message stands where the * was */
    return 0;
}

static int publish_all(struct publisher *p, struct err *err)
{
    const uint64_t total = p->options->count + p->options->corrupt;
    const uint64_t rate = p->options->rate;
    int64_t start = clock_monotonic();
    int64_t progress = start; /* when the last confirmation came */
    while (p->confirmed < total) {
        int64_t now = clock_monotonic();
        double due = rate == 0 ? (double)total : (double)(now - start) / 1e9 * (double)rate + 1;
        while (p->sent < total && (double)p->sent < due && p->sent - p->oldest < WINDOW &&
               p->client.out.len < OUTPUT_TARGET)
            send_one(p);
        uint64_t confirmed = p->confirmed;
        if (pump(p, rate == 0 ? PATIENCE : CLOCK_MILLISECOND, err) != 0)
            return -1;
        if (p->confirmed > confirmed || p->sent == p->oldest)
            progress = now;
        if (now - progress > ACK_TIMEOUT_S * CLOCK_SECOND)
            return err_set(err, ERR_NETWORK, "no confirmation for %d s", ACK_TIMEOUT_S);
    }
    p->result->published = p->confirmed;
    p->result->seconds = (double)(clock_monotonic() - start) / 1e9;
    return 0;
}

int publish_run(const struct publish_options *options, const struct load *load,
                struct publish_result *result, struct err *err)
{
    *result = (struct publish_result){0};
    struct publisher p = {.options = options, .load = load, .result = result};
    int status = 0;
    if (open_connection(&p, err) != 0)
        status = -1;
    else if (make_stream(&p, err) != 0 || subscribe(&p, err) != 0 || publish_all(&p, err) != 0)
        status = err_prefix(err, "%s", options->stream);
    stream_close(&p.stream);
    nats_client_free(&p.client);
    arena_free(&p.arena);
    buf_free(&p.answer);
    buf_free(&p.inbox);
    buf_free(&p.subject);
    buf_free(&p.header);
    buf_free(&p.message);
    return status;
}
