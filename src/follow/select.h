/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SELECT_H
#define VARVE_FOLLOW_SELECT_H

#include "config/config.h"
#include "event/event.h"
#include "follow/filter.h"
#include "parquet/read/leaf.h"

/*
 * The rows of the store that a follower is for: those for which all terms of `select` in its
 * configuration hold, as `varve cat --where` has them, on the columns of event_schema. Zeroed it is
 * for all rows.
 */
struct follow_select {
    struct filter filter;
    struct follow_select_term {
        struct parquet_leaf leaf; /* as the column would be in a file */
        struct filter_test test;
        uint32_t column;
    } * terms;
};

/* How many terms there are: 0 of the list that is "any". */
size_t follow_select_count(const struct config_list *terms);

/* The texts of `terms` are borrowed. ERR_USAGE for one that is none, of a column that rows of the
 * store have not, or with a value that is none of that column. */
int follow_select_make(struct follow_select *s, const struct config_list *terms, struct err *err)
    __attribute__((warn_unused_result));

/* `values`: those of event_schema's columns, as PLAIN bytes. */
bool follow_select_passes(const struct follow_select *s, const struct slice *values);

void follow_select_free(struct follow_select *s);

#endif
