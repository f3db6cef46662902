/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/num.h"
#include "drain/source_consumer.h"
#include "nats/subject.h"

/* A service that is away for less than this is hardly an outage. */
#define AWAY_MIN (3600 * CLOCK_SECOND)

/* What came in less time than this is a burst. */
#define RATE_SPAN_MIN (60 * CLOCK_SECOND)

/* Less than this is no fault of a clock: the answer was on its way for a while. */
#define CLOCK_APART_MIN (60 * CLOCK_SECOND)

/* Bytes that a file takes to be written beside its own: its name, its inode, the entry of the log,
 * each also in the journal of ext4. Measured by tests/bench/flash.py: 20 to 32 KiB. */
#define FILE_COST (24.0 * 1024)

struct check_rate check_stream_rate(const struct nats_stream_info *info)
{
    int64_t span = info->last_ns - info->first_ns;
    if (info->messages < 2 || span < RATE_SPAN_MIN)
        return (struct check_rate){0};
    double seconds = (double)span / (double)CLOCK_SECOND;
    return (struct check_rate){(double)info->messages / seconds, (double)info->bytes / seconds};
}

void check_writes(struct check_report *r, const struct config *config, struct check_rate rate)
{
    const double day = 86400, most = 1e15;
    char events[NUM_SIZE_TEXT_MAX], files[NUM_SIZE_TEXT_MAX];
    double commits = (double)CLOCK_SECOND / (double)config->batching.max_age;
    double by_rows = rate.events / (double)config->batching.max_rows;
    double by_bytes = rate.bytes / (double)config->batching.max_bytes;
    commits = commits > by_rows ? commits : by_rows;
    commits = (commits > by_bytes ? commits : by_bytes) * day;
    if (rate.bytes * day > most || commits * FILE_COST > most)
        return; /* no disk writes as much */
    num_format_size((uint64_t)(rate.bytes * day), events);
    num_format_size((uint64_t)(commits * FILE_COST), files);
    check_say(r, CHECK_OK,
              "at the rate so far a day writes at most %s, the events before compression, in up to "
              "%.0f commits; each simulation that has events in all of them adds %s, since a file "
              "costs about 24 KiB beside its bytes: less with a longer batching.max_age",
              events, commits, files);
}

void check_clock(struct check_report *r, const struct nats_stream_info *info, int64_t now)
{
    char apart[CHECK_DURATION_MAX];
    if (info->server_ns <= 0 || now <= 0)
        return;
    int64_t ahead = now - info->server_ns;
    int64_t distance = ahead < 0 ? -ahead : ahead;
    if (distance < CLOCK_APART_MIN) {
        check_say(r, CHECK_OK, "the clocks of the server and of this host agree");
        return;
    }
    check_say(r, CHECK_WARNING,
              "the clock of this host is %s %s that of the server: lag and ages are wrong by as "
              "much, and events may be filed under another hour; set the one that is wrong",
              check_duration(distance, apart), ahead > 0 ? "ahead of" : "behind");
}

/* `kept`: how long an event stays, in ns; `why` says by which limit. An event that varve has, and
 * dies with, comes again after ack_wait: until then it must be there. */
static void judge_kept(struct check_report *r, const struct config *config, const char *stream,
                       int64_t kept, const char *why)
{
    char keeps[CHECK_DURATION_MAX], needs[CHECK_DURATION_MAX], away[CHECK_DURATION_MAX];
    int64_t needed = config_ack_wait(config);
    check_duration(kept, keeps);
    check_duration(needed, needs);
    check_duration(kept - needed, away);
    if (kept <= needed)
        check_say(r, CHECK_PROBLEM,
                  "stream %s drops events after %s (%s), but an event held by an instance that "
                  "died is redelivered only after %s (ack_wait): keep events longer",
                  stream, keeps, why, needs);
    else
        check_say(r, kept - needed < AWAY_MIN ? CHECK_WARNING : CHECK_OK,
                  "stream %s keeps events for %s (%s): varve can be down for %s before any is lost",
                  stream, keeps, why, away);
}

/* A limit on bytes or messages is one on time, at the rate so far. */
static void judge_amount(struct check_report *r, const struct config *config,
                         const struct nats_stream_info *info, const char *stream, double limit,
                         double rate, const char *why)
{
    if (info->discard == NATS_DISCARD_NEW) {
        check_say(r, CHECK_OK,
                  "stream %s refuses new events when it is full (%s, discard new): varve loses "
                  "none, but publishers must retry",
                  stream, why);
        return;
    }
    if (rate <= 0) {
        check_say(r, CHECK_WARNING,
                  "stream %s drops its oldest events when it is full (%s, discard old); its "
                  "events are too few, or all of one minute, to tell how soon that will be",
                  stream, why);
        return;
    }
    double seconds = limit / rate;
    const double most = 1e9; /* thirty years are for ever */
    judge_kept(r, config, stream, (int64_t)(seconds < most ? seconds : most) * CLOCK_SECOND, why);
}

static void judge_retention(struct check_report *r, const struct config *config, const char *stream,
                            const struct nats_stream_info *info)
{
    struct check_rate rate = check_stream_rate(info);
    char size[NUM_SIZE_TEXT_MAX];
    struct buf why = {0};
    if (info->max_age_ns > 0)
        judge_kept(r, config, stream, info->max_age_ns, "max_age");
    if (info->max_bytes > 0) {
        num_format_size((uint64_t)info->max_bytes, size);
        buf_printf(&why, "max_bytes %s at the rate so far", size);
        judge_amount(r, config, info, stream, (double)info->max_bytes, rate.bytes, buf_text(&why));
    }
    if (info->max_messages > 0) {
        buf_reset(&why);
        buf_printf(&why, "max_msgs %" PRId64 " at the rate so far", info->max_messages);
        judge_amount(r, config, info, stream, (double)info->max_messages, rate.events,
                     buf_text(&why));
    }
    if (info->max_age_ns <= 0 && info->max_bytes <= 0 && info->max_messages <= 0)
        check_say(r, CHECK_OK,
                  "stream %s has no limits: it keeps events for as long as its disk has room",
                  stream);
    buf_free(&why);
}

static const char *retention_name(enum nats_retention retention)
{
    switch (retention) {
    case NATS_RETENTION_LIMITS:
        return "limits";
    case NATS_RETENTION_INTEREST:
        return "interest";
    case NATS_RETENTION_WORKQUEUE:
        return "workqueue";
    }
    return "";
}

/* Filters with wildcards are left to the server: it knows overlaps. */
static void judge_subjects(struct check_report *r, const struct config_source *source,
                           const struct nats_stream_info *info)
{
    for (size_t i = 0; i < source->subjects.count; i++) {
        struct slice subject = slice_of(source->subjects.items[i]);
        bool bound =
            !nats_subject_valid(subject, false) || info->subject_count == 0 || info->transforms;
        for (size_t j = 0; j < info->subject_count && !bound; j++)
            bound = nats_subject_matches(info->subjects[j], subject);
        if (!bound)
            check_say(r, CHECK_PROBLEM,
                      "stream %s has no subject that matches %s: nothing will ever arrive",
                      source->stream, source->subjects.items[i]);
    }
}

void check_stream(struct check_report *r, const struct config *config,
                  const struct config_source *source, const struct nats_stream_info *info)
{
    char size[NUM_SIZE_TEXT_MAX];
    num_format_size(info->bytes, size);
    check_say(r, CHECK_OK,
              "stream %s has %" PRIu64 " events, %s, with sequences %" PRIu64 " to %" PRIu64
              " and %s retention",
              source->stream, info->messages, size, info->first_seq, info->last_seq,
              retention_name(info->retention));
    if (source->delivery == CONFIG_POSITION && info->retention != NATS_RETENTION_LIMITS)
        check_say(r, CHECK_PROBLEM,
                  "stream %s keeps events only until they are acked, and delivery: position never "
                  "acks: use delivery: durable",
                  source->stream);
    if (info->memory)
        check_say(r, CHECK_WARNING,
                  "stream %s is stored in memory: what varve has not fetched is lost when the "
                  "server stops; use file storage",
                  source->stream);
    judge_subjects(r, source, info);
    judge_retention(r, config, source->stream, info);
}

static void judge_missing(struct check_report *r, const struct config *config,
                          const struct config_source *source, const struct nats_stream_info *stream)
{
    if (config->consumer.manage == CONFIG_MANAGE_BIND) {
        check_say(
            r, CHECK_PROBLEM,
            "consumer %s of stream %s does not exist, and consumer.manage: bind does not create it",
            source->consumer, source->stream);
        return;
    }
    check_say(r, stream->retention == NATS_RETENTION_INTEREST ? CHECK_WARNING : CHECK_OK,
              "consumer %s of stream %s does not exist; varve run will create it%s",
              source->consumer, source->stream,
              stream->retention == NATS_RETENTION_INTEREST
                  ? ", and until then the stream keeps nothing for it (interest retention)"
                  : "");
}

/* It stays as it is, since a server can't change it. */
static void judge_acks(struct check_report *r, const struct config_source *source,
                       const struct nats_stream_info *stream, const struct nats_consumer_info *info)
{
    if (info->config.ack == NATS_ACK_EXPLICIT && !source->shared &&
        stream->retention != NATS_RETENTION_WORKQUEUE)
        check_say(r, CHECK_OK,
                  "consumer %s of stream %s takes an ack for each event, which more than doubles "
                  "the work of the server; one that varve makes takes one for each commit: give "
                  "the source another consumer, start varve, and then delete this one",
                  source->consumer, source->stream);
}

/* What varve run would say to it. */
static void judge_settings(struct check_report *r, const struct config *config, uint32_t index,
                           const struct nats_stream_info *stream,
                           const struct nats_consumer_info *info)
{
    const struct config_source *source = &config->sources[index];
    struct nats_consumer_diff diff;
    struct consumer_wish wish;
    struct consumer_scene scene = {
        .config = config,
        .settings = source,
        .retention = stream->retention,
        .shared = source->shared,
        .covers_stream = consumer_covers(source, stream),
    };
    consumer_compare(&wish, &scene, info, &diff);
    char ack_wait[CHECK_DURATION_MAX];
    check_duration(info->config.ack_wait_ns, ack_wait);
    if (diff.count == 0)
        check_say(r, CHECK_OK,
                  "consumer %s of stream %s fits the batching: ack_wait is %s, max_ack_pending is "
                  "%" PRId64,
                  source->consumer, source->stream, ack_wait, info->config.max_ack_pending);
    else if (consumer_is_to_be_renewed(&wish, &scene, info, &diff))
        check_say(r, CHECK_WARNING,
                  "consumer %s of stream %s is not shared yet: varve run will make it anew, with "
                  "an ack for each event",
                  source->consumer, source->stream);
    else if (diff.fixed == 0 && config->consumer.manage == CONFIG_MANAGE_UPDATE)
        check_say(r, CHECK_WARNING, "varve run will change consumer %s of stream %s: %s",
                  source->consumer, source->stream, diff.text);
    else
        check_say(r, CHECK_PROBLEM,
                  "consumer %s of stream %s contradicts the configuration: %s; change it, name "
                  "another consumer, or set consumer.manage: update",
                  source->consumer, source->stream, diff.text);
}

static void judge_lag(struct check_report *r, const struct config_source *source,
                      const struct nats_stream_info *stream, const struct nats_consumer_info *info)
{
    struct check_rate rate = check_stream_rate(stream);
    char age[CHECK_DURATION_MAX];
    int64_t limit = info->config.max_ack_pending;
    check_say(r, CHECK_OK,
              "consumer %s of stream %s: %" PRIu64 " events wait to be delivered, %" PRIu64
              " to be acked",
              source->consumer, source->stream, info->pending, info->ack_pending);
    if (rate.events > 0 && stream->max_age_ns > 0) {
        double seconds = (double)info->pending / rate.events;
        bool late = seconds > (double)stream->max_age_ns / (double)CLOCK_SECOND / 2;
        if (late && seconds < 1e9)
            check_say(r, CHECK_PROBLEM,
                      "consumer %s of stream %s is about %s behind, and the stream drops events by "
                      "age: give varve more resources, or raise max_age",
                      source->consumer, source->stream,
                      check_duration((int64_t)seconds * CLOCK_SECOND, age));
    }
    if (limit > 0 && info->ack_pending >= (uint64_t)limit)
        check_say(r, CHECK_PROBLEM,
                  "consumer %s of stream %s has %" PRIu64
                  " unacked events, the most it may have, and delivers no more until some are "
                  "acked or their ack_wait expires",
                  source->consumer, source->stream, info->ack_pending);
    if (info->paused)
        check_say(r, CHECK_PROBLEM, "consumer %s of stream %s is paused", source->consumer,
                  source->stream);
}

void check_consumer(struct check_report *r, const struct config *config, uint32_t index,
                    const struct nats_stream_info *stream, const struct nats_consumer_info *info)
{
    const struct config_source *source = &config->sources[index];
    uint64_t needed = config_max_ack_pending(config);
    if (stream->consumer_max_ack_pending > 0 && needed > (uint64_t)stream->consumer_max_ack_pending)
        check_say(r, CHECK_PROBLEM,
                  "stream %s allows its consumers %" PRId64
                  " unacked events, and batching.max_rows "
                  "needs %" PRIu64 ": lower it, or raise the stream's consumer limit",
                  source->stream, stream->consumer_max_ack_pending, needed);
    if (info == NULL) {
        judge_missing(r, config, source, stream);
        return;
    }
    judge_settings(r, config, index, stream, info);
    judge_acks(r, source, stream, info);
    judge_lag(r, source, stream, info);
}
