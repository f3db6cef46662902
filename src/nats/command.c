/* SPDX-License-Identifier: MIT */
#include "nats/command.h"

#include "base/base64.h"
#include "base/json.h"

enum { SERVER_LINE_MAX = 4096 }; /* the server's default max_control_line, without the line end */

static void add_text(struct buf *out, const char *key, const char *value)
{
    if (!value)
        return;
    buf_printf(out, ",\"%s\":", key);
    json_append_string(out, slice_of(value));
}

/* The signature of the nonce in URL-safe base64 without padding (RFC 4648 section 5). */
static int add_signature(struct buf *out, const struct nats_credentials *c, struct slice nonce,
                         struct err *err)
{
    uint8_t signature[64];
    if (nonce.len == 0)
        return err_set(err, ERR_REFUSED,
                       "the server sent no nonce to sign: it is not set up for nkeys or JWTs");
    if (!c->sign || !c->sign(c->signer, nonce, signature))
        return err_set(err, ERR_USAGE, "the server's nonce could not be signed");
    buf_append_text(out, ",\"sig\":\"");
    size_t start = out->len;
    base64_append(out, (struct slice){signature, sizeof signature});
    while (out->data[out->len - 1] == '=')
        out->len--;
    for (size_t i = start; i < out->len; i++) {
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
    buf_append_byte(out, '"');
    return 0;
}

static int add_credentials(struct buf *out, const struct nats_credentials *c,
                           const struct nats_info *info, struct err *err)
{
    if (c->jwt) {
        add_text(out, "jwt", c->jwt);
        return c->sign ? add_signature(out, c, info->nonce, err) : 0; /* a bearer JWT has no key */
    }
    if (c->nkey) {
        add_text(out, "nkey", c->nkey);
        return add_signature(out, c, info->nonce, err);
    }
    if (c->user) {
        add_text(out, "user", c->user);
        add_text(out, "pass", c->password ? c->password : "");
    } else {
        add_text(out, "auth_token", c->token);
    }
    return 0;
}

int nats_command_connect(struct buf *out, const struct nats_options *options,
                         const struct nats_info *info, struct err *err)
{
    /* The server's defaults for what is missing are the noisy ones, so all of it is said. */
    size_t start = out->len;
    buf_append_text(out, "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,"
                         "\"headers\":true,\"no_responders\":true,\"protocol\":1,\"lang\":\"c\"");
    buf_append_text(out, options->tls == NATS_TLS_NEVER ? ",\"tls_required\":false"
                                                        : ",\"tls_required\":true");
    add_text(out, "version", options->version);
    add_text(out, "name", options->name);
    if (add_credentials(out, &options->credentials, info, err) < 0) {
        out->len = start;
        return -1;
    }
    buf_append_byte(out, '}');
    size_t len = out->len - start;
    if (len > SERVER_LINE_MAX) {
        out->len = start;
        return err_set(err, ERR_LIMIT,
                       "CONNECT with %s has %zu bytes and the server reads %d at most: use a "
                       "shorter one, or raise max_control_line on the server",
                       options->credentials.jwt ? "this JWT" : "these credentials", len,
                       SERVER_LINE_MAX);
    }
    buf_append_text(out, "\r\n");
    return 0;
}

void nats_command_ping(struct buf *out)
{
    buf_append_text(out, "PING\r\n");
}

void nats_command_pong(struct buf *out)
{
    buf_append_text(out, "PONG\r\n");
}

void nats_command_subscribe(struct buf *out, struct slice subject, uint64_t sid)
{
    buf_append_text(out, "SUB ");
    buf_append_slice(out, subject);
    buf_append_byte(out, ' ');
    buf_append_decimal(out, sid);
    buf_append_text(out, "\r\n");
}

void nats_command_unsubscribe(struct buf *out, uint64_t sid)
{
    buf_append_text(out, "UNSUB ");
    buf_append_decimal(out, sid);
    buf_append_text(out, "\r\n");
}

void nats_command_publish(struct buf *out, struct slice subject, struct slice reply,
                          struct slice header, struct slice payload)
{
    buf_append_text(out, header.len > 0 ? "HPUB " : "PUB ");
    buf_append_slice(out, subject);
    buf_append_byte(out, ' ');
    if (reply.len > 0) {
        buf_append_slice(out, reply);
        buf_append_byte(out, ' ');
    }
    if (header.len > 0) {
        buf_append_decimal(out, header.len);
        buf_append_byte(out, ' ');
    }
    buf_append_decimal(out, header.len + payload.len);
    buf_append_text(out, "\r\n");
    buf_append_slice(out, header);
    buf_append_slice(out, payload);
    buf_append_text(out, "\r\n");
}
