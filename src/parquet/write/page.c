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

/* `content` is the body: what is in `out` from there on, or lies elsewhere. */
static struct page_extent seal(struct buf *out, size_t body, struct slice content,
                               uint32_t raw_size, struct parquet_page_header *header)
{
    uint8_t room[PAGE_HEADER_ROOM];
    struct buf bytes = {.data = room, .cap = sizeof(room)};
    size_t here = out->len - body;

    ASSERT(raw_size <= PARQUET_PAGE_BYTES_MAX && content.len <= INT32_MAX);
    header->uncompressed_page_size = (int32_t)raw_size;
    header->compressed_page_size = (int32_t)content.len;
    header->has_crc = true;
    header->crc = crc32_update(0, content.data, content.len);
    parquet_write_page_header(&bytes, header);

    struct page_extent extent = {.gap = (uint32_t)(PAGE_HEADER_ROOM - bytes.len),
                                 .size = (uint32_t)(bytes.len + content.len)};
    uint8_t *start = out->data + body - bytes.len;
    memcpy(start, bytes.data, bytes.len);
    if (here <= SMALL_BODY) {
        memmove(start - extent.gap, start, bytes.len + here);
        out->len -= extent.gap;
        extent.gap = 0;
    }
    return extent;
}

static struct slice body_in(const struct buf *out, size_t body)
{
    return (struct slice){out->data + body, out->len - body};
}

static struct parquet_page_header data_header(enum parquet_encoding encoding, uint32_t num_values)
{
    return (struct parquet_page_header){
        .type = PARQUET_PAGE_DATA,
        .num_values = (int32_t)num_values,
        .encoding = encoding,
        /* Also where there are no levels: a reader insists on it. */
        .definition_level_encoding = PARQUET_ENCODING_RLE,
        .repetition_level_encoding = PARQUET_ENCODING_RLE,
    };
}

struct page_extent page_seal_data(struct buf *out, size_t body, enum parquet_encoding encoding,
                                  uint32_t num_values, uint32_t raw_size)
{
    struct parquet_page_header header = data_header(encoding, num_values);

    return seal(out, body, body_in(out, body), raw_size, &header);
}

struct page_extent page_seal_outside(struct buf *out, size_t body, struct slice content)
{
    struct parquet_page_header header = data_header(PARQUET_ENCODING_PLAIN, 1);

    return seal(out, body, content, (uint32_t)content.len, &header);
}

struct page_extent page_seal_dictionary(struct buf *out, size_t body, uint32_t num_values,
                                        uint32_t raw_size)
{
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DICTIONARY,
        .num_values = (int32_t)num_values,
        .encoding = PARQUET_ENCODING_PLAIN,
    };

    return seal(out, body, body_in(out, body), raw_size, &header);
}
