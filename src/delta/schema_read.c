/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/array.h"
#include "base/num.h"
#include "delta/schema.h"

struct reading {
    ARRAY(struct column_spec) columns;
    struct arena *arena;
    const struct schema *known;
};

static int add_type(struct reading *r, struct slice name, const struct json *type, unsigned depth,
                    struct err *err);

/* "decimal(9,2)"; of more than 18 digits varve writes none with a fraction. */
static bool parse_decimal(struct slice type, struct column_spec *spec)
{
    static const char prefix[] = "decimal(";
    size_t start = sizeof(prefix) - 1;
    uint64_t precision, scale;
    if (!slice_starts_with(type, prefix) || type.data[type.len - 1] != ')')
        return false;
    const uint8_t *comma = memchr(type.data, ',', type.len);
    if (comma == NULL)
        return false;
    size_t at = (size_t)(comma - type.data);
    if (!num_parse_u64((struct slice){type.data + start, at - start}, &precision) ||
        !num_parse_u64((struct slice){comma + 1, type.len - at - 2}, &scale) || precision == 0 ||
        precision > (scale == 0 ? 38 : 18) || scale > precision)
        return false;
    spec->type = precision <= 9 ? COLUMN_INT32 : precision <= 18 ? COLUMN_INT64 : COLUMN_BYTES;
    spec->meaning = COLUMN_DECIMAL;
    spec->precision = (uint8_t)precision;
    spec->scale = (uint8_t)scale;
    return true;
}

static bool parse_value_type(struct slice type, struct column_spec *spec)
{
    static const struct {
        const char *name;
        enum column_type type;
        enum column_meaning meaning;
    } types[] = {
        {"long", COLUMN_INT64, COLUMN_RAW},      {"timestamp", COLUMN_INT64, COLUMN_TIME_MICROS},
        {"integer", COLUMN_INT32, COLUMN_RAW},   {"date", COLUMN_INT32, COLUMN_DATE},
        {"string", COLUMN_BYTES, COLUMN_TEXT},   {"binary", COLUMN_BYTES, COLUMN_RAW},
        {"boolean", COLUMN_BOOLEAN, COLUMN_RAW}, {"float", COLUMN_FLOAT, COLUMN_RAW},
        {"double", COLUMN_DOUBLE, COLUMN_RAW},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!slice_is(type, types[i].name))
            continue;
        spec->type = types[i].type;
        spec->meaning = types[i].meaning;
        return true;
    }
    return parse_decimal(type, spec);
}

/* Fields in a row; how many there are is known behind them. */
static int add_fields(struct reading *r, const struct json *fields, unsigned depth, uint32_t *count,
                      struct err *err)
{
    struct slice name;
    *count = 0;
    if (fields == NULL || fields->type != JSON_ARRAY || fields->first == NULL)
        return err_set(err, ERR_FORMAT, "its schemaString has a group without fields");
    for (const struct json *f = fields->first; f != NULL; f = f->next, (*count)++) {
        if (!json_get_text(f, "name", &name))
            return err_set(err, ERR_FORMAT, "its schemaString has a field without a name");
        if (add_type(r, name, json_member(f, "type"), depth, err) != 0)
            return -1;
    }
    return 0;
}

static int add_group(struct reading *r, size_t at, const struct json *type, unsigned depth,
                     struct err *err)
{
    static const struct slice none = {(const uint8_t *)"", 0};
    struct slice kind = {0};
    uint32_t count;
    (void)json_get_text(type, "type", &kind);
    if (slice_is(kind, "struct")) {
        r->columns.list[at].type = COLUMN_STRUCT;
        if (add_fields(r, json_member(type, "fields"), depth, &count, err) != 0)
            return -1;
        r->columns.list[at].children = count;
        return 0;
    }
    if (slice_is(kind, "array")) {
        r->columns.list[at].type = COLUMN_LIST;
        return add_type(r, none, json_member(type, "elementType"), depth, err);
    }
    if (!slice_is(kind, "map"))
        return err_set(err, ERR_UNSUPPORTED, "its column %s is of a type that varve does not write",
                       r->columns.list[at].name);
    r->columns.list[at].type = COLUMN_MAP;
    size_t key = r->columns.count;
    if (add_type(r, none, json_member(type, "keyType"), depth, err) != 0)
        return -1;
    r->columns.list[key].optional = false;
    return add_type(r, none, json_member(type, "valueType"), depth, err);
}

/* One of the columns that are known, if the table has it as it is known. */
static bool is_known(const struct reading *r, struct column_spec *spec)
{
    int at = schema_find(r->known, spec->name);
    if (at < 0 || r->known->columns[at].type != spec->type ||
        r->known->columns[at].meaning != spec->meaning)
        return false;
    *spec = r->known->columns[at];
    return true;
}

/* A column with all that is in it; depth 1 is a column of the table. */
static int add_type(struct reading *r, struct slice name, const struct json *type, unsigned depth,
                    struct err *err)
{
    struct column_spec spec = {.name = arena_text(r->arena, name.data, name.len), .optional = true};
    size_t at = r->columns.count;
    bool is_value = type != NULL && type->type == JSON_STRING;
    if (at == SCHEMA_COLUMNS_MAX || depth > SCHEMA_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "it has more than %d columns, or more than %d in each other",
                       (int)SCHEMA_COLUMNS_MAX, (int)SCHEMA_DEPTH_MAX);
    if (is_value && !parse_value_type(type->text, &spec))
        return err_set(err, ERR_UNSUPPORTED, "its column %s is of a type that varve does not write",
                       spec.name);
    if (is_value && (depth > 1 || !is_known(r, &spec)))
        spec.dictionary = spec.meaning == COLUMN_TEXT;
    *array_add(&r->columns) = spec;
    return is_value ? 0 : add_group(r, at, type, depth + 1, err);
}

int delta_schema_read(struct slice schema_string, const struct schema *known, struct arena *arena,
                      struct schema *out, struct err *err)
{
    struct reading r = {.arena = arena, .known = known};
    struct arena texts = {0};
    uint32_t count;
    const struct json *root = json_parse(&texts, schema_string, err);
    int result = root == NULL ? err_prefix(err, "its schemaString")
                              : add_fields(&r, json_member(root, "fields"), 1, &count, err);
    if (result == 0) {
        struct column_spec *columns = arena_calloc(arena, r.columns.count, sizeof(*columns));
        memcpy(columns, r.columns.list, r.columns.count * sizeof(*columns));
        *out = (struct schema){known->name, columns, (uint32_t)r.columns.count};
        struct schema_node *nodes = arena_calloc(arena, out->count, sizeof(*nodes));
        result = schema_nodes(out, nodes, err);
    }
    array_free(&r.columns);
    arena_free(&texts);
    return result;
}
