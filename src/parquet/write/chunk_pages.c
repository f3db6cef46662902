/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include "base/assert.h"
#include "base/num.h"
#include "parquet/write/page.h"

enum {
    TINY_BYTES = 256,           /* a frame of a smaller page costs more than it can save */
    SAVING_PERCENT = 3,         /* less is not worth the time of readers */
    TRIAL_BYTES_MIN = 8 * 1024, /* smaller pages are too few bytes to be worth a trial */
    TRIAL_BYTES = 64 * 1024,    /* part of the first page that is compressed in all ways */
    /* Of a column, after which the first page of a chunk is tried again: a few per cent of its
     * cost, however small its files are. */
    TRIAL_EVERY = 4 * 1024 * 1024,
    INDEX_LEVEL = 1,  /* bit-packed numbers don't reward more */
    RANDOM_LEVEL = 1, /* nor does text of high entropy: level 3 makes it larger */
};

static int ceiling_of(const struct chunk *c, enum parquet_encoding encoding)
{
    int ceiling = c->layout.ceiling;

    if (encoding == PARQUET_ENCODING_RLE_DICTIONARY && ceiling > INDEX_LEVEL)
        ceiling = INDEX_LEVEL;
    if (c->layout.spec->random && ceiling > RANDOM_LEVEL)
        ceiling = RANDOM_LEVEL;
    return ceiling;
}

/* What was chosen for the pages of an earlier chunk of this column; NULL if there is no place. */
static struct parquet_choice *choice_of(const struct chunk *c, enum parquet_encoding encoding,
                                        struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);

    buf_reset(&scratch->name);
    for (uint32_t i = 0; i < c->layout.path_count; i++) {
        buf_append_slice(&scratch->name, c->layout.path[i]);
        buf_append_byte(&scratch->name, 0);
    }
    buf_append_byte(&scratch->name, (uint8_t)encoding);
    return parquet_codec_choice(codec, buf_slice(&scratch->name));
}

static void choose_effort(struct chunk *c, enum parquet_encoding encoding, struct slice body,
                          const struct parquet_values *values, struct parquet_codec *codec)
{
    int ceiling = ceiling_of(c, encoding);
    struct parquet_choice *choice = choice_of(c, encoding, codec);
    bool known = choice != NULL && choice->left > 0 && choice->ceiling == ceiling;
    known = known && (!choice->effort.values || values != NULL);

    c->effort = known ? choice->effort : parquet_effort_highest(ceiling);
    c->effort_chosen = known || body.len >= TRIAL_BYTES_MIN;
    c->effort_of = encoding;
    c->choice = choice;
    if (known || !c->effort_chosen)
        return;
    struct slice sample = {body.data, body.len < TRIAL_BYTES ? body.len : TRIAL_BYTES};
    c->effort = parquet_effort_choose(codec, ceiling, sample, values, body.len);
    if (choice != NULL)
        *choice = (struct parquet_choice){c->effort, ceiling, TRIAL_EVERY};
}

static void compress(struct chunk *c, enum parquet_encoding encoding, struct slice body,
                     const struct parquet_values *values, struct parquet_codec *codec)
{
    if (!c->effort_chosen || c->effort_of != encoding)
        choose_effort(c, encoding, body, values, codec);
    parquet_compress(codec, c->effort, body, values, &c->stored);
    if (c->effort_chosen && c->choice != NULL)
        c->choice->left -= num_least_u64(c->choice->left, body.len);
}

static struct chunk_page *pages_of(const struct chunk *c)
{
    return (struct chunk_page *)(void *)c->pages.data;
}

static void seal(struct chunk *c, struct chunk_page *page, size_t body)
{
    page->stored_size = (uint32_t)(c->stored.len - body);
    page->extent = page_seal_data(&c->stored, body, page->encoding, page->entries, page->raw_size);
}

/* All pages of a chunk have the same codec: those that were stored before it was known that
 * compression pays are done again. They are tiny: it does not matter how. */
static void compress_earlier_pages(struct chunk *c, struct parquet_codec *codec)
{
    struct buf old = c->stored;
    size_t at = 0;

    c->stored = (struct buf){.account = old.account};
    for (uint32_t i = 0; i < chunk_page_count(c); i++) {
        struct chunk_page *page = &pages_of(c)[i];
        at += page->extent.gap + page->extent.size;
        struct slice body = {old.data + at - page->stored_size, page->stored_size};
        size_t start = page_begin(&c->stored);
        parquet_compress(codec, parquet_effort_highest(ceiling_of(c, page->encoding)), body, NULL,
                         &c->stored);
        seal(c, page, start);
    }
    buf_free(&old);
}

/* Whether the body is worth compressing, with the frame appended if so. */
static bool compress_or_not(struct chunk *c, enum parquet_encoding encoding, struct slice body,
                            const struct parquet_values *values, struct parquet_codec *codec)
{
    size_t before = c->stored.len;

    if (c->compression == CHUNK_STORED)
        return false;
    if (c->compression == CHUNK_UNDECIDED && body.len < TINY_BYTES)
        return false;
    compress(c, encoding, body, values, codec);
    if (c->compression == CHUNK_COMPRESSED)
        return true;
    /* The first page of some size decides for the chunk. */
    bool saves = c->stored.len - before < body.len - body.len * SAVING_PERCENT / 100;
    c->compression = saves ? CHUNK_COMPRESSED : CHUNK_STORED;
    if (!saves)
        c->stored.len = before;
    return saves;
}

static void take_page(struct chunk *c, const struct chunk_page *page)
{
    buf_append(&c->pages, page, sizeof(*page));
    c->rows += page->rows;
    c->entries += page->entries;
    c->nulls += page->nulls;
    c->text_bytes += page->text_bytes;
    if (page->nulls > 0)
        c->ascending = false;
}

void chunk_append_page(struct chunk *c, struct chunk_page page, struct slice body,
                       const struct parquet_values *values, struct parquet_codec *codec)
{
    bool undecided = c->compression == CHUNK_UNDECIDED;
    size_t before = c->stored.len, start = page_begin(&c->stored);

    page.raw_size = (uint32_t)body.len;
    if (!compress_or_not(c, page.encoding, body, values, codec)) {
        buf_append_slice(&c->stored, body);
    } else if (undecided && chunk_page_count(c) > 0) {
        c->stored.len = before;
        compress_earlier_pages(c, codec);
        start = page_begin(&c->stored);
        compress(c, page.encoding, body, values, codec);
    }
    seal(c, &page, start);
    take_page(c, &page);
}

void chunk_append_outside(struct chunk *c, struct slice value)
{
    ASSERT(c->rows == 0 && c->layout.leaf.definition == 0 && c->layout.leaf.repetition == 0);
    struct chunk_page page = {.encoding = PARQUET_ENCODING_PLAIN,
                              .rows = 1,
                              .entries = 1,
                              .raw_size = (uint32_t)value.len,
                              .stored_size = (uint32_t)value.len,
                              .text_bytes = value.len - 4};
    size_t body = page_begin(&c->stored);
    page.extent = page_seal_outside(&c->stored, body, value);
    c->outside = value;
    take_page(c, &page);
}

struct chunk_page chunk_write_dictionary(const struct chunk *c, struct parquet_codec *codec,
                                         struct buf *out)
{
    struct slice values = dictionary_page(&c->dictionary);
    struct chunk_page page = {.raw_size = (uint32_t)values.len};

    if (c->dictionary.entries == 0)
        return page;
    size_t body = page_begin(out);
    if (c->compression == CHUNK_COMPRESSED)
        parquet_compress(codec, parquet_effort_highest(c->layout.ceiling), values, NULL, out);
    else
        buf_append_slice(out, values);
    page.stored_size = (uint32_t)(out->len - body);
    page.extent = page_seal_dictionary(out, body, c->dictionary.entries, page.raw_size);
    return page;
}

uint32_t chunk_page_count(const struct chunk *c)
{
    return (uint32_t)(c->pages.len / sizeof(struct chunk_page));
}

const struct chunk_page *chunk_page(const struct chunk *c, uint32_t index)
{
    return &pages_of(c)[index];
}

const struct bounds_bytes *chunk_page_bytes(const struct chunk *c, const struct chunk_page *page)
{
    return (const struct bounds_bytes *)(const void *)c->bytes_bounds.data + page->bytes_bounds;
}
