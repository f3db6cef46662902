/* SPDX-License-Identifier: MIT */
#include "parquet/read/column.h"

#include "parquet/write/metadata.h"
#include "parquet_fixture.h"

/* A file of one column and one row group, whose pages a test makes by hand. */
struct made {
    struct buf bytes;
    struct slice slice;
    struct parquet_source source;
    struct parquet_schema_element element;
    struct parquet_leaf leaf;
    struct parquet_column_chunk chunk;
    struct parquet_row_group group;
    struct parquet_file file;
    struct parquet_codec *codec;
    struct parquet_column_reader reader;
};

static void make(struct made *m, enum parquet_type type, uint32_t width, bool optional)
{
    *m = (struct made){0};
    m->element.type = type;
    m->leaf = (struct parquet_leaf){
        .element = &m->element, .type = {type, width}, .definition = optional, .ordered = true};
    m->chunk.type = type;
    m->codec = parquet_codec_new(NULL);
    buf_append_text(&m->bytes, PARQUET_MAGIC);
}

static void add_page(struct made *m, struct parquet_page_header header, const char *hex)
{
    struct slice body = fixture_hex(hex);
    header.compressed_page_size = header.uncompressed_page_size = (int32_t)body.len;
    header.definition_level_encoding = header.repetition_level_encoding = PARQUET_ENCODING_RLE;
    if (header.type == PARQUET_PAGE_DICTIONARY)
        m->chunk.dictionary_page_offset = (int64_t)m->bytes.len;
    else if (m->chunk.data_page_offset == 0)
        m->chunk.data_page_offset = (int64_t)m->bytes.len;
    if (header.type == PARQUET_PAGE_DATA_V2) {
        /* the writer has no v2: type, sizes, and the struct with field 8 */
        struct buf *b = &m->bytes;
        uint8_t size = (uint8_t)(body.len * 2);
        uint8_t bytes[] = {0x15,
                           6,
                           0x15,
                           size,
                           0x15,
                           size,
                           0x5c,
                           0x15,
                           (uint8_t)(header.num_values * 2),
                           0x15,
                           (uint8_t)(header.num_nulls * 2),
                           0x15,
                           (uint8_t)(header.num_rows * 2),
                           0x15,
                           (uint8_t)(header.encoding * 2),
                           0x15,
                           (uint8_t)(header.definition_levels_byte_length * 2),
                           0x15,
                           (uint8_t)(header.repetition_levels_byte_length * 2),
                           0x12,
                           0,
                           0};
        buf_append(b, bytes, sizeof(bytes));
    } else if (header.type == PARQUET_PAGE_INDEX) {
        buf_append_slice(&m->bytes, fixture_hex("15 02 15 00 15 00 00"));
    } else {
        parquet_write_page_header(&m->bytes, &header);
    }
    buf_append_slice(&m->bytes, body);
}

static struct parquet_page_header data(int32_t values, enum parquet_encoding encoding)
{
    return (struct parquet_page_header){
        .type = PARQUET_PAGE_DATA, .num_values = values, .encoding = encoding};
}

static struct parquet_page_header data_v2(int32_t values, int32_t nulls, int32_t levels)
{
    return (struct parquet_page_header){.type = PARQUET_PAGE_DATA_V2,
                                        .num_values = values,
                                        .num_rows = values,
                                        .num_nulls = nulls,
                                        .definition_levels_byte_length = levels};
}

static struct parquet_page_header dictionary(int32_t values)
{
    return (struct parquet_page_header){.type = PARQUET_PAGE_DICTIONARY, .num_values = values};
}

static int begin(struct made *m, struct err *err)
{
    m->slice = buf_slice(&m->bytes);
    m->source = fixture_source(&m->slice);
    int64_t start = m->chunk.dictionary_page_offset > 0 ? m->chunk.dictionary_page_offset
                                                        : m->chunk.data_page_offset;
    m->chunk.total_compressed_size = (int64_t)m->bytes.len - start;
    m->group = (struct parquet_row_group){.columns = &m->chunk, .columns_count = 1};
    m->file = (struct parquet_file){
        .source = m->source, .footer_offset = m->bytes.len, .leaves = &m->leaf, .leaves_count = 1};
    m->file.metadata.row_groups = &m->group;
    m->file.metadata.row_groups_count = 1;
    return parquet_column_begin(&m->reader, &m->file, 0, 0, m->codec, err);
}

/* All rows, `max` at a time, joined with commas; "~" is a null. The code of the first error. */
static enum err_code rows(struct made *m, uint32_t max, struct buf *out)
{
    struct err err = {0};
    struct slice row[PARQUET_READ_ROWS];
    uint32_t count = 0;
    int more = 0;
    buf_reset(out);
    if (begin(m, &err) != 0)
        return err.code;
    while ((more = parquet_column_next_page(&m->reader, &err)) == 1) {
        if (parquet_column_open_page(&m->reader, &err) != 0)
            return err.code;
        while (m->reader.left > 0) {
            if (parquet_column_read(&m->reader, row, max, &count, &err) != 0)
                return err.code;
            EXPECT(count >= 1 && count <= max);
            for (uint32_t i = 0; i < count; i++) {
                if (out->len > 0)
                    buf_append_byte(out, ',');
                buf_append_slice(out, row[i].data != NULL ? row[i] : slice_of("~"));
            }
        }
    }
    EXPECT((more == 0) == (err.code == ERR_NONE));
    return err.code;
}

static void unmake(struct made *m)
{
    parquet_column_free(&m->reader);
    parquet_codec_free(m->codec);
    buf_free(&m->bytes);
}

TEST(parquet_column_read_required_pages)
{
    struct made m;
    struct buf out = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, false);
    add_page(&m, data(2, PARQUET_ENCODING_PLAIN), "01000000 61 01000000 62");
    add_page(&m, data(0, PARQUET_ENCODING_PLAIN), "");
    add_page(&m, data(1, PARQUET_ENCODING_PLAIN), "01000000 63");
    EXPECT_I64(rows(&m, 1, &out), ERR_NONE);
    EXPECT_TEXT(buf_text(&out), "a,b,c");
    unmake(&m);
    buf_free(&out);
}

TEST(parquet_column_read_nulls)
{
    struct made m;
    struct buf out = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, true);
    /* levels 1 0 0 1 0 as one group, with their length; then all null; then none null (a run) */
    add_page(&m, data(5, PARQUET_ENCODING_PLAIN), "02000000 03 09  01000000 61 01000000 62");
    add_page(&m, data(3, PARQUET_ENCODING_PLAIN), "02000000 06 00");
    add_page(&m, data(2, PARQUET_ENCODING_PLAIN), "02000000 04 01  01000000 63 01000000 64");
    for (uint32_t max = 1; max <= 6; max++) {
        EXPECT_I64(rows(&m, max, &out), ERR_NONE);
        EXPECT_TEXT(buf_text(&out), "a,~,~,b,~,~,~,~,c,d");
    }
    unmake(&m);
    buf_free(&out);
}

TEST(parquet_column_read_v2)
{
    struct made m;
    struct buf out = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, true);
    add_page(&m, data_v2(5, 3, 2), "03 09  01000000 61 01000000 62");
    EXPECT_I64(rows(&m, 3, &out), ERR_NONE);
    EXPECT_TEXT(buf_text(&out), "a,~,~,b,~");
    unmake(&m);

    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, true);
    add_page(&m, data_v2(5, 2, 2), "03 09  01000000 61 01000000 62"); /* there are 3 nulls */
    EXPECT_I64(rows(&m, 3, &out), ERR_FORMAT);
    unmake(&m);

    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, true);
    add_page(&m, data_v2(5, 3, 60), "03 09  01000000 61 01000000 62"); /* levels beyond the page */
    EXPECT_I64(rows(&m, 3, &out), ERR_FORMAT);
    unmake(&m);

    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, false);
    struct parquet_page_header header = data_v2(1, 0, 0);
    header.num_rows = 2;
    add_page(&m, header, "01000000 61"); /* two rows of one value */
    EXPECT_I64(rows(&m, 3, &out), ERR_FORMAT);
    unmake(&m);
    buf_free(&out);
}

TEST(parquet_column_read_dictionary)
{
    struct made m;
    struct buf out = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, false);
    add_page(&m, dictionary(2), "01000000 61 01000000 62");
    add_page(&m, data(3, PARQUET_ENCODING_RLE_DICTIONARY), "01 02 01 04 00");
    add_page(&m, data(1, PARQUET_ENCODING_PLAIN), "01000000 63"); /* given up */
    EXPECT_I64(rows(&m, 8, &out), ERR_NONE);
    EXPECT_TEXT(buf_text(&out), "b,a,a,c");

    /* The next chunk has none: the old one is forgotten. */
    buf_reset(&m.bytes);
    buf_append_text(&m.bytes, PARQUET_MAGIC);
    m.chunk.dictionary_page_offset = m.chunk.data_page_offset = 0;
    add_page(&m, data(3, PARQUET_ENCODING_RLE_DICTIONARY), "01 02 01 04 00");
    EXPECT_I64(rows(&m, 8, &out), ERR_FORMAT);
    unmake(&m);

    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, false);
    add_page(&m, dictionary(2), "01000000 61 01000000 62");
    add_page(&m, dictionary(2), "01000000 61 01000000 62"); /* a second one */
    m.chunk.dictionary_page_offset = 4;
    EXPECT_I64(rows(&m, 8, &out), ERR_FORMAT);
    unmake(&m);
    buf_free(&out);
}

static void refused(bool optional, struct parquet_page_header header, const char *hex,
                    enum err_code code)
{
    struct made m;
    struct buf out = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, optional);
    add_page(&m, header, hex);
    EXPECT_I64(rows(&m, 8, &out), code);
    unmake(&m);
    buf_free(&out);
}

TEST(parquet_column_read_hostile)
{
    refused(false, data(INT32_MAX, PARQUET_ENCODING_PLAIN), "00", ERR_LIMIT);
    refused(true, data(5, PARQUET_ENCODING_PLAIN), "", ERR_FORMAT);
    refused(true, data(5, PARQUET_ENCODING_PLAIN), "ffffffff 03 09", ERR_FORMAT);
    refused(true, data(5, PARQUET_ENCODING_PLAIN), "02000000 06 00", ERR_FORMAT); /* three levels */
    refused(true, data(2, PARQUET_ENCODING_PLAIN), "02000000 06 00", ERR_FORMAT); /* for two */
    refused(true, data(1, PARQUET_ENCODING_PLAIN), "02000000 02 02", ERR_FORMAT); /* level 2 */
    refused(true, data(5, PARQUET_ENCODING_PLAIN), "02000000 03 09 01000000 61", ERR_FORMAT);
    refused(false, (struct parquet_page_header){.type = PARQUET_PAGE_INDEX}, "", ERR_UNSUPPORTED);
}

/* fastparquet 0.8.2 wrote a page of one int64 and eight more bytes, which others pass over. */
TEST(parquet_column_read_pages_with_padding)
{
    struct made m;
    struct buf out = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, true);
    add_page(&m, data(1, PARQUET_ENCODING_PLAIN), "02000000 0201 01000000 61 0000");
    add_page(&m, data(1, PARQUET_ENCODING_PLAIN), "02000000 0201 01000000 62");
    EXPECT_I64(rows(&m, 8, &out), ERR_NONE);
    EXPECT_TEXT(buf_text(&out), "a,b");
    EXPECT(!m.reader.leftover);
    unmake(&m);
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, false);
    add_page(&m, data(0, PARQUET_ENCODING_PLAIN), "00");
    EXPECT_I64(rows(&m, 8, &out), ERR_NONE);
    EXPECT(m.reader.leftover);
    unmake(&m);
    buf_free(&out);
}

TEST(parquet_column_read_places)
{
    struct made m;
    struct err err = {0};
    make(&m, PARQUET_TYPE_BYTE_ARRAY, 0, false);
    add_page(&m, data(1, PARQUET_ENCODING_PLAIN), "01000000 61");
    EXPECT(begin(&m, &err) == 0);
    m.chunk.total_compressed_size = INT64_MAX; /* sums that overflow */
    EXPECT(parquet_column_begin(&m.reader, &m.file, 0, 0, m.codec, &err) == -1);
    err_clear(&err);
    m.chunk.total_compressed_size = 5;
    m.chunk.data_page_offset = 3; /* in the magic */
    EXPECT(parquet_column_begin(&m.reader, &m.file, 0, 0, m.codec, &err) == -1);
    err_clear(&err);
    m.chunk.data_page_offset = INT64_MAX;
    EXPECT(parquet_column_begin(&m.reader, &m.file, 0, 0, m.codec, &err) == -1);
    err_clear(&err);
    m.chunk.data_page_offset = 4;
    m.chunk.type = PARQUET_TYPE_INT64; /* the schema says another one */
    EXPECT(parquet_column_begin(&m.reader, &m.file, 0, 0, m.codec, &err) == -1);
    EXPECT_I64(err.code, ERR_FORMAT);
    err_clear(&err);
    m.leaf.unsupported = "is strange";
    EXPECT(parquet_column_begin(&m.reader, &m.file, 0, 0, m.codec, &err) == -1);
    EXPECT_I64(err.code, ERR_UNSUPPORTED);
    unmake(&m);
}

TEST(parquet_column_read_chunk_start)
{
    struct parquet_column_chunk c = {.data_page_offset = 100};
    EXPECT_U64(parquet_chunk_start(&c), 100);
    c.dictionary_page_offset = 40;
    EXPECT_U64(parquet_chunk_start(&c), 40);
    c.data_page_offset = 0; /* no data pages */
    EXPECT_U64(parquet_chunk_start(&c), 40);
    c.data_page_offset = 30; /* data pages say where they are, the other is not believed */
    EXPECT_U64(parquet_chunk_start(&c), 30);
}
