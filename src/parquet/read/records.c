/* SPDX-License-Identifier: MIT */
#include "parquet/read/records.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "parquet/read/cursor.h"

struct parquet_records {
    const struct parquet_file *file;
    struct parquet_codec *codec;
    const struct parquet_field **fields;
    uint32_t fields_count;
    struct parquet_value *flat;      /* by field: the value of one that is a plain leaf */
    struct parquet_cursor **cursors; /* by leaf; NULL where nobody wants it */
    uint32_t leaves;                 /* that are wanted */
    struct parquet_walk walk;
    struct arena arena; /* of the row */
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        out_of_memory(count * size);
    return memory;
}

struct parquet_records *parquet_records_new(const struct parquet_file *file,
                                            const struct parquet_field *const *fields,
                                            uint32_t count, struct parquet_codec *codec)
{
    struct parquet_records *r = allocate(1, sizeof(*r));
    r->file = file;
    r->walk = (struct parquet_walk){.file = file};
    r->codec = codec;
    r->fields_count = fields != NULL ? count : file->root->children;
    r->fields = allocate(r->fields_count, sizeof(struct parquet_field *));
    r->flat = allocate(r->fields_count, sizeof(*r->flat));
    r->cursors = allocate(file->leaves_count, sizeof(struct parquet_cursor *));
    const struct parquet_field *next = file->root->first;
    for (uint32_t i = 0; i < r->fields_count; i++) {
        const struct parquet_field *f = fields != NULL ? fields[i] : next;
        r->fields[i] = f;
        next = f->next;
        r->leaves += f->leaves;
        for (uint32_t leaf = f->leaf; leaf < f->leaf + f->leaves; leaf++) {
            if (r->leaves > PARQUET_RECORD_LEAVES_MAX)
                return r; /* told by the first call of parquet_records_next */
            r->cursors[leaf] = allocate(1, sizeof(struct parquet_cursor));
            r->cursors[leaf]->leaf = leaf;
        }
    }
    return r;
}

void parquet_records_free(struct parquet_records *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->file->leaves_count; i++) {
        if (r->cursors[i] != NULL)
            parquet_column_free(&r->cursors[i]->reader);
        free(r->cursors[i]);
    }
    free(r->cursors);
    free(r->fields);
    free(r->flat);
    arena_free(&r->arena);
    free(r);
}

static uint32_t definition(const struct parquet_cursor *c)
{
    return c->reader.definitions != NULL ? c->reader.definitions[c->at] : 0;
}

static uint32_t repetition(const struct parquet_cursor *c)
{
    return c->reader.repetitions != NULL ? c->reader.repetitions[c->at] : 0;
}

/* Where an entry belongs, as its neighbours have it. */
struct place {
    uint32_t repetition; /* its level */
    uint32_t definition; /* what is around it is not null: its level is at least this */
};

/* Have the entry of a leaf for this place. */
static int entry(const struct parquet_records *r, uint32_t leaf, struct place place,
                 struct err *err)
{
    struct parquet_cursor *c = r->cursors[leaf];
    int more = parquet_cursor_peek(c, err);
    if (more < 0)
        return -1;
    if (more == 0)
        return parquet_cursor_ends_early(c, err);
    if (repetition(c) != place.repetition || definition(c) < place.definition) {
        err_set(err, ERR_FORMAT, "its levels are not those of the columns beside it");
        return parquet_cursor_locate(c, err);
    }
    return 0;
}

/* Pass over a null, or an empty list: one entry in each leaf, all with this level. */
static int pass(const struct parquet_records *r, const struct parquet_field *f, struct place place,
                uint32_t level, struct err *err)
{
    for (uint32_t leaf = f->leaf; leaf < f->leaf + f->leaves; leaf++) {
        struct parquet_cursor *c = r->cursors[leaf];
        if (entry(r, leaf, place, err) != 0)
            return -1;
        if (definition(c) != level) {
            err_set(err, ERR_FORMAT, "its levels are not those of the columns beside it");
            return parquet_cursor_locate(c, err);
        }
        c->at++;
    }
    return 0;
}

static int new_value(struct parquet_records *r, const struct parquet_field *field,
                     struct parquet_value **value, struct err *err)
{
    if (r->arena.used > PARQUET_RECORD_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "row group %u: a row takes more than %d bytes of memory",
                       r->walk.row_group - 1, (int)PARQUET_RECORD_BYTES_MAX);
    *value = arena_calloc(&r->arena, 1, sizeof(**value));
    (*value)->field = field;
    return 0;
}

/* Entries of a list are read on while the row is made, so they do not stay where they are. */
static void take_bytes(struct parquet_records *r, struct parquet_cursor *c, struct parquet_value *v)
{
    v->bytes = c->entries[c->at++];
    if (r->file->leaves[c->leaf].repetition > 0) {
        const char *copy = arena_text(&r->arena, v->bytes.data, v->bytes.len);
        v->bytes.data = (const uint8_t *)copy;
    }
}

static int assemble(struct parquet_records *r, const struct parquet_field *f, struct place place,
                    struct parquet_value **value, struct err *err);

/* The values of all children of `f`, as the children of `v`. */
static int assemble_children(struct parquet_records *r, const struct parquet_field *f,
                             struct place place, struct parquet_value *v, struct err *err)
{
    const struct parquet_value **last = &v->first;
    for (const struct parquet_field *child = f->first; child != NULL; child = child->next) {
        struct parquet_value *item = NULL;
        if (assemble(r, child, place, &item, err) != 0)
            return -1;
        *last = item;
        last = &item->next;
    }
    return 0;
}

static int assemble_elements(struct parquet_records *r, const struct parquet_field *f,
                             struct place place, struct parquet_value *v, struct err *err)
{
    const struct parquet_value **last = &v->first;
    for (;;) {
        struct parquet_value *item = NULL;
        if (f->kind == PARQUET_FIELD_LIST) {
            if (assemble(r, f->first, place, &item, err) != 0)
                return -1;
        } else if (new_value(r, f, &item, err) != 0 ||
                   assemble_children(r, f, place, item, err) != 0) {
            return -1;
        }
        *last = item;
        last = &item->next;
        int more = parquet_cursor_peek(r->cursors[f->leaf], err);
        if (more <= 0)
            return more;
        place.repetition = repetition(r->cursors[f->leaf]);
        if (place.repetition < f->repetition)
            return 0;
        place.repetition = f->repetition; /* a higher one is found to be wrong */
    }
}

/* The value of `f` at this place. */
static int assemble(struct parquet_records *r, const struct parquet_field *f, struct place place,
                    struct parquet_value **value, struct err *err)
{
    struct parquet_cursor *c = r->cursors[f->leaf];
    if (new_value(r, f, value, err) != 0 || entry(r, f->leaf, place, err) != 0)
        return -1;
    struct parquet_value *v = *value;
    uint32_t level = definition(c);
    if (level < f->definition) {
        v->null = true;
        return pass(r, f, place, level, err);
    }
    place.definition = f->definition;
    switch (f->kind) {
    case PARQUET_FIELD_VALUE:
        take_bytes(r, c, v);
        return 0;
    case PARQUET_FIELD_STRUCT:
        return assemble_children(r, f, place, v, err);
    case PARQUET_FIELD_LIST:
    case PARQUET_FIELD_MAP:
        break;
    }
    if (level == f->definition)
        return pass(r, f, place, level, err);
    place.definition++;
    return assemble_elements(r, f, place, v, err);
}

static int follow(struct parquet_records *r, const struct parquet_step *step, struct err *err)
{
    uint32_t ahead = PARQUET_RECORD_AHEAD / r->leaves;
    ahead = ahead < PARQUET_READ_AHEAD ? ahead : PARQUET_READ_AHEAD;
    for (uint32_t i = 0; i < r->file->leaves_count; i++)
        if (r->cursors[i] != NULL &&
            parquet_cursor_follow(r->cursors[i], &r->walk, step, ahead, r->codec, err) != 0)
            return -1;
    return 0;
}

/* The value of field number i. */
static int next_field(struct parquet_records *r, uint32_t i, struct parquet_value **value,
                      struct err *err)
{
    const struct parquet_field *f = r->fields[i];
    struct parquet_cursor *c = r->cursors[f->leaf];
    if (f->kind != PARQUET_FIELD_VALUE)
        return assemble(r, f, (struct place){0, 0}, value, err);
    /* Most columns of most files: nothing to allocate, and levels say no more than null or not. */
    if (c->at == c->len && entry(r, f->leaf, (struct place){0, 0}, err) != 0)
        return -1;
    *value = &r->flat[i];
    **value = (struct parquet_value){.field = f, .bytes = c->entries[c->at++]};
    (*value)->null = (*value)->bytes.data == NULL;
    return 0;
}

/* Have rows, if there are any. */
static int step_on(struct parquet_records *r, struct err *err)
{
    if (r->leaves > PARQUET_RECORD_LEAVES_MAX)
        return err_set(err, ERR_LIMIT, "%u columns at once; varve reads up to %d", r->leaves,
                       (int)PARQUET_RECORD_LEAVES_MAX);
    while (r->walk.left == 0) {
        struct parquet_step step;
        /* Without a column nothing says that there are rows but a number. */
        if (r->leaves == 0 || !parquet_walk_next(&r->walk, &step))
            return 0;
        if (follow(r, &step, err) != 0)
            return -1;
    }
    return 1;
}

int parquet_records_skip(struct parquet_records *r, uint64_t count, struct err *err)
{
    while (count > 0) {
        if (r->walk.left == 0 && parquet_walk_pass(&r->walk, &count))
            continue;
        int more = step_on(r, err);
        if (more != 1)
            return more;
        uint64_t now = count < r->walk.left ? count : r->walk.left;
        for (uint32_t i = 0; i < r->file->leaves_count; i++)
            if (r->cursors[i] != NULL && parquet_cursor_skip(r->cursors[i], now, err) != 0)
                return -1;
        r->walk.left -= now;
        count -= now;
    }
    return 0;
}

int parquet_records_next(struct parquet_records *r, const struct parquet_value **row,
                         struct err *err)
{
    int more = step_on(r, err);
    if (more != 1)
        return more;
    arena_reset(&r->arena);
    struct parquet_value *top = arena_calloc(&r->arena, 1, sizeof(*top));
    const struct parquet_value **last = &top->first;
    top->field = r->file->root;
    for (uint32_t i = 0; i < r->fields_count; i++) {
        struct parquet_value *item = NULL;
        if (next_field(r, i, &item, err) != 0)
            return -1;
        *last = item;
        last = &item->next;
    }
    r->walk.left--;
    *row = top;
    return 1;
}

const struct parquet_value *parquet_value_member(const struct parquet_value *value,
                                                 const char *name)
{
    if (value == NULL || value->field->kind != PARQUET_FIELD_STRUCT)
        return NULL;
    for (const struct parquet_value *v = value->first; v != NULL; v = v->next)
        if (slice_is(v->field->name, name))
            return v->null ? NULL : v;
    return NULL;
}

bool parquet_value_text(const struct parquet_value *value, const char *name, struct slice *out)
{
    const struct parquet_value *v = parquet_value_member(value, name);
    if (v == NULL || v->field->kind != PARQUET_FIELD_VALUE ||
        v->field->type != PARQUET_TYPE_BYTE_ARRAY)
        return false;
    *out = v->bytes;
    return true;
}

bool parquet_value_i64(const struct parquet_value *value, const char *name, int64_t *out)
{
    const struct parquet_value *v = parquet_value_member(value, name);
    if (v == NULL || v->field->kind != PARQUET_FIELD_VALUE)
        return false;
    if (v->field->type == PARQUET_TYPE_INT64)
        *out = (int64_t)load_u64le(v->bytes.data);
    else if (v->field->type == PARQUET_TYPE_INT32)
        *out = (int32_t)load_u32le(v->bytes.data);
    else
        return false;
    return true;
}

bool parquet_value_bool(const struct parquet_value *value, const char *name, bool *out)
{
    const struct parquet_value *v = parquet_value_member(value, name);
    if (v == NULL || v->field->kind != PARQUET_FIELD_VALUE ||
        v->field->type != PARQUET_TYPE_BOOLEAN)
        return false;
    *out = v->bytes.data[0] != 0;
    return true;
}
