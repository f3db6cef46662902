/* SPDX-License-Identifier: MIT */
#include "nats/url.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

static int decode_percent(struct slice text, char out[static NATS_SECRET_MAX + 1], struct err *err)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? text_hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? text_hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return err_set(err, ERR_USAGE,
                               "a '%%' in the user part of a server URL is not "
                               "followed by two hexadecimal digits");
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (len == NATS_SECRET_MAX)
            return err_set(err, ERR_LIMIT, "the user part of a server URL is longer than %d",
                           NATS_SECRET_MAX);
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return 0;
}

/* Cut at a separator: the part before it becomes *before and is taken off, together with the
 * separator. */
static bool cut_at(struct slice *text, const uint8_t *at, struct slice *before)
{
    if (at == NULL)
        return false;
    *before = (struct slice){text->data, (size_t)(at - text->data)};
    text->data = at + 1;
    text->len -= before->len + 1;
    return true;
}

static bool cut_first(struct slice *text, char separator, struct slice *before)
{
    return cut_at(text, text->len > 0 ? memchr(text->data, separator, text->len) : NULL, before);
}

static bool cut_last(struct slice *text, char separator, struct slice *before)
{
    size_t len = text->len;
    while (len > 0 && text->data[len - 1] != (uint8_t)separator)
        len--;
    return cut_at(text, len > 0 ? text->data + len - 1 : NULL, before);
}

static int parse_scheme(struct nats_url *url, struct slice *text, struct err *err)
{
    if (slice_starts_with(*text, "nats://")) {
        text->data += 7;
        text->len -= 7;
    } else if (slice_starts_with(*text, "tls://")) {
        url->tls = true;
        text->data += 6;
        text->len -= 6;
    } else if (slice_starts_with(*text, "ws://") || slice_starts_with(*text, "wss://")) {
        return err_set(err, ERR_USAGE,
                       "varve does not speak NATS over WebSocket: name a port of the server for "
                       "clients, with nats:// or tls://");
    } else {
        for (size_t i = 0; i + 2 < text->len; i++)
            if (memcmp(text->data + i, "://", 3) == 0)
                return err_set(err, ERR_USAGE, "a server URL begins with nats:// or tls://");
    }
    return 0;
}

/* A password may hold an '@' that is not written as %40, as other clients let it: the last one ends
 * the user part. So nothing of a password is ever taken for a host. */
static int parse_user(struct nats_url *url, struct slice *text, struct err *err)
{
    struct slice user, name;
    if (!cut_last(text, '@', &user))
        return 0;
    if (!cut_first(&user, ':', &name))
        return decode_percent(user, url->token, err);
    if (decode_percent(name, url->user, err) != 0)
        return -1;
    return decode_percent(user, url->password, err);
}

static bool host_valid(struct slice host, bool bracketed)
{
    if (host.len == 0 || host.len > NATS_HOST_MAX)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && strchr(bracketed ? ":.%-_" : ".-_", c) == NULL)
            return false;
    }
    return true;
}

static int parse_host(struct nats_url *url, struct slice text, struct err *err)
{
    struct slice host = text, port = {0}, rest = text, before;
    bool bracketed = slice_starts_with(text, "[");
    bool good = true, has_port;
    if (bracketed) {
        rest.data++;
        rest.len--;
        good = cut_first(&rest, ']', &host);
        has_port = good && rest.len > 0;
        good = good && (!has_port || (cut_first(&rest, ':', &before) && before.len == 0));
    } else {
        has_port = cut_first(&rest, ':', &host);
    }
    if (has_port)
        port = rest;
    uint64_t number = NATS_PORT_DEFAULT;
    if (!good || !host_valid(host, bracketed) ||
        (has_port && (!num_parse_u64(port, &number) || number == 0 || number > UINT16_MAX)))
        return err_set(err, ERR_USAGE,
                       "a server URL ends with host:port, or [address]:port for IPv6");
    memcpy(url->host, host.data, host.len);
    url->host[host.len] = '\0';
    url->port = (uint16_t)number;
    return 0;
}

int nats_url_parse(struct nats_url *url, struct slice text, struct err *err)
{
    struct nats_url fresh = {0};
    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
        return err_set(err, ERR_USAGE, "a server URL contains a zero byte");
    if (parse_scheme(&fresh, &text, err) != 0 || parse_user(&fresh, &text, err) != 0)
        return -1;
    if (text.len > 0 && text.data[text.len - 1] == '/')
        text.len--;
    if (parse_host(&fresh, text, err) != 0)
        return -1;
    *url = fresh;
    return 0;
}

void nats_url_format(const struct nats_url *url, char out[static NATS_ADDRESS_MAX])
{
    bool brackets = strchr(url->host, ':') != NULL;
    snprintf(out, NATS_ADDRESS_MAX, "%s%s%s:%u", brackets ? "[" : "", url->host,
             brackets ? "]" : "", url->port);
}
