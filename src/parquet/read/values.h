/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_VALUES_H
#define VARVE_PARQUET_READ_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"
#include "parquet/read/rle.h"

/*
 * DELTA_BINARY_PACKED (parquet-format Encodings.md, DELTA_BINARY_PACKED = 5), read side, over
 * hostile bytes. Arithmetic wraps at 64 bits; the values of an INT32 column are the low 32 bits.
 * The bytes are borrowed while reading.
 */
enum {
    /* All writers known use 128 or 256 values a block; the format sets no limit. */
    DELTA_BLOCK_VALUES_MAX = 1 << 16,
};

struct delta_reader {
    struct slice data;
    size_t at;            /* bytes consumed */
    uint32_t minis;       /* miniblocks a block */
    uint32_t mini_values; /* values a miniblock */
    uint64_t total;       /* values in all */
    uint64_t left;        /* values not read yet */
    uint64_t value;       /* the last one read; before that, the first one */
    uint64_t min_delta;   /* of this block */
    const uint8_t *widths;
    uint32_t mini;     /* number of the next miniblock in its block */
    uint32_t unread;   /* values left in this miniblock */
    unsigned width;    /* of this miniblock */
    struct slice bits; /* of this miniblock */
    uint64_t bit;      /* of its next value */
};

/* Begin. ERR_FORMAT if the header is damaged or announces other than `expected` values. */
int delta_reader_init(struct delta_reader *d, struct slice data, uint64_t expected, struct err *err)
    __attribute__((warn_unused_result));

/* The next `count` values; at most d->left. */
int delta_read(struct delta_reader *d, int64_t *values, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* How many bytes at the start of `data` such an encoding of `expected` values takes: what follows
 * begins there. */
int delta_measure(struct slice data, uint64_t expected, size_t *len, struct err *err)
    __attribute__((warn_unused_result));

/*
 * The values of one page, without its levels, in any encoding that varve reads: PLAIN, both
 * dictionary ids, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY,
 * BYTE_STREAM_SPLIT, and RLE for BOOLEAN. The bytes are hostile. Each value comes out as its PLAIN
 * bytes without length: 1 byte for BOOLEAN (0 or 1), 4 or 8 little-endian for numbers, 12 for
 * INT96.
 */
struct parquet_value_type {
    enum parquet_type type;
    uint32_t width; /* bytes of a value; 0 = varies (BYTE_ARRAY) */
};

/* The entries of a dictionary page. A zeroed struct is an empty one. */
struct parquet_dictionary {
    struct buf body;         /* owns what the entries point to */
    struct account *account; /* of the entries */
    struct slice *entries;
    uint32_t count, cap;
};

enum {
    /* Values that are decoded at a time. */
    VALUES_READ_MAX = 1024,
    /* Bytes that may be rebuilt at a time for DELTA_BYTE_ARRAY, beside one whole value. */
    VALUES_SCRATCH_MAX = 1024 * 1024,
    /* DELTA_BYTE_ARRAY alone can make values that are larger than their page. */
    VALUES_DELTA_LEN_MAX = PARQUET_PAGE_BYTES_MAX,
};

/* Memory is kept from page to page. A zeroed struct is ready for values_reader_init. */
struct values_reader {
    enum parquet_encoding encoding;
    struct parquet_value_type type;
    struct slice data;
    size_t at;     /* bytes of `data` consumed, where values lie in it one by one; of
                      BYTE_STREAM_SPLIT: the number of the next value */
    uint64_t left; /* values not read yet */
    uint64_t bit;  /* PLAIN BOOLEAN: the next one */
    const struct parquet_dictionary *dictionary;
    struct rle_reader rle;       /* indexes, booleans */
    struct delta_reader numbers; /* values; or the lengths of (what is left of) byte strings */
    struct delta_reader prefixes;
    struct buf scratch;
    struct buf previous; /* DELTA_BYTE_ARRAY: the last value */
};

/* Begin with `data`, which has `count` values and is borrowed, as is `dictionary` (NULL: the chunk
 * has none). ERR_UNSUPPORTED for encodings that varve can't read, or that the type can't have;
 * ERR_FORMAT for data that can't be right. */
int values_reader_init(struct values_reader *v, enum parquet_encoding encoding,
                       struct parquet_value_type type, struct slice data, uint64_t count,
                       const struct parquet_dictionary *dictionary, struct err *err)
    __attribute__((warn_unused_result));

/* Up to `max` (at most VALUES_READ_MAX) of the values that are left; *got says how many: at least
 * one if `max` is. They are valid until the next call; none has a NULL pointer. */
int values_read(struct values_reader *v, struct slice *values, size_t max, size_t *got,
                struct err *err) __attribute__((warn_unused_result));

/* True if no data follows the values: call it when all of them were read. */
bool values_reader_done(const struct values_reader *v);

void values_reader_free(struct values_reader *v);

/* Make the dictionary out of dictionary->body, which has `count` PLAIN values. */
int parquet_dictionary_fill(struct parquet_dictionary *dictionary, struct parquet_value_type type,
                            uint32_t count, struct err *err) __attribute__((warn_unused_result));
void parquet_dictionary_free(struct parquet_dictionary *dictionary);

/* "PLAIN" and so on, or NULL for a number that has no name. */
const char *parquet_encoding_name(enum parquet_encoding encoding);

#endif
