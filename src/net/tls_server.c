/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/assert.h"
#include "net/tls_part.h"

#include <mbedtls/psa_util.h>

static int configure(struct tls_server *s, const struct tls_options *options, struct err *err)
{
    struct tls_options own = *options;
    own.insecure = true; /* it looks at nobody's certificate, so it needs no CA */
    if (tls_load(&s->material, &own, err) != 0)
        return -1;
    int result =
        mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&s->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_ciphersuites(&s->config, tls_cipher_suites());
    if (result == 0)
        result = mbedtls_ssl_conf_own_cert(&s->config, &s->material.own, &s->material.key);
    return result == 0 ? 0 : tls_library_error(err, ERR_USAGE, result, "TLS can't be set up");
}

struct tls_server *tls_server_new(const struct tls_options *options, struct tls_facts *facts,
                                  struct err *err)
{
    struct tls_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        out_of_memory(sizeof(*s));
    s->users = 1;
    mbedtls_ssl_config_init(&s->config);
    if (configure(s, options, err) != 0) {
        tls_server_free(s);
        return NULL;
    }
    *facts = tls_facts_of(&s->material, options);
    return s;
}

void tls_server_free(struct tls_server *s)
{
    if (s == NULL || --s->users > 0)
        return;
    mbedtls_ssl_config_free(&s->config);
    tls_unload(&s->material);
    free(s);
}
