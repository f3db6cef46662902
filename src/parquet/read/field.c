/* SPDX-License-Identifier: MIT */
#include "parquet/read/file.h"

/* Where we are in the schema, which lies depth first. Recursion is as deep as groups nest, which
 * parquet_leaves has bounded by PARQUET_SCHEMA_DEPTH_MAX. */
struct nesting {
    const struct parquet_schema_element *schema;
    uint32_t at; /* the next element */
    uint32_t leaf;
    struct arena *arena;
};

/* The levels around an element. */
struct levels {
    uint8_t definition, repetition;
};

static bool is_repeated(const struct parquet_schema_element *e)
{
    return e->has_repetition && e->repetition == PARQUET_REPETITION_REPEATED;
}

static bool is_annotated(const struct parquet_schema_element *e, enum parquet_field_kind kind)
{
    if (e->has_type)
        return false;
    if (kind == PARQUET_FIELD_LIST)
        return e->logical.kind == PARQUET_LOGICAL_LIST ||
               e->converted_type == PARQUET_CONVERTED_LIST;
    return e->logical.kind == PARQUET_LOGICAL_MAP || e->converted_type == PARQUET_CONVERTED_MAP ||
           e->converted_type == PARQUET_CONVERTED_MAP_KEY_VALUE;
}

static struct parquet_field *build(struct nesting *w, struct levels outer);

/* Add what was built, unless it has no leaf. */
static void add_child(struct parquet_field *parent, struct parquet_field ***last,
                      struct parquet_field *child)
{
    if (child == NULL)
        return;
    **last = child;
    *last = &child->next;
    parent->children++;
}

/* True if the repeated group, whose element is `e`, is the element of its list itself and no more
 * than a group in between. */
static bool is_element(const struct parquet_schema_element *list,
                       const struct parquet_schema_element *e)
{
    static const char tuple[] = "_tuple";
    size_t len = list->name.len;
    if (e->has_type || e->num_children != 1 || slice_is(e->name, "array") || is_repeated(e + 1))
        return true;
    return e->name.len == len + sizeof(tuple) - 1 &&
           slice_equal((struct slice){e->name.data, len}, list->name) &&
           slice_is((struct slice){e->name.data + len, e->name.len - len}, tuple);
}

static struct parquet_field *build_content(struct nesting *w,
                                           const struct parquet_schema_element *e,
                                           struct levels inner);

/* The group behind an annotated list or map, whose one child repeats. */
static void build_repeated(struct nesting *w, const struct parquet_schema_element *list,
                           struct parquet_field *f, struct levels inner)
{
    const struct parquet_schema_element *e = &w->schema[w->at++];
    struct parquet_field **last = &f->first;
    struct levels below = {(uint8_t)(inner.definition + 1), (uint8_t)(inner.repetition + 1)};
    f->repetition = below.repetition;
    if (f->kind == PARQUET_FIELD_LIST && is_element(list, e)) {
        add_child(f, &last, build_content(w, e, below));
        return;
    }
    for (int32_t i = 0; i < e->num_children; i++)
        add_child(f, &last, build(w, below));
}

/* Whether the annotation of `e` is kept: one child, which repeats; of a map, a group of two. */
static enum parquet_field_kind kind_of(const struct parquet_schema_element *e)
{
    const struct parquet_schema_element *child = e + 1;
    if (e->has_type)
        return PARQUET_FIELD_VALUE;
    if (e->num_children != 1 || !is_repeated(child))
        return PARQUET_FIELD_STRUCT;
    if (is_annotated(e, PARQUET_FIELD_LIST))
        return PARQUET_FIELD_LIST;
    if (is_annotated(e, PARQUET_FIELD_MAP) && !child->has_type && child->num_children == 2)
        return PARQUET_FIELD_MAP;
    return PARQUET_FIELD_STRUCT;
}

/* The element in front of w->at, as if it were there exactly once. */
static struct parquet_field *build_content(struct nesting *w,
                                           const struct parquet_schema_element *e,
                                           struct levels inner)
{
    struct parquet_field *f = arena_calloc(w->arena, 1, sizeof(*f));
    struct parquet_field **last = &f->first;
    f->name = e->name;
    f->leaf = w->leaf;
    f->definition = inner.definition;
    f->kind = kind_of(e);
    switch (f->kind) {
    case PARQUET_FIELD_VALUE:
        f->type = e->type;
        w->leaf++;
        break;
    case PARQUET_FIELD_STRUCT:
        for (int32_t i = 0; i < e->num_children; i++)
            add_child(f, &last, build(w, inner));
        break;
    case PARQUET_FIELD_LIST:
    case PARQUET_FIELD_MAP:
        build_repeated(w, e, f, inner);
        break;
    }
    f->leaves = w->leaf - f->leaf;
    if (f->kind == PARQUET_FIELD_MAP && f->children != 2) /* a key or value without any column */
        f->kind = PARQUET_FIELD_LIST;
    return f->leaves > 0 ? f : NULL;
}

/* The next element with all that is in it; NULL if that has no leaf. */
static struct parquet_field *build(struct nesting *w, struct levels outer)
{
    const struct parquet_schema_element *e = &w->schema[w->at++];
    struct levels inner = outer;
    bool optional = e->has_repetition && e->repetition == PARQUET_REPETITION_OPTIONAL;
    if (optional || is_repeated(e))
        inner.definition++;
    if (is_repeated(e))
        inner.repetition++;
    struct parquet_field *content = build_content(w, e, inner);
    if (content == NULL)
        return NULL;
    content->optional = optional;
    if (!is_repeated(e))
        return content;
    /* Without an annotation: a list that is never null. */
    struct parquet_field *list = arena_calloc(w->arena, 1, sizeof(*list));
    *list = (struct parquet_field){.kind = PARQUET_FIELD_LIST,
                                   .name = e->name,
                                   .leaf = content->leaf,
                                   .leaves = content->leaves,
                                   .definition = outer.definition,
                                   .repetition = inner.repetition,
                                   .children = 1,
                                   .first = content};
    return list;
}

const struct parquet_field *parquet_fields(const struct parquet_file_metadata *metadata,
                                           struct arena *arena)
{
    struct nesting w = {.schema = metadata->schema, .arena = arena};
    struct parquet_field *root = arena_calloc(arena, 1, sizeof(*root));
    struct parquet_field **last = &root->first;
    root->kind = PARQUET_FIELD_STRUCT;
    int32_t children = w.schema[w.at++].num_children;
    for (int32_t i = 0; i < children; i++)
        add_child(root, &last, build(&w, (struct levels){0, 0}));
    root->leaves = w.leaf;
    return root;
}

const struct parquet_field *parquet_field_child(const struct parquet_field *field,
                                                struct slice name)
{
    for (const struct parquet_field *f = field->first; f != NULL; f = f->next)
        if (slice_equal(f->name, name))
            return f;
    return NULL;
}
