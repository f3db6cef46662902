/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_PAGE_H
#define VARVE_PARQUET_READ_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/codec.h"
#include "parquet/format.h"

/* Where the bytes of a file come from. `read` fills `data` with exactly `len` bytes from `offset`,
 * or returns -1 with `err` filled; it is never asked for no bytes, or for bytes beyond `size`. */
struct parquet_source {
    int (*read)(void *context, uint64_t offset, void *data, size_t len, struct err *err);
    void *context;
    uint64_t size;
};

enum {
    /* A page header is some 30 bytes, plus statistics that some writers put in it. */
    PARQUET_PAGE_HEADER_MAX = 64 * 1024,
    /* What is read at a time, where pages are smaller. */
    PARQUET_READ_AHEAD = 256 * 1024,
    /* The same where most pages are passed over: little more than a header. */
    PARQUET_READ_LITTLE = 512,
};

/* A page as it stands in the file. */
struct parquet_page {
    uint64_t offset; /* of its header */
    size_t header_len;
    struct parquet_page_header header;
    struct slice stored; /* the bytes behind the header, which is in front of them in memory as
                            well; borrowed until the next page is read. NULL: they were not read */
};

/* Walks the pages of one column chunk. A zeroed struct is ready for parquet_pages_begin; memory is
 * kept from chunk to chunk. */
struct parquet_pages {
    const struct parquet_source *source;
    uint64_t at;    /* where the next page begins */
    uint64_t end;   /* of the chunk */
    uint32_t ahead; /* what is read at a time, set before parquet_pages_begin; 0: READ_AHEAD */
    struct buf window;
    uint64_t window_offset;
};

/* Begin with the pages from `start` to `end`; the caller made sure that they lie in the file. */
void parquet_pages_begin(struct parquet_pages *p, const struct parquet_source *source,
                         uint64_t start, uint64_t end);

/* 1 and the next page, 0 at the end of the chunk, or -1 if there is no telling where the next page
 * is: no memory beyond what the chunk has bytes is taken. */
int parquet_pages_next(struct parquet_pages *p, struct parquet_page *page, struct err *err)
    __attribute__((warn_unused_result));

/* The same, but of the page only the header: what the page stores is read by parquet_pages_next,
 * which then returns this very page, or never, once parquet_pages_pass went behind it. */
int parquet_pages_peek(struct parquet_pages *p, struct parquet_page *page, struct err *err)
    __attribute__((warn_unused_result));
void parquet_pages_pass(struct parquet_pages *p, const struct parquet_page *page);

void parquet_pages_free(struct parquet_pages *p);

/* The values of a data page, nulls included; 0 of another one. */
uint64_t parquet_page_values(const struct parquet_page *page);

/* ERR_FORMAT if the page has a CRC and its bytes have another one. */
int parquet_page_check_crc(const struct parquet_page *page, struct err *err)
    __attribute__((warn_unused_result));

/* The bytes of the page before compression: *body is page->stored, or lies in `memory`, which is
 * overwritten. ERR_FORMAT if they are not as many as the header says, ERR_LIMIT beyond
 * PARQUET_PAGE_BYTES_MAX, ERR_UNSUPPORTED for other codecs than ZSTD and SNAPPY. */
int parquet_page_body(const struct parquet_page *page, enum parquet_compression compression,
                      struct parquet_codec *codec, struct buf *memory, struct slice *body,
                      struct err *err) __attribute__((warn_unused_result));

/* "ZSTD" and so on, or NULL for a number that has no name. */
const char *parquet_compression_name(enum parquet_compression compression);

/* Snappy (google/snappy, format_description.txt), as Parquet has it: one raw block, without frames.
 * Only to read what others wrote; varve writes zstd. */
enum {
    /* No block makes more than this many bytes out of one: a copy of 64 takes three. */
    SNAPPY_RATIO_MAX = 22,
};

/* Append exactly `len` bytes to `out` by decompressing `block`. `len` was checked by the caller.
 * The bytes are hostile: ERR_FORMAT if they hold another number of bytes or are damaged; `out` then
 * holds what it held before. */
int snappy_decompress(struct slice block, size_t len, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
