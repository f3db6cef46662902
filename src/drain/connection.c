/* SPDX-License-Identifier: MIT */
#include "drain/connection.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/version.h"
#include "nats/api.h"

/* "" is how the configuration says that something is not set; the engine says NULL. */
static const char *given(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

void connection_set_credentials(struct connection *c, const struct config_nats *nats)
{
    login_configure(&c->login, nats);
    secure_configure(&c->secure, &nats->tls);
    c->look_at = 0;
    ahead_forget(&c->ahead, true);
    if (c->state == CONNECTION_READING)
        c->state = CONNECTION_WAITING;
    if (c->state == CONNECTION_WAITING)
        c->pool.retry_at = 0; /* somebody has done something about it */
}

static void set_api_prefix(struct connection *c, const struct config_nats *nats)
{
    if (nats->domain[0] != '\0')
        nats_api_domain_prefix(&c->api_prefix, nats->domain);
    else
        buf_append_text(&c->api_prefix, nats->api_prefix);
    c->options.api_prefix = given(buf_text(&c->api_prefix));
}

int connection_init(struct connection *c, const struct config *config, struct err *err)
{
    *c = (struct connection){.state = CONNECTION_WAITING, .down_since = clock_wall()};
    c->connecting.handle = -1;
    c->connecting.resolve.fd = -1;
    c->options = (struct nats_options){
        .name = config->nats.name,
        .version = varve_version,
    };
    set_api_prefix(c, &config->nats);
    connection_set_credentials(c, &config->nats);
    if (random_bytes(c->options.random_key, sizeof(c->options.random_key), err) != 0)
        return -1;
    nats_pool_init(&c->pool, c->options.random_key);
    for (size_t i = 0; i < config->nats.servers.count; i++)
        if (nats_pool_add(&c->pool, slice_of(config->nats.servers.items[i]), err) != 0)
            return err_prefix(err, "nats.servers[%zu]", i);
    nats_pool_shuffle(&c->pool);
    return 0;
}

void connection_free(struct connection *c)
{
    net_connect_cancel(&c->connecting);
    stream_close(&c->stream);
    nats_client_free(&c->client);
    nats_pool_free(&c->pool);
    ahead_forget(&c->ahead, true);
    secure_free(&c->secure);
    buf_free(&c->api_prefix);
    login_free(&c->login);
    buf_free(&c->refusal);
    buf_free(&c->reasons);
    buf_free(&c->exposed);
}

bool connection_is_ready(const struct connection *c)
{
    return c->state == CONNECTION_READY;
}

static bool is_talking(const struct connection *c)
{
    return c->state == CONNECTION_GREETING || c->state == CONNECTION_READY;
}

static void log_down(const struct connection *c, const char *event, const char *reason, int64_t now)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, event);
    log_text(&line, "server", c->address);
    log_text(&line, "reason", reason);
    log_seconds(&line, "retry_in", c->pool.retry_at > now ? c->pool.retry_at - now : 0);
    log_end(&line);
}

static void fail(struct connection *c, const char *reason, int64_t now)
{
    bool was_ready = c->state == CONNECTION_READY;
    if (c->refusal.len > 0)
        reason = buf_text(&c->refusal);
    login_forget(&c->login);
    ahead_forget(&c->ahead, false);
    nats_pool_blame(&c->pool, reason);
    buf_reset(&c->reasons);
    trouble_list(&c->pool, &c->reasons);
    net_connect_cancel(&c->connecting);
    stream_close(&c->stream);
    nats_pool_failed(&c->pool, c->slow_retry, now);
    c->state = CONNECTION_WAITING;
    c->lost = c->lost || was_ready;
    if (c->down_since == 0)
        c->down_since = clock_wall();
    err_clear(&c->failure);
    err_set(&c->failure, ERR_NETWORK, "%s: %s", c->address, reason);
    log_down(c, was_ready ? "disconnected" : "connect_failed", reason, now);
}

void connection_drop(struct connection *c, const char *reason, int64_t now)
{
    if (c->state != CONNECTION_WAITING)
        fail(c, reason, now);
}

struct net_wait connection_wait(const struct connection *c)
{
    if (c->state == CONNECTION_CONNECTING)
        return net_connect_wait(&c->connecting);
    if (c->state == CONNECTION_WAITING || c->state == CONNECTION_READING)
        return (struct net_wait){.handle = -1};
    return stream_wait(c->stream, c->client.out.len > 0 && !err_is_set(&c->broken));
}

/* When the next turn is due. */
static int64_t next_turn(const struct connection *c)
{
    if (c->lost)
        return 0; /* somebody has to be told */
    switch (c->state) {
    case CONNECTION_WAITING:
        return c->pool.retry_at;
    case CONNECTION_READING:
        return c->read_by;
    case CONNECTION_CONNECTING:
        return c->connecting.step_at;
    case CONNECTION_SECURING:
    case CONNECTION_GREETING:
    case CONNECTION_READY:
        break;
    }
    if (err_is_set(&c->broken))
        return 0;
    int64_t deadline = nats_client_deadline(&c->client);
    if (c->stuck_since != 0 && c->stuck_since + CONNECTION_STUCK_MAX < deadline)
        deadline = c->stuck_since + CONNECTION_STUCK_MAX;
    return deadline;
}

/* What a server hears first is who we are: it does not wait for us to find out. */
static void begin(struct connection *c, int64_t now)
{
    nats_url_format(&nats_pool_current(&c->pool)->url, c->address);
    c->slow_retry = false;
    buf_reset(&c->refusal);
    c->state = CONNECTION_READING;
    c->read_by = now + NATS_CONNECT_TIMEOUT;
    (void)ahead_begin(&c->ahead, &c->login, &c->secure, &nats_pool_current(&c->pool)->url);
}

static void step_reading(struct connection *c, int64_t now)
{
    const struct nats_server *server = nats_pool_current(&c->pool);
    struct err err = {0};
    if (c->ahead.errand != NULL && !ahead_is_done(&c->ahead)) {
        if (now < c->read_by)
            return;
        c->trouble = TROUBLE_LOGIN_FILE;
        fail(c,
             "reading the files of nats in the configuration takes too long: the file system "
             "or the network behind it hangs",
             now);
        return;
    }
    c->trouble = TROUBLE_UNREACHABLE;
    c->state = CONNECTION_CONNECTING;
    if (net_connect_start(&c->connecting, server->url.host, server->url.port,
                          now + NATS_CONNECT_TIMEOUT, &err) != 0)
        fail(c, err.text, now);
}

/* TLS before anything else is said. What keeps it from working lasts, as a rule: no hurry. */
static void start_tls(struct connection *c, int64_t now)
{
    struct err err = {0};
    ahead_use(&c->ahead);
    int result = secure_start(&c->secure, nats_pool_current(&c->pool), &c->stream, &err);
    secret_read_from(NULL);
    if (result == 0) {
        c->state = CONNECTION_SECURING;
        return;
    }
    c->slow_retry = true;
    c->trouble = TROUBLE_TLS;
    fail(c, err.text, now);
}

/* Who we are is read for each connection. */
static bool prepare_login(struct connection *c, int64_t now)
{
    struct err err = {0};
    const struct nats_url *url = &nats_pool_current(&c->pool)->url;
    ahead_use(&c->ahead);
    int result = login_prepare(&c->login, url, &c->options.credentials, &err);
    secret_read_from(NULL);
    if (result != 0) {
        c->trouble = TROUBLE_LOGIN_FILE;
        fail(c, err.text, now);
        return false;
    }
    trouble_log_exposed(&c->exposed, &c->login.exposed);
    return true;
}

/* The server will close the connection when they run out. */
static void watch_expiry(struct connection *c, int64_t now)
{
    if (clock_wall() < login_expires_soon(&c->login))
        return;
    if (now >= c->look_at) {
        c->look_at = now + CONNECTION_LOOK_INTERVAL;
        (void)ahead_begin(&c->ahead, &c->login, &c->secure, &nats_pool_current(&c->pool)->url);
    }
    if (!ahead_is_done(&c->ahead))
        return;
    ahead_use(&c->ahead);
    c->told_expiry = login_look(&c->login, &nats_pool_current(&c->pool)->url, c->told_expiry);
    secret_read_from(NULL);
    ahead_forget(&c->ahead, true);
}

static void step_connect(struct connection *c, int64_t now)
{
    struct err err = {0};
    switch (net_connect_step(&c->connecting, now, &c->stream, &err)) {
    case NET_IO_AGAIN:
        return;
    case NET_IO_DEAD:
        fail(c, err.text, now);
        return;
    case NET_IO_DONE:
        if (!prepare_login(c, now))
            return;
        c->secure.active = false;
        c->options.tls = secure_mode(&c->secure, &nats_pool_current(&c->pool)->url);
        nats_client_start(&c->client, &c->options, now);
        c->stuck_since = 0;
        err_clear(&c->broken);
        c->state = CONNECTION_GREETING;
        if (c->options.tls == NATS_TLS_FIRST)
            start_tls(c, now);
        return;
    }
}

static void step_handshake(struct connection *c, int64_t now)
{
    struct err err = {0};
    enum net_io io = stream_handshake(c->stream, &err);
    if (io == NET_IO_AGAIN && now < nats_client_deadline(&c->client))
        return;
    if (io == NET_IO_AGAIN)
        err_set(&err, ERR_NETWORK, "the server did not complete the handshake of TLS in time");
    if (io == NET_IO_DONE) {
        secure_done(&c->secure, c->stream);
        c->state = CONNECTION_GREETING;
        if (c->options.tls == NATS_TLS_FIRST || nats_client_tls_done(&c->client, &err) == 0)
            return;
    }
    c->slow_retry = err.code != ERR_NETWORK;
    c->trouble = c->slow_retry ? TROUBLE_TLS : TROUBLE_UNREACHABLE;
    fail(c, err.text, now);
}

/* The connection is over; `err` says what reading it found. */
static void read_end(struct connection *c, const struct err *err, int64_t now)
{
    const char *reason = err->text;
    if (err->code == ERR_REFUSED) { /* what the peer said tells more than that it is gone */
        c->slow_retry = true;
        c->trouble = TROUBLE_TLS;
    } else if (err_is_set(&c->broken)) {
        reason = c->broken.text;
    } else if (err->system == 0 && !c->secure.active &&
               c->client.session.state == NATS_SESSION_WAIT_INFO) {
        reason = "the server closed the connection without a word: if it wants TLS first, set "
                 "nats.tls.handshake_first";
    }
    fail(c, reason, now);
}

static void read_once(struct connection *c, int64_t now)
{
    struct nats_space space = nats_client_space(&c->client);
    size_t got;
    struct err err = {0};
    switch (stream_read(c->stream, space.data, space.len, &got, &err)) {
    case NET_IO_DONE:
        nats_client_received(&c->client, got, now);
        return;
    case NET_IO_AGAIN:
        if (err_is_set(&c->broken))
            fail(c, c->broken.text, now);
        return;
    case NET_IO_DEAD:
        read_end(c, &err, now);
        return;
    }
}

void connection_turn(struct connection *c, bool ready, int64_t now)
{
    if (c->state == CONNECTION_WAITING && now >= c->pool.retry_at)
        begin(c, now);
    if (c->state == CONNECTION_READING)
        step_reading(c, now);
    if (c->state == CONNECTION_CONNECTING)
        step_connect(c, now);
    if (c->state == CONNECTION_SECURING)
        step_handshake(c, now);
    else if (is_talking(c) && (ready || err_is_set(&c->broken)))
        read_once(c, now);
    if (c->state == CONNECTION_READY)
        watch_expiry(c, now);
}

static void became_ready(struct connection *c, int64_t now)
{
    c->state = CONNECTION_READY;
    login_forget(&c->login);
    ahead_forget(&c->ahead, true);
    c->told_expiry = false;
    c->denied = (struct denied){0};
    c->look_at = now;
    buf_reset(&c->reasons);
    nats_pool_ready(&c->pool, now);
    nats_pool_merge(&c->pool, &c->client.session.info);
    c->ready_count++;
    const struct nats_info *info = &c->client.session.info;
    struct log_line line;
    log_begin(&line, LOG_INFO, "connected");
    log_text(&line, "server", c->address);
    log_bytes(&line, "name", info->server_name.data, info->server_name.len);
    log_bytes(&line, "version", info->version_text.data, info->version_text.len);
    if (c->ready_count > 1)
        log_seconds(&line, "outage", clock_wall() - c->down_since);
    log_end(&line);
    c->down_since = 0;
}

static void take_server_error(struct connection *c, const struct nats_server_error *error,
                              int64_t now)
{
    denied_note(&c->denied, error, now);
    if (error->closes && c->refusal.len == 0) { /* the first one is the cause */
        c->trouble = trouble_of(&c->login, error->kind, clock_wall());
        trouble_describe(&c->login, error, c->state == CONNECTION_READY, clock_wall(), &c->refusal);
    }
    c->slow_retry = c->slow_retry || error->action == NATS_ACTION_RETRY_SLOW;
    struct log_line line;
    log_begin(&line, error->action == NATS_ACTION_RETRY ? LOG_WARNING : LOG_ERROR, "server_error");
    log_text(&line, "server", c->address);
    log_bytes(&line, "text", error->text.data, error->text.len);
    log_end(&line);
}

bool connection_take_lost(struct connection *c)
{
    bool lost = c->lost;
    c->lost = false;
    return lost;
}

bool connection_next(struct connection *c, int64_t now, struct nats_event *event)
{
    if (!is_talking(c))
        return false;
    struct err err = {0};
    int got = nats_client_next(&c->client, now, event, &err);
    if (got < 0) {
        if (c->refusal.len == 0 && c->state == CONNECTION_GREETING && err.code != ERR_NETWORK) {
            c->trouble = TROUBLE_SERVER; /* it is none that we can use */
            c->slow_retry = true;
        }
        fail(c, err.text, now);
        return false;
    }
    if (got > 0 && event->kind == NATS_EVENT_START_TLS) {
        start_tls(c, now);
        if (c->state == CONNECTION_SECURING)
            step_handshake(c, now);
        return false;
    }
    if (got == 0)
        return false;
    if (event->kind == NATS_EVENT_READY)
        became_ready(c, now);
    else if (event->kind == NATS_EVENT_INFO || event->kind == NATS_EVENT_LAME_DUCK)
        nats_pool_merge(&c->pool, &c->client.session.info);
    else if (event->kind == NATS_EVENT_SERVER_ERROR)
        take_server_error(c, &event->error, now);
    return true;
}

/* `written` bytes of what was waiting could be written. */
static void watch_output(struct connection *c, size_t written, int64_t now)
{
    if (written > 0 || c->client.out.len == 0)
        c->stuck_since = 0;
    else if (c->stuck_since == 0)
        c->stuck_since = now;
    else if (now - c->stuck_since >= CONNECTION_STUCK_MAX)
        fail(c, "the server does not read what varve sends", now);
}

int64_t connection_flush(struct connection *c, int64_t now)
{
    struct buf *out = &c->client.out;
    size_t written = 0;
    enum net_io io = NET_IO_DONE;
    if (!is_talking(c) || err_is_set(&c->broken))
        return next_turn(c);
    while (written < out->len && io == NET_IO_DONE) {
        size_t done = 0;
        io = stream_write(c->stream, out->data + written, out->len - written, &done, &c->broken);
        written += done;
    }
    buf_consume(out, written);
    /* A server that closes says why first: what it said is read before this connection is given
     * up. */
    if (io != NET_IO_DEAD)
        watch_output(c, written, now);
    return next_turn(c);
}
