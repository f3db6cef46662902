/* SPDX-License-Identifier: MIT */
#include "verify/positions.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"
#include "delta/log.h"
#include "delta/position.h"
#include "object/posix.h"

/* Of each instance, what its newest entry so far says. */
struct instances {
    struct map names;
    ARRAY(struct positions);
};

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

static void note_dead_letters(struct claims *c, const struct json *list)
{
    bool is_list = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *item = is_list ? list->first : NULL; item != NULL; item = item->next) {
        struct slice stream, created, sequences;
        struct seqset set = {0};
        if (json_get_text(item, "stream", &stream) && json_get_text(item, "created", &created) &&
            json_get_text(item, "sequences", &sequences) && seqset_parse_text(&set, sequences))
            seqset_add_all(&claim_of(c, stream, created)->dead_letters, &set);
        seqset_free(&set);
    }
}

static void note_head(struct claims *c, struct instances *instances, struct slice line)
{
    struct arena arena = {0};
    struct err err = {0};
    struct slice name;
    struct positions positions;
    const struct json *root = json_parse(&arena, line, &err);
    const struct json *varve = json_member(json_member(root, "commitInfo"), "varve");
    note_dead_letters(c, json_member(varve, "deadLetters"));
    if (json_get_text(varve, "instance", &name) &&
        delta_positions_parse(&positions, json_member(varve, "positions"), &err) == 0) {
        bool added;
        uint32_t number = map_put(&instances->names, name, &added);
        if (added)
            (void)array_add(instances);
        else
            positions_free(&instances->list[number]);
        instances->list[number] = positions;
    }
    arena_free(&arena);
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

static void read_heads(struct claims *c, struct instances *instances, struct object_store *objects)
{
    struct delta_listing log = {0};
    struct buf line = {0};
    struct err err = {0};
    if (delta_log_list(objects, 0, &log, &err) != 0)
        return;
    for (size_t i = 0; i < log.entries.count; i++) {
        struct err entry_err = {0};
        bool found;
        if (delta_entry_first_line(objects, log.entries.list[i], &line, &found, &entry_err) == 0)
            note_head(c, instances, buf_slice(&line));
    }
    delta_listing_free(&log);
    buf_free(&line);
}

void claims_read(struct claims *c, const char *root)
{
    struct instances instances = {0};
    struct err err = {0};
    struct object_posix_config config = {.root = root, .entries = DELTA_LOG_FOLDER};
    struct object_store *objects = object_posix_open(&config, &err);
    if (objects == NULL)
        return;
    read_heads(c, &instances, objects);
    object_store_close(objects);
    for (uint32_t i = 0; i < instances.names.count; i++) {
        const struct positions *all = &instances.list[i];
        for (size_t j = 0; j < all->count; j++)
            note_position(c, all, &all->list[j]);
        positions_free(&instances.list[i]);
    }
    array_free(&instances);
    map_free(&instances.names);
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
        seqset_free(&c->list[i].dead_letters);
        free(c->list[i].consumer);
    }
    array_free(c);
    map_free(&c->generations);
}
