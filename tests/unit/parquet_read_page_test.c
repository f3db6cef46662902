/* SPDX-License-Identifier: MIT */
#include "parquet/read/page.h"

#include "parquet_fixture.h"

TEST(parquet_page_read_golden)
{
    struct slice bytes = fixture_hex(GOLDEN_ROWS);
    struct parquet_source source = fixture_source(&bytes);
    struct parquet_pages pages = {0};
    struct parquet_page page;
    struct err err = {0};
    parquet_pages_begin(&pages, &source, GOLDEN_PAGE, GOLDEN_BODY_END);
    EXPECT(parquet_pages_next(&pages, &page, &err) == 1);
    EXPECT_U64(page.offset, GOLDEN_PAGE);
    EXPECT_U64(page.header_len, GOLDEN_BODY - GOLDEN_PAGE);
    EXPECT_BYTES(page.stored.data, page.stored.len, bytes.data + GOLDEN_BODY, 24);
    EXPECT(parquet_page_check_crc(&page, &err) == 0);
    page.header.crc ^= 1;
    EXPECT(parquet_page_check_crc(&page, &err) == -1 && err.code == ERR_FORMAT);
    EXPECT(parquet_pages_next(&pages, &page, &err) == 0);
    parquet_pages_free(&pages);
}

TEST(parquet_page_read_chunk_is_too_short)
{
    struct slice bytes = fixture_hex(GOLDEN_ROWS);
    struct parquet_source source = fixture_source(&bytes);
    struct parquet_pages pages = {0};
    struct parquet_page page;
    for (uint64_t end = GOLDEN_PAGE + 1; end < GOLDEN_BODY_END; end++) {
        struct err err = {0};
        parquet_pages_begin(&pages, &source, GOLDEN_PAGE, end);
        EXPECT(parquet_pages_next(&pages, &page, &err) == -1);
        EXPECT_I64(err.code, ERR_FORMAT);
    }
    parquet_pages_free(&pages);
}

/* Pages larger and smaller than what is read at a time, one behind the other. */
TEST(parquet_page_read_many_sizes)
{
    static const size_t sizes[] = {0,
                                   1,
                                   PARQUET_READ_AHEAD - 30,
                                   PARQUET_READ_AHEAD,
                                   5,
                                   PARQUET_READ_AHEAD * 3,
                                   70000,
                                   70000,
                                   70000,
                                   70000,
                                   1};
    struct buf file = {0};
    struct parquet_pages pages = {0};
    struct parquet_page page;
    struct err err = {0};
    uint8_t fill = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        /* an INDEX page needs no header of its own: type, raw and stored size as three-byte
         * numbers of 7 bits each */
        uint32_t zigzag = (uint32_t)sizes[i] * 2;
        uint8_t number[] = {(uint8_t)(zigzag | 0x80), (uint8_t)(zigzag >> 7 | 0x80),
                            (uint8_t)(zigzag >> 14)};
        buf_append(&file, "\x15\x02\x15", 3);
        buf_append(&file, number, 3);
        buf_append_byte(&file, 0x15);
        buf_append(&file, number, 3);
        buf_append_byte(&file, 0);
        fill++;
        for (size_t k = 0; k < sizes[i]; k++)
            buf_append_byte(&file, fill);
    }
    struct slice bytes = buf_slice(&file);
    struct parquet_source source = fixture_source(&bytes);
    parquet_pages_begin(&pages, &source, 0, bytes.len);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        EXPECT(parquet_pages_next(&pages, &page, &err) == 1);
        EXPECT_U64(page.stored.len, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            EXPECT(page.stored.data[k] == i + 1);
    }
    EXPECT(parquet_pages_next(&pages, &page, &err) == 0);
    parquet_pages_free(&pages);
    buf_free(&file);
}

static enum err_code body_of(struct parquet_page *page, enum parquet_compression compression,
                             struct slice *body, struct buf *memory)
{
    struct err err = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    int result = parquet_page_body(page, compression, codec, memory, body, &err);
    parquet_codec_free(codec);
    EXPECT((result == 0) == (err.code == ERR_NONE));
    return err.code;
}

TEST(parquet_page_read_body_sizes)
{
    struct buf memory = {0};
    struct slice body;
    struct parquet_page page = {.stored = fixture_hex("616263"),
                                .header = {.type = PARQUET_PAGE_DATA, .uncompressed_page_size = 3}};
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_UNCOMPRESSED, &body, &memory), ERR_NONE);
    EXPECT(slice_is(body, "abc"));
    page.header.uncompressed_page_size = 4;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_UNCOMPRESSED, &body, &memory), ERR_FORMAT);
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_FORMAT); /* no frame */
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_GZIP, &body, &memory), ERR_UNSUPPORTED);
    EXPECT_I64(body_of(&page, (enum parquet_compression)8, &body, &memory), ERR_UNSUPPORTED);
    page.header.uncompressed_page_size = PARQUET_PAGE_BYTES_MAX + 1;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_LIMIT);
    /* what can't come out of so few bytes is refused before memory is taken */
    page.header.uncompressed_page_size = PARQUET_PAGE_BYTES_MAX;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_FORMAT);
    EXPECT(memory.cap < 1024 * 1024);
    buf_free(&memory);
}

TEST(parquet_page_read_zstd)
{
    struct buf packed = {0}, memory = {0}, plain = {0};
    struct slice body;
    struct parquet_codec *codec = parquet_codec_new(NULL);
    for (int i = 0; i < 1000; i++)
        buf_append_text(&plain, "abc");
    parquet_compress(codec, (struct parquet_effort){.level = 1}, buf_slice(&plain), NULL, &packed);
    struct parquet_page page = {
        .stored = buf_slice(&packed),
        .header = {.type = PARQUET_PAGE_DATA, .uncompressed_page_size = 3000}};
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_NONE);
    EXPECT_BYTES(body.data, body.len, plain.data, plain.len);
    page.header.uncompressed_page_size = 2999;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_FORMAT);
    page.header.uncompressed_page_size = 3001;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_FORMAT);

    /* v2: levels in front stay as they are */
    struct buf v2 = {0};
    buf_append_text(&v2, "LEVELS");
    buf_append_slice(&v2, buf_slice(&packed));
    page.stored = buf_slice(&v2);
    page.header = (struct parquet_page_header){.type = PARQUET_PAGE_DATA_V2,
                                               .uncompressed_page_size = 3006,
                                               .definition_levels_byte_length = 6,
                                               .is_compressed = true};
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_NONE);
    EXPECT(body.len == 3006 && memcmp(body.data, "LEVELSabc", 9) == 0);
    page.header.definition_levels_byte_length = 3007;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_FORMAT);
    page.header.definition_levels_byte_length = INT32_MAX;
    page.header.repetition_levels_byte_length = INT32_MAX;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_FORMAT);

    /* v2 with no values at all: neither bytes nor a frame */
    page.stored.len = 6;
    page.header.uncompressed_page_size = 6;
    page.header.definition_levels_byte_length = 6;
    page.header.repetition_levels_byte_length = 0;
    EXPECT_I64(body_of(&page, PARQUET_COMPRESSION_ZSTD, &body, &memory), ERR_NONE);
    EXPECT(slice_is(body, "LEVELS"));
    buf_free(&v2);
    buf_free(&packed);
    buf_free(&plain);
    buf_free(&memory);
    parquet_codec_free(codec);
}

TEST(parquet_page_read_names)
{
    EXPECT_TEXT(parquet_compression_name(PARQUET_COMPRESSION_LZ4_RAW), "LZ4_RAW");
    EXPECT(parquet_compression_name((enum parquet_compression)8) == NULL);
}
