/* SPDX-License-Identifier: MIT */
#include "parquet/read/page.h"

#include <inttypes.h>
#include <string.h>

#include "base/crc32.h"
#include "parquet/read/metadata.h"

/* A zstd block makes at most 128 KiB out of at least 4 bytes: so no frame is announced to be
 * larger than this times its own size, and memory for it follows the size of the file. */
enum { ZSTD_RATIO_MAX = 128 * 1024 / 4 };

void parquet_pages_begin(struct parquet_pages *p, const struct parquet_source *source,
                         uint64_t start, uint64_t end)
{
    p->source = source;
    if (p->ahead == 0)
        p->ahead = PARQUET_READ_AHEAD;
    p->at = start;
    p->end = end;
    buf_reset(&p->window);
    p->window_offset = start;
}

/* Have the `len` bytes from p->at, which lie in the chunk, in the window. Keeps what is there of
 * them already. */
static int load(struct parquet_pages *p, size_t len, struct slice *bytes, struct err *err)
{
    uint64_t before = p->at - p->window_offset;
    size_t skip = before < p->window.len ? (size_t)before : p->window.len; /* pages were passed */
    if (len > p->window.len - skip) {
        buf_consume(&p->window, skip);
        p->window_offset = p->at;
        skip = 0;
        uint64_t want = len > p->ahead ? len : p->ahead;
        if (want > p->end - p->at)
            want = p->end - p->at;
        size_t more = (size_t)want - p->window.len;
        buf_reserve(&p->window, more);
        if (p->source->read(p->source->context, p->at + p->window.len,
                            p->window.data + p->window.len, more, err) != 0)
            return -1;
        p->window.len += more;
    }
    *bytes = (struct slice){p->window.data + skip, len};
    return 0;
}

/* Have the header at p->at: most are short, so the longest is asked for only if it is not there. */
static int read_header(struct parquet_pages *p, struct parquet_page *page, struct err *err)
{
    struct slice bytes;
    struct err ignored = {0};
    uint64_t left = p->end - p->at;
    size_t most = left < PARQUET_PAGE_HEADER_MAX ? (size_t)left : PARQUET_PAGE_HEADER_MAX;
    size_t first = most < PARQUET_READ_LITTLE ? most : PARQUET_READ_LITTLE;
    if (load(p, first, &bytes, err) != 0)
        return -1;
    if (parquet_page_header_read(bytes, &page->header, &page->header_len, &ignored) == 0)
        return 0;
    if (load(p, most, &bytes, err) != 0)
        return -1;
    return parquet_page_header_read(bytes, &page->header, &page->header_len, err);
}

int parquet_pages_peek(struct parquet_pages *p, struct parquet_page *page, struct err *err)
{
    uint64_t left = p->end - p->at;
    if (left == 0)
        return 0;
    *page = (struct parquet_page){.offset = p->at};
    if (read_header(p, page, err) != 0)
        return -1;
    uint64_t stored = (uint64_t)page->header.compressed_page_size;
    if (stored > left - page->header_len)
        return err_set(err, ERR_FORMAT, "the page has %" PRIu64 " bytes, its column %" PRIu64,
                       stored, left - page->header_len);
    return 1;
}

void parquet_pages_pass(struct parquet_pages *p, const struct parquet_page *page)
{
    p->at += page->header_len + (uint64_t)page->header.compressed_page_size;
}

int parquet_pages_next(struct parquet_pages *p, struct parquet_page *page, struct err *err)
{
    struct slice bytes;
    int more = parquet_pages_peek(p, page, err);
    if (more != 1)
        return more;
    size_t stored = (size_t)page->header.compressed_page_size;
    if (load(p, page->header_len + stored, &bytes, err) != 0)
        return -1;
    page->stored = (struct slice){bytes.data + page->header_len, stored};
    p->at += bytes.len;
    return 1;
}

void parquet_pages_free(struct parquet_pages *p)
{
    buf_free(&p->window);
    *p = (struct parquet_pages){0};
}

uint64_t parquet_page_values(const struct parquet_page *page)
{
    bool data = page->header.type == PARQUET_PAGE_DATA || page->header.type == PARQUET_PAGE_DATA_V2;
    return data ? (uint64_t)page->header.num_values : 0;
}

int parquet_page_check_crc(const struct parquet_page *page, struct err *err)
{
    if (!page->header.has_crc)
        return 0;
    uint32_t crc = crc32_update(0, page->stored.data, page->stored.len);
    if (crc != page->header.crc)
        return err_set(err, ERR_FORMAT, "the page is damaged: its CRC is %08x, its bytes give %08x",
                       page->header.crc, crc);
    return 0;
}

static int check_sizes(const struct parquet_page *page, enum parquet_compression compression,
                       struct err *err)
{
    uint64_t raw = (uint64_t)page->header.uncompressed_page_size;
    if (raw > PARQUET_PAGE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "a page of %" PRIu64 " bytes; varve reads up to %d", raw,
                       (int)PARQUET_PAGE_BYTES_MAX);
    switch (compression) {
    case PARQUET_COMPRESSION_UNCOMPRESSED:
        if (raw != page->stored.len)
            return err_set(err, ERR_FORMAT, "the page has %zu bytes where %" PRIu64 " were stated",
                           page->stored.len, raw);
        return 0;
    case PARQUET_COMPRESSION_ZSTD:
        if (raw > ((uint64_t)page->stored.len + 1) * ZSTD_RATIO_MAX)
            return err_set(err, ERR_FORMAT, "%zu bytes can't hold a page of %" PRIu64,
                           page->stored.len, raw);
        return 0;
    case PARQUET_COMPRESSION_SNAPPY:
        if (raw > ((uint64_t)page->stored.len + 1) * SNAPPY_RATIO_MAX)
            return err_set(err, ERR_FORMAT, "%zu bytes can't hold a page of %" PRIu64,
                           page->stored.len, raw);
        return 0;
    case PARQUET_COMPRESSION_GZIP:
    case PARQUET_COMPRESSION_LZO:
    case PARQUET_COMPRESSION_BROTLI:
    case PARQUET_COMPRESSION_LZ4:
    case PARQUET_COMPRESSION_LZ4_RAW:
        break;
    }
    const char *name = parquet_compression_name(compression);
    return err_set(err, ERR_UNSUPPORTED,
                   "compression %s (%d) is not supported; ZSTD, SNAPPY and none are",
                   name != NULL ? name : "of an unknown kind", (int)compression);
}

int parquet_page_body(const struct parquet_page *page, enum parquet_compression compression,
                      struct parquet_codec *codec, struct buf *memory, struct slice *body,
                      struct err *err)
{
    const struct parquet_page_header *h = &page->header;
    size_t levels = 0; /* bytes in front that are never compressed */
    if (check_sizes(page, compression, err) != 0)
        return -1;
    *body = page->stored;
    if (compression == PARQUET_COMPRESSION_UNCOMPRESSED)
        return 0;
    if (h->type == PARQUET_PAGE_DATA_V2) {
        levels =
            (size_t)h->definition_levels_byte_length + (size_t)h->repetition_levels_byte_length;
        if (levels > page->stored.len || levels > (size_t)h->uncompressed_page_size)
            return err_set(err, ERR_FORMAT, "the levels are longer than the page");
        if (!h->is_compressed) {
            if (page->stored.len != (size_t)h->uncompressed_page_size)
                return err_set(err, ERR_FORMAT, "the page has %zu bytes where %d were stated",
                               page->stored.len, h->uncompressed_page_size);
            return 0;
        }
    }
    size_t raw = (size_t)h->uncompressed_page_size - levels;
    struct slice frames = {page->stored.data + levels, page->stored.len - levels};
    buf_reset(memory);
    buf_append(memory, page->stored.data, levels);
    if (raw > 0 || frames.len > 0) { /* a v2 page of nulls may have no frame at all */
        int result = compression == PARQUET_COMPRESSION_SNAPPY
                         ? snappy_decompress(frames, raw, memory, err)
                         : parquet_decompress(codec, frames, raw, memory, err);
        if (result != 0)
            return -1;
    }
    *body = buf_slice(memory);
    return 0;
}

const char *parquet_compression_name(enum parquet_compression compression)
{
    switch (compression) {
    case PARQUET_COMPRESSION_UNCOMPRESSED:
        return "NONE";
    case PARQUET_COMPRESSION_SNAPPY:
        return "SNAPPY";
    case PARQUET_COMPRESSION_GZIP:
        return "GZIP";
    case PARQUET_COMPRESSION_LZO:
        return "LZO";
    case PARQUET_COMPRESSION_BROTLI:
        return "BROTLI";
    case PARQUET_COMPRESSION_LZ4:
        return "LZ4";
    case PARQUET_COMPRESSION_ZSTD:
        return "ZSTD";
    case PARQUET_COMPRESSION_LZ4_RAW:
        return "LZ4_RAW";
    }
    return NULL;
}
