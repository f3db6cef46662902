/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

/* For ZSTD_c_literalCompressionMode; zstd is linked statically, so its version is ours. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/map.h"
#include "parquet/format.h"

enum {
    CHOICES_MAX = 128, /* of columns with a memory; a schema of events has 14 */
    SEEN_BITS = 8,
};

/* The search for what values have in common. */
struct value_search {
    const uint8_t *data;
    size_t len;
    struct parquet_values values;
    size_t next, passed;           /* value that was not looked at yet; how many were */
    uint32_t seen[1 << SEEN_BITS]; /* where the last value was, + 1, by a hash of its size */
};

struct parquet_codec {
    struct account *account;
    ZSTD_CCtx *compressor;   /* NULL until it is needed: readers never do */
    ZSTD_DCtx *decompressor; /* NULL until it is needed */
    uint8_t *kept;           /* memory that one of them gave back; NULL: none */
    struct buf trial;        /* what parquet_effort_choose tries out */
    struct parquet_scratch scratch;
    struct value_search search;
    struct map names; /* of columns; the choices have their numbers */
    struct parquet_choice choices[CHOICES_MAX];
};

/*
 * Levels from 6 to 12 look at several places for each match. A table that a processor's cache holds
 * finds as much in pages of a megabyte as the one that the levels have, 16 times as large, does: a
 * fifth faster. And four places a match find what 16 do but for 1 %, in two thirds of the time.
 */
enum { ROWS_LEVEL_MIN = 6, ROWS_LEVEL_MAX = 12, ROWS_HASH_LOG = 17, ROWS_SEARCH_LOG = 2 };

/*
 * What those levels keep of each place pays where most places have to be looked up. Where matches
 * are so long that data gets this many times smaller, most are only noted and passed, and zstd's
 * older chains note them at two thirds of the cost; elsewhere they cost twice as much.
 */
enum { CHAINS_TIMES = 8, CHAIN_LOG = 16 };

/*
 * From cheap to dear, by CPU a byte. Values that have nothing in common but their length and their
 * first bytes (identifiers), or their high bytes (times), are only compared. The negative levels
 * look for few matches but code literals with Huffman, which is all that text of high entropy
 * rewards; data with repeats rewards the others.
 */
static const struct parquet_effort efforts[] = {
    {.level = PARQUET_LEVEL_MIN, .literals = true, .values = true, .hash_log = 11},
    {.level = -7, .literals = true, .hash_log = 11},
    {.level = -3, .literals = true, .hash_log = 11},
    {.level = -1, .literals = true},
    {.level = 1},
    {.level = 3},
    {.level = 8, .hash_log = ROWS_HASH_LOG, .search_log = ROWS_SEARCH_LOG},
};

/*
 * Tables are sized for pages of at most this many bytes: larger ones come of single large values,
 * and what a wider search would find in those is not worth the memory (17 MiB at level 19, and not
 * 80).
 */
enum { SEARCHED_BYTES = 1024 * 1024 };

enum {
    MATCH_MIN = 4, /* bytes: shorter ones cost what they save */
    EFFORTS = sizeof(efforts) / sizeof(efforts[0]),
    NEARLY_PERCENT = 1, /* what a page may be larger than the best one if it costs less CPU */
};

struct account *parquet_codec_account(const struct parquet_codec *codec)
{
    return codec != NULL ? codec->account : NULL;
}

struct parquet_codec *parquet_codec_new(struct account *account)
{
    struct parquet_codec *codec = account_alloc(account, 1, sizeof(*codec));
    codec->account = account;
    codec->trial.account = account;
    codec->names.account = account;
    parquet_scratch_set_account(&codec->scratch, account);
    return codec;
}

/*
 * zstd's memory is counted like any other. It does not say how much it gives back, so that is in
 * front of what it gets. It has another size for each size of pages, which alternate where files
 * are small, and would take it from the kernel anew each time: the largest is kept for the next
 * one.
 */
enum {
    SIZE_BYTES = 16, /* what follows is aligned for any type */
    KEPT_MIN = 128 * 1024,
    KEPT_ROUNDING = 512 * 1024, /* so that one fits the next, too */
};

static size_t size_of(const uint8_t *memory)
{
    return (size_t)load_u64le(memory);
}

static void *counted_alloc(void *context, size_t size)
{
    struct parquet_codec *codec = context;
    uint8_t *memory = codec->kept;
    size += SIZE_BYTES;
    if (size >= KEPT_MIN)
        size = (size + KEPT_ROUNDING - 1) / KEPT_ROUNDING * KEPT_ROUNDING;
    if (size >= KEPT_MIN && memory != NULL && size_of(memory) >= size) {
        codec->kept = NULL;
        return memory + SIZE_BYTES;
    }
    memory = account_resize(codec->account, NULL, 0, size);
    store_u64le(memory, size);
    return memory + SIZE_BYTES;
}

static void counted_free(void *context, void *memory)
{
    struct parquet_codec *codec = context;
    if (memory == NULL)
        return;
    uint8_t *whole = (uint8_t *)memory - SIZE_BYTES;
    if (size_of(whole) >= KEPT_MIN &&
        (codec->kept == NULL || size_of(codec->kept) < size_of(whole))) {
        uint8_t *smaller = codec->kept;
        codec->kept = whole;
        whole = smaller;
    }
    if (whole != NULL)
        account_free(codec->account, whole, size_of(whole));
}

static ZSTD_customMem counted(struct parquet_codec *codec)
{
    return (ZSTD_customMem){counted_alloc, counted_free, codec};
}

void parquet_codec_free(struct parquet_codec *codec)
{
    if (codec == NULL)
        return;
    ZSTD_freeCCtx(codec->compressor);
    ZSTD_freeDCtx(codec->decompressor);
    if (codec->kept != NULL)
        account_free(codec->account, codec->kept, size_of(codec->kept));
    buf_free(&codec->trial);
    map_free(&codec->names);
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
        /* What search_values finds is nearly always as far back as the time before. */
        set_parameter(codec->compressor, ZSTD_c_searchForExternalRepcodes, ZSTD_ps_enable);
    }
    return codec->compressor;
}

/* Bytes that two places have in common from there on, at most `most`. */
static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t len = 0;
    for (; most - len >= 8; len += 8) {
        uint64_t differ = load_u64le(a + len) ^ load_u64le(b + len);
        if (differ != 0)
            return len + (size_t)__builtin_ctzll(differ) / 8;
    }
    while (len < most && a[len] == b[len])
        len++;
    return len;
}

/* What the value at `at` has in common with an earlier one at `earlier`: from *from on so many
 * bytes, which end before `end`. */
static size_t common_part(const struct value_search *s, size_t at, size_t earlier, size_t end,
                          size_t *from)
{
    *from = at;
    size_t len = common_prefix(s->data + at, s->data + earlier, end - at);
    if (s->values.width != 8 || len >= MATCH_MIN || end - at < 8)
        return len;
    /* Numbers differ in their low bytes, which come first. */
    uint64_t differ = load_u64le(s->data + at) ^ load_u64le(s->data + earlier);
    len = (size_t)__builtin_clzll(differ) / 8;
    *from = at + 8 - len;
    return len;
}

/* Size of the value at `at`, with what is in front of it; the rest where that is no whole one. */
static size_t value_size(const struct value_search *s, size_t at)
{
    size_t rest = s->len - at, len = s->values.width;
    if (s->values.lengths != NULL)
        len = (size_t)load_u64le(s->values.lengths + 8 * s->passed);
    else if (len == 0)
        len = rest < 4 ? rest : (size_t)load_u32le(s->data + at) + 4;
    return len < rest ? len : rest;
}

/* The last value of the same size, or `at` if there is none; that at `at` is it from now on. */
static size_t last_alike(struct value_search *s, size_t at, size_t size)
{
    if (s->values.width > 0)
        return at > s->values.start ? at - s->values.width : at;
    uint32_t hash = (uint32_t)size * UINT32_C(2654435769) >> (32 - SEEN_BITS);
    size_t last = s->seen[hash];
    s->seen[hash] = (uint32_t)at + 1;
    return last > 0 ? last - 1 : at;
}

/* Write down that `len` bytes at `from` are those `offset` before. *done: how far that has come. */
static void add_match(ZSTD_Sequence *list, size_t *count, size_t *done, size_t from, size_t len,
                      size_t offset)
{
    ZSTD_Sequence *last = *count > 0 ? &list[*count - 1] : NULL;
    if (last != NULL && *done == from && last->offset == offset)
        last->matchLength += (unsigned)len;
    else
        list[(*count)++] = (ZSTD_Sequence){.offset = (unsigned)offset,
                                           .litLength = (unsigned)(from - *done),
                                           .matchLength = (unsigned)len};
    *done = from + len;
}

/*
 * In place of zstd's own search (ZSTD_sequenceProducer_F of zstd.h): called for each block in
 * order. A match has at least four bytes, so there are never more of them than zstd has room for,
 * which is for one in three.
 */
static size_t search_values(void *state, ZSTD_Sequence *out, size_t room, const void *block,
                            size_t block_len, const void *dictionary, size_t dictionary_len,
                            int level, size_t window)
{
    struct value_search *s = state;
    size_t done = (size_t)((const uint8_t *)block - s->data), end = done + block_len, count = 0;
    (void)dictionary, (void)dictionary_len, (void)level, (void)window;
    ASSERT(room > block_len / MATCH_MIN + 1);
    while (s->next < end) {
        size_t at = s->next, size = value_size(s, at), from;
        size_t earlier = last_alike(s, at, size);
        s->next += size;
        s->passed++;
        if (earlier == at)
            continue;
        size_t len = common_part(s, at, earlier, at + size < end ? at + size : end, &from);
        if (len >= MATCH_MIN)
            add_match(out, &count, &done, from, len, at - earlier);
    }
    out[count++] = (ZSTD_Sequence){.litLength = (unsigned)(end - done)};
    return count;
}

static void set_search(struct parquet_codec *codec, struct slice data,
                       const struct parquet_values *values)
{
    struct value_search *s = &codec->search;
    if (values == NULL) {
        ZSTD_registerSequenceProducer(codec->compressor, NULL, NULL);
        return;
    }
    s->data = data.data;
    s->len = data.len;
    s->values = *values;
    s->next = values->start;
    s->passed = 0;
    memset(s->seen, 0, sizeof(s->seen));
    ZSTD_registerSequenceProducer(codec->compressor, s, search_values);
}

/* Append one frame with `data`, with the parameters that zstd has for pages of `page_size` bytes.
 */
static void compress(struct parquet_codec *codec, struct parquet_effort effort, struct slice data,
                     const struct parquet_values *values, size_t page_size, struct buf *out)
{
    ZSTD_CCtx *compressor = compressor_of(codec);
    size_t searched = page_size < SEARCHED_BYTES ? page_size : SEARCHED_BYTES;
    ZSTD_compressionParameters parameters = ZSTD_getCParams(effort.level, searched, 0);
    size_t bound = ZSTD_compressBound(data.len);

    ASSERT(!effort.values || values != NULL);
    if (effort.hash_log != 0)
        parameters.hashLog = effort.hash_log;
    if (effort.search_log != 0)
        parameters.searchLog = effort.search_log;
    if (effort.chains)
        parameters.chainLog = CHAIN_LOG;
    set_parameter(compressor, ZSTD_c_compressionLevel, effort.level);
    set_parameter(compressor, ZSTD_c_literalCompressionMode,
                  effort.literals ? ZSTD_ps_enable : ZSTD_ps_auto);
    set_parameter(compressor, ZSTD_c_useRowMatchFinder,
                  effort.chains ? ZSTD_ps_disable : ZSTD_ps_auto);
    ASSERT(!ZSTD_isError(ZSTD_CCtx_setCParams(compressor, parameters)));
    set_search(codec, data, effort.values ? values : NULL);
    buf_reserve(out, bound);
    size_t len = ZSTD_compress2(compressor, out->data + out->len, bound, data.data, data.len);
    if (ZSTD_isError(len))
        out_of_memory(bound); /* with room for the worst case nothing else can fail */
    out->len += len;
}

void parquet_compress(struct parquet_codec *codec, struct parquet_effort effort, struct slice data,
                      const struct parquet_values *values, struct buf *out)
{
    compress(codec, effort, data, values, data.len, out);
}

static size_t compressed_size(struct parquet_codec *codec, struct parquet_effort effort,
                              struct slice sample, const struct parquet_values *values,
                              size_t page_size)
{
    buf_reset(&codec->trial);
    compress(codec, effort, sample, values, page_size, &codec->trial);
    return codec->trial.len;
}

struct parquet_choice *parquet_codec_choice(struct parquet_codec *codec, struct slice name)
{
    bool added;
    int64_t found = map_find(&codec->names, name);
    if (found >= 0)
        return &codec->choices[found];
    if (codec->names.count == CHOICES_MAX)
        return NULL;
    return &codec->choices[map_put(&codec->names, name, &added)];
}

struct parquet_effort parquet_effort_highest(int ceiling)
{
    bool rows = ceiling >= ROWS_LEVEL_MIN && ceiling <= ROWS_LEVEL_MAX;
    return (struct parquet_effort){
        .level = ceiling, .literals = ceiling < 0, .hash_log = rows ? ROWS_HASH_LOG : 0};
}

struct parquet_effort parquet_effort_choose(struct parquet_codec *codec, int ceiling,
                                            struct slice sample,
                                            const struct parquet_values *values, size_t page_size)
{
    struct parquet_effort candidates[EFFORTS + 1];
    size_t sizes[EFFORTS + 1];
    unsigned count = 0;

    for (unsigned i = 0; i < EFFORTS; i++)
        if (efforts[i].values ? values != NULL : efforts[i].level < ceiling)
            candidates[count++] = efforts[i];
    candidates[count++] = parquet_effort_highest(ceiling);

    size_t best = SIZE_MAX;
    for (unsigned i = 0; i < count; i++) {
        sizes[i] = compressed_size(codec, candidates[i], sample, values, page_size);
        if (sizes[i] < best)
            best = sizes[i];
    }
    for (unsigned i = 0; i < count; i++) {
        if (sizes[i] > best + best * NEARLY_PERCENT / 100)
            continue;
        candidates[i].chains =
            candidates[i].search_log == ROWS_SEARCH_LOG && sizes[i] < sample.len / CHAINS_TIMES;
        return candidates[i];
    }
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
