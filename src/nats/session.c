/* SPDX-License-Identifier: MIT */
#include "nats/session.h"

#include "nats/command.h"

void nats_session_start(struct nats_session *s, const struct nats_options *options, int64_t now)
{
    nats_info_free(&s->info);
    *s = (struct nats_session){
        .state = NATS_SESSION_WAIT_INFO,
        .options = options,
        .connect_deadline = now + NATS_CONNECT_TIMEOUT,
        .last_received = now,
    };
}

void nats_session_received(struct nats_session *s, int64_t now)
{
    s->last_received = now;
    s->pings = 0;
}

static int say_connect(struct nats_session *s, struct buf *out, struct err *err)
{
    if (nats_command_connect(out, s->options, &s->info, err) != 0)
        return -1;
    nats_command_ping(out);
    s->state = NATS_SESSION_WAIT_PONG;
    return 0;
}

/* The first INFO: can we live with this server, and is it TLS first or CONNECT? */
static int handle_first_info(struct nats_session *s, bool more, struct buf *out,
                             enum nats_session_event *event, struct err *err)
{
    const struct nats_info *info = &s->info;
    if (!info->headers)
        return err_set(err, ERR_UNSUPPORTED,
                       "the server does not support headers, which JetStream's statuses need");
    switch (s->options->tls) {
    case NATS_TLS_NEVER:
        if (info->tls_required)
            return err_set(err, ERR_REFUSED,
                           "the server requires TLS, which this program does not speak");
        return say_connect(s, out, err);
    case NATS_TLS_IF_REQUIRED:
        if (!info->tls_required)
            return say_connect(s, out, err);
        break;
    case NATS_TLS_FIRST:
        return say_connect(s, out, err);
    case NATS_TLS_REQUIRED:
        break;
    }
    if (!info->tls_required && !info->tls_available)
        return err_set(err, ERR_REFUSED,
                       "the server does not offer TLS, and nats.tls or its tls:// URL asks for it: "
                       "nothing was sent");
    if (more) /* somebody between us could have put it there to have it taken for the server's */
        return err_set(err, ERR_PROTOCOL, "the server sent unencrypted bytes after its INFO");
    s->state = NATS_SESSION_WAIT_TLS;
    *event = NATS_SESSION_START_TLS;
    return 0;
}

static int handle_info(struct nats_session *s, struct slice json, bool more, struct buf *out,
                       enum nats_session_event *event, struct err *err)
{
    if (nats_info_parse(&s->info, json, err) != 0)
        return -1;
    if (s->state == NATS_SESSION_WAIT_INFO)
        return handle_first_info(s, more, out, event, err);
    if (s->state == NATS_SESSION_READY)
        *event = s->info.lame_duck ? NATS_SESSION_LAME_DUCK : NATS_SESSION_NEW_INFO;
    return 0;
}

static int handle_pong(struct nats_session *s, enum nats_session_event *event, struct err *err)
{
    if (s->state == NATS_SESSION_WAIT_INFO || s->state == NATS_SESSION_WAIT_TLS)
        return err_set(err, ERR_PROTOCOL, "the server sent PONG before we said anything");
    if (s->state == NATS_SESSION_WAIT_PONG) {
        s->state = NATS_SESSION_READY;
        *event = NATS_SESSION_BECAME_READY;
    }
    s->probe_deadline = 0;
    return 0;
}

static int handle_frame(struct nats_session *s, const struct nats_frame *frame, bool more,
                        struct buf *out, enum nats_session_event *event,
                        struct nats_server_error *server_error, struct err *err)
{
    switch (frame->kind) {
    case NATS_FRAME_INFO:
        return handle_info(s, frame->text, more, out, event, err);
    case NATS_FRAME_PONG:
        return handle_pong(s, event, err);
    case NATS_FRAME_PING:
        if (out->len < NATS_PONG_BACKLOG_MAX)
            nats_command_pong(out);
        return 0;
    case NATS_FRAME_ERROR:
        *server_error = nats_error_classify(frame->text);
        *event = NATS_SESSION_ERROR;
        if (server_error->closes)
            s->state = NATS_SESSION_DEAD;
        return 0;
    case NATS_FRAME_OK:
        return 0; /* we asked for none, but it does no harm */
    case NATS_FRAME_MESSAGE:
        return err_set(err, ERR_PROTOCOL, "the server sent a message to nobody");
    }
    return 0;
}

int nats_session_frame(struct nats_session *s, const struct nats_frame *frame, bool more,
                       struct buf *out, enum nats_session_event *event,
                       struct nats_server_error *server_error, struct err *err)
{
    *event = NATS_SESSION_NOTHING;
    if (handle_frame(s, frame, more, out, event, server_error, err) != 0) {
        s->state = NATS_SESSION_DEAD;
        return -1;
    }
    return 0;
}

int nats_session_tls_done(struct nats_session *s, struct buf *out, struct err *err)
{
    if (say_connect(s, out, err) != 0) {
        s->state = NATS_SESSION_DEAD;
        return -1;
    }
    return 0;
}

void nats_session_probe(struct nats_session *s, int64_t now, struct buf *out)
{
    if (s->state != NATS_SESSION_READY || s->probe_deadline != 0)
        return;
    s->probe_deadline = now + NATS_PROBE_TIMEOUT;
    nats_command_ping(out);
}

static int tick_connecting(const struct nats_session *s, int64_t now, struct err *err)
{
    if (now < s->connect_deadline)
        return 0;
    const int seconds = (int)(NATS_CONNECT_TIMEOUT / CLOCK_SECOND);
    if (s->state == NATS_SESSION_WAIT_INFO)
        return err_set(err, ERR_NETWORK,
                       "the server said nothing for %d s after it accepted the connection: if it "
                       "wants TLS first, set nats.tls.handshake_first",
                       seconds);
    return err_set(err, ERR_NETWORK, "the server did not complete the login within %d s", seconds);
}

static int64_t next_ping(const struct nats_session *s)
{
    return s->last_received + (int64_t)(s->pings + 1) * NATS_PING_INTERVAL;
}

static int tick_ready(struct nats_session *s, int64_t now, struct buf *out, struct err *err)
{
    if (s->probe_deadline != 0 && now >= s->probe_deadline)
        return err_set(err, ERR_NETWORK, "the server did not answer PING within %d s",
                       (int)(NATS_PROBE_TIMEOUT / CLOCK_SECOND));
    if (now < next_ping(s))
        return 0;
    if (s->pings >= NATS_PINGS_MAX)
        return err_set(err, ERR_NETWORK,
                       "the server sent nothing for %d s and left %d PINGs unanswered",
                       (int)((now - s->last_received) / CLOCK_SECOND), NATS_PINGS_MAX);
    /* After a stop of this process the time of several PINGs may have come: each still gets its
     * interval to be answered. */
    s->pings++;
    if (now >= next_ping(s))
        s->last_received = now - (int64_t)s->pings * NATS_PING_INTERVAL;
    nats_command_ping(out);
    return 0;
}

int nats_session_tick(struct nats_session *s, int64_t now, struct buf *out, struct err *err)
{
    int result = 0;
    switch (s->state) {
    case NATS_SESSION_WAIT_INFO:
    case NATS_SESSION_WAIT_TLS:
    case NATS_SESSION_WAIT_PONG:
        result = tick_connecting(s, now, err);
        break;
    case NATS_SESSION_READY:
        result = tick_ready(s, now, out, err);
        break;
    case NATS_SESSION_DEAD:
        break;
    }
    if (result < 0)
        s->state = NATS_SESSION_DEAD;
    return result;
}

int64_t nats_session_deadline(const struct nats_session *s)
{
    switch (s->state) {
    case NATS_SESSION_WAIT_INFO:
    case NATS_SESSION_WAIT_TLS:
    case NATS_SESSION_WAIT_PONG:
        return s->connect_deadline;
    case NATS_SESSION_READY:
        break;
    case NATS_SESSION_DEAD:
        return INT64_MAX;
    }
    int64_t ping = next_ping(s);
    return s->probe_deadline != 0 && s->probe_deadline < ping ? s->probe_deadline : ping;
}

void nats_session_free(struct nats_session *s)
{
    nats_info_free(&s->info);
    *s = (struct nats_session){0};
}
