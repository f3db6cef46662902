/* SPDX-License-Identifier: MIT */
#include "parquet/verify/verify.h"

#include <stdio.h>

#include "base/crc32.h"
#include "batch/batch.h"
#include "parquet/checksum.h"
#include "parquet/write/writer.h"
#include "parquet_fixture.h"

/* Damage of a file that varve wrote, and what verify makes of it. */

static void count(void *context, const struct parquet_finding *finding)
{
    (void)finding;
    ++*(uint64_t *)context;
}

static uint64_t findings(struct slice bytes, struct parquet_codec *codec)
{
    struct parquet_source source = fixture_source(&bytes);
    uint64_t found = 0;
    struct parquet_verify v = {.codec = codec, .found = count, .context = &found};
    parquet_verify(&v, &source);
    parquet_verify_free(&v);
    return found;
}

static const struct column_spec columns[] = {
    {.name = "n", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "few",
     .type = COLUMN_BYTES,
     .meaning = COLUMN_TEXT,
     .dictionary = true,
     .bounds = true},
    {.name = "maybe", .type = COLUMN_BYTES, .optional = true},
};
static const struct schema schema = {"test", columns, 3};

static int append(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory can't fail */
    buf_append(context, data, len);
    return 0;
}

static void write_flat(struct buf *out, struct parquet_codec *codec, bool delta)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_sink sink = {.write = append, .context = out};
    struct err err = {0};
    options.delta = delta;
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    for (int batch = 0; batch < 2; batch++) {
        for (int i = 0; i < 20; i++) {
            batch_put_int64(b, 0, 1000 + 20 * batch + i);
            batch_put_bytes(b, 1, slice_of(i % 3 == 0 ? "three" : "other"));
            if (i % 4 == 0)
                batch_put_null(b, 2);
            else
                batch_put_bytes(b, 2,
                                slice_of("some text that is long enough to be packed, packed"));
            batch_end_row(b);
        }
        EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
        batch_reset(b);
    }
    parquet_writer_metadata(w, "varve.stream", slice_of("LOGGING"));
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    parquet_writer_free(w);
    batch_free(b);
}

static const struct column_spec nested[] = {
    {.name = "tags", .type = COLUMN_LIST, .optional = true},
    {.name = "", .type = COLUMN_STRUCT, .children = 2, .optional = true},
    {.name = "x", .type = COLUMN_DOUBLE, .bounds = true},
    {.name = "s",
     .type = COLUMN_BYTES,
     .meaning = COLUMN_TEXT,
     .optional = true,
     .bounds = true,
     .dictionary = true},
};
static const struct schema nested_schema = {"nested", nested, 4};

static void write_nested(struct buf *out, struct parquet_codec *codec)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_sink sink = {.write = append, .context = out};
    struct err err = {0};
    options.row_group_rows = 8;
    struct parquet_writer *w = parquet_writer_new(&nested_schema, &options, codec);
    struct batch *b = batch_new(&nested_schema, NULL);
    for (int row = 0; row < 12; row++) {
        if (row % 5 != 0) {
            batch_begin_list(b, 0);
            for (int i = 0; i < row % 4; i++) {
                batch_begin_struct(b, 1);
                batch_put_double(b, 2, row * 0.5);
                if (i > 0)
                    batch_put_bytes(b, 3, slice_of(i == 1 ? "one" : "more"));
                batch_end(b);
            }
            batch_end(b);
        }
        batch_end_row(b);
        if (b->rows == 6) {
            EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
            batch_reset(b);
        }
    }
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    parquet_writer_free(w);
    batch_free(b);
}

/* Not one flipped bit goes unseen, wherever it is: bodies of pages, their headers, indexes, the
 * footer, its length, both magics. */
static void flip_all(struct buf *bytes, struct parquet_codec *codec)
{
    EXPECT_U64(findings(buf_slice(bytes), codec), 0);
    for (size_t i = 0; i < bytes->len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes->data[i] ^= (uint8_t)(1U << bit);
            if (findings(buf_slice(bytes), codec) == 0)
                EXPECT_U64(i, SIZE_MAX); /* names the byte */
            bytes->data[i] ^= (uint8_t)(1U << bit);
        }
    }
    buf_free(bytes);
    parquet_codec_free(codec);
}

TEST(parquet_verify_every_flipped_bit)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    write_flat(&bytes, codec, false);
    flip_all(&bytes, codec);
}

TEST(parquet_verify_every_flipped_bit_delta)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    write_flat(&bytes, codec, true);
    flip_all(&bytes, codec);
}

TEST(parquet_verify_every_flipped_bit_nested)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    write_nested(&bytes, codec);
    flip_all(&bytes, codec);
}

TEST(parquet_verify_every_flipped_bit_without_rows)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_options options = parquet_options_default();
    struct err err = {0};
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    EXPECT(parquet_writer_finish(w, (struct parquet_sink){.write = append, .context = &bytes},
                                 &err) == 0);
    parquet_writer_free(w);
    flip_all(&bytes, codec);
}

TEST(parquet_verify_every_truncation)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    write_flat(&bytes, codec, false);
    for (size_t len = 0; len < bytes.len; len++)
        EXPECT(findings((struct slice){bytes.data, len}, codec) > 0);
    buf_free(&bytes);
    parquet_codec_free(codec);
}

/* pyarrow keeps the entries of a file that it rewrites: the checksum is then of another file. */
TEST(parquet_checksum_of_another_writer_counts_for_nothing)
{
    size_t digits = 0;
    struct slice ours = slice_of("....varve.crc32\x18\x08"
                                 "12345678");
    struct buf footer = {0};
    buf_append_slice(&footer, ours);
    buf_append(&footer, "\0\x18\x22varve version 1 (build 2)", 28);
    EXPECT(parquet_checksum_find(buf_slice(&footer), &digits));
    EXPECT_U64(digits, 17);
    buf_reset(&footer);
    buf_append_slice(&footer, ours);
    buf_append(&footer, "\0\x18\x24parquet-cpp-arrow version 25.0.0", 35);
    EXPECT(!parquet_checksum_find(buf_slice(&footer), &digits));
    buf_reset(&footer);
    EXPECT(!parquet_checksum_find(buf_slice(&footer), &digits));
    buf_free(&footer);
}

/* The checksum as checksum.h has it, computed from the file alone: one page, no index of bounds. */
TEST(parquet_checksum_of_a_file)
{
    static const struct column_spec number = {.name = "v", .type = COLUMN_INT64};
    static const struct schema numbers = {"numbers", &number, 1};
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_options options = parquet_options_default();
    struct parquet_sink sink = {.write = append, .context = &bytes};
    struct err err = {0};
    struct parquet_writer *w = parquet_writer_new(&numbers, &options, codec);
    struct batch *b = batch_new(&numbers, NULL);
    batch_put_int64(b, 0, INT64_C(0x0807060504030201));
    batch_end_row(b);
    EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    uint8_t *body = memmem(bytes.data, bytes.len, "\1\2\3\4\5\6\7\x08", 8);
    uint8_t *digits = memmem(bytes.data, bytes.len, "varve.crc32\x18\x08", 13);
    EXPECT(body != NULL && digits != NULL);
    char written[9] = {0}, wanted[9];
    memcpy(written, digits + 13, 8);
    memcpy(digits + 13, "00000000", 8);
    size_t rest = (size_t)(body + 8 - bytes.data);
    /* the header of the page; indexes, footer and its length; not the final magic */
    uint32_t crc = crc32_update(0, bytes.data + 4, (size_t)(body - bytes.data) - 4);
    crc = crc32_update(crc, bytes.data + rest, bytes.len - 4 - rest);
    (void)snprintf(wanted, sizeof(wanted), "%08x", crc);
    EXPECT_TEXT(written, wanted);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    batch_free(b);
    buf_free(&bytes);
}
