/* SPDX-License-Identifier: MIT */
#include "nats/parse.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum {
    SIZE_DIGITS_MAX = 9, /* beyond every limit of ours, within 32 bits */
    SID_DIGITS_MAX = 19, /* within 64 bits; ours are shorter */
    SNIPPET_MAX = 48,
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* What an error quotes of the line: its start, without anything that could upset a terminal. */
static enum nats_parse_result bad_line(struct slice line, const char *why, struct err *err)
{
    char text[SNIPPET_MAX + 1];
    size_t len = line.len < SNIPPET_MAX ? line.len : SNIPPET_MAX;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(line.data[i] >= ' ' && line.data[i] <= '~' ? line.data[i] : '.');
    text[len] = '\0';
    err_set(err, ERR_PROTOCOL, "the server sent %s: \"%s\"", why, text);
    return NATS_PARSE_BAD;
}

/* The longest line that can begin like this, with its line end; 0 if none can. */
static size_t line_limit(uint8_t first)
{
    switch (first) {
    case 'I':
    case 'i':
        return NATS_INFO_LINE_MAX;
    case '-':
        return NATS_ERROR_LINE_MAX;
    case 'M':
    case 'm':
    case 'H':
    case 'h':
        return NATS_MESSAGE_LINE_MAX;
    case 'P':
    case 'p':
    case '+':
        return NATS_LINE_MAX;
    }
    return 0;
}

/* Take `verb` (lower case) off the line, if it is the line's first word. */
static bool take_verb(struct slice *line, const char *verb)
{
    size_t len = 0;
    for (; verb[len] != '\0'; len++)
        if (len == line->len || (line->data[len] | 0x20) != (uint8_t)verb[len])
            return false;
    if (line->len > len && !is_blank(line->data[len]))
        return false;
    line->data += len;
    line->len -= len;
    return true;
}

static void trim_left(struct slice *s)
{
    while (s->len > 0 && is_blank(s->data[0])) {
        s->data++;
        s->len--;
    }
}

static void trim_right(struct slice *s)
{
    while (s->len > 0 && is_blank(s->data[s->len - 1]))
        s->len--;
}

static uint32_t blanks_at(const uint8_t *p)
{
    return bytes_where(p, ' ') | bytes_where(p, '\t');
}

/* Where the first blank is; s.len if there is none. Many bytes a step: nearly all of a line is
 * subjects. */
static size_t find_blank(struct slice s)
{
    size_t at = 0;
    for (; s.len - at >= BYTES_WIDE; at += BYTES_WIDE) {
        uint32_t blanks = blanks_at(s.data + at);
        if (blanks != 0)
            return at + (size_t)__builtin_ctz(blanks);
    }
    if (at > 0) { /* the rest, with some bytes again, in which there is none */
        uint32_t blanks = blanks_at(s.data + s.len - BYTES_WIDE);
        return blanks != 0 ? s.len - BYTES_WIDE + (size_t)__builtin_ctz(blanks) : s.len;
    }
    while (at < s.len && !is_blank(s.data[at]))
        at++;
    return at;
}

/* The first line end from `at` on; NULL if there is none. A line is short, and musl's memchr takes
 * its beginning and its end byte by byte. */
static const uint8_t *find_line_end(const uint8_t *at, size_t len)
{
    for (; len >= BYTES_WIDE; at += BYTES_WIDE, len -= BYTES_WIDE) {
        uint32_t found = bytes_where(at, '\n');
        if (found != 0)
            return at + __builtin_ctz(found);
    }
    return len == 0 ? NULL : memchr(at, '\n', len);
}

/* Take the first word. */
static struct slice take_left(struct slice *s)
{
    trim_left(s);
    struct slice word = {s->data, find_blank(*s)};
    s->data += word.len;
    s->len -= word.len;
    return word;
}

static bool take_sid(struct slice *s, uint64_t *sid)
{
    struct slice word = take_left(s);
    if (word.len == 0 || word.len > SID_DIGITS_MAX)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (!is_digit(word.data[i]))
            return false;
        value = value * 10 + (uint64_t)(word.data[i] - '0');
    }
    *sid = value;
    return true;
}

/* Take a number off the end; a blank has to stand in front of it. */
static bool take_size(struct slice *s, size_t *size)
{
    trim_right(s);
    size_t value = 0, scale = 1, digits = 0;
    while (s->len > 0 && is_digit(s->data[s->len - 1])) {
        if (++digits > SIZE_DIGITS_MAX)
            return false;
        value += (size_t)(s->data[--s->len] - '0') * scale;
        scale *= 10;
    }
    *size = value;
    return digits > 0 && s->len > 0 && is_blank(s->data[s->len - 1]);
}

/*
 * The words behind the verb: subject and sid from the left, sizes from the right, and what is left
 * between them is the reply.
 */
static bool take_words(struct slice line, bool with_header, struct nats_frame *frame,
                       size_t *header, size_t *total)
{
    frame->subject = take_left(&line);
    *header = 0;
    if (!take_sid(&line, &frame->sid) || !take_size(&line, total))
        return false;
    if (with_header && !take_size(&line, header))
        return false;
    trim_left(&line);
    trim_right(&line);
    frame->reply = line;
    return find_blank(line) == line.len;
}

static enum nats_parse_result parse_message(struct nats_parser *parser, struct slice input,
                                            struct slice line, struct slice words, bool with_header,
                                            struct nats_frame *frame, size_t *used, struct err *err)
{
    size_t header, total;
    if (!take_words(words, with_header, frame, &header, &total))
        return bad_line(line, "a malformed MSG or HMSG line", err);
    if (header > total)
        return bad_line(line, "a header larger than its message", err);
    if (total > parser->message_max) {
        err_set(err, ERR_LIMIT, "a message of %zu bytes is larger than the limit of %zu", total,
                parser->message_max);
        return NATS_PARSE_BAD;
    }
    size_t start = line.len + 2; /* with the line end */
    size_t end = start + total;
    if (input.len < end + 2) {
        parser->need = end + 2;
        return NATS_PARSE_MORE;
    }
    if (input.data[end] != '\r' || input.data[end + 1] != '\n')
        return bad_line(line, "a payload that does not end where its line says", err);
    frame->kind = NATS_FRAME_MESSAGE;
    frame->header = (struct slice){input.data + start, header};
    frame->payload = (struct slice){input.data + start + header, total - header};
    *used = end + 2;
    return NATS_PARSE_FRAME;
}

/* Everything but messages: the frame is the line. */
static enum nats_parse_result parse_line(struct slice line, struct nats_frame *frame,
                                         struct err *err)
{
    struct slice rest = line;
    if (take_verb(&rest, "ping"))
        frame->kind = NATS_FRAME_PING;
    else if (take_verb(&rest, "pong"))
        frame->kind = NATS_FRAME_PONG;
    else if (take_verb(&rest, "+ok"))
        frame->kind = NATS_FRAME_OK;
    else if (take_verb(&rest, "info"))
        frame->kind = NATS_FRAME_INFO;
    else if (take_verb(&rest, "-err"))
        frame->kind = NATS_FRAME_ERROR;
    else
        return bad_line(line, "something that is not the NATS protocol", err);

    trim_left(&rest);
    trim_right(&rest);
    if (frame->kind == NATS_FRAME_ERROR && rest.len >= 2 && rest.data[0] == '\'' &&
        rest.data[rest.len - 1] == '\'') {
        rest.data++;
        rest.len -= 2;
    }
    frame->text = rest;
    return NATS_PARSE_FRAME;
}

enum nats_parse_result nats_parse(struct nats_parser *parser, struct slice input,
                                  struct nats_frame *frame, size_t *used, struct err *err)
{
    if (input.len == 0 || input.len < parser->need)
        return NATS_PARSE_MORE;

    size_t limit = line_limit(input.data[0]);
    size_t look = input.len < limit ? input.len : limit;
    const uint8_t *end = NULL;
    if (look > parser->scanned)
        end = find_line_end(input.data + parser->scanned, look - parser->scanned);
    if (end == NULL) {
        if (input.len >= limit)
            return bad_line(
                input, limit == 0 ? "something that is not the NATS protocol" : "an endless line",
                err);
        parser->scanned = input.len;
        parser->need = input.len + 1;
        return NATS_PARSE_MORE;
    }

    parser->scanned = (size_t)(end - input.data);
    struct slice line = {input.data, parser->scanned};
    if (line.data[line.len - 1] != '\r') /* a line begins with its verb, so it is not empty */
        return bad_line(line, "a line that does not end in CR LF", err);
    line.len--;

    struct slice words = line;
    bool with_header = (line.data[0] | 0x20) == 'h';
    enum nats_parse_result result;
    if (take_verb(&words, with_header ? "hmsg" : "msg")) {
        result = parse_message(parser, input, line, words, with_header, frame, used, err);
    } else {
        *used = line.len + 2;
        result = parse_line(line, frame, err);
    }
    if (result == NATS_PARSE_FRAME) {
        parser->scanned = 0;
        parser->need = 0;
    }
    return result;
}
