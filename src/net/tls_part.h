/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_TLS_PART_H
#define VARVE_NET_TLS_PART_H

#include "net/tls.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

/*
 * What the parts of TLS share: tls.c is the stream and the client, tls_server.c the server,
 * tls_material.c what the files hold, tls_file.c all that needs no library.
 */

/* What the files hold. */
struct tls_material {
    mbedtls_x509_crt ca, own;
    mbedtls_pk_context key;
    unsigned not_read;
    const char *ca_file; /* borrowed from the options */
};

/* What streams of one server share. */
struct tls_server {
    unsigned users; /* its owner, and streams */
    struct tls_material material;
    mbedtls_ssl_config config;
};

/* Load all files of the options. tls_unload always. */
int tls_load(struct tls_material *m, const struct tls_options *options, struct err *err)
    __attribute__((warn_unused_result));
void tls_unload(struct tls_material *m);
struct tls_facts tls_facts_of(const struct tls_material *m, const struct tls_options *options);

/* Nanoseconds since 1970. */
int64_t tls_time_of(const mbedtls_x509_time *t);

/* "<what>: <what the library says of its result>". Returns -1. */
int tls_library_error(struct err *err, enum err_code code, int result, const char *what);

/* Read a file of at most `max` bytes, and put a NUL behind it, which `out` counts. See
 * secret_read. */
int tls_read_file(const char *path, size_t max, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

/* See tls_facts. */
unsigned tls_exposed_mode(const char *path);

/* Whether this CPU has instructions for AES, so that it is the fastest cipher. */
bool tls_cpu_has_aes(void);

/* The cipher suites, the fastest of this CPU first, 0 behind the last. */
const int *tls_cipher_suites(void);

/* What can be wrong with a certificate of the server. */
enum tls_flaw {
    TLS_FLAW_EXPIRED,
    TLS_FLAW_FUTURE,
    TLS_FLAW_NAME,
    TLS_FLAW_UNKNOWN_CA,
    TLS_FLAW_USAGE,
    TLS_FLAW_WEAK,
    TLS_FLAW_OTHER, /* than the pinned one */
};

enum { TLS_SUBJECT_MAX = 160 };

struct tls_flawed {
    enum tls_flaw flaw;
    char subject[TLS_SUBJECT_MAX]; /* of the certificate, as text */
    int64_t valid_from, valid_to;
};

/* In words, and what to do; `name` is what it should have been for, `section` as in tls_options.
 * Returns -1. */
int tls_explain_flaw(const struct tls_flawed *flawed, const char *name, const char *ca_file,
                     const char *section, struct err *err);

/* What an alert of the server (RFC 8446, section 6.2) means for who runs this program. */
const char *tls_alert_text(int alert);

#endif
