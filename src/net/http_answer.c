/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/text.h"
#include "net/http_client.h"

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = (struct slice){s.data + 1, s.len - 1};
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The line at the front, without its end; *rest is what follows. */
static struct slice first_line(struct slice s, struct slice *rest)
{
    const uint8_t *end = s.len > 0 ? memchr(s.data, '\n', s.len) : NULL;
    size_t len = end != NULL ? (size_t)(end - s.data) : s.len;
    size_t used = end != NULL ? len + 1 : len;
    *rest = (struct slice){s.data + used, s.len - used};
    if (len > 0 && s.data[len - 1] == '\r')
        len--;
    return (struct slice){s.data, len};
}

static bool same_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp((const char *)s.data, word, s.len) == 0;
}

bool http_answer_field(const struct http_answer *answer, const char *name, struct slice *value)
{
    struct slice rest = answer->fields;
    *value = (struct slice){0};
    while (rest.len > 0) {
        struct slice line = first_line(rest, &rest);
        const uint8_t *colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;
        if (colon == NULL)
            continue;
        size_t len = (size_t)(colon - line.data);
        if (!same_word((struct slice){line.data, len}, name))
            continue;
        *value = trimmed((struct slice){colon + 1, line.len - len - 1});
        return true;
    }
    return false;
}

/* "HTTP/1.1 200 OK" (section 4). */
static bool parse_status(struct slice line, struct http_answer *out)
{
    uint64_t status;
    if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 ||
        (line.data[7] != '0' && line.data[7] != '1') || line.data[8] != ' ' ||
        (line.len > 12 && line.data[12] != ' ') ||
        !num_parse_u64((struct slice){line.data + 9, 3}, &status) || status < 100)
        return false;
    out->status = (int)status;
    out->keep = line.data[7] == '1';
    return true;
}

/* Every field has a name, and none goes on in the next line (section 5.2). */
static bool fields_are_sound(struct slice rest)
{
    while (rest.len > 0) {
        struct slice line = first_line(rest, &rest);
        const uint8_t *colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;
        if (colon == NULL || colon == line.data || line.data[0] == ' ' || line.data[0] == '\t' ||
            memchr(line.data, '\0', line.len) != NULL)
            return false;
    }
    return true;
}

/* How long the body is, and what becomes of the connection (section 6.3). */
static bool parse_framing(struct http_answer *out)
{
    struct slice value;
    if (http_answer_field(out, "transfer-encoding", &value)) {
        if (!same_word(value, "chunked"))
            return false;
        out->chunked = true;
    }
    if (http_answer_field(out, "content-length", &value)) {
        if (out->chunked || !num_parse_u64(value, &out->length))
            return false;
        out->has_length = true;
    }
    if (http_answer_field(out, "connection", &value) && !same_word(value, "keep-alive"))
        out->keep = false;
    return true;
}

enum http_head http_answer_parse(struct slice bytes, struct http_answer *out, size_t *used)
{
    struct slice rest = bytes;
    size_t start = 0;
    *out = (struct http_answer){0};
    for (;;) {
        size_t at = bytes.len - rest.len;
        const uint8_t *end = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
        if (end == NULL)
            return bytes.len >= HTTP_ANSWER_HEAD_MAX ? HTTP_HEAD_BAD : HTTP_HEAD_PART;
        struct slice line = first_line(rest, &rest);
        if (at == 0) {
            if (!parse_status(line, out))
                return HTTP_HEAD_BAD;
            start = bytes.len - rest.len;
            continue;
        }
        if (line.len > 0)
            continue;
        out->fields = (struct slice){bytes.data + start, at - start};
        *used = bytes.len - rest.len;
        if (*used > HTTP_ANSWER_HEAD_MAX || !fields_are_sound(out->fields) || !parse_framing(out))
            return HTTP_HEAD_BAD;
        return HTTP_HEAD_WHOLE;
    }
}

/* Hexadecimal digits, and perhaps an extension behind a ';'. */
static bool parse_size(struct slice line, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    for (; i < line.len && text_hex_digit(line.data[i]) >= 0; i++) {
        if (*out >> 60 != 0)
            return false;
        *out = *out << 4 | (uint64_t)text_hex_digit(line.data[i]);
    }
    struct slice rest = trimmed((struct slice){line.data + i, line.len - i});
    return i > 0 && (rest.len == 0 || rest.data[0] == ';');
}

/* What is between the pieces of data: a line that is complete. */
static bool take_line(struct http_chunks *c, struct slice line, size_t taken)
{
    switch (c->at) {
    case HTTP_CHUNK_SIZE:
        if (!parse_size(line, &c->left))
            return false;
        c->at = c->left > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER;
        return true;
    case HTTP_CHUNK_END:
        c->at = HTTP_CHUNK_SIZE;
        return line.len == 0;
    case HTTP_CHUNK_TRAILER:
        c->trailer += taken;
        if (line.len == 0)
            c->at = HTTP_CHUNK_OVER;
        return c->trailer <= HTTP_ANSWER_HEAD_MAX;
    case HTTP_CHUNK_DATA:
    case HTTP_CHUNK_OVER:
        break;
    }
    return false;
}

bool http_chunks_take(struct http_chunks *c, struct slice in, size_t *taken, struct slice *data)
{
    struct slice rest;
    *taken = 0;
    *data = (struct slice){0};
    if (in.len == 0 || c->at == HTTP_CHUNK_OVER)
        return true;
    if (c->at == HTTP_CHUNK_DATA) {
        *data = (struct slice){in.data, (size_t)num_least_u64(in.len, c->left)};
        *taken = data->len;
        c->left -= data->len;
        if (c->left == 0)
            c->at = HTTP_CHUNK_END;
        return true;
    }
    if (memchr(in.data, '\n', in.len) == NULL)
        return in.len <= HTTP_CHUNK_LINE_MAX;
    struct slice line = first_line(in, &rest);
    *taken = in.len - rest.len;
    return *taken <= HTTP_CHUNK_LINE_MAX && take_line(c, line, *taken);
}
