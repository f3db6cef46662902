/* SPDX-License-Identifier: MIT */
#include "bucket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../bucket/service.h"
#include "base/clock.h"
#include "random.h"

/* Late requests come within this: a server takes no signature that is older than 15 minutes. */
#define LATE_MAX (20 * CLOCK_SECOND)
#define REQUEST_MAX (20 * CLOCK_MILLISECOND)

enum {
    TURNS = 100,
    STORE_ADDRESS = 2
}; /* permille of requests; the length that tells the address of the store */

struct late {
    struct bucket_request request;
    int64_t at;
};

struct sim_bucket {
    struct network network;
    struct bucket_service service;
    const struct network *beside;
    struct disk *disk;
    struct sim_random random;
    struct bucket_manner manner;
    struct disk_process *process;
    int64_t *now;
    int64_t wall;
    ARRAY(struct late) late;
    disk_rival *rival;
    void *rival_context;
    bucket_turn *turn;
    void *turn_context;
};

static bool get(void *context, const char *key, struct buf *body, int64_t *modified)
{
    struct sim_bucket *b = context;
    struct buf path = {0};
    buf_printf(&path, "/%s", key);
    bool found = disk_read(b->disk, buf_text(&path), false, body);
    *modified = found ? disk_modified(b->disk, buf_text(&path)) : 0;
    buf_free(&path);
    return found;
}

static void put(void *context, const char *key, struct slice body)
{
    struct sim_bucket *b = context;
    struct buf path = {0};
    buf_printf(&path, "/%s", key);
    disk_put(b->disk, buf_text(&path), body);
    buf_free(&path);
}

static void remove_object(void *context, const char *key)
{
    struct sim_bucket *b = context;
    struct buf path = {0};
    buf_printf(&path, "/%s", key);
    disk_remove_tree(b->disk, buf_text(&path));
    buf_free(&path);
}

struct listed {
    char *path;
    uint64_t size;
};

struct walk {
    ARRAY(struct listed);
};

static void note(void *context, const char *path, uint64_t size)
{
    struct walk *w = context;
    *array_add(w) = (struct listed){strdup(path), size};
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->path, ((const struct listed *)b)->path);
}

static void walk(void *context, bucket_object_visit *visit, void *visitor)
{
    struct sim_bucket *b = context;
    struct walk w = {0};
    disk_walk(b->disk, "/store", note, &w);
    if (w.count > 0)
        qsort(w.list, w.count, sizeof(*w.list), by_path);
    for (size_t i = 0; i < w.count; i++) {
        visit(visitor, w.list[i].path + 1, w.list[i].size, disk_modified(b->disk, w.list[i].path));
        free(w.list[i].path);
    }
    array_free(&w);
}

/* No 403: a store that says no is for people, and varve waits for them. */
static enum bucket_fate choose_fate(struct sim_bucket *b)
{
    if (!sim_random_chance(&b->random, b->manner.faults))
        return BUCKET_FINE;
    return (enum bucket_fate)sim_random_between(&b->random, BUCKET_LOST, BUCKET_CONFLICT);
}

static enum bucket_fate fate_of_death(struct sim_bucket *b)
{
    return (enum bucket_fate)sim_random_between(&b->random, BUCKET_LOST, BUCKET_LATE);
}

static void let_others(struct sim_bucket *b, const struct bucket_request *r)
{
    struct disk_process *process = b->process;
    const char *name = strrchr(r->key, '/');
    if (b->turn != NULL && sim_random_chance(&b->random, TURNS))
        b->turn(b->turn_context);
    b->process = process;
    if (b->rival != NULL && r->if_absent && name != NULL && strcmp(r->method, "PUT") == 0)
        b->rival(b->rival_context, name + 1);
}

static void serve(void *context, struct bucket_connection *c, struct bucket_request *r)
{
    struct sim_bucket *b = context;
    struct disk_process *process = b->process;
    *b->now += sim_random_between(&b->random, CLOCK_MILLISECOND, REQUEST_MAX);
    let_others(b, r);
    sim_bucket_step(b);
    enum bucket_fate fate = choose_fate(b);
    if (process->dies_at > 0 && --process->dies_at == 0) {
        process->dead = true;
        fate = fate_of_death(b);
    }
    b->service.now = *b->now + b->wall;
    if (service_meet(&b->service, c, r, fate)) {
        int64_t at = *b->now + sim_random_between(&b->random, 0, LATE_MAX);
        *array_add(&b->late) = (struct late){*r, at};
        r->body = (struct buf){0};
    }
    if (process->dead)
        service_break(&b->service, process);
}

static void do_late(struct sim_bucket *b, size_t i)
{
    struct buf ignored = {0};
    struct late late = b->late.list[i];
    memmove(&b->late.list[i], &b->late.list[i + 1],
            (b->late.count - 1 - i) * sizeof(*b->late.list));
    b->late.count--;
    b->service.now = *b->now + b->wall;
    service_do(&b->service, &late.request, &ignored);
    buf_free(&late.request.body);
    buf_free(&ignored);
}

void sim_bucket_step(struct sim_bucket *b)
{
    for (size_t i = b->late.count; i-- > 0;)
        if (b->late.list[i].at <= *b->now)
            do_late(b, i);
}

int64_t sim_bucket_deadline(const struct sim_bucket *b)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < b->late.count; i++)
        next = b->late.list[i].at < next ? b->late.list[i].at : next;
    return next;
}

void sim_bucket_settle(struct sim_bucket *b)
{
    while (b->late.count > 0)
        do_late(b, b->late.count - 1);
}

static int resolve(void *context, const char *host, uint16_t port, struct net_addresses *out,
                   struct err *err)
{
    struct sim_bucket *b = context;
    int result = b->beside->resolve(b->beside->context, host, port, out, err);
    if (result == 1 && strstr(BUCKET_ENDPOINT, host) != NULL)
        out->list[0].len = STORE_ADDRESS;
    return result;
}

static int connect_to(void *context, const struct net_address *to, struct err *err)
{
    struct sim_bucket *b = context;
    if (to->len != STORE_ADDRESS)
        return b->beside->connect(b->beside->context, to, err);
    if (b->process->dead || sim_random_chance(&b->random, b->manner.away))
        return err_set_system(err, ECONNREFUSED, "connect");
    return service_connect(&b->service, b->process, err);
}

static bool is_ours(int handle)
{
    return handle >= BUCKET_FIRST_HANDLE;
}

static enum net_io connected(void *context, int handle, struct err *err)
{
    struct sim_bucket *b = context;
    return is_ours(handle) ? NET_IO_DONE : b->beside->connected(b->beside->context, handle, err);
}

static enum net_io read_from(void *context, int handle, void *data, size_t len, size_t *done,
                             struct err *err)
{
    struct sim_bucket *b = context;
    return is_ours(handle) ? service_read(&b->service, handle, data, len, done, err)
                           : b->beside->read(b->beside->context, handle, data, len, done, err);
}

static enum net_io write_to(void *context, int handle, const void *data, size_t len, size_t *done,
                            struct err *err)
{
    struct sim_bucket *b = context;
    return is_ours(handle) ? service_write(&b->service, handle, data, len, done, err)
                           : b->beside->write(b->beside->context, handle, data, len, done, err);
}

static void close_it(void *context, int handle)
{
    struct sim_bucket *b = context;
    if (is_ours(handle))
        service_close(&b->service, handle);
    else
        b->beside->close(b->beside->context, handle);
}

static void finish(void *context, int handle)
{
    (void)context;
    (void)handle;
}

static int no_waker(void *context, struct err *err)
{
    (void)context;
    (void)err;
    return 1; /* nobody is asleep */
}

/* The world asks what is ready; who talks to the store waits until something is. */
static void wait_for(void *context, struct net_wait *list, size_t count, int64_t until)
{
    struct sim_bucket *b = context;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (is_ours(list[i].handle))
            list[i].ready = service_ready(&b->service, list[i].handle) & list[i].want;
        else
            b->beside->wait(b->beside->context, &list[i], 1, *b->now);
        any = any || list[i].ready != 0;
    }
    if (!any && until != INT64_MAX && until > *b->now)
        *b->now = until;
}

struct sim_bucket *sim_bucket_new(struct disk *disk, const struct network *beside, int64_t *now,
                                  int64_t wall, uint64_t seed)
{
    struct sim_bucket *b = calloc(1, sizeof(*b));
    if (b == NULL)
        abort();
    b->disk = disk;
    b->beside = beside;
    b->now = now;
    b->wall = wall;
    b->random.state = seed;
    b->service.objects = (struct bucket_objects){b, get, put, remove_object, walk};
    b->service.serve = serve;
    b->service.context = b;
    b->network = (struct network){
        .context = b,
        .resolve = resolve,
        .connect = connect_to,
        .connected = connected,
        .read = read_from,
        .write = write_to,
        .finish = finish,
        .close = close_it,
        .waker = no_waker,
        .wake = finish,
        .calm = finish,
        .wait = wait_for,
    };
    return b;
}

void sim_bucket_free(struct sim_bucket *b)
{
    if (b == NULL)
        return;
    sim_bucket_settle(b);
    array_free(&b->late);
    service_free(&b->service);
    free(b);
}

const struct network *sim_bucket_network(struct sim_bucket *b)
{
    return &b->network;
}

void sim_bucket_set_manner(struct sim_bucket *b, struct bucket_manner manner)
{
    b->manner = manner;
}

void sim_bucket_switch(struct sim_bucket *b, struct disk_process *process)
{
    b->process = process;
}

void sim_bucket_break_all(struct sim_bucket *b, const struct disk_process *process)
{
    service_break(&b->service, process);
}

void sim_bucket_set_rival(struct sim_bucket *b, disk_rival *rival, void *context)
{
    b->rival = rival;
    b->rival_context = context;
}

void sim_bucket_set_turn(struct sim_bucket *b, bucket_turn *turn, void *context)
{
    b->turn = turn;
    b->turn_context = context;
}

void sim_bucket_wait(struct sim_bucket *b, int64_t time)
{
    b->wall += time;
}

uint64_t sim_bucket_uploads(const struct sim_bucket *b)
{
    return b->service.uploads.count;
}
