/* SPDX-License-Identifier: MIT */

#include "drain/denied.h"
#include "drain/source_consumer.h"
#include "drain/source_floor.h"
#include "drain/source_step.h"
#include "drain/source_tally.h"
#include "nats/subject.h"

/* Is the newest message that we know still the one that the stream has under its number? */
static void ask_position(struct source *s, struct nats_client *client, int64_t now)
{
    buf_reset(&s->body);
    nats_stream_get_body(&s->body, s->generation.newest_seq);
    source_ask(s, client, SOURCE_POSITION, "STREAM.MSG.GET", NULL, now);
}

/* Nothing under the number of the newest message proves nothing. Is all that the stream has below
 * it older? Else what it has there is not what is durable under its number, and must not be acked.
 */
static void ask_below(struct source *s, struct nats_client *client, int64_t now)
{
    buf_reset(&s->body);
    if (cut_ask(&s->generation.cut, &s->body))
        source_ask(s, client, SOURCE_BELOW, "STREAM.MSG.GET", NULL, now);
    else
        source_attach(s, client, now);
}

/* What of a stream that was set back is what we know? Each answer leads to the next question. */
static void ask_cut(struct source *s, struct nats_client *client, int64_t now)
{
    buf_reset(&s->body);
    if (cut_ask(&s->generation.cut, &s->body)) {
        source_ask(s, client, SOURCE_CUT, "STREAM.MSG.GET", NULL, now);
        return;
    }
    generation_take_cut(&s->generation);
    struct log_line line;
    log_begin(&line, LOG_INFO, "set_back");
    log_text(&line, "stream", s->settings->stream);
    log_text(&line, "text", "up to this sequence the stream is as it was");
    log_u64(&line, "last_seq", s->generation.newest_seq);
    log_end(&line);
    s->renew = SOURCE_RENEW_FOR_STREAM;
    source_attach(s, client, now);
}

/* Could a message of one of our subjects ever be in the stream? One that copies others, or changes
 * subjects, says nothing about that. */
static bool takes_any(const struct config_source *settings, const struct nats_stream_info *info)
{
    bool any = info->subject_count == 0 || info->transforms;
    for (size_t i = 0; i < info->subject_count && !any; i++)
        for (size_t j = 0; j < settings->subjects.count && !any; j++)
            any = nats_subject_overlaps(info->subjects[i], slice_of(settings->subjects.items[j]));
    return any;
}

void source_look_unmatched(struct source *s)
{
    if (!s->transforms || s->told_unmatched || s->stream_messages == 0 ||
        s->counters.messages_received > 0 || s->counters.consumer_pending > 0 ||
        s->last_consumer_seq > 0 || s->generation.newest_seq > 0)
        return;
    s->told_unmatched = true;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "nothing_matches");
    log_text(&line, "stream", s->settings->stream);
    log_text(&line, "text",
             "the stream changes or copies subjects on the way in (subject_transform, sources or "
             "mirror), and none of its messages has a subject of this source: `subjects` has to "
             "name them as the stream stores them; varve check shows one");
    log_u64(&line, "messages", s->stream_messages);
    log_end(&line);
}

/* Said once, until it takes some again. */
static void look_at_subjects(struct source *s, const struct nats_stream_info *info)
{
    bool takes = takes_any(s->settings, info);
    if (!takes && !s->told_subjects)
        log_message(LOG_WARNING, "takes_nothing",
                    "stream %s does not take any of the subjects of its source: nothing more can "
                    "come",
                    s->settings->stream);
    s->told_subjects = !takes;
    s->takes_nothing = s->counters.messages_received == 0 && !takes;
}

/* Take over what an info says. */
static void note_stream(struct source *s, const struct nats_stream_info *info)
{
    s->retention = info->retention;
    s->replicated = info->replicas > 1;
    s->counters.stream_last_sequence = info->last_seq;
    s->first_seq = info->first_seq;
    s->last_seq = info->last_seq;
    s->first_time = info->first_ns;
    s->transforms = info->transforms;
    s->stream_messages = info->messages;
    s->covers_stream = consumer_covers(s->settings, info);
    look_at_subjects(s, info);
    if (s->once && !s->end.known) {
        s->end.target = info->last_seq;
        s->end.known = true;
    }
    source_resolve(s, SOURCE_ALERT_STREAM_MISSING);
}

/* True if it is the stream that we are draining; else the way on is taken already. */
static bool take_stream(struct source *s, struct nats_client *client, struct slice payload,
                        struct nats_stream_info *info, int64_t now)
{
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stream_info_parse(payload, &s->arena, info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_STREAM)
            source_raise(s, SOURCE_ALERT_STREAM_MISSING);
        source_retry_because(s, client, err.text, now);
        return false;
    }
    note_stream(s, info);
    bool first = s->generation.created.len == 0;
    enum generation_verdict verdict = generation_judge(&s->generation, info, s->asked, now);
    if (first)
        source_begin_count(s);
    if (verdict == GENERATION_LEFT)
        source_leave(s, client);
    if (verdict == GENERATION_LAGS)
        source_wait_for_leader(s, client, now);
    return verdict == GENERATION_FITS;
}

/* The stream begins here. True if its consumer has to be asked first, which is `there`: where it
 * has other subjects, too, what it dropped may have been of these. */
static bool note_dropped(struct source *s, uint64_t first_seq, bool there)
{
    bool asks = there && !s->covers_stream && generation_may_have_lost(&s->generation, first_seq);
    if (asks)
        s->dropped_before = first_seq;
    else
        (void)source_count_dropped(s, first_seq);
    return asks;
}

static void on_stream(struct source *s, struct nats_client *client, struct slice payload,
                      int64_t now)
{
    struct nats_stream_info info;
    if (!take_stream(s, client, payload, &info, now))
        return;
    if (!source_is_durable(s) && s->retention != NATS_RETENTION_LIMITS) {
        source_refuse(s, client,
                      "delivery: position is for streams with limits retention; this one keeps "
                      "messages only until they are acked: use delivery: durable");
        return;
    }
    /* Who stands by does not know what of it was stored. */
    if (s->standby.state == SOURCE_STANDBY_OFF)
        (void)note_dropped(s, info.first_seq, source_is_durable(s));
    /* Where what we know was acked and dropped, the first message that is left may contradict it.
     */
    (void)generation_doubts(&s->generation, info.first_seq, info.first_ns);
    if (s->generation.was_set_back) {
        generation_begin_cut(&s->generation, info.last_seq);
        ask_cut(s, client, now);
    } else if (s->generation.newest_seq > 0 && s->generation.newest_seq >= info.first_seq) {
        ask_position(s, client, now);
    } else if (generation_lacks_newest(&s->generation)) {
        source_attach(s, client, now);
    } else {
        source_leave(s, client);
    }
}

/* The reply to STREAM.MSG.GET. False: it says nothing, and all is begun again later. */
static bool take_message(struct source *s, struct nats_client *client, struct slice payload,
                         struct nats_stored_message *message, bool *there, int64_t now)
{
    struct nats_api_error error = {0};
    struct err err = {0};
    *there = nats_stored_message_parse(payload, &s->arena, message, &error, &err) == 0;
    if (*there || error.meaning == NATS_MEANING_NO_MESSAGE)
        return true;
    source_retry_because(s, client, err.text, now);
    return false;
}

static void on_position(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now)
{
    struct nats_stored_message message;
    bool there;
    if (!take_message(s, client, payload, &message, &there, now))
        return;
    /* Deleted, or acked on a stream that drops what is acked: no contradiction by itself. */
    if (!(there ? generation_has_newest(&s->generation, message.time_ns)
                : generation_lacks_newest(&s->generation))) {
        source_leave(s, client);
    } else if (there) {
        source_attach(s, client, now);
    } else {
        generation_begin_below(&s->generation, s->first_seq);
        ask_below(s, client, now);
    }
}

static void on_below(struct source *s, struct nats_client *client, struct slice payload,
                     int64_t now)
{
    struct nats_stored_message message;
    bool there;
    if (!take_message(s, client, payload, &message, &there, now))
        return;
    if (there && generation_doubts(&s->generation, message.sequence, message.time_ns) &&
        !generation_lacks_newest(&s->generation)) {
        source_leave(s, client);
        return;
    }
    cut_answer(&s->generation.cut, there, message.sequence, message.time_ns);
    ask_below(s, client, now);
}

static void on_cut(struct source *s, struct nats_client *client, struct slice payload, int64_t now)
{
    struct nats_stored_message message;
    bool there;
    if (!take_message(s, client, payload, &message, &there, now))
        return;
    cut_answer(&s->generation.cut, there, message.sequence, message.time_ns);
    ask_cut(s, client, now);
}

static void on_confirm(struct source *s, struct nats_client *client, struct slice payload,
                       int64_t now)
{
    struct nats_stream_info info;
    if (take_stream(s, client, payload, &info, now))
        source_on_confirmed(s, client, now);
}

void source_poll(struct source *s, struct nats_client *client, int64_t now)
{
    buf_reset(&s->body);
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, nats_client_api_prefix(client),
                     s->poll.stream_next ? "STREAM.INFO" : "CONSUMER.INFO", s->settings->stream,
                     s->poll.stream_next ? NULL : buf_text(&s->consumer));
    if (s->poll.stream_next)
        s->asked = generation_known_now(&s->generation);
    if (source_send(s, client, SOURCE_REQUEST_TIMEOUT, now))
        s->poll.state = s->poll.stream_next ? SOURCE_POLL_STREAM : SOURCE_POLL_CONSUMER;
    else
        s->poll.at = now + SOURCE_POLL_INTERVAL;
}

static void on_stream_poll(struct source *s, struct nats_client *client, struct slice payload,
                           int64_t now)
{
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stream_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_STREAM)
            source_begin(s, client, now);
        return;
    }
    note_stream(s, &info);
    source_look_unmatched(s);
    switch (generation_judge(&s->generation, &info, s->asked, now)) {
    case GENERATION_FITS:
        break;
    case GENERATION_LAGS: /* meanwhile generation_doubts looks at what comes */
        s->poll.at = now + SOURCE_END_INTERVAL;
        s->poll.stream_next = true;
        return;
    case GENERATION_LEFT:
        source_leave(s, client);
        return;
    }
    if (generation_doubts(&s->generation, info.first_seq, info.first_ns)) {
        source_begin(s, client, now);
        return;
    }
    if (note_dropped(s, info.first_seq, true))
        source_poll_soon(s, now);
}

static void on_poll(struct source *s, struct nats_client *client, const struct nats_event *event,
                    int64_t now)
{
    bool stream = s->poll.state == SOURCE_POLL_STREAM;
    bool answered = event->outcome == NATS_OUTCOME_REPLY;
    s->poll.state = SOURCE_POLL_WAITS;
    s->poll.at = now + (s->once && answered ? SOURCE_END_INTERVAL : SOURCE_POLL_INTERVAL);
    if (!answered)
        return; /* the pulls have a watchdog of their own */
    s->poll.stream_next = !stream && !s->once;
    if (stream)
        on_stream_poll(s, client, event->payload, now);
    else
        source_on_consumer_poll(s, client, event->payload, now);
}

static const char *outcome_text(enum nats_outcome outcome)
{
    switch (outcome) {
    case NATS_OUTCOME_REPLY:
        return "";
    case NATS_OUTCOME_NO_RESPONDERS:
        return "JetStream does not answer: it is not enabled for this server or account";
    case NATS_OUTCOME_STATUS:
        return "JetStream answered with a status instead of a reply";
    case NATS_OUTCOME_TIMEOUT:
        return "JetStream does not answer in time";
    }
    return "";
}

void source_take_answer(struct source *s, struct nats_client *client,
                        const struct nats_event *event, int64_t now)
{
    s->request = 0;
    arena_reset(&s->arena);
    if (s->state != SOURCE_PULLING && event->outcome != NATS_OUTCOME_REPLY) {
        source_retry_because(s, client, outcome_text(event->outcome), now);
        return;
    }
    switch (s->state) {
    case SOURCE_STREAM:
        on_stream(s, client, event->payload, now);
        break;
    case SOURCE_POSITION:
        on_position(s, client, event->payload, now);
        break;
    case SOURCE_BELOW:
        on_below(s, client, event->payload, now);
        break;
    case SOURCE_CUT:
        on_cut(s, client, event->payload, now);
        break;
    case SOURCE_GUARD:
        source_on_guard(s, client, event->payload, now);
        break;
    case SOURCE_DELETE:
        source_on_deleted(s, client, now);
        break;
    case SOURCE_CONSUMER:
    case SOURCE_CREATE:
        source_on_consumer(s, client, event->payload, now);
        break;
    case SOURCE_CONFIRM:
        on_confirm(s, client, event->payload, now);
        break;
    case SOURCE_PULLING:
        on_poll(s, client, event, now);
        break;
    case SOURCE_OFF:
    case SOURCE_ANCHORING:
    case SOURCE_STANDBY:
    case SOURCE_LEAVING:
    case SOURCE_RETRY:
    case SOURCE_REFUSED:
        break; /* these have asked nothing */
    }
}

void source_denied(struct source *s, struct nats_client *client,
                   const struct nats_server_error *error, int64_t now)
{
    source_tally_denied(s, error->subject);
    if (s->state == SOURCE_PULLING || s->request == 0 ||
        error->kind != NATS_ERROR_PUBLISH_PERMISSION ||
        !slice_equal(error->subject, buf_slice(&s->subject)))
        return;
    nats_request_cancel(&client->requests, s->request);
    buf_reset(&s->body);
    buf_printf(&s->body, DENIED_SENTENCE "publish to %s", buf_text(&s->subject));
    source_retry_because(s, client, buf_text(&s->body), now);
}
