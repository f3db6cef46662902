/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ARCHIVE_CONTENT_H
#define VARVE_FOLLOW_ARCHIVE_CONTENT_H

#include "follow/archive_part.h"

/*
 * Which files of the archive the store has in other files, where another engine has merged rows of
 * several streams into one: by the rows themselves (row_hash.h). Memory is that of ROWS_MAX rows;
 * each file of the store is read once for as many rows of the archive's.
 */
enum archive_found {
    ARCHIVE_FOUND_NONE, /* the store has none of its rows */
    ARCHIVE_FOUND_ALL,
    ARCHIVE_FOUND_SOME,
};

/* A file of the archive that the store has not. */
struct archive_old {
    const struct delta_file *file;
    enum archive_found found; /* set */
};

/* A file of the store that the archive has not. */
struct archive_fresh {
    const struct delta_file *file;
    bool related; /* set: it has rows of the others */
};

int archive_match(struct archive *a, struct follow_view *view, struct archive_old *old,
                  size_t old_count, struct archive_fresh *fresh, size_t fresh_count,
                  struct err *err) __attribute__((warn_unused_result));

#endif
