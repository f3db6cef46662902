/* SPDX-License-Identifier: MIT */
#include "net/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "test.h"

/* A server on a loopback port, with a clock of its own, and its clients in the same process. */
static struct http_server server;
static int64_t now = CLOCK_SECOND;
static struct buf body;
static int answered;
static int64_t next_turn; /* as http_turn said */

static struct http_response answer(void *context, struct slice path, int64_t when)
{
    EXPECT(context == NULL && when == now);
    answered++;
    return (struct http_response){.status = slice_is(path, "/") ? 200 : 404,
                                  .type = "text/plain",
                                  .fields = "X-Test: yes\r\n",
                                  .body = buf_slice(&body)};
}

static void start(void)
{
    struct err err = {0};
    EXPECT(http_listen(&server, "127.0.0.1:0", answer, NULL, &err) == 0);
}

static uint16_t port_of_server(void)
{
    const char *colon = strrchr(server.address, ':');
    uint64_t port = 0;
    EXPECT(colon != NULL && num_parse_u64(slice_of(colon + 1), &port));
    return (uint16_t)port;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port_of_server())};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

/* One turn of the loop that owns the server: waits a little for something to happen. */
static void turn(void)
{
    struct net_wait list[HTTP_WAITS_MAX];
    size_t count = http_waits(&server, list);
    net_wait(list, count, clock_monotonic() + 20 * CLOCK_MILLISECOND);
    next_turn = http_turn(&server, list, count, now);
}

static void say(int fd, const char *text)
{
    EXPECT(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* All that the server says until it closes, while the loop turns. */
static const char *listen_to(int fd, struct buf *heard)
{
    for (int i = 0; i < 500; i++) {
        uint8_t block[65536];
        ssize_t got = recv(fd, block, sizeof(block), MSG_DONTWAIT);
        if (got > 0)
            buf_append(heard, block, (size_t)got);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return buf_text(heard);
        if (got < 0)
            turn();
    }
    EXPECT(false); /* the server closed the connection */
    return "";
}

static void expect_answer(const char *request, const char *status_line, const char *end_of_answer)
{
    struct buf heard = {0};
    int fd = dial();
    say(fd, request);
    const char *text = listen_to(fd, &heard);
    EXPECT(strncmp(text, status_line, strlen(status_line)) == 0);
    size_t len = strlen(end_of_answer);
    EXPECT(heard.len >= len);
    EXPECT_TEXT(text + heard.len - len, end_of_answer);
    EXPECT(close(fd) == 0);
    buf_free(&heard);
}

static void finish(void)
{
    http_close(&server);
    buf_free(&body);
}

TEST(http_answers)
{
    start();
    buf_append_text(&body, "hello");
    expect_answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
    expect_answer("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n",
                  "X-Test: yes\r\n\r\n");
    expect_answer("GET /x HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "hello");
    EXPECT_I64(answered, 3);
    expect_answer("PUT / HTTP/1.1\r\nHost: a\r\n\r\nbody", "HTTP/1.1 405 Method Not Allowed\r\n",
                  "405 Method Not Allowed\n");
    expect_answer("GET\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "400 Bad Request\n");
    EXPECT_I64(answered, 3); /* what is refused does not reach the owner */
    finish();
}

TEST(http_says_what_it_must)
{
    struct buf heard = {0};
    start();
    buf_append_text(&body, "12345");
    int fd = dial();
    say(fd, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *text = listen_to(fd, &heard);
    EXPECT(strstr(text, "\r\nContent-Length: 5\r\n") != NULL);
    EXPECT(strstr(text, "\r\nConnection: close\r\n") != NULL);
    EXPECT(strstr(text, " GMT\r\n") != NULL);
    buf_reset(&heard);
    EXPECT(close(fd) == 0);
    fd = dial();
    say(fd, "DELETE / HTTP/1.0\r\n\r\n");
    EXPECT(strstr(listen_to(fd, &heard), "\r\nAllow: GET, HEAD\r\n") != NULL);
    EXPECT(close(fd) == 0);
    buf_free(&heard);
    finish();
}

TEST(http_byte_by_byte)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct buf heard = {0};
    start();
    int fd = dial();
    for (const char *c = request; *c != '\0'; c++) {
        EXPECT(send(fd, c, 1, MSG_NOSIGNAL) == 1);
        turn();
    }
    EXPECT(strncmp(listen_to(fd, &heard), "HTTP/1.1 200", 12) == 0);
    EXPECT(close(fd) == 0);
    buf_free(&heard);
    finish();
}

static int64_t example_wall(void *context)
{
    (void)context;
    return INT64_C(784111777) * CLOCK_SECOND + 5;
}

static int64_t example_monotonic(void *context)
{
    static int64_t time; /* moves, so that waits end */
    (void)context;
    return time += 20 * CLOCK_MILLISECOND;
}

/* The example of RFC 9110, section 5.6.7. */
TEST(http_date)
{
    static const struct clock example = {example_monotonic, example_wall, NULL};
    struct buf heard = {0};
    clock_replace(&example);
    start();
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *text = listen_to(fd, &heard);
    EXPECT(strstr(text, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") != NULL);
    EXPECT(close(fd) == 0);
    buf_free(&heard);
    finish();
    clock_replace(NULL);
}

TEST(http_head_too_large)
{
    char request[HTTP_HEAD_MAX + 1];
    memset(request, 'a', HTTP_HEAD_MAX);
    memcpy(request, "GET /", 5);
    request[HTTP_HEAD_MAX] = '\0';
    start();
    expect_answer(request, "HTTP/1.1 431 ", "431 Request Header Fields Too Large\n");
    finish();
}

/* A request that does not come is answered with 408; one that drips does not last longer. */
TEST(http_slow_request)
{
    struct buf heard = {0};
    start();
    int fd = dial();
    say(fd, "GET / HT");
    for (int i = 0; i < 3; i++)
        turn();
    now += HTTP_TIME_MAX - 1;
    say(fd, "T");
    turn();
    turn();
    EXPECT(recv(fd, &(char){0}, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    EXPECT_I64(next_turn, now + 1);
    now += 1;
    EXPECT(strncmp(listen_to(fd, &heard), "HTTP/1.1 408 ", 13) == 0);
    EXPECT(close(fd) == 0);
    buf_free(&heard);
    finish();
}

/* An answer that nobody reads is given up, and its memory with it. */
TEST(http_slow_reader)
{
    start();
    buf_reserve(&body, 64 << 20); /* more than sockets buffer */
    memset(body.data, 'x', 64 << 20);
    body.len = 64 << 20;
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 200 && answered == 0; i++)
        turn();
    EXPECT_I64(answered, 1);
    turn();
    now += HTTP_TIME_MAX;
    turn();
    EXPECT_I64(next_turn, INT64_MAX); /* no connection is left */
    EXPECT(close(fd) == 0);
    finish();
}

/* A client that neither reads to the end nor closes does not keep its place. */
TEST(http_lingering)
{
    start();
    buf_append_text(&body, "hello");
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 200 && answered == 0; i++)
        turn();
    EXPECT_I64(next_turn, now + HTTP_LINGER);
    now += HTTP_LINGER;
    turn();
    EXPECT_I64(next_turn, INT64_MAX);
    EXPECT(close(fd) == 0);
    finish();
}

/* Idle connections, however many, keep nobody else out. */
TEST(http_too_many)
{
    int idle[3 * HTTP_CONNECTIONS_MAX];
    struct net_wait list[HTTP_WAITS_MAX];
    start();
    buf_append_text(&body, "hello");
    for (size_t i = 0; i < 3 * HTTP_CONNECTIONS_MAX; i++) {
        idle[i] = dial();
        say(idle[i], "GET / HTTP/1.1\r\n");
        turn();
    }
    EXPECT_U64(http_waits(&server, list), HTTP_WAITS_MAX);
    expect_answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "hello");
    for (size_t i = 0; i < 3 * HTTP_CONNECTIONS_MAX; i++)
        EXPECT(close(idle[i]) == 0);
    finish();
}

/* Where all are being answered, one more is told so. */
TEST(http_busy)
{
    int busy[HTTP_CONNECTIONS_MAX];
    struct buf heard = {0};
    start();
    buf_reserve(&body, 16 << 20);
    memset(body.data, 'x', 16 << 20);
    body.len = 16 << 20;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        busy[i] = dial();
        say(busy[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (int i = 0; i < 500 && answered < HTTP_CONNECTIONS_MAX; i++)
        turn();
    EXPECT_I64(answered, HTTP_CONNECTIONS_MAX);
    int fd = dial();
    EXPECT(strncmp(listen_to(fd, &heard), "HTTP/1.1 503 ", 13) == 0);
    EXPECT(close(fd) == 0);
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        EXPECT(close(busy[i]) == 0);
    buf_free(&heard);
    finish();
}

TEST(http_client_that_leaves)
{
    start();
    for (int i = 0; i < 50; i++) {
        int fd = dial();
        if (i % 2 == 0)
            say(fd, "GET / HT");
        EXPECT(close(fd) == 0);
        turn();
    }
    for (int i = 0; i < 100 && next_turn != INT64_MAX; i++)
        turn();
    EXPECT_I64(next_turn, INT64_MAX);
    expect_answer("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "");
    finish();
}

static void expect_refused(const char *address, const char *text)
{
    struct http_server s;
    struct err err = {0};
    EXPECT(http_listen(&s, address, answer, NULL, &err) == -1);
    EXPECT(err.code == ERR_USAGE);
    EXPECT_TEXT(err.text, text);
    http_close(&s);
}

TEST(http_address_that_is_taken)
{
    struct buf text = {0};
    start();
    buf_printf(&text, "%s: %s; name another address, or off", server.address, strerror(EADDRINUSE));
    expect_refused(server.address, buf_text(&text));
    buf_free(&text);
    finish();
}

TEST(http_addresses)
{
    struct http_server s;
    struct err err = {0};
    expect_refused("127.0.0.1", "127.0.0.1 is not host:port");
    expect_refused("127.0.0.1:65536", "127.0.0.1:65536 is not host:port");
    expect_refused("127.0.0.1:", "127.0.0.1: is not host:port");
    EXPECT(http_listen(&s, "", answer, NULL, &err) == 0); /* off */
    struct net_wait list[HTTP_WAITS_MAX];
    EXPECT_U64(http_waits(&s, list), 0);
    EXPECT_I64(http_turn(&s, list, 0, now), INT64_MAX);
    http_close(&s);
    if (http_listen(&s, "[::1]:0", answer, NULL, &err) == 0) /* a host may have no IPv6 */
        EXPECT(strncmp(s.address, "[::1]:", 6) == 0);
    http_close(&s);
}

/* What comes back for a request with this field, as the first line. */
static void expect_status(const char *field, const char *status)
{
    struct buf request = {0};
    char answer[4096] = "";
    buf_printf(&request, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", field);
    int fd = dial();
    EXPECT(send(fd, request.data, request.len, 0) == (ssize_t)request.len);
    for (int i = 0; i < 100 && answer[0] == '\0'; i++) {
        turn();
        ssize_t got = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
        if (got > 0)
            answer[got] = '\0';
    }
    EXPECT(strncmp(answer, status, strlen(status)) == 0);
    EXPECT(close(fd) == 0);
    buf_free(&request);
}

/* RFC 6750 section 2.1; the scheme is written in any case (RFC 9110 section 11.1). */
TEST(net_http_asks_for_its_token)
{
    start();
    server.token = "tOken-1";
    expect_status("", "HTTP/1.1 401 ");
    expect_status("Authorization: Bearer tOken-1\r\n", "HTTP/1.1 200 ");
    expect_status("authorization:bearer tOken-1 \r\n", "HTTP/1.1 200 ");
    expect_status("Authorization: Bearer token-1\r\n", "HTTP/1.1 401 ");
    expect_status("Authorization: Bearer tOken-12\r\n", "HTTP/1.1 401 ");
    expect_status("Authorization: Bearer tOken-\r\n", "HTTP/1.1 401 ");
    expect_status("Authorization: Bearer \r\n", "HTTP/1.1 401 ");
    expect_status("Authorization: Basic tOken-1\r\n", "HTTP/1.1 401 ");
    EXPECT_I64(answered, 2);
    http_close(&server);
}
