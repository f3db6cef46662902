/* SPDX-License-Identifier: MIT */
#include "parquet/write/page.h"

#include <string.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "parquet/write/metadata.h"

/* Pages with smaller bodies are moved together, so that they go to the file in one piece; for
 * larger ones that would cost more than another call. */
enum { SMALL_BODY = 16 * 1024 };

size_t page_begin(struct buf *out)
{
    buf_reserve(out, PAGE_HEADER_ROOM);
    out->len += PAGE_HEADER_ROOM;
    return out->len;
}

static struct page_extent seal(struct buf *out, size_t body, uint32_t raw_size,
                               struct parquet_page_header *header)
{
    uint8_t room[PAGE_HEADER_ROOM];
    struct buf bytes = {.data = room, .cap = sizeof(room)};
    size_t stored_size = out->len - body;

    ASSERT(raw_size <= PARQUET_PAGE_BYTES_MAX && stored_size <= INT32_MAX);
    header->uncompressed_page_size = (int32_t)raw_size;
    header->compressed_page_size = (int32_t)stored_size;
    header->has_crc = true;
    header->crc = crc32_update(0, out->data + body, stored_size);
    parquet_write_page_header(&bytes, header);

    struct page_extent extent = {.gap = (uint32_t)(PAGE_HEADER_ROOM - bytes.len),
                                 .size = (uint32_t)(bytes.len + stored_size)};
    uint8_t *start = out->data + body - bytes.len;
    memcpy(start, bytes.data, bytes.len);
    if (stored_size <= SMALL_BODY) {
        memmove(start - extent.gap, start, extent.size);
        out->len -= extent.gap;
        extent.gap = 0;
    }
    return extent;
}

struct page_extent page_seal_data(struct buf *out, size_t body, enum parquet_encoding encoding,
                                  uint32_t num_values, uint32_t raw_size)
{
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DATA,
        .num_values = (int32_t)num_values,
        .encoding = encoding,
        /* Also where there are no levels: a reader insists on it. */
        .definition_level_encoding = PARQUET_ENCODING_RLE,
        .repetition_level_encoding = PARQUET_ENCODING_RLE,
    };

    return seal(out, body, raw_size, &header);
}

struct page_extent page_seal_dictionary(struct buf *out, size_t body, uint32_t num_values,
                                        uint32_t raw_size)
{
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DICTIONARY,
        .num_values = (int32_t)num_values,
        .encoding = PARQUET_ENCODING_PLAIN,
    };

    return seal(out, body, raw_size, &header);
}
