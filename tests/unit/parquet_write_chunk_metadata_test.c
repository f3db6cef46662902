/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk_metadata.h"

#include "base/bytes.h"
#include "test.h"

static const struct column_spec number = {
    .name = "n", .type = COLUMN_INT64, .bounds = true, .optional = true};
static const struct column_spec text = {
    .name = "t", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .dictionary = true, .bounds = true};

static void begin(struct chunk *c, const struct column_spec *spec, enum parquet_type type,
                  enum parquet_encoding encoding)
{
    struct chunk_layout layout = {.spec = spec, .type = type, .encoding = encoding, .ceiling = 1};

    *c = (struct chunk){0};
    chunk_begin_file(c, &layout);
}

/* One page of these numbers; INT64_MIN stands for a null. */
static void append_numbers(struct chunk *c, struct parquet_codec *codec, const int64_t *numbers,
                           uint32_t rows)
{
    struct buf values = {0};
    uint8_t present[64];
    struct cut_column column = {
        .definitions = {present, rows}, .definition = 1, .rows = rows, .entries = rows};

    for (uint32_t i = 0; i < rows; i++) {
        present[i] = numbers[i] != INT64_MIN;
        column.nulls += !present[i];
        if (present[i])
            buf_append_u64le(&values, (uint64_t)numbers[i]);
    }
    column.values = buf_slice(&values);
    chunk_append(c, &column, codec);
    buf_free(&values);
}

static void append_texts(struct chunk *c, struct parquet_codec *codec, const char *value,
                         uint32_t rows)
{
    struct buf values = {0};
    struct cut_column column = {.rows = rows, .entries = rows};

    for (uint32_t i = 0; i < rows; i++) {
        buf_append_u32le(&values, (uint32_t)strlen(value));
        buf_append_text(&values, value);
    }
    column.values = buf_slice(&values);
    chunk_append(c, &column, codec);
    buf_free(&values);
}

#define NULL_NUMBER INT64_MIN
static const int64_t low[] = {1, 2, NULL_NUMBER}, middle[] = {2, 5, 9},
                     nothing[] = {NULL_NUMBER, NULL_NUMBER}, wide[] = {1, 9};

static void expect_column_index(const int64_t *const *pages, const uint32_t *rows, uint32_t count,
                                const char *hex)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct arena arena = {0};
    struct buf out = {0};
    struct chunk c;
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);

    begin(&c, &number, PARQUET_TYPE_INT64, PARQUET_ENCODING_PLAIN);
    for (uint32_t i = 0; i < count; i++)
        append_numbers(&c, codec, pages[i], rows[i]);
    chunk_write_column_index(&c, &arena, &out);
    EXPECT_BYTES(out.data, out.len, expected, len);
    buf_free(&out);
    arena_free(&arena);
    chunk_free(&c);
    parquet_codec_free(codec);
}

/* P29: null pages have empty bounds and their count, and don't disturb the order. */
TEST(chunk_metadata_column_index_in_order)
{
    expect_column_index((const int64_t *const[]){low, nothing, middle}, (const uint32_t[]){3, 2, 3},
                        3,
                        "19 31 02 01 02"
                        "19 38 08 0100000000000000 00 08 0200000000000000"
                        "19 38 08 0200000000000000 00 08 0900000000000000"
                        "15 02  19 36 02 04 00  00");
}

TEST(chunk_metadata_column_index_out_of_order)
{
    /* the minimum falls */
    expect_column_index((const int64_t *const[]){middle, low}, (const uint32_t[]){3, 3}, 2,
                        "19 21 02 02"
                        "19 28 08 0200000000000000 08 0100000000000000"
                        "19 28 08 0900000000000000 08 0200000000000000"
                        "15 00  19 26 00 02  00");
    /* the minimum rises, the maximum falls */
    expect_column_index((const int64_t *const[]){wide, low + 1}, (const uint32_t[]){2, 1}, 2,
                        "19 21 02 02"
                        "19 28 08 0100000000000000 08 0200000000000000"
                        "19 28 08 0900000000000000 08 0200000000000000"
                        "15 00  19 26 00 00  00");
}

TEST(chunk_metadata_offset_index)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct arena arena = {0};
    struct buf out = {0}, expected = {0};
    struct chunk c;
    size_t len;

    begin(&c, &text, PARQUET_TYPE_BYTE_ARRAY, PARQUET_ENCODING_PLAIN);
    append_texts(&c, codec, "abc", 20);
    append_texts(&c, codec, "abc", 10);
    /* bodies: width and one run, 3 bytes; headers: type and sizes 6, CRC 2 to 6, rest 11 */
    uint32_t first = chunk_page(&c, 0)->extent.size, second = chunk_page(&c, 1)->extent.size;
    EXPECT(first >= 3 + 19 && first <= 3 + 23);
    chunk_write_offset_index(&c, 50, &arena, &out);
    buf_append(&expected, test_hex("19 2c 16 64 15", &len), 5);
    buf_append_byte(&expected, (uint8_t)(first * 2));
    buf_append(&expected, test_hex("16 00 00 16", &len), 4);
    uint32_t offset = (50 + first) * 2;
    buf_append_byte(&expected, (uint8_t)(offset | 0x80));
    buf_append_byte(&expected, (uint8_t)(offset >> 7));
    buf_append_byte(&expected, 0x15);
    buf_append_byte(&expected, (uint8_t)(second * 2));
    buf_append(&expected, test_hex("16 28 00 19 26 78 3c 00", &len), 8);
    EXPECT_BYTES(out.data, out.len, expected.data, expected.len);
    buf_free(&out);
    buf_free(&expected);
    arena_free(&arena);
    chunk_free(&c);
    parquet_codec_free(codec);
}

static struct parquet_column_chunk describe(struct chunk *c, struct parquet_codec *codec,
                                            struct arena *arena)
{
    struct buf out = {0};
    struct chunk_page dictionary = chunk_write_dictionary(c, codec, &out);

    buf_free(&out);
    return chunk_describe(c, 1000, &dictionary, arena);
}

static void expect_encodings(const struct parquet_column_chunk *metadata,
                             const enum parquet_encoding *expected, uint32_t count)
{
    EXPECT_U64(metadata->encodings_count, count);
    for (uint32_t i = 0; i < count; i++)
        EXPECT(metadata->encodings[i] == expected[i]);
}

/* P17: both totals have headers and the dictionary page in them. */
TEST(chunk_metadata_of_a_dictionary_chunk)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct arena arena = {0};
    struct chunk c;

    begin(&c, &text, PARQUET_TYPE_BYTE_ARRAY, PARQUET_ENCODING_PLAIN);
    append_texts(&c, codec, "abc", 20);
    append_texts(&c, codec, "abc", 10);
    struct parquet_column_chunk m = describe(&c, codec, &arena);
    EXPECT_U64(m.num_values, 30);
    EXPECT_U64(m.dictionary_page_offset, 1000);
    /* the dictionary page: 7 bytes and a header of 15 and the CRC */
    EXPECT(m.data_page_offset >= 1000 + 7 + 15 && m.data_page_offset <= 1000 + 7 + 20);
    EXPECT_I64(m.total_compressed_size, m.data_page_offset - 1000 + chunk_page(&c, 0)->extent.size +
                                            chunk_page(&c, 1)->extent.size);
    EXPECT_I64(m.total_uncompressed_size, m.total_compressed_size);
    EXPECT(m.codec == PARQUET_COMPRESSION_UNCOMPRESSED);
    expect_encodings(&m,
                     (const enum parquet_encoding[]){PARQUET_ENCODING_PLAIN, PARQUET_ENCODING_RLE,
                                                     PARQUET_ENCODING_RLE_DICTIONARY},
                     3);
    EXPECT_U64(m.encoding_stats_count, 2);
    EXPECT(m.encoding_stats[0].page_type == PARQUET_PAGE_DICTIONARY);
    EXPECT_I64(m.encoding_stats[1].count, 2);
    EXPECT_I64(m.unencoded_byte_array_data_bytes, 90);
    /* P15, P16: bounds of text claim nothing */
    EXPECT(m.statistics.has_min && m.statistics.has_max);
    EXPECT(m.statistics.min_exact == PARQUET_EXACT_UNSTATED);
    EXPECT(m.statistics.max_exact == PARQUET_EXACT_UNSTATED);
    EXPECT(slice_is(m.statistics.max, "abc"));
    arena_free(&arena);
    chunk_free(&c);
    parquet_codec_free(codec);
}

TEST(chunk_metadata_of_numbers)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct arena arena = {0};
    struct chunk c;

    begin(&c, &number, PARQUET_TYPE_INT64, PARQUET_ENCODING_DELTA_BINARY_PACKED);
    append_numbers(&c, codec, low, 3);
    append_numbers(&c, codec, middle, 3);
    struct parquet_column_chunk m = describe(&c, codec, &arena);
    EXPECT_U64(m.dictionary_page_offset, 0);
    EXPECT_U64(m.data_page_offset, 1000);
    EXPECT(!m.has_size_statistics);
    expect_encodings(
        &m,
        (const enum parquet_encoding[]){PARQUET_ENCODING_RLE, PARQUET_ENCODING_DELTA_BINARY_PACKED},
        2);
    EXPECT_I64(m.statistics.null_count, 1);
    EXPECT_BYTES(m.statistics.min.data, m.statistics.min.len, "\1\0\0\0\0\0\0\0", 8);
    EXPECT_BYTES(m.statistics.max.data, m.statistics.max.len, "\11\0\0\0\0\0\0\0", 8);
    EXPECT(m.statistics.max_exact == PARQUET_EXACT_YES);
    arena_free(&arena);
    chunk_free(&c);
    parquet_codec_free(codec);
}

TEST(chunk_metadata_of_nulls_only)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct arena arena = {0};
    struct chunk c;

    begin(&c, &number, PARQUET_TYPE_INT64, PARQUET_ENCODING_PLAIN);
    append_numbers(&c, codec, nothing, 2);
    struct parquet_column_chunk m = describe(&c, codec, &arena);
    EXPECT_I64(m.statistics.null_count, 2);
    EXPECT(m.statistics.has_null_count && !m.statistics.has_min && !m.statistics.has_max);
    EXPECT_I64(m.num_values, 2);
    arena_free(&arena);
    chunk_free(&c);
    parquet_codec_free(codec);
}
