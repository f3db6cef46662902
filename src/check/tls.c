/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/time.h"
#include "check/check.h"
#include "drain/secure.h"

/* Time enough to get another one, and less than the shortest-lived ones of a CA's robot have. */
#define SOON (14 * 24 * 3600 * CLOCK_SECOND)

static void judge_expiry(struct check_report *r, const char *what, int64_t expires)
{
    char when[TIME_TEXT_MAX];
    int64_t now = clock_wall();
    time_format(expires, 0, when);
    if (expires <= now)
        check_say(r, CHECK_PROBLEM, "%s has expired at %s", what, when);
    else
        check_say(r, expires - now < SOON ? CHECK_WARNING : CHECK_OK, "%s expires at %s", what,
                  when);
}

void check_tls_files(struct check_report *r, const struct config *config)
{
    const struct config_tls *tls = &config->nats.tls;
    struct tls_options options = secure_options(tls);
    struct tls_facts facts = {0};
    struct err err = {0};
    if (!tls->enabled)
        return;
    if (tls_check(&options, &facts, &err) != 0)
        check_say(r, CHECK_PROBLEM, "nats.tls: %s", err.text);
    if (facts.expires != 0)
        judge_expiry(r, "our certificate (nats.tls.cert_file)", facts.expires);
    if (facts.key_mode != 0)
        check_say(r, CHECK_WARNING,
                  "nats.tls.key_file %s: others can read or change it (mode %04o): chmod 400",
                  tls->key_file, facts.key_mode);
    if (facts.not_read > 0)
        check_say(
            r, CHECK_WARNING,
            "%u certificates of nats.tls.ca_file are of a kind that varve does not know, such "
            "as Ed25519",
            facts.not_read);
    if (tls->insecure)
        check_say(r, CHECK_WARNING,
                  "nats.tls.insecure is set: anybody can pass for the server, read what varve is "
                  "sent and get what it logs in with");
}

void check_tls(struct check_report *r, const struct secure *secure)
{
    if (!secure->active)
        return;
    check_say(r, CHECK_OK, "the connection is encrypted with %s", secure->version);
    if (secure->server_expires != 0 && !secure->tls.insecure)
        judge_expiry(r, "the server's certificate", secure->server_expires);
}
