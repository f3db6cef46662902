/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "follow/publisher_part.h"
#include "nats/stream.h"

/* STREAM/CREATED/SEQUENCE */
static bool split_row(struct slice row, struct slice *generation, uint64_t *sequence)
{
    size_t last = row.len;
    while (last > 0 && row.data[last - 1] != '/')
        last--;
    if (last < 2)
        return false;
    *generation = (struct slice){row.data, last - 1};
    return num_parse_u64((struct slice){row.data + last, row.len - last}, sequence);
}

bool publisher_place(const struct publisher *p, struct slice *generation, uint64_t *sequence)
{
    const struct buf *row = p->held ? &p->messages[p->current].row : &p->place;
    return split_row(buf_slice(row), generation, sequence);
}

/* Ask, and read the answer: `parse` is one of nats/stream.h. */
static int ask(struct publisher *p, const char *call, const char *stream, struct slice *reply)
{
    arena_reset(&p->arena);
    return api_client_api(&p->ask, call, stream, NULL, buf_slice(&p->header), reply, &p->failure);
}

/* The stream that takes the subject. */
static int find_stream(struct publisher *p)
{
    struct slice reply, name;
    struct nats_api_error error;
    bool more;
    if (p->options->stream != NULL) {
        ASSERT(nats_name_valid(slice_of(p->options->stream)));
        memcpy(p->stream, p->options->stream, strlen(p->options->stream) + 1);
        return 0;
    }
    buf_reset(&p->header);
    nats_stream_names_body(&p->header, slice_of(p->options->subject));
    if (ask(p, "STREAM.NAMES", NULL, &reply) != 0 ||
        nats_stream_names_parse(reply, &p->arena, &name, &more, &error, &p->failure) != 0)
        return -1;
    if (name.len == 0 || more || !nats_name_valid(name)) {
        p->final = name.len > 0;
        return err_set(&p->failure, ERR_REFUSED,
                       name.len == 0 ? "no stream takes %s: make one first, varve makes none"
                                     : "more than one stream takes %s: say which",
                       p->options->subject);
    }
    memcpy(p->stream, name.data, name.len);
    p->stream[name.len] = '\0';
    return 0;
}

static int look_at_stream(struct publisher *p, bool *keeps)
{
    struct slice reply;
    struct nats_stream_info info;
    struct nats_api_error error;
    buf_reset(&p->header);
    if (ask(p, "STREAM.INFO", p->stream, &reply) != 0 ||
        nats_stream_info_parse(reply, &p->arena, &info, &error, &p->failure) != 0)
        return err_prefix(&p->failure, "stream %s", p->stream);
    p->base = info.last_seq;
    p->single =
        p->fruitless >= PUBLISHER_FRUITLESS && info.duplicate_window_ns >= 2 * PUBLISHER_PATIENCE;
    p->batches = info.allows_atomic && p->batch_now > 1 && !p->single;
    *keeps = info.retention == NATS_RETENTION_LIMITS;
    if (p->fruitless >= PUBLISHER_HOPELESS && !p->single)
        return publisher_fail(p, ERR_REFUSED,
                              "others publish into the stream without a pause, and it knows the id "
                              "of a message for less than 20 s (duplicate_window): none would be "
                              "sure to come once");
    return 0;
}

/* Whether a header block is of this replay; *id and *row are those of its message. */
static bool is_ours(const struct publisher *p, struct slice block, struct slice *id,
                    struct slice *row)
{
    struct nats_header header;
    struct slice mark;
    if (!nats_header_parse(block, &header) || !nats_header_get(&header, PUBLISHER_MARK, &mark) ||
        !nats_header_get(&header, PUBLISHER_ID, id) || !slice_is(mark, p->options->mark))
        return false;
    const uint8_t *slash = id->len > 0 ? memchr(id->data, '/', id->len) : NULL;
    if (slash == NULL)
        return false;
    size_t run = (size_t)(slash - id->data);
    /* Varve 0.1 had it in the id: RUN/STREAM/CREATED/SEQUENCE. */
    if (!nats_header_get(&header, PUBLISHER_ROW, row))
        *row = (struct slice){slash + 1, id->len - run - 1};
    if (p->run[0] == '\0') /* else of an earlier one */
        return !p->options->begin && run <= PUBLISHER_MARK_MAX;
    return slice_is((struct slice){id->data, run}, p->run);
}

/* Ask for a message by p->header; *found: there is one. */
static int get_message(struct publisher *p, struct nats_stored_message *message, bool *found)
{
    struct slice reply;
    struct nats_api_error error;
    *found = false;
    if (ask(p, "STREAM.MSG.GET", p->stream, &reply) != 0)
        return -1;
    if (nats_stored_message_parse(reply, &p->arena, message, &error, &p->failure) == 0)
        *found = true;
    else if (error.meaning == NATS_MEANING_NO_MESSAGE)
        err_clear(&p->failure);
    else
        return err_prefix(&p->failure, "stream %s", p->stream);
    return 0;
}

/* The last message of the subject: *any, and whether it is of this replay. */
static int look_at_last(struct publisher *p, bool *any, bool *ours)
{
    struct nats_stored_message message;
    struct slice id, row, generation;
    uint64_t sequence;
    buf_reset(&p->header);
    nats_stream_last_body(&p->header, slice_of(p->options->subject));
    if (get_message(p, &message, any) != 0)
        return -1;
    *ours = *any && is_ours(p, message.header, &id, &row) && split_row(row, &generation, &sequence);
    if (!*ours)
        return 0;
    const uint8_t *slash = memchr(id.data, '/', id.len); /* there is one: it is ours */
    if (p->run[0] == '\0')
        memcpy(p->run, id.data, (size_t)(slash - id.data));
    buf_reset(&p->previous);
    buf_append_slice(&p->previous, id);
    buf_reset(&p->place);
    buf_append_slice(&p->place, row);
    return 0;
}

/* Those of the subject from `first` to `last`; *more: `visit` has not said no. */
static int each_between(struct publisher *p, uint64_t first, uint64_t last, publisher_visit *visit,
                        void *context, bool *more)
{
    bool found = true;
    while (first <= last && found) {
        struct nats_stored_message message;
        struct slice id, row, generation;
        uint64_t sequence;
        if (p->options->stop != NULL && atomic_load(p->options->stop))
            return err_set(&p->failure, ERR_REFUSED, "it is time to end");
        buf_reset(&p->header);
        nats_stream_next_body(&p->header, first, slice_of(p->options->subject));
        if (get_message(p, &message, &found) != 0)
            return -1;
        found = found && message.sequence >= first && message.sequence <= last;
        if (found && is_ours(p, message.header, &id, &row) &&
            split_row(row, &generation, &sequence) && !visit(context, generation, sequence))
            *more = false;
        first = found ? message.sequence + 1 : first;
    }
    return 0;
}

int publisher_each_back(struct publisher *p, uint64_t limit, publisher_visit *visit, void *context,
                        struct err *err)
{
    enum { FIRST = 64, GROWTH = 8 };
    uint64_t last = p->base, length = FIRST;
    bool more = true;
    while (last > 0 && limit > 0 && more) {
        length = num_least_u64(length, num_least_u64(limit, last));
        if (each_between(p, last - length + 1, last, visit, context, &more) != 0) {
            *err = p->failure;
            return -1;
        }
        last -= length;
        limit -= length;
        length *= GROWTH;
    }
    return 0;
}

/* Where to go on: behind the last message, if it is ours. */
int publisher_find_place(struct publisher *p)
{
    bool keeps = false, any = false, ours = false;
    /* In this order: who publishes in between has moved the end of the stream. */
    if (find_stream(p) != 0 || look_at_stream(p, &keeps) != 0 ||
        look_at_last(p, &p->any, &ours) != 0 || ours)
        return err_is_set(&p->failure) ? -1 : 0;
    any = p->any;
    if (p->published > 0 && p->options->run == NULL)
        return publisher_fail(p, ERR_REFUSED,
                              any ? "somebody else has published to the same subject"
                                  : "the last message of this replay was removed from the stream");
    if (!p->options->begin && any)
        return publisher_fail(p, ERR_REFUSED,
                              "the last message of the subject is not of this replay: --new begins "
                              "it behind that");
    if (!p->options->begin && !keeps && p->base > 0)
        return publisher_fail(
            p, ERR_REFUSED,
            "the stream does not keep what was consumed, which would tell how far "
            "a replay has come: --new begins it");
    buf_reset(&p->previous);
    buf_reset(&p->place);
    if (p->run[0] == '\0')
        publisher_draw(p, p->run);
    return 0;
}
