/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/num.h"
#include "event/payload.h"

enum {
    STEPS_MAX = 32,
    ARENA_KEEP = 1024 * 1024,
    /* Characters of a number: no two with a point that are as short are one double. */
    EXACT_MAX = 16,
};

/* One step into a value: a member, or an element where `name` is empty. */
struct step {
    struct slice name;
    uint64_t index;
};

enum kind { KIND_TEXT, KIND_INTEGER, KIND_DOUBLE, KIND_BOOLEAN, KIND_JSON };

static const struct {
    const char *name;
    enum column_type type;
    enum column_meaning meaning;
} kinds[] = {
    [KIND_TEXT] = {"text", COLUMN_BYTES, COLUMN_TEXT},
    [KIND_INTEGER] = {"integer", COLUMN_INT64, COLUMN_RAW},
    [KIND_DOUBLE] = {"double", COLUMN_DOUBLE, COLUMN_RAW},
    [KIND_BOOLEAN] = {"boolean", COLUMN_BOOLEAN, COLUMN_RAW},
    [KIND_JSON] = {"json", COLUMN_BYTES, COLUMN_JSON},
};

struct wanted {
    enum kind kind;
    struct step *steps;
    uint32_t count;
};

struct json_payload {
    struct payload_type type;
    struct arena arena;    /* of the list */
    struct wanted *wanted; /* one a column */
    struct arena values;   /* of one payload */
    struct buf text;
};

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return name.len > 0;
}

/* Cut what stands in front of the next blank off. */
static struct slice next_word(struct slice *rest)
{
    struct slice word = *rest;
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ' ')
        len++;
    word.len = len;
    while (len < rest->len && rest->data[len] == ' ')
        len++;
    *rest = (struct slice){rest->data + len, rest->len - len};
    return word;
}

static size_t find_end(struct slice text, const char *ends)
{
    size_t len = 0;
    while (len < text.len && strchr(ends, text.data[len]) == NULL)
        len++;
    return len;
}

/* "$.a.b[3]" */
static bool parse_path(struct json_payload *t, struct wanted *wanted, struct slice path)
{
    struct step steps[STEPS_MAX];
    uint32_t count = 0;
    size_t at = 1;
    if (path.len == 0 || path.data[0] != '$')
        return false;
    while (at < path.len && count < STEPS_MAX) {
        struct slice rest = {path.data + at + 1, path.len - at - 1};
        struct step *step = &steps[count++];
        size_t len = find_end(rest, path.data[at] == '[' ? "]" : ".[");
        *step = (struct step){0};
        if (path.data[at] == '.')
            step->name =
                (struct slice){(const uint8_t *)arena_text(&t->arena, rest.data, len), len};
        else if (path.data[at] != '[' || len == rest.len ||
                 !num_parse_u64((struct slice){rest.data, len}, &step->index))
            return false;
        if (len == 0)
            return false;
        at += 1 + len + (path.data[at] == '[');
    }
    wanted->count = count;
    wanted->steps = arena_calloc(&t->arena, count + (size_t)1, sizeof(*wanted->steps));
    memcpy(wanted->steps, steps, count * sizeof(*steps));
    return at == path.len;
}

static int parse_column(struct json_payload *t, struct column_spec *spec, struct wanted *wanted,
                        const char *text, struct err *err)
{
    struct slice rest = slice_of(text);
    struct slice name = next_word(&rest), type = next_word(&rest);
    size_t kind = 0;
    while (kind < sizeof(kinds) / sizeof(kinds[0]) && !slice_is(type, kinds[kind].name))
        kind++;
    if (!is_name(name))
        return err_set(err, ERR_USAGE, "\"%s\": a column begins with its name, of a-z, 0-9 and _",
                       text);
    if (kind == sizeof(kinds) / sizeof(kinds[0]))
        return err_set(err, ERR_USAGE,
                       "\"%s\": behind the name comes text, integer, double, boolean or json",
                       text);
    wanted->kind = (enum kind)kind;
    *spec = (struct column_spec){.name = arena_text(&t->arena, name.data, name.len),
                                 .type = kinds[kind].type,
                                 .meaning = kinds[kind].meaning,
                                 .optional = true,
                                 .dictionary = kind == KIND_TEXT};
    if (!parse_path(t, wanted, rest))
        return err_set(err, ERR_USAGE, "\"%s\": it ends with a path such as $.reward or $.x[0]",
                       text);
    return 0;
}

/* Of several with this name the last, as most parsers of JSON have it (RFC 8259, section 4). */
static const struct json *last_member(const struct json *object, struct slice name)
{
    const struct json *last = NULL;
    if (object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *member = object->first; member != NULL; member = member->next)
        if (slice_equal(member->key, name))
            last = member;
    return last;
}

/* NULL: there is none. */
static const struct json *find_value(const struct wanted *wanted, const struct json *value)
{
    for (uint32_t i = 0; i < wanted->count && value != NULL; i++) {
        const struct step *step = &wanted->steps[i];
        if (step->name.len > 0) {
            value = last_member(value, step->name);
            continue;
        }
        value = value->type == JSON_ARRAY ? value->first : NULL;
        for (uint64_t n = step->index; n > 0 && value != NULL; n--)
            value = value->next;
    }
    return value != NULL && value->type == JSON_NULL ? NULL : value;
}

/* A literal is at most a few hundred digits: longer ones are cut where no digit counts. */
static bool parse_double(struct slice literal, double *out)
{
    char text[512];
    size_t len = literal.len < sizeof(text) - 1 ? literal.len : sizeof(text) - 1;
    memcpy(text, literal.data, len);
    text[len] = '\0';
    *out = strtod(text, NULL);
    return literal.len < sizeof(text) && isfinite(*out);
}

/* Whole numbers, also as 3.0 and 1e3, which some languages write. */
static bool parse_whole(struct slice literal, int64_t *out)
{
    double real;
    if (num_parse_i64(literal, out))
        return true;
    if (literal.len > EXACT_MAX || !parse_double(literal, &real) || real != trunc(real) ||
        fabs(real) > (double)(INT64_C(1) << 53))
        return false;
    *out = (int64_t)real;
    return true;
}

/* False if it is of another type. */
static bool put_value(struct json_payload *t, struct batch *b, uint32_t column, enum kind kind,
                      const struct json *value)
{
    int64_t whole;
    double real;
    switch (kind) {
    case KIND_TEXT:
        if (value->type != JSON_STRING)
            return false;
        batch_put_bytes(b, column, value->text);
        return true;
    case KIND_INTEGER:
        if (value->type != JSON_NUMBER || !parse_whole(value->text, &whole))
            return false;
        batch_put_int64(b, column, whole);
        return true;
    case KIND_DOUBLE:
        if (value->type != JSON_NUMBER || !parse_double(value->text, &real))
            return false;
        batch_put_double(b, column, real);
        return true;
    case KIND_BOOLEAN:
        if (value->type != JSON_BOOL)
            return false;
        batch_put_boolean(b, column, value->boolean);
        return true;
    case KIND_JSON: {
        struct json_writer w = {.out = &t->text};
        buf_reset(&t->text);
        json_put_value(&w, NULL, value);
        batch_put_bytes(b, column, buf_slice(&t->text));
        return true;
    }
    }
    return false;
}

static enum payload_result append(struct payload_type *type, struct batch *b, uint32_t first,
                                  struct slice payload)
{
    struct json_payload *t = (struct json_payload *)type;
    struct err err = {0};
    arena_reset(&t->values);
    const struct json *root = json_parse(&t->values, payload, &err);
    if (root == NULL) {
        buf_printf(&type->reason, "not JSON: %s", err.text);
        return PAYLOAD_BAD;
    }
    for (uint32_t i = 0; i < type->count; i++) {
        const struct wanted *wanted = &t->wanted[i];
        const struct json *value = find_value(wanted, root);
        if (value != NULL && put_value(t, b, first + i, wanted->kind, value))
            continue;
        if (value != NULL && type->reason.len == 0)
            buf_printf(&type->reason, "%s is not of type %s", type->columns[i].name,
                       kinds[wanted->kind].name);
        batch_put_null(b, first + i);
    }
    if (t->values.used > ARENA_KEEP)
        arena_free(&t->values);
    return type->reason.len == 0 ? PAYLOAD_OK : PAYLOAD_PARTLY;
}

static void free_type(struct payload_type *type)
{
    struct json_payload *t = (struct json_payload *)type;
    arena_free(&t->arena);
    arena_free(&t->values);
    buf_free(&t->text);
    free(t);
}

struct payload_type *payload_json_new(const char *const *columns, size_t count, struct err *err)
{
    static const struct payload_operations operations = {append, free_type};
    struct json_payload *t = calloc(1, sizeof(*t));
    if (t == NULL)
        out_of_memory(sizeof(*t));
    static const char *const whole[] = {"payload json $"};
    int result = 0;
    if (count == 0 || (count == 1 && strcmp(columns[0], "*") == 0)) {
        columns = whole;
        count = 1;
    }
    t->type.operations = &operations;
    t->type.format = "json";
    t->type.message = "";
    if (count > PAYLOAD_JSON_COLUMNS_MAX)
        result = err_set(err, ERR_USAGE, "more than %d columns", PAYLOAD_JSON_COLUMNS_MAX);
    struct column_spec *specs = arena_calloc(&t->arena, count + 1, sizeof(*specs));
    t->wanted = arena_calloc(&t->arena, count + 1, sizeof(*t->wanted));
    t->type.columns = specs;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = parse_column(t, &specs[i], &t->wanted[i], columns[i], err);
        for (size_t j = 0; j < i && result == 0; j++)
            if (strcmp(specs[i].name, specs[j].name) == 0)
                result = err_set(err, ERR_USAGE, "two columns are called %s", specs[i].name);
        t->type.count++;
    }
    if (result == 0)
        return &t->type;
    payload_free(&t->type);
    return NULL;
}
