/* SPDX-License-Identifier: MIT */
#include "drain/source_step.h"

/*
 * A stream with interest retention drops what no consumer waits for. While ours is made anew,
 * another one waits for all that is there.
 */

void source_ask_guard(struct source *s, struct nats_client *client,
                      const struct nats_consumer_config *wanted, int64_t now)
{
    struct nats_consumer_config config = *wanted;
    char token[NATS_TOKEN_LEN + 1];
    if (s->guard.len == 0) { /* else it may be there, though nobody has said so */
        nats_random_token(&s->random, token);
        buf_printf(&s->guard, "%s_%s", s->settings->consumer, token);
    }
    config.name = buf_slice(&s->guard);
    config.durable = (struct slice){0};
    config.description = slice_of("varve: keeps events while its consumer is made anew");
    config.deliver = NATS_DELIVER_ALL;
    config.start_seq = 0;
    config.ack = NATS_ACK_EXPLICIT;
    config.inactive_threshold_ns = SOURCE_GUARD_INACTIVE;
    buf_reset(&s->subject);
    buf_reset(&s->body);
    nats_consumer_create_subject(&s->subject, nats_client_api_prefix(client), s->settings->stream,
                                 &config);
    nats_consumer_create_body(&s->body, s->settings->stream, &config, "create");
    s->state = SOURCE_GUARD;
    if (!source_send(s, client, SOURCE_CREATE_TIMEOUT, now))
        source_retry(s, client, now);
}

void source_on_guard(struct source *s, struct nats_client *client, struct slice payload,
                     int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_consumer_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        source_retry_because(s, client, err.text, now);
        return;
    }
    s->guarded = true;
    buf_reset(&s->body);
    source_ask(s, client, SOURCE_DELETE, "CONSUMER.DELETE", buf_text(&s->consumer), now);
}

void source_delete_guard(struct source *s, struct nats_client *client)
{
    if (s->guard.len == 0)
        return;
    nats_client_delete_consumer(client, &s->subject, s->settings->stream, buf_text(&s->guard));
    buf_reset(&s->guard);
    s->guarded = false;
}
