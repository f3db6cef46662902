/* SPDX-License-Identifier: MIT */
#include "net/http.h"

#include <string.h>
#include <strings.h>

/* Take the next line, without its end, off *rest. False if there is no whole one. */
static bool next_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
    if (end == NULL)
        return false;
    *line = (struct slice){rest->data, (size_t)(end - rest->data)};
    rest->data += line->len + 1;
    rest->len -= line->len + 1;
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* Take all up to `stop` off *rest, and `stop` itself. False if it is not there. */
static bool next_part(struct slice *rest, char stop, struct slice *part)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->data, stop, rest->len) : NULL;
    if (end == NULL)
        return false;
    *part = (struct slice){rest->data, (size_t)(end - rest->data)};
    rest->data += part->len + 1;
    rest->len -= part->len + 1;
    return true;
}

/* The characters of methods and field names (RFC 9110 section 5.6.2). */
static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.len > 0;
}

static bool is_visible(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.len > 0;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return true;
    return false;
}

/* The path of an origin-form or absolute-form target. */
static bool find_path(struct slice target, struct slice *path)
{
    static const char scheme[] = "http://";
    if (slice_starts_with(target, scheme)) {
        target.data += sizeof(scheme) - 1;
        target.len -= sizeof(scheme) - 1;
        while (target.len > 0 && target.data[0] != '/') {
            target.data++;
            target.len--;
        }
    }
    if (target.len == 0 || target.data[0] != '/')
        return false;
    const uint8_t *query = memchr(target.data, '?', target.len);
    *path = (struct slice){target.data, query != NULL ? (size_t)(query - target.data) : target.len};
    return true;
}

static enum http_parsed refuse(struct http_request *out, int status)
{
    out->refusal = status;
    return HTTP_BAD;
}

/* HTTP_WHOLE if the line is fine. *minor is the y of HTTP/1.y. */
static enum http_parsed parse_request_line(struct slice line, struct http_request *out, int *minor)
{
    struct slice method, target, version = line;
    if (!next_part(&version, ' ', &method) || !next_part(&version, ' ', &target) ||
        !is_token(method) || !is_visible(target))
        return refuse(out, 400);
    if (version.len != 8 || !slice_starts_with(version, "HTTP/") || version.data[6] != '.')
        return refuse(out, 400);
    if (version.data[5] != '1')
        return refuse(out, 505);
    *minor = version.data[7] - '0';
    if (*minor < 0 || *minor > 9)
        return refuse(out, 400);
    out->head_only = slice_is(method, "HEAD");
    if (!out->head_only && !slice_is(method, "GET"))
        return refuse(out, 405);
    return find_path(target, &out->path) ? HTTP_WHOLE : refuse(out, 400);
}

static bool is_named(struct slice name, const char *wanted)
{
    return name.len == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.len) == 0;
}

/* The token of a field's value, or nothing. */
static struct slice bearer_token(struct slice value)
{
    static const char scheme[] = "bearer ";
    const size_t len = sizeof(scheme) - 1;
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = (struct slice){value.data + 1, value.len - 1};
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    if (value.len <= len || strncasecmp((const char *)value.data, scheme, len) != 0)
        return (struct slice){0};
    return (struct slice){value.data + len, value.len - len};
}

static enum http_parsed parse_head(struct slice head, struct http_request *out)
{
    struct slice line, name;
    int minor, hosts = 0;
    if (!next_line(&head, &line))
        return refuse(out, 400);
    enum http_parsed parsed = parse_request_line(line, out, &minor);
    if (parsed != HTTP_WHOLE)
        return parsed;
    while (next_line(&head, &line)) {
        if (!next_part(&line, ':', &name) || !is_token(name) || has_control(line))
            return refuse(out, 400);
        hosts += is_named(name, "host");
        if (is_named(name, "authorization"))
            out->token = bearer_token(line);
    }
    /* RFC 9112 section 3.2 */
    return hosts > 1 || (hosts == 0 && minor > 0) ? refuse(out, 400) : HTTP_WHOLE;
}

enum http_parsed http_request_parse(struct slice bytes, struct http_request *out)
{
    *out = (struct http_request){0};
    struct slice rest = bytes, line, start;
    bool begun = false;
    for (start = rest; next_line(&rest, &line); start = begun ? start : rest) {
        if (line.len > 0) {
            begun = true;
            continue;
        }
        if (!begun)
            continue; /* blank lines before a request are skipped (RFC 9112 section 2.2) */
        return parse_head((struct slice){start.data, (size_t)(line.data - start.data)}, out);
    }
    return bytes.len >= HTTP_HEAD_MAX ? refuse(out, 431) : HTTP_MORE;
}
