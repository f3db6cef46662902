/* SPDX-License-Identifier: MIT */
#include "quality/state.h"

#include "base/varint.h"

/* One walk over all there is, which writes it or reads it: so the two can't differ. */
struct walk {
    struct buf *out; /* NULL: it reads */
    struct slice in;
    size_t at;
    bool bad; /* what was read is nothing that was written; zeros are read from there on */
};

static void number(struct walk *w, uint64_t *value)
{
    if (w->out != NULL) {
        varint_append(w->out, *value);
    } else if (w->bad || !varint_read(w->in, &w->at, value)) {
        w->bad = true;
        *value = 0;
    }
}

static void integer(struct walk *w, int64_t *value)
{
    uint64_t bits = (uint64_t)*value;
    number(w, &bits);
    *value = (int64_t)bits;
}

/* At most `max`. */
static uint32_t small(struct walk *w, uint64_t value, uint64_t max)
{
    number(w, &value);
    w->bad = w->bad || value > max;
    return w->bad ? 0 : (uint32_t)value;
}

static struct slice name(struct walk *w, struct slice value, size_t max)
{
    size_t len = small(w, value.len, max);
    if (w->out != NULL) {
        buf_append_slice(w->out, value);
        return value;
    }
    if (len > w->in.len - w->at) {
        w->bad = true;
        len = 0;
    }
    value = (struct slice){w->in.data + w->at, len};
    w->at += len;
    return value;
}

/* Distinct names in their order. */
static void names(struct walk *w, struct map *m, uint32_t max, size_t name_max)
{
    uint32_t count = small(w, m->count, max);
    for (uint32_t i = 0; i < count && !w->bad; i++) {
        bool added = true;
        struct slice key = name(w, w->out != NULL ? map_key(m, i) : (struct slice){0}, name_max);
        if (w->out == NULL && !w->bad)
            (void)map_put(m, key, &added);
        w->bad = w->bad || !added;
    }
}

static void sketch(struct walk *w, struct sketch *s)
{
    uint32_t count = small(w, s->blocks.count, SKETCH_BLOCKS_MAX);
    int64_t before = INT64_MIN;
    uint64_t values = 0;
    integer(w, &s->min);
    integer(w, &s->max);
    number(w, &s->count);
    for (uint32_t i = 0; i < count && !w->bad; i++) {
        if (w->out == NULL)
            *array_add(&s->blocks) = (struct sketch_block){0};
        struct sketch_block *block = &s->blocks.list[i];
        uint32_t place =
            small(w, (uint64_t)block->number + SKETCH_BLOCKS_MAX / 2, SKETCH_BLOCKS_MAX - 1);
        block->number = (int32_t)place - SKETCH_BLOCKS_MAX / 2;
        for (int j = 0; j < SKETCH_BUCKETS; j++) {
            number(w, &block->counts[j]);
            values += block->counts[j];
        }
        w->bad = w->bad || block->number <= before;
        before = block->number;
    }
    w->bad = w->bad || values != s->count;
}

static void group(struct walk *w, struct quality *q, struct quality_group *g)
{
    g->simulation = small(w, g->simulation, (uint64_t)q->simulations.count - 1);
    g->type = small(w, g->type, (uint64_t)q->type_map.count - 1);
    if (w->bad)
        return;
    if (w->out == NULL && !quality_add_group(q, g->simulation, g->type)) {
        w->bad = true;
        return;
    }
    g = w->out == NULL ? &q->groups.list[q->groups.count - 1] : g;
    number(w, &g->rows);
    number(w, &g->bytes);
    integer(w, &g->first_time);
    integer(w, &g->last_time);
    g->has_time = small(w, g->has_time, 1) == 1;
    integer(w, &g->first_stored);
    integer(w, &g->last_stored);
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        number(w, &g->empty[i]);
    integer(w, &g->backwards_max);
    integer(w, &g->silence_max);
    integer(w, &g->silence_end);
    sketch(w, &g->skew);
    sketch(w, &g->size);
    for (int i = 0; i < QUALITY_FINDINGS; i++) {
        number(w, &g->findings[i].rows);
        number(w, &g->findings[i].first);
    }
    g->last = small(w, g->last, q->lasts.count);
}

static void groups(struct walk *w, struct quality *q)
{
    uint32_t count = small(w, q->groups.count, QUALITY_GROUPS_MAX + 1);
    w->bad = w->bad || (count > 0 && (q->simulations.count == 0 || q->type_map.count == 0));
    for (uint32_t i = 0; i < count && !w->bad; i++) {
        struct quality_group none = {0};
        group(w, q, w->out != NULL ? &q->groups.list[i] : &none);
    }
}

static void lasts(struct walk *w, struct quality *q)
{
    uint32_t count = small(w, q->lasts.count, QUALITY_LASTS_MAX);
    for (uint32_t i = 0; i < count && !w->bad; i++) {
        if (w->out == NULL)
            *array_add(&q->lasts) = (struct quality_last){0};
        struct quality_last *last = &q->lasts.list[i];
        last->stream = small(w, last->stream, QUALITY_STREAMS_MAX);
        last->other = small(w, last->other, i); /* one before it: there is no circle */
        integer(w, &last->at);
    }
}

/* Their keys begin with the number of the simulation. */
static void workers(struct walk *w, struct quality *q)
{
    names(w, &q->worker_map, QUALITY_WORKERS_MAX, QUALITY_NAME_MAX + sizeof(uint32_t));
    for (uint32_t i = 0; i < q->worker_map.count && !w->bad; i++) {
        if (w->out == NULL)
            *array_add(&q->workers) = 0;
        q->workers.list[i] = small(w, q->workers.list[i], q->lasts.count);
        if (w->out == NULL)
            w->bad = w->bad || !quality_count_worker(q, i);
    }
}

static void walk(struct walk *w, struct quality *q)
{
    number(w, &q->seed);
    number(w, &q->rows);
    q->rules = small(w, q->rules, UINT32_MAX);
    integer(w, &q->rules_changed);
    names(w, &q->streams, QUALITY_STREAMS_MAX + 1, QUALITY_NAME_MAX);
    names(w, &q->simulations, QUALITY_SIMULATIONS_MAX + 1, QUALITY_NAME_MAX);
    for (uint32_t i = 0; i < q->simulations.count && w->out == NULL && !w->bad; i++)
        *array_add(&q->simulation_list) = (struct quality_simulation){0};
    names(w, &q->type_map, QUALITY_GROUPS_MAX + 1, QUALITY_NAME_MAX);
    names(w, &q->contents, QUALITY_CONTENTS_MAX + 1, QUALITY_NAME_MAX);
    for (uint32_t i = 0; i < q->contents.count && w->out == NULL && !w->bad; i++)
        quality_add_content(q, map_key(&q->contents, i));
    lasts(w, q);
    groups(w, q);
    workers(w, q);
}

void quality_put_state(struct quality *q, struct buf *out)
{
    struct walk w = {.out = out};
    walk(&w, q);
}

int quality_get_state(struct quality *q, struct slice bytes, size_t *at, struct err *err)
{
    struct walk w = {.in = bytes, .at = *at};
    walk(&w, q);
    *at = w.at;
    return w.bad ? err_set(err, ERR_FORMAT, "it is no saved state") : 0;
}
