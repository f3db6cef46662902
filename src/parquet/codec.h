/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_CODEC_H
#define VARVE_PARQUET_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * Buffers in which a page takes shape. They are worth sharing because a writer has one open file a
 * partition, and there may be hundreds. A zeroed struct is empty.
 */
struct parquet_scratch {
    struct buf body;    /* of the page, where it is not a part of the batch as it is */
    struct buf numbers; /* levels, as u32 */
    struct buf indexes; /* into a dictionary, as u32 */
    struct buf used;    /* which entries of the dictionary a page has */
    struct buf name;    /* of a column */
};

/* `count` numbers, not initialised. Valid until the next call of the same name. */
uint32_t *parquet_scratch_numbers(struct parquet_scratch *scratch, uint32_t count);
uint32_t *parquet_scratch_indexes(struct parquet_scratch *scratch, uint32_t count);

/* `count` zero bytes. Valid until the next call. */
uint8_t *parquet_scratch_used(struct parquet_scratch *scratch, uint32_t count);

/* Book its memory there from now on; it must not hold any yet. */
void parquet_scratch_set_account(struct parquet_scratch *scratch, struct account *account);

void parquet_scratch_free(struct parquet_scratch *scratch);

/*
 * zstd, and only here. One codec a thread: contexts are large (about 1 MiB) and are shared by all
 * writers and readers of the thread. The writer's frames are single, carry their content size and a
 * checksum, which is the one integrity check that other readers do by default.
 */
struct parquet_codec;

enum {
    PARQUET_LEVEL_MIN = -7, /* below, nothing is gained */
    PARQUET_LEVEL_MAX = 19, /* above, windows get too large for some decoders */
};

/* Its memory, that of zstd included, is booked to `account`, which may be NULL. */
struct parquet_codec *parquet_codec_new(struct account *account);

/* NULL: it has none, or `codec` is NULL. */
struct account *parquet_codec_account(const struct parquet_codec *codec);
void parquet_codec_free(struct parquet_codec *codec);

/* How to compress: a zstd level, and whether literals are Huffman-coded at negative levels too,
 * which makes those worth having (by default they leave literals as they are). */
struct parquet_effort {
    int level;
    bool literals;
    bool values;       /* each value is compared with one before it, and nothing else is searched */
    unsigned hash_log; /* of the table of places seen before; 0: as the level has it */
    unsigned search_log; /* of the places that are looked at for each match; 0: the same */
    bool chains; /* places are found by chains, which cost less to keep where most is repeated */
};

/* Where the values are in the body of a page: from `start` to the end. */
struct parquet_values {
    size_t start;
    size_t width; /* bytes of each, at least PARQUET_VALUES_WIDTH; 0: a u32 length, then so many */
    const uint8_t *lengths; /* or, if not NULL, so many as these say, each a u64 */
};
enum { PARQUET_VALUES_WIDTH = 8 }; /* smaller ones have too little in common to say so */

/* Append one frame with `data` to `out`. `values` may be NULL: there are none, or of other kinds;
 * where they are in the way they are not (a sample may end within one), all is compressed all the
 * same. With effort.values it is not NULL. */
void parquet_compress(struct parquet_codec *codec, struct parquet_effort effort, struct slice data,
                      const struct parquet_values *values, struct buf *out);

/* The most effort that `ceiling` allows. */
struct parquet_effort parquet_effort_highest(int ceiling);

/* The cheapest effort of at most `ceiling` that compresses `sample`, a part of a page of
 * `page_size` bytes, nearly as well as any other. Decided by sizes and a fixed order of costs,
 * never by a clock: the same sample gives the same answer. */
struct parquet_effort parquet_effort_choose(struct parquet_codec *codec, int ceiling,
                                            struct slice sample,
                                            const struct parquet_values *values, size_t page_size);

/* What was chosen for a column, to be used again: a choice costs several times what compressing
 * the sample does, and columns stay what they are from one file to the next. */
struct parquet_choice {
    struct parquet_effort effort;
    int ceiling;   /* under which it was chosen */
    uint64_t left; /* bytes of the column that it may be used for; 0: choose anew */
};

/* That of columns of this name, at first without anything left; NULL where there are too many. As
 * long as the codec. */
struct parquet_choice *parquet_codec_choice(struct parquet_codec *codec, struct slice name);

/* Append exactly `len` bytes to `out` by decompressing `frames` (one zstd frame or several).
 * `len` was checked against PARQUET_PAGE_BYTES_MAX by the caller. ERR_FORMAT if the frames hold
 * another number of bytes or are damaged; `out` then holds what it held before. */
int parquet_decompress(struct parquet_codec *codec, struct slice frames, size_t len,
                       struct buf *out, struct err *err) __attribute__((warn_unused_result));

/* Memory that the writers of the thread share, each only within one call. */
struct parquet_scratch *parquet_codec_scratch(struct parquet_codec *codec);

#endif
