/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_TLS_H
#define VARVE_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "net/stream.h"

/*
 * TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) over another stream: a client's side, and the plain
 * server's side that the HTTP endpoint needs. The library that does it, Mbed TLS 3.6, is called in
 * tls*.c alone, since its support ends in 2027 and what follows has other calls. A stream belongs
 * to one thread, as does a tls_server with all of its streams; several threads may have some.
 */
enum {
    /* The bundle of a distribution has 220 KiB, one with all that a company adds perhaps twice. */
    TLS_CA_FILE_MAX = 8 * 1024 * 1024,
    TLS_KEY_FILE_MAX = 256 * 1024, /* a certificate with its chain, or a key */
    TLS_PASSWORD_MAX = 1024,
};

/* Texts are never NULL; "" is not given. All are borrowed for the call. */
struct tls_options {
    const char *section;   /* of the configuration, for messages, such as "nats.tls"; "": none */
    const char *ca_file;   /* PEM; "": what the host trusts (tls_host_ca_file) */
    const char *cert_file; /* PEM: our certificate and what links it to a CA */
    const char *key_file;  /* PEM: its key, unencrypted or with a password */
    const char *key_password;
    const char *key_password_file; /* in place of it; a line end at its end does not count */
    bool insecure;                 /* take whatever certificate the server has */
    bool pinned; /* take the very certificate that stands first in ca_file, whatever its name, CA
                    and age, and no other */
};

/* What a set of files says of itself. Times are nanoseconds since 1970. */
struct tls_facts {
    int64_t expires;   /* when our certificate does; 0: we have none */
    unsigned key_mode; /* permissions of the key's file where others than its owner and group can
                          read it, or others than its owner change it; else 0 */
    unsigned not_read; /* certificates in the CA file that the library does not understand */
};

/* Read the files and see whether they make sense, as each connection will. The error names the file
 * and what is wrong with it. */
int tls_check(const struct tls_options *options, struct tls_facts *facts, struct err *err)
    __attribute__((warn_unused_result));

/* The files that tls_check, stream_tls and tls_server_new may read with these options, to be read
 * ahead. */
void tls_files(const struct tls_options *options, struct secret_files *files);

/* Where this host keeps the certificates that it trusts: $SSL_CERT_FILE, or the first file that is
 * there of those that distributions use; NULL if there is none. */
const char *tls_host_ca_file(void);

/* Secure a stream, which is taken over, also on failure: the files are read now. `name` is what the
 * server's certificate has to be for, a host name or an IP address. Then stream_handshake. NULL if
 * the files don't make sense. */
struct stream *stream_tls(struct stream *under, const struct tls_options *options, const char *name,
                          struct err *err) __attribute__((warn_unused_result));

/* What a server shows: its certificate and its key. */
struct tls_server;

/* Read them from the files of `options`, of which cert_file and key_file are needed, and ca_file
 * and `insecure` mean nothing. NULL if they don't make sense: the error names the file. */
struct tls_server *tls_server_new(const struct tls_options *options, struct tls_facts *facts,
                                  struct err *err) __attribute__((warn_unused_result));

/* NULL is fine. Streams that were made with it live on. */
void tls_server_free(struct tls_server *server);

/* Secure a connection that was accepted, which is taken over; then stream_handshake, whose costly
 * step takes some milliseconds. No client is asked for a certificate. */
struct stream *stream_tls_accept(struct stream *under, struct tls_server *server);

/* Of a stream that stream_tls has made, behind its handshake: when the server's certificate
 * expires (of it and what links it to a CA, the earliest), 0 if it was not looked at; and what was
 * agreed on, such as "TLSv1.3" and "TLS1-3-AES-128-GCM-SHA256". */
int64_t stream_tls_expires(const struct stream *s);
const char *stream_tls_version(const struct stream *s);
const char *stream_tls_cipher(const struct stream *s);

#endif
