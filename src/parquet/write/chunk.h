/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_CHUNK_H
#define VARVE_PARQUET_WRITE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "batch/schema.h"
#include "parquet/codec.h"
#include "parquet/format.h"
#include "parquet/write/cut.h"
#include "parquet/write/page.h"
#include "parquet/write/statistics.h"

/*
 * The dictionary of one column chunk while it grows. Pages are encoded against the entries there
 * are so far, so a page never waits for the final dictionary. A zeroed struct is an empty
 * dictionary.
 */
struct dictionary {
    struct map map;
    uint32_t entries; /* those that pages use; the map may hold more after giving up */
    uint64_t bytes;   /* of those entries in PLAIN form */
    uint64_t plain;   /* what the values so far would have taken in PLAIN form */
};

enum {
    /* Giving up beyond these limits, which other writers have as well. Indexes then need 16 bits at
     * most, and the dictionary page is never larger than a data page. */
    DICTIONARY_ENTRIES_MAX = 65536,
    DICTIONARY_BYTES_MAX = 1024 * 1024,
};

/* Number the `count` PLAIN values, adding new ones. False if the dictionary does not pay or got too
 * large: then it still is what it was before, but no further values can be added. */
bool dictionary_number(struct dictionary *d, struct slice values, uint32_t count, uint32_t *numbers)
    __attribute__((warn_unused_result));

/* The body of the dictionary page. Valid until the next call. */
struct slice dictionary_page(const struct dictionary *d);

void dictionary_reset(struct dictionary *d);
void dictionary_free(struct dictionary *d);

/*
 * One column of the row group that is being filled: finished pages, and what the footer and the
 * indexes will say about them. Each batch is encoded and compressed when it comes.
 */

/* How a column is stored in all files of a writer. */
struct chunk_layout {
    const struct column_spec *spec;
    const struct slice *path; /* the names of the groups that it is in, and its own */
    uint32_t path_count;
    struct cut_leaf leaf;
    enum parquet_type type;
    enum parquet_encoding encoding; /* where no dictionary is used: PLAIN, or one of DELTA_* */
    int ceiling;                    /* highest compression level */
};

/* A page that is finished. */
struct chunk_page {
    enum parquet_encoding encoding;
    uint32_t rows;
    uint32_t entries; /* values and nulls */
    uint32_t nulls;
    uint32_t raw_size;         /* of the body before compression */
    uint32_t stored_size;      /* of the body as it lies in the file */
    struct page_extent extent; /* header and stored body */
    uint64_t text_bytes;       /* content of byte strings, without their lengths */
    bool has_bounds;
    struct bounds_int64 numbers; /* see statistics.h */
    uint32_t bytes_bounds;       /* which of chunk.bytes_bounds */
};

enum chunk_compression {
    CHUNK_UNDECIDED, /* no page yet that is large enough to tell */
    CHUNK_COMPRESSED,
    CHUNK_STORED,
};

struct chunk {
    struct chunk_layout layout;

    struct buf stored;       /* finished data pages, headers and bodies; see page_extent */
    struct slice outside;    /* the body of the last of them, where that is not in `stored` */
    struct buf pages;        /* struct chunk_page */
    struct buf bytes_bounds; /* struct bounds_bytes, for those pages that have them */
    struct dictionary dictionary;

    bool use_dictionary;
    uint32_t dictionary_rest; /* row groups to wait before a dictionary is tried again */
    enum chunk_compression compression;
    bool effort_chosen;
    struct parquet_effort effort;
    enum parquet_encoding effort_of; /* of the pages that it was chosen for */
    struct parquet_choice *choice;   /* where that came from, or is kept; may be NULL */

    uint64_t rows;
    uint64_t entries;
    uint64_t nulls;
    uint64_t text_bytes;
    bool ascending; /* no value was less than the one before; there was no null */
    int64_t last;
    struct bounds_int64 numbers;
    struct bounds_bytes bytes;
};

/* Begin the first row group of a file. The chunk was zeroed, or used for another file. */
void chunk_begin_file(struct chunk *c, const struct chunk_layout *layout);

/* Begin the next row group of the file. */
void chunk_begin_row_group(struct chunk *c);

/* Encode and compress the values of a batch. */
void chunk_append(struct chunk *c, const struct cut_column *column, struct parquet_codec *codec);

/* The only value of a row group, of a column of byte strings outside of lists that is never null,
 * as PLAIN has it: a u32 length and the bytes. It is not copied, and stays where it is until the
 * next row group begins. */
void chunk_append_outside(struct chunk *c, struct slice value);

/* Append the dictionary page to `out`; of size 0 if there is none. It is to stand in front of the
 * data pages in the file. The chunk is complete: it takes no further batch. */
struct chunk_page chunk_write_dictionary(const struct chunk *c, struct parquet_codec *codec,
                                         struct buf *out);

uint32_t chunk_page_count(const struct chunk *c);
const struct chunk_page *chunk_page(const struct chunk *c, uint32_t index);

/* The bounds of a page of byte strings with has_bounds. */
const struct bounds_bytes *chunk_page_bytes(const struct chunk *c, const struct chunk_page *page);

/* Book its memory there from now on; it must not hold any yet. */
void chunk_set_account(struct chunk *c, struct account *account);
void chunk_free(struct chunk *c);

/* The finished pages of a chunk, and how they are compressed: a part of chunk.h. */

/* Compress the body of a data page, decide the codec of the chunk if that is still open, and take
 * the page into the chunk. The sizes in `page` are filled in here. `body` may lie in the scratch
 * body of `codec`; `values` says where values are in it, and may be NULL. */
void chunk_append_page(struct chunk *c, struct chunk_page page, struct slice body,
                       const struct parquet_values *values, struct parquet_codec *codec);

#endif
