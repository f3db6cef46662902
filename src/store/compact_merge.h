/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMPACT_MERGE_H
#define VARVE_STORE_COMPACT_MERGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/array.h"
#include "base/err.h"
#include "base/sha256.h"
#include "batch/schema.h"
#include "batch/seqset.h"
#include "delta/snapshot.h"
#include "delta/stats.h"
#include "object/object.h"
#include "parquet/codec.h"

/*
 * Several files of one generation of a stream become one, row for row, in the order of the stream.
 * Memory is that of a row group that is being written, and of a page a column of each file that
 * covers the place where the merge is.
 */
enum {
    /* Files whose ranges overlap at one place: as many as instances have written at once. More are
     * not merged. */
    COMPACT_OVERLAP_MAX = 32,
};

struct compact_input {
    const struct delta_file *file; /* borrowed; of varve, by its tags */
    char *name, *path;             /* of the object; as in the log. Borrowed */
    uint64_t first, last;          /* no row has a sequence outside */
    /* What stands in the name, behind the folder, in front of the sequences and behind them, but
     * for a number that keeps names apart; and which of the two it has. */
    struct slice before, after;
    bool has_first, has_last;
};

struct compact_merge {
    struct object_store *store;
    struct object_store *into; /* where what comes of it is staged; NULL: the same */
    const struct schema *schema;
    int level;               /* of compression */
    struct account *account; /* may be NULL */
    struct parquet_codec *codec;
    const atomic_bool *stop;
    const struct compact_input *inputs; /* in the order of `first` */
    size_t count;
    const char *name; /* of the object that comes of it */
};

/* A finished file, staged, and what the log says of it. */
struct compact_output {
    struct object_staged *staged;
    struct seqset sequences;
    uint64_t rows;
    char sha256[SHA256_TEXT_MAX];
    struct store_column_stats *stats; /* one a column of the schema */
    size_t stats_count;
    struct buf text; /* what text bounds in `stats` point to */
};

/*
 * Merge. ERR_REFUSED soon after *stop becomes true. ERR_UNSUPPORTED or ERR_FORMAT for files that
 * can't be merged, each with the file: columns that are not in the schema, or of other types; rows
 * that are missing. Columns that files lack are null.
 */
int compact_merge(const struct compact_merge *m, struct compact_output *out, struct err *err)
    __attribute__((warn_unused_result));

/* Frees all but `staged`, which is the caller's. Accepts a zeroed one. */
void compact_output_free(struct compact_output *out);

#endif
