/* SPDX-License-Identifier: MIT */
#include "delta/schema.h"

#include "base/assert.h"

static const char *type_name(const struct column_spec *spec)
{
    if (spec->type == COLUMN_BYTES)
        return spec->meaning == COLUMN_TEXT ? "string" : "binary";
    return spec->meaning == COLUMN_TIME_MICROS ? "timestamp" : "long";
}

/* ---- writing ---- */

static void put_field(struct json_writer *w, const struct column_spec *spec)
{
    json_open_object(w, NULL);
    json_put_text(w, "name", spec->name);
    json_put_text(w, "type", type_name(spec));
    json_put_bool(w, "nullable", true);
    json_open_object(w, "metadata");
    json_close_object(w);
    json_close_object(w);
}

void delta_schema_write(struct buf *out, const struct schema *schema)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_text(&w, "type", "struct");
    json_open_array(&w, "fields");
    for (uint32_t i = 0; i < schema->count; i++)
        put_field(&w, &schema->columns[i]);
    json_close_array(&w);
    json_close_object(&w);
}

/* ---- what a table has ---- */

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
        {"delta.columnMapping.physicalName", "has another name in the files"},
    };
    const struct json *metadata = json_member(field, "metadata");
    bool nullable = true;
    for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
        if (json_member(metadata, demands[i].key) != NULL)
            return demands[i].text;
    }
    (void)json_get_bool(field, "nullable", &nullable);
    return nullable || ours ? NULL : "may not be null";
}

static int check_field(const struct json *field, const struct schema *schema, struct err *err)
{
    struct slice name, type;
    if (!json_get_text(field, "name", &name))
        return err_set(err, ERR_FORMAT, "its schemaString has a field without a name");
    const struct column_spec *spec = NULL;
    for (uint32_t i = 0; i < schema->count && spec == NULL; i++) {
        if (slice_is(name, schema->columns[i].name))
            spec = &schema->columns[i];
    }
    bool never_null = spec != NULL && !spec->optional;
    const char *demand = demand_of(field, never_null);
    if (demand != NULL)
        return err_set(err, ERR_UNSUPPORTED, "its column %.*s %s", (int)name.len,
                       (const char *)name.data, demand);
    if (spec == NULL || (json_get_text(field, "type", &type) && slice_is(type, type_name(spec))))
        return 0;
    return err_set(err, ERR_UNSUPPORTED, "its column %s is not of type %s", spec->name,
                   type_name(spec));
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
    for (uint32_t i = 0; i < schema->count && result == 0; i++)
        *missing |= find_field(fields, schema->columns[i].name) == NULL;
    arena_free(&arena);
    return result;
}

/* ---- evolution ---- */

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
            for (uint32_t i = 0; i < schema->count; i++) {
                if (find_field(fields, schema->columns[i].name) == NULL)
                    put_field(&w, &schema->columns[i]);
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
