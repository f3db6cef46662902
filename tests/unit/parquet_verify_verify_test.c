/* SPDX-License-Identifier: MIT */
#include "parquet/verify/verify.h"

#include "base/crc32.h"
#include "parquet/read/column.h"
#include "parquet/read/file.h"
#include "parquet/write/metadata.h"
#include "parquet_fixture.h"

/* What was found, a line each: "fault, row group, column, page: text". */
struct found {
    struct buf lines;
    struct parquet_verify verify;
};

static void note(void *context, const struct parquet_finding *f)
{
    struct buf *lines = context;
    buf_printf(lines, "%s, %d, %.*s, %d: %s\n", parquet_fault_name(f->fault), (int)f->row_group,
               (int)f->column.len, (const char *)f->column.data, (int)f->page, f->text);
}

static const char *verify(struct found *f, struct slice bytes, struct parquet_codec *codec)
{
    struct parquet_source source = fixture_source(&bytes);
    buf_reset(&f->lines);
    f->verify = (struct parquet_verify){
        .codec = codec, .found = note, .context = &f->lines, .memory = f->verify.memory};
    parquet_verify(&f->verify, &source);
    EXPECT((f->verify.findings == 0) == (f->lines.len == 0));
    return buf_text(&f->lines);
}

TEST(parquet_verify_goldens)
{
    struct found f = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    EXPECT_TEXT(verify(&f, fixture_hex(GOLDEN_ROWS), codec), "");
    EXPECT(f.verify.rows == 3 && f.verify.pages == 1 && f.verify.pages_without_crc == 0);
    EXPECT_TEXT(verify(&f, fixture_hex(GOLDEN_EMPTY), codec), "");
    EXPECT(f.verify.rows == 0 && f.verify.row_groups == 0);
    parquet_codec_free(codec);
    parquet_verify_free(&f.verify);
    buf_free(&f.lines);
}

struct lie {
    struct buf bytes;
    struct slice golden;
    struct parquet_source source;
    struct parquet_file file;
    struct parquet_file_metadata metadata;
    struct parquet_row_group group;
    struct parquet_column_chunk chunk;
    struct found found;
    struct parquet_codec *codec;
};

static void lie_begin(struct lie *l)
{
    struct err err = {0};
    *l = (struct lie){.golden = fixture_hex(GOLDEN_ROWS), .codec = parquet_codec_new(NULL)};
    l->source = fixture_source(&l->golden);
    EXPECT(parquet_file_open(&l->file, &l->source, &err) == 0);
    l->metadata = l->file.metadata;
    l->group = l->metadata.row_groups[0];
    l->chunk = l->group.columns[0];
    l->metadata.row_groups = &l->group;
    l->group.columns = &l->chunk;
}

/* What is found in the golden pages, `more`, and the footer as it is now. */
static const char *lie_tell(struct lie *l, struct slice more)
{
    buf_reset(&l->bytes);
    buf_append(&l->bytes, l->golden.data, GOLDEN_BODY_END);
    buf_append_slice(&l->bytes, more);
    size_t start = l->bytes.len;
    parquet_write_file_metadata(&l->bytes, &l->metadata);
    buf_append_u32le(&l->bytes, (uint32_t)(l->bytes.len - start));
    buf_append_text(&l->bytes, PARQUET_MAGIC);
    return verify(&l->found, buf_slice(&l->bytes), l->codec);
}

static void lie_end(struct lie *l)
{
    parquet_file_close(&l->file);
    parquet_codec_free(l->codec);
    buf_free(&l->bytes);
    parquet_verify_free(&l->found.verify);
    buf_free(&l->found.lines);
}

#define EXPECT_FOUND(lie, words) EXPECT(strstr(lie_tell(lie, (struct slice){0}), words) != NULL)

TEST(parquet_verify_counts_that_lie)
{
    struct lie l;
    lie_begin(&l);
    EXPECT_TEXT(lie_tell(&l, (struct slice){0}), "");
    l.metadata.num_rows = 4;
    EXPECT_FOUND(&l, "inconsistent, -1, , -1: the footer says 4 rows, the row groups have 3");
    l.metadata.num_rows = 3;
    l.group.num_rows = 4;
    EXPECT_FOUND(&l, "inconsistent, 0, v, -1: 3 values in a row group of 4 rows");
    l.group.num_rows = 3;
    l.chunk.num_values = 2;
    EXPECT_FOUND(&l, "inconsistent, 0, v, -1: 2 values are stated, the pages have 3");
    l.chunk.num_values = 3;
    l.chunk.total_uncompressed_size = 48;
    EXPECT_FOUND(&l, "0, v, -1: 48 bytes before compression are stated, the pages have 47");
    EXPECT_FOUND(&l, "0, , -1: 47 bytes before compression are stated, its columns have 48");
    l.chunk.total_uncompressed_size = 47;
    l.group.total_compressed_size = 46;
    EXPECT_FOUND(&l, "0, , -1: 46 compressed bytes are stated, its columns have 47");
    l.group.total_compressed_size = 47;
    l.group.file_offset = 5;
    EXPECT_FOUND(&l, "0, , -1: it is said to begin at 5, its first page is at 4");
    l.group.file_offset = 4;
    l.group.ordinal = 1;
    EXPECT_FOUND(&l, "its ordinal is 1");
    l.group.ordinal = 0;
    l.chunk.encodings_count = 0;
    EXPECT_FOUND(&l, "0, v, 0: the encoding of the page is not in the list");
    lie_end(&l);
}

TEST(parquet_verify_places_that_lie)
{
    struct lie l;
    lie_begin(&l);
    l.chunk.total_compressed_size = 46;
    EXPECT_FOUND(&l, "damaged, 0, v, 0: ");
    l.chunk.total_compressed_size = 1000;
    EXPECT_FOUND(&l, "damaged, 0, v, -1: 1000 bytes at 4 are not all in front of the footer");
    l.chunk.total_compressed_size = 47;
    l.chunk.data_page_offset = 5;
    EXPECT_FOUND(&l, "damaged, 0, v, -1: 47 bytes at 5 are not all in front of the footer");
    l.chunk.data_page_offset = 3;
    EXPECT_FOUND(&l, "the column begins at 3, what is before it ends at 4");
    l.chunk.data_page_offset = 4;

    /* The same bytes twice: they are not walked twice. */
    struct parquet_row_group twice[2] = {l.group, l.group};
    twice[1].ordinal = 1;
    l.metadata.row_groups = twice;
    l.metadata.row_groups_count = 2;
    l.metadata.num_rows = 6;
    EXPECT_FOUND(&l, "1, v, -1: the column begins at 4, what is before it ends at 51");
    EXPECT_U64(l.found.verify.pages, 1);
    lie_end(&l);
}

TEST(parquet_verify_statistics_that_lie)
{
    struct lie l;
    lie_begin(&l);
    struct parquet_statistics *s = &l.chunk.statistics;
    s->null_count = 1;
    EXPECT_FOUND(&l, "statistics, 0, v, -1: 1 nulls are stated, there are 0");
    s->null_count = 0;
    s->max = fixture_hex("0200000000000000");
    EXPECT_FOUND(&l, "statistics, 0, v, -1: the maximum is not that of the values");
    s->max = fixture_hex("0400000000000000");
    EXPECT_FOUND(&l, "the maximum is not that of the values");
    s->max_exact = PARQUET_EXACT_UNSTATED; /* then it only has to bound them */
    EXPECT_TEXT(lie_tell(&l, (struct slice){0}), "");
    s->min = fixture_hex("ffffffffffffffff");
    EXPECT_FOUND(&l, "the minimum is not that of the values");
    s->min = fixture_hex("feffffff");
    EXPECT_FOUND(&l, "the minimum has 4 bytes");
    l.metadata.column_orders_count = 0; /* then bounds mean nothing */
    EXPECT_TEXT(lie_tell(&l, (struct slice){0}), "");
    l.metadata.column_orders_count = 1;
    s->has_min = false;
    struct parquet_sorting_column sorting = {.column_idx = 0};
    l.group.sorting_columns = &sorting;
    l.group.sorting_columns_count = 1;
    EXPECT_FOUND(&l, "the rows are said to be sorted by this column, and are not");
    lie_end(&l);
}

/* An index behind the pages. */
static const char *lie_offsets(struct lie *l, struct parquet_page_location location, uint32_t count)
{
    struct buf bytes = {0};
    struct parquet_page_location two[2] = {location, location};
    struct parquet_offset_index index = {.page_locations = two, .count = count};
    parquet_write_offset_index(&bytes, &index);
    l->chunk.offset_index_offset = GOLDEN_BODY_END;
    l->chunk.offset_index_length = (int32_t)bytes.len;
    const char *lines = lie_tell(l, buf_slice(&bytes));
    buf_free(&bytes);
    return lines;
}

static const char *lie_bounds(struct lie *l, bool null, int64_t nulls, const char *min,
                              const char *max)
{
    struct buf bytes = {0};
    struct slice mins = fixture_hex(min), maxs = fixture_hex(max);
    struct parquet_column_index index = {.count = 1,
                                         .null_pages = &null,
                                         .min_values = &mins,
                                         .max_values = &maxs,
                                         .boundary_order = PARQUET_BOUNDARY_ASCENDING,
                                         .null_counts = &nulls};
    parquet_write_column_index(&bytes, &index);
    l->chunk.column_index_offset = GOLDEN_BODY_END;
    l->chunk.column_index_length = (int32_t)bytes.len;
    const char *lines = lie_tell(l, buf_slice(&bytes));
    buf_free(&bytes);
    return lines;
}

TEST(parquet_verify_offset_indexes_that_lie)
{
    struct lie l;
    lie_begin(&l);
    struct parquet_page_location right = {4, 47, 0}, wrong = {4, 24, 0}, late = {4, 47, 1};
    EXPECT_TEXT(lie_offsets(&l, right, 1), "");
    EXPECT(strstr(lie_offsets(&l, wrong, 1), "has 24 bytes at 4 for this page of 47") != NULL);
    EXPECT(strstr(lie_offsets(&l, late, 1), "begins this page with row 1, not 0") != NULL);
    EXPECT(strstr(lie_offsets(&l, right, 2), "has 2 pages, there are 1") != NULL);
    l.chunk.offset_index_offset = 1;
    EXPECT_FOUND(&l, "is not between the pages and the footer");
    l.chunk.offset_index_offset = GOLDEN_BODY_END;
    l.chunk.offset_index_length = INT32_MAX;
    EXPECT_FOUND(&l, "is not between the pages and the footer");
    l.chunk.offset_index_length = 3; /* bytes of the footer, that is none */
    EXPECT_FOUND(&l, "is not between the pages and the footer");
    lie_end(&l);
}

TEST(parquet_verify_column_indexes_that_lie)
{
    static const char low[] = "feffffffffffffff", high[] = "0300000000000000";
    struct lie l;
    lie_begin(&l);
    EXPECT_TEXT(lie_bounds(&l, false, 0, low, high), "");
    EXPECT(strstr(lie_bounds(&l, true, 0, "", ""), "only nulls, it has values") != NULL);
    EXPECT(strstr(lie_bounds(&l, false, 2, low, high), "2 nulls, there are 0") != NULL);
    EXPECT(strstr(lie_bounds(&l, false, 0, high, high), "are not those of the page") != NULL);
    EXPECT(strstr(lie_bounds(&l, false, 0, low, low), "are not those of the page") != NULL);
    EXPECT(strstr(lie_bounds(&l, false, 0, "00", high), "of a wrong size") != NULL);
    lie_end(&l);
}

TEST(parquet_verify_findings_are_capped)
{
    struct lie l;
    lie_begin(&l);
    struct parquet_row_group many[300];
    for (int i = 0; i < 300; i++)
        many[i] = l.group;
    l.metadata.row_groups = many;
    l.metadata.row_groups_count = 300;
    lie_tell(&l, (struct slice){0});
    uint64_t lines = 0;
    for (size_t i = 0; i < l.found.lines.len; i++)
        lines += l.found.lines.data[i] == '\n';
    EXPECT_U64(lines, PARQUET_FINDINGS_MAX);
    EXPECT(l.found.verify.findings > 500);
    lie_end(&l);
}

static int fail(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    (void)context;
    (void)offset;
    (void)data;
    (void)len;
    return err_set_system(err, 5, "disk");
}

TEST(parquet_verify_source_fails)
{
    struct found f = {0};
    struct parquet_source source = {fail, NULL, 1000};
    f.verify = (struct parquet_verify){.found = note, .context = &f.lines};
    parquet_verify(&f.verify, &source);
    EXPECT(strstr(buf_text(&f.lines), "unreadable, -1, , -1: disk") != NULL);
    parquet_verify_free(&f.verify);
    buf_free(&f.lines);
}

/* A page of `rows` int64 zeros. */
static void add_zeros(struct buf *out, struct parquet_column_chunk *chunk, int32_t rows, bool crc)
{
    uint8_t zeros[80] = {0};
    size_t len = (size_t)rows * 8, start = out->len;
    struct parquet_page_header h = {.type = PARQUET_PAGE_DATA,
                                    .uncompressed_page_size = (int32_t)len,
                                    .compressed_page_size = (int32_t)len,
                                    .has_crc = crc,
                                    .crc = crc32_update(0, zeros, len),
                                    .num_values = rows,
                                    .definition_level_encoding = PARQUET_ENCODING_RLE,
                                    .repetition_level_encoding = PARQUET_ENCODING_RLE};
    if (chunk->data_page_offset == 0)
        chunk->data_page_offset = (int64_t)start;
    parquet_write_page_header(out, &h);
    buf_append(out, zeros, len);
    chunk->num_values += rows;
    chunk->total_compressed_size += (int64_t)(out->len - start);
    chunk->total_uncompressed_size = chunk->total_compressed_size;
}

/* What is found in a file of varve with two columns, whose pages have these rows (0 ends). */
static void expect_pages(const int32_t *first, const int32_t *second, bool crc,
                         const char *expected)
{
    static const enum parquet_encoding plain = PARQUET_ENCODING_PLAIN;
    const int32_t *const pages[2] = {first, second};
    struct slice names[2] = {slice_of("a"), slice_of("b")};
    struct parquet_schema_element schema_elements[3] = {
        {.name = slice_of("schema"), .num_children = 2, .converted_type = PARQUET_CONVERTED_NONE}};
    struct parquet_column_chunk chunks[2] = {{0}, {0}};
    struct buf bytes = {0};
    struct found f = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    buf_append_text(&bytes, PARQUET_MAGIC);
    for (int i = 0; i < 2; i++) {
        schema_elements[i + 1] =
            (struct parquet_schema_element){.has_type = true,
                                            .type = PARQUET_TYPE_INT64,
                                            .has_repetition = true,
                                            .name = names[i],
                                            .converted_type = PARQUET_CONVERTED_NONE};
        chunks[i] = (struct parquet_column_chunk){.type = PARQUET_TYPE_INT64,
                                                  .encodings = &plain,
                                                  .encodings_count = 1,
                                                  .path = &names[i],
                                                  .path_count = 1};
        for (const int32_t *rows = pages[i]; *rows != 0; rows++)
            add_zeros(&bytes, &chunks[i], *rows, crc);
    }
    struct parquet_row_group group = {.columns = chunks,
                                      .columns_count = 2,
                                      .num_rows = chunks[0].num_values,
                                      .total_byte_size = chunks[0].total_uncompressed_size +
                                                         chunks[1].total_uncompressed_size};
    struct parquet_file_metadata m = {.version = 1,
                                      .schema = schema_elements,
                                      .schema_count = 3,
                                      .num_rows = group.num_rows,
                                      .row_groups = &group,
                                      .row_groups_count = 1,
                                      .has_created_by = true,
                                      .created_by = slice_of("varve version 1 (build x)")};
    size_t start = bytes.len;
    parquet_write_file_metadata(&bytes, &m);
    buf_append_u32le(&bytes, (uint32_t)(bytes.len - start));
    buf_append_text(&bytes, PARQUET_MAGIC);
    EXPECT_TEXT(verify(&f, buf_slice(&bytes), codec), expected);
    parquet_codec_free(codec);
    buf_free(&bytes);
    parquet_verify_free(&f.verify);
    buf_free(&f.lines);
}

TEST(parquet_verify_nesting)
{
    static const int32_t whole[] = {6, 0}, halves[] = {3, 3, 0}, more[] = {1, 2, 3, 0},
                         askew[] = {2, 4, 0};
    static const char bad[] = "inconsistent, 0, , -1: pages of its columns end at rows that do not "
                              "nest\n";
    expect_pages(whole, halves, true, "");
    expect_pages(halves, more, true, "");
    expect_pages(more, halves, true, "");
    expect_pages(halves, halves, true, "");
    expect_pages(halves, askew, true, bad);
    expect_pages(more, askew, true, bad);
}

TEST(parquet_verify_pages_of_varve_have_a_crc)
{
    static const int32_t one[] = {1, 0};
    expect_pages(one, one, false,
                 "damaged, 0, a, 0: the page has no CRC, which varve always writes\n"
                 "damaged, 0, b, 0: the page has no CRC, which varve always writes\n");
}
