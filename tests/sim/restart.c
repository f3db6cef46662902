/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "model.h"
#include "server.h"

/* What is on the server's disk, and its end and start. */

void server_sync_consumer(struct server *s, const char *stream, const char *consumer)
{
    struct js_stream *found = js_stream_find(s, slice_of(stream));
    struct js_consumer *c = found == NULL ? NULL : js_consumer_find(found, slice_of(consumer));
    if (c != NULL && !s->down)
        js_consumer_save(c);
}

void server_sync(struct server *s, const char *stream)
{
    struct js_stream *found = js_stream_find(s, slice_of(stream));
    if (found == NULL || s->down)
        return;
    js_stream_sync(found);
    for (struct js_consumer *c = found->consumers; c != NULL; c = c->next)
        js_consumer_save(c);
}

static void restart_consumer(struct js_consumer *c, enum server_end how)
{
    for (size_t i = 0; i < c->waiting_count; i++)
        free(c->waiting[i].reply);
    c->waiting_count = 0;
    c->queue_count = 0;
    if (how == SERVER_KILLED || how == SERVER_POWER)
        js_consumer_restore(c);
    js_consumer_save(c);
}

static void restart_stream(struct js_stream *stream, enum server_end how)
{
    if (how == SERVER_POWER || how == SERVER_ROLLED)
        js_stream_roll_back(stream);
    js_stream_sync(stream);
    for (struct js_consumer *c = stream->consumers; c != NULL;) {
        struct js_consumer *next = c->next;
        restart_consumer(c, how);
        if (c->config.memory) { /* it was nowhere but in memory */
            struct js_consumer **link = &stream->consumers;
            while (*link != c)
                link = &(*link)->next;
            *link = next;
            js_consumer_free(c);
        }
        c = next;
    }
}

void server_end(struct server *s, enum server_end how, int64_t now)
{
    if (s->down)
        return;
    s->now = now;
    for (struct js_stream *stream = s->streams; stream != NULL; stream = stream->next) {
        for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
            if (how == SERVER_STOPS && s->options.replicas == 1)
                js_delivery_end_all(c, "409 Server Shutdown", true);
        restart_stream(stream, how);
    }
    for (struct js_connection *c = s->connections; c != NULL; c = c->next) {
        if (how != SERVER_STOPS)
            buf_reset(&c->out);
        c->closed = true;
        for (size_t i = 0; i < c->count; i++)
            free(c->subscriptions[i].subject);
        c->count = 0;
    }
    s->down = true;
}

static void tell_drop(const struct js_stream *stream, uint64_t seq)
{
    const struct server *s = stream->server;
    if (s->on_drop != NULL)
        s->on_drop(s->on_drop_context, stream->config.name, seq);
}

/* checkForOrphanMsgs of 2.9: all up to the least of the floors goes, be that beyond the end. */
static void purge_through_floors(struct js_stream *stream)
{
    uint64_t floor = 0;
    uint64_t purged;
    for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        if (floor == 0 || c->now.asflr < floor)
            floor = c->now.asflr;
    if (floor <= stream->first_seq)
        return;
    for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= floor; seq++) {
        const struct js_message *m = js_stream_message(stream, seq);
        if (m != NULL && !m->acked)
            tell_drop(stream, seq);
    }
    js_stream_extend(stream, floor);
    js_stream_purge(stream, 0, floor + 1, NULL, &purged);
}

/* checkInterestState of later ones: what no consumer needs goes, acked or not. */
static void check_interest(struct js_stream *stream)
{
    for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= stream->last_seq; seq++) {
        const struct js_message *m = js_stream_message(stream, seq);
        bool open = m != NULL && !m->acked;
        js_stream_check_interest(stream, seq);
        if (open && js_stream_message(stream, seq) == NULL)
            tell_drop(stream, seq);
    }
}

void server_start(struct server *s, int64_t now)
{
    s->now = now;
    if (!s->down)
        return;
    s->down = false;
    for (struct js_stream *stream = s->streams; stream != NULL; stream = stream->next) {
        for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next) {
            js_consumer_fit_stream(c);
            c->active = now;
        }
        if (stream->config.retention == JS_RETENTION_INTEREST && server_is_since(s, 10, 0))
            check_interest(stream);
        else if (stream->config.retention == JS_RETENTION_INTEREST)
            purge_through_floors(stream);
    }
}
