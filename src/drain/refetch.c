/* SPDX-License-Identifier: MIT */
#include "drain/refetch.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "drain/refetch_part.h"
#include "nats/consumer.h"
#include "nats/stream.h"

/* Long enough for a stall of ours, and gone soon after us. */
#define REFETCH_INACTIVE (120 * CLOCK_SECOND)

void refetch_init(struct refetch *r, const struct config_source *settings,
                  struct generation *generation, struct nats_random *random, void *owner)
{
    *r = (struct refetch){
        .settings = settings, .generation = generation, .random = random, .owner = owner};
}

void refetch_free(struct refetch *r)
{
    nats_pull_free(&r->pull);
    buf_free(&r->consumer);
    buf_free(&r->subject);
    buf_free(&r->body);
    arena_free(&r->arena);
}

static void log_range(const struct refetch *r, const char *event, const char *key, uint64_t count)
{
    struct log_line line;
    bool found = r->by_window && r->fetched > 0;
    log_begin(&line, r->expected > 0 || found ? LOG_WARNING : LOG_INFO, event);
    log_text(&line, "stream", r->settings->stream);
    log_text(&line, "consumer", r->settings->consumer);
    log_u64(&line, "first_seq", r->range.first);
    log_u64(&line, "last_seq", r->range.last);
    if (count != UINT64_MAX)
        log_u64(&line, key, count);
    log_end(&line);
}

void refetch_begin(struct refetch *r, struct seqrange range, uint64_t expected, bool kept)
{
    ASSERT(r->state == REFETCH_IDLE && range.first <= range.last);
    r->state = REFETCH_ASKS;
    r->range = range;
    r->kept = kept;
    r->passed = r->by_window = false;
    r->expected = expected;
    r->fetched = 0;
    r->gone = UINT64_MAX;
}

void refetch_begin_passed(struct refetch *r, struct seqrange range, bool kept)
{
    refetch_begin(r, range, 0, kept);
    r->by_window = true;
}

void refetch_sealed(struct refetch *r)
{
    r->seals++;
    if (r->state != REFETCH_ASKS)
        return;
    r->state = REFETCH_LOOKS;
    r->look = r->seals;
}

void refetch_committed(struct refetch *r)
{
    struct seqrange missing = r->range;
    r->commits++;
    if (r->state != REFETCH_LOOKS || r->commits < r->look)
        return;
    r->state = REFETCH_DONE;
    if (!r->by_window && ledger_missing(&r->generation->ledger, r->range, &missing) == 0)
        return;
    r->state = REFETCH_WAITS;
    r->range = missing;
    r->next = missing.first;
    r->at = 0; /* at once */
    r->pause = REFETCH_RETRY_MIN;
    if (r->kept)
        log_range(r, "fetch_again", "at_most", r->expected > 0 ? r->expected : UINT64_MAX);
}

/* Should this not arrive, the consumer goes by itself. */
static void delete_consumer(struct refetch *r, struct nats_client *client)
{
    if (client == NULL || r->consumer.len == 0)
        return;
    nats_client_delete_consumer(client, &r->subject, r->settings->stream, buf_text(&r->consumer));
    buf_reset(&r->consumer);
}

static bool is_under_way(const struct refetch *r)
{
    return r->state == REFETCH_CREATING || r->state == REFETCH_CONFIRM ||
           r->state == REFETCH_PULLING || r->state == REFETCH_SEARCHING;
}

static void let_go(struct refetch *r, struct nats_client *client)
{
    if (r->pull.open)
        nats_pull_close(&r->pull, client);
    if (is_under_way(r))
        delete_consumer(r, client);
    r->request = 0;
}

void refetch_suspend(struct refetch *r, struct nats_client *client)
{
    bool under_way = is_under_way(r);
    let_go(r, client);
    if (under_way)
        r->state = REFETCH_WAITS;
}

void refetch_cancel(struct refetch *r, struct nats_client *client)
{
    let_go(r, client);
    r->state = REFETCH_IDLE;
}

void refetch_wait_a_while(struct refetch *r, struct nats_client *client, int64_t now)
{
    refetch_suspend(r, client);
    r->at = now + r->pause;
    r->pause = r->pause * 2 > REFETCH_RETRY_MAX ? REFETCH_RETRY_MAX : r->pause * 2;
}

/* Nothing of the stream was found before this sequence, though it was asked from a time on. */
static void note_start(struct refetch *r, uint64_t sequence)
{
    if (r->by_time)
        generation_anchor(r->generation, sequence);
    r->by_time = false;
}

void refetch_finish(struct refetch *r, struct nats_client *client)
{
    let_go(r, client);
    note_start(r, r->range.last + 1);
    r->state = REFETCH_DONE;
    log_range(r, "fetched_again", "messages", r->fetched);
}

uint64_t refetch_take(struct refetch *r, struct seqrange *missing)
{
    ASSERT(r->state == REFETCH_DONE);
    r->state = REFETCH_IDLE;
    uint64_t count = ledger_missing(&r->generation->ledger, r->range, missing);
    /* What was passed over may be lacking as well: the floor is still to be compared. */
    if (r->by_window)
        window_forget(&r->generation->ledger.window, r->range.last);
    else
        ledger_nothing_at(&r->generation->ledger, r->range.first, r->range.last);
    uint64_t open = r->expected > r->fetched ? r->expected - r->fetched : 0;
    return num_least_u64(r->gone, num_least_u64(count, open));
}

uint64_t refetch_ask_consumer(struct refetch *r, struct nats_client *client, struct buf *name,
                              uint64_t start_seq, int64_t now)
{
    struct slice filters[CONFIG_LIST_MAX];
    char token[NATS_TOKEN_LEN + 1];
    nats_random_token(r->random, token);
    buf_reset(name);
    buf_printf(name, "%s_%s", r->settings->consumer, token);
    for (size_t i = 0; i < r->settings->subjects.count; i++)
        filters[i] = slice_of(r->settings->subjects.items[i]);
    struct nats_consumer_config config = {
        .name = buf_slice(name),
        .description = slice_of("varve: events that the store lacks"),
        .deliver = r->by_time ? NATS_DELIVER_BY_START_TIME : NATS_DELIVER_BY_START_SEQUENCE,
        .start_seq = start_seq,
        .start_time_ns = r->settings->start.time,
        .ack = NATS_ACK_NONE,
        .filters = filters,
        .filter_count = r->settings->subjects.count,
        .inactive_threshold_ns = REFETCH_INACTIVE,
        .replicas = 1,
        .memory = true,
    };
    buf_reset(&r->subject);
    buf_reset(&r->body);
    nats_consumer_create_subject(&r->subject, nats_client_api_prefix(client), r->settings->stream,
                                 &config);
    nats_consumer_create_body(&r->body, r->settings->stream, &config, "create");
    return nats_client_request(client, buf_slice(&r->subject), (struct slice){0},
                               buf_slice(&r->body), REFETCH_CREATE_TIMEOUT, now);
}

static void create(struct refetch *r, struct nats_client *client, int64_t now)
{
    r->by_time = r->range.first <= 1 && generation_starts_by_time(r->generation);
    r->request = refetch_ask_consumer(r, client, &r->consumer, r->next, now);
    r->state = REFETCH_CREATING;
    if (r->request == 0)
        refetch_wait_a_while(r, client, now);
}

static void open_pull(struct refetch *r, struct nats_client *client, int64_t now)
{
    struct err err = {0};
    if (nats_pull_open(&r->pull, client, nats_client_api_prefix(client), r->settings->stream,
                       buf_text(&r->consumer), r->target, r->owner, now, &err) != 0) {
        log_message(LOG_WARNING, "fetch_again", "stream %s: %s", r->settings->stream, err.text);
        refetch_wait_a_while(r, client, now);
        return;
    }
    r->consumer_seq = 0;
    r->state = REFETCH_PULLING;
}

static void ask_confirm(struct refetch *r, struct nats_client *client, int64_t now)
{
    buf_reset(&r->subject);
    nats_api_subject(&r->subject, nats_client_api_prefix(client), "STREAM.INFO",
                     r->settings->stream, NULL);
    r->request = nats_client_request(client, buf_slice(&r->subject), (struct slice){0},
                                     (struct slice){0}, REFETCH_CONFIRM_TIMEOUT, now);
    r->asked = generation_known_now(r->generation);
    r->state = REFETCH_CONFIRM;
    if (r->request == 0)
        refetch_wait_a_while(r, client, now);
}

static void on_created(struct refetch *r, struct nats_client *client,
                       const struct nats_event *event, int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (event->outcome == NATS_OUTCOME_REPLY &&
        nats_consumer_info_parse(event->payload, &r->arena, &info, &error, &err) == 0) {
        r->pending = info.pending;
        ask_confirm(r, client, now);
    } else if (error.meaning == NATS_MEANING_REQUEST) {
        refetch_finish(r, client); /* it is a stream that gives no message twice */
    } else {
        refetch_wait_a_while(r, client, now);
    }
}

/* What the stream has all of, and nothing was found in, is of other subjects. */
static uint64_t count_gone(const struct seqrange *range, const struct nats_stream_info *info)
{
    uint64_t most = range->last - range->first + 1;
    uint64_t dropped = info->first_seq > range->first ? info->first_seq - range->first : 0;
    return num_least_u64(dropped, most) + num_least_u64(info->deleted, most);
}

/* The consumer finds nothing more. */
static void end_pull(struct refetch *r, struct nats_client *client, int64_t now)
{
    let_go(r, client);
    if (r->replicated && !r->by_window && r->next <= r->range.last)
        refetch_search(r, client, now);
    else
        refetch_finish(r, client);
}

static void begin_pull(struct refetch *r, struct nats_client *client,
                       const struct nats_stream_info *info, int64_t now)
{
    r->gone = count_gone(&r->range, info);
    r->replicated = info->replicas > 1;
    if (r->pending > 0)
        open_pull(r, client, now);
    else
        end_pull(r, client, now);
}

static void on_confirm(struct refetch *r, struct nats_client *client,
                       const struct nats_event *event, int64_t now)
{
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    enum generation_verdict verdict = GENERATION_LAGS; /* or there is no answer: ask again */
    if (event->outcome == NATS_OUTCOME_REPLY &&
        nats_stream_info_parse(event->payload, &r->arena, &info, &error, &err) == 0)
        verdict = generation_judge(r->generation, &info, r->asked, now);
    switch (verdict) {
    case GENERATION_FITS:
        begin_pull(r, client, &info, now);
        return;
    case GENERATION_LAGS:
        refetch_wait_a_while(r, client, now);
        return;
    case GENERATION_LEFT:
        refetch_suspend(r, client);
        return;
    }
}

bool refetch_reply(struct refetch *r, struct nats_client *client, const struct nats_event *event,
                   int64_t now)
{
    if (r->request == 0 || r->request != event->request)
        return false;
    arena_reset(&r->arena);
    r->request = 0;
    if (r->state == REFETCH_CREATING)
        on_created(r, client, event, now);
    else if (r->state == REFETCH_SEARCHING)
        refetch_on_searched(r, client, event, now);
    else
        on_confirm(r, client, event, now);
    return true;
}

static void take_need(struct refetch *r, struct nats_client *client, enum nats_pull_need need,
                      int64_t now)
{
    switch (need) {
    case NATS_PULL_NEEDS_NOTHING:
    case NATS_PULL_LEADER_CHANGED:
    case NATS_PULL_SERVER_SHUTDOWN:
        return;
    case NATS_PULL_HEARD_HEARTBEAT:
        if (r->pull.last_consumer_seq > r->consumer_seq)
            refetch_suspend(r, client); /* deliveries were lost: again from where we are */
        else
            end_pull(r, client, now);
        return;
    case NATS_PULL_CONSUMER_GONE:
    case NATS_PULL_SILENT:
    case NATS_PULL_PUSH_CONSUMER:
    case NATS_PULL_BAD_REQUEST:
    case NATS_PULL_MESSAGE_TOO_BIG:
        refetch_wait_a_while(r, client, now);
        return;
    }
}

void refetch_status(struct refetch *r, struct nats_client *client, const struct nats_event *event,
                    int64_t now)
{
    if (r->state == REFETCH_PULLING)
        take_need(r, client, nats_pull_status(&r->pull, event, now), now);
}

enum ledger_verdict refetch_message(struct refetch *r, struct nats_client *client,
                                    const struct nats_event *event, int64_t now)
{
    const struct nats_ack *ack = &event->ack;
    if (r->state != REFETCH_PULLING)
        return LEDGER_VOID;
    nats_pull_message(&r->pull, event, now);
    if (ack->consumer_seq != r->consumer_seq + 1 || ack->stream_seq < r->next) {
        refetch_suspend(r, client);
        return LEDGER_VOID;
    }
    r->consumer_seq++;
    r->pause = REFETCH_RETRY_MIN;
    if (ack->stream_seq > r->range.last) {
        refetch_finish(r, client);
        return LEDGER_VOID;
    }
    note_start(r, ack->stream_seq);
    r->next = ack->stream_seq + 1;
    bool found = ledger_take(&r->generation->ledger, ack->stream_seq);
    r->fetched += found;
    if (ack->stream_seq == r->range.last)
        refetch_finish(r, client);
    else if (ack->pending == 0)
        end_pull(r, client, now);
    return found ? LEDGER_NEW : LEDGER_PENDING;
}

int64_t refetch_tick(struct refetch *r, struct nats_client *client, int64_t now)
{
    switch (r->state) {
    case REFETCH_WAITS:
        if (now < r->at)
            return r->at;
        if (r->kept)
            create(r, client, now);
        else
            refetch_search(r, client, now);
        return r->state == REFETCH_WAITS ? r->at : INT64_MAX;
    case REFETCH_PULLING:
        take_need(r, client, nats_pull_tick(&r->pull, client, now), now);
        if (r->state == REFETCH_WAITS)
            return r->at;
        return nats_pull_deadline(&r->pull);
    case REFETCH_IDLE:
    case REFETCH_ASKS:
    case REFETCH_LOOKS:
    case REFETCH_CREATING:
    case REFETCH_CONFIRM:
    case REFETCH_SEARCHING:
    case REFETCH_DONE:
        return INT64_MAX;
    }
    return INT64_MAX;
}
