/* SPDX-License-Identifier: MIT */
#include "follow/ahead.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/queue.h"

struct parcel {
    struct queue_item item; /* the first member */
    ARRAY(struct follow_row) rows;
    struct arena arena; /* of their values */
    size_t at;          /* rows that were taken */
    int more;           /* 1; else how it ended behind these rows, with `err` where it is -1 */
    struct err err;
};

struct follow_ahead {
    struct follow_reader *reader;
    uint32_t columns;
    bool (*wanted)(const void *context, const struct slice *values);
    const void *context;
    struct parcel parcels[FOLLOW_AHEAD_PARCELS];
    struct queue empty, full;
    struct parcel *now; /* whose rows are being taken */
    _Atomic bool stopped;
    bool threaded;
    pthread_t thread;
};

static void pack_row(const struct follow_ahead *a, struct parcel *p, const struct follow_row *row)
{
    struct slice *values = arena_alloc(&p->arena, a->columns * sizeof(*values));
    size_t len = 0;
    for (uint32_t i = 0; i < a->columns; i++)
        len += row->values[i].len;
    uint8_t *to = arena_alloc(&p->arena, len + 1); /* an empty value is not a null */
    for (uint32_t i = 0; i < a->columns; i++) {
        values[i] = row->values[i];
        if (values[i].data == NULL)
            continue;
        if (values[i].len > 0)
            memcpy(to, values[i].data, values[i].len);
        values[i].data = to;
        to += values[i].len;
    }
    *array_add(&p->rows) = (struct follow_row){.sequence = row->sequence, .values = values};
}

static void fill(struct follow_ahead *a, struct parcel *p)
{
    struct follow_row row;
    p->rows.count = p->at = 0;
    p->more = 1;
    err_clear(&p->err);
    arena_reset(&p->arena);
    while (p->rows.count < FOLLOW_AHEAD_ROWS && p->arena.used < FOLLOW_AHEAD_BYTES) {
        if (atomic_load_explicit(&a->stopped, memory_order_relaxed))
            return;
        p->more = follow_reader_next(a->reader, &row, &p->err);
        if (p->more != 1)
            return;
        if (a->wanted(a->context, row.values))
            pack_row(a, p, &row);
    }
}

static void *run(void *argument)
{
    struct follow_ahead *a = argument;
    struct queue_item *item;
    int more = 1;
    while (more == 1 && (item = queue_take(&a->empty)) != NULL) {
        struct parcel *p = (struct parcel *)item;
        fill(a, p);
        more = p->more;
        queue_push(&a->full, item);
    }
    return NULL;
}

struct follow_ahead *follow_ahead_new(struct follow_reader *reader, uint32_t columns,
                                      bool (*wanted)(const void *context,
                                                     const struct slice *values),
                                      const void *context)
{
    struct follow_ahead *a = account_alloc(NULL, 1, sizeof(*a));
    ASSERT(columns > 0 && columns <= FOLLOW_COLUMNS_MAX);
    *a = (struct follow_ahead){
        .reader = reader, .columns = columns, .wanted = wanted, .context = context};
    queue_init(&a->empty);
    queue_init(&a->full);
    for (int i = 0; i < FOLLOW_AHEAD_PARCELS; i++)
        queue_push(&a->empty, &a->parcels[i].item);
    a->threaded = pthread_create(&a->thread, NULL, run, a) == 0;
    return a;
}

/* The next parcel of rows. */
static struct parcel *take_parcel(struct follow_ahead *a)
{
    if (a->now != NULL)
        queue_push(&a->empty, &a->now->item);
    if (!a->threaded) {
        a->now = (struct parcel *)queue_take(&a->empty);
        fill(a, a->now);
        return a->now;
    }
    a->now = (struct parcel *)queue_take(&a->full);
    return a->now;
}

int follow_ahead_next(struct follow_ahead *a, struct follow_row *row, struct err *err)
{
    struct parcel *p = a->now;
    while (p == NULL || p->at == p->rows.count) {
        if (p != NULL && p->more != 1) {
            if (p->more < 0)
                *err = p->err;
            return p->more;
        }
        p = take_parcel(a);
    }
    *row = p->rows.list[p->at++];
    return 1;
}

static void empty_queue(struct queue *q)
{
    while (queue_poll(q) != NULL)
        continue;
    queue_free(q);
}

void follow_ahead_free(struct follow_ahead *a)
{
    if (a == NULL)
        return;
    atomic_store_explicit(&a->stopped, true, memory_order_relaxed);
    queue_close(&a->empty);
    if (a->threaded)
        ASSERT(pthread_join(a->thread, NULL) == 0);
    empty_queue(&a->empty);
    empty_queue(&a->full);
    for (int i = 0; i < FOLLOW_AHEAD_PARCELS; i++) {
        array_free(&a->parcels[i].rows);
        arena_free(&a->parcels[i].arena);
    }
    account_free(NULL, a, sizeof(*a));
}
