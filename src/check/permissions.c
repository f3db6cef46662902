/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include "nats/api.h"

/* One entry of a list; a line with the reason stands before it where it is not for varve run. */
static void entry(struct buf *out, const char *why, struct buf *subject)
{
    if (why != NULL)
        buf_printf(out, "    # %s\n", why);
    buf_printf(out, "    \"%s\"\n", buf_text(subject));
    buf_reset(subject);
}

static void api_entry(struct buf *out, const char *why, const char *prefix, const char *call,
                      const char *stream, const char *consumer)
{
    struct buf subject = {0};
    nats_api_subject(&subject, prefix, call, stream, consumer);
    entry(out, why, &subject);
    buf_free(&subject);
}

/* Consumers that varve names itself have names that nobody can know before: `*`. It makes such for
 * what the directory lacks, too. */
static void source_entries(struct buf *out, const struct config_source *source, const char *prefix)
{
    const char *stream = source->stream;
    struct buf subject = {0};
    api_entry(out, NULL, prefix, "STREAM.INFO", stream, NULL);
    api_entry(out, NULL, prefix, "STREAM.MSG.GET", stream, NULL);
    if (source->delivery == CONFIG_DURABLE) {
        api_entry(out, NULL, prefix, "CONSUMER.INFO", stream, source->consumer);
        api_entry(out, "varve check: which consumers take the same events of a work queue", prefix,
                  "CONSUMER.LIST", stream, NULL);
    } else {
        api_entry(out, NULL, prefix, "CONSUMER.INFO", stream, "*");
    }
    api_entry(out, NULL, prefix, "CONSUMER.CREATE", stream, ">");
    api_entry(out, NULL, prefix, "CONSUMER.DELETE", stream, "*");
    api_entry(out, NULL, prefix, "CONSUMER.MSG.NEXT", stream, "*");
    if (source->delivery == CONFIG_DURABLE) {
        buf_printf(&subject, "$JS.ACK.%s.%s.>", stream, source->consumer);
        entry(out, NULL, &subject);
        buf_printf(&subject, "$JS.ACK.*.*.%s.%s.>", stream, source->consumer);
        entry(out, "the same on servers whose acks have domain and account", &subject);
    }
    buf_free(&subject);
}

/* A follower that publishes: the stream that takes its subject need not be named, and then nobody
 * can know it before. */
static void follower_entries(struct buf *out, const struct config_follower *f, const char *prefix)
{
    struct buf subject = {0};
    const char *stream = f->stream[0] != '\0' ? f->stream : "*";
    if (f->kind != CONFIG_KIND_NATS)
        return;
    if (f->stream[0] == '\0')
        api_entry(out, NULL, prefix, "STREAM.NAMES", NULL, NULL);
    api_entry(out, NULL, prefix, "STREAM.INFO", stream, NULL);
    api_entry(out, NULL, prefix, "STREAM.MSG.GET", stream, NULL);
    buf_append_text(&subject, f->subject);
    entry(out, NULL, &subject);
    buf_free(&subject);
}

void check_permissions(struct buf *out, const struct config *config)
{
    const char *published[] = {config->dead_letter.subject, config->alerts.subject};
    struct buf prefix = {0}, subject = {0};
    if (config->nats.domain[0] != '\0')
        nats_api_domain_prefix(&prefix, config->nats.domain);
    else
        buf_append_text(&prefix, config->nats.api_prefix[0] != '\0' ? config->nats.api_prefix
                                                                    : NATS_API_PREFIX);
    buf_append_text(out, "permissions: {\n  publish: [\n");
    for (size_t i = 0; i < config->source_count; i++)
        source_entries(out, &config->sources[i], buf_text(&prefix));
    for (size_t i = 0; i < config->follower_count; i++)
        follower_entries(out, &config->followers[i], buf_text(&prefix));
    bool any = false;
    for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
        if (published[i][0] == '\0')
            continue;
        any = true;
        buf_append_text(&subject, published[i]);
        entry(out, NULL, &subject);
    }
    if (any)
        api_entry(out, "varve check: does a stream store what is published there",
                  buf_text(&prefix), "STREAM.NAMES", NULL, NULL);
    buf_append_text(out, "  ]\n  subscribe: [\n    \"_INBOX.>\"\n  ]\n}\n");
    buf_free(&prefix);
    buf_free(&subject);
}
