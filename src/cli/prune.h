/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_PRUNE_H
#define VARVE_CLI_PRUNE_H

#include <stdint.h>

#include "follow/filter.h"
#include "parquet/read/file.h"

/* What was left out of a file, of how much. Pages are those of the compared columns, in the row
 * groups that are left, where the file has an index of them. */
struct prune_result {
    uint32_t groups, groups_skipped;
    uint64_t pages, pages_skipped;
};

/* What is beyond is not used: row groups may claim the same bytes over and over. */
enum {
    /* Bytes of the index of one chunk: some 30 a page, which is 100 KiB of rows or more. */
    PRUNE_INDEX_MAX = 4 * 1024 * 1024,
    /* Pages of a file that are looked at; each takes a read of its header. */
    PRUNE_PAGES_MAX = 1024 * 1024,
};

/*
 * Leave out of an open file in what no row can pass, before its first row is read: row groups by
 * their statistics (errors that come later number those that are left), and rows by the column
 * index of their pages (parquet-format, PageIndex.md). How many rows a page has is taken from its
 * own header, never from the offset index. An index that is damaged, or does not fit the pages,
 * rules nothing out, and is no error; whether its bounds are true is for `varve verify`.
 */
struct prune_result prune_file(const struct filter *f, struct parquet_file *file);

#endif
