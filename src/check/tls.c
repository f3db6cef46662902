/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/clock.h"
#include "base/time.h"
#include "check/check.h"
#include "drain/secure.h"
#include "watch/guard.h"

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

static void check_files(struct check_report *r, const struct tls_options *options)
{
    const char *section = options->section;
    char what[80];
    struct tls_facts facts = {0};
    struct err err = {0};
    if (tls_check(options, &facts, &err) != 0)
        check_say(r, CHECK_PROBLEM, "%s: %s", section, err.text);
    (void)snprintf(what, sizeof(what), "our certificate (%s.cert_file)", section);
    if (facts.expires != 0)
        judge_expiry(r, what, facts.expires);
    if (facts.key_mode != 0)
        check_say(r, CHECK_WARNING,
                  "%s.key_file %s: others can read or change it (mode %04o): chmod 400", section,
                  options->key_file, facts.key_mode);
    if (facts.not_read > 0)
        check_say(r, CHECK_WARNING,
                  "%u certificates of %s.ca_file are of a kind that varve does not know, such as "
                  "Ed25519",
                  facts.not_read, section);
}

void check_tls_files(struct check_report *r, const struct config *config)
{
    struct tls_options nats = secure_options(&config->nats.tls);
    struct tls_options metrics = guard_tls_options(config);
    metrics.insecure = true; /* it looks at nobody's certificate, so it needs no CA */
    if (config->nats.tls.enabled)
        check_files(r, &nats);
    if (metrics.cert_file[0] != '\0')
        check_files(r, &metrics);
    if (nats.insecure)
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
