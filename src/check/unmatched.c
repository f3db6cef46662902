/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "check/check.h"
#include "drain/api_client.h"

enum answer { THERE, NOT_THERE, NOT_SAID };

/* Put the subject of the message that `body` asks for into `out`. */
static enum answer ask(struct api_client *a, const char *stream, struct slice body, struct buf *out)
{
    struct nats_stored_message message;
    struct nats_api_error error = {0};
    struct arena arena = {0};
    struct slice reply;
    struct err err = {0};
    enum answer answer = NOT_SAID;
    if (api_client_api(a, "STREAM.MSG.GET", stream, NULL, body, &reply, &err) == 0) {
        if (nats_stored_message_parse(reply, &arena, &message, &error, &err) == 0) {
            buf_append_slice(out, message.subject);
            answer = THERE;
        } else if (error.meaning == NATS_MEANING_NO_MESSAGE) {
            answer = NOT_THERE;
        }
    }
    arena_free(&arena);
    return answer;
}

void check_unmatched(struct check_report *r, struct api_client *a,
                     const struct config_source *source, const struct nats_stream_info *info)
{
    struct buf body = {0}, subject = {0};
    enum answer answer = NOT_THERE;
    if (info->messages == 0 || !info->transforms)
        return;
    for (size_t i = 0; i < source->subjects.count && answer == NOT_THERE; i++) {
        buf_reset(&body);
        nats_stream_last_body(&body, slice_of(source->subjects.items[i]));
        answer = ask(a, source->stream, buf_slice(&body), &subject);
    }
    if (answer == NOT_THERE) {
        buf_reset(&body);
        nats_stream_get_body(&body, info->last_seq);
        answer = ask(a, source->stream, buf_slice(&body), &subject);
        check_say(r, CHECK_WARNING,
                  "stream %s changes or copies subjects on the way in, and none of its %" PRIu64
                  " messages has a subject of its source%s%s: name in sources[].subjects what the "
                  "stream stores, or nothing arrives",
                  source->stream, info->messages, answer == THERE ? "; the newest has " : "",
                  buf_text(&subject));
    }
    buf_free(&body);
    buf_free(&subject);
}
