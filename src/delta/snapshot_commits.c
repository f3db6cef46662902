/* SPDX-License-Identifier: MIT */
#include "delta/snapshot_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "delta/position.h"

static void generation_key(struct buf *out, struct slice stream, struct slice created)
{
    /* No name of a stream has blanks. */
    buf_append_slice(out, stream);
    buf_append_text(out, " created ");
    buf_append_slice(out, created);
}

static struct delta_generation *generation_of(struct delta_snapshot *s, struct slice stream,
                                              struct slice created)
{
    struct buf key = {0};
    bool added = false;
    generation_key(&key, stream, created);
    uint32_t number = map_put(&s->generations, buf_slice(&key), &added);
    buf_free(&key);
    if (added)
        *array_add(&s->generation_list) = (struct delta_generation){
            .stream = text_copy_slice(stream), .created = text_copy_slice(created)};
    return &s->generation_list.list[number];
}

static void gather_rows(struct delta_generation *g, const struct seqset *rows)
{
    seqjoin_add_all(&g->late_rows, &g->rows, rows);
}

static void gather_dead_letters(struct delta_generation *g, const struct seqset *dead_letters)
{
    seqjoin_add_all(&g->late_dead_letters, &g->dead_letters, dead_letters);
}

void delta_snapshot_complete(struct delta_snapshot *s)
{
    for (size_t i = 0; i < s->generation_list.count; i++) {
        struct delta_generation *g = &s->generation_list.list[i];
        seqjoin_finish(&g->late_rows, &g->rows);
        seqjoin_finish(&g->late_dead_letters, &g->dead_letters);
    }
    for (size_t i = 0; i < s->instances.count; i++)
        positions_complete(&s->instances.list[i].positions);
}

void delta_snapshot_add_rows(struct delta_snapshot *s, struct slice stream, struct slice created,
                             const struct seqset *rows)
{
    seqset_add_all(&generation_of(s, stream, created)->rows, rows);
}

void delta_snapshot_add_dead_letters(struct delta_snapshot *s, struct slice stream,
                                     struct slice created, const struct seqset *dead_letters)
{
    seqset_add_all(&generation_of(s, stream, created)->dead_letters, dead_letters);
}

void delta_snapshot_add_expired(struct delta_snapshot *s, struct slice stream, struct slice created,
                                const struct seqset *expired)
{
    struct delta_generation *g = generation_of(s, stream, created);
    seqset_add_all(&g->rows, expired);
    seqset_add_all(&g->expired, expired);
}

size_t delta_snapshot_ranges(const struct delta_snapshot *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->generation_list.count; i++)
        count += s->generation_list.list[i].rows.count;
    return count;
}

const struct delta_generation *delta_snapshot_generation(const struct delta_snapshot *s,
                                                         const char *stream, const char *created)
{
    struct buf key = {0};
    generation_key(&key, slice_of(stream), slice_of(created));
    int64_t number = map_find(&s->generations, buf_slice(&key));
    buf_free(&key);
    return number < 0 ? NULL : &s->generation_list.list[number];
}

uint32_t delta_snapshot_note_app(struct delta_snapshot *s, struct slice app_id)
{
    struct delta_app_name name;
    if (!delta_app_id_parse(&name, app_id))
        return 0;
    const struct delta_generation *g =
        generation_of(s, slice_of(name.stream), slice_of(name.created));
    delta_app_name_free(&name);
    return (uint32_t)(g - s->generation_list.list) + 1;
}

/* Texts are used as C strings. */
static bool has_nul(struct slice text)
{
    return text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
}

static bool get_generation(const struct json *object, struct slice *stream, struct slice *created)
{
    return json_get_text(object, "stream", stream) && json_get_text(object, "created", created) &&
           !has_nul(*stream) && !has_nul(*created);
}

static void note_rows(struct delta_snapshot *s, const struct json *list)
{
    for (const struct json *item = list->first; item != NULL; item = item->next) {
        struct slice stream, created, rows;
        struct seqset set = {0};
        if (get_generation(item, &stream, &created)) {
            struct delta_generation *g = generation_of(s, stream, created);
            if (json_get_text(item, "rows", &rows) && seqset_parse_text(&set, rows))
                gather_rows(g, &set);
        }
        seqset_free(&set);
    }
}

static void note_dead_letters(struct delta_snapshot *s, const struct json *list)
{
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        struct slice stream, created, sequences;
        struct seqset set = {0};
        if (get_generation(item, &stream, &created) &&
            json_get_text(item, "sequences", &sequences) && seqset_parse_text(&set, sequences))
            gather_dead_letters(generation_of(s, stream, created), &set);
        seqset_free(&set);
    }
}

void delta_snapshot_note_tags(struct delta_snapshot *s, const struct delta_map *tags)
{
    struct slice stream = delta_map_get(tags, "varve.stream");
    struct slice created = delta_map_get(tags, "varve.created");
    struct slice sequences = delta_map_get(tags, "varve.sequences");
    struct seqset set = {0};
    if (stream.data != NULL && created.data != NULL && sequences.data != NULL && !has_nul(stream) &&
        !has_nul(created) && seqset_parse_text(&set, sequences))
        gather_rows(generation_of(s, stream, created), &set);
    seqset_free(&set);
}

static void note_beside(struct delta_snapshot *s, const struct json *list)
{
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        struct slice path, hash, stream, created, sequences;
        struct delta_beside beside = {0};
        struct seqset set = {0};
        const struct json *tags = json_member(item, "tags");
        if (!json_get_text(item, "path", &path) || has_nul(path) ||
            !json_get_u64(item, "size", &beside.size) ||
            !json_get_u64(item, "numRecords", &beside.rows))
            continue;
        beside.path = text_copy_slice(path);
        if (json_get_text(tags, "varve.sha256", &hash) && !has_nul(hash))
            beside.sha256 = text_copy_slice(hash);
        *array_add(&s->beside) = beside;
        if (json_get_text(tags, "varve.stream", &stream) &&
            json_get_text(tags, "varve.created", &created) && !has_nul(stream) &&
            !has_nul(created) && json_get_text(tags, "varve.sequences", &sequences) &&
            seqset_parse_text(&set, sequences))
            gather_rows(generation_of(s, stream, created), &set);
        seqset_free(&set);
    }
}

static struct delta_instance *instance_of(struct delta_snapshot *s, struct slice name)
{
    bool added = false;
    uint32_t number = map_put(&s->names, name, &added);
    if (added)
        *array_add(&s->instances) = (struct delta_instance){.name = text_copy_slice(name)};
    return &s->instances.list[number];
}

const struct delta_instance *delta_snapshot_instance(const struct delta_snapshot *s,
                                                     const char *name)
{
    int64_t number = map_find(&s->names, slice_of(name));
    return number < 0 ? NULL : &s->instances.list[number];
}

void delta_snapshot_forget_commits(struct delta_snapshot *s)
{
    for (size_t i = 0; i < s->instances.count; i++) {
        free(s->instances.list[i].name);
        positions_free(&s->instances.list[i].positions);
    }
    for (size_t i = 0; i < s->generation_list.count; i++) {
        struct delta_generation *g = &s->generation_list.list[i];
        free(g->stream);
        free(g->created);
        seqset_free(&g->rows);
        seqset_free(&g->dead_letters);
        seqset_free(&g->expired);
        seqjoin_free(&g->late_rows);
        seqjoin_free(&g->late_dead_letters);
    }
    for (size_t i = 0; i < s->apps.count; i++)
        s->apps.list[i].generation = 0; /* the applications stay, and will be heard of again */
    array_free(&s->instances);
    array_free(&s->generation_list);
    map_free(&s->names);
    map_free(&s->generations);
}

int delta_snapshot_note_commit(struct delta_snapshot *s, const struct json *info, struct err *err)
{
    const struct json *varve = json_member(info, "varve");
    struct slice name;
    struct positions positions;
    bool anew = false;
    if (!json_get_text(varve, "instance", &name) || has_nul(name))
        return 0;
    if (json_get_bool(varve, "anew", &anew) && anew) {
        delta_snapshot_forget_commits(s);
        s->anew = true;
    }
    if (delta_positions_parse(&positions, json_member(varve, "positions"), err) != 0)
        return -1;
    struct delta_instance *instance = instance_of(s, name);
    instance->entries++;
    for (size_t i = 0; i < positions.count; i++)
        positions_gather(&instance->positions, &positions.list[i]);
    positions_free(&positions);
    note_rows(s, json_member(varve, "positions"));
    note_dead_letters(s, json_member(varve, "deadLetters"));
    note_beside(s, json_member(varve, "quarantine"));
    return 0;
}
