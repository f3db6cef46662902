/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"
#include "net/tls_part.h"

#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>

enum {
    /* nats-server writes small records: of this much one read takes a hundred of them. */
    READ_AHEAD = 64 * 1024,
    /* A request has one record. */
    READ_AHEAD_OF_SERVER = 4 * 1024,
    /* Taken in one call: a millisecond's work, so that a fast peer can't hold up the loop, not even
     * with records that say nothing. */
    READ_MAX = 256 * 1024,
    SECTION_MAX = 32,
};

struct tls {
    struct stream stream;
    struct stream *under;
    struct tls_server *server; /* NULL: we are the client, which has the next four */
    struct tls_material material;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    char name[NET_HOST_MAX + 1];
    char ca_file[TLS_SUBJECT_MAX], section[SECTION_MAX]; /* for messages */
    bool pinned;
    uint8_t address[16]; /* of a name that is an IP address */
    size_t address_len;  /* 0: it is a host name */
    uint8_t *ahead;      /* ahead_size bytes, of which [start, end) wait to be decrypted */
    size_t ahead_size, start, end;
    size_t budget;            /* bytes that this call may still take from below */
    size_t tried;             /* bytes that are sealed but not reported as written */
    bool blocked;             /* sealed bytes wait for the peer to take them */
    struct err unsent;        /* why nothing can be sent any more */
    struct err over;          /* why nothing can be read any more */
    int failed;               /* what the library said when it gave up; 0: it has not */
    int64_t expires;          /* the earliest of the server's certificates */
    struct tls_flawed flawed; /* the first that is not good; no subject: there is none */
};

/* The library asks for all its randomness here (MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG). */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t size, size_t *length)
{
    struct err err = {0};
    (void)context;
    if (random_bytes(output, size, &err) != 0)
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    *length = size;
    return PSA_SUCCESS;
}

static enum tls_flaw flaw_of(uint32_t flags)
{
    if ((flags & MBEDTLS_X509_BADCERT_OTHER) != 0)
        return TLS_FLAW_OTHER;
    if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
        return TLS_FLAW_EXPIRED;
    if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        return TLS_FLAW_FUTURE;
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
        return TLS_FLAW_NAME;
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        return TLS_FLAW_UNKNOWN_CA;
    if ((flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)) != 0)
        return TLS_FLAW_USAGE;
    return TLS_FLAW_WEAK;
}

/* A certificate for an IP address lists it as one (RFC 9525, section 6.5): type 7, as bytes. */
static bool has_address(const mbedtls_x509_crt *crt, const struct tls *t)
{
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s != NULL; s = s->next)
        if (s->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7) && s->buf.len == t->address_len &&
            memcmp(s->buf.p, t->address, t->address_len) == 0)
            return true;
    return false;
}

/* Of the chain's certificates only the server's own counts, and that is known byte for byte. */
static uint32_t compare_with_pinned(const struct tls *t, const mbedtls_x509_crt *crt, int depth)
{
    const mbedtls_x509_buf *wanted = &t->material.ca.raw;
    bool same = crt->raw.len == wanted->len && memcmp(crt->raw.p, wanted->p, wanted->len) == 0;
    return depth > 0 || same ? 0 : MBEDTLS_X509_BADCERT_OTHER;
}

/* Called for each certificate of the chain, the server's own last, as depth 0. */
static int look_at_certificate(void *context, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct tls *t = context;
    int64_t expires = tls_time_of(&crt->valid_to);
    if (t->pinned)
        *flags = compare_with_pinned(t, crt, depth);
    else if (depth == 0 && t->address_len > 0 && !has_address(crt, t))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (t->expires == 0 || expires < t->expires)
        t->expires = expires;
    if (*flags != 0 && t->flawed.subject[0] == '\0') {
        t->flawed =
            (struct tls_flawed){flaw_of(*flags), "?", tls_time_of(&crt->valid_from), expires};
        (void)mbedtls_x509_dn_gets(t->flawed.subject, sizeof(t->flawed.subject), &crt->subject);
    }
    return 0;
}

/* Why the library gave up. */
static int explain(struct tls *t, int result, struct err *err)
{
    if (t->flawed.subject[0] != '\0' && result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return tls_explain_flaw(&t->flawed, t->name, t->ca_file, t->section, err);
    if (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        int alert = t->ssl.MBEDTLS_PRIVATE(in_msg)[1];
        return err_set(err, ERR_REFUSED, "the server refuses TLS: %s (alert %d)",
                       tls_alert_text(alert), alert);
    }
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return err_set(err, ERR_NETWORK, "the server closed the connection");
    if (result == MBEDTLS_ERR_SSL_CONN_EOF && err_is_set(&t->over)) {
        *err = t->over;
        return -1;
    }
    if (result == MBEDTLS_ERR_SSL_INVALID_RECORD && !mbedtls_ssl_is_handshake_over(&t->ssl))
        return err_set(err, ERR_PROTOCOL,
                       "the server does not answer in TLS: it does not expect "
                       "TLS here, or not before its INFO");
    if (result == MBEDTLS_ERR_SSL_INVALID_MAC)
        return err_set(err, ERR_PROTOCOL, "what the server sent was changed on its way (TLS)");
    if (result == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION)
        return err_set(err, ERR_REFUSED, "the server speaks neither TLS 1.2 nor 1.3");
    if (result == MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE ||
        result == MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG || result == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG)
        return err_set(err, ERR_UNSUPPORTED,
                       "the server's certificate has a kind of key or signature that varve can't "
                       "verify, such as Ed25519");
    return tls_library_error(err, ERR_PROTOCOL, result, "TLS");
}

static int send_sealed(void *context, const unsigned char *data, size_t len)
{
    struct tls *t = context;
    size_t done;
    t->blocked = false;
    if (err_is_set(&t->unsent))
        return (int)len;
    switch (stream_write(t->under, data, len, &done, &t->unsent)) {
    case NET_IO_DONE:
        return (int)done;
    case NET_IO_AGAIN:
        t->blocked = true;
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    case NET_IO_DEAD:
        break;
    }
    /* As if it had gone out: what the server said before it closed is still to be read, and the
     * library would give up here. */
    return (int)len;
}

static int receive_sealed(void *context, unsigned char *data, size_t len)
{
    struct tls *t = context;
    if (t->start == t->end) {
        size_t done;
        if (t->budget == 0)
            return MBEDTLS_ERR_SSL_WANT_READ;
        switch (stream_read(t->under, t->ahead, t->ahead_size, &done, &t->over)) {
        case NET_IO_AGAIN:
            return MBEDTLS_ERR_SSL_WANT_READ;
        case NET_IO_DEAD:
            return MBEDTLS_ERR_SSL_CONN_EOF;
        case NET_IO_DONE:
            break;
        }
        t->start = 0;
        t->end = done;
        t->budget -= done < t->budget ? done : t->budget;
    }
    size_t some = t->end - t->start < len ? t->end - t->start : len;
    memcpy(data, t->ahead + t->start, some);
    t->start += some;
    return (int)some;
}

static struct tls *tls_of(struct stream *s)
{
    return (struct tls *)s;
}

static bool is_wait(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static enum net_io tls_handshake(struct stream *s, struct err *err)
{
    struct tls *t = tls_of(s);
    t->budget = READ_MAX;
    int result = mbedtls_ssl_handshake(&t->ssl);
    if (is_wait(result))
        return NET_IO_AGAIN;
    if (result != 0) {
        explain(t, result, err);
        return NET_IO_DEAD;
    }
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&t->ssl);
    if (t->expires == 0 && peer != NULL)
        t->expires = tls_time_of(&peer->valid_to);
    return NET_IO_DONE;
}

static enum net_io tls_read(struct stream *s, void *data, size_t len, size_t *done, struct err *err)
{
    struct tls *t = tls_of(s);
    size_t most = len < READ_MAX ? len : READ_MAX;
    int result = t->failed != 0 ? t->failed : 1;
    *done = 0;
    t->budget = READ_MAX;
    /* A call gives one record. */
    while (result > 0 && *done < most && (*done == 0 || t->start < t->end)) {
        result = mbedtls_ssl_read(&t->ssl, (unsigned char *)data + *done, most - *done);
        *done += result > 0 ? (size_t)result : 0;
    }
    if (is_wait(result))
        return *done > 0 ? NET_IO_DONE : NET_IO_AGAIN;
    if (result <= 0)
        t->failed = result == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : result;
    if (*done > 0)
        return NET_IO_DONE;
    explain(t, t->failed, err);
    return NET_IO_DEAD;
}

static enum net_io tls_write(struct stream *s, const void *data, size_t len, size_t *done,
                             struct err *err)
{
    struct tls *t = tls_of(s);
    ASSERT(len >= t->tried);
    size_t some = t->tried > 0 ? t->tried : len;
    int result = mbedtls_ssl_write(&t->ssl, data, some);
    if (err_is_set(&t->unsent)) {
        *err = t->unsent;
        return NET_IO_DEAD;
    }
    if (is_wait(result)) {
        /* A whole record is sealed; asked again with more, the library would take that for written,
         * too. */
        t->tried = some;
        return NET_IO_AGAIN;
    }
    t->tried = 0;
    if (result < 0) {
        explain(t, result, err);
        return NET_IO_DEAD;
    }
    *done = (size_t)result;
    return NET_IO_DONE;
}

/* As far as the peer takes it: what was said is out, and whoever misses the end sees a length. */
static void say_end(struct tls *t)
{
    if (mbedtls_ssl_is_handshake_over(&t->ssl) && t->tried == 0)
        (void)mbedtls_ssl_close_notify(&t->ssl);
}

static void tls_finish(struct stream *s)
{
    say_end(tls_of(s));
    stream_finish(tls_of(s)->under);
}

static struct net_wait tls_wait(const struct stream *s, bool writing)
{
    const struct tls *t = (const struct tls *)s;
    struct net_wait wait = stream_wait(t->under, t->blocked || writing);
    if (t->start < t->end || mbedtls_ssl_check_pending(&t->ssl) != 0)
        wait.ready |= NET_READABLE;
    return wait;
}

static void tls_close(struct stream *s)
{
    struct tls *t = tls_of(s);
    say_end(t);
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->config);
    tls_unload(&t->material);
    tls_server_free(t->server);
    stream_close(&t->under);
    explicit_bzero(t->ahead, t->ahead_size);
    free(t->ahead);
    free(t);
}

static const struct stream_kind tls_kind = {
    .name = "tls",
    .handshake = tls_handshake,
    .read = tls_read,
    .write = tls_write,
    .finish = tls_finish,
    .wait = tls_wait,
    .close = tls_close,
};

/* The name goes to the server in the clear (SNI): without the dot that may end it, and not if it is
 * an address (RFC 6066, section 3), which look_at_certificate compares. */
static int set_name(struct tls *t, const char *name)
{
    size_t len = strlen(name);
    if (len > 0 && len <= NET_HOST_MAX && name[len - 1] == '.')
        len--;
    if (len == 0 || len > NET_HOST_MAX)
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    memcpy(t->name, name, len);
    if (inet_pton(AF_INET, t->name, t->address) == 1)
        t->address_len = sizeof(struct in_addr);
    else if (inet_pton(AF_INET6, t->name, t->address) == 1)
        t->address_len = sizeof(struct in6_addr);
    return mbedtls_ssl_set_hostname(&t->ssl, t->address_len > 0 || t->pinned ? NULL : t->name);
}

static int configure(struct tls *t, const struct tls_options *options, const char *name,
                     struct err *err)
{
    struct tls_material *m = &t->material;
    if (tls_load(m, options, err) != 0)
        return -1;
    snprintf(t->ca_file, sizeof(t->ca_file), "%s", m->ca_file != NULL ? m->ca_file : "");
    snprintf(t->section, sizeof(t->section), "%s", options->section);
    t->pinned = options->pinned;
    int result =
        mbedtls_ssl_config_defaults(&t->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&t->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_ciphersuites(&t->config, tls_cipher_suites());
    mbedtls_ssl_conf_authmode(&t->config, options->insecure ? MBEDTLS_SSL_VERIFY_NONE
                                                            : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&t->config, &m->ca, NULL);
    mbedtls_ssl_conf_verify(&t->config, look_at_certificate, t);
    if (result == 0 && options->cert_file[0] != '\0')
        result = mbedtls_ssl_conf_own_cert(&t->config, &m->own, &m->key);
    if (result == 0)
        result = mbedtls_ssl_setup(&t->ssl, &t->config);
    if (result == 0)
        result = set_name(t, name);
    if (result != 0)
        return tls_library_error(err, ERR_USAGE, result, "TLS can't be set up");
    mbedtls_ssl_set_bio(&t->ssl, t, send_sealed, receive_sealed, NULL);
    return 0;
}

static struct tls *new_stream(struct stream *under, size_t ahead_size)
{
    struct tls *t = calloc(1, sizeof(*t));
    uint8_t *ahead = malloc(ahead_size);
    if (t == NULL || ahead == NULL)
        out_of_memory(sizeof(*t) + ahead_size);
    *t = (struct tls){
        .stream = {&tls_kind}, .under = under, .ahead = ahead, .ahead_size = ahead_size};
    mbedtls_ssl_init(&t->ssl);
    mbedtls_ssl_config_init(&t->config);
    return t;
}

struct stream *stream_tls_accept(struct stream *under, struct tls_server *server)
{
    struct tls *t = new_stream(under, READ_AHEAD_OF_SERVER);
    t->server = server;
    server->users++;
    if (mbedtls_ssl_setup(&t->ssl, &server->config) != 0)
        out_of_memory(sizeof(t->ssl)); /* all that can keep it */
    mbedtls_ssl_set_bio(&t->ssl, t, send_sealed, receive_sealed, NULL);
    return &t->stream;
}

struct stream *stream_tls(struct stream *under, const struct tls_options *options, const char *name,
                          struct err *err)
{
    struct tls *t = new_stream(under, READ_AHEAD);
    if (configure(t, options, name, err) == 0)
        return &t->stream;
    tls_close(&t->stream);
    return NULL;
}

int64_t stream_tls_expires(const struct stream *s)
{
    return ((const struct tls *)s)->expires;
}

const char *stream_tls_version(const struct stream *s)
{
    return mbedtls_ssl_get_version(&((const struct tls *)s)->ssl);
}

const char *stream_tls_cipher(const struct stream *s)
{
    return mbedtls_ssl_get_ciphersuite(&((const struct tls *)s)->ssl);
}
