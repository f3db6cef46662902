/* SPDX-License-Identifier: MIT */
#include "parquet/page.h"

#include "base/check.h"
#include "base/crc32.h"
#include "parquet/metadata_write.h"

static void append(struct buf *out, struct parquet_page_header *header, uint32_t raw_size,
                   struct slice stored)
{
    CHECK(raw_size <= PARQUET_PAGE_BYTES_MAX && stored.len <= INT32_MAX);
    header->uncompressed_page_size = (int32_t)raw_size;
    header->compressed_page_size = (int32_t)stored.len;
    header->has_crc = true;
    header->crc = crc32_update(0, stored.data, stored.len);
    parquet_write_page_header(out, header);
    buf_append_slice(out, stored);
}

void page_append_data(struct buf *out, enum parquet_encoding encoding, uint32_t num_values,
                      uint32_t raw_size, struct slice stored)
{
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DATA,
        .num_values = (int32_t)num_values,
        .encoding = encoding,
        /* Also where there are no levels: a reader insists on it. */
        .definition_level_encoding = PARQUET_ENCODING_RLE,
        .repetition_level_encoding = PARQUET_ENCODING_RLE,
    };

    append(out, &header, raw_size, stored);
}

void page_append_dictionary(struct buf *out, uint32_t num_values, uint32_t raw_size,
                            struct slice stored)
{
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DICTIONARY,
        .num_values = (int32_t)num_values,
        .encoding = PARQUET_ENCODING_PLAIN,
    };

    append(out, &header, raw_size, stored);
}
