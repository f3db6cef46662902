/* SPDX-License-Identifier: MIT */
#include "drain/dead_letter.h"

#include "base/assert.h"
#include "base/num.h"

void dead_letters_init(struct dead_letters *d, const char *subject, struct batcher *batcher)
{
    *d = (struct dead_letters){.subject = subject, .batcher = batcher};
}

void dead_letters_free(struct dead_letters *d)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++) {
        buf_free(&d->waiting[i].reply);
        buf_free(&d->waiting[i].subject);
        buf_free(&d->waiting[i].header);
        buf_free(&d->waiting[i].payload);
    }
    buf_free(&d->header);
}

/* A message as it came, without what varve made of it. */
struct raw_message {
    struct slice subject, header, payload;
    const struct nats_ack *ack;
};

static void quarantine(struct dead_letters *d, struct source *source, const struct raw_message *raw,
                       enum event_result result, const char *detail, int64_t now)
{
    struct batcher_source identity = source_identity(source);
    struct quarantined message = {
        .stream = slice_of(identity.stream),
        .stream_created = slice_of(identity.created),
        .origin = {.stream_seq = raw->ack->stream_seq,
                   .stream_time_ns = raw->ack->timestamp_ns,
                   .subject = raw->subject},
        .result = result,
        .detail = detail,
        .header = raw->header,
        .payload = raw->payload,
    };
    batcher_quarantine(d->batcher, &identity, &message, raw->ack, now);
}

static void log_dead_letter(struct dead_letters *d, const struct source *source, uint64_t sequence,
                            enum event_result result, const char *detail, const char *where,
                            int64_t now)
{
    uint64_t suppressed;
    if (!log_allowed(&d->taken_limit, now, &suppressed))
        return; /* a producer gone wrong sends nothing else */
    struct log_line line;
    log_begin(&line, LOG_WARNING, "dead_letter");
    log_text(&line, "stream", source->settings->stream);
    log_u64(&line, "seq", sequence);
    log_text(&line, "reason", event_result_name(result));
    log_text(&line, "detail", detail);
    log_text(&line, "to", where);
    log_u64(&line, "suppressed", suppressed);
    log_end(&line);
}

/* Headers that say where the message comes from; Nats-Msg-Id lets a stream drop a second copy. */
static void make_header(struct dead_letters *d, struct source *source,
                        const struct nats_event *event, enum event_result result,
                        const char *detail)
{
    struct buf id = {0};
    struct buf *h = &d->header;
    const struct batcher_source identity = source_identity(source);
    buf_printf(&id, "%s/%s/", identity.stream, identity.created);
    buf_append_decimal(&id, event->ack.stream_seq);
    buf_reset(h);
    nats_header_begin(h);
    nats_header_add(h, "Nats-Msg-Id", buf_slice(&id));
    nats_header_add(h, "Varve-Stream", slice_of(identity.stream));
    nats_header_add(h, "Varve-Stream-Created", slice_of(identity.created));
    nats_header_add_u64(h, "Varve-Seq", event->ack.stream_seq);
    nats_header_add_u64(h, "Varve-Time", (uint64_t)event->ack.timestamp_ns);
    nats_header_add(h, "Varve-Subject", event->subject);
    nats_header_add(h, "Varve-Reason", slice_of(event_result_name(result)));
    nats_header_add(h, "Varve-Detail", slice_of(detail));
    nats_header_end(h);
    buf_free(&id);
}

static struct dead_letter *find_waiting(struct dead_letters *d, uint64_t request)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++)
        if (d->waiting[i].request == request)
            return &d->waiting[i];
    return NULL;
}

static void copy(struct buf *to, struct slice from)
{
    buf_reset(to);
    buf_append_slice(to, from);
}

/* True if it is on its way to the dead letter stream. */
static bool publish(struct dead_letters *d, struct nats_client *client, struct source *source,
                    const struct nats_event *event, enum event_result result, const char *detail,
                    int64_t now)
{
    struct dead_letter *entry = find_waiting(d, 0);
    size_t bytes = event->header.len + event->payload.len;
    if (d->subject[0] == '\0' || entry == NULL || now < d->not_before ||
        bytes > DEAD_LETTER_BYTES_MAX || d->waiting_bytes + bytes > DEAD_LETTERS_BYTES_MAX)
        return false;
    make_header(d, source, event, result, detail);
    if (d->header.len + event->payload.len > client->session.info.max_payload)
        return false;
    uint64_t request = nats_client_request(client, slice_of(d->subject), buf_slice(&d->header),
                                           event->payload, DEAD_LETTER_TIMEOUT, now);
    if (request == 0)
        return false;
    entry->request = request;
    entry->source = source;
    entry->result = result;
    entry->detail = detail;
    copy(&entry->reply, event->reply);
    copy(&entry->subject, event->subject);
    copy(&entry->header, event->header);
    copy(&entry->payload, event->payload);
    d->waiting_bytes += bytes;
    return true;
}

void dead_letters_take(struct dead_letters *d, struct nats_client *client, struct source *source,
                       const struct nats_event *event, enum event_result result, const char *detail,
                       int64_t now)
{
    if (publish(d, client, source, event, result, detail, now)) {
        log_dead_letter(d, source, event->ack.stream_seq, result, detail, d->subject, now);
        return;
    }
    struct raw_message raw = {event->subject, event->header, event->payload, &event->ack};
    log_dead_letter(d, source, event->ack.stream_seq, result, detail, "quarantine", now);
    quarantine(d, source, &raw, result, detail, now);
}

/* The ack that the message is owed, from the copy of its reply subject. */
static void finish(struct dead_letters *d, struct dead_letter *entry, bool stored, int64_t now)
{
    struct nats_ack ack;
    ASSERT(nats_ack_parse(buf_slice(&entry->reply), &ack));
    struct batcher_source identity = source_identity(entry->source);
    if (stored) {
        batcher_dead_letter(d->batcher, &identity, entry->result, &ack, now);
    } else {
        struct raw_message raw = {buf_slice(&entry->subject), buf_slice(&entry->header),
                                  buf_slice(&entry->payload), &ack};
        quarantine(d, entry->source, &raw, entry->result, entry->detail, now);
    }
    entry->request = 0;
    d->waiting_bytes -= entry->header.len + entry->payload.len;
    buf_reset(&entry->payload);
    buf_trim(&entry->payload, DEAD_LETTER_KEPT);
    buf_reset(&entry->header);
    buf_trim(&entry->header, DEAD_LETTER_KEPT);
}

static void log_failed(struct dead_letters *d, const char *reason, int64_t now)
{
    uint64_t suppressed;
    if (!log_allowed(&d->failed_limit, now, &suppressed))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "dead_letter_failed");
    log_text(&line, "subject", d->subject);
    log_text(&line, "reason", reason);
    log_u64(&line, "suppressed", suppressed);
    log_end(&line);
}

bool dead_letters_reply(struct dead_letters *d, const struct nats_event *event, int64_t now)
{
    struct dead_letter *entry = find_waiting(d, event->request);
    if (entry == NULL)
        return false;
    struct arena arena = {0};
    struct nats_pub_ack ack;
    struct nats_api_error error = {0};
    struct err err = {0};
    bool stored = event->outcome == NATS_OUTCOME_REPLY &&
                  nats_pub_ack_parse(event->payload, &arena, &ack, &error, &err) == 0;
    if (!stored) {
        d->not_before = now + DEAD_LETTER_PAUSE;
        log_failed(d, err_is_set(&err) ? err.text : "no stream has confirmed it in time", now);
    }
    finish(d, entry, stored, now);
    arena_free(&arena);
    return true;
}

void dead_letters_give_up(struct dead_letters *d, int64_t now)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++)
        if (d->waiting[i].request != 0)
            finish(d, &d->waiting[i], false, now);
}

uint64_t dead_letters_memory(const struct dead_letters *d)
{
    uint64_t bytes = 0;
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++)
        bytes += d->waiting[i].payload.cap + d->waiting[i].header.cap;
    return bytes;
}

bool dead_letters_wait(const struct dead_letters *d, const struct source *source)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++)
        if (d->waiting[i].request != 0 && (source == NULL || d->waiting[i].source == source))
            return true;
    return false;
}
