/* SPDX-License-Identifier: MIT */
#include "bucket_model.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/time.h"
#include "net/network.h"
#include "object/open.h"
#include "test.h"

#define REQUEST_TIME CLOCK_MILLISECOND

struct object {
    char *key;
    struct buf body;
    int64_t modified;
};

struct bucket_model {
    struct network network;
    struct clock clock;
    struct bucket_service service;
    ARRAY(struct object) objects; /* by key */
    int64_t ahead;                /* of the time, the clock of the process at hand */
    uint64_t requests, connects;
    uint64_t fate_at, kill_at, turn_at; /* 0: never */
    enum bucket_fate fate, kill;
    bucket_turn *turn;
    void *turn_context;
    bool dead, inside; /* somebody else's turn */
    struct bucket_request late;
    uint64_t delay;   /* requests that overtake it */
    uint64_t late_in; /* requests from now; 0: there is none */
};

static struct object *find(struct bucket_model *m, const char *key, size_t *at)
{
    for (*at = 0; *at < m->objects.count; ++*at) {
        int order = strcmp(m->objects.list[*at].key, key);
        if (order == 0)
            return &m->objects.list[*at];
        if (order > 0)
            break;
    }
    return NULL;
}

static bool get_object(void *context, const char *key, struct buf *body, int64_t *modified)
{
    size_t at;
    const struct object *o = find(context, key, &at);
    if (o == NULL)
        return false;
    buf_append_slice(body, buf_slice(&o->body));
    *modified = o->modified;
    return true;
}

static void put_object(void *context, const char *key, struct slice body)
{
    struct bucket_model *m = context;
    size_t at;
    struct object *o = find(m, key, &at);
    if (o == NULL) {
        (void)array_add(&m->objects);
        o = &m->objects.list[at];
        memmove(o + 1, o, (m->objects.count - 1 - at) * sizeof(*o));
        *o = (struct object){.key = strdup(key)};
    }
    buf_reset(&o->body);
    buf_append_slice(&o->body, body);
    o->modified = m->service.now;
}

static void remove_object(void *context, const char *key)
{
    struct bucket_model *m = context;
    size_t at;
    struct object *o = find(m, key, &at);
    if (o == NULL)
        return;
    free(o->key);
    buf_free(&o->body);
    memmove(o, o + 1, (m->objects.count - 1 - at) * sizeof(*o));
    m->objects.count--;
}

static void walk_objects(void *context, bucket_object_visit *visit, void *visitor)
{
    const struct bucket_model *m = context;
    for (size_t i = 0; i < m->objects.count; i++) {
        const struct object *o = &m->objects.list[i];
        visit(visitor, o->key, o->body.len, o->modified);
    }
}

static void keep_late(struct bucket_model *m, struct bucket_request *r)
{
    struct buf body = m->late.body;
    m->late = *r;
    r->body = body;
    m->late_in = m->delay + 1;
}

static void apply_late(struct bucket_model *m)
{
    struct buf ignored = {0};
    if (m->late_in == 0 || --m->late_in > 0)
        return;
    service_do(&m->service, &m->late, &ignored);
    buf_free(&ignored);
}

static void serve(void *context, struct bucket_connection *c, struct bucket_request *r)
{
    struct bucket_model *m = context;
    enum bucket_fate fate = BUCKET_FINE;
    m->service.now += REQUEST_TIME;
    if (!m->inside) {
        m->requests++;
        if (m->requests == m->turn_at) {
            m->inside = true;
            m->turn(m->turn_context);
            m->inside = false;
        }
        apply_late(m);
        if (m->requests == m->fate_at)
            fate = m->fate;
        m->dead = m->requests == m->kill_at;
        if (m->dead)
            fate = m->kill;
    }
    if (service_meet(&m->service, c, r, fate))
        keep_late(m, r);
    if (m->dead)
        service_break(&m->service, NULL);
}

static int resolve(void *context, const char *host, uint16_t port, struct net_addresses *out,
                   struct err *err)
{
    (void)context, (void)host, (void)port, (void)err;
    out->count = 1;
    return 1;
}

static int connect_to(void *context, const struct net_address *to, struct err *err)
{
    struct bucket_model *m = context;
    (void)to;
    if (m->dead && !m->inside)
        return err_set_system(err, ECONNREFUSED, "connect");
    m->connects++;
    return service_connect(&m->service, NULL, err);
}

static enum net_io connected(void *context, int handle, struct err *err)
{
    (void)context, (void)handle, (void)err;
    return NET_IO_DONE;
}

static enum net_io read_from(void *context, int handle, void *data, size_t len, size_t *done,
                             struct err *err)
{
    struct bucket_model *m = context;
    return service_read(&m->service, handle, data, len, done, err);
}

static enum net_io write_to(void *context, int handle, const void *data, size_t len, size_t *done,
                            struct err *err)
{
    struct bucket_model *m = context;
    return service_write(&m->service, handle, data, len, done, err);
}

static void finish(void *context, int handle)
{
    (void)context, (void)handle;
}

static void close_it(void *context, int handle)
{
    struct bucket_model *m = context;
    if (handle >= BUCKET_FIRST_HANDLE)
        service_close(&m->service, handle);
}

static void wait_for(void *context, struct net_wait *list, size_t count, int64_t until)
{
    struct bucket_model *m = context;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        list[i].ready = 0;
        if (list[i].handle < BUCKET_FIRST_HANDLE)
            continue;
        list[i].ready = service_ready(&m->service, list[i].handle) & list[i].want;
        any = any || list[i].ready != 0;
    }
    if (!any)
        bucket_model_wait(m, until);
}

void bucket_model_wait(struct bucket_model *m, int64_t until)
{
    EXPECT(until != INT64_MAX);
    m->service.now = until > m->service.now ? until : m->service.now;
}

static int64_t time_now(void *context)
{
    return ((const struct bucket_model *)context)->service.now;
}

static int64_t wall_now(void *context)
{
    const struct bucket_model *m = context;
    return m->service.now + m->ahead;
}

uint64_t bucket_model_connects(const struct bucket_model *m)
{
    return m->connects;
}

void bucket_model_set_clock(struct bucket_model *m, int64_t ahead)
{
    m->ahead = ahead;
}

struct bucket_model *bucket_model_new(void)
{
    struct bucket_model *m = calloc(1, sizeof(*m));
    EXPECT(m != NULL);
    m->delay = 2;
    m->service.objects =
        (struct bucket_objects){m, get_object, put_object, remove_object, walk_objects};
    m->service.serve = serve;
    m->service.context = m;
    EXPECT(time_parse(slice_of("2026-11-27T12:00:00Z"), &m->service.now));
    m->clock = (struct clock){time_now, wall_now, m};
    m->network = (struct network){.context = m,
                                  .resolve = resolve,
                                  .connect = connect_to,
                                  .connected = connected,
                                  .read = read_from,
                                  .write = write_to,
                                  .finish = finish,
                                  .close = close_it,
                                  .wait = wait_for};
    clock_replace(&m->clock);
    network_replace(&m->network);
    service_reach(0);
    return m;
}

void bucket_model_free(struct bucket_model *m)
{
    while (m->objects.count > 0)
        remove_object(m, m->objects.list[0].key);
    array_free(&m->objects);
    service_free(&m->service);
    buf_free(&m->late.body);
    clock_replace(NULL);
    network_replace(NULL);
    free(m);
}

uint64_t bucket_model_requests(const struct bucket_model *m)
{
    return m->requests;
}

void bucket_model_start(struct bucket_model *m)
{
    m->requests = m->fate_at = m->kill_at = m->turn_at = 0;
    m->dead = false;
}

void bucket_model_set_fate(struct bucket_model *m, uint64_t at, enum bucket_fate fate)
{
    m->fate_at = at;
    m->fate = fate;
}

void bucket_model_kill(struct bucket_model *m, uint64_t at, enum bucket_fate fate)
{
    m->kill_at = at;
    m->kill = fate;
}

void bucket_model_delay(struct bucket_model *m, uint64_t requests)
{
    m->delay = requests;
}

bool bucket_model_is_dead(const struct bucket_model *m)
{
    return m->dead;
}

void bucket_model_interpose(struct bucket_model *m, uint64_t at, bucket_turn *turn, void *context)
{
    m->turn_at = at;
    m->turn = turn;
    m->turn_context = context;
}

void bucket_model_walk(struct bucket_model *m, bucket_model_visit *visit, void *context)
{
    static const char prefix[] = "table/";
    for (size_t i = 0; i < m->objects.count; i++) {
        const struct object *o = &m->objects.list[i];
        EXPECT(strncmp(o->key, prefix, strlen(prefix)) == 0);
        visit(context, o->key + strlen(prefix), buf_slice(&o->body));
    }
}

uint64_t bucket_model_uploads(const struct bucket_model *m)
{
    return m->service.uploads.count;
}
