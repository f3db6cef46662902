/* SPDX-License-Identifier: MIT */
#include "net/http.h"

#include "test.h"

static enum http_parsed parse(const char *text, struct http_request *r)
{
    return http_request_parse(slice_of(text), r);
}

static void expect_whole(const char *text, const char *path, bool head_only)
{
    struct http_request r;
    EXPECT(parse(text, &r) == HTTP_WHOLE);
    EXPECT(slice_is(r.path, path));
    EXPECT(r.head_only == head_only);
}

static void expect_refusal(const char *text, int status)
{
    struct http_request r;
    EXPECT(parse(text, &r) == HTTP_BAD);
    EXPECT_I64(r.refusal, status);
}

TEST(http_request_whole)
{
    expect_whole("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", false);
    expect_whole("GET /metrics?a=b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n", "/metrics", false);
    expect_whole("HEAD /x HTTP/1.0\r\n\r\n", "/x", true);
    expect_whole("GET http://host:1/readyz?x HTTP/1.1\r\nhOST:\r\n\r\n", "/readyz", false);
    expect_whole("\r\n\r\nGET / HTTP/1.0\r\n\r\n", "/", false);
    expect_whole("GET / HTTP/1.0\n\n", "/", false);
    expect_whole("GET / HTTP/1.0\r\n\r\nwhat follows is a body \x01\xff", "/", false);
    expect_whole("GET /%00..%2f HTTP/1.7\r\nHost: a\r\n\r\n", "/%00..%2f", false);
}

TEST(http_request_refused)
{
    expect_refusal("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    expect_refusal("PRI * HTTP/2.0\r\n\r\n", 505);
    expect_refusal("GET / HTTP/0.9\r\n\r\n", 505);
    expect_refusal("GET /\r\n\r\n", 400);
    expect_refusal("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
    expect_refusal("GET / http/1.1\r\nHost: a\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.11\r\nHost: a\r\n\r\n", 400);
    expect_refusal("GET x HTTP/1.0\r\n\r\n", 400);
    expect_refusal("GET http://host HTTP/1.0\r\n\r\n", 400);
    expect_refusal("GET * HTTP/1.0\r\n\r\n", 400);
    expect_refusal("GET /\x7f HTTP/1.0\r\n\r\n", 400);
    expect_refusal("GET /\xc3\xa4 HTTP/1.0\r\n\r\n", 400);
    expect_refusal("G@T / HTTP/1.0\r\n\r\n", 400);
    expect_refusal(" / HTTP/1.0\r\n\r\n", 400);
    expect_refusal("\x16\x03\x01\n\n", 400); /* TLS that meets no TLS */
}

TEST(http_request_fields)
{
    expect_refusal("GET / HTTP/1.1\r\n\r\n", 400); /* no Host */
    expect_refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.0\r\nfield\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.0\r\n: value\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.0\r\nname : value\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.0\r\na: b\r\n continued\r\n\r\n", 400);
    expect_refusal("GET / HTTP/1.0\r\na: b\rc\r\n\r\n", 400);
    expect_whole("GET / HTTP/1.0\r\na: \tb \xff\r\n\r\n", "/", false);
}

TEST(http_request_nul_is_refused)
{
    static const char text[] = "GET / HTTP/1.0\r\na: b\0c\r\n\r\n";
    struct http_request r;
    EXPECT(http_request_parse((struct slice){(const uint8_t *)text, sizeof(text) - 1}, &r) ==
           HTTP_BAD);
    EXPECT_I64(r.refusal, 400);
}

/* Cut anywhere, it is not whole, and never anything else. */
TEST(http_request_in_pieces)
{
    static const char text[] = "\r\nGET /metrics HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n";
    struct http_request r;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        EXPECT(http_request_parse((struct slice){(const uint8_t *)text, len}, &r) == HTTP_MORE);
    EXPECT(parse(text, &r) == HTTP_WHOLE);
}

TEST(http_request_too_large)
{
    static uint8_t text[HTTP_HEAD_MAX];
    struct http_request r;
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET / HTTP/1.0\r\na: ", 19);
    EXPECT(http_request_parse((struct slice){text, sizeof(text) - 1}, &r) == HTTP_MORE);
    EXPECT(http_request_parse((struct slice){text, sizeof(text)}, &r) == HTTP_BAD);
    EXPECT_I64(r.refusal, 431);
    memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
    EXPECT(http_request_parse((struct slice){text, sizeof(text)}, &r) == HTTP_WHOLE);
    memset(text, '\n', sizeof(text)); /* blank lines without end */
    EXPECT(http_request_parse((struct slice){text, sizeof(text)}, &r) == HTTP_BAD);
}

/* No bytes, however odd, are read beyond their end or change the verdict on their prefix. */
TEST(http_request_random)
{
    static const char *const pieces[] = {"GET ", "/", " HTTP/1.1", "\r\n", "\n", "Host: a",
                                         ":",    "?", "\r",        " ",    "x",  "http://"};
    for (int i = 0; i < 20000; i++) {
        char text[128] = "";
        size_t len = 0;
        for (int n = 0; n < 9; n++) {
            const char *piece = pieces[test_random() % 12];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        struct http_request r;
        enum http_parsed parsed = http_request_parse((struct slice){(uint8_t *)text, len}, &r);
        if (parsed == HTTP_WHOLE) {
            EXPECT(r.path.len > 0 && r.path.data[0] == '/');
            EXPECT(r.path.data >= (uint8_t *)text &&
                   r.path.data + r.path.len <= (uint8_t *)text + len);
        }
        if (parsed == HTTP_BAD)
            EXPECT(r.refusal == 400 || r.refusal == 405 || r.refusal == 505);
    }
}
