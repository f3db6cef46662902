/* SPDX-License-Identifier: MIT */
#include "drain/dead_letter.h"

#include "base/assert.h"
#include "base/num.h"

void dead_letters_init(struct dead_letters *d, const char *subject)
{
    *d = (struct dead_letters){.subject = subject};
}

static void free_memory(struct dead_letter *letter)
{
    account_free(letter->memory.account, letter->memory.data, letter->memory.size);
    letter->memory = (struct nats_memory){0};
    letter->large = (struct slice){0};
}

void dead_letters_free(struct dead_letters *d)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++) {
        buf_free(&d->waiting[i].reply);
        buf_free(&d->waiting[i].subject);
        buf_free(&d->waiting[i].header);
        buf_free(&d->waiting[i].payload);
        free_memory(&d->waiting[i]);
    }
    buf_free(&d->header);
}

void dead_letters_log(const struct source *source, uint64_t sequence,
                      const struct dead_letter_cause *cause, const char *to)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "dead_letter");
    log_text(&line, "stream", source->settings->stream);
    log_u64(&line, "seq", sequence);
    log_text(&line, "reason", cause->reason);
    log_text(&line, "detail", cause->detail);
    log_text(&line, "to", to);
    log_end(&line);
}

/* Headers that say where the message comes from; Nats-Msg-Id lets a stream drop a second copy. */
static void make_header(struct dead_letters *d, struct source *source,
                        const struct nats_event *event, const struct dead_letter_cause *cause)
{
    struct buf id = {0};
    struct buf *h = &d->header;
    const char *stream = source->settings->stream;
    const char *created = buf_text(&source->generation.created);
    buf_printf(&id, "%s/%s/", stream, created);
    buf_append_decimal(&id, event->ack.stream_seq);
    buf_reset(h);
    nats_header_begin(h);
    nats_header_add(h, "Nats-Msg-Id", buf_slice(&id));
    nats_header_add(h, "Varve-Stream", slice_of(stream));
    nats_header_add(h, "Varve-Stream-Created", slice_of(created));
    nats_header_add_u64(h, "Varve-Seq", event->ack.stream_seq);
    nats_header_add_u64(h, "Varve-Time", (uint64_t)event->ack.timestamp_ns);
    nats_header_add(h, "Varve-Subject", event->subject);
    nats_header_add(h, "Varve-Reason", slice_of(cause->reason));
    nats_header_add(h, "Varve-Detail", slice_of(cause->detail));
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

/* The message outlives its event. */
static void keep(struct dead_letters *d, struct dead_letter *entry, struct nats_client *client,
                 const struct nats_event *event, bool large)
{
    copy(&entry->reply, event->reply);
    copy(&entry->subject, event->subject);
    copy(&entry->header, event->header);
    if (large) {
        entry->memory = nats_client_detach(client);
        entry->large = event->payload;
    } else {
        copy(&entry->payload, event->payload);
    }
    d->waiting_bytes += entry->header.len + entry->payload.len;
}

bool dead_letters_publish(struct dead_letters *d, struct nats_client *client, struct source *source,
                          const struct nats_event *event, const struct dead_letter_cause *cause,
                          uint64_t room, int64_t now)
{
    enum { LINE = 4096 }; /* in front of a message */
    struct dead_letter *entry = find_waiting(d, 0);
    size_t bytes = event->header.len + event->payload.len;
    bool large = event->payload.len > DEAD_LETTER_COPIED_MAX;
    bool fits = large ? bytes + LINE <= room : d->waiting_bytes + bytes <= DEAD_LETTERS_BYTES_MAX;
    if (d->subject[0] == '\0' || entry == NULL || now < d->not_before || !fits)
        return false;
    make_header(d, source, event, cause);
    if (d->header.len + event->payload.len > client->session.info.max_payload)
        return false;
    if (large) /* as much as it takes, and not twice that */
        buf_reserve_exact(&client->out, d->header.len + event->payload.len + LINE);
    int64_t timeout =
        DEAD_LETTER_TIMEOUT + (int64_t)(event->payload.len / DEAD_LETTER_RATE) * CLOCK_SECOND;
    uint64_t request = nats_client_request(client, slice_of(d->subject), buf_slice(&d->header),
                                           event->payload, timeout, now);
    if (request == 0)
        return false;
    entry->request = request;
    entry->source = source;
    entry->cause = *cause;
    entry->confirmed = false;
    keep(d, entry, client, event, large);
    dead_letters_log(source, event->ack.stream_seq, cause, d->subject);
    return true;
}

void dead_letters_release(struct dead_letters *d, struct dead_letter *letter)
{
    letter->request = 0;
    d->waiting_bytes -= letter->header.len + letter->payload.len;
    buf_reset(&letter->payload);
    buf_trim(&letter->payload, DEAD_LETTER_KEPT);
    buf_reset(&letter->header);
    buf_trim(&letter->header, DEAD_LETTER_KEPT);
    free_memory(letter);
}

struct nats_ack dead_letter_ack(struct dead_letter *letter)
{
    struct nats_ack ack;
    ASSERT(nats_ack_parse(buf_slice(&letter->reply), &ack)); /* it came with a message */
    return ack;
}

static void log_failed(const struct dead_letters *d, const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "dead_letter_failed");
    log_text(&line, "subject", d->subject);
    log_text(&line, "reason", reason);
    log_end(&line);
}

struct dead_letter *dead_letters_reply(struct dead_letters *d, const struct nats_event *event,
                                       int64_t now)
{
    struct dead_letter *entry = find_waiting(d, event->request);
    if (entry == NULL)
        return NULL;
    struct arena arena = {0};
    struct nats_pub_ack ack;
    struct nats_api_error error = {0};
    struct err err = {0};
    entry->confirmed = event->outcome == NATS_OUTCOME_REPLY &&
                       nats_pub_ack_parse(event->payload, &arena, &ack, &error, &err) == 0;
    if (!entry->confirmed) {
        d->not_before = now + DEAD_LETTER_PAUSE;
        log_failed(d, err_is_set(&err) ? err.text : "no stream has confirmed it in time");
    }
    arena_free(&arena);
    return entry;
}

struct dead_letter *dead_letters_give_up(struct dead_letters *d)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++)
        if (d->waiting[i].request != 0)
            return &d->waiting[i];
    return NULL;
}

void dead_letters_set_account(struct dead_letters *d, struct account *account)
{
    d->header.account = account;
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++) {
        d->waiting[i].reply.account = account;
        d->waiting[i].subject.account = account;
        d->waiting[i].header.account = account;
        d->waiting[i].payload.account = account;
    }
}

bool dead_letters_wait(const struct dead_letters *d, const struct source *source)
{
    for (int i = 0; i < DEAD_LETTERS_AT_ONCE; i++)
        if (d->waiting[i].request != 0 && (source == NULL || d->waiting[i].source == source))
            return true;
    return false;
}
