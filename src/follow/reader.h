/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_READER_H
#define VARVE_FOLLOW_READER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "delta/snapshot.h"
#include "event/event.h"
#include "follow/feed.h"
#include "object/object.h"
#include "parquet/format.h"

/*
 * The rows of one generation of a stream in the order of the stream, whatever files they lie in:
 * files of many partitions interleave, and other engines rewrite them in an order of their own. So
 * a position is a sequence, never a place in a file.
 *
 * It works in windows of sequences. What the files have in a window is copied, sorted and handed
 * out. Memory is that of one window, FOLLOW_OPEN_MAX open files and a few numbers a file; each row
 * is decoded once, but for a window that turned out too large, and where more files than that
 * overlap.
 */
struct follow_file {
    const char *name;     /* of the object */
    uint64_t first, last; /* no row has a sequence outside; 0 and UINT64_MAX: not known */
    bool listed;         /* its sequences are among those that the snapshot has of the generation */
    bool foreign;        /* delta_file_is_foreign */
    bool chosen;         /* it is known to have rows that are wanted */
    int64_t modified;    /* when it was committed, ms since 1970 */
    struct slice sha256; /* of its bytes, as text; NULL: not known */
};

/* A column that is wanted. Values come as their PLAIN bytes (parquet/read/values.h). */
struct follow_column {
    const char *name;
    enum parquet_type type; /* INT64 takes INT96 too: a timestamp, made microseconds since 1970 */
};

struct follow_row {
    uint64_t sequence;
    union {
        const struct slice *values; /* of the columns, in their order; a NULL pointer: it is null,
                                       or the file has no such column */
        const void *record;         /* see follow_reader_set_record */
    };
};

enum {
    /* Memory of the rows of a window. One row may take more: messages have up to 64 MiB. */
    FOLLOW_WINDOW_BYTES = 8 * 1024 * 1024,
    /* The same of records, which are small: a processor's second cache holds them until they are
     * taken in the order of the stream. */
    FOLLOW_RECORDS_BYTES = 1024 * 1024,
    FOLLOW_COLUMNS_MAX = 64, /* the table has some 15 */
    /* Files that stay open from window to window: each takes a page of each column. */
    FOLLOW_OPEN_MAX = 16,
    /* Pieces in stream order that one file may consist of: another engine made it from as many
     * files at most. A file of more is read anew for each window. */
    FOLLOW_RUNS_MAX = 16384,
};

/* The column by which rows are ordered: INT64. Rows of another engine may have null there, or a
 * negative number: they are of no stream, and passed over. */
#define FOLLOW_SEQUENCE "stream_seq"

/* The columns of events, by their numbers. */
void follow_event_columns(struct follow_column columns[static EVENT_COLUMNS]);

struct follow_reader;
struct parquet_file;

/* Begin with the first row whose sequence is greater than `after`. The lists are borrowed until
 * follow_reader_free; `files` are in the order of `first`. A sequence that is there twice comes
 * twice. Memory that grows is booked to `account`, unless that is NULL. */
struct follow_reader *follow_reader_new(struct object_store *store, const struct follow_file *files,
                                        size_t count, const struct follow_column *columns,
                                        uint32_t column_count, uint64_t after,
                                        struct account *account);

/* Have `prune` take row groups and rows of no use out of each file that is opened, before the first
 * row is asked for. A file may be opened more than once: the same ones each time. */
void follow_reader_set_prune(struct follow_reader *r,
                             void (*prune)(void *context, struct parquet_file *file),
                             void *context);

/* Have `make` turn the values of each row, once they are read, into a record of `size` bytes, which
 * takes their place: they are not copied then. It is called in the order of the files, and may be
 * for a row more than once. Before the first row is asked for. */
void follow_reader_set_record(struct follow_reader *r, size_t size,
                              void (*make)(void *context, const struct slice *values, void *record),
                              void *context);

/* Read what `reader` has in its feed from there, before the first row is asked for. */
void follow_reader_set_feed(struct follow_reader *r, struct feed_reader *reader);

/* 1 and the next row, valid until the next call; 0 behind the last one. -1 with the file and the
 * place in it: ERR_SYSTEM if the file is gone, ERR_FORMAT if a column is of another type, or what
 * reading it says. */
int follow_reader_next(struct follow_reader *r, struct follow_row *row, struct err *err)
    __attribute__((warn_unused_result));

/* Rows that were passed over so far because they have no sequence. */
uint64_t follow_reader_without(const struct follow_reader *r);

/* Accepts NULL. */
void follow_reader_free(struct follow_reader *r);

/*
 * Which live files of a table have rows of which generation of a stream. The tags of an `add` of
 * varve say it. Another engine that rewrites files drops them: in a table of one generation the
 * rows are of that one; else the files do not tell, and stand by themselves (mixed.h).
 */
struct follow_stream {
    const char *stream, *created;    /* NULL: of more than one, and they do not tell of which */
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

/* One file more, by the tags that varve gives to its files; the sequences are those of its rows, or
 * all. Sorted once more at the end. */
void follow_catalogue_add(struct follow_catalogue *c, const struct follow_file *file,
                          struct slice stream, struct slice created);
void follow_catalogue_sort(struct follow_catalogue *c);

void follow_catalogue_free(struct follow_catalogue *c);

/* Between which sequences the rows of a file are, by the tags of varve or else by the statistics; 0
 * and UINT64_MAX: it is not known. */
void follow_file_bounds(const struct delta_file *file, uint64_t *first, uint64_t *last);

/* Whether the commits that a snapshot has read tell of rows between two sequences that are not in
 * `read`. `g` may be NULL: it knows of none. */
bool follow_has_news(const struct delta_generation *g, const struct seqset *read, uint64_t first,
                     uint64_t last);

#endif
