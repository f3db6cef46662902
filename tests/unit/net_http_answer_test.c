/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "net/http_client.h"
#include "test.h"

static enum http_head parse(const char *text, struct http_answer *answer, size_t *used)
{
    *used = 0;
    return http_answer_parse(slice_of(text), answer, used);
}

static void expect_field(const struct http_answer *answer, const char *name, const char *expected)
{
    struct slice value;
    EXPECT(http_answer_field(answer, name, &value));
    EXPECT(slice_is(value, expected));
}

TEST(http_answer_head)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nETag:  \"a: b\" \r\nContent-Length: 5\r\n"
                               "X-Empty:\r\ncontent-length-not: 6\r\n\r\nhello";
    struct http_answer answer;
    struct slice value;
    size_t used;
    EXPECT_U64(parse(text, &answer, &used), HTTP_HEAD_WHOLE);
    EXPECT_U64(used, sizeof(text) - 1 - 5);
    EXPECT_I64(answer.status, 200);
    EXPECT(answer.keep && answer.has_length && !answer.chunked);
    EXPECT_U64(answer.length, 5);
    expect_field(&answer, "etag", "\"a: b\"");
    expect_field(&answer, "x-empty", "");
    EXPECT(!http_answer_field(&answer, "tag", &value));
    for (size_t len = 0; len < used; len++)
        EXPECT_U64(http_answer_parse((struct slice){(const uint8_t *)text, len}, &answer, &used),
                   HTTP_HEAD_PART);
}

TEST(http_answer_whether_the_connection_is_kept)
{
    struct http_answer answer;
    size_t used;
    EXPECT_U64(parse("HTTP/1.0 200 OK\n\n", &answer, &used), HTTP_HEAD_WHOLE);
    EXPECT(!answer.keep && !answer.has_length);
    EXPECT_U64(parse("HTTP/1.1 204\r\nConnection: Close\r\n\r\n", &answer, &used), HTTP_HEAD_WHOLE);
    EXPECT(!answer.keep);
    EXPECT_U64(
        parse("HTTP/1.1 200 \r\nConnection: Keep-Alive\r\nTransfer-Encoding: Chunked\r\n\r\n",
              &answer, &used),
        HTTP_HEAD_WHOLE);
    EXPECT(answer.keep && answer.chunked);
}

TEST(http_answer_what_is_refused)
{
    static const char *const heads[] = {
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 2OO OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct http_answer answer;
        size_t used;
        EXPECT_U64(parse(heads[i], &answer, &used), HTTP_HEAD_BAD);
    }
}

TEST(http_answer_head_is_bounded)
{
    struct http_answer answer;
    size_t used;
    struct buf text = {0};
    buf_append_text(&text, "HTTP/1.1 200 OK\r\n");
    while (text.len < HTTP_ANSWER_HEAD_MAX)
        buf_append_text(&text, "a: b\r\n");
    EXPECT_U64(http_answer_parse(buf_slice(&text), &answer, &used), HTTP_HEAD_BAD);
    buf_free(&text);
}

/* Decode a whole body that comes in pieces of `step` bytes; false: it is refused, or goes on. */
static bool decode(struct slice in, size_t step, struct buf *out)
{
    struct http_chunks c = {0};
    size_t at = 0;
    for (size_t end = 0; at < in.len && c.at != HTTP_CHUNK_OVER;) {
        struct slice data;
        size_t taken;
        if (!http_chunks_take(&c, (struct slice){in.data + at, end - at}, &taken, &data))
            return false;
        buf_append_slice(out, data);
        at += taken;
        if (taken == 0 && end == in.len)
            return false;
        if (taken == 0)
            end = end + step < in.len ? end + step : in.len;
    }
    return c.at == HTTP_CHUNK_OVER && at == in.len;
}

TEST(http_chunks_in_pieces_of_any_size)
{
    static const char body[] =
        "5\r\nhello\r\n1;name=\"value\"\r\n,\r\n00A \r\n 0123456\r\n\r\n0\r\n"
        "Trailer: x\r\n\r\n";
    for (size_t step = 1; step <= sizeof(body); step++) {
        struct buf out = {0};
        EXPECT(decode(slice_of(body), step, &out));
        EXPECT_TEXT(buf_text(&out), "hello, 0123456\r\n");
        buf_free(&out);
    }
    for (size_t len = 0; len + 1 < sizeof(body); len++) {
        struct buf out = {0};
        EXPECT(!decode((struct slice){(const uint8_t *)body, len}, 7, &out));
        buf_free(&out);
    }
}

TEST(http_chunks_what_is_refused)
{
    static const char *const bodies[] = {
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "10000000000000000\r\n",
        "5 5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
    };
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        EXPECT(!decode(slice_of(bodies[i]), 100, &out));
    buf_reset(&out);
    buf_append_byte(&out, '5');
    for (int i = 0; i <= HTTP_CHUNK_LINE_MAX; i++)
        buf_append_byte(&out, ' ');
    struct http_chunks c = {0};
    struct slice data;
    size_t taken;
    EXPECT(!http_chunks_take(&c, buf_slice(&out), &taken, &data));
    buf_free(&out);
}

TEST(http_origin_urls)
{
    struct http_origin origin;
    struct err err = {0};
    struct buf host = {0};
    const char *path;
    EXPECT_I64(http_origin_parse("https://s3.eu.example/a/b", &origin, &path, &err), 0);
    EXPECT(origin.tls && origin.port == 443);
    EXPECT_TEXT(origin.host, "s3.eu.example");
    EXPECT_TEXT(path, "/a/b");
    EXPECT_I64(http_origin_parse("http://[::1]:9000", &origin, &path, &err), 0);
    EXPECT(!origin.tls && origin.port == 9000);
    EXPECT_TEXT(path, "");
    http_origin_append(&host, &origin);
    EXPECT_TEXT(buf_text(&host), "[::1]:9000");
    buf_reset(&host);
    EXPECT_I64(http_origin_parse("http://h:80/", &origin, &path, &err), 0);
    http_origin_append(&host, &origin);
    EXPECT_TEXT(buf_text(&host), "h");
    buf_free(&host);
}

TEST(http_origin_what_is_refused)
{
    static const char *const urls[] = {
        "",
        "localhost:9000",
        "ftp://h",
        "http://",
        "http://:80",
        "http://h:0",
        "http://h:65536",
        "http://h:",
        "http://u:p@h",
        "http://h/?q",
        "http://[::1",
        "http://[::1]x",
        "http://h h/",
        "https://h/#f",
        "http://h:1:2",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct http_origin origin;
        struct err err = {0};
        const char *path;
        EXPECT_I64(http_origin_parse(urls[i], &origin, &path, &err), -1);
        EXPECT_U64(err.code, ERR_USAGE);
    }
}
