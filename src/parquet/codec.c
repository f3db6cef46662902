/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

/* For ZSTD_c_literalCompressionMode; zstd is linked statically, so its version is ours. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "parquet/format.h"

struct parquet_codec {
    struct account *account;
    ZSTD_CCtx *compressor;   /* NULL until it is needed: readers never do */
    ZSTD_DCtx *decompressor; /* NULL until it is needed */
    struct buf trial;        /* what parquet_effort_choose tries out */
    struct parquet_scratch scratch;
};

/*
 * From cheap to dear, by CPU a byte. The negative levels look for few matches but code literals
 * with Huffman, which is all that text of high entropy rewards; data with repeats rewards the
 * others.
 */
static const struct parquet_effort efforts[] = {
    {-7, true, 11}, {-3, true, 11}, {-1, true, 0}, {1, false, 0}, {3, false, 0}};

/*
 * Tables are sized for pages of at most this many bytes: larger ones come of single large values,
 * and what a wider search would find in those is not worth the memory (17 MiB at level 19, and not
 * 80).
 */
enum { SEARCHED_BYTES = 1024 * 1024 };

enum {
    EFFORTS = sizeof(efforts) / sizeof(efforts[0]),
    NEARLY_PERCENT = 1, /* what a page may be larger than the best one if it costs less CPU */
};

struct parquet_codec *parquet_codec_new(struct account *account)
{
    struct parquet_codec *codec = account_alloc(account, 1, sizeof(*codec));
    codec->account = account;
    codec->trial.account = account;
    parquet_scratch_set_account(&codec->scratch, account);
    return codec;
}

/* zstd's memory is counted like any other. It does not say how much it gives back, so that is in
 * front of what it gets. */
enum { SIZE_BYTES = 16 }; /* what follows is aligned for any type */

static void *counted_alloc(void *context, size_t size)
{
    uint8_t *memory = account_alloc(context, 1, size + SIZE_BYTES);
    store_u64le(memory, size + SIZE_BYTES);
    return memory + SIZE_BYTES;
}

static void counted_free(void *context, void *memory)
{
    if (memory == NULL)
        return;
    uint8_t *whole = (uint8_t *)memory - SIZE_BYTES;
    account_free(context, whole, (size_t)load_u64le(whole));
}

static ZSTD_customMem counted(struct parquet_codec *codec)
{
    return (ZSTD_customMem){counted_alloc, counted_free, codec->account};
}

void parquet_codec_free(struct parquet_codec *codec)
{
    if (codec == NULL)
        return;
    ZSTD_freeCCtx(codec->compressor);
    ZSTD_freeDCtx(codec->decompressor);
    buf_free(&codec->trial);
    parquet_scratch_free(&codec->scratch);
    account_free(codec->account, codec, sizeof(*codec));
}

struct parquet_scratch *parquet_codec_scratch(struct parquet_codec *codec)
{
    return &codec->scratch;
}

static void set_parameter(ZSTD_CCtx *compressor, ZSTD_cParameter parameter, int value)
{
    ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor, parameter, value)));
}

static ZSTD_CCtx *compressor_of(struct parquet_codec *codec)
{
    if (codec->compressor == NULL) {
        codec->compressor = ZSTD_createCCtx_advanced(counted(codec));
        if (codec->compressor == NULL)
            out_of_memory(sizeof(*codec));
        set_parameter(codec->compressor, ZSTD_c_checksumFlag, 1);
        set_parameter(codec->compressor, ZSTD_c_contentSizeFlag, 1);
    }
    return codec->compressor;
}

/* Append one frame with `data`, with the parameters that zstd has for pages of `page_size` bytes.
 */
static void compress(struct parquet_codec *codec, struct parquet_effort effort, struct slice data,
                     size_t page_size, struct buf *out)
{
    ZSTD_CCtx *compressor = compressor_of(codec);
    size_t searched = page_size < SEARCHED_BYTES ? page_size : SEARCHED_BYTES;
    ZSTD_compressionParameters parameters = ZSTD_getCParams(effort.level, searched, 0);
    size_t bound = ZSTD_compressBound(data.len);

    if (effort.hash_log != 0)
        parameters.hashLog = effort.hash_log;
    set_parameter(compressor, ZSTD_c_compressionLevel, effort.level);
    set_parameter(compressor, ZSTD_c_literalCompressionMode,
                  effort.literals ? ZSTD_ps_enable : ZSTD_ps_auto);
    ASSERT(!ZSTD_isError(ZSTD_CCtx_setCParams(compressor, parameters)));
    buf_reserve(out, bound);
    size_t len = ZSTD_compress2(compressor, out->data + out->len, bound, data.data, data.len);
    if (ZSTD_isError(len))
        out_of_memory(bound); /* with room for the worst case nothing else can fail */
    out->len += len;
}

void parquet_compress(struct parquet_codec *codec, struct parquet_effort effort, struct slice data,
                      struct buf *out)
{
    compress(codec, effort, data, data.len, out);
}

static size_t compressed_size(struct parquet_codec *codec, struct parquet_effort effort,
                              struct slice sample, size_t page_size)
{
    buf_reset(&codec->trial);
    compress(codec, effort, sample, page_size, &codec->trial);
    return codec->trial.len;
}

struct parquet_effort parquet_effort_highest(int ceiling)
{
    return (struct parquet_effort){.level = ceiling, .literals = ceiling < 0};
}

struct parquet_effort parquet_effort_choose(struct parquet_codec *codec, int ceiling,
                                            struct slice sample, size_t page_size)
{
    struct parquet_effort candidates[EFFORTS + 1];
    size_t sizes[EFFORTS + 1];
    unsigned count = 0;

    while (count < EFFORTS && efforts[count].level < ceiling) {
        candidates[count] = efforts[count];
        count++;
    }
    candidates[count++] = parquet_effort_highest(ceiling);

    size_t best = SIZE_MAX;
    for (unsigned i = 0; i < count; i++) {
        sizes[i] = compressed_size(codec, candidates[i], sample, page_size);
        if (sizes[i] < best)
            best = sizes[i];
    }
    for (unsigned i = 0; i < count; i++)
        if (sizes[i] <= best + best * NEARLY_PERCENT / 100)
            return candidates[i];
    return parquet_effort_highest(ceiling); /* not reached: the best is among them */
}

int parquet_decompress(struct parquet_codec *codec, struct slice frames, size_t len,
                       struct buf *out, struct err *err)
{
    ASSERT(len <= PARQUET_PAGE_BYTES_MAX);
    if (codec->decompressor == NULL) {
        codec->decompressor = ZSTD_createDCtx_advanced(counted(codec));
        if (codec->decompressor == NULL)
            out_of_memory(sizeof(*codec));
    }
    buf_reserve(out, len > 0 ? len : 1); /* there is memory, also for none */
    size_t got = ZSTD_decompressDCtx(codec->decompressor, out->data + out->len, len, frames.data,
                                     frames.len);
    if (ZSTD_isError(got))
        return err_set(err, ERR_FORMAT, "zstd: %s", ZSTD_getErrorName(got));
    if (got != len)
        return err_set(err, ERR_FORMAT, "zstd: %zu bytes where %zu were stated", got, len);
    out->len += len;
    return 0;
}
