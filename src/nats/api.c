/* SPDX-License-Identifier: MIT */
#include "nats/api.h"

#include <string.h>

void nats_api_domain_prefix(struct buf *out, const char *domain)
{
    buf_printf(out, "$JS.%s.API", domain);
}

void nats_api_subject(struct buf *out, const char *prefix, const char *call, const char *stream,
                      const char *consumer)
{
    const char *parts[] = {call, stream, consumer};
    buf_append_text(out, prefix);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && parts[i] != NULL; i++) {
        buf_append_byte(out, '.');
        buf_append_text(out, parts[i]);
    }
}

static bool ends_with(struct slice text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

enum nats_api_meaning nats_api_meaning(uint32_t code)
{
    switch (code) {
    case NATS_API_NO_STREAM:
        return NATS_MEANING_NO_STREAM;
    case NATS_API_NO_CONSUMER:
    case 10149: /* does not exist, asked for by action "update" */
        return NATS_MEANING_NO_CONSUMER;
    case NATS_API_NO_MESSAGE:
        return NATS_MEANING_NO_MESSAGE;
    case NATS_API_CONSUMER_EXISTS:
    case 10013: /* name in use */
    case 10058: /* stream name in use */
    case 10105: /* consumer is active */
        return NATS_MEANING_EXISTS;
    case 10004: /* incomplete results */
    case 10007: /* peer not assigned */
    case 10008: /* temporarily unavailable */
    case 10009: /* not leader */
    case 10118: /* stream offline */
    case 10119: /* consumer offline */
    case 10194: /* offline, with a reason */
    case 10195:
    case 10167: /* too many requests */
        return NATS_MEANING_RETRY;
    case 10002: /* account resources */
    case 10023: /* server resources */
    case 10028: /* memory */
    case 10047: /* storage */
    case 10026: /* maximum consumers */
    case 10027: /* maximum streams */
    case 10077: /* store failed */
    case 10104: /* that of a consumer */
        return NATS_MEANING_RESOURCES;
    case 10039: /* account */
    case 10076: /* server */
        return NATS_MEANING_DISABLED;
    case 10099: /* a consumer without a filter, and it is not the only one */
    case 10100: /* filters that another consumer has */
        return NATS_MEANING_OVERLAP;
    case 10003: /* bad request */
    case NATS_API_CONSUMER_CREATE:
    case 10025: /* invalid JSON */
    case 10053: /* limits */
    case 10054: /* message too big */
    case 10056: /* stream name mismatch */
    case 10060: /* wrong stream */
    case 10093: /* filter no subset */
    case 10097: /* header too big */
    case 10131: /* filter mismatch */
    case 10137: /* filter and filters */
    case 10138: /* overlapping filters */
    case 10139: /* empty filter */
    case 10185: /* API level */
        return NATS_MEANING_REQUEST;
    }
    return NATS_MEANING_OTHER;
}

/* The code says no more than that no consumer was made. Its store fails on a full disk, and where
 * the consumer of that name is being deleted. */
static enum nats_api_meaning meaning_of_create(struct slice text)
{
    if (ends_with(text, " can not be updated"))
        return NATS_MEANING_EXISTS; /* what a server before 2.10 says then */
    if (slice_starts_with(text, "error creating store for consumer"))
        return NATS_MEANING_RESOURCES;
    return nats_api_meaning(NATS_API_CONSUMER_CREATE);
}

const struct json *nats_api_reply(struct slice json, struct arena *arena,
                                  struct nats_api_error *error, struct err *err)
{
    *error = (struct nats_api_error){0};
    const struct json *root = json_parse(arena, json, err);
    if (root == NULL) {
        err->code = ERR_PROTOCOL;
        err_prefix(err, "a JetStream reply");
        return NULL;
    }
    if (root->type != JSON_OBJECT) {
        err_set(err, ERR_PROTOCOL, "a JetStream reply is not a JSON object");
        return NULL;
    }
    const struct json *failure = json_member(root, "error");
    if (failure == NULL || failure->type == JSON_NULL)
        return root;

    uint64_t number;
    struct slice text = slice_of("no description");
    error->status = 500; /* never 0 for an error, whatever is in it */
    if (json_get_u64(failure, "code", &number) && number > 0 && number <= UINT32_MAX)
        error->status = (uint32_t)number;
    if (json_get_u64(failure, "err_code", &number) && number <= UINT32_MAX)
        error->code = (uint32_t)number;
    json_get_text(failure, "description", &text);
    error->meaning = nats_api_meaning(error->code);
    if (error->code == NATS_API_CONSUMER_CREATE)
        error->meaning = meaning_of_create(text);
    err_set(err, ERR_REFUSED, "JetStream says: %.*s (%u/%u)",
            (int)(text.len < ERR_TEXT_MAX ? text.len : ERR_TEXT_MAX), (const char *)text.data,
            error->status, error->code);
    return NULL;
}

int nats_pub_ack_parse(struct slice json, struct arena *arena, struct nats_pub_ack *ack,
                       struct nats_api_error *error, struct err *err)
{
    *ack = (struct nats_pub_ack){0};
    const struct json *root = nats_api_reply(json, arena, error, err);
    if (root == NULL)
        return -1;
    if (!json_get_text(root, "stream", &ack->stream) ||
        !json_get_u64(root, "seq", &ack->sequence) || ack->sequence == 0)
        return err_set(err, ERR_PROTOCOL, "the reply to a publish names no stream and sequence");
    json_get_bool(root, "duplicate", &ack->duplicate);
    return 0;
}
