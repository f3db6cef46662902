/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include "base/bytes.h"
#include "test.h"

static const struct column_spec spec = {.name = "p", .type = COLUMN_BYTES};

static void begin(struct chunk *c, int ceiling)
{
    struct chunk_layout layout = {.spec = &spec,
                                  .type = PARQUET_TYPE_BYTE_ARRAY,
                                  .encoding = PARQUET_ENCODING_PLAIN,
                                  .ceiling = ceiling};

    *c = (struct chunk){0};
    chunk_begin_file(c, &layout);
}

static struct slice filled(uint8_t *bytes, size_t len, uint8_t mask)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(test_random() & mask);
    return (struct slice){bytes, len};
}

static void append(struct chunk *c, struct parquet_codec *codec, struct slice body)
{
    struct chunk_page page = {.encoding = PARQUET_ENCODING_PLAIN, .rows = 1};
    struct parquet_values values = {.start = 0};

    chunk_append_page(c, page, body, &values, codec);
}

/* That page `index` holds `body`, compressed as the chunk says. */
static void expect_body(const struct chunk *c, struct parquet_codec *codec, uint32_t index,
                        struct slice body)
{
    size_t at = 0;
    struct err err = {0};
    struct buf out = {0};

    for (uint32_t i = 0; i <= index; i++)
        at += chunk_page(c, i)->extent.gap + chunk_page(c, i)->extent.size;
    const struct chunk_page *page = chunk_page(c, index);
    struct slice stored = {c->stored.data + at - page->stored_size, page->stored_size};
    EXPECT_U64(page->raw_size, body.len);
    if (c->compression == CHUNK_COMPRESSED) {
        EXPECT_I64(parquet_decompress(codec, stored, body.len, &out, &err), 0);
        stored = buf_slice(&out);
    }
    EXPECT_BYTES(stored.data, stored.len, body.data, body.len);
    buf_free(&out);
}

TEST(chunk_pages_tiny_pages_decide_nothing_and_are_stored)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct chunk c;
    uint8_t bytes[255];

    begin(&c, 1);
    struct slice body = filled(bytes, sizeof(bytes), 0x01);
    append(&c, codec, body);
    EXPECT(c.compression == CHUNK_UNDECIDED);
    EXPECT_U64(chunk_page(&c, 0)->stored_size, 255);
    expect_body(&c, codec, 0, body);
    chunk_free(&c);
    parquet_codec_free(codec);
}

/* All pages of a chunk have one codec, so those before are compressed as well. */
TEST(chunk_pages_first_page_that_compresses_decides)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct chunk c;
    uint8_t tiny[100], other[200], large[30000], more[500];

    begin(&c, 1);
    struct slice bodies[] = {
        filled(tiny, sizeof(tiny), 0x0f),
        filled(other, sizeof(other), 0xff),
        filled(large, sizeof(large), 0x0f),
        filled(more, sizeof(more), 0xff),
    };
    for (uint32_t i = 0; i < 4; i++)
        append(&c, codec, bodies[i]);
    EXPECT(c.compression == CHUNK_COMPRESSED);
    for (uint32_t i = 0; i < 4; i++)
        expect_body(&c, codec, i, bodies[i]);
    EXPECT(chunk_page(&c, 2)->stored_size < sizeof(large) * 6 / 10);
    EXPECT_U64(c.rows, 4);
    chunk_free(&c);
    parquet_codec_free(codec);
}

TEST(chunk_pages_what_does_not_compress_is_stored)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct chunk c;
    uint8_t noise[20000], soft[20000];

    begin(&c, 1);
    struct slice first = filled(noise, sizeof(noise), 0xff);
    struct slice second = filled(soft, sizeof(soft), 0x03);
    append(&c, codec, first);
    append(&c, codec, second);
    EXPECT(c.compression == CHUNK_STORED);
    EXPECT_U64(chunk_page(&c, 1)->stored_size, sizeof(soft));
    expect_body(&c, codec, 0, first);
    expect_body(&c, codec, 1, second);
    chunk_begin_row_group(&c);
    EXPECT(c.compression == CHUNK_UNDECIDED);
    chunk_free(&c);
    parquet_codec_free(codec);
}

TEST(chunk_pages_effort_is_chosen_once_a_chunk)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct chunk c;
    uint8_t small[1000], large[20000];

    begin(&c, 3);
    append(&c, codec, filled(small, sizeof(small), 0x3f));
    EXPECT(!c.effort_chosen);
    append(&c, codec, filled(large, sizeof(large), 0x3f));
    EXPECT(c.effort_chosen);
    EXPECT_I64(c.effort.level, -7); /* no repeats: nothing dearer is nearly worth it */
    chunk_free(&c);
    parquet_codec_free(codec);
}

/* Small files, of many partitions, must not cost a trial each; and what was chosen must not stay
 * for ever, nor count for pages of another kind. */
TEST(chunk_pages_effort_is_used_again_for_a_while)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct chunk c;
    uint8_t large[20000], repeats[20000];
    uint64_t bytes = 0;

    begin(&c, 3);
    append(&c, codec, filled(large, sizeof(large), 0x3f));
    EXPECT(c.effort.values); /* no search: there is nothing to be found */
    for (size_t i = 0; i < sizeof(repeats); i++)
        repeats[i] = i < 4000 ? (uint8_t)(test_random() & 0x3f) : repeats[i - 4000];
    do {
        chunk_begin_row_group(&c);
        EXPECT(!c.effort_chosen);
        append(&c, codec, (struct slice){repeats, sizeof(repeats)});
        EXPECT(c.effort_chosen);
        bytes += sizeof(repeats);
    } while (c.effort.values && bytes < (100 << 20));
    EXPECT(bytes > (1 << 20) && bytes < (100 << 20));
    chunk_free(&c);

    begin(&c, 1); /* under another ceiling it is another choice */
    append(&c, codec, (struct slice){repeats, sizeof(repeats)});
    EXPECT(c.effort.level <= 1);
    chunk_free(&c);
    parquet_codec_free(codec);
}
