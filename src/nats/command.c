/* SPDX-License-Identifier: MIT */
#include "nats/command.h"

#include "base/base64.h"
#include "base/json.h"

enum { SERVER_LINE_MAX = 4096 }; /* the server's default max_control_line, without the line end */

static void add_text(struct json_writer *w, const char *key, const char *value)
{
    if (value != NULL)
        json_put_text(w, key, value);
}

/* The signature of the nonce in URL-safe base64 without padding. */
static int add_signature(struct json_writer *w, const struct nats_credentials *c,
                         struct slice nonce, struct err *err)
{
    uint8_t signature[64];
    if (nonce.len == 0)
        return err_set(err, ERR_REFUSED,
                       "the server sent no nonce to sign: it is not set up for nkeys or JWTs");
    if (!c->sign || !c->sign(c->signer, nonce, signature))
        return err_set(err, ERR_USAGE, "the server's nonce could not be signed");
    struct buf *out = json_put_raw(w, "sig");
    buf_append_byte(out, '"');
    base64_append_url(out, (struct slice){signature, sizeof(signature)});
    buf_append_byte(out, '"');
    return 0;
}

static int add_credentials(struct json_writer *w, const struct nats_credentials *c,
                           const struct nats_info *info, struct err *err)
{
    if (c->jwt != NULL) {
        add_text(w, "jwt", c->jwt);
        return c->sign ? add_signature(w, c, info->nonce, err) : 0; /* a bearer JWT has no key */
    }
    if (c->nkey != NULL) {
        add_text(w, "nkey", c->nkey);
        return add_signature(w, c, info->nonce, err);
    }
    if (c->user != NULL) {
        add_text(w, "user", c->user);
        add_text(w, "pass", c->password != NULL ? c->password : "");
    } else {
        add_text(w, "auth_token", c->token);
    }
    return 0;
}

/* Whether CONNECT goes out encrypted, as the server is told. */
static bool is_secure(enum nats_tls tls, const struct nats_info *info)
{
    switch (tls) {
    case NATS_TLS_NEVER:
        return false;
    case NATS_TLS_IF_REQUIRED:
        return info->tls_required;
    case NATS_TLS_REQUIRED:
    case NATS_TLS_FIRST:
        break;
    }
    return true;
}

int nats_command_connect(struct buf *out, const struct nats_options *options,
                         const struct nats_info *info, struct err *err)
{
    /* The server's defaults for what is missing are the noisy ones, so all of it is said. */
    size_t start = out->len;
    struct json_writer w = {.out = out};
    buf_append_text(out, "CONNECT ");
    json_open_object(&w, NULL);
    json_put_bool(&w, "verbose", false);
    json_put_bool(&w, "pedantic", false);
    json_put_bool(&w, "echo", false);
    json_put_bool(&w, "headers", true);
    json_put_bool(&w, "no_responders", true);
    json_put_u64(&w, "protocol", 1);
    json_put_text(&w, "lang", "c");
    json_put_bool(&w, "tls_required", is_secure(options->tls, info));
    add_text(&w, "version", options->version);
    add_text(&w, "name", options->name);
    if (add_credentials(&w, &options->credentials, info, err) != 0) {
        out->len = start;
        return -1;
    }
    json_close_object(&w);
    size_t len = out->len - start;
    if (len > SERVER_LINE_MAX) {
        out->len = start;
        return err_set(err, ERR_LIMIT,
                       "CONNECT with %s has %zu bytes and the server takes at most %d: use a "
                       "shorter one, or raise max_control_line on the server",
                       options->credentials.jwt != NULL ? "this JWT" : "these credentials", len,
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
