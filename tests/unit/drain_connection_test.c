/* SPDX-License-Identifier: MIT */
#include "drain/connection.h"

#include <unistd.h>
#include <errno.h>
#include <stdlib.h>

#include "test.h"

/*
 * A connection over a network and under a clock of the test's own: what the server says is put into
 * `input`, what it hears is in `output`, and time stands still until the test lets it go on.
 */
static struct {
    int64_t now;
    struct buf input, output;
    int open; /* handles */
    bool writable, broken, ended;
} net;

static int64_t now_of(void *context)
{
    (void)context;
    return net.now;
}

static int resolve(void *context, const char *host, uint16_t port, struct net_addresses *out,
                   struct err *err)
{
    (void)context;
    (void)host;
    (void)port;
    (void)err;
    out->count = 1;
    return 1;
}

static int begin(void *context, const struct net_address *to, struct err *err)
{
    (void)context;
    (void)to;
    (void)err;
    net.open++;
    return 7;
}

static enum net_io connected(void *context, int handle, struct err *err)
{
    (void)context;
    (void)err;
    EXPECT_I64(handle, 7);
    return NET_IO_DONE;
}

static enum net_io read_input(void *context, int handle, void *data, size_t len, size_t *done,
                              struct err *err)
{
    (void)context;
    EXPECT_I64(handle, 7);
    if (net.input.len == 0 && net.ended)
        err_set(err, ERR_NETWORK, "the end");
    if (net.input.len == 0)
        return net.ended ? NET_IO_DEAD : NET_IO_AGAIN;
    *done = net.input.len < len ? net.input.len : len;
    memcpy(data, net.input.data, *done);
    buf_consume(&net.input, *done);
    return NET_IO_DONE;
}

static enum net_io write_output(void *context, int handle, const void *data, size_t len,
                                size_t *done, struct err *err)
{
    (void)context;
    EXPECT_I64(handle, 7);
    if (net.broken)
        err_set_system(err, EPIPE, "writing failed");
    if (net.broken || !net.writable)
        return net.broken ? NET_IO_DEAD : NET_IO_AGAIN;
    buf_append(&net.output, data, len);
    *done = len;
    return NET_IO_DONE;
}

static void close_handle(void *context, int handle)
{
    (void)context;
    EXPECT_I64(handle, 7);
    net.open--;
}

static const struct network network = {
    .resolve = resolve,
    .connect = begin,
    .connected = connected,
    .read = read_input,
    .write = write_output,
    .close = close_handle,
};

static const struct clock test_clock = {now_of, now_of, NULL};

static struct connection connection;
static int64_t next_turn;

static struct config *configure(const char *url, const char *user, const char *password)
{
    struct config *config = calloc(1, sizeof(*config));
    struct err err = {0};
    struct buf set = {0};
    EXPECT(config != NULL);
    config_init(config);
    buf_printf(&set, "nats.servers=%s", url);
    EXPECT(config_set(config, buf_text(&set), &err) == 0);
    buf_reset(&set);
    buf_printf(&set, "nats.user=%s", user);
    EXPECT(config_set(config, buf_text(&set), &err) == 0);
    buf_reset(&set);
    buf_printf(&set, "nats.password=%s", password);
    EXPECT(config_set(config, buf_text(&set), &err) == 0);
    buf_free(&set);
    return config;
}

static void forget(struct config *config)
{
    config_free(config);
    free(config);
}

static void start(const struct config *config)
{
    struct err err = {0};
    net.now = 1000 * CLOCK_SECOND;
    net.writable = true;
    clock_replace(&test_clock);
    network_replace(&network);
    log_configure(LOG_OFF, LOG_LOGFMT);
    EXPECT(connection_init(&connection, config, &err) == 0);
}

/* One turn; returns the kind of the last event, or -1. */
static int turn(bool ready)
{
    struct nats_event event;
    int last = -1;
    connection_turn(&connection, ready, net.now);
    while (connection_next(&connection, net.now, &event))
        last = (int)event.kind;
    next_turn = connection_flush(&connection, net.now);
    return last;
}

static void say(const char *text)
{
    buf_append_text(&net.input, text);
}

static void say_info(void)
{
    say("INFO {\"server_id\":\"x\",\"version\":\"2.10.0\",\"proto\":1,\"headers\":true,"
        "\"max_payload\":1048576}\r\n");
}

static void get_ready(void)
{
    say_info();
    (void)turn(true);
    (void)turn(true);
    say("PONG\r\n");
    EXPECT_I64(turn(true), NATS_EVENT_READY);
}

static void finish(void)
{
    connection_free(&connection);
    EXPECT_I64(net.open, 0);
    buf_free(&net.input);
    buf_free(&net.output);
}

static bool heard(const char *text)
{
    return strstr(buf_text(&net.output), text) != NULL;
}

/* While the server has not said INFO, the configuration is read again, and again. What this attempt
 * says is what it began with: its memory is its own. */
TEST(connection_keeps_the_credentials_of_its_attempt)
{
    struct config *first = configure("nats://h:4222", "first", "one"),
                  *second = configure("nats://h:4222", "second", "two"),
                  *third = configure("nats://h:4222", "third", "three");
    start(first);
    connection_set_credentials(&connection, &second->nats);
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_GREETING);
    connection_set_credentials(&connection, &third->nats);
    forget(second);
    forget(third);
    say_info();
    (void)turn(true);
    EXPECT(heard("\"user\":\"second\",\"pass\":\"two\""));
    EXPECT(!heard("third") && !heard("first"));
    /* The next connection uses the newest. */
    connection_drop(&connection, "test", net.now);
    net.now = connection.pool.retry_at;
    (void)turn(false);
    say_info();
    (void)turn(true);
    EXPECT(heard("\"user\":\"third\",\"pass\":\"three\""));
    finish();
    forget(first);
}

/* Those of a URL go before; and the pool, which has the URL, may move meanwhile. */
TEST(connection_keeps_the_credentials_of_its_url)
{
    struct config *config = configure("nats://u:p%40w@h:4222", "other", "one");
    start(config);
    (void)turn(false);
    memset(connection.pool.servers, 'x', sizeof(connection.pool.servers[0]));
    say_info();
    (void)turn(true);
    EXPECT(heard("\"user\":\"u\",\"pass\":\"p@w\""));
    finish();
    forget(config);
}

static void hang(void *context)
{
    char byte;
    const int *pipe = context;
    EXPECT(read(pipe[0], &byte, 1) == 1);
}

static void forget_nothing(void *context)
{
    (void)context;
}

/* The password is on a file system that hangs: the loop goes on, and so do we when it does. */
TEST(connection_does_not_wait_for_its_files)
{
    struct config *config = configure("nats://h:4222", "u", "");
    static int gate[2];
    EXPECT(pipe(gate) == 0);
    start(config);
    struct errand_job job = {hang, forget_nothing, gate};
    connection.ahead.errand = errand_begin(&job, true, (struct waker){0});
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_READING && connection_wait(&connection).handle == -1);
    EXPECT_I64(net.open, 0);
    net.now += NATS_CONNECT_TIMEOUT;
    EXPECT_I64(next_turn, net.now);
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_WAITING);
    EXPECT(connection.trouble == TROUBLE_LOGIN_FILE);
    EXPECT(strstr(connection.failure.text, "takes too long") != NULL);
    net.now = connection.pool.retry_at;
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_READING); /* one is enough: it hangs still */
    EXPECT(write(gate[1], "x", 1) == 1);
    while (!errand_is_done(connection.ahead.errand))
        (void)usleep(1000);
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_GREETING && net.open == 1);
    /* Somebody names other files while these hang. */
    connection_drop(&connection, "test", net.now);
    connection.ahead.errand = errand_begin(&job, true, (struct waker){0});
    net.now = connection.pool.retry_at;
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_READING);
    connection_set_credentials(&connection, &config->nats);
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_GREETING);
    EXPECT(write(gate[1], "x", 1) == 1); /* for the one that was left */
    finish();
    forget(config);
}

/* A server that refuses us says why, and closes: our next write fails before we have read it. */
TEST(connection_reads_what_was_said_before_a_write_failed)
{
    struct config *config = configure("nats://h:4222", "u", "wrong");
    start(config);
    say_info();
    (void)turn(true);
    (void)turn(true);
    say("-ERR 'Authorization Violation'\r\n");
    net.broken = true;
    net.ended = true;
    buf_append_text(&connection.client.out, "PONG\r\n");
    connection_turn(&connection, false, net.now);
    (void)connection_flush(&connection, net.now);
    EXPECT(connection.state == CONNECTION_GREETING);
    EXPECT(connection_wait(&connection).want == NET_READABLE); /* or the wait would not wait */
    EXPECT_I64(turn(false), NATS_EVENT_SERVER_ERROR);
    EXPECT(connection.state == CONNECTION_WAITING);
    EXPECT(strstr(connection.failure.text, "Authorization Violation") != NULL);
    EXPECT(connection.slow_retry);
    finish();
    forget(config);
}

/* Where nothing was said, the write's own failure is the reason, at the next turn. */
TEST(connection_that_can_not_be_written_to_is_over)
{
    struct config *config = configure("nats://h:4222", "u", "p");
    start(config);
    get_ready();
    net.broken = true;
    buf_append_text(&connection.client.out, "PING\r\n");
    (void)turn(false);
    EXPECT(connection_is_ready(&connection));
    EXPECT(next_turn <= net.now);
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_WAITING && connection_take_lost(&connection));
    EXPECT(strstr(connection.failure.text, "writing failed") != NULL);
    finish();
    forget(config);
}

/* Each state says when it wants to be called, and is called in vain before. */
TEST(connection_says_when_its_next_turn_is_due)
{
    struct config *config = configure("nats://h:4222", "u", "p");
    start(config);
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_GREETING);
    EXPECT_I64(next_turn, net.now + NATS_CONNECT_TIMEOUT);
    net.now = next_turn - 1;
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_GREETING);
    net.now++;
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_WAITING);
    EXPECT_I64(next_turn, connection.pool.retry_at);
    net.now = next_turn;
    (void)turn(false);
    get_ready();
    EXPECT_I64(next_turn, net.now + NATS_PING_INTERVAL);
    net.writable = false;
    buf_append_text(&connection.client.out, "PUB x 0\r\n\r\n");
    (void)turn(false);
    EXPECT((connection_wait(&connection).want & NET_WRITABLE) != 0);
    EXPECT_I64(next_turn, net.now + NATS_PING_INTERVAL); /* which is before it counts as stuck */
    int64_t begun = net.now;
    net.now = begun + CONNECTION_STUCK_MAX - 1;
    (void)turn(false);
    EXPECT(connection_is_ready(&connection));
    EXPECT_I64(next_turn, begun + CONNECTION_STUCK_MAX);
    net.now++;
    (void)turn(false);
    EXPECT(connection.state == CONNECTION_WAITING);
    EXPECT(next_turn <= net.now); /* somebody has to be told that it was lost */
    EXPECT(connection_take_lost(&connection));
    finish();
    forget(config);
}
