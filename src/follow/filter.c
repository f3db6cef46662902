/* SPDX-License-Identifier: MIT */
#include "follow/filter.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/num.h"
#include "base/time.h"
#include "follow/reader.h"

enum {
    DATE_LEN = 10,   /* of YYYY-MM-DD */
    NUMBER_MAX = 64, /* no number needs more characters */
};

static struct slice trim(const char *text, size_t len)
{
    while (len > 0 && *text == ' ') {
        text++;
        len--;
    }
    while (len > 0 && text[len - 1] == ' ')
        len--;
    return (struct slice){(const uint8_t *)text, len};
}

/* The operator at `at`, and in *len its length; 0: there is none. */
static enum filter_op read_op(const char *at, size_t *len)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } ops[] = {
        {"!=", FILTER_NOT_EQUAL}, {"<=", FILTER_LESS_EQUAL}, {">=", FILTER_GREATER_EQUAL},
        {"==", FILTER_EQUAL},     {"=", FILTER_EQUAL},       {"<", FILTER_LESS},
        {">", FILTER_GREATER},
    };
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        *len = strlen(ops[i].text);
        if (strncmp(at, ops[i].text, *len) == 0)
            return ops[i].op;
    }
    *len = 0;
    return FILTER_EQUAL;
}

int filter_add(struct filter *f, const char *text, struct err *err)
{
    size_t name = strcspn(text, "=!<>"), op_len = 0;
    struct filter_term term = {.column = trim(text, name), .op = read_op(text + name, &op_len)};
    if (term.column.len == 0 || op_len == 0)
        return err_set(err, ERR_USAGE,
                       "'%s' is not COLUMN OP VALUE, where OP is one of = != < <= > >=", text);
    const char *rest = text + name + op_len;
    term.value = trim(rest, strlen(rest));
    term.null = slice_is(term.value, "null");
    if (term.null && term.op != FILTER_EQUAL && term.op != FILTER_NOT_EQUAL)
        return err_set(err, ERR_USAGE, "'%s': nothing is less or greater than null", text);
    size_t len = term.value.len;
    if (len >= 2 && term.value.data[0] == '"' && term.value.data[len - 1] == '"')
        term.value = (struct slice){term.value.data + 1, len - 2};
    *array_add(&f->terms) = term;
    return 0;
}

int filter_add_place(struct filter *f, enum filter_op op, const char *text, struct err *err)
{
    struct filter_term term = {.op = op, .value = slice_of(text)};
    int64_t number = 0;
    if (num_parse_i64(term.value, &number) && number >= 0)
        term.column = slice_of(FOLLOW_SEQUENCE);
    else if (time_parse(term.value, &number))
        term.column = slice_of("stream_time");
    else
        return err_set(err, ERR_USAGE,
                       "'%s' is no sequence, and no time such as 2026-11-24T12:00:00Z", text);
    *array_add(&f->terms) = term;
    return 0;
}

int filter_take_option(struct filter *f, int option, const char *value, struct err *err)
{
    if (option == 'w')
        return filter_add(f, value, err);
    ASSERT(option == 'f' || option == 't');
    return filter_add_place(f, option == 'f' ? FILTER_GREATER_EQUAL : FILTER_LESS_EQUAL, value,
                            err);
}

static int wrong_value(const struct filter_term *term, const char *wanted, struct err *err)
{
    return err_set(err, ERR_FORMAT, "column %.*s is compared with %s, not '%.*s'",
                   (int)term->column.len, (const char *)term->column.data, wanted,
                   (int)term->value.len, (const char *)term->value.data);
}

static bool bind_date(const struct filter_term *term, struct filter_test *test)
{
    char text[DATE_LEN + sizeof("T00:00:00Z")];
    int64_t ns = 0;
    if (term->value.len != DATE_LEN)
        return false;
    memcpy(text, term->value.data, DATE_LEN);
    memcpy(text + DATE_LEN, "T00:00:00Z", sizeof("T00:00:00Z"));
    if (!time_parse(slice_of(text), &ns))
        return false;
    struct time_utc utc = time_utc_of(ns);
    test->integer = time_days_of(utc.date);
    return true;
}

static bool bind_timestamp(const struct filter_term *term, struct filter_test *test)
{
    int64_t ns = 0;
    if (!time_parse(term->value, &ns))
        return false;
    int64_t unit = test->leaf->unit == PARQUET_UNIT_MILLIS   ? 1000000
                   : test->leaf->unit == PARQUET_UNIT_MICROS ? 1000
                                                             : 1;
    test->integer = num_floor_divide(ns, unit);
    test->more = ns != test->integer * unit;
    return true;
}

static bool bind_real(const struct filter_term *term, struct filter_test *test)
{
    char text[NUMBER_MAX + 1];
    char *end = NULL;
    if (term->value.len == 0 || term->value.len > NUMBER_MAX ||
        strspn((const char *)term->value.data, "+-.0123456789eE") < term->value.len)
        return false;
    memcpy(text, term->value.data, term->value.len);
    text[term->value.len] = '\0';
    /* As wide as the column: what cat prints of a value is equal to it. */
    test->real = test->leaf->meaning == PARQUET_MEANING_FLOAT ? (double)strtof(text, &end)
                                                              : strtod(text, &end);
    return *end == '\0' && isfinite(test->real);
}

static bool bind_boolean(const struct filter_term *term, struct filter_test *test)
{
    test->integer = slice_is(term->value, "true");
    return test->integer == 1 || slice_is(term->value, "false");
}

int filter_bind(const struct filter_term *term, const struct parquet_leaf *leaf,
                struct filter_test *test, struct err *err)
{
    *test = (struct filter_test){.leaf = leaf, .op = term->op, .null = term->null};
    if (term->null)
        return 0;
    switch (leaf->meaning) {
    case PARQUET_MEANING_BOOLEAN:
        return bind_boolean(term, test) ? 0 : wrong_value(term, "true or false", err);
    case PARQUET_MEANING_SIGNED:
        if (num_parse_i64(term->value, &test->integer) || time_parse(term->value, &test->integer))
            return 0;
        return wrong_value(term, "a whole number or a time such as 2026-11-24T12:00:00Z", err);
    case PARQUET_MEANING_UNSIGNED:
        return num_parse_u64(term->value, &test->natural)
                   ? 0
                   : wrong_value(term, "a whole number from 0 on", err);
    case PARQUET_MEANING_DATE:
        return bind_date(term, test) ? 0 : wrong_value(term, "a date such as 2026-11-24", err);
    case PARQUET_MEANING_TIMESTAMP:
        return bind_timestamp(term, test)
                   ? 0
                   : wrong_value(term, "a time such as 2026-11-24T12:00:00Z", err);
    case PARQUET_MEANING_FLOAT:
    case PARQUET_MEANING_DOUBLE:
        return bind_real(term, test) ? 0 : wrong_value(term, "a number", err);
    case PARQUET_MEANING_TEXT:
    case PARQUET_MEANING_BYTES:
        test->bytes = term->value;
        return 0;
    case PARQUET_MEANING_TIME:
    case PARQUET_MEANING_INT96:
    case PARQUET_MEANING_FLOAT16:
    case PARQUET_MEANING_DECIMAL:
    case PARQUET_MEANING_UUID:
        break;
    }
    return wrong_value(term, "null only", err);
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int64_t integer_of(const struct parquet_leaf *leaf, struct slice value)
{
    if (leaf->meaning == PARQUET_MEANING_BOOLEAN)
        return value.data[0] != 0;
    if (leaf->type.type == PARQUET_TYPE_INT32)
        return (int32_t)load_u32le(value.data);
    return (int64_t)load_u64le(value.data);
}

/* Negative, zero or positive: how a value that is no NaN compares with that of the test. */
static int compare(const struct filter_test *test, struct slice value)
{
    switch (test->leaf->meaning) {
    case PARQUET_MEANING_BOOLEAN:
    case PARQUET_MEANING_SIGNED:
    case PARQUET_MEANING_DATE:
    case PARQUET_MEANING_TIMESTAMP: {
        int result = order(integer_of(test->leaf, value), test->integer);
        return result == 0 && test->more ? -1 : result;
    }
    case PARQUET_MEANING_UNSIGNED: {
        uint64_t natural = test->leaf->type.type == PARQUET_TYPE_INT32 ? load_u32le(value.data)
                                                                       : load_u64le(value.data);
        return (natural > test->natural) - (natural < test->natural);
    }
    case PARQUET_MEANING_FLOAT:
    case PARQUET_MEANING_DOUBLE: {
        double real = parquet_leaf_real(test->leaf, value);
        return (real > test->real) - (real < test->real);
    }
    case PARQUET_MEANING_TEXT:
    case PARQUET_MEANING_BYTES:
    case PARQUET_MEANING_TIME: /* from here on: filter_bind takes none */
    case PARQUET_MEANING_INT96:
    case PARQUET_MEANING_FLOAT16:
    case PARQUET_MEANING_DECIMAL:
    case PARQUET_MEANING_UUID:
        break;
    }
    return slice_compare(value, test->bytes);
}

bool filter_passes(const struct filter_test *test, struct slice value)
{
    if (test->null)
        return (value.data == NULL) == (test->op == FILTER_EQUAL);
    if (value.data == NULL)
        return false;
    if (parquet_leaf_is_nan(test->leaf, value))
        return test->op == FILTER_NOT_EQUAL;
    int result = compare(test, value);
    switch (test->op) {
    case FILTER_EQUAL:
        return result == 0;
    case FILTER_NOT_EQUAL:
        return result != 0;
    case FILTER_LESS:
        return result < 0;
    case FILTER_LESS_EQUAL:
        return result <= 0;
    case FILTER_GREATER:
        return result > 0;
    case FILTER_GREATER_EQUAL:
        return result >= 0;
    }
    return false;
}

/* A bound of the values, if it can be relied on: of the right width, and no NaN. */
static bool usable(const struct parquet_leaf *leaf, bool has, struct slice bound)
{
    return has && bound.data != NULL && (leaf->type.width == 0 || bound.len == leaf->type.width) &&
           !parquet_leaf_is_nan(leaf, bound);
}

/* True if nothing between the bounds, which need not be values themselves, passes. */
static bool out_of_bounds(const struct filter_test *test, const struct parquet_statistics *s)
{
    bool has_min = usable(test->leaf, s->has_min, s->min);
    bool has_max = usable(test->leaf, s->has_max, s->max);
    switch (test->op) {
    case FILTER_EQUAL:
        return (has_min && compare(test, s->min) > 0) || (has_max && compare(test, s->max) < 0);
    case FILTER_NOT_EQUAL:
        return false;
    case FILTER_LESS:
        return has_min && compare(test, s->min) >= 0;
    case FILTER_LESS_EQUAL:
        return has_min && compare(test, s->min) > 0;
    case FILTER_GREATER:
        return has_max && compare(test, s->max) <= 0;
    case FILTER_GREATER_EQUAL:
        return has_max && compare(test, s->max) < 0;
    }
    return false;
}

bool filter_may_pass(const struct filter_test *test, const struct parquet_statistics *s,
                     uint64_t values, bool ordered)
{
    bool all_null = s->has_null_count && (uint64_t)s->null_count == values;
    if (test->null)
        return test->op == FILTER_EQUAL ? !s->has_null_count || s->null_count > 0 : !all_null;
    return !all_null && !(ordered && out_of_bounds(test, s));
}

void filter_free(struct filter *f)
{
    array_free(&f->terms);
}
