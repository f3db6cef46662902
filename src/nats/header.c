/* SPDX-License-Identifier: MIT */
#include "nats/header.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

static const char version_line[] = "NATS/1.0";

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Take a line off the front, without its line end. */
static struct slice take_line(struct slice *s)
{
    const uint8_t *end = s->len > 0 ? memchr(s->data, '\n', s->len) : NULL;
    struct slice line = {s->data, end != NULL ? (size_t)(end - s->data) : s->len};
    size_t used = end != NULL ? line.len + 1 : line.len;
    s->data += used;
    s->len -= used;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

bool nats_header_parse(struct slice block, struct nats_header *h)
{
    *h = (struct nats_header){0};
    if (!slice_starts_with(block, version_line))
        return false;
    struct slice lines = block;
    struct slice line = take_line(&lines);
    line.data += sizeof(version_line) - 1;
    line.len -= sizeof(version_line) - 1;
    if (line.len > 0 && line.data[0] != ' ' && line.data[0] != '\t')
        return false; /* another version */
    line = trim(line);
    if (line.len > 0) {
        uint64_t status;
        if (line.len < 3 || !num_parse_u64((struct slice){line.data, 3}, &status) || status < 100)
            return false;
        struct slice text = {line.data + 3, line.len - 3};
        if (text.len > 0 && text.data[0] != ' ' && text.data[0] != '\t')
            return false;
        h->status = (int)status;
        h->text = trim(text);
    }
    h->lines = lines;
    return true;
}

bool nats_header_get(const struct nats_header *h, const char *key, struct slice *value)
{
    size_t key_len = strlen(key);
    struct slice lines = h->lines;
    while (lines.len > 0) {
        struct slice line = take_line(&lines);
        if (line.len > key_len && line.data[key_len] == ':' &&
            strncasecmp((const char *)line.data, key, key_len) == 0) {
            *value = trim((struct slice){line.data + key_len + 1, line.len - key_len - 1});
            return true;
        }
    }
    return false;
}

bool nats_header_get_u64(const struct nats_header *h, const char *key, uint64_t *value)
{
    struct slice text;
    return nats_header_get(h, key, &text) && num_parse_u64(text, value);
}

void nats_header_begin(struct buf *out)
{
    buf_append_text(out, version_line);
    buf_append_text(out, "\r\n");
}

void nats_header_add(struct buf *out, const char *key, struct slice value)
{
    buf_append_text(out, key);
    buf_append_text(out, ": ");
    size_t start = out->len;
    buf_append_slice(out, value);
    for (size_t i = start; i < out->len; i++)
        if (out->data[i] == '\r' || out->data[i] == '\n')
            out->data[i] = ' ';
    buf_append_text(out, "\r\n");
}

void nats_header_add_u64(struct buf *out, const char *key, uint64_t value)
{
    buf_append_text(out, key);
    buf_append_text(out, ": ");
    buf_append_decimal(out, value);
    buf_append_text(out, "\r\n");
}

void nats_header_end(struct buf *out)
{
    buf_append_text(out, "\r\n");
}
