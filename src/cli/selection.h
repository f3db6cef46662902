/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_SELECTION_H
#define VARVE_CLI_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "follow/filter.h"
#include "parquet/read/file.h"

/* The columns of a file that are read: those that are printed, in their order, and then those that
 * only the filter needs. All in an arena. */
struct selection {
    const struct parquet_field **fields;
    uint32_t shown, count;
    size_t terms;              /* of the filter */
    struct filter_test *tests; /* of each of them */
    uint32_t *places;          /* of their columns, in `fields` */
    /* In `fields`: the payload, which is shown, and what says whether it is text. UINT32_MAX, and
     * nothing: not in this file. */
    uint32_t payload, hint;
};

/* Choose the columns of an open file: `columns` are names with commas between, NULL: all.
 * ERR_FORMAT if it has no such column, one is listed twice, or one can't be compared as the filter
 * asks. The file, the filter and the arena must outlive the selection. */
int selection_make(struct selection *s, const struct parquet_file *file, const char *columns,
                   const struct filter *filter, struct arena *arena, struct err *err)
    __attribute__((warn_unused_result));

/* Does a row pass the filter? The values are those of `fields`, as in values.h. */
bool selection_passes(const struct selection *s, const struct slice *values);

/* True if the value at this place is a payload that the row says is text. */
bool selection_is_text(const struct selection *s, uint32_t place, const struct slice *values);

#endif
