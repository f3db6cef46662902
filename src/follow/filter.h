/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_FILTER_H
#define VARVE_FOLLOW_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "parquet/read/file.h"

/*
 * Which rows `varve cat` prints, or a follower is for: those for which all of its terms hold. A
 * term is COLUMN OP VALUE; what VALUE means is known once it is bound to a column of a file.
 *
 * A null is not equal, unequal, less or greater than any value: it passes only `= null`, and only
 * `!= null` keeps out nothing else. "null" in quotes is that text. NaN passes `!=` alone.
 */
enum filter_op {
    FILTER_EQUAL,
    FILTER_NOT_EQUAL,
    FILTER_LESS,
    FILTER_LESS_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
};

/* Borrowed from the text that it was made of. */
struct filter_term {
    struct slice column;
    enum filter_op op;
    bool null; /* compared with null; there is no value */
    struct slice value;
};

struct filter {
    ARRAY(struct filter_term) terms;
};

/* A term as it applies to one column. */
struct filter_test {
    const struct parquet_leaf *leaf;
    enum filter_op op;
    bool null;
    struct slice bytes; /* TEXT, BYTES */
    int64_t integer;    /* SIGNED, DATE; TIMESTAMP: whole units; BOOLEAN: 0 or 1 */
    bool more;          /* TIMESTAMP: the value is later than `integer`, by less than a unit */
    uint64_t natural;   /* UNSIGNED */
    double real;        /* FLOAT, DOUBLE */
};

/* Add `COLUMN OP VALUE`; blanks around OP and at both ends don't count. ERR_USAGE if it is none. */
int filter_add(struct filter *f, const char *text, struct err *err)
    __attribute__((warn_unused_result));

/* Add a bound on the place in the stream, which is FILTER_GREATER_EQUAL or FILTER_LESS_EQUAL: a
 * sequence, or an RFC 3339 time at which the stream stored the message. */
int filter_add_place(struct filter *f, enum filter_op op, const char *text, struct err *err)
    __attribute__((warn_unused_result));

/* Take an option of a command that chooses rows: 'w', --where, as filter_add; 'f', --from, and 't',
 * --to, as filter_add_place. */
int filter_take_option(struct filter *f, int option, const char *value, struct err *err)
    __attribute__((warn_unused_result));

/* What the term asks of the values of a leaf, both borrowed. ERR_FORMAT if its value is not one of
 * that column, or if columns of this kind can't be compared. */
int filter_bind(const struct filter_term *term, const struct parquet_leaf *leaf,
                struct filter_test *test, struct err *err) __attribute__((warn_unused_result));

/* True if a value, as in values.h, passes; a NULL pointer is a null. */
bool filter_passes(const struct filter_test *test, struct slice value);

/* False if none of `values` values, nulls included, that have these statistics can pass. What they
 * don't say, or may mean in another way, rules nothing out; bounds count only if `ordered`. */
bool filter_may_pass(const struct filter_test *test, const struct parquet_statistics *s,
                     uint64_t values, bool ordered);

void filter_free(struct filter *f);

#endif
