/* SPDX-License-Identifier: MIT */
#include "verify/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "nats/consumer.h"
#include "nats/stream.h"
#include "nats/subject.h"

int verify_server_open(struct verify_server *v, const struct config *config,
                       const struct map *subjects, struct err *err)
{
    *v = (struct verify_server){.subjects = subjects, .any = {.filter = text_copy(">")}};
    log_configure(LOG_OFF, config->settings.log_format); /* what goes wrong is in `err` */
    if (api_client_connect(&v->ask, config, err) != 0)
        return err_prefix(err, "can't ask the server");
    return 0;
}

static void next_free(struct verify_next *n)
{
    free(n->filter);
    buf_free(&n->subject);
    *n = (struct verify_next){0};
}

static void forget_stream(struct verify_server *v)
{
    for (size_t i = 0; i < v->ours_count; i++)
        next_free(&v->ours[i]);
    free(v->ours);
    free(v->stream);
    v->ours = NULL;
    v->ours_count = 0;
    v->stream = NULL;
    v->comparable = v->given_up = false;
    v->questions = 0;
    v->any.from = 0;
    v->first = 0;
    seqset_reset(&v->deleted);
}

void verify_server_close(struct verify_server *v)
{
    forget_stream(v);
    next_free(&v->any);
    seqset_free(&v->deleted);
    if (v->ask.connection.options.name != NULL) /* it was opened */
        api_client_close(&v->ask);
}

static int stream_info(struct verify_server *v, bool deleted, struct arena *arena,
                       struct nats_stream_info *info, struct nats_api_error *error, struct err *err)
{
    struct slice reply;
    struct slice body = deleted ? slice_of("{\"deleted_details\":true}") : (struct slice){0};
    if (api_client_api(&v->ask, "STREAM.INFO", v->stream, NULL, body, &reply, err) != 0)
        return -1;
    return nats_stream_info_parse(reply, arena, info, error, err);
}

/* The messages that are gone from the middle of the stream, if they aren't too many. */
static int fetch_deleted(struct verify_server *v, struct err *err)
{
    struct arena arena = {0};
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    int result = stream_info(v, true, &arena, &info, &error, err);
    for (size_t i = 0; result == 0 && i < info.deleted_count; i++)
        seqset_add(&v->deleted, info.deleted_list[i]);
    arena_free(&arena);
    return result;
}

static void add_ours(struct verify_server *v, struct slice filter)
{
    v->ours[v->ours_count++] = (struct verify_next){.filter = text_copy_slice(filter)};
}

static void alloc_ours(struct verify_server *v, size_t count)
{
    v->ours = calloc(count, sizeof(*v->ours));
    if (v->ours == NULL)
        out_of_memory(count * sizeof(*v->ours));
}

static int consumer_info(struct verify_server *v, const char *stream, const char *consumer,
                         struct arena *arena, struct nats_consumer_info *info,
                         struct nats_api_error *error, struct err *err)
{
    struct slice reply;
    if (api_client_api(&v->ask, "CONSUMER.INFO", stream, consumer, (struct slice){0}, &reply,
                       err) != 0)
        return -1;
    return nats_consumer_info_parse(reply, arena, info, error, err);
}

void verify_server_note_acked(struct verify_server *v, struct claims *claims)
{
    for (uint32_t i = 0; i < claims->generations.count && !err_is_set(&v->failure); i++) {
        struct slice stream, created;
        struct arena arena = {0};
        struct nats_consumer_info info;
        struct nats_api_error error = {0};
        struct err err = {0};
        claims_key_split(map_key(&claims->generations, i), &stream, &created);
        struct claim *claim = &claims->list[i];
        char *name = text_copy_slice(stream);
        if (claim->newest && claim->consumer != NULL && nats_name_valid(stream) &&
            consumer_info(v, name, claim->consumer, &arena, &info, &error, &err) == 0)
            claim->acked = info.ack_floor_stream_seq;
        free(name);
        arena_free(&arena);
    }
}

/* Where what we want begins, where no position says it. */
static uint64_t start_of(const struct nats_consumer_config *config)
{
    switch (config->deliver) {
    case NATS_DELIVER_ALL:
        return 1;
    case NATS_DELIVER_BY_START_SEQUENCE:
        return config->start_seq;
    case NATS_DELIVER_LAST:
    case NATS_DELIVER_NEW:
    case NATS_DELIVER_BY_START_TIME:
    case NATS_DELIVER_LAST_PER_SUBJECT:
    case NATS_DELIVER_UNKNOWN:
        break;
    }
    return 0;
}

/* Which subjects varve takes, and from where on: by its consumer, or else by what is in the files.
 */
static int find_filters(struct verify_server *v, const char *consumer, struct err *err)
{
    struct arena arena = {0};
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    int result = -1;
    if (consumer != NULL) {
        result = consumer_info(v, v->stream, consumer, &arena, &info, &error, err);
        if (result == 0) {
            if (v->first == 0)
                v->first = start_of(&info.config);
            alloc_ours(v, info.config.filter_count + 1);
            for (size_t i = 0; i < info.config.filter_count; i++)
                add_ours(v, info.config.filters[i]);
            if (info.config.filter_count == 0)
                add_ours(v, slice_of(">"));
        }
    }
    if (consumer == NULL || error.meaning == NATS_MEANING_NO_CONSUMER) {
        err_clear(err);
        result = 0;
        if (v->subjects->count > 0 && v->subjects->count <= VERIFY_SUBJECTS_MAX) {
            alloc_ours(v, v->subjects->count);
            for (uint32_t i = 0; i < v->subjects->count; i++)
                add_ours(v, map_key(v->subjects, i));
        }
    }
    arena_free(&arena);
    return result;
}

/* False, and the reason is noted, if the server has not this generation. */
static bool same_generation(struct verify_server *v, struct slice created,
                            const struct claim *claim, const struct nats_stream_info *info)
{
    /* Of a stream that was set back to an older state, the rest is varve's own: see source.h. */
    const uint8_t *mark = created.len > 0 ? memchr(created.data, '~', created.len) : NULL;
    struct slice server_created = {created.data,
                                   mark != NULL ? (size_t)(mark - created.data) : created.len};
    if (!slice_equal(server_created, info->created)) {
        report_note(v->report, "server",
                    "stream %s was created again at %.*s: there is nothing to compare with the one "
                    "created %.*s",
                    v->stream, (int)info->created.len, (const char *)info->created.data,
                    (int)created.len, (const char *)created.data);
        return false;
    }
    if (claim != NULL && !claim->newest) {
        report_note(
            v->report, "server",
            "stream %s was set back since: there is nothing to compare with the one created %.*s",
            v->stream, (int)created.len, (const char *)created.data);
        return false;
    }
    return true;
}

static int begin(struct verify_server *v, struct slice created, const struct claim *claim,
                 struct err *err)
{
    struct arena arena = {0};
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    uint64_t deleted = 0, first = 0;
    int result = stream_info(v, false, &arena, &info, &error, err);
    if (result == 0) {
        v->comparable = same_generation(v, created, claim, &info);
        v->last_seq = info.last_seq;
        v->first = claim != NULL ? claim->start : 0;
        first = info.first_seq;
        deleted = info.deleted;
    } else if (error.meaning == NATS_MEANING_NO_STREAM) {
        report_note(v->report, "server",
                    "stream %s does not exist any more: there is nothing to compare with",
                    v->stream);
        err_clear(err);
        result = 0;
    }
    arena_free(&arena);
    if (v->comparable && deleted > 0 && deleted <= VERIFY_DELETED_MAX)
        result = fetch_deleted(v, err);
    if (v->comparable && result == 0)
        result = find_filters(v, claim != NULL ? claim->consumer : NULL, err);
    if (!v->comparable)
        v->first = 0;
    else if (v->first > 0 && v->first < first)
        v->first = first;
    return result;
}

void verify_server_begin(struct verify_server *v, struct slice stream, struct slice created,
                         const struct claim *claim, struct report *report)
{
    forget_stream(v);
    v->report = report;
    v->stream = text_copy_slice(stream);
    if (err_is_set(&v->failure))
        return;
    if (!nats_name_valid(stream)) {
        report_note(report, "server", "'%s' can't be the name of a stream", v->stream);
        return;
    }
    if (begin(v, created, claim, &v->failure) != 0)
        v->comparable = false;
}

static int fetch_next(struct verify_server *v, struct verify_next *next, uint64_t sequence,
                      struct err *err)
{
    struct arena arena = {0};
    struct nats_stored_message message;
    struct nats_api_error error = {0};
    struct slice reply;
    struct buf body = {0};
    nats_stream_next_body(&body, sequence, slice_of(next->filter));
    int result =
        api_client_api(&v->ask, "STREAM.MSG.GET", v->stream, NULL, buf_slice(&body), &reply, err);
    if (result == 0)
        result = nats_stored_message_parse(reply, &arena, &message, &error, err);
    buf_reset(&next->subject);
    if (result == 0) {
        next->at = message.sequence;
        next->marker = message.marker;
        buf_append_slice(&next->subject, message.subject);
        if (message.sequence < sequence)
            result = err_set(err, ERR_PROTOCOL, "stream %s: the server gave an earlier message",
                             v->stream);
    } else if (error.meaning == NATS_MEANING_NO_MESSAGE) {
        next->at = UINT64_MAX;
        err_clear(err);
        result = 0;
    }
    next->from = sequence;
    buf_free(&body);
    arena_free(&arena);
    return result;
}

/* Bring `next` to the first message of its subject at `sequence` or behind; false if that can't be
 * known. */
static bool seek(struct verify_server *v, struct verify_next *next, uint64_t sequence)
{
    if (next->from != 0 && next->from <= sequence && sequence <= next->at)
        return true;
    if (v->questions == VERIFY_QUESTIONS_MAX) {
        if (!v->given_up)
            report_note(v->report, "server",
                        "stream %s: %d messages were asked for, the most in one run: from %" PRIu64
                        " on, missing rows are not compared with the stream",
                        v->stream, (int)VERIFY_QUESTIONS_MAX, sequence);
        v->given_up = true;
        return false;
    }
    v->questions++;
    if (fetch_next(v, next, sequence, &v->failure) == 0)
        return true;
    v->comparable = false;
    return false;
}

/* There is a message at `first`. Where is the next one for us? */
static enum verify_answer compare_subject(struct verify_server *v, uint64_t first, uint64_t *last,
                                          struct slice *subject)
{
    uint64_t ours = UINT64_MAX;
    for (size_t i = 0; i < v->ours_count && ours != first; i++) {
        if (!seek(v, &v->ours[i], first))
            return VERIFY_UNANSWERED;
        if (v->ours[i].at < ours)
            ours = v->ours[i].at;
    }
    *subject = buf_slice(&v->any.subject);
    if (ours == first) {
        *last = first;
        return VERIFY_OURS;
    }
    if (ours <= *last)
        *last = ours - 1;
    return VERIFY_FOREIGN;
}

enum verify_answer verify_server_ask(struct verify_server *v, uint64_t first, uint64_t *last,
                                     struct slice *subject)
{
    if (!v->comparable || first > v->last_seq)
        return VERIFY_UNANSWERED; /* beyond the end: the stream was set back, or never came so far
                                   */
    if (*last > v->last_seq)
        *last = v->last_seq;
    const struct seqrange *deleted = seqset_find(&v->deleted, first);
    if (deleted != NULL) {
        bool gone = deleted->first <= first;
        uint64_t end = gone ? deleted->last : deleted->first - 1;
        *last = end < *last ? end : *last;
        if (gone)
            return VERIFY_DELETED;
    }
    if (v->given_up || !seek(v, &v->any, first))
        return VERIFY_UNANSWERED;
    if (v->any.at > first) {
        if (v->any.at <= *last)
            *last = v->any.at - 1;
        return VERIFY_DELETED;
    }
    if (v->any.marker) {
        *last = first;
        return VERIFY_MARKER;
    }
    if (v->ours_count == 0)
        return VERIFY_UNANSWERED;
    return compare_subject(v, first, last, subject);
}
