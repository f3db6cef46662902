/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/time.h"
#include "net/tls_part.h"

static const char *const places[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch, Gentoo */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 */
    "/etc/ssl/cert.pem",                                 /* the BSDs' place, of small images */
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* NULL: nobody has told. */
static const char *told_file(void)
{
    const char *told = getenv("SSL_CERT_FILE");
    return told != NULL && told[0] != '\0' ? told : NULL;
}

const char *tls_host_ca_file(void)
{
    const char *told = told_file();
    if (told != NULL)
        return told;
    for (size_t i = 0; i < PLACES; i++)
        if (secret_is_readable(places[i]))
            return places[i];
    return NULL;
}

/* Which of the places it is in is found out by reading: to look may hang as well. */
static void add_host_files(struct secret_files *files)
{
    const char *told = told_file();
    if (told != NULL)
        secret_files_add(files, told, TLS_CA_FILE_MAX);
    for (size_t i = 0; i < PLACES && told == NULL; i++)
        secret_files_add(files, places[i], TLS_CA_FILE_MAX);
}

void tls_files(const struct tls_options *o, struct secret_files *files)
{
    if (!o->insecure && o->ca_file[0] == '\0')
        add_host_files(files);
    else if (!o->insecure)
        secret_files_add(files, o->ca_file, TLS_CA_FILE_MAX);
    secret_files_add(files, o->cert_file, TLS_KEY_FILE_MAX);
    secret_files_add(files, o->key_file, TLS_KEY_FILE_MAX);
    secret_files_add(files, o->key_password_file, TLS_PASSWORD_MAX);
}

int tls_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    if (secret_read(path, max, out, NULL, err) != 0)
        return err_prefix(err, "can't read %s", path);
    if (out->len == 0)
        return err_set(err, ERR_USAGE, "%s is empty", path);
    buf_append_byte(out, '\0');
    return 0;
}

unsigned tls_exposed_mode(const char *path)
{
    mode_t mode;
    return secret_mode(path, &mode) && secret_is_exposed(mode) ? mode & 07777 : 0;
}

bool tls_cpu_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
#elif defined(__aarch64__)
    return (getauxval(AT_HWCAP) & (1 << 3)) != 0; /* HWCAP_AES */
#else
    return false;
#endif
}

int tls_explain_flaw(const struct tls_flawed *flawed, const char *name, const char *ca_file,
                     const char *section, struct err *err)
{
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX], now[TIME_TEXT_MAX];
    const char *subject = flawed->subject;
    const bool set = section[0] != '\0';
    time_format(flawed->valid_from, 0, from);
    time_format(flawed->valid_to, 0, to);
    time_format(clock_wall(), 0, now);
    switch (flawed->flaw) {
    case TLS_FLAW_EXPIRED:
        return err_set(err, ERR_REFUSED,
                       "the server's certificate (%s) expired at %s; this host's clock says %s",
                       subject, to, now);
    case TLS_FLAW_FUTURE:
        return err_set(err, ERR_REFUSED,
                       "the server's certificate (%s) is not valid before %s; this host's clock "
                       "says %s",
                       subject, from, now);
    case TLS_FLAW_NAME:
        return err_set(err, ERR_REFUSED, "the server's certificate (%s) is not for %s%s%s%s",
                       subject, name, set ? ": if it is the right server, set " : "", section,
                       set ? ".server_name" : "");
    case TLS_FLAW_UNKNOWN_CA:
        return err_set(err, ERR_REFUSED,
                       "no CA in %s has signed the server's certificate (%s)%s%s%s", ca_file,
                       subject, set ? ": set " : "", section, set ? ".ca_file" : "");
    case TLS_FLAW_USAGE:
        return err_set(err, ERR_REFUSED, "the server's certificate (%s) is not meant for a server",
                       subject);
    case TLS_FLAW_OTHER:
        return err_set(err, ERR_REFUSED, "the server's certificate (%s) is not the one in %s",
                       subject, ca_file);
    case TLS_FLAW_WEAK:
        break;
    }
    return err_set(err, ERR_REFUSED,
                   "the server's certificate (%s) has a signature or key that is too weak",
                   subject);
}

const char *tls_alert_text(int alert)
{
    switch (alert) {
    case 40:
        return "it has no cipher, curve or certificate that suits both sides (varve can't verify "
               "Ed25519 certificates)";
    case 42:
    case 43:
    case 46:
        return "it does not take our certificate";
    case 44:
        return "our certificate is revoked";
    case 45:
        return "our certificate has expired";
    case 48:
        return "it does not trust the CA of our certificate";
    case 49:
        return "our certificate gives no access";
    case 51:
        return "the key does not belong to our certificate";
    case 70:
        return "it speaks neither TLS 1.2 nor 1.3";
    case 80:
        return "it has an internal error";
    case 112:
        return "it has no certificate for this name: set nats.tls.server_name";
    case 116:
        return "it wants a client certificate: set nats.tls.cert_file and nats.tls.key_file";
    default:
        return "it gives no reason that we know";
    }
}
