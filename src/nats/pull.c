/* SPDX-License-Identifier: MIT */
#include "nats/pull.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/num.h"
#include "nats/api.h"
#include "nats/command.h"
#include "nats/subject.h"

static void end_pull(struct nats_pull_slot *slot)
{
    slot->token = 0;
    slot->left = 0;
}

static void end_all(struct nats_pull *p)
{
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++)
        end_pull(&p->slots[i]);
}

static enum nats_pull_need halt(struct nats_pull *p, enum nats_pull_need need)
{
    if (p->halted) /* the owner is at it already */
        return NATS_PULL_NEEDS_NOTHING;
    p->halted = true;
    return need;
}

static void write_body(struct nats_pull *p, uint64_t bytes, uint64_t batch)
{
    struct json_writer w = {.out = &p->body};
    buf_reset(&p->body);
    json_open_object(&w, NULL);
    json_put_i64(&w, "expires", p->expires);
    json_put_u64(&w, "batch", batch);
    json_put_u64(&w, "max_bytes", bytes);
    json_put_i64(&w, "idle_heartbeat", p->heartbeat);
    json_close_object(&w);
}

/* The subject of a slot, up to the token of a pull. */
static void write_reply(struct nats_pull *p, size_t slot)
{
    buf_reset(&p->reply);
    buf_append_slice(&p->reply, buf_slice(&p->inbox));
    buf_append_decimal(&p->reply, slot);
    buf_append_byte(&p->reply, '.');
}

static void send_pull(struct nats_pull *p, struct nats_client *c, size_t index, uint64_t bytes,
                      uint64_t batch, int64_t now)
{
    struct nats_pull_slot *slot = &p->slots[index];
    *slot = (struct nats_pull_slot){
        .sid = slot->sid,
        .token = ++p->last_token,
        .asked = bytes,
        .left = bytes,
        .batch_left = batch,
        .sent = now,
        .heard = now,
    };
    write_reply(p, index);
    buf_append_decimal(&p->reply, slot->token);
    write_body(p, bytes, batch);
    nats_command_publish(&c->out, buf_slice(&p->next_subject), buf_slice(&p->reply),
                         (struct slice){0}, buf_slice(&p->body));
}

uint64_t nats_pull_outstanding(const struct nats_pull *p)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++)
        sum += p->slots[i].left;
    return sum;
}

uint64_t nats_pull_live(const struct nats_pull *p)
{
    uint64_t live = 0;
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++)
        live += p->slots[i].token != 0;
    return live;
}

bool nats_pull_is_live(const struct nats_pull *p)
{
    return nats_pull_live(p) > 0;
}

uint64_t nats_pull_large(const struct nats_pull *p)
{
    return p->open && p->message_max > 0 && p->oversize > p->message_max ? p->oversize : 0;
}

void nats_pull_allow_large(struct nats_pull *p, bool allowed)
{
    p->allowed = allowed;
}

/* A slot for a new pull, or -1 if none is free or none is due. */
static int due_slot(const struct nats_pull *p)
{
    if (p->paused || nats_pull_outstanding(p) > p->target / 2 ||
        (nats_pull_large(p) > 0 && !p->allowed))
        return -1;
    for (int i = 0; i < NATS_PULL_SLOTS; i++)
        if (p->slots[i].token == 0)
            return i;
    return -1;
}

static void refill(struct nats_pull *p, struct nats_client *c, int64_t now)
{
    int slot;
    while ((slot = due_slot(p)) >= 0) {
        if (p->oversize > 0) { /* one message only, so that the bytes on the way stay bounded */
            send_pull(p, c, (size_t)slot, p->oversize, 1, now);
            return;
        }
        uint64_t bytes = p->target - nats_pull_outstanding(p);
        if (p->batch_max < NATS_PULL_BATCH) /* bytes are not the limit: several pulls at a time */
            bytes = num_least_u64(bytes, p->target / NATS_PULL_SLOTS + 1);
        send_pull(p, c, (size_t)slot, num_least_u64(bytes, p->bytes_max), p->batch_max, now);
    }
}

/* The next message did not fit. If the pull was empty it never will, until we ask for more. */
static enum nats_pull_need grow(struct nats_pull *p, const struct nats_pull_slot *slot)
{
    if (slot->messages > 0)
        return NATS_PULL_NEEDS_NOTHING;
    uint64_t freely = p->message_max > 0 ? p->message_max : NATS_MESSAGE_MAX;
    uint64_t most = num_least_u64(p->bytes_max, p->large_max > freely ? p->large_max : freely);
    if (slot->asked >= most)
        return halt(p, NATS_PULL_MESSAGE_TOO_BIG);
    uint64_t next =
        num_least_u64(slot->asked * 2, slot->asked < freely ? num_least_u64(freely, most) : most);
    if (next > p->oversize)
        p->oversize = next;
    return NATS_PULL_NEEDS_NOTHING;
}

/* A limit that the server told; half of what we asked for if it did not say it in a way that we
 * understand. */
static uint64_t clamp(uint64_t asked, uint64_t told)
{
    if (told > 0 && told < asked)
        return told;
    return asked / 2 > 0 ? asked / 2 : 1;
}

static void write_names(struct nats_pull *p, struct nats_client *c, const char *api_prefix,
                        const char *stream, const char *consumer)
{
    buf_reset(&p->next_subject);
    nats_api_subject(&p->next_subject, api_prefix, "CONSUMER.MSG.NEXT", stream, consumer);
    buf_reset(&p->inbox);
    nats_client_inbox(c, &p->inbox);
    buf_append_text(&p->inbox, ".p");
}

int nats_pull_open(struct nats_pull *p, struct nats_client *c, const char *api_prefix,
                   const char *stream, const char *consumer, uint64_t target, void *owner,
                   int64_t now, struct err *err)
{
    ASSERT(!p->open && target > 0);
    write_names(p, c, api_prefix, stream, consumer);
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++) {
        write_reply(p, i);
        buf_append_byte(&p->reply, '*');
        p->slots[i] = (struct nats_pull_slot){
            .sid = nats_client_subscribe(c, buf_slice(&p->reply), owner, (uint32_t)i)};
        if (p->slots[i].sid == 0) {
            nats_pull_close(p, c);
            return err_set(err, ERR_LIMIT, "more than %d subscriptions on one connection",
                           NATS_SUBSCRIPTIONS_MAX);
        }
    }
    p->oversize = 0;
    p->batch_max = NATS_PULL_BATCH;
    p->bytes_max = UINT64_MAX;
    p->expires = NATS_PULL_EXPIRES;
    p->heartbeat = NATS_PULL_HEARTBEAT;
    p->not_before = now;
    p->last_consumer_seq = 0;
    p->halted = false;
    p->open = true;
    nats_pull_set_target(p, target);
    return 0;
}

void nats_pull_close(struct nats_pull *p, struct nats_client *c)
{
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++) {
        if (c != NULL && p->slots[i].sid != 0)
            nats_client_unsubscribe(c, p->slots[i].sid);
        p->slots[i] = (struct nats_pull_slot){0};
    }
    p->open = false;
    p->halted = false;
}

void nats_pull_free(struct nats_pull *p)
{
    buf_free(&p->next_subject);
    buf_free(&p->inbox);
    buf_free(&p->reply);
    buf_free(&p->body);
    *p = (struct nats_pull){0};
}

void nats_pull_pause(struct nats_pull *p, bool paused)
{
    p->paused = paused;
}

void nats_pull_set_target(struct nats_pull *p, uint64_t target)
{
    p->target = num_least_u64(target, NATS_PULL_TARGET_MAX);
}

void nats_pull_set_message_max(struct nats_pull *p, uint64_t message_max, uint64_t large_max)
{
    p->message_max = num_least_u64(message_max, NATS_MESSAGE_MAX);
    p->large_max = num_least_u64(large_max, NATS_MESSAGE_MAX);
}

void nats_pull_resume(struct nats_pull *p)
{
    end_all(p);
    p->halted = false;
}

void nats_pull_message(struct nats_pull *p, const struct nats_event *event, int64_t now)
{
    if (event->slot >= NATS_PULL_SLOTS || p->slots[event->slot].token == 0)
        return;
    struct nats_pull_slot *slot = &p->slots[event->slot];
    slot->heard = now;
    slot->messages++;
    slot->batch_left--;
    slot->left -= num_least_u64(slot->left, event->bytes);
    p->oversize = 0;
    /* The server ends a pull that is used up to the last byte or message without a word. */
    if (slot->left == 0 || slot->batch_left == 0)
        end_pull(slot);
}

/* The pull that a status names, or NULL if it is over already. */
static struct nats_pull_slot *live_pull(struct nats_pull *p, const struct nats_event *event)
{
    uint64_t token;
    if (event->slot >= NATS_PULL_SLOTS || p->slots[event->slot].token == 0 ||
        !num_parse_u64(nats_subject_last_token(event->subject), &token) ||
        token != p->slots[event->slot].token)
        return NULL;
    return &p->slots[event->slot];
}

static enum nats_pull_need end_by_status(struct nats_pull *p, const struct nats_pull_slot *slot,
                                         const struct nats_status *status, int64_t now)
{
    switch (status->kind) {
    case NATS_STATUS_HEARTBEAT:
    case NATS_STATUS_COMPLETED:
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_EXPIRED:
        if (now - slot->sent < p->expires / 2)
            p->not_before = now + NATS_PULL_RETRY_PAUSE;
        if (slot->messages == 0 && slot->asked == p->oversize)
            p->oversize = 0; /* the message that it was for is gone */
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_TOO_BIG:
        return grow(p, slot);
    case NATS_STATUS_MAX_BATCH:
        p->batch_max = clamp(p->batch_max, status->limit);
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_MAX_BYTES:
        p->bytes_max = clamp(slot->asked, status->limit);
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_MAX_EXPIRES:
        p->expires = (int64_t)clamp((uint64_t)p->expires, status->limit);
        if (p->heartbeat > p->expires / 2) /* more is a bad request */
            p->heartbeat = p->expires / 2;
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_MAX_WAITING:
        p->not_before = now + NATS_PULL_CROWDED_PAUSE;
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_NO_MESSAGES:
    case NATS_STATUS_PIN_LOST:
    case NATS_STATUS_OTHER:
        p->not_before = now + NATS_PULL_RETRY_PAUSE;
        return NATS_PULL_NEEDS_NOTHING;
    case NATS_STATUS_LEADER_CHANGE:
        p->not_before = now + NATS_PULL_RETRY_PAUSE;
        return NATS_PULL_LEADER_CHANGED;
    case NATS_STATUS_SHUTDOWN:
        p->not_before = now + NATS_PULL_CROWDED_PAUSE;
        return NATS_PULL_SERVER_SHUTDOWN;
    case NATS_STATUS_DELETED:
    case NATS_STATUS_NO_RESPONDERS:
        return halt(p, NATS_PULL_CONSUMER_GONE);
    case NATS_STATUS_PUSH_CONSUMER:
        return halt(p, NATS_PULL_PUSH_CONSUMER);
    case NATS_STATUS_BAD_REQUEST:
        return halt(p, NATS_PULL_BAD_REQUEST);
    }
    return NATS_PULL_NEEDS_NOTHING;
}

enum nats_pull_need nats_pull_status(struct nats_pull *p, const struct nats_event *event,
                                     int64_t now)
{
    struct nats_pull_slot *slot = live_pull(p, event);
    if (slot == NULL)
        return NATS_PULL_NEEDS_NOTHING;
    struct nats_status status = nats_status_classify(&event->status);
    slot->heard = now;
    if (status.kind == NATS_STATUS_HEARTBEAT) {
        p->last_consumer_seq = status.last_consumer_seq;
        return NATS_PULL_HEARD_HEARTBEAT;
    }
    enum nats_pull_need need = end_by_status(p, slot, &status, now);
    end_pull(slot);
    return need;
}

/* When a pull that nothing is heard of is given up. */
static int64_t silence_ends(const struct nats_pull *p, const struct nats_pull_slot *slot)
{
    return slot->heard + 2 * p->heartbeat + CLOCK_SECOND;
}

/* Give up pulls that nothing is heard of. True if that was all of them. */
static bool end_silent(struct nats_pull *p, int64_t now)
{
    size_t silent = 0;
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++) {
        struct nats_pull_slot *slot = &p->slots[i];
        if (slot->token != 0 && now >= silence_ends(p, slot)) {
            end_pull(slot);
            silent++;
        }
    }
    return silent > 0 && !nats_pull_is_live(p);
}

enum nats_pull_need nats_pull_tick(struct nats_pull *p, struct nats_client *c, int64_t now)
{
    if (!p->open || p->halted)
        return NATS_PULL_NEEDS_NOTHING;
    if (end_silent(p, now)) {
        nats_client_probe(c, now);
        return halt(p, NATS_PULL_SILENT);
    }
    if (now >= p->not_before)
        refill(p, c, now);
    return NATS_PULL_NEEDS_NOTHING;
}

int64_t nats_pull_deadline(const struct nats_pull *p)
{
    if (!p->open || p->halted)
        return INT64_MAX;
    int64_t earliest = due_slot(p) >= 0 ? p->not_before : INT64_MAX;
    for (size_t i = 0; i < NATS_PULL_SLOTS; i++)
        if (p->slots[i].token != 0 && silence_ends(p, &p->slots[i]) < earliest)
            earliest = silence_ends(p, &p->slots[i]);
    return earliest;
}
