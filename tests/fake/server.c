/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/test.h"

enum { CAPTURES_MAX = 32, LINE_MAX_LEN = 8192, WORD_MAX = 512 };

struct capture {
    char name[32];
    char value[WORD_MAX];
};

struct fake_server {
    pthread_t thread;
    int listening;
    uint16_t port;
    const char *scripts[FAKE_SCRIPTS_MAX];
    size_t count;
    /* of the connection that is served */
    int fd;
    struct capture captures[CAPTURES_MAX];
    size_t captured;
    char failure[LINE_MAX_LEN * 2 + 200]; /* "" if all went as written */
};

static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, FAKE_WAIT_MS) == 1;
}

static bool fail(struct fake_server *s, const char *line, const char *what)
{
    size_t len = strcspn(line, "\n");
    snprintf(s->failure, sizeof(s->failure), "script line \"%.*s\": %s", (int)len, line, what);
    return false;
}

static bool send_bytes(struct fake_server *s, const char *line, const void *data, size_t len)
{
    const char *bytes = data;
    while (len > 0) {
        if (!wait_for(s->fd, POLLOUT))
            return fail(s, line, "the client does not read");
        ssize_t n = send(s->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return fail(s, line, "the client closed the connection");
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static struct capture *find(struct fake_server *s, const char *name, size_t len)
{
    for (size_t i = 0; i < s->captured; i++)
        if (strlen(s->captures[i].name) == len && memcmp(s->captures[i].name, name, len) == 0)
            return &s->captures[i];
    return NULL;
}

/* The text up to the end of the line, with captures put in and CR LF behind it. Braces around what
 * was not captured, as in JSON, stay. */
static size_t expand(struct fake_server *s, const char *text, char out[static LINE_MAX_LEN])
{
    size_t len = 0;
    while (*text != '\n' && *text != '\0' && len < LINE_MAX_LEN - WORD_MAX) {
        size_t name = *text == '{' ? strcspn(text + 1, "}\n") : 0;
        const struct capture *c = name > 0 ? find(s, text + 1, name) : NULL;
        if (c != NULL) {
            memcpy(out + len, c->value, strlen(c->value));
            len += strlen(c->value);
            text += name + 2;
        } else {
            out[len++] = *text++;
        }
    }
    memcpy(out + len, "\r\n", 2);
    return len + 2;
}

static bool send_line(struct fake_server *s, const char *line, const char *text, long times)
{
    char expanded[LINE_MAX_LEN];
    size_t len = expand(s, text, expanded);
    for (long i = 0; i < times; i++)
        if (!send_bytes(s, line, expanded, len))
            return false;
    return true;
}

static bool send_text(struct fake_server *s, const char *line, const char *text)
{
    char expanded[LINE_MAX_LEN];
    return send_bytes(s, line, expanded, expand(s, text, expanded) - 2);
}

/* "N c" */
static bool send_many(struct fake_server *s, const char *line, const char *text)
{
    char *end, block[65536];
    long left = strtol(text, &end, 10);
    memset(block, end[1], sizeof(block));
    while (left > 0) {
        size_t len = left < (long)sizeof(block) ? (size_t)left : sizeof(block);
        if (!send_bytes(s, line, block, len)) {
            s->failure[0] = '\0';
            return false;
        }
        left -= (long)len;
    }
    return true;
}

static bool send_hex(struct fake_server *s, const char *line, const char *hex)
{
    char text[LINE_MAX_LEN];
    size_t len;
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(hex, "\n"), hex);
    const uint8_t *bytes = test_hex(text, &len);
    return send_bytes(s, line, bytes, len);
}

/* Read a line of the client; the line end is cut off. */
static bool read_line(struct fake_server *s, const char *line, char out[static LINE_MAX_LEN])
{
    size_t len = 0;
    while (len < LINE_MAX_LEN - 1) {
        if (!wait_for(s->fd, POLLIN))
            return fail(s, line, "the client says nothing");
        if (recv(s->fd, out + len, 1, 0) != 1)
            return fail(s, line, "the client closed the connection");
        if (out[len++] == '\n')
            break;
    }
    while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r'))
        len--;
    out[len] = '\0';
    return true;
}

static void capture(struct fake_server *s, const char *name, size_t name_len, const char *value,
                    size_t value_len)
{
    struct capture *c = find(s, name, name_len);
    if (c == NULL && s->captured < CAPTURES_MAX)
        c = &s->captures[s->captured++];
    if (c == NULL)
        return;
    snprintf(c->name, sizeof(c->name), "%.*s", (int)name_len, name);
    snprintf(c->value, sizeof(c->value), "%.*s", (int)value_len, value);
}

static bool matches(struct fake_server *s, const char *pattern, const char *said)
{
    size_t end = strcspn(pattern, "\n");
    const char *p = pattern;
    while (p < pattern + end) {
        if (pattern + end - p >= 3 && memcmp(p, "...", 3) == 0)
            return true;
        if (*p == '{') {
            size_t name = strcspn(p + 1, "}\n");
            size_t word = strcspn(said, " ");
            capture(s, p + 1, name, said, word);
            p += name + 2;
            said += word;
        } else if (*p++ != *said++) {
            return false;
        }
    }
    return *said == '\0';
}

static bool expect_line(struct fake_server *s, const char *line, const char *pattern)
{
    char said[LINE_MAX_LEN], what[LINE_MAX_LEN + 40];
    if (!read_line(s, line, said))
        return false;
    if (matches(s, pattern, said))
        return true;
    snprintf(what, sizeof(what), "the client said \"%s\"", said);
    return fail(s, line, what);
}

static void set_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Read until the client closes, so that closing can't reset what was sent. */
static bool await_close(struct fake_server *s, const char *line)
{
    char ignored[4096];
    for (;;) {
        if (!wait_for(s->fd, POLLIN))
            return fail(s, line, "the client does not close the connection");
        if (recv(s->fd, ignored, sizeof(ignored), 0) <= 0)
            return true;
    }
}

/* False ends the script: at its end, or with s->failure. */
static bool run_line(struct fake_server *s, const char *line)
{
    if (strncmp(line, "S: ", 3) == 0)
        return send_line(s, line, line + 3, 1);
    if (strncmp(line, "C: ", 3) == 0)
        return expect_line(s, line, line + 3);
    if (strncmp(line, "-- text ", 8) == 0)
        return send_text(s, line, line + 8);
    if (strncmp(line, "-- bytes ", 9) == 0)
        return send_many(s, line, line + 9);
    if (strncmp(line, "-- hex ", 7) == 0)
        return send_hex(s, line, line + 7);
    if (strncmp(line, "-- repeat ", 10) == 0) {
        char *text;
        long times = strtol(line + 10, &text, 10);
        return send_line(s, line, text + 1, times);
    }
    if (strncmp(line, "-- reset", 8) == 0) {
        set_reset(s->fd);
        return false;
    }
    if (strncmp(line, "-- close", 8) == 0)
        shutdown(s->fd, SHUT_WR);
    if (strncmp(line, "-- close", 8) == 0 || strncmp(line, "-- silence", 10) == 0) {
        await_close(s, line);
        return false;
    }
    return fail(s, line, "this is no line of a script");
}

static void run_script(struct fake_server *s, const char *script)
{
    s->captured = 0;
    for (const char *line = script; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (!run_line(s, line))
            return;
    shutdown(s->fd, SHUT_WR);
    await_close(s, "the end");
}

static void *run(void *argument)
{
    struct fake_server *s = argument;
    for (size_t i = 0; i < s->count && s->failure[0] == '\0'; i++) {
        if (!wait_for(s->listening, POLLIN) || (s->fd = accept(s->listening, NULL, NULL)) < 0) {
            fail(s, s->scripts[i], "nobody connects");
            break;
        }
        run_script(s, s->scripts[i]);
        close(s->fd);
    }
    close(s->listening);
    return NULL;
}

struct fake_server *fake_server_start(const char *const *scripts, size_t count)
{
    struct fake_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    EXPECT(s != NULL && count <= FAKE_SCRIPTS_MAX);
    s->listening = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(s->listening, (struct sockaddr *)&address, sizeof(address)) == 0);
    EXPECT(listen(s->listening, 5) == 0);
    EXPECT(getsockname(s->listening, (struct sockaddr *)&address, &len) == 0);
    s->port = ntohs(address.sin_port);
    s->count = count;
    memcpy(s->scripts, scripts, count * sizeof(*scripts));
    EXPECT(pthread_create(&s->thread, NULL, run, s) == 0);
    return s;
}

uint16_t fake_server_port(const struct fake_server *server)
{
    return server->port;
}

void fake_server_finish(struct fake_server *server)
{
    pthread_join(server->thread, NULL);
    EXPECT_TEXT(server->failure, "");
    free(server);
}
