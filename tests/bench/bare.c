/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What the server can send at most: a client that makes a consumer, pulls, and throws away what
 * comes. It knows one server, one connection and no failure, and is what drain.py measures others
 * by. It trusts the server.
 *
 *     build/bench/bare PORT STREAM CONSUMER none|all|explicit COUNT [EACH]
 *
 * Returns when COUNT messages have come and, with acks, the server has confirmed the last one. With
 * `all` one ack is for EACH messages.
 */
enum {
    PULL = 5000, /* messages */
    PULLS = 4,   /* open at once */
    ACK_ALL_EACH = 10000,
    INPUT_BYTES = 4 * 1024 * 1024,
    OUTPUT_BYTES = 4 * 1024 * 1024,
};

struct reader {
    int fd;
    char *input;
    size_t start, end;
    char *output;
    size_t pending;
};

/* A message, or whatever other line came. */
struct frame {
    const char *reply; /* NULL: it has none */
    size_t reply_len;
    bool message;
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void flush(struct reader *r)
{
    for (size_t at = 0; at < r->pending;) {
        ssize_t sent = send(r->fd, r->output + at, r->pending - at, MSG_NOSIGNAL);
        if (sent < 0)
            die("send");
        at += (size_t)sent;
    }
    r->pending = 0;
}

static void put(struct reader *r, const char *data, size_t len)
{
    if (len > OUTPUT_BYTES - r->pending)
        flush(r);
    memcpy(r->output + r->pending, data, len);
    r->pending += len;
}

static void put_text(struct reader *r, const char *text)
{
    put(r, text, strlen(text));
}

/* Read more behind what is there. What waits to be said is said first. */
static void fill(struct reader *r)
{
    flush(r);
    memmove(r->input, r->input + r->start, r->end - r->start);
    r->end -= r->start;
    r->start = 0;
    ssize_t got = recv(r->fd, r->input + r->end, INPUT_BYTES - r->end, 0);
    if (got <= 0)
        die("recv");
    r->end += (size_t)got;
}

static char *take_line(struct reader *r)
{
    char *end;
    while ((end = memchr(r->input + r->start, '\n', r->end - r->start)) == NULL)
        fill(r);
    char *line = r->input + r->start;
    end[-1] = '\0';
    r->start = (size_t)(end + 1 - r->input);
    return line;
}

static void take_frame(struct reader *r, struct frame *frame)
{
    char *line = take_line(r);
    *frame = (struct frame){.message = line[0] == 'M' || line[0] == 'H'};
    if (strncmp(line, "PING", 4) == 0)
        put_text(r, "PONG\r\n");
    if (line[0] == '-') {
        (void)fprintf(stderr, "bare: %s\n", line);
        exit(1);
    }
    if (!frame->message)
        return;
    char *size = strrchr(line, ' ');
    char *ack = strstr(line, " $JS.ACK.");
    size_t offset = ack == NULL ? 0 : (size_t)(ack + 1 - line);
    size_t line_len = (size_t)(r->input + r->start - line), bytes = strtoul(size, NULL, 10) + 2;
    r->start -= line_len; /* so that fill keeps the line */
    while (r->end - r->start < line_len + bytes)
        fill(r);
    line = r->input + r->start;
    r->start += line_len + bytes;
    if (ack != NULL) {
        frame->reply = line + offset;
        frame->reply_len = strcspn(frame->reply, " ");
    }
}

static void wait_message(struct reader *r)
{
    struct frame frame;
    do
        take_frame(r, &frame);
    while (!frame.message);
}

static int connect_to(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void make_consumer(struct reader *r, const char *stream, const char *consumer,
                          const char *ack)
{
    char body[1024], head[2048];
    int len = snprintf(body, sizeof(body),
                       "{\"stream_name\":\"%s\",\"config\":{\"name\":\"%s\",\"ack_policy\":\"%s\","
                       "\"deliver_policy\":\"all\",\"max_ack_pending\":-1,"
                       "\"inactive_threshold\":60000000000,\"mem_storage\":true}}",
                       stream, consumer, ack);
    (void)snprintf(head, sizeof(head), "PUB $JS.API.CONSUMER.CREATE.%s.%s i.0 %d\r\n%s\r\n", stream,
                   consumer, len, body);
    put_text(r, head);
    wait_message(r);
}

static void pull(struct reader *r, const char *stream, const char *consumer)
{
    char text[1024], body[128];
    int len = snprintf(body, sizeof(body), "{\"batch\":%d,\"expires\":60000000000}", PULL);
    (void)snprintf(text, sizeof(text), "PUB $JS.API.CONSUMER.MSG.NEXT.%s.%s i.1 %d\r\n%s\r\n",
                   stream, consumer, len, body);
    put_text(r, text);
}

static void ack(struct reader *r, const struct frame *frame, bool confirm)
{
    put_text(r, "PUB ");
    put(r, frame->reply, frame->reply_len);
    put_text(r, confirm ? " i.2 0\r\n\r\n" : " 0\r\n\r\n");
}

static void drain(struct reader *r, char *const argv[], uint64_t each)
{
    const char *policy = argv[4];
    uint64_t count = strtoull(argv[5], NULL, 10);
    for (int i = 0; i < PULLS; i++)
        pull(r, argv[2], argv[3]);
    for (uint64_t got = 0; got < count;) {
        struct frame frame;
        take_frame(r, &frame);
        if (frame.reply == NULL)
            continue;
        got++;
        if (got % PULL == 0)
            pull(r, argv[2], argv[3]);
        if (policy[0] == 'e' || (policy[0] == 'a' && (got % each == 0 || got == count)))
            ack(r, &frame, got == count);
    }
    if (policy[0] != 'n')
        wait_message(r);
}

int main(int argc, char **argv)
{
    uint64_t each = argc == 7 ? strtoull(argv[6], NULL, 10) : ACK_ALL_EACH;
    if (argc < 6 || argc > 7 || each == 0) {
        (void)fputs("Usage: bare PORT STREAM CONSUMER none|all|explicit COUNT [EACH]\n", stderr);
        return 2;
    }
    struct reader r = {
        .fd = connect_to(argv[1]), .input = malloc(INPUT_BYTES), .output = malloc(OUTPUT_BYTES)};
    if (r.input == NULL || r.output == NULL)
        die("malloc");
    put_text(&r, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
                 "\"lang\":\"c\",\"version\":\"0\",\"protocol\":1}\r\nSUB i.* 1\r\n");
    make_consumer(&r, argv[2], argv[3], argv[4]);
    drain(&r, argv, each);
    (void)close(r.fd);
    free(r.input);
    free(r.output);
    return 0;
}
