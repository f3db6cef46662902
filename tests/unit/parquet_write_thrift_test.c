/* SPDX-License-Identifier: MIT */
#include "parquet/write/thrift.h"

#include "test.h"

/* Expected bytes are written down by hand from thrift-compact-protocol.md. */
static void expect_hex(const struct buf *out, const char *hex)
{
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);

    EXPECT_BYTES(out->data, out->len, expected, len);
}

TEST(thrift_write_integers_are_zigzag_varints)
{
    struct buf out = {0};
    struct thrift_writer w;

    thrift_write_open(&w, &out);
    thrift_write_i32(&w, 1, 0);
    thrift_write_i32(&w, 2, -1);
    thrift_write_i32(&w, 3, 64);
    thrift_write_i32(&w, 4, INT32_MIN);
    thrift_write_i64(&w, 5, INT64_MAX);
    thrift_write_i64(&w, 6, INT64_MIN);
    thrift_write_i16(&w, 7, -2);
    thrift_write_i8(&w, 8, -2);
    thrift_write_close(&w);
    expect_hex(&out, "15 00  15 01  15 8001  15 ffffffff0f"
                     "16 feffffffffffffffff01  16 ffffffffffffffffff01  14 03  13 fe  00");
    buf_free(&out);
}

TEST(thrift_write_long_steps_between_ids_have_their_own_form)
{
    struct buf out = {0};
    struct thrift_writer w;

    thrift_write_open(&w, &out);
    thrift_write_i32(&w, 15, 1);
    thrift_write_i32(&w, 31, 1);
    thrift_write_bool(&w, 32, true);
    thrift_write_bool(&w, 100, false);
    thrift_write_close(&w);
    expect_hex(&out, "f5 02  05 3e 02  11  02 c801  00");
    buf_free(&out);
}

TEST(thrift_write_ids_count_anew_in_each_struct)
{
    struct buf out = {0};
    struct thrift_writer w;

    thrift_write_open(&w, &out);
    thrift_write_i32(&w, 5, 1);
    thrift_write_struct(&w, 6);
    thrift_write_i32(&w, 1, 1);
    thrift_write_empty(&w, 2);
    thrift_write_close(&w);
    thrift_write_i32(&w, 7, 1);
    thrift_write_close(&w);
    expect_hex(&out, "55 02  1c 15 02  1c 00  00  15 02  00");
    buf_free(&out);
}

TEST(thrift_write_lists_of_15_have_a_longer_header)
{
    struct buf out = {0};
    struct thrift_writer w;

    thrift_write_open(&w, &out);
    thrift_write_list(&w, 1, THRIFT_I32, 14);
    for (int i = 0; i < 14; i++)
        thrift_element_i32(&w, 1);
    thrift_write_list(&w, 2, THRIFT_I64, 15);
    for (int i = 0; i < 15; i++)
        thrift_element_i64(&w, -1);
    thrift_write_list(&w, 3, THRIFT_BINARY, 1);
    thrift_element_binary(&w, slice_of("ab"));
    thrift_write_list(&w, 4, THRIFT_TRUE, 2);
    thrift_element_bool(&w, true);
    thrift_element_bool(&w, false);
    thrift_write_list(&w, 5, THRIFT_STRUCT, 0);
    thrift_write_close(&w);
    expect_hex(&out, "19 e5 02020202020202020202020202 02"
                     "19 f6 0f 010101010101010101010101010101"
                     "19 18 02 6162  19 21 01 02  19 0c  00");
    buf_free(&out);
}

TEST(thrift_write_binary_has_an_unsigned_length)
{
    struct buf out = {0};
    struct thrift_writer w;
    uint8_t bytes[200] = {0};

    thrift_write_open(&w, &out);
    thrift_write_binary(&w, 1, (struct slice){bytes, 200});
    thrift_write_binary(&w, 2, (struct slice){NULL, 0});
    thrift_write_close(&w);
    EXPECT_U64(out.len, 1 + 2 + 200 + 2 + 1);
    EXPECT_BYTES(out.data, 3, "\x18\xc8\x01", 3);
    EXPECT_BYTES(out.data + 203, 3, "\x18\x00\x00", 3);
    buf_free(&out);
}
