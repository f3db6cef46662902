/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include "drain/api_client.h"
#include "nats/api.h"
#include "nats/consumer.h"
#include "nats/header.h"

/*
 * A right is tried with a request that nats-server refuses for what is in it, whoever sends it: so
 * nothing comes of it, and that it was read shows that it may be sent.
 *
 *   - a body that is no JSON: CONSUMER.CREATE answers 10025, CONSUMER.MSG.NEXT with status 400
 *     (jsConsumerCreateRequest and processNextMsgRequest);
 *   - CONSUMER.DELETE takes no body at all: 10038; and there is no such consumer;
 *   - progress on the message with sequence 0, which there is not, is an ack that changes nothing
 *     (progressUpdate);
 *   - a message that is meant for another stream is not stored: 10060. Who subscribes to its
 *     subject directly does get it, and it is empty.
 */
#define NO_JSON "{"
#define NO_CONSUMER "varve_check"
#define NO_STREAM "varve_check"

struct attempt {
    const char *right; /* "varve run needs to <right>" */
    enum check_level without;
    struct buf subject, header;
    const char *body;
};

/* True if it is allowed, or nobody says that it is not. */
static bool may(struct check_report *r, struct api_client *a, struct attempt *t, const char *whose)
{
    struct err err = {0};
    bool allowed = api_client_try(a, &t->subject, buf_slice(&t->header), slice_of(t->body), &err);
    if (!allowed)
        check_say(r, t->without, "%s: %s; varve run needs this to %s", whose, err.text, t->right);
    buf_free(&t->subject);
    buf_free(&t->header);
    return allowed;
}

static bool may_create(struct check_report *r, struct api_client *a,
                       const struct config_source *source, const char *prefix, const char *whose)
{
    struct slice subject = {0};
    struct nats_consumer_config c = {.name = slice_of(NO_CONSUMER), .filters = &subject};
    if (source->delivery == CONFIG_DURABLE)
        c.name = slice_of(source->consumer);
    if (source->subjects.count == 1) {
        subject = slice_of(source->subjects.items[0]);
        c.filter_count = 1;
    }
    struct attempt t = {"create its consumer", CHECK_PROBLEM, {0}, {0}, NO_JSON};
    nats_consumer_create_subject(&t.subject, prefix, source->stream, &c);
    return may(r, a, &t, whose);
}

static bool may_call(struct check_report *r, struct api_client *a, const char *call,
                     const char *consumer, const struct config_source *source,
                     struct attempt attempt, const char *whose)
{
    nats_api_subject(&attempt.subject, nats_client_api_prefix(&a->connection.client), call,
                     source->stream, consumer);
    return may(r, a, &attempt, whose);
}

static bool may_ack(struct check_report *r, struct api_client *a,
                    const struct config_source *source, const char *whose)
{
    struct attempt t = {"ack", CHECK_PROBLEM, {0}, {0}, "+WPI"};
    buf_printf(&t.subject, "$JS.ACK.%s.%s.1.0.0.0.0", source->stream, source->consumer);
    return may(r, a, &t, whose);
}

void check_rights(struct check_report *r, struct api_client *a, const struct config *config,
                  const struct config_source *source)
{
    const char *prefix = nats_client_api_prefix(&a->connection.client);
    bool durable = source->delivery == CONFIG_DURABLE;
    bool makes = !durable || config->consumer.manage != CONFIG_MANAGE_BIND;
    struct attempt pull = {"pull", CHECK_PROBLEM, {0}, {0}, NO_JSON};
    struct attempt drop = {
        "make its consumer anew where the stream was set back", CHECK_WARNING, {0}, {0}, NO_JSON};
    struct buf whose = {0};
    buf_printf(&whose, "stream %s", source->stream);
    const char *stream = buf_text(&whose);
    bool all = !makes || may_create(r, a, source, prefix, stream);
    all &= may_call(r, a, "CONSUMER.MSG.NEXT", durable ? source->consumer : NO_CONSUMER, source,
                    pull, stream);
    all &= !makes || may_call(r, a, "CONSUMER.DELETE", NO_CONSUMER, source, drop, stream);
    all &= !durable || may_ack(r, a, source, stream);
    if (all)
        check_say(r, CHECK_OK, "%s: this user may%s pull%s", stream,
                  makes ? " create and delete the consumer, and" : "", durable ? " and ack" : "");
    buf_free(&whose);
}

bool check_may_publish(struct check_report *r, struct api_client *a, const char *key,
                       const char *subject)
{
    struct attempt t = {"publish there", CHECK_PROBLEM, {0}, {0}, ""};
    buf_append_text(&t.subject, subject);
    nats_header_begin(&t.header);
    nats_header_add(&t.header, "Nats-Expected-Stream", slice_of(NO_STREAM));
    nats_header_end(&t.header);
    return may(r, a, &t, key);
}
