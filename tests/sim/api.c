/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "model.h"

/* The API's requests, and what their replies have in common: nats-server/server/jetstream_api.go.
 */

void js_api_begin(struct server *s, const char *type)
{
    buf_reset(&s->reply);
    buf_printf(&s->reply, "{\"type\":\"io.nats.jetstream.api.v1.%s_response\"", type);
}

void js_api_error(struct server *s, const char *type, int code, int err_code, const char *text)
{
    js_api_begin(s, type);
    buf_printf(&s->reply, ",\"error\":{\"code\":%d,\"err_code\":%d,\"description\":\"%s\"}}", code,
               err_code, text);
}

/* Take what is in front of the next dot off `rest`. */
static struct slice next_token(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '.')
        len++;
    struct slice token = {rest->data, len};
    size_t used = len < rest->len ? len + 1 : len;
    *rest = (struct slice){rest->data + used, rest->len - used};
    return token;
}

static bool take_prefix(struct slice *call, const char *prefix)
{
    if (!slice_starts_with(*call, prefix))
        return false;
    call->data += strlen(prefix);
    call->len -= strlen(prefix);
    return true;
}

static void account_info(struct server *s)
{
    js_api_begin(s, "account_info");
    buf_append_text(&s->reply, ",\"memory\":0,\"storage\":0,\"limits\":{\"max_memory\":-1,"
                               "\"max_storage\":-1,\"max_streams\":-1,\"max_consumers\":-1}}");
}

/* A pull has no reply of its own: what it gets are messages. False if nobody serves it. */
static bool next_message(struct server *s, struct slice rest, struct slice reply, struct slice body)
{
    struct slice name = next_token(&rest);
    struct js_stream *stream = js_stream_find(s, name);
    struct js_consumer *c = stream == NULL ? NULL : js_consumer_find(stream, rest);
    if (c == NULL)
        return !server_is_since(s, 10, 26); /* before, it was silent */
    js_delivery_request(c, reply, body);
    return true;
}

static void consumer_request(struct server *s, struct slice call, struct slice body)
{
    struct slice rest = call;
    if (take_prefix(&rest, "DURABLE.CREATE.")) {
        struct slice stream = next_token(&rest);
        js_api_consumer(s, slice_of("CREATE"), stream, rest, body);
        return;
    }
    struct slice verb = next_token(&rest);
    struct slice stream = next_token(&rest);
    if (slice_is(verb, "CREATE")) /* a filter may follow the name */
        rest = next_token(&rest);
    js_api_consumer(s, verb, stream, rest, body);
}

/* True if the call is one that is served; the reply is in s->reply. */
static bool dispatch(struct server *s, struct slice call, struct slice body)
{
    struct slice rest = call;
    buf_reset(&s->reply);
    if (slice_is(call, "INFO")) {
        account_info(s);
    } else if (take_prefix(&rest, "STREAM.MSG.")) {
        struct slice verb = next_token(&rest);
        js_api_message(s, verb, rest, body);
    } else if (take_prefix(&rest, "STREAM.")) {
        struct slice verb = next_token(&rest);
        js_api_stream(s, verb, rest, body);
    } else if (take_prefix(&rest, "CONSUMER.")) {
        consumer_request(s, rest, body);
    }
    return s->reply.len > 0;
}

bool js_api_request(struct server *s, struct slice call, struct slice reply, struct slice body)
{
    struct slice rest = call;
    if (take_prefix(&rest, "CONSUMER.MSG.NEXT."))
        return next_message(s, rest, reply, body);
    if (s->now < s->api_fails && reply.len > 0) {
        if (s->api_answer != NULL)
            js_wire_send(s, reply, reply, (struct slice){0}, (struct slice){0},
                         slice_of(s->api_answer));
        return true;
    }
    if (!dispatch(s, call, body))
        return true; /* an unknown one is taken, and not answered */
    if (reply.len == 0 || server_is_lost(s, SERVER_LOSES_REPLY))
        return true;
    struct buf answer = {0}; /* on the way a cut connection may end a pull, which uses s->reply */
    buf_append_slice(&answer, buf_slice(&s->reply));
    js_wire_send(s, reply, reply, (struct slice){0}, (struct slice){0}, buf_slice(&answer));
    buf_free(&answer);
    return true;
}
