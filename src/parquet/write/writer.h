/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_WRITER_H
#define VARVE_PARQUET_WRITE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/batch.h"
#include "parquet/codec.h"
#include "parquet/write/statistics.h"

/*
 * Batches in, the bytes of one Parquet file after the other out. A writer holds the compressed
 * pages of one row group and the metadata of one file; it knows no descriptor. All rows of a batch
 * (at most BATCH_ROWS_MAX) end a page in every column, and wide columns are
 * cut further inside of it, so that page boundaries nest across columns.
 *
 * The same rows in the same batches with the same options, file after file from a new codec on,
 * make the same bytes: how a column is compressed is chosen by its content, and used for a while
 * (chunk_pages.c). Every byte of a file is covered by a checksum: bodies of pages by the page's
 * CRC, all else by an entry of the footer (see checksum.h).
 */
struct parquet_options {
    int compression_level;    /* highest zstd level that may be chosen, PARQUET_LEVEL_MIN to _MAX */
    uint32_t page_bytes;      /* uncompressed size of the values of a page; one value always fits */
    uint32_t row_group_rows;  /* a row group is closed before it has more rows than this; a batch of
                                 more rows than this has one of its own */
    uint64_t row_group_bytes; /* or when it holds this many bytes before compression */

    /* DELTA_BINARY_PACKED for int64 and DELTA_LENGTH_BYTE_ARRAY for byte strings: smaller and
     * faster, but some readers can't have them. Off by default. */
    bool delta;

    struct account
        *account; /* to which the memory is booked, too; outlives the writer. NULL: none */
};

enum {
    PARQUET_PAGE_BYTES = 1024 * 1024,     /* default of page_bytes */
    PARQUET_PAGE_BYTES_LOWEST = 4 * 1024, /* below, zstd and headers cost more than they give */
    PARQUET_PAGE_BYTES_HIGHEST = 32 * 1024 * 1024,
    PARQUET_ROW_GROUP_ROWS = 1024 * 1024, /* default of row_group_rows */
    PARQUET_ROW_GROUP_BYTES = 128 * 1024 * 1024,
    /* Pages of one file: bounds the memory of its indexes (some 200 bytes a page), and readers
     * refuse lists of more than a million elements. */
    PARQUET_PAGES_MAX = 500000,
    /* Column chunks of one file: a footer grows by some 150 bytes for each, and readers refuse
     * footers of more than some tens of MiB. */
    PARQUET_CHUNKS_MAX = 120000,
};

/* The defaults above, level 1, no delta. */
struct parquet_options parquet_options_default(void);

/* Where the bytes of a file go, in order. `write` returns 0, or -1 with `err` filled, after which
 * the file is lost: parquet_writer_reset. */
struct parquet_sink {
    int (*write)(void *context, const void *data, size_t len, struct err *err);
    void *context;

    /* NULL; or take over memory: the pages of a chunk, which are written next and need not be
     * copied then. It leaves an empty buffer, and books what it takes elsewhere. */
    void (*take)(void *context, struct buf *memory);
};

struct parquet_writer;

/* Ready for the first file. `schema` outlives the writer, `codec` belongs to the thread and does
 * so, too; `options` are copied. An ASSERT fails for options out of range, or a schema that
 * schema_nodes does not accept: both have been checked before. */
struct parquet_writer *parquet_writer_new(const struct schema *schema,
                                          const struct parquet_options *options,
                                          struct parquet_codec *codec);
void parquet_writer_free(struct parquet_writer *w);

/* Encode and compress the rows of `batch`, which may be reset afterwards; row groups that are full
 * go to the sink. A batch without rows does nothing. Fails if the sink fails; with ERR_LIMIT, and
 * the writer as it was, if the file has as many pages or row groups as it may have (see
 * parquet_writer_full), or for a value, or a row of a column within lists, larger than
 * BATCH_VALUE_MAX. */
int parquet_writer_append(struct parquet_writer *w, const struct batch *batch,
                          struct parquet_sink sink, struct err *err)
    __attribute__((warn_unused_result));

/*
 * A row group of its own for the one row of `batch`, whose value in `column` (byte strings, not
 * optional, in no group) is too large to be copied: what the batch has there is ignored, `value`
 * takes its place, as PLAIN has it: a u32 little-endian length and the bytes. It goes to the sink
 * from where it is, in one piece, neither compressed nor bounded.
 */
int parquet_writer_append_outside(struct parquet_writer *w, const struct batch *batch,
                                  uint32_t column, struct slice value, struct parquet_sink sink,
                                  struct err *err) __attribute__((warn_unused_result));

/* A file that is open for reading (parquet/read/file.h). */
struct parquet_file;

/* Whether a row group of another file can be taken over: it is varve's, of the very same columns,
 * and there is room for it. */
bool parquet_writer_can_copy(const struct parquet_writer *w, const struct parquet_file *file,
                             uint32_t row_group);

/* Take over a row group, for which parquet_writer_can_copy is true, as it is, behind what is there:
 * its pages, of which the CRCs are checked, its indexes, and what is known of its values. That its
 * page headers and its footer are undamaged is for the caller to know. After an error the file is
 * lost: what the sink or the source say, ERR_FORMAT if the pages are not those that were stated. */
int parquet_writer_copy(struct parquet_writer *w, const struct parquet_file *file,
                        uint32_t row_group, struct parquet_sink sink, struct err *err)
    __attribute__((warn_unused_result));

/* Write out the row group that is open, if any: gives memory back early. */
int parquet_writer_flush(struct parquet_writer *w, struct parquet_sink sink, struct err *err)
    __attribute__((warn_unused_result));

/* The file is near its limits of pages or row groups: finish it and begin another one. As long as
 * this is false, parquet_writer_append refuses no batch because of them, however many columns there
 * are and whatever is in it. */
bool parquet_writer_full(const struct parquet_writer *w);

/* Add an entry to the footer; both are copied. Bytes that are not UTF-8 become U+FFFD, because
 * readers refuse whole files for them. */
void parquet_writer_metadata(struct parquet_writer *w, const char *key, struct slice value);

/* The last row group, the indexes and the footer. The figures below stay until the reset. */
int parquet_writer_finish(struct parquet_writer *w, struct parquet_sink sink, struct err *err)
    __attribute__((warn_unused_result));

/* Forget the file, finished or not, and be ready for the next one. Memory is kept. */
void parquet_writer_reset(struct parquet_writer *w);

uint64_t parquet_writer_rows(const struct parquet_writer *w);          /* of this file */
uint64_t parquet_writer_bytes_written(const struct parquet_writer *w); /* given to the sink */
uint64_t parquet_writer_buffered(const struct parquet_writer *w); /* compressed, not yet given */
uint64_t parquet_writer_memory(const struct parquet_writer *w);   /* held, used or not */

/* What is known of a column over all rows of the file so far. Bounds are there if the column keeps
 * them and has a value. Those of byte strings are cut to some 64 bytes (the maximum is then rounded
 * up): they bound the values but need not occur. See bounds_min and bounds_max. */
struct parquet_bounds {
    uint64_t values; /* that are not null */
    uint64_t nulls;
    struct bounds_int64 int64; /* INT64, INT32; BOOLEAN as 0 and 1 */
    struct bounds_real real;   /* FLOAT, DOUBLE; without NaNs */
    struct bounds_bytes bytes; /* BYTES */
};
/* `column` is a number of the schema, of a column with values. */
void parquet_writer_bounds(const struct parquet_writer *w, uint32_t column,
                           struct parquet_bounds *bounds);

#endif
