/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMPACT_READ_H
#define VARVE_STORE_COMPACT_READ_H

#include "parquet/read/file.h"
#include "parquet/read/records.h"
#include "parquet/read/rows.h"
#include "parquet/write/writer.h"
#include "store/compact_merge.h"

/*
 * What compact_merge.c reads: rows of its inputs, in the order of the stream. A file may have been
 * committed with rows that were delivered late: then it is as many readings as it has runs of rows
 * that are in order.
 */
struct compact_run {
    uint64_t first, rows; /* rows before it, and of it */
};

struct compact_runs {
    ARRAY(struct compact_run);
};

struct compact_reading {
    struct compact_reading *next; /* spare */
    const struct compact_input *input;
    struct object_store *store;
    struct buf bytes; /* all of a small file; else what was read last */
    bool whole;
    struct parquet_source source;
    struct parquet_file file;
    struct parquet_rows *rows;       /* of a flat schema, */
    struct parquet_records *records; /* or of another one; NULL: it is flat */
    uint64_t left;                   /* rows of the run */
    uint32_t row_group;              /* the next one to begin */
    uint64_t group_left;             /* rows of the one before it */
    /* The next row is the first of a row group that lies within the run and may be copied, and none
     * of it was read: `sequence` is of that row, as the footer has it. */
    bool at_group;
    uint64_t group_end;              /* at_group: the greatest sequence of it, in the same way */
    bool hashed;                     /* the file is, byte for byte, the one that the log means */
    uint64_t sequence;               /* of the row that is in `values` */
    struct slice *values;            /* the row, by `slots`; */
    const struct parquet_value *row; /* or that of `records` */
    uint32_t order;                  /* leaf with the sequences */
    uint32_t *slots; /* by column of the schema: which of the values; UINT32_MAX: not in the file */
};

/* What all readings of a merge have in common, and memory of those that are closed, for those to
 * come. Filled in by the caller but for `spare`, NULL at first. */
struct compact_readings {
    const struct compact_merge *merge;
    const struct parquet_writer *writer; /* to which row groups are copied */
    uint32_t order;                      /* number of the column with the sequences */
    struct compact_reading *spare;
};

/* Never NULL, and to be closed. Of no file yet. */
struct compact_reading *compact_reading_new(struct compact_readings *all,
                                            const struct compact_input *input);

/* Open its file. ERR_FORMAT and ERR_UNSUPPORTED as for compact_merge; errors do not name it. */
int compact_reading_open(struct compact_readings *all, struct compact_reading *r, struct err *err)
    __attribute__((warn_unused_result));

/* Fill `out` with the runs of the file, in the order of its rows. */
int compact_reading_find_runs(struct compact_readings *all, struct compact_reading *r,
                              struct compact_runs *out, struct err *err)
    __attribute__((warn_unused_result));

/* Once: go to the run. */
int compact_reading_begin(struct compact_reading *r, const struct compact_run *run, struct err *err)
    __attribute__((warn_unused_result));

/* The next row of the run, or r->at_group; *more: there is one. */
int compact_reading_next(struct compact_readings *all, struct compact_reading *r, bool *more,
                         struct err *err) __attribute__((warn_unused_result));

/* r->at_group: do not copy the row group, read its first row. */
int compact_reading_enter(struct compact_readings *all, struct compact_reading *r, struct err *err)
    __attribute__((warn_unused_result));

/* r->at_group: add the sequences of the row group to `out`, once they turned out to be in the order
 * that was stated. */
int compact_reading_add_group(struct compact_readings *all, struct compact_reading *r,
                              struct seqset *out, struct err *err)
    __attribute__((warn_unused_result));

/* r->at_group: pass over the row group, to compact_reading_next. */
int compact_reading_pass(struct compact_reading *r, struct err *err)
    __attribute__((warn_unused_result));

/* At any time: its memory is spare. */
void compact_reading_close(struct compact_readings *all, struct compact_reading *r);

/* Find the columns of the table in those of its file, and get ready to read them. ERR_UNSUPPORTED
 * if they do not fit. For compact_reading_open. */
int compact_match_columns(struct compact_reading *r, const struct compact_merge *m, struct err *err)
    __attribute__((warn_unused_result));

/* Append the row to a batch of the table's schema; what the file lacks is null. After an error the
 * batch is of no use. */
int compact_put_row(struct batch *b, const struct compact_reading *r, struct err *err)
    __attribute__((warn_unused_result));

void compact_readings_free(struct compact_readings *all);

#endif
