/* SPDX-License-Identifier: MIT */
#include "parquet/read/leaf.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"

static uint32_t type_width(const struct parquet_schema_element *e)
{
    switch (e->type) {
    case PARQUET_TYPE_BOOLEAN:
        return 1;
    case PARQUET_TYPE_INT32:
    case PARQUET_TYPE_FLOAT:
        return 4;
    case PARQUET_TYPE_INT64:
    case PARQUET_TYPE_DOUBLE:
        return 8;
    case PARQUET_TYPE_INT96:
        return 12;
    case PARQUET_TYPE_BYTE_ARRAY:
        return 0;
    case PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY:
        return (uint32_t)e->type_length;
    }
    return 0;
}

static enum parquet_meaning plain_meaning(enum parquet_type type)
{
    switch (type) {
    case PARQUET_TYPE_BOOLEAN:
        return PARQUET_MEANING_BOOLEAN;
    case PARQUET_TYPE_INT32:
    case PARQUET_TYPE_INT64:
        return PARQUET_MEANING_SIGNED;
    case PARQUET_TYPE_INT96:
        return PARQUET_MEANING_INT96;
    case PARQUET_TYPE_FLOAT:
        return PARQUET_MEANING_FLOAT;
    case PARQUET_TYPE_DOUBLE:
        return PARQUET_MEANING_DOUBLE;
    case PARQUET_TYPE_BYTE_ARRAY:
    case PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY:
        break;
    }
    return PARQUET_MEANING_BYTES;
}

/* What `converted` means, in the words of LogicalType. */
static struct parquet_logical_type logical_of(const struct parquet_schema_element *e)
{
    struct parquet_logical_type l = {.kind = PARQUET_LOGICAL_INTEGER, .utc = true};
    switch (e->converted_type) {
    case PARQUET_CONVERTED_NONE:
    case PARQUET_CONVERTED_INTERVAL: /* has no counterpart; is shown as bytes */
        return (struct parquet_logical_type){.kind = PARQUET_LOGICAL_NONE};
    case PARQUET_CONVERTED_UTF8:
        l.kind = PARQUET_LOGICAL_STRING;
        return l;
    case PARQUET_CONVERTED_ENUM:
        l.kind = PARQUET_LOGICAL_ENUM;
        return l;
    case PARQUET_CONVERTED_JSON:
        l.kind = PARQUET_LOGICAL_JSON;
        return l;
    case PARQUET_CONVERTED_BSON:
        l.kind = PARQUET_LOGICAL_BSON;
        return l;
    case PARQUET_CONVERTED_DATE:
        l.kind = PARQUET_LOGICAL_DATE;
        return l;
    case PARQUET_CONVERTED_DECIMAL:
        l.kind = PARQUET_LOGICAL_DECIMAL;
        l.scale = e->scale;
        l.precision = e->precision;
        return l;
    case PARQUET_CONVERTED_TIME_MILLIS:
    case PARQUET_CONVERTED_TIME_MICROS:
        l.kind = PARQUET_LOGICAL_TIME;
        l.unit = e->converted_type == PARQUET_CONVERTED_TIME_MILLIS ? PARQUET_UNIT_MILLIS
                                                                    : PARQUET_UNIT_MICROS;
        return l;
    case PARQUET_CONVERTED_TIMESTAMP_MILLIS:
    case PARQUET_CONVERTED_TIMESTAMP_MICROS:
        l.kind = PARQUET_LOGICAL_TIMESTAMP;
        l.unit = e->converted_type == PARQUET_CONVERTED_TIMESTAMP_MILLIS ? PARQUET_UNIT_MILLIS
                                                                         : PARQUET_UNIT_MICROS;
        return l;
    case PARQUET_CONVERTED_UINT_8:
    case PARQUET_CONVERTED_UINT_16:
    case PARQUET_CONVERTED_UINT_32:
    case PARQUET_CONVERTED_UINT_64:
        return l; /* the physical type has the width */
    case PARQUET_CONVERTED_INT_8:
    case PARQUET_CONVERTED_INT_16:
    case PARQUET_CONVERTED_INT_32:
    case PARQUET_CONVERTED_INT_64:
        l.is_signed = true;
        return l;
    case PARQUET_CONVERTED_MAP:
    case PARQUET_CONVERTED_MAP_KEY_VALUE:
    case PARQUET_CONVERTED_LIST:
        break;
    }
    return (struct parquet_logical_type){.kind = PARQUET_LOGICAL_MAP}; /* never on a leaf */
}

static bool fits_time(const struct parquet_schema_element *e, enum parquet_logical_kind kind,
                      enum parquet_time_unit unit)
{
    if (kind == PARQUET_LOGICAL_TIME && unit == PARQUET_UNIT_MILLIS)
        return e->type == PARQUET_TYPE_INT32;
    return e->type == PARQUET_TYPE_INT64 && unit >= PARQUET_UNIT_MILLIS &&
           unit <= PARQUET_UNIT_NANOS;
}

static bool fits_fixed(const struct parquet_schema_element *e, int32_t length)
{
    return e->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY && e->type_length == length;
}

static void set_meaning(struct parquet_leaf *leaf)
{
    const struct parquet_schema_element *e = leaf->element;
    struct parquet_logical_type l =
        e->logical.kind != PARQUET_LOGICAL_NONE ? e->logical : logical_of(e);
    bool integer = e->type == PARQUET_TYPE_INT32 || e->type == PARQUET_TYPE_INT64;
    bool bytes = e->type == PARQUET_TYPE_BYTE_ARRAY;
    bool fixed = e->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY;
    bool fits = false;
    leaf->meaning = plain_meaning(e->type);
    leaf->ordered =
        e->type != PARQUET_TYPE_INT96 && e->converted_type != PARQUET_CONVERTED_INTERVAL;
    switch (l.kind) {
    case PARQUET_LOGICAL_NONE:
    case PARQUET_LOGICAL_UNKNOWN: /* a column of nulls; of any type */
        return;
    case PARQUET_LOGICAL_STRING:
    case PARQUET_LOGICAL_ENUM:
    case PARQUET_LOGICAL_JSON:
        leaf->meaning = PARQUET_MEANING_TEXT;
        fits = bytes;
        break;
    case PARQUET_LOGICAL_BSON:
        fits = bytes;
        break;
    case PARQUET_LOGICAL_DECIMAL:
        leaf->meaning = PARQUET_MEANING_DECIMAL;
        leaf->scale = l.scale;
        fits = (integer || bytes || fixed) && l.scale >= 0 && l.scale <= PARQUET_SCALE_MAX;
        break;
    case PARQUET_LOGICAL_DATE:
        leaf->meaning = PARQUET_MEANING_DATE;
        fits = e->type == PARQUET_TYPE_INT32;
        break;
    case PARQUET_LOGICAL_TIME:
    case PARQUET_LOGICAL_TIMESTAMP:
        leaf->meaning =
            l.kind == PARQUET_LOGICAL_TIME ? PARQUET_MEANING_TIME : PARQUET_MEANING_TIMESTAMP;
        leaf->unit = l.unit;
        leaf->utc = l.utc;
        fits = fits_time(e, l.kind, l.unit);
        break;
    case PARQUET_LOGICAL_INTEGER:
        leaf->meaning = l.is_signed ? PARQUET_MEANING_SIGNED : PARQUET_MEANING_UNSIGNED;
        fits = integer;
        break;
    case PARQUET_LOGICAL_UUID:
        leaf->meaning = PARQUET_MEANING_UUID;
        fits = fits_fixed(e, 16);
        break;
    case PARQUET_LOGICAL_FLOAT16:
        leaf->meaning = PARQUET_MEANING_FLOAT16;
        fits = fits_fixed(e, 2);
        break;
    case PARQUET_LOGICAL_MAP:
    case PARQUET_LOGICAL_LIST:
        break;
    }
    if (!fits)
        leaf->unsupported = "has an annotation that varve does not know for its type";
}

/* A group that is being walked: its children that are still to come, its own name, and the levels
 * of what is in it. */
struct level {
    int32_t children;
    struct slice name;
    uint8_t definition, repetition;
};

/* The levels below `e`, which lies within `outer` (parquet-format README, Nested Encoding). */
static struct level level_of(const struct parquet_schema_element *e, const struct level *outer)
{
    struct level l = {e->num_children, e->name, outer->definition, outer->repetition};
    bool repeated = e->has_repetition && e->repetition == PARQUET_REPETITION_REPEATED;
    if (repeated || (e->has_repetition && e->repetition == PARQUET_REPETITION_OPTIONAL))
        l.definition++;
    if (repeated)
        l.repetition++;
    return l;
}

static void set_leaf(struct parquet_leaf *leaf, const struct level *outer)
{
    const struct parquet_schema_element *e = leaf->element;
    struct level level = level_of(e, outer);
    leaf->type = (struct parquet_value_type){e->type, type_width(e)};
    leaf->definition = level.definition;
    leaf->repetition = level.repetition;
    if (parquet_type_name(e->type) == NULL) {
        leaf->unsupported = "is of a physical type that varve does not know";
        return;
    }
    set_meaning(leaf);
    if (e->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY && e->type_length == 0)
        leaf->unsupported = "has values of fixed length 0";
}

/* The names of the groups and of the column; only the latter if that gets too long. */
static struct slice path_of(const struct level *levels, unsigned depth, struct slice name,
                            struct arena *arena)
{
    size_t len = name.len;
    for (unsigned i = 1; i < depth; i++)
        len += levels[i].name.len + 1;
    if (len == name.len || len > PARQUET_PATH_MAX)
        return name;
    uint8_t *text = arena_alloc(arena, len), *at = text;
    for (unsigned i = 1; i < depth; i++) {
        if (levels[i].name.len > 0)
            memcpy(at, levels[i].name.data, levels[i].name.len);
        at += levels[i].name.len;
        *at++ = '.';
    }
    if (name.len > 0)
        memcpy(at, name.data, name.len);
    return (struct slice){text, len};
}

int parquet_leaves(const struct parquet_file_metadata *metadata, struct arena *arena,
                   struct parquet_leaf **leaves, uint32_t *count, struct err *err)
{
    struct level levels[PARQUET_SCHEMA_DEPTH_MAX];
    unsigned depth = 0; /* open groups; 1 = only the root */
    *leaves = arena_calloc(arena, metadata->schema_count, sizeof(**leaves));
    *count = 0;
    for (uint32_t i = 0; i < metadata->schema_count; i++) {
        const struct parquet_schema_element *e = &metadata->schema[i];
        while (depth > 0 && levels[depth - 1].children == 0)
            depth--;
        if (i > 0 && depth == 0)
            return err_set(err, ERR_FORMAT, "the schema has elements that belong to no group");
        if (e->has_repetition && e->repetition > PARQUET_REPETITION_REPEATED)
            return err_set(err, ERR_FORMAT, "the schema has a repetition of number %d",
                           (int)e->repetition);
        if (i > 0)
            levels[depth - 1].children--;
        if (e->has_type && i > 0) {
            if (*count == PARQUET_LEAVES_MAX)
                return err_set(err, ERR_LIMIT, "the file has more than %d columns",
                               (int)PARQUET_LEAVES_MAX);
            struct parquet_leaf *leaf = &(*leaves)[(*count)++];
            leaf->element = e;
            leaf->name = path_of(levels, depth, e->name, arena);
            set_leaf(leaf, &levels[depth - 1]);
            continue;
        }
        if (depth == PARQUET_SCHEMA_DEPTH_MAX)
            return err_set(err, ERR_LIMIT, "the schema nests deeper than %d groups",
                           (int)PARQUET_SCHEMA_DEPTH_MAX);
        struct level root = {.children = e->num_children, .name = e->name};
        levels[depth] = depth == 0 ? root : level_of(e, &levels[depth - 1]);
        depth++;
    }
    while (depth > 0 && levels[depth - 1].children == 0)
        depth--;
    if (depth != 0 || metadata->schema_count == 0)
        return err_set(err, ERR_FORMAT, "the schema ends before its last column");
    return 0;
}

/* An IEEE 754 half. */
static double half(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1f;
    double fraction = bits & 0x3ff;
    double value = exponent == 0    ? ldexp(fraction, -24)
                   : exponent != 31 ? ldexp(fraction + 1024, exponent - 25)
                   : fraction != 0  ? (double)NAN
                                    : (double)INFINITY;
    return (bits & 0x8000) != 0 ? -value : value;
}

double parquet_leaf_real(const struct parquet_leaf *leaf, struct slice value)
{
    uint32_t bits32 = 0;
    uint64_t bits64 = 0;
    float narrow = 0;
    double wide = 0;
    if (leaf->meaning == PARQUET_MEANING_FLOAT16)
        return half((uint16_t)(value.data[0] | value.data[1] << 8));
    if (leaf->meaning == PARQUET_MEANING_FLOAT) {
        bits32 = load_u32le(value.data);
        memcpy(&narrow, &bits32, sizeof(narrow));
        return (double)narrow;
    }
    bits64 = load_u64le(value.data);
    memcpy(&wide, &bits64, sizeof(wide));
    return wide;
}

static bool is_real(const struct parquet_leaf *leaf)
{
    return leaf->meaning == PARQUET_MEANING_FLOAT || leaf->meaning == PARQUET_MEANING_DOUBLE ||
           leaf->meaning == PARQUET_MEANING_FLOAT16;
}

bool parquet_leaf_is_nan(const struct parquet_leaf *leaf, struct slice value)
{
    return is_real(leaf) && isnan(parquet_leaf_real(leaf, value));
}

/* Big-endian two's complement of any lengths. */
static int compare_signed_bytes(struct slice a, struct slice b)
{
    size_t len = a.len > b.len ? a.len : b.len;
    uint8_t sign_a = a.len > 0 && (a.data[0] & 0x80) != 0 ? 0xff : 0;
    uint8_t sign_b = b.len > 0 && (b.data[0] & 0x80) != 0 ? 0xff : 0;
    if (sign_a != sign_b)
        return sign_a != 0 ? -1 : 1;
    for (size_t i = 0; i < len; i++) {
        uint8_t x = len - i > a.len ? sign_a : a.data[a.len - (len - i)];
        uint8_t y = len - i > b.len ? sign_b : b.data[b.len - (len - i)];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

int parquet_leaf_compare(const struct parquet_leaf *leaf, struct slice a, struct slice b)
{
    if (leaf->type.type == PARQUET_TYPE_INT32 || leaf->type.type == PARQUET_TYPE_INT64) {
        bool wide = leaf->type.type == PARQUET_TYPE_INT64;
        uint64_t x = wide ? load_u64le(a.data) : (uint64_t)(int32_t)load_u32le(a.data);
        uint64_t y = wide ? load_u64le(b.data) : (uint64_t)(int32_t)load_u32le(b.data);
        if (leaf->meaning == PARQUET_MEANING_UNSIGNED)
            return x < y ? -1 : x > y;
        return (int64_t)x < (int64_t)y ? -1 : (int64_t)x > (int64_t)y;
    }
    if (is_real(leaf)) {
        double x = parquet_leaf_real(leaf, a), y = parquet_leaf_real(leaf, b);
        return x < y ? -1 : x > y;
    }
    if (leaf->meaning == PARQUET_MEANING_DECIMAL)
        return compare_signed_bytes(a, b);
    return slice_compare(a, b);
}

const char *parquet_type_name(enum parquet_type type)
{
    switch (type) {
    case PARQUET_TYPE_BOOLEAN:
        return "BOOLEAN";
    case PARQUET_TYPE_INT32:
        return "INT32";
    case PARQUET_TYPE_INT64:
        return "INT64";
    case PARQUET_TYPE_INT96:
        return "INT96";
    case PARQUET_TYPE_FLOAT:
        return "FLOAT";
    case PARQUET_TYPE_DOUBLE:
        return "DOUBLE";
    case PARQUET_TYPE_BYTE_ARRAY:
        return "BYTE_ARRAY";
    case PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY:
        return "FIXED_LEN_BYTE_ARRAY";
    }
    return NULL;
}
