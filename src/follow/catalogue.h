/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_CATALOGUE_H
#define VARVE_FOLLOW_CATALOGUE_H

#include "base/arena.h"
#include "base/array.h"
#include "delta/snapshot.h"
#include "follow/reader.h"

/*
 * Which live files of a table have rows of which generation of a stream. The tags of an `add` of
 * varve say it. Another engine that rewrites files drops them: in a table of one generation the
 * rows are of that one; else nobody can tell, and such files stand by themselves.
 */
struct follow_stream {
    const char *stream, *created;    /* NULL: of more than one, and nobody can tell of which */
    ARRAY(struct follow_file) files; /* in the order of their first sequences */
};

/* A zeroed struct is empty. */
struct follow_catalogue {
    ARRAY(struct follow_stream) streams; /* by name, then by the time of creation */
    struct arena arena;
};

/* Fill an empty catalogue; the snapshot was loaded with want_files, and is not needed afterwards.
 * ERR_UNSUPPORTED if rows of a file were deleted by another engine (a deletion vector), ERR_FORMAT
 * for a path that leads out of the table. */
int follow_catalogue_fill(struct follow_catalogue *c, const struct delta_snapshot *snapshot,
                          struct err *err) __attribute__((warn_unused_result));

void follow_catalogue_free(struct follow_catalogue *c);

#endif
