/* SPDX-License-Identifier: MIT */
#include "parquet/read/values.h"

#include "parquet_fixture.h"

static const struct parquet_value_type int64 = {PARQUET_TYPE_INT64, 8};
static const struct parquet_value_type int32 = {PARQUET_TYPE_INT32, 4};
static const struct parquet_value_type bytes = {PARQUET_TYPE_BYTE_ARRAY, 0};
static const struct parquet_value_type fixed3 = {PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY, 3};
static const struct parquet_value_type boolean = {PARQUET_TYPE_BOOLEAN, 1};

/* The values, joined with commas, as text. */
static const char *all(enum parquet_encoding encoding, struct parquet_value_type type,
                       const char *hex, uint64_t count, const struct parquet_dictionary *dictionary,
                       struct buf *out)
{
    struct values_reader v = {0};
    struct err err = {0};
    struct slice values[VALUES_READ_MAX];
    size_t got = 0;
    buf_reset(out);
    EXPECT(values_reader_init(&v, encoding, type, fixture_hex(hex), count, dictionary, &err) == 0);
    while (v.left > 0) {
        EXPECT(values_read(&v, values, 2, &got, &err) == 0); /* two at a time */
        EXPECT(got >= 1 && got <= 2);
        for (size_t i = 0; i < got; i++) {
            EXPECT(values[i].data != NULL);
            if (out->len > 0)
                buf_append_byte(out, ',');
            buf_append_slice(out, values[i]);
        }
    }
    EXPECT(values_reader_done(&v));
    values_reader_free(&v);
    return buf_text(out);
}

static void refused(enum parquet_encoding encoding, struct parquet_value_type type, const char *hex,
                    uint64_t count, const struct parquet_dictionary *dictionary, enum err_code code)
{
    struct values_reader v = {0};
    struct err err = {0};
    struct slice values[VALUES_READ_MAX];
    size_t got = 0;
    int result = values_reader_init(&v, encoding, type, fixture_hex(hex), count, dictionary, &err);
    while (result == 0 && v.left > 0)
        result = values_read(&v, values, VALUES_READ_MAX, &got, &err);
    EXPECT(result == -1);
    EXPECT_I64(err.code, code);
    values_reader_free(&v);
}

TEST(parquet_values_read_plain)
{
    struct buf out = {0};
    EXPECT_TEXT(
        all(PARQUET_ENCODING_PLAIN, bytes, "01000000 61 00000000 02000000 6263", 3, NULL, &out),
        "a,,bc");
    EXPECT_TEXT(all(PARQUET_ENCODING_PLAIN, fixed3, "616263 646566", 2, NULL, &out), "abc,def");
    EXPECT_TEXT(all(PARQUET_ENCODING_PLAIN, int32, "30313233", 1, NULL, &out), "0123");
    EXPECT_TEXT(all(PARQUET_ENCODING_PLAIN, bytes, "", 0, NULL, &out), "");
    buf_free(&out);
}

TEST(parquet_values_read_booleans)
{
    struct buf out = {0};
    /* ten of them, lowest bit first: 1 0 1 1 0 0 0 0 1 1; and as runs, with their length */
    const char expected[] = "\1,\0,\1,\1,\0,\0,\0,\0,\1,\1";
    all(PARQUET_ENCODING_PLAIN, boolean, "0d 03", 10, NULL, &out);
    EXPECT_BYTES(out.data, out.len, expected, sizeof(expected) - 1);
    all(PARQUET_ENCODING_RLE, boolean, "04000000 03 0d 04 01", 10, NULL, &out);
    EXPECT_BYTES(out.data, out.len, expected, sizeof(expected) - 1);
    buf_free(&out);
}

TEST(parquet_values_read_deltas)
{
    struct buf out = {0};
    all(PARQUET_ENCODING_DELTA_BINARY_PACKED, int64, "80 01 04 03 02 02 00 00 00 00", 3, NULL,
        &out);
    EXPECT_BYTES(out.data, out.len, "\1\0\0\0\0\0\0\0,\2\0\0\0\0\0\0\0,\3\0\0\0\0\0\0\0", 26);
    /* -1, then 0: of an INT32 only the low bits count */
    all(PARQUET_ENCODING_DELTA_BINARY_PACKED, int32, "80 01 04 02 01 02 00 00 00 00", 2, NULL,
        &out);
    EXPECT_BYTES(out.data, out.len, "\xff\xff\xff\xff,\0\0\0\0", 9);
    buf_free(&out);
}

/* Lengths 5, 5, 6, 6: deltas 0 1 0, least 0, 1 bit each: bits 2. */
#define LENGTHS_5566 "80 01 04 04 0a 00 01 00 00 00 02 00 00 00"

TEST(parquet_values_read_delta_lengths)
{
    struct buf out = {0};
    /* "Hello", "World", "Foobar", "ABCDEF": the example of Encodings.md */
    EXPECT_TEXT(all(PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY, bytes,
                    LENGTHS_5566 "48656c6c6f 576f726c64 466f6f626172 414243444546", 4, NULL, &out),
                "Hello,World,Foobar,ABCDEF");
    EXPECT_TEXT(
        all(PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY, bytes, "80 01 04 00 00", 0, NULL, &out), "");
    buf_free(&out);
}

TEST(parquet_values_read_delta_strings)
{
    struct buf out = {0};
    /* deltas of the prefixes 2 -2 3, least -2: 4 0 5 in 3 bits: bytes 44 01; of the suffix lengths
     * 4 2 6 5: -2 4 -1, least -2: 0 6 1 in 3 bits: bytes 70 00. Miniblocks have 32 values. */
    const char *hex = "80 01 04 04 00 03 03 00 00 00 44 01 00 00 00 00 00 00 00 00 00 00"
                      "80 01 04 04 08 03 03 00 00 00 70 00 00 00 00 00 00 00 00 00 00 00"
                      "61786973 6c65 626162626c65 79686f6f64";
    EXPECT_TEXT(all(PARQUET_ENCODING_DELTA_BYTE_ARRAY, bytes, hex, 4, NULL, &out),
                "axis,axle,babble,babyhood");
    /* of fixed width 3: "abc" and "abd" */
    EXPECT_TEXT(all(PARQUET_ENCODING_DELTA_BYTE_ARRAY, fixed3,
                    "80 01 04 02 00 04 00 00 00 00  80 01 04 02 06 03 00 00 00 00 616263 64", 2,
                    NULL, &out),
                "abc,abd");
    buf_free(&out);
}

TEST(parquet_values_read_dictionary)
{
    struct buf out = {0};
    struct err err = {0};
    struct parquet_dictionary d = {0};
    buf_append_slice(&d.body, fixture_hex("01000000 61 02000000 6262 00000000"));
    EXPECT(parquet_dictionary_fill(&d, bytes, 3, &err) == 0);
    EXPECT_U64(d.count, 3);
    EXPECT(slice_is(d.entries[1], "bb") && d.entries[2].data != NULL);
    EXPECT_TEXT(all(PARQUET_ENCODING_RLE_DICTIONARY, bytes, "02 04 01 02 00 02 02", 4, &d, &out),
                "bb,bb,a,");
    EXPECT_TEXT(all(PARQUET_ENCODING_PLAIN_DICTIONARY, bytes, "02 02 00", 1, &d, &out), "a");
    EXPECT_TEXT(all(PARQUET_ENCODING_RLE_DICTIONARY, bytes, "", 0, NULL, &out), "");
    refused(PARQUET_ENCODING_RLE_DICTIONARY, bytes, "02 02 03", 1, &d, ERR_FORMAT);
    refused(PARQUET_ENCODING_RLE_DICTIONARY, bytes, "02 02 00", 1, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_RLE_DICTIONARY, bytes, "21 02 00 00 00 00 00", 1, &d, ERR_FORMAT);
    refused(PARQUET_ENCODING_RLE_DICTIONARY, bytes, "", 1, &d, ERR_FORMAT);

    /* Counts that the body can't have; bytes too many. */
    EXPECT(parquet_dictionary_fill(&d, bytes, 4, &err) == -1);
    err_clear(&err);
    EXPECT(parquet_dictionary_fill(&d, bytes, INT32_MAX, &err) == -1);
    err_clear(&err);
    EXPECT(parquet_dictionary_fill(&d, bytes, 2, &err) == -1);
    parquet_dictionary_free(&d);
    buf_free(&out);
}

TEST(parquet_values_read_hostile)
{
    refused(PARQUET_ENCODING_PLAIN, bytes, "02000000 61", 1, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_PLAIN, bytes, "ffffffff 61", 1, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_PLAIN, bytes, "01000000 61", 3, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_PLAIN, int64, "00000000000000", 1, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_PLAIN, int64, "0000000000000000", UINT32_MAX, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_PLAIN, boolean, "ff", 9, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_RLE, boolean, "05000000 03 0d 04 01", 10, NULL, ERR_FORMAT);
    /* lengths that are more than the data, and negative */
    refused(PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY, bytes, LENGTHS_5566 "48656c6c6f", 4, NULL,
            ERR_FORMAT);
    refused(PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY, bytes, "80 01 04 01 01 61", 1, NULL,
            ERR_FORMAT);
    /* a prefix of the first value, a negative one, and another width than the type's */
    refused(PARQUET_ENCODING_DELTA_BYTE_ARRAY, bytes, "80 01 04 01 02  80 01 04 01 02 61", 1, NULL,
            ERR_FORMAT);
    refused(PARQUET_ENCODING_DELTA_BYTE_ARRAY, bytes, "80 01 04 01 01  80 01 04 01 02 61", 1, NULL,
            ERR_FORMAT);
    refused(PARQUET_ENCODING_DELTA_BYTE_ARRAY, fixed3, "80 01 04 01 00  80 01 04 01 02 61", 1, NULL,
            ERR_FORMAT);
    refused(PARQUET_ENCODING_DELTA_BYTE_ARRAY, bytes,
            "80 01 04 02 00 03 03 00 00 00 44 01 00 00 00 00 00 00 00 00 00 00", 2, NULL,
            ERR_FORMAT);
}

/* The example of Encodings.md has three floats; here they are text. */
TEST(parquet_values_read_byte_stream_split)
{
    struct buf out = {0};
    /* "abcd", "efgh", "ijkl" */
    EXPECT_TEXT(all(PARQUET_ENCODING_BYTE_STREAM_SPLIT, int32,
                    "61 65 69 62 66 6a 63 67 6b 64 68 6c", 3, NULL, &out),
                "abcd,efgh,ijkl");
    EXPECT_TEXT(all(PARQUET_ENCODING_BYTE_STREAM_SPLIT, fixed3, "616263", 1, NULL, &out), "abc");
    EXPECT_TEXT(all(PARQUET_ENCODING_BYTE_STREAM_SPLIT, int64, "", 0, NULL, &out), "");
    refused(PARQUET_ENCODING_BYTE_STREAM_SPLIT, int32, "61 62 63 64 65", 1, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_BYTE_STREAM_SPLIT, int32, "61 62 63 64", 2, NULL, ERR_FORMAT);
    refused(PARQUET_ENCODING_BYTE_STREAM_SPLIT, int32, "", UINT64_MAX, NULL, ERR_FORMAT);
    buf_free(&out);
}

TEST(parquet_values_read_unsupported)
{
    refused(PARQUET_ENCODING_BYTE_STREAM_SPLIT, bytes, "61", 1, NULL, ERR_UNSUPPORTED);
    refused(PARQUET_ENCODING_BYTE_STREAM_SPLIT, boolean, "01", 1, NULL, ERR_UNSUPPORTED);
    refused(PARQUET_ENCODING_BIT_PACKED, int64, "00", 1, NULL, ERR_UNSUPPORTED);
    refused((enum parquet_encoding)10, int64, "00", 1, NULL, ERR_UNSUPPORTED);
    refused(PARQUET_ENCODING_RLE, int64, "00", 1, NULL, ERR_UNSUPPORTED);
    refused(PARQUET_ENCODING_DELTA_BINARY_PACKED, bytes, "00", 1, NULL, ERR_UNSUPPORTED);
    refused(PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY, int64, "00", 1, NULL, ERR_UNSUPPORTED);
    refused(PARQUET_ENCODING_DELTA_BYTE_ARRAY, int64, "00", 1, NULL, ERR_UNSUPPORTED);
}

TEST(parquet_values_read_names)
{
    EXPECT_TEXT(parquet_encoding_name(PARQUET_ENCODING_DELTA_BYTE_ARRAY), "DELTA_BYTE_ARRAY");
    EXPECT(parquet_encoding_name((enum parquet_encoding)99) == NULL);
}
