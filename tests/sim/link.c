/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pipe.h"

enum {
    LINKS_MAX = 64,
    LINK_FIRST = 1 << 16, /* the first handle: no mistake for anything else's */
    LINK_WINDOW = 256 * 1024,
    LINK_PIECE_MAX = 9, /* bytes of a piece that was split */
};
#define LINK_HANG (20 * CLOCK_SECOND) /* before a connection that nobody answers is refused */

enum link_state { LINK_FREE, LINK_CONNECTING, LINK_OPEN, LINK_BROKEN, LINK_LEFT };

struct link {
    enum link_state state;
    const bool *dead; /* of the process at its end */
    uint32_t connection;
    bool refused, ended;
    int64_t opens_at;
    int64_t silent_until; /* nothing arrives, at either end, before; then it is broken. 0: no */
    int64_t leaves_at;    /* of LINK_LEFT: when the server hears of it */
    struct sim_pipe to_server, to_client;
};

struct links {
    struct network network;
    struct server *server;
    struct sim_random random;
    struct link_manner manner;
    struct link list[LINKS_MAX];
    const bool *dead;
    int64_t now;
};

static int64_t arrival(struct links *l)
{
    return l->now + sim_random_between(&l->random, l->manner.latency_min, l->manner.latency_max);
}

static size_t split(struct links *l, size_t len)
{
    if (len > 1 && sim_random_chance(&l->random, l->manner.split)) {
        size_t most = len < LINK_PIECE_MAX ? len : LINK_PIECE_MAX;
        return 1 + (size_t)sim_random_below(&l->random, most);
    }
    return len;
}

static int resolve(void *context, const char *host, uint16_t port, struct net_addresses *out,
                   struct err *err)
{
    (void)context;
    (void)host;
    (void)port;
    (void)err;
    out->count = 1;
    out->list[0].len = 1;
    return 1;
}

static struct link *link_of(struct links *l, int handle)
{
    return &l->list[handle - LINK_FIRST];
}

static int connect_to(void *context, const struct net_address *to, struct err *err)
{
    struct links *l = context;
    (void)to;
    for (int i = 0; i < LINKS_MAX; i++) {
        struct link *c = &l->list[i];
        if (c->state != LINK_FREE)
            continue;
        sim_pipe_reset(&c->to_server);
        sim_pipe_reset(&c->to_client);
        c->state = LINK_CONNECTING;
        c->dead = l->dead;
        c->connection = 0;
        c->ended = false;
        c->silent_until = 0;
        bool hangs = sim_random_chance(&l->random, l->manner.hangs);
        c->refused = hangs || sim_random_chance(&l->random, l->manner.refuses);
        c->opens_at = l->now + (hangs ? LINK_HANG : l->manner.latency_min);
        return LINK_FIRST + i;
    }
    return err_set_system(err, EMFILE, "connect");
}

static enum net_io connected(void *context, int handle, struct err *err)
{
    struct links *l = context;
    struct link *c = link_of(l, handle);
    if (c->state == LINK_CONNECTING && l->now < c->opens_at)
        return NET_IO_AGAIN;
    if (c->state == LINK_CONNECTING && !c->refused)
        c->connection = server_connect(l->server, l->now);
    if (c->connection != 0) {
        c->state = LINK_OPEN;
        return NET_IO_DONE;
    }
    c->state = LINK_BROKEN;
    err_set_system(err, ECONNREFUSED, "connect");
    return NET_IO_DEAD;
}

static int no_listener(void *context, const struct net_address *at, char name[static NET_NAME_MAX],
                       struct err *err)
{
    (void)context;
    (void)at;
    (void)name;
    return err_set(err, ERR_UNSUPPORTED, "nobody listens here");
}

static enum net_io no_accept(void *context, int listener, int *handle, struct err *err)
{
    (void)context;
    (void)listener;
    (void)handle;
    (void)err;
    return NET_IO_AGAIN;
}

static enum net_io read_from(void *context, int handle, void *data, size_t len, size_t *done,
                             struct err *err)
{
    struct links *l = context;
    struct link *c = link_of(l, handle);
    if (c->state == LINK_BROKEN) {
        err_set_system(err, ECONNRESET, "read");
        return NET_IO_DEAD;
    }
    size_t there = c->silent_until == 0 ? sim_pipe_arrived(&c->to_client, l->now) : 0;
    if (there == 0 && c->ended && c->to_client.bytes.len == 0) {
        err_set(err, ERR_NETWORK, "the server closed the connection");
        return NET_IO_DEAD;
    }
    if (there == 0)
        return NET_IO_AGAIN;
    *done = split(l, there < len ? there : len);
    memcpy(data, c->to_client.bytes.data, *done);
    sim_pipe_take(&c->to_client, *done);
    return NET_IO_DONE;
}

static enum net_io write_to(void *context, int handle, const void *data, size_t len, size_t *done,
                            struct err *err)
{
    struct links *l = context;
    struct link *c = link_of(l, handle);
    if (c->state == LINK_BROKEN) {
        err_set_system(err, ECONNRESET, "write");
        return NET_IO_DEAD;
    }
    size_t room = c->to_server.bytes.len < LINK_WINDOW ? LINK_WINDOW - c->to_server.bytes.len : 0;
    if (room == 0)
        return NET_IO_AGAIN;
    *done = split(l, room < len ? room : len);
    if (!*c->dead)
        sim_pipe_put(&c->to_server, data, *done, arrival(l));
    return NET_IO_DONE;
}

static void finish(void *context, int handle)
{
    (void)context;
    (void)handle;
}

static void leave(struct links *l, struct link *c)
{
    if (c->connection == 0) {
        c->state = LINK_FREE;
        return;
    }
    c->state = LINK_LEFT;
    c->leaves_at = c->silent_until > 0 ? c->silent_until : c->to_server.last;
    if (c->leaves_at < l->now)
        c->leaves_at = l->now;
}

static void close_it(void *context, int handle)
{
    struct links *l = context;
    if (handle >= LINK_FIRST)
        leave(l, link_of(l, handle));
}

static int no_waker(void *context, struct err *err)
{
    (void)context;
    (void)err;
    return 1; /* nobody is asleep */
}

static void no_wake(void *context, int handle)
{
    (void)context;
    (void)handle;
}

static unsigned ready_bits(struct links *l, const struct link *c)
{
    switch (c->state) {
    case LINK_FREE:
    case LINK_LEFT:
        return 0;
    case LINK_CONNECTING:
        return l->now >= c->opens_at ? NET_READABLE | NET_WRITABLE : 0;
    case LINK_BROKEN:
        return NET_READABLE | NET_WRITABLE;
    case LINK_OPEN:
        break;
    }
    unsigned bits = c->to_server.bytes.len < LINK_WINDOW ? NET_WRITABLE : 0;
    bool arrived = c->silent_until == 0 && sim_pipe_arrived(&c->to_client, l->now) > 0;
    return arrived || (c->ended && c->to_client.bytes.len == 0) ? bits | NET_READABLE : bits;
}

/* Time does not pass in here: whoever runs the world asks what is ready, and lets it pass. */
static void wait_for(void *context, struct net_wait *list, size_t count, int64_t until)
{
    struct links *l = context;
    (void)until;
    for (size_t i = 0; i < count; i++) {
        list[i].ready = 0;
        if (list[i].handle >= LINK_FIRST)
            list[i].ready = ready_bits(l, link_of(l, list[i].handle)) & list[i].want;
    }
}

static void break_link(struct links *l, struct link *c)
{
    if (c->connection != 0)
        server_disconnect(l->server, c->connection);
    c->connection = 0;
    c->silent_until = 0;
    c->state = c->state == LINK_LEFT ? LINK_FREE : LINK_BROKEN;
}

static void carry_to_server(struct links *l, struct link *c)
{
    size_t there = sim_pipe_arrived(&c->to_server, l->now);
    if (there == 0)
        return;
    struct buf bytes = {0};
    buf_append(&bytes, c->to_server.bytes.data, there);
    sim_pipe_take(&c->to_server, there);
    server_input(l->server, c->connection, buf_slice(&bytes), l->now);
    buf_free(&bytes);
}

static void carry_to_client(struct links *l, struct link *c)
{
    while (c->to_client.bytes.len < LINK_WINDOW) {
        struct slice out = server_output(l->server, c->connection);
        if (out.len == 0)
            break;
        size_t len = split(l, out.len);
        sim_pipe_put(&c->to_client, out.data, len, arrival(l));
        server_sent(l->server, c->connection, len);
    }
    if (server_is_closed(l->server, c->connection) &&
        server_output(l->server, c->connection).len == 0)
        c->ended = true;
}

void links_step(struct links *l, int64_t now)
{
    l->now = now;
    for (int i = 0; i < LINKS_MAX; i++) {
        struct link *c = &l->list[i];
        if (c->connection == 0)
            continue;
        if (c->silent_until != 0) {
            if (now >= c->silent_until)
                break_link(l, c);
            continue;
        }
        carry_to_server(l, c);
        if (c->state == LINK_OPEN)
            carry_to_client(l, c);
        else if (c->state == LINK_LEFT && now >= c->leaves_at)
            break_link(l, c);
    }
}

int64_t links_deadline(const struct links *l)
{
    int64_t deadline = INT64_MAX;
    for (int i = 0; i < LINKS_MAX; i++) {
        const struct link *c = &l->list[i];
        int64_t at = INT64_MAX;
        if (c->state == LINK_CONNECTING)
            at = c->opens_at;
        else if (c->silent_until != 0)
            at = c->silent_until;
        else if (c->state == LINK_LEFT)
            at = c->leaves_at;
        else if (c->state == LINK_OPEN && sim_pipe_deadline(&c->to_client) < at)
            at = sim_pipe_deadline(&c->to_client);
        if (c->state == LINK_OPEN && c->silent_until == 0 && sim_pipe_deadline(&c->to_server) < at)
            at = sim_pipe_deadline(&c->to_server);
        deadline = at < deadline ? at : deadline;
    }
    return deadline;
}

void links_cut(struct links *l, int64_t silent, int64_t now)
{
    l->now = now;
    for (int i = 0; i < LINKS_MAX; i++) {
        struct link *c = &l->list[i];
        if (c->state != LINK_OPEN || c->silent_until != 0)
            continue;
        if (silent > 0)
            c->silent_until = now + silent;
        else
            break_link(l, c);
        return;
    }
}

uint32_t links_newest(const struct links *l)
{
    uint32_t newest = 0;
    for (int i = 0; i < LINKS_MAX; i++)
        if (l->list[i].state == LINK_OPEN && l->list[i].connection > newest)
            newest = l->list[i].connection;
    return newest;
}

void links_drop(struct links *l, const bool *dead)
{
    for (int i = 0; i < LINKS_MAX; i++)
        if (l->list[i].state != LINK_FREE && l->list[i].state != LINK_LEFT &&
            l->list[i].dead == dead)
            leave(l, &l->list[i]);
}

void links_switch(struct links *l, const bool *dead)
{
    l->dead = dead;
}

void links_set_manner(struct links *l, struct link_manner manner)
{
    l->manner = manner;
}

struct links *links_new(struct server *server, uint64_t seed)
{
    struct links *l = calloc(1, sizeof(*l));
    if (l == NULL)
        abort();
    l->server = server;
    l->random.state = seed;
    l->network = (struct network){
        .context = l,
        .resolve = resolve,
        .connect = connect_to,
        .connected = connected,
        .listen = no_listener,
        .accept = no_accept,
        .read = read_from,
        .write = write_to,
        .finish = finish,
        .close = close_it,
        .waker = no_waker,
        .wake = no_wake,
        .calm = no_wake,
        .wait = wait_for,
    };
    return l;
}

void links_free(struct links *l)
{
    for (int i = 0; i < LINKS_MAX; i++) {
        sim_pipe_free(&l->list[i].to_server);
        sim_pipe_free(&l->list[i].to_client);
    }
    free(l);
}

const struct network *links_network(struct links *l)
{
    return &l->network;
}
