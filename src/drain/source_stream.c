/* SPDX-License-Identifier: MIT */
#include "drain/source_setup.h"

#include <string.h>

#include "base/clock.h"
#include "base/time.h"

/* True if `generation` is that of a stream created at `created`: rolled back since, or not. */
static bool is_generation_of(struct slice generation, struct slice created)
{
    return generation.len >= created.len &&
           memcmp(generation.data, created.data, created.len) == 0 &&
           (generation.len == created.len || generation.data[created.len] == '~');
}

static void load_generation(struct source *s)
{
    const char *created = buf_text(&s->created);
    const struct position *p =
        positions_find(s->stored, s->settings->stream, created, s->settings->consumer);
    ledger_reset(&s->ledger);
    s->newest_seq = s->sealed_seq = 0;
    s->newest_time = s->sealed_time = 0;
    if (p == NULL)
        return;
    ledger_load(&s->ledger, p->through, &p->above);
    s->newest_seq = s->sealed_seq = p->last_seq;
    s->newest_time = s->sealed_time = p->last_time;
}

void source_stream_adopt(struct source *s)
{
    buf_reset(&s->created);
    buf_append_slice(&s->created, buf_slice(&s->next_created));
    buf_reset(&s->next_created);
    load_generation(s);
    s->last_consumer_seq = 0;
    s->seen_consumer = false;
}

static void want_generation(struct source *s, struct slice created, bool rolled_back)
{
    buf_reset(&s->next_created);
    buf_append_slice(&s->next_created, created);
    if (rolled_back) {
        char time[TIME_TEXT_MAX];
        time_format(clock_wall(), 3, time);
        buf_append_byte(&s->next_created, '~');
        buf_append_text(&s->next_created, time);
    }
    source_raise(s, SOURCE_ALERT_STREAM_RECREATED);
    struct log_line line;
    source_log_begin(s, &line, LOG_WARNING, "stream_recreated");
    log_text(&line, "text",
             rolled_back ? "the stream was set back to an older state; its sequences count anew"
                         : "the stream was deleted and made again; its sequences count anew");
    log_bytes(&line, "created", s->next_created.data, s->next_created.len);
    log_end(&line);
}

/* The first answer in this process: which generation of the stream are we draining? */
static void choose_first_generation(struct source *s, struct slice created)
{
    const struct position *newest =
        positions_newest(s->stored, s->settings->stream, s->settings->consumer);
    if (newest == NULL || is_generation_of(slice_of(newest->created), created)) {
        buf_append_slice(&s->created, newest == NULL ? created : slice_of(newest->created));
        load_generation(s);
        return;
    }
    want_generation(s, created, false);
    source_stream_adopt(s); /* nothing of the old one is open */
}

static bool subjects_cover(const struct source *s, const struct nats_stream_info *info)
{
    for (size_t i = 0; i < info->subject_count; i++) {
        bool found = false;
        for (size_t j = 0; j < s->settings->subjects.count && !found; j++)
            found = slice_is(info->subjects[i], s->settings->subjects.items[j]);
        if (!found)
            return false;
    }
    return info->subject_count > 0;
}

/* Messages that the stream dropped before we had them. Only limits retention drops what nobody has
 * acked. */
void source_stream_count_lost(struct source *s, const struct nats_stream_info *info)
{
    uint64_t position = ledger_claimed_position(&s->ledger);
    bool begun = s->newest_seq > 0;
    if (!begun || s->retention != NATS_RETENTION_LIMITS || info->first_seq <= position + 1)
        return;
    uint64_t lost = info->first_seq - 1 - position;
    s->counters.lost += lost;
    ledger_nothing_at(&s->ledger, position + 1, info->first_seq - 1);
    source_raise(s, SOURCE_ALERT_DATA_LOST);
    struct log_line line;
    source_log_begin(s, &line, LOG_ERROR, "data_lost");
    log_u64(&line, "first_seq", info->first_seq);
    log_u64(&line, "position", position);
    log_u64(&line, "at_most", lost);
    log_end(&line);
}

void source_stream_note(struct source *s, const struct nats_stream_info *info)
{
    s->retention = info->retention;
    s->first_seq = info->first_seq;
    s->last_seq = info->last_seq;
    s->counters.stream_last_sequence = info->last_seq;
    s->covers_stream = subjects_cover(s, info);
    if (s->once && !s->target_known) {
        s->target = info->last_seq;
        s->target_known = true;
    }
    source_resolve(s, SOURCE_ALERT_STREAM_MISSING);
}

/* True if the stream is the one that we are draining; else source_adopt has to come first. */
bool source_stream_is_ours(struct source *s, const struct nats_stream_info *info)
{
    if (s->created.len == 0)
        choose_first_generation(s, info->created);
    if (!is_generation_of(buf_slice(&s->created), info->created))
        want_generation(s, info->created, false);
    else if (info->last_seq < s->newest_seq)
        want_generation(s, info->created, true);
    else
        return true;
    s->state = SOURCE_RETRY;
    s->retry_at = INT64_MAX; /* source_adopt starts over */
    return false;
}

static void after_position(struct source *s, struct nats_client *client, int64_t now)
{
    if (source_is_durable(s))
        source_consumer_ask(s, client, now);
    else
        source_consumer_create(s, client, now);
}

void source_on_stream(struct source *s, struct nats_client *client, const struct slice payload,
                      int64_t now)
{
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stream_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_STREAM)
            source_raise(s, SOURCE_ALERT_STREAM_MISSING);
        source_retry_because(s, client, err.text, now);
        return;
    }
    source_stream_note(s, &info);
    if (!source_stream_is_ours(s, &info))
        return;
    if (!source_is_durable(s) && s->retention != NATS_RETENTION_LIMITS) {
        source_refuse(s, "delivery: position is for streams with limits retention; this one "
                         "keeps messages only until they are acked: use delivery: durable");
        return;
    }
    source_stream_count_lost(s, &info);
    if (s->newest_seq == 0 || s->newest_seq < info.first_seq) {
        after_position(s, client, now);
        return;
    }
    /* Is the newest message that we know still the one that the stream has under its number? */
    s->state = SOURCE_POSITION;
    buf_reset(&s->body);
    nats_stream_get_body(&s->body, s->newest_seq);
    source_ask(s, client, "STREAM.MSG.GET", NULL, now);
}

void source_on_position(struct source *s, struct nats_client *client, const struct slice payload,
                        int64_t now)
{
    struct nats_stored_message message;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stored_message_parse(payload, &s->arena, &message, &error, &err) != 0) {
        /* Deleted, or acked on a stream that drops what is acked: no contradiction. */
        if (error.meaning == NATS_MEANING_NO_MESSAGE)
            after_position(s, client, now);
        else
            source_retry_because(s, client, err.text, now);
        return;
    }
    if (message.time_ns == s->newest_time) {
        after_position(s, client, now);
        return;
    }
    struct slice generation = buf_slice(&s->created);
    const uint8_t *mark = memchr(generation.data, '~', generation.len);
    if (mark != NULL)
        generation.len = (size_t)(mark - generation.data);
    want_generation(s, generation, true);
    s->state = SOURCE_RETRY;
    s->retry_at = INT64_MAX;
}
