/* SPDX-License-Identifier: MIT */
#include "pipeline/source_setup.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "nats/consumer_diff.h"

/* An ephemeral consumer outlives a short stall of ours, and is gone soon after us. */
#define EPHEMERAL_INACTIVE (120 * CLOCK_SECOND)

static bool is_durable(const struct source *s)
{
    return s->settings->delivery == CONFIG_DURABLE;
}

static void raise_alert(struct source *s, enum source_alert alert)
{
    s->raised |= 1u << alert;
    s->standing |= 1u << alert;
}

static void resolve_alert(struct source *s, enum source_alert alert)
{
    if ((s->standing & 1u << alert) == 0)
        return;
    s->resolved |= 1u << alert;
    s->standing &= ~(1u << alert);
}

static void begin_line(const struct source *s, struct log_line *line, enum log_level level,
                       const char *event)
{
    log_begin(line, level, event);
    log_text(line, "stream", s->settings->stream);
}

void source_setup_refuse(struct source *s, const char *why)
{
    struct log_line line;
    begin_line(s, &line, LOG_ERROR, "source_refused");
    log_text(&line, "text", why);
    log_end(&line);
    s->state = SOURCE_REFUSED;
    err_clear(&s->refusal);
    err_set(&s->refusal, ERR_REFUSED, "stream %s, consumer %s: %s", s->settings->stream,
            s->settings->consumer, why);
}

static void close_pull(struct source *s, struct nats_client *client)
{
    if (s->pull.open)
        nats_pull_close(&s->pull, client);
}

void source_setup_retry(struct source *s, struct nats_client *client, int64_t now)
{
    close_pull(s, client);
    s->request = 0;
    s->state = SOURCE_RETRY;
    s->retry_at = now + s->retry_pause;
    s->retry_pause = s->retry_pause * 2 > SOURCE_RETRY_MAX ? SOURCE_RETRY_MAX : s->retry_pause * 2;
}

/* A setback that is worth a line, but not one each time it is tried. */
static void retry_because(struct source *s, struct nats_client *client, const char *why,
                          int64_t now)
{
    uint64_t suppressed;
    if (log_allowed(&s->log_limit, now, &suppressed)) {
        struct log_line line;
        begin_line(s, &line, LOG_WARNING, "source_waiting");
        log_text(&line, "reason", why);
        log_u64(&line, "suppressed", suppressed);
        log_end(&line);
    }
    source_setup_retry(s, client, now);
}

/* Ask the API about the stream, or about a consumer. */
static void ask(struct source *s, struct nats_client *client, const char *call,
                const char *consumer, int64_t now)
{
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, NATS_API_PREFIX, call, s->settings->stream, consumer);
    s->request = nats_client_request(client, buf_slice(&s->subject), (struct slice){0},
                                     buf_slice(&s->body), SOURCE_REQUEST_TIMEOUT, now);
    if (s->request == 0)
        source_setup_retry(s, client, now);
}

void source_setup_begin(struct source *s, struct nats_client *client, int64_t now)
{
    close_pull(s, client);
    ledger_out_of_step(&s->ledger);
    s->next_recover = INT64_MAX;
    s->state = SOURCE_STREAM;
    buf_reset(&s->body);
    ask(s, client, "STREAM.INFO", NULL, now);
}

/* --- the stream ------------------------------------------------------------------------------ */

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
    const struct store_position *p =
        store_positions_find(s->stored, s->settings->stream, created, s->settings->consumer);
    ledger_reset(&s->ledger);
    s->newest_seq = 0;
    s->newest_time = 0;
    if (p == NULL)
        return;
    ledger_load(&s->ledger, p->through, &p->above);
    s->newest_seq = p->last_seq;
    s->newest_time = p->last_time;
}

void source_setup_adopt(struct source *s)
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
        char time[NUM_TIME_TEXT_MAX];
        num_format_time(clock_wall(), 3, time);
        buf_append_byte(&s->next_created, '~');
        buf_append_text(&s->next_created, time);
    }
    raise_alert(s, SOURCE_ALERT_STREAM_RECREATED);
    struct log_line line;
    begin_line(s, &line, LOG_WARNING, "stream_recreated");
    log_text(&line, "text",
             rolled_back ? "the stream was set back to an older state; its sequences count anew"
                         : "the stream was deleted and made again; its sequences count anew");
    log_bytes(&line, "created", s->next_created.data, s->next_created.len);
    log_end(&line);
}

/* The first answer in this process: which generation of the stream are we draining? */
static void choose_first_generation(struct source *s, struct slice created)
{
    const struct store_position *newest =
        store_positions_newest(s->stored, s->settings->stream, s->settings->consumer);
    if (newest == NULL || is_generation_of(slice_of(newest->created), created)) {
        buf_append_slice(&s->created, newest == NULL ? created : slice_of(newest->created));
        load_generation(s);
        return;
    }
    want_generation(s, created, false);
    source_setup_adopt(s); /* nothing of the old one is open */
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
static void count_lost(struct source *s, const struct nats_stream_info *info)
{
    uint64_t position = ledger_claimed_position(&s->ledger);
    bool begun = s->newest_seq > 0;
    if (!begun || s->retention != NATS_RETENTION_LIMITS || info->first_seq <= position + 1)
        return;
    uint64_t lost = info->first_seq - 1 - position;
    s->stats.lost += lost;
    ledger_nothing_at(&s->ledger, position + 1, info->first_seq - 1);
    raise_alert(s, SOURCE_ALERT_DATA_LOST);
    struct log_line line;
    begin_line(s, &line, LOG_ERROR, "data_lost");
    log_u64(&line, "first_seq", info->first_seq);
    log_u64(&line, "position", position);
    log_u64(&line, "at_most", lost);
    log_end(&line);
}

static void note_stream(struct source *s, const struct nats_stream_info *info)
{
    s->retention = info->retention;
    s->first_seq = info->first_seq;
    s->last_seq = info->last_seq;
    s->stats.stream_last_sequence = info->last_seq;
    s->covers_stream = subjects_cover(s, info);
    if (s->once && !s->target_known) {
        s->target = info->last_seq;
        s->target_known = true;
    }
    resolve_alert(s, SOURCE_ALERT_STREAM_MISSING);
}

/* True if the stream is the one that we are draining; else source_adopt has to come first. */
static bool check_generation(struct source *s, const struct nats_stream_info *info)
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

static void ask_consumer(struct source *s, struct nats_client *client, int64_t now);
static void create_consumer(struct source *s, struct nats_client *client, int64_t now);

static void after_position(struct source *s, struct nats_client *client, int64_t now)
{
    if (is_durable(s))
        ask_consumer(s, client, now);
    else
        create_consumer(s, client, now);
}

static void on_stream(struct source *s, struct nats_client *client, const struct slice payload,
                      int64_t now)
{
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stream_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_STREAM)
            raise_alert(s, SOURCE_ALERT_STREAM_MISSING);
        retry_because(s, client, err.text, now);
        return;
    }
    note_stream(s, &info);
    if (!check_generation(s, &info))
        return;
    if (!is_durable(s) && s->retention != NATS_RETENTION_LIMITS) {
        source_setup_refuse(s, "delivery: position is for streams with limits retention; this one "
                               "keeps messages only until they are acked: use delivery: durable");
        return;
    }
    count_lost(s, &info);
    if (s->newest_seq == 0 || s->newest_seq < info.first_seq) {
        after_position(s, client, now);
        return;
    }
    /* Is the newest message that we know still the one that the stream has under its number? */
    s->state = SOURCE_POSITION;
    buf_reset(&s->body);
    nats_stream_get_body(&s->body, s->newest_seq);
    ask(s, client, "STREAM.MSG.GET", NULL, now);
}

static void on_position(struct source *s, struct nats_client *client, const struct slice payload,
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
            retry_because(s, client, err.text, now);
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

/* --- the consumer ---------------------------------------------------------------------------- */

/* Where a consumer that we make starts: behind what is in the store or on its way there; where that
 * is nothing, as configured. */
static void fill_start(const struct source *s, struct nats_consumer_config *wanted)
{
    uint64_t position =
        is_durable(s) ? ledger_position(&s->ledger) : ledger_claimed_position(&s->ledger);
    if (s->retention == NATS_RETENTION_WORKQUEUE)
        return; /* the server allows nothing but all */
    if (position > 0) {
        wanted->deliver = NATS_DELIVER_BY_START_SEQUENCE;
        wanted->start_seq = position + 1;
        return;
    }
    const struct config_start *start = &s->settings->start;
    switch (start->kind) {
    case CONFIG_START_FIRST:
        break;
    case CONFIG_START_NEW:
        wanted->deliver = NATS_DELIVER_NEW;
        break;
    case CONFIG_START_SEQUENCE:
        wanted->deliver = NATS_DELIVER_BY_START_SEQUENCE;
        wanted->start_seq = start->sequence;
        break;
    case CONFIG_START_TIME:
        wanted->deliver = NATS_DELIVER_BY_START_TIME;
        wanted->start_time_ns = start->time;
        break;
    }
}

/* What we want of the consumer. `filters` is room for CONFIG_LIST_MAX slices. */
static struct nats_consumer_config wanted_consumer(const struct source *s, struct slice *filters)
{
    struct nats_consumer_config wanted = {
        .deliver = NATS_DELIVER_ALL,
        .max_deliver = -1,
        .filters = filters,
    };
    if (!s->covers_stream) {
        for (size_t i = 0; i < s->settings->subjects.count; i++)
            filters[i] = slice_of(s->settings->subjects.items[i]);
        wanted.filter_count = s->settings->subjects.count;
    }
    if (is_durable(s)) {
        wanted.durable = slice_of(s->settings->consumer);
        wanted.description = slice_of("varve: events to Parquet");
        wanted.ack = NATS_ACK_EXPLICIT;
        wanted.ack_wait_ns = config_ack_wait(s->config);
        wanted.max_ack_pending = (int64_t)config_max_ack_pending(s->config);
    } else {
        wanted.name = buf_slice(&s->consumer);
        wanted.ack = NATS_ACK_NONE;
        wanted.max_deliver = 0; /* means nothing without acks */
        wanted.inactive_threshold_ns = EPHEMERAL_INACTIVE;
        wanted.replicas = 1;
        wanted.memory = true;
    }
    fill_start(s, &wanted);
    return wanted;
}

static void name_consumer(struct source *s)
{
    buf_reset(&s->consumer);
    if (is_durable(s)) {
        buf_append_text(&s->consumer, s->settings->consumer);
        return;
    }
    /* A new name each time: an earlier one may be on a server that is gone (facts: fact 11). */
    char token[NATS_TOKEN_LEN + 1];
    nats_random_token(&s->random, token);
    buf_printf(&s->consumer, "%s_%s", s->settings->consumer, token);
}

static void ask_consumer(struct source *s, struct nats_client *client, int64_t now)
{
    s->state = SOURCE_CONSUMER;
    name_consumer(s);
    buf_reset(&s->body);
    ask(s, client, "CONSUMER.INFO", buf_text(&s->consumer), now);
}

static void send_create(struct source *s, struct nats_client *client,
                        const struct nats_consumer_config *wanted, int64_t now)
{
    s->state = SOURCE_CREATE;
    buf_reset(&s->subject);
    nats_consumer_create_subject(&s->subject, NATS_API_PREFIX, s->settings->stream, wanted);
    s->request = nats_client_request(client, buf_slice(&s->subject), (struct slice){0},
                                     buf_slice(&s->body), SOURCE_CREATE_TIMEOUT, now);
    if (s->request == 0)
        source_setup_retry(s, client, now);
}

/* An ephemeral consumer of ours that is of no more use. Should this not arrive, it goes by itself.
 */
static void delete_ephemeral(struct source *s, struct nats_client *client)
{
    if (is_durable(s) || s->consumer.len == 0)
        return;
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, NATS_API_PREFIX, "CONSUMER.DELETE", s->settings->stream,
                     buf_text(&s->consumer));
    nats_client_publish(client, buf_slice(&s->subject), (struct slice){0}, (struct slice){0});
}

static void create_consumer(struct source *s, struct nats_client *client, int64_t now)
{
    delete_ephemeral(s, client);
    if (is_durable(s) && s->config->consumer.manage == CONFIG_MANAGE_BIND) {
        retry_because(s, client, "the consumer does not exist, and consumer.manage is bind", now);
        return;
    }
    struct slice filters[CONFIG_LIST_MAX];
    name_consumer(s);
    struct nats_consumer_config wanted = wanted_consumer(s, filters);
    buf_reset(&s->body);
    nats_consumer_create_body(&s->body, s->settings->stream, &wanted, "create");
    send_create(s, client, &wanted, now);
}

static void log_consumer(const struct source *s, const struct nats_consumer_info *info, bool made)
{
    struct log_line line;
    begin_line(s, &line, LOG_INFO, made ? "consumer_made" : "consumer_found");
    log_bytes(&line, "consumer", info->name.data, info->name.len);
    log_u64(&line, "pending", info->pending);
    log_u64(&line, "unacked", info->ack_pending);
    log_u64(&line, "position", ledger_claimed_position(&s->ledger));
    log_end(&line);
}

static void note_consumer(struct source *s, const struct nats_consumer_info *info)
{
    s->stats.consumer_pending = info->pending;
    s->stats.consumer_ack_floor = info->ack_floor_stream_seq;
    /* What was acked is in a store, or was never for us. */
    if (is_durable(s))
        ledger_nothing_at(&s->ledger, 0, info->ack_floor_stream_seq);
}

static void recover(struct source *s, const struct nats_consumer_info *info, uint64_t from,
                    int64_t now)
{
    s->recover = (struct seqrange){from, info->delivered_stream_seq};
    s->recover_consumer_seq = info->delivered_consumer_seq;
    s->next_recover = now;
}

/* Deliveries to an earlier connection that were not acked: ours, unless others share the consumer;
 * then only ack_wait can tell. */
static void plan_recovery(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    s->orphans_seen = false;
    s->shared = is_durable(s) && (s->settings->shared || info->waiting > 0);
    if (is_durable(s) && !s->shared && info->ack_pending > 0)
        recover(s, info, info->ack_floor_stream_seq + 1, now);
}

static uint64_t live_pulls(const struct nats_pull *pull)
{
    uint64_t live = 0;
    for (int i = 0; i < NATS_PULL_SLOTS; i++)
        live += pull->slots[i].token != 0;
    return live;
}

/* What was delivered to a connection that the server took for alive is seen only now: nobody else
 * pulls, twice in a row, and yet messages are out that we never got. */
static void look_for_orphans(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    uint64_t floor = info->ack_floor_stream_seq;
    uint64_t missing = seqset_contiguous_end(&s->ledger.claimed, floor + 1) + 1;
    bool orphans = !s->settings->shared && info->ack_pending > 0 &&
                   info->waiting <= live_pulls(&s->pull) && missing <= info->delivered_stream_seq &&
                   s->next_recover == INT64_MAX;
    if (orphans && s->orphans_seen)
        recover(s, info, missing, now);
    s->orphans_seen = orphans;
}

static void begin_pulling(struct source *s, struct nats_client *client,
                          const struct nats_consumer_info *info, bool made, int64_t now)
{
    struct err err = {0};
    if (nats_pull_open(&s->pull, client, NATS_API_PREFIX, s->settings->stream,
                       buf_text(&s->consumer), s->pull_target, s, now, &err) != 0) {
        source_setup_refuse(s, err.text);
        return;
    }
    log_consumer(s, info, made);
    note_consumer(s, info);
    plan_recovery(s, info, now);
    if (!is_durable(s) && s->ledger.claimed.count == 0)
        ledger_nothing_at(&s->ledger, 0, info->delivered_stream_seq);
    s->last_consumer_seq = info->delivered_consumer_seq;
    ledger_in_step(&s->ledger, info->delivered_stream_seq, info->delivered_consumer_seq);
    s->state = SOURCE_PULLING;
    s->retry_pause = SOURCE_RETRY_MIN;
    s->next_poll = now + (s->once ? SOURCE_END_INTERVAL : SOURCE_POLL_INTERVAL);
    s->seen_consumer = true;
    resolve_alert(s, SOURCE_ALERT_CONSUMER_RECREATED);
    resolve_alert(s, SOURCE_ALERT_STREAM_RECREATED);
}

/* Compare what is there with what we want. True if it will do. */
static bool consumer_fits(struct source *s, struct nats_client *client,
                          const struct nats_consumer_info *info, bool may_update, int64_t now)
{
    struct slice filters[CONFIG_LIST_MAX];
    struct nats_consumer_config wanted = wanted_consumer(s, filters);
    struct nats_consumer_diff diff;
    nats_consumer_adopt_start(&wanted, &info->config);
    /* Where our subjects are all of the stream, having them as filters makes no difference. */
    if (s->covers_stream && info->config.filter_count > 0) {
        for (size_t i = 0; i < s->settings->subjects.count; i++)
            filters[i] = slice_of(s->settings->subjects.items[i]);
        wanted.filter_count = s->settings->subjects.count;
    }
    nats_consumer_compare(&wanted, &info->config, &diff);
    if (diff.count == 0)
        return true;
    if (may_update && diff.fixed == 0 && s->config->consumer.manage == CONFIG_MANAGE_UPDATE) {
        buf_reset(&s->body);
        nats_consumer_update_body(&s->body, s->settings->stream, &wanted, info);
        send_create(s, client, &wanted, now);
        return false;
    }
    buf_reset(&s->subject);
    if (diff.filters_ignored)
        buf_append_text(&s->subject, "the server ignores filter_subjects (it is older than 2.10): "
                                     "use one subject a source");
    else
        buf_printf(&s->subject,
                   "the consumer contradicts the configuration: %s; change it, name another "
                   "consumer, or set consumer.manage: update",
                   diff.text);
    source_setup_refuse(s, buf_text(&s->subject));
    return false;
}

static void on_consumer(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    bool made = s->state == SOURCE_CREATE;
    if (nats_consumer_info_parse(payload, &s->arena, &info, &error, &err) == 0) {
        if (!consumer_fits(s, client, &info, !made, now))
            return;
        if (made && s->seen_consumer && is_durable(s)) {
            raise_alert(s, SOURCE_ALERT_CONSUMER_RECREATED);
            log_message(LOG_WARNING, "consumer_recreated", "stream %s, consumer %s",
                        s->settings->stream, s->settings->consumer);
        }
        begin_pulling(s, client, &info, made, now);
        return;
    }
    if (!made && error.meaning == NATS_MEANING_NO_CONSUMER)
        create_consumer(s, client, now);
    else if (made && error.meaning == NATS_MEANING_REQUEST)
        source_setup_refuse(s, err.text);
    else
        retry_because(s, client, err.text, now);
}

/* --- while pulling --------------------------------------------------------------------------- */

void source_setup_poll(struct source *s, struct nats_client *client, int64_t now)
{
    buf_reset(&s->body);
    s->next_poll = INT64_MAX;
    if (s->poll_stream)
        ask(s, client, "STREAM.INFO", NULL, now);
    else
        ask(s, client, "CONSUMER.INFO", buf_text(&s->consumer), now);
}

static void on_consumer_poll(struct source *s, struct nats_client *client, struct slice payload,
                             int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_consumer_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_CONSUMER)
            source_setup_begin(s, client, now);
        return;
    }
    note_consumer(s, &info);
    if (is_durable(s))
        look_for_orphans(s, &info, now);
    if (!s->once)
        return;
    s->idle = info.pending == 0 && info.delivered_consumer_seq == s->last_consumer_seq &&
              s->next_recover == INT64_MAX;
    s->at_end = s->idle && (!is_durable(s) || info.ack_pending == 0);
}

static void on_poll(struct source *s, struct nats_client *client, struct slice payload, int64_t now)
{
    bool stream = s->poll_stream;
    s->next_poll = now + (s->once ? SOURCE_END_INTERVAL : SOURCE_POLL_INTERVAL);
    s->poll_stream = !stream && !s->once;
    if (!stream) {
        on_consumer_poll(s, client, payload, now);
        return;
    }
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stream_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_STREAM)
            source_setup_begin(s, client, now);
        return;
    }
    note_stream(s, &info);
    if (check_generation(s, &info))
        count_lost(s, &info);
    else
        close_pull(s, client);
}

/* --- replies --------------------------------------------------------------------------------- */

static const char *outcome_text(const struct nats_event *event)
{
    switch (event->outcome) {
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

bool source_reply(struct source *s, struct nats_client *client, const struct nats_event *event,
                  int64_t now)
{
    if (s->request == 0 || event->request != s->request)
        return false;
    s->request = 0;
    arena_reset(&s->arena);
    if (event->outcome != NATS_OUTCOME_REPLY) {
        if (s->state == SOURCE_PULLING)
            s->next_poll = now + SOURCE_POLL_INTERVAL; /* the pulls have a watchdog of their own */
        else
            retry_because(s, client, outcome_text(event), now);
        return true;
    }
    switch (s->state) {
    case SOURCE_STREAM:
        on_stream(s, client, event->payload, now);
        break;
    case SOURCE_POSITION:
        on_position(s, client, event->payload, now);
        break;
    case SOURCE_CONSUMER:
    case SOURCE_CREATE:
        on_consumer(s, client, event->payload, now);
        break;
    case SOURCE_PULLING:
        on_poll(s, client, event->payload, now);
        break;
    case SOURCE_OFF:
    case SOURCE_RETRY:
    case SOURCE_REFUSED:
        break; /* too late */
    }
    return true;
}
