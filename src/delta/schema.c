/* SPDX-License-Identifier: MIT */
#include "delta/schema.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"

enum { TYPE_NAME_MAX = 32 };

/* In the metadata of a field: column_spec.field, if there is one. */
#define FIELD_NUMBER "varve.field"

/* The type of a column that is a value. */
static void name_type(char out[static TYPE_NAME_MAX], const struct column_spec *spec)
{
    const char *name = "";
    if (spec->meaning == COLUMN_DECIMAL) {
        (void)snprintf(out, TYPE_NAME_MAX, "decimal(%u,%u)", spec->precision, spec->scale);
        return;
    }
    switch (spec->type) {
    case COLUMN_INT64:
        name = spec->meaning == COLUMN_TIME_MICROS ? "timestamp" : "long";
        break;
    case COLUMN_BYTES:
        name = spec->meaning == COLUMN_RAW ? "binary" : "string";
        break;
    case COLUMN_BOOLEAN:
        name = "boolean";
        break;
    case COLUMN_INT32:
        name = spec->meaning == COLUMN_DATE ? "date" : "integer";
        break;
    case COLUMN_FLOAT:
        name = "float";
        break;
    case COLUMN_DOUBLE:
        name = "double";
        break;
    case COLUMN_STRUCT:
    case COLUMN_LIST:
    case COLUMN_MAP:
        ASSERT(column_is_leaf(spec));
    }
    (void)snprintf(out, TYPE_NAME_MAX, "%s", name);
}

static uint32_t put_field(struct json_writer *w, const struct schema *schema, uint32_t at);

/* Write the type of column `at` as a member, and return the number behind all that is in it. The
 * depth is bounded: SCHEMA_DEPTH_MAX. */
static uint32_t put_type(struct json_writer *w, const char *name, const struct schema *schema,
                         uint32_t at)
{
    const struct column_spec *spec = &schema->columns[at++];
    char text[TYPE_NAME_MAX];
    if (column_is_leaf(spec)) {
        name_type(text, spec);
        json_put_text(w, name, text);
        return at;
    }
    json_open_object(w, name);
    if (spec->type == COLUMN_STRUCT) {
        json_put_text(w, "type", "struct");
        json_open_array(w, "fields");
        for (uint32_t i = 0; i < spec->children; i++)
            at = put_field(w, schema, at);
        json_close_array(w);
    } else if (spec->type == COLUMN_LIST) {
        json_put_text(w, "type", "array");
        at = put_type(w, "elementType", schema, at);
        json_put_bool(w, "containsNull", true);
    } else {
        json_put_text(w, "type", "map");
        at = put_type(w, "keyType", schema, at);
        at = put_type(w, "valueType", schema, at);
        json_put_bool(w, "valueContainsNull", true);
    }
    json_close_object(w);
    return at;
}

static uint32_t put_field(struct json_writer *w, const struct schema *schema, uint32_t at)
{
    json_open_object(w, NULL);
    json_put_text(w, "name", schema->columns[at].name);
    uint32_t end = put_type(w, "type", schema, at);
    json_put_bool(w, "nullable", true);
    json_open_object(w, "metadata");
    if (schema->columns[at].field != 0)
        json_put_u64(w, FIELD_NUMBER, schema->columns[at].field);
    json_close_object(w);
    json_close_object(w);
    return end;
}

void delta_schema_write(struct buf *out, const struct schema *schema)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_text(&w, "type", "struct");
    json_open_array(&w, "fields");
    for (uint32_t i = 0; i < schema->count;)
        i = put_field(&w, schema, i);
    json_close_array(&w);
    json_close_object(&w);
}

/* The fields of a schema; NULL for what is no schema. */
static const struct json *parse_fields(struct arena *arena, struct slice schema_string,
                                       const struct json **root, struct err *err)
{
    *root = json_parse(arena, schema_string, err);
    if (*root == NULL) {
        (void)err_prefix(err, "its schemaString");
        return NULL;
    }
    const struct json *fields = json_member(*root, "fields");
    if (fields != NULL && fields->type == JSON_ARRAY)
        return fields;
    (void)err_set(err, ERR_FORMAT, "its schemaString has no fields");
    return NULL;
}

static const struct json *find_field(const struct json *fields, const char *name)
{
    struct slice found;
    for (const struct json *f = fields->first; f != NULL; f = f->next)
        if (json_get_text(f, "name", &found) && slice_is(found, name))
            return f;
    return NULL;
}

/* What a writer would have to do for this field, as a part of a sentence; NULL: nothing. */
static const char *demand_of(const struct json *field, bool ours)
{
    static const struct {
        const char *key, *text;
    } demands[] = {
        {"delta.invariants", "has an invariant"},
        {"delta.generationExpression", "is generated"},
        {"delta.identity.start", "is an identity column"},
        {"delta.columnMapping.physicalName", "has a different name in the files"},
    };
    const struct json *metadata = json_member(field, "metadata");
    bool nullable = true;
    for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++)
        if (json_member(metadata, demands[i].key) != NULL)
            return demands[i].text;
    (void)json_get_bool(field, "nullable", &nullable);
    return nullable || ours ? NULL : "can't be null";
}

/* How far a type of a table agrees with our column: structs as such, or with their fields. */
enum depth { STRUCTS, FIELDS };

/* Whether a type of a table can take values of our column `at`. A struct may lack fields: *missing.
 */
static bool takes(const struct json *type, const struct schema *schema, uint32_t at,
                  enum depth depth, bool *missing)
{
    const struct column_spec *spec = &schema->columns[at];
    char name[TYPE_NAME_MAX];
    struct slice kind = {0};
    if (column_is_leaf(spec)) {
        name_type(name, spec);
        return type != NULL && type->type == JSON_STRING &&
               (slice_is(type->text, name) ||
                (column_is_wide(spec) && slice_is(type->text, "long")));
    }
    (void)json_get_text(type, "type", &kind);
    uint32_t first = at + 1;
    if (spec->type == COLUMN_LIST)
        return slice_is(kind, "array") &&
               takes(json_member(type, "elementType"), schema, first, depth, missing);
    if (spec->type == COLUMN_MAP)
        return slice_is(kind, "map") &&
               takes(json_member(type, "keyType"), schema, first, depth, missing) &&
               takes(json_member(type, "valueType"), schema, schema_end(schema, first), depth,
                     missing);
    const struct json *fields = json_member(type, "fields");
    if (!slice_is(kind, "struct") || fields == NULL || fields->type != JSON_ARRAY)
        return false;
    for (uint32_t i = 0; i < spec->children && depth == FIELDS; i++) {
        const struct json *field = find_field(fields, schema->columns[first].name);
        *missing |= field == NULL;
        if (field != NULL && !takes(json_member(field, "type"), schema, first, depth, missing))
            return false;
        first = schema_end(schema, first);
    }
    return true;
}

static int check_field(const struct json *field, const struct schema *schema, bool *missing,
                       struct err *err)
{
    uint32_t at = 0;
    struct slice name;
    if (!json_get_text(field, "name", &name))
        return err_set(err, ERR_FORMAT, "its schemaString has a field without a name");
    while (at < schema->count && !slice_is_alike(name, schema->columns[at].name))
        at = schema_end(schema, at);
    bool ours = at < schema->count;
    const char *demand = demand_of(field, ours && !schema->columns[at].optional);
    if (ours && !slice_is(name, schema->columns[at].name))
        demand = "differs from one of varve's in capitals only, which engines take for one";
    if (demand != NULL)
        return err_set(err, ERR_UNSUPPORTED, "its column %.*s %s", (int)name.len,
                       (const char *)name.data, demand);
    if (!ours || takes(json_member(field, "type"), schema, at, FIELDS, missing))
        return 0;
    struct buf type = {0};
    struct json_writer w = {.out = &type};
    (void)put_type(&w, NULL, schema, at);
    (void)err_set(err, ERR_UNSUPPORTED, "its column %s is not of type %s", schema->columns[at].name,
                  buf_text(&type));
    buf_free(&type);
    return -1;
}

int delta_schema_check(struct slice schema_string, const struct schema *schema, bool *missing,
                       struct err *err)
{
    struct arena arena = {0};
    const struct json *root;
    const struct json *fields = parse_fields(&arena, schema_string, &root, err);
    int result = fields == NULL ? -1 : 0;
    *missing = false;
    for (const struct json *f = result == 0 ? fields->first : NULL; f != NULL && result == 0;
         f = f->next)
        result = check_field(f, schema, missing, err);
    for (uint32_t i = 0; i < schema->count && result == 0; i = schema_end(schema, i)) {
        const struct column_spec *spec = &schema->columns[i];
        bool found = find_field(fields, spec->name) != NULL;
        *missing |= !found;
        if (!found && spec->ordered)
            result = err_set(err, ERR_UNSUPPORTED,
                             "it has no column %s, so varve has not made it; choose another "
                             "directory",
                             spec->name);
    }
    arena_free(&arena);
    return result;
}

static void merge_fields(struct json_writer *w, const struct json *fields,
                         const struct schema *schema, uint32_t first, uint32_t end);

/* The type of a column of the table, with what our column `at` has more in it. The depth is
 * bounded: SCHEMA_DEPTH_MAX. */
static void merge_type(struct json_writer *w, const char *name, const struct json *type,
                       const struct schema *schema, uint32_t at)
{
    const struct column_spec *spec = &schema->columns[at];
    if (column_is_leaf(spec)) {
        json_put_value(w, name, type);
        return;
    }
    json_open_object(w, name);
    for (const struct json *member = type->first; member != NULL; member = member->next) {
        bool in_list = spec->type == COLUMN_LIST && slice_is(member->key, "elementType");
        bool in_map = spec->type == COLUMN_MAP && slice_is(member->key, "valueType");
        json_put_name(w, member->key);
        if (in_list || in_map)
            merge_type(w, NULL, member, schema, in_list ? at + 1 : schema_end(schema, at + 1));
        else if (spec->type == COLUMN_STRUCT && slice_is(member->key, "fields"))
            merge_fields(w, member, schema, at + 1, schema_end(schema, at));
        else
            json_put_value(w, NULL, member);
    }
    json_close_object(w);
}

/* The fields of the table, then those of our columns from `first` on that it lacks. */
static void merge_fields(struct json_writer *w, const struct json *fields,
                         const struct schema *schema, uint32_t first, uint32_t end)
{
    json_open_array(w, NULL);
    for (const struct json *f = fields->first; f != NULL; f = f->next) {
        struct slice name = {0};
        uint32_t at = first;
        (void)json_get_text(f, "name", &name);
        while (at < end && !slice_is(name, schema->columns[at].name))
            at = schema_end(schema, at);
        if (at == end) {
            json_put_value(w, NULL, f);
            continue;
        }
        json_open_object(w, NULL);
        for (const struct json *member = f->first; member != NULL; member = member->next) {
            json_put_name(w, member->key);
            if (slice_is(member->key, "type"))
                merge_type(w, NULL, member, schema, at);
            else
                json_put_value(w, NULL, member);
        }
        json_close_object(w);
    }
    for (uint32_t i = first; i < end; i = schema_end(schema, i))
        if (find_field(fields, schema->columns[i].name) == NULL)
            (void)put_field(w, schema, i);
    json_close_array(w);
}

void delta_schema_extend(struct buf *out, struct slice schema_string, const struct schema *schema)
{
    struct arena arena = {0};
    struct err err = {0};
    struct json_writer w = {.out = out};
    const struct json *root;
    const struct json *fields = parse_fields(&arena, schema_string, &root, &err);
    ASSERT(fields != NULL);
    json_open_object(&w, NULL);
    for (const struct json *member = root->first; member != NULL; member = member->next) {
        json_put_name(&w, member->key);
        if (member == fields)
            merge_fields(&w, fields, schema, 0, schema->count);
        else
            json_put_value(&w, NULL, member);
    }
    json_close_object(&w);
    arena_free(&arena);
}

struct naming {
    struct schema schema;
    struct column_spec *columns; /* of it */
    struct arena *arena;
};

/* Columns of one group, or of the row, and the fields of the same in the table. */
struct level {
    const struct json *fields;
    uint32_t first, end;
};

static uint64_t number_of(const struct json *field)
{
    uint64_t number = 0;
    (void)json_get_u64(json_member(field, "metadata"), FIELD_NUMBER, &number);
    return number;
}

static bool fits(const struct naming *n, const struct json *field, uint32_t at)
{
    bool missing = false;
    return takes(json_member(field, "type"), &n->schema, at, STRUCTS, &missing);
}

/* A name that differs from `attempt` others: its own, that with its type, and with a number. */
static void write_name(const struct naming *n, uint32_t at, unsigned attempt, struct buf *out)
{
    static const char *const groups[] = {
        [COLUMN_STRUCT] = "struct", [COLUMN_LIST] = "list", [COLUMN_MAP] = "map"};
    const struct column_spec *spec = &n->columns[at];
    char type[TYPE_NAME_MAX];
    buf_reset(out);
    buf_append_text(out, spec->name);
    if (attempt == 0)
        return;
    if (column_is_leaf(spec))
        name_type(type, spec);
    else
        (void)snprintf(type, sizeof(type), "%s", groups[spec->type]);
    buf_printf(out, "_%.*s", (int)strcspn(type, "("), type);
    if (attempt > 1)
        buf_printf(out, "_%u", attempt);
}

static bool is_ours(const struct naming *n, const struct level *l, const char *name, uint32_t but)
{
    for (uint32_t i = l->first; i < l->end; i = schema_end(&n->schema, i))
        if (i != but && strcasecmp(n->columns[i].name, name) == 0)
            return true;
    return false;
}

/* The field of the table that is our column `at`; NULL, and the name that it gets: there is none.
 * What is told apart by numbers never takes the place of what has another number. */
static const struct json *choose(const struct naming *n, const struct level *l, uint32_t at,
                                 struct buf *name)
{
    const struct json *f;
    struct slice found;
    for (f = l->fields->first; f != NULL && n->columns[at].field != 0; f = f->next)
        if (number_of(f) == n->columns[at].field && fits(n, f, at))
            return f;
    for (unsigned attempt = 0;; attempt++) {
        write_name(n, at, attempt, name);
        if (is_ours(n, l, buf_text(name), at))
            continue;
        for (f = l->fields->first; f != NULL; f = f->next)
            if (json_get_text(f, "name", &found) && slice_is_alike(found, buf_text(name)))
                break;
        if (f == NULL || (number_of(f) == 0 && slice_is(found, buf_text(name)) && fits(n, f, at)))
            return f;
    }
}

static void name_level(const struct naming *n, const struct level *l);

/* The depth is bounded: SCHEMA_DEPTH_MAX. */
static void name_within(const struct naming *n, const struct json *type, uint32_t at)
{
    enum column_type kind = n->columns[at].type;
    if (column_is_wide(&n->columns[at]) && slice_is(type->text, "long")) {
        n->columns[at].type = COLUMN_INT64;
        n->columns[at].meaning = COLUMN_RAW;
    }
    if (kind == COLUMN_LIST)
        name_within(n, json_member(type, "elementType"), at + 1);
    if (kind == COLUMN_MAP) {
        name_within(n, json_member(type, "keyType"), at + 1);
        name_within(n, json_member(type, "valueType"), schema_end(&n->schema, at + 1));
    }
    if (kind == COLUMN_STRUCT) {
        struct level l = {json_member(type, "fields"), at + 1, schema_end(&n->schema, at)};
        name_level(n, &l);
    }
}

static void name_level(const struct naming *n, const struct level *l)
{
    struct buf name = {0};
    struct slice found;
    for (uint32_t i = l->first; i < l->end; i = schema_end(&n->schema, i)) {
        const struct json *field = choose(n, l, i, &name);
        if (field == NULL || !json_get_text(field, "name", &found))
            found = buf_slice(&name);
        n->columns[i].name = arena_text(n->arena, found.data, found.len);
        if (field != NULL)
            name_within(n, json_member(field, "type"), i);
    }
    buf_free(&name);
}

int delta_schema_rename(struct slice schema_string, struct column_spec *columns, uint32_t count,
                        struct arena *arena, struct err *err)
{
    struct arena parsed = {0};
    const struct json *root;
    struct naming n = {{"", columns, count}, columns, arena};
    struct level all = {parse_fields(&parsed, schema_string, &root, err), 0, count};
    if (all.fields != NULL)
        name_level(&n, &all);
    arena_free(&parsed);
    return all.fields != NULL ? 0 : -1;
}
