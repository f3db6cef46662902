/* SPDX-License-Identifier: MIT */
#include "verify/positions.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "delta/durable.h"

static const char created_mark[] = " created ";

void claims_key(struct buf *out, struct slice stream, struct slice created)
{
    buf_append_slice(out, stream);
    buf_append_text(out, created_mark);
    buf_append_slice(out, created);
}

void claims_key_split(struct slice key, struct slice *stream, struct slice *created)
{
    const uint8_t *mark = memmem(key.data, key.len, created_mark, strlen(created_mark));
    ASSERT(mark != NULL);
    const uint8_t *rest = mark + strlen(created_mark);
    *stream = (struct slice){key.data, (size_t)(mark - key.data)};
    *created = (struct slice){rest, (size_t)(key.data + key.len - rest)};
}

static struct claim *claim_of(struct claims *c, struct slice stream, struct slice created)
{
    struct buf key = {0};
    bool added;
    claims_key(&key, stream, created);
    uint32_t number = map_put(&c->generations, buf_slice(&key), &added);
    buf_free(&key);
    if (added)
        *array_add(c) = (struct claim){0};
    return &c->list[number];
}

static void note_position(struct claims *c, const struct positions *all, const struct position *p)
{
    struct claim *claim = claim_of(c, slice_of(p->stream), slice_of(p->created));
    if (p->through > 0)
        seqset_add_range(&claim->settled, 1, p->through);
    seqset_add_all(&claim->settled, &p->above);
    if (p->start > 0 && (claim->start == 0 || p->start < claim->start))
        claim->start = p->start;
    if (claim->consumer == NULL)
        claim->consumer = text_copy(p->consumer);
    if (positions_newest(all, p->stream, p->consumer) == p)
        claim->newest = true;
}

static void note_instance(struct claims *c, const struct verify_table *t, const char *instance)
{
    struct positions all = {0};
    struct err err = {0}; /* what can't be read says nothing; the table's own reading reports it */
    bool complete, saved, forgotten;
    if (delta_durable_read(&all, &t->snapshot, t->store, instance, &complete, &saved, &forgotten,
                           NULL, &err) == 0)
        for (size_t i = 0; i < all.count; i++)
            note_position(c, &all, &all.list[i]);
    positions_free(&all);
}

/* Instances of which nothing but a transaction is left. */
static void note_apps(struct claims *c, const struct verify_table *t, struct map *names)
{
    for (uint32_t i = 0; i < t->snapshot.app_ids.count; i++) {
        struct slice id = map_key(&t->snapshot.app_ids, i);
        struct buf name = {0};
        bool added = false;
        const uint8_t *end = NULL;
        if (slice_starts_with(id, "varve:"))
            end = memchr(id.data + strlen("varve:"), ':', id.len - strlen("varve:"));
        if (end != NULL &&
            delta_path_decode(&name, (struct slice){id.data + strlen("varve:"),
                                                    (size_t)(end - id.data) - strlen("varve:")}))
            (void)map_put(names, buf_slice(&name), &added);
        if (added)
            note_instance(c, t, buf_text(&name));
        buf_free(&name);
    }
}

void claims_note_expired(struct claims *c, const struct verify_table *t)
{
    for (size_t i = 0; i < t->snapshot.generation_list.count; i++) {
        const struct delta_generation *g = &t->snapshot.generation_list.list[i];
        if (g->expired.count > 0)
            seqset_add_all(&claim_of(c, slice_of(g->stream), slice_of(g->created))->expired,
                           &g->expired);
    }
}

void claims_read(struct claims *c, const struct verify_table *t)
{
    struct map names = {0};
    bool added = false;
    if (t->store == NULL)
        return;
    for (size_t i = 0; i < t->snapshot.generation_list.count; i++) {
        const struct delta_generation *g = &t->snapshot.generation_list.list[i];
        struct claim *claim = claim_of(c, slice_of(g->stream), slice_of(g->created));
        seqset_add_all(&claim->rows, &g->rows);
        seqset_add_all(&claim->dead_letters, &g->dead_letters);
    }
    claims_note_expired(c, t);
    for (size_t i = 0; i < t->snapshot.instances.count; i++) {
        (void)map_put(&names, slice_of(t->snapshot.instances.list[i].name), &added);
        note_instance(c, t, t->snapshot.instances.list[i].name);
    }
    note_apps(c, t, &names);
    map_free(&names);
}

const struct claim *claims_find(const struct claims *c, struct slice key)
{
    int64_t number = map_find(&c->generations, key);
    return number < 0 ? NULL : &c->list[number];
}

void claims_free(struct claims *c)
{
    for (uint32_t i = 0; i < c->generations.count; i++) {
        seqset_free(&c->list[i].settled);
        seqset_free(&c->list[i].rows);
        seqset_free(&c->list[i].expired);
        seqset_free(&c->list[i].dead_letters);
        free(c->list[i].consumer);
    }
    array_free(c);
    map_free(&c->generations);
}
