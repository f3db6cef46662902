/* SPDX-License-Identifier: MIT */
#include "event/payload_direct_part.h"

enum { TAG_MAX = 1 << 14 }; /* of two bytes */

struct maker {
    struct arena *arena;
    const struct schema *columns;
    struct schema_node *nodes;
    struct batch_leaf *leaves;
    uint32_t count;
};

/* Whether it shares a oneof with another one. */
static bool has_rivals(const struct plan *plan, const struct plan_field *f)
{
    for (uint32_t i = 0; f->field->oneof >= 0 && i < plan->count; i++)
        if (&plan->fields[i] != f && plan->fields[i].field->oneof == f->field->oneof)
            return true;
    return false;
}

static bool is_direct(const struct plan *plan, const struct plan_field *f)
{
    bool is_real = f->type == DESCRIPTOR_FLOAT || f->type == DESCRIPTOR_DOUBLE;
    if (f->kind != PLAN_SCALAR && f->kind != PLAN_RAW && f->kind != PLAN_STRUCT)
        return false;
    if (f->field->repeated && (f->kind != PLAN_SCALAR || !is_real))
        return false;
    return !f->is_map && f->field->number < TAG_MAX >> 3 && !has_rivals(plan, f);
}

static struct slice constant_of(const struct plan_field *f, int32_t number)
{
    const struct slice *name = plan_find_constant(f, number);
    return name != NULL ? *name : (struct slice){0};
}

static bool make_node(struct maker *m, struct direct_node *node, const struct plan *plan);

static bool make_field(struct maker *m, struct direct_field *out, const struct plan_field *f)
{
    static const uint8_t zero[LEAF_NINE];
    const struct schema_node *place = &m->nodes[f->column];
    enum wire_type wire = f->is_message || f->field->repeated ? WIRE_BYTES : f->wire;
    *out = (struct direct_field){.tag = f->field->number << 3 | (uint32_t)wire,
                                 .leaf = m->count,
                                 .absent = place->definition,
                                 .field = f};
    if (f->kind == PLAN_STRUCT) {
        struct direct_node *inner = arena_calloc(m->arena, 1, sizeof(*inner));
        out->inner = inner;
        out->absent--;
        direct_choose(out);
        bool made = make_node(m, inner, f->plan);
        out->leaves = m->count - out->leaf;
        return made;
    }
    bool is_list = f->field->repeated;
    uint32_t column = f->column + is_list;
    const struct column_spec *spec = &m->columns->columns[column];
    struct batch_leaf *leaf = &m->leaves[m->count++];
    *leaf = (struct batch_leaf){.column = column,
                                .definition = m->nodes[column].definition,
                                .width = (uint8_t)column_width(spec->type),
                                .is_list = is_list};
    out->leaves = 1;
    direct_choose(out);
    if (is_list) /* an empty one stands for none */
        return true;
    if (f->field->presence) {
        out->absent--;
    } else if (f->type == DESCRIPTOR_ENUM) {
        out->nothing = constant_of(f, 0);
    } else if (f->type == DESCRIPTOR_UINT64 || f->type == DESCRIPTOR_FIXED64) {
        out->nothing = (struct slice){zero, sizeof(zero)};
    }
    return f->type != DESCRIPTOR_ENUM || f->field->presence || out->nothing.len > 0;
}

static bool make_node(struct maker *m, struct direct_node *node, const struct plan *plan)
{
    node->fields = arena_calloc(m->arena, plan->count + (size_t)1, sizeof(*node->fields));
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_field *f = &plan->fields[i];
        if (!is_direct(plan, f) || !make_field(m, &node->fields[node->count++], f))
            return false;
    }
    node->fields[node->count] = (struct direct_field){.tag = DIRECT_END, .leaf = m->count};
    return true;
}

struct direct *direct_make(const struct plan *plan, const struct schema *columns,
                           struct arena *arena)
{
    struct err ignored = {0};
    struct maker m = {.arena = arena, .columns = columns};
    struct direct *x = arena_calloc(arena, 1, sizeof(*x));
    m.nodes = arena_calloc(arena, columns->count, sizeof(*m.nodes));
    m.leaves = arena_calloc(arena, columns->count, sizeof(*m.leaves));
    if (schema_nodes(columns, m.nodes, &ignored) != 0 || !make_node(&m, &x->root, plan))
        return NULL;
    uint32_t *roots = arena_calloc(arena, plan->count + (size_t)1, sizeof(*roots));
    for (uint32_t i = 0; i < plan->count; i++)
        roots[i] = plan->fields[i].column;
    uint32_t *added = arena_calloc(arena, m.count + (size_t)1, sizeof(*added));
    x->leaves = (struct batch_leaves){m.leaves, added, m.count, roots, plan->count, 0};
    x->leaves.bytes = batch_leaves_bytes(&x->leaves);
    return x;
}
