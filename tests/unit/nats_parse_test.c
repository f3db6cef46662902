/* SPDX-License-Identifier: MIT */
#include "nats/parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

/* Frames written out as text, one line each, so that two runs can be compared. */
static void describe(struct buf *out, const struct nats_frame *f)
{
    static const char *const kinds[] = {"INFO", "MSG", "PING", "PONG", "OK", "ERR"};
    buf_printf(out, "%s", kinds[f->kind]);
    if (f->kind == NATS_FRAME_MESSAGE) {
        buf_printf(out, " %llu <", (unsigned long long)f->sid);
        buf_append_slice(out, f->subject);
        buf_append_text(out, "> <");
        buf_append_slice(out, f->reply);
        buf_printf(out, "> h%zu p%zu ", f->header.len, f->payload.len);
        buf_append_slice(out, f->header);
        buf_append_byte(out, '|');
        buf_append_slice(out, f->payload);
    } else if (f->kind == NATS_FRAME_INFO || f->kind == NATS_FRAME_ERROR) {
        buf_append_text(out, " <");
        buf_append_slice(out, f->text);
        buf_append_text(out, ">");
    }
    buf_append_byte(out, '\n');
}

/* Parse `text` that arrives in pieces which end at the given offsets; the last one is all of it.
 * Each piece lies in memory of its own, so that a sanitizer sees a look behind its end. */
static void run_split(struct buf *out, struct slice text, size_t message_max, const size_t *ends,
                      size_t count)
{
    struct nats_parser parser = {.message_max = message_max};
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t *copy = malloc(ends[i] + 1);
        memcpy(copy, text.data, ends[i]);
        copy = realloc(copy, ends[i] > 0 ? ends[i] : 1);
        enum nats_parse_result result = NATS_PARSE_FRAME;
        while (result == NATS_PARSE_FRAME) {
            struct nats_frame frame;
            struct err err = {0};
            size_t used = 0;
            result = nats_parse(&parser, (struct slice){copy + start, ends[i] - start}, &frame,
                                &used, &err);
            if (result == NATS_PARSE_FRAME) {
                describe(out, &frame);
                start += used;
            } else if (result == NATS_PARSE_BAD) {
                EXPECT(err_is_set(&err));
                buf_printf(out, "BAD %d\n", (int)err.code);
                free(copy);
                return;
            } else {
                EXPECT(!err_is_set(&err));
                EXPECT(ends[i] - start == 0 || parser.need > ends[i] - start);
            }
        }
        free(copy);
    }
}

static void run_whole(struct buf *out, struct slice text, size_t message_max)
{
    size_t end = text.len;
    run_split(out, text, message_max, &end, 1);
}

static void expect_frames(const char *text, const char *expected)
{
    struct buf out = {0};
    run_whole(&out, slice_of(text), 1024);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

static const char every_frame[] =
    "INFO {\"server_id\":\"X\",\"headers\":true}\r\n"
    "+OK\r\n"
    "PING\r\n"
    "PONG\r\n"
    "-ERR 'Stale Connection'\r\n"
    "MSG logging.events.raw 7 $JS.ACK.S.C.1.2.3.4.5 5\r\nhello\r\n"
    "MSG a.b 257 0\r\n\r\n"
    "HMSG _INBOX.x.p0.1 8 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n"
    "HMSG s 9 $JS.ACK.S.C.1.2.3.4.5 18 23\r\nNATS/1.0\r\nA: b\r\n\r\n\r\nMSG\r\n"
    "MSG binary 1 9\r\n\r\nPING\r\n\n\r\n"
    "PING\r\n";

static const char every_frame_described[] =
    "INFO <{\"server_id\":\"X\",\"headers\":true}>\n"
    "OK\n"
    "PING\n"
    "PONG\n"
    "ERR <Stale Connection>\n"
    "MSG 7 <logging.events.raw> <$JS.ACK.S.C.1.2.3.4.5> h0 p5 |hello\n"
    "MSG 257 <a.b> <> h0 p0 |\n"
    "MSG 8 <_INBOX.x.p0.1> <> h28 p0 NATS/1.0 404 No Messages\r\n\r\n|\n"
    "MSG 9 <s> <$JS.ACK.S.C.1.2.3.4.5> h18 p5 NATS/1.0\r\nA: b\r\n\r\n|\r\nMSG\n"
    "MSG 1 <binary> <> h0 p9 |\r\nPING\r\n\n\n"
    "PING\n";

TEST(nats_parse_reads_every_kind_of_frame)
{
    expect_frames(every_frame, every_frame_described);
}

TEST(nats_parse_gives_the_same_frames_for_a_split_at_every_byte)
{
    struct slice text = slice_of(every_frame);
    for (size_t at = 0; at <= text.len; at++) {
        struct buf out = {0};
        run_split(&out, text, 1024, (size_t[]){at, text.len}, 2);
        EXPECT_TEXT(buf_text(&out), every_frame_described);
        buf_free(&out);
    }
}

TEST(nats_parse_gives_the_same_frames_byte_by_byte)
{
    struct slice text = slice_of(every_frame);
    size_t *ends = calloc(text.len, sizeof(*ends));
    for (size_t i = 0; i < text.len; i++)
        ends[i] = i + 1;
    struct buf out = {0};
    run_split(&out, text, 1024, ends, text.len);
    EXPECT_TEXT(buf_text(&out), every_frame_described);
    free(ends);
    buf_free(&out);
}

TEST(nats_parse_gives_the_same_frames_for_random_splits)
{
    struct slice text = slice_of(every_frame);
    for (int round = 0; round < 2000; round++) {
        size_t ends[64], count = 0, end = 0;
        while (end < text.len && count < 63) {
            end += (size_t)(test_random() % 40);
            if (end > text.len)
                end = text.len;
            ends[count++] = end;
        }
        ends[count++] = text.len;
        struct buf out = {0};
        run_split(&out, text, 1024, ends, count);
        EXPECT_TEXT(buf_text(&out), every_frame_described);
        buf_free(&out);
    }
}

/* Random damage: whole and split in two must agree, whatever the outcome. */
TEST(nats_parse_gives_the_same_outcome_for_damaged_input_however_split)
{
    for (int round = 0; round < 3000; round++) {
        char text[sizeof(every_frame)];
        size_t len = sizeof(every_frame) - 1;
        memcpy(text, every_frame, sizeof(text));
        for (uint64_t n = test_random() % 3 + 1; n > 0; n--)
            text[test_random() % len] =
                test_random() % 2 ? (char)test_random() : "09 \t\r\nMP"[test_random() % 8];
        struct slice input = {(const uint8_t *)text, len};
        struct buf whole = {0}, split = {0};
        run_whole(&whole, input, 1024);
        size_t at = (size_t)(test_random() % len);
        run_split(&split, input, 1024, (size_t[]){at, len}, 2);
        EXPECT_BYTES(split.data, split.len, whole.data, whole.len);
        buf_free(&whole);
        buf_free(&split);
    }
}

TEST(nats_parse_tolerates_lower_case_tabs_and_many_blanks)
{
    expect_frames("ping\r\nPong\r\n+ok\r\n"
                  "msg\ta.b \t 1   2\r\nhi\r\n"
                  "hMsg  s  2\t \tr.x  10\t12  \r\nNATS/1.0\r\nhi\r\n"
                  "info {}\r\n-err 'x'\r\nPING  \r\n",
                  "PING\nPONG\nOK\n"
                  "MSG 1 <a.b> <> h0 p2 |hi\n"
                  "MSG 2 <s> <r.x> h10 p2 NATS/1.0\r\n|hi\n"
                  "INFO <{}>\nERR <x>\nPING\n");
}

static void expect_bad(const char *text, enum err_code code)
{
    char expected[16];
    snprintf(expected, sizeof(expected), "BAD %d\n", (int)code);
    expect_frames(text, expected);
}

TEST(nats_parse_takes_words_of_every_length)
{
    char name[80];
    memset(name, 'w', sizeof(name));
    for (int subject = 1; subject < 50; subject++) {
        for (int reply = 1; reply < 50; reply++) {
            struct nats_parser parser = {.message_max = 100};
            struct nats_frame frame;
            struct buf text = {0};
            struct err err = {0};
            size_t used;
            const char *blank = (subject + reply) % 2 == 0 ? " " : "\t";
            buf_printf(&text, "MSG %.*s%s7 %.*s%s5\r\nhello\r\n", subject, name, blank, reply, name,
                       blank);
            EXPECT(nats_parse(&parser, buf_slice(&text), &frame, &used, &err) == NATS_PARSE_FRAME);
            EXPECT_U64(used, text.len);
            EXPECT_U64(frame.subject.len, subject);
            EXPECT_U64(frame.sid, 7);
            EXPECT_U64(frame.reply.len, reply);
            EXPECT_U64(frame.payload.len, 5);
            /* A blank within the reply, wherever it is, makes it two words. */
            for (int at = 1; at < reply - 1; at++) {
                struct nats_parser again = {.message_max = 100};
                size_t place = 4 + (size_t)subject + 3 + (size_t)at;
                text.data[place] = ' ';
                EXPECT(nats_parse(&again, buf_slice(&text), &frame, &used, &err) == NATS_PARSE_BAD);
                text.data[place] = 'w';
                err = (struct err){0};
            }
            buf_free(&text);
        }
    }
}

TEST(nats_parse_refuses_sizes_that_are_none)
{
    expect_bad("MSG a 1 99999999999\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 18446744073709551617\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 -1\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 +1\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 0x10\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 1.5\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 five\r\n", ERR_PROTOCOL);
    expect_bad("HMSG a 1 5 4\r\n", ERR_PROTOCOL); /* header larger than all */
    expect_bad("HMSG a 1 x 4\r\n", ERR_PROTOCOL);
    expect_bad("HMSG a 1 4294967296000 4\r\n", ERR_PROTOCOL);
}

TEST(nats_parse_refuses_a_size_above_the_bound_before_the_payload_is_there)
{
    expect_bad("MSG a 1 1025\r\n", ERR_LIMIT);
    expect_bad("HMSG a 1 10 1025\r\n", ERR_LIMIT);
    expect_bad("MSG a 1 999999999\r\n", ERR_LIMIT);
}

TEST(nats_parse_passes_a_message_of_exactly_the_bound)
{
    struct buf text = {0}, out = {0};
    buf_append_text(&text, "MSG a 1 1024\r\n");
    for (int i = 0; i < 1024; i++)
        buf_append_byte(&text, 'x');
    buf_append_text(&text, "\r\n");
    run_whole(&out, buf_slice(&text), 1024);
    EXPECT(strncmp(buf_text(&out), "MSG 1 <a> <> h0 p1024 ", 22) == 0);
    buf_free(&text);
    buf_free(&out);
}

TEST(nats_parse_refuses_wrong_numbers_of_words)
{
    expect_bad("MSG\r\n", ERR_PROTOCOL);
    expect_bad("MSG \r\n", ERR_PROTOCOL);
    expect_bad("MSG a\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 r s 1\r\nx\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1 r\ts 1\r\nx\r\n", ERR_PROTOCOL);
    expect_bad("HMSG a 1 5\r\n", ERR_PROTOCOL);
    expect_bad("HMSG a 1 r s 1 1\r\nx\r\n", ERR_PROTOCOL);
}

TEST(nats_parse_refuses_a_sid_that_is_no_number)
{
    expect_bad("MSG a x 1\r\nx\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 1x 1\r\nx\r\n", ERR_PROTOCOL);
    expect_bad("MSG a 99999999999999999999 1\r\nx\r\n", ERR_PROTOCOL);
}

TEST(nats_parse_refuses_a_payload_without_its_line_end)
{
    expect_bad("MSG a 1 2\r\nhi!!", ERR_PROTOCOL);
    expect_bad("MSG a 1 2\r\nhi\r!", ERR_PROTOCOL);
    expect_bad("MSG a 1 2\r\nhi\n\r", ERR_PROTOCOL);
}

TEST(nats_parse_refuses_what_is_no_nats)
{
    expect_bad("HTTP/1.1 400 Bad Request\r\n", ERR_PROTOCOL);
    expect_bad("PUB a 1\r\n", ERR_PROTOCOL);
    expect_bad("PINGPONG\r\n", ERR_PROTOCOL);
    expect_bad("PIN\r\n", ERR_PROTOCOL);
    expect_bad("MSGS a 1 1\r\n", ERR_PROTOCOL);
    expect_bad("\r\n", ERR_PROTOCOL);
    expect_bad(" PING\r\n", ERR_PROTOCOL);
    expect_bad("PING\n", ERR_PROTOCOL);
    expect_bad("\x16\x03\x01", ERR_PROTOCOL); /* TLS, seen at its first byte */
}

TEST(nats_parse_refuses_zeros_at_the_first_one)
{
    static const uint8_t zeros[64];
    struct buf out = {0};
    run_whole(&out, (struct slice){zeros, 1}, 1024);
    EXPECT_TEXT(buf_text(&out), "BAD 4\n");
    EXPECT_I64(ERR_PROTOCOL, 4);
    buf_free(&out);
}

/* Feed `start` and then letters, and return after how many bytes the parser had enough. */
static size_t bytes_until_bad(const char *start)
{
    size_t len = 10 * 1024 * 1024;
    uint8_t *line = malloc(len);
    memset(line, 'x', len);
    memcpy(line, start, strlen(start));
    struct nats_parser parser = {.message_max = 1024};
    struct nats_frame frame;
    struct err err = {0};
    size_t used, bytes = 1;
    while (bytes < len &&
           nats_parse(&parser, (struct slice){line, bytes}, &frame, &used, &err) == NATS_PARSE_MORE)
        bytes++;
    free(line);
    return bytes;
}

TEST(nats_parse_bounds_a_line_without_an_end)
{
    EXPECT_U64(bytes_until_bad("MSG a"), 128 * 1024);
    EXPECT_U64(bytes_until_bad("HMSG a"), 128 * 1024);
    EXPECT_U64(bytes_until_bad("-ERR 'x"), 4 * 1024);
    EXPECT_U64(bytes_until_bad("INFO {"), 1024 * 1024);
    EXPECT_U64(bytes_until_bad("GET / HTTP"), 1);
}

TEST(nats_parse_refuses_a_long_line_also_if_it_arrives_whole)
{
    struct buf text = {0};
    buf_append_text(&text, "MSG ");
    while (text.len < 128 * 1024)
        buf_append_byte(&text, 'a');
    buf_append_text(&text, " 1 0\r\n\r\n");
    struct buf out = {0};
    run_whole(&out, buf_slice(&text), 1024);
    EXPECT_TEXT(buf_text(&out), "BAD 4\n");
    buf_free(&text);
    buf_free(&out);
}

TEST(nats_parse_reads_an_info_of_200_kib_byte_by_byte)
{
    struct buf text = {0};
    buf_append_text(&text, "INFO {\"connect_urls\":[\"");
    while (text.len < 200 * 1024)
        buf_append_byte(&text, 'u');
    buf_append_text(&text, "\"]}\r\nPING\r\n");
    struct nats_parser parser = {.message_max = 1024};
    struct nats_frame frame;
    struct err err = {0};
    size_t used = 0, bytes = 0;
    enum nats_parse_result result = NATS_PARSE_MORE;
    while (result == NATS_PARSE_MORE)
        result = nats_parse(&parser, (struct slice){text.data, ++bytes}, &frame, &used, &err);
    EXPECT(result == NATS_PARSE_FRAME);
    EXPECT(frame.kind == NATS_FRAME_INFO);
    EXPECT_U64(bytes, text.len - 6); /* it is complete with its own last byte */
    EXPECT_U64(used, bytes);
    EXPECT_U64(frame.text.len, bytes - 7);
    buf_free(&text);
}

TEST(nats_parse_knows_what_a_large_message_needs_from_its_line)
{
    struct nats_parser parser = {.message_max = NATS_MESSAGE_MAX};
    struct slice line = slice_of("MSG a 1 8388608\r\nabc");
    struct nats_frame frame;
    struct err err = {0};
    size_t used;
    EXPECT(nats_parse(&parser, line, &frame, &used, &err) == NATS_PARSE_MORE);
    EXPECT_U64(parser.need, 17 + 8388608 + 2);
}

TEST(nats_parse_passes_payloads_of_0_and_1_mib_and_8_mib)
{
    const size_t sizes[] = {0, 1024 * 1024, 8 * 1024 * 1024};
    for (size_t i = 0; i < 3; i++) {
        struct buf text = {0};
        buf_printf(&text, "MSG a 1 %zu\r\n", sizes[i]);
        size_t start = text.len;
        buf_reserve(&text, sizes[i] + 2);
        memset(text.data + start, '\n', sizes[i]);
        text.len += sizes[i];
        buf_append_text(&text, "\r\n");
        struct nats_parser parser = {.message_max = NATS_MESSAGE_MAX};
        struct nats_frame frame;
        struct err err = {0};
        size_t used;
        EXPECT(nats_parse(&parser, buf_slice(&text), &frame, &used, &err) == NATS_PARSE_FRAME);
        EXPECT_U64(used, text.len);
        EXPECT_U64(frame.payload.len, sizes[i]);
        EXPECT(frame.payload.data == text.data + start);
        buf_free(&text);
    }
}

TEST(nats_parse_error_quotes_no_control_characters)
{
    struct nats_parser parser = {.message_max = 1024};
    struct nats_frame frame;
    struct err err = {0};
    size_t used;
    struct slice text = slice_of("PI\x1b[31mNG\x80\r\n");
    EXPECT(nats_parse(&parser, text, &frame, &used, &err) == NATS_PARSE_BAD);
    EXPECT_TEXT(err.text,
                "the server sent something that is not the NATS protocol: \"PI.[31mNG.\"");
}
