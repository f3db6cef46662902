/* SPDX-License-Identifier: MIT */
#include "parquet/read/file.h"

#include "parquet_fixture.h"

static enum err_code open_hex(const char *hex, const char *word)
{
    struct slice bytes = fixture_hex(hex);
    struct parquet_source source = fixture_source(&bytes);
    struct parquet_file file;
    struct err err = {0};
    EXPECT(parquet_file_open(&file, &source, &err) == -1);
    EXPECT(strstr(err.text, word) != NULL);
    parquet_file_close(&file);
    return err.code;
}

TEST(parquet_file_read_golden)
{
    struct slice bytes = fixture_hex(GOLDEN_ROWS);
    struct parquet_source source = fixture_source(&bytes);
    struct parquet_file file;
    struct err err = {0};
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    EXPECT_U64(file.footer_offset, GOLDEN_BODY_END);
    EXPECT_U64(file.leaves_count, 1);
    EXPECT_I64(parquet_file_leaf(&file, slice_of("v")), 0);
    EXPECT_I64(parquet_file_leaf(&file, slice_of("w")), -1);
    EXPECT(parquet_file_value(&file, "varve.stream").data == NULL);
    parquet_file_close(&file);
}

TEST(parquet_file_read_no_parquet)
{
    EXPECT_I64(open_hex("", "not a Parquet file"), ERR_FORMAT);
    EXPECT_I64(open_hex("504152", "not a Parquet file"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231", "truncated"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231 50415231", "truncated"), ERR_FORMAT);
    EXPECT_I64(open_hex("504b0304 0000000000000000", "not a Parquet file"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415245 00000000 50415245", "encrypted"), ERR_UNSUPPORTED);
    EXPECT_I64(open_hex("50415231 0000000000000000", "truncated"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231 00000000 50415231", "footer of 0"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231 01000000 50415231", "footer of 1"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231 00 ffffff7f 50415231", "footer of 2147483647"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231 00 ffffffff 50415231", "footer of 4294967295"), ERR_FORMAT);
    EXPECT_I64(open_hex("50415231 00 01000000 50415231", "required"), ERR_FORMAT);
}

TEST(parquet_file_read_every_cut)
{
    struct slice whole = fixture_hex(GOLDEN_ROWS);
    for (size_t len = 0; len < whole.len; len++) {
        struct slice bytes = {whole.data, len};
        struct parquet_source source = fixture_source(&bytes);
        struct parquet_file file;
        struct err err = {0};
        EXPECT(parquet_file_open(&file, &source, &err) == -1);
        EXPECT_I64(err.code, ERR_FORMAT);
    }
}

TEST(parquet_file_read_columns_without_chunks)
{
    /* a schema of one column; a row group of none */
    EXPECT_I64(open_hex("50415231 15 02 19 2c 48 01 72 15 02 00 15 04 25 00 18 01 76 00 16 02 19 1c"
                        "19 0c 16 00 16 02 00 00 1e000000 50415231",
                        "row group 0 has 0 columns, the schema has 1"),
               ERR_FORMAT);
}
