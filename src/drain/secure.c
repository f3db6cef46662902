/* SPDX-License-Identifier: MIT */
#include "drain/secure.h"

#include <string.h>

#include "base/log.h"

static const char *keep(struct secure *s, const char *text)
{
    return arena_text(&s->arena, text, strlen(text));
}

struct tls_options secure_options(const struct config_tls *tls)
{
    return (struct tls_options){
        .section = "nats.tls",
        .ca_file = tls->ca_file,
        .cert_file = tls->cert_file,
        .key_file = tls->key_file,
        .key_password = tls->key_password,
        .key_password_file = tls->key_password_file,
        .insecure = tls->insecure,
    };
}

/* Our certificate, as its file is now. */
static void look_at_files(struct secure *s)
{
    struct tls_options options = secure_options(&s->tls);
    struct tls_facts facts = {0};
    struct err err = {0};
    if (tls_check(&options, &facts, &err) != 0)
        log_message(LOG_ERROR, "tls_files", "%s", err.text);
    else if (facts.not_read > 0)
        log_message(LOG_WARNING, "tls_files",
                    "%u certificates of nats.tls.ca_file are of a kind "
                    "that varve does not know, such as Ed25519",
                    facts.not_read);
    if (facts.key_mode != 0)
        log_message(LOG_WARNING, "tls_files",
                    "nats.tls.key_file %s: others can read or change it (mode %04o): chmod 400",
                    s->tls.key_file, facts.key_mode);
    s->own_expires = facts.expires;
    if (s->tls.insecure)
        log_message(LOG_WARNING, "tls_insecure",
                    "nats.tls.insecure is set: anybody can pass for "
                    "the server, read what varve is sent and get what it logs in with");
}

void secure_configure(struct secure *s, const struct config_tls *tls)
{
    secure_free(s);
    s->tls = *tls;
    s->tls.ca_file = keep(s, tls->ca_file);
    s->tls.cert_file = keep(s, tls->cert_file);
    s->tls.key_file = keep(s, tls->key_file);
    s->tls.key_password = keep(s, tls->key_password);
    s->tls.key_password_file = keep(s, tls->key_password_file);
    s->tls.server_name = keep(s, tls->server_name);
    if (tls->enabled)
        look_at_files(s);
}

void secure_free(struct secure *s)
{
    if (s->tls.key_password != NULL)
        explicit_bzero((char *)s->tls.key_password, strlen(s->tls.key_password));
    arena_free(&s->arena);
    *s = (struct secure){.active = s->active,
                         .seen = s->seen,
                         .version = s->version,
                         .server_expires = s->server_expires};
}

void secure_files(const struct config_tls *tls, bool encrypted, struct secret_files *files)
{
    struct tls_options options = secure_options(tls);
    options.insecure = options.insecure || !encrypted;
    tls_files(&options, files);
}

bool secure_will_encrypt(const struct secure *s, const struct nats_url *url)
{
    return s->seen || secure_mode(s, url) != NATS_TLS_IF_REQUIRED;
}

enum nats_tls secure_mode(const struct secure *s, const struct nats_url *url)
{
    if (s->tls.handshake_first)
        return NATS_TLS_FIRST;
    return s->tls.enabled || url->tls ? NATS_TLS_REQUIRED : NATS_TLS_IF_REQUIRED;
}

int secure_start(struct secure *s, const struct nats_server *server, struct stream **stream,
                 struct err *err)
{
    struct tls_options options = secure_options(&s->tls);
    const char *name = s->tls.server_name[0] != '\0' ? s->tls.server_name : server->tls_name;
    *stream = stream_tls(*stream, &options, name, err);
    s->active = *stream != NULL;
    s->seen = true;
    return *stream == NULL ? -1 : 0;
}

void secure_done(struct secure *s, const struct stream *stream)
{
    s->server_expires = stream_tls_expires(stream);
    s->version = stream_tls_version(stream);
    struct log_line line;
    log_begin(&line, LOG_INFO, "tls");
    log_text(&line, "version", s->version);
    log_text(&line, "cipher", stream_tls_cipher(stream));
    log_end(&line);
}
