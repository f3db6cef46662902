/* SPDX-License-Identifier: MIT */
#include "delta/schema.h"

#include <stdio.h>

#include "base/assert.h"

enum { TYPE_NAME_MAX = 32 };

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
    for (const struct json *f = fields->first; f != NULL; f = f->next) {
        if (json_get_text(f, "name", &found) && slice_is(found, name))
            return f;
    }
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
    for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
        if (json_member(metadata, demands[i].key) != NULL)
            return demands[i].text;
    }
    (void)json_get_bool(field, "nullable", &nullable);
    return nullable || ours ? NULL : "can't be null";
}

/* Whether a type of a table can take values of our column `at`. */
static bool takes(const struct json *type, const struct schema *schema, uint32_t at)
{
    const struct column_spec *spec = &schema->columns[at];
    char name[TYPE_NAME_MAX];
    struct slice kind = {0};
    if (column_is_leaf(spec)) {
        name_type(name, spec);
        return type != NULL && type->type == JSON_STRING && slice_is(type->text, name);
    }
    (void)json_get_text(type, "type", &kind);
    uint32_t first = at + 1;
    if (spec->type == COLUMN_LIST)
        return slice_is(kind, "array") && takes(json_member(type, "elementType"), schema, first);
    if (spec->type == COLUMN_MAP)
        return slice_is(kind, "map") && takes(json_member(type, "keyType"), schema, first) &&
               takes(json_member(type, "valueType"), schema, schema_end(schema, first));
    const struct json *fields = json_member(type, "fields");
    if (!slice_is(kind, "struct") || fields == NULL)
        return false;
    for (uint32_t i = 0; i < spec->children; i++, first = schema_end(schema, first)) {
        const struct json *field = find_field(fields, schema->columns[first].name);
        if (!takes(json_member(field, "type"), schema, first))
            return false;
    }
    return true;
}

static int check_field(const struct json *field, const struct schema *schema, struct err *err)
{
    struct slice name;
    uint32_t at = 0;
    if (!json_get_text(field, "name", &name))
        return err_set(err, ERR_FORMAT, "its schemaString has a field without a name");
    while (at < schema->count && !slice_is(name, schema->columns[at].name))
        at = schema_end(schema, at);
    bool ours = at < schema->count;
    const char *demand = demand_of(field, ours && !schema->columns[at].optional);
    if (demand != NULL)
        return err_set(err, ERR_UNSUPPORTED, "its column %.*s %s", (int)name.len,
                       (const char *)name.data, demand);
    if (!ours || takes(json_member(field, "type"), schema, at))
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
        result = check_field(f, schema, err);
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
        if (member == fields) {
            json_open_array(&w, "fields");
            for (const struct json *f = fields->first; f != NULL; f = f->next)
                json_put_value(&w, NULL, f);
            for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i)) {
                if (find_field(fields, schema->columns[i].name) == NULL)
                    (void)put_field(&w, schema, i);
            }
            json_close_array(&w);
        } else {
            json_put_name(&w, member->key);
            json_put_value(&w, NULL, member);
        }
    }
    json_close_object(&w);
    arena_free(&arena);
}
