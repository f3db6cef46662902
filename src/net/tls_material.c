/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/time.h"
#include "net/tls.h"
#include "net/tls_part.h"

#include <mbedtls/error.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>

int tls_library_error(struct err *err, enum err_code code, int result, const char *what)
{
    char text[160];
    mbedtls_strerror(result, text, sizeof(text));
    return err_set(err, code, "%s: %s (-0x%04x)", what, text, (unsigned)-result);
}

int64_t tls_time_of(const mbedtls_x509_time *t)
{
    struct time_date date = {t->year, (uint8_t)t->mon, (uint8_t)t->day};
    int64_t seconds = time_days_of(date) * 86400 + t->hour * 3600 + t->min * 60 + t->sec;
    /* A certificate may be of any year from 0 to 9999: what the clock can't show is its end. */
    return time_ns_of(seconds, 0);
}

/* A server such as Go's takes the first that it knows. */
const int *tls_cipher_suites(void)
{
    static const int fast_aes[] = {
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        0,
    };
    static const int slow_aes[] = {
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        0,
    };
    return tls_cpu_has_aes() ? fast_aes : slow_aes;
}

static int load_certificates(mbedtls_x509_crt *into, const char *path, size_t max,
                             unsigned *not_read, struct err *err)
{
    struct buf text = {0};
    int result = tls_read_file(path, max, &text, err);
    if (result == 0) {
        int got = mbedtls_x509_crt_parse(into, text.data, text.len);
        if (got < 0)
            result = tls_library_error(err, ERR_USAGE, got, path);
        else
            *not_read = (unsigned)got;
    }
    buf_free(&text);
    return result;
}

static int parse_key(struct tls_material *m, const char *path, const struct buf *text,
                     struct slice password, const char *section, struct err *err)
{
    int got = mbedtls_pk_parse_key(&m->key, text->data, text->len, password.data, password.len,
                                   mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    if (got == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        return err_set(err, ERR_USAGE, "%s is encrypted: set %s.key_password_file", path, section);
    if (got == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
        return err_set(err, ERR_USAGE, "%s: it is not the password of this key", path);
    if (got != 0 && memmem(text->data, text->len, "ENCRYPTED", 9) != NULL)
        return err_set(
            err, ERR_USAGE,
            "%s is encrypted in a way that varve does not know: write it as PKCS #8 with "
            "AES (openssl pkcs8 -topk8 -v2 aes256)",
            path);
    if (got != 0)
        return tls_library_error(err, ERR_USAGE, got, path);
    if (mbedtls_pk_check_pair(&m->own.pk, &m->key, mbedtls_psa_get_random,
                              MBEDTLS_PSA_RANDOM_STATE) != 0)
        return err_set(err, ERR_USAGE, "%s is not the key of the certificate", path);
    return 0;
}

static int load_key(struct tls_material *m, const struct tls_options *o, struct err *err)
{
    struct buf text = {0}, file = {0};
    struct slice password = slice_of(o->key_password);
    int result = tls_read_file(o->key_file, TLS_KEY_FILE_MAX, &text, err);
    if (result == 0 && o->key_password_file[0] != '\0') {
        result = tls_read_file(o->key_password_file, TLS_PASSWORD_MAX, &file, err);
        password = (struct slice){file.data, file.len > 0 ? file.len - 1 : 0};
        while (password.len > 0 && strchr("\r\n", password.data[password.len - 1]) != NULL)
            password.len--;
    }
    if (result == 0)
        result = parse_key(m, o->key_file, &text, password, o->section, err);
    secret_free(&text);
    secret_free(&file);
    return result;
}

void tls_unload(struct tls_material *m)
{
    mbedtls_x509_crt_free(&m->ca);
    mbedtls_x509_crt_free(&m->own);
    mbedtls_pk_free(&m->key); /* wipes it */
}

int tls_load(struct tls_material *m, const struct tls_options *o, struct err *err)
{
    unsigned ignored;
    *m = (struct tls_material){.ca_file = o->ca_file[0] != '\0' ? o->ca_file : tls_host_ca_file()};
    mbedtls_x509_crt_init(&m->ca);
    mbedtls_x509_crt_init(&m->own);
    mbedtls_pk_init(&m->key);
    psa_status_t status = psa_crypto_init();
    if (status != PSA_SUCCESS)
        return err_set(err, ERR_SYSTEM, "the TLS library can't start (%d)", (int)status);
    if (!o->insecure && m->ca_file == NULL)
        return err_set(err, ERR_USAGE,
                       "this host has no certificates of CAs where distributions "
                       "keep them%s%s%s",
                       o->section[0] != '\0' ? ": set " : "", o->section,
                       o->section[0] != '\0' ? ".ca_file" : "");
    if (!o->insecure &&
        load_certificates(&m->ca, m->ca_file, TLS_CA_FILE_MAX, &m->not_read, err) != 0)
        return -1;
    if (o->cert_file[0] == '\0')
        return 0;
    if (load_certificates(&m->own, o->cert_file, TLS_KEY_FILE_MAX, &ignored, err) != 0)
        return -1;
    return load_key(m, o, err);
}

struct tls_facts tls_facts_of(const struct tls_material *m, const struct tls_options *options)
{
    struct tls_facts facts = {.not_read = m->not_read};
    if (options->cert_file[0] != '\0') {
        facts.expires = tls_time_of(&m->own.valid_to);
        facts.key_mode = tls_exposed_mode(options->key_file);
    }
    return facts;
}

int tls_check(const struct tls_options *options, struct tls_facts *facts, struct err *err)
{
    struct tls_material m;
    int result = tls_load(&m, options, err);
    if (result == 0)
        *facts = tls_facts_of(&m, options);
    tls_unload(&m);
    return result;
}
