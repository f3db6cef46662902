/* SPDX-License-Identifier: MIT */
#include "parquet/verify/part.h"

#include <inttypes.h>

#include "base/crc32.h"

bool verify_lists(const struct parquet_column_chunk *chunk, enum parquet_encoding encoding)
{
    for (uint32_t i = 0; i < chunk->encodings_count; i++) {
        if (chunk->encodings[i] == encoding)
            return true;
    }
    return false;
}

/* Count on what is left of the file's budget; an error if that is not enough. */
static int charge(struct verifier *v, uint64_t values, struct err *err)
{
    if (values > v->budget)
        return err_set(err, ERR_LIMIT,
                       "the page was not read: too many values for a file of this size");
    v->budget -= values;
    return 0;
}

/* CRC, compression, levels and values of the page. */
static int read_page(struct verifier *v, struct err *err)
{
    struct slice entries[PARQUET_READ_ROWS];
    uint32_t count = 0;
    if (charge(v, (uint64_t)v->reader.page.header.num_values, err) != 0 ||
        parquet_column_open_page(&v->reader, err) != 0)
        return -1;
    while (v->reader.left > 0) {
        uint64_t bytes = v->page_value_bytes;
        if (parquet_column_read(&v->reader, entries, PARQUET_READ_ROWS, &count, err) != 0)
            return -1;
        verify_values_add(v, entries, count);
        if (charge(v, (v->page_value_bytes - bytes) / VERIFY_VALUE_BYTES, err) != 0)
            return -1;
    }
    /* fastparquet is known to pad; readers pass over it. */
    if (v->own && v->reader.leftover)
        return err_set(err, ERR_FORMAT, "bytes are left after the last value of the page");
    return 0;
}

static void check_page(struct verifier *v)
{
    const struct parquet_page_header *h = &v->reader.page.header;
    struct err err = {0};
    bool data = h->type == PARQUET_PAGE_DATA || h->type == PARQUET_PAGE_DATA_V2;
    v->crc = crc32_update(v->crc, v->reader.page.stored.data - v->reader.page.header_len,
                          v->reader.page.header_len);
    v->out->pages++;
    v->out->pages_without_crc += !h->has_crc;
    if (v->own && !h->has_crc)
        verify_found(v, PARQUET_FAULT_DAMAGED, "the page has no CRC, which varve always writes");
    v->raw_bytes += v->reader.page.header_len + (uint64_t)h->uncompressed_page_size;
    verify_values_begin_page(v);
    if (read_page(v, &err) != 0) {
        v->whole = false;
        verify_found_err(v, &err);
    }
    if (!data)
        return;
    if (!verify_lists(v->chunk, h->encoding))
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the encoding of the page is not in the list of its column");
    if (v->data_pages++ == 0 && (uint64_t)v->chunk->data_page_offset != v->reader.page.offset)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the footer has the first data page at %" PRId64, v->chunk->data_page_offset);
    verify_values_end_page(v);
    verify_nesting_page(v);
    verify_index_page(v);
}

static void check_totals(struct verifier *v)
{
    uint64_t group_rows = (uint64_t)v->file.metadata.row_groups[v->row_group].num_rows;
    if (v->leaf->repetition == 0 && (uint64_t)v->chunk->num_values != group_rows)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "%" PRId64 " values in a row group of %" PRIu64 " rows", v->chunk->num_values,
                     group_rows);
    if (v->leaf->repetition > 0 && v->whole && v->rows != group_rows)
        verify_found(v, PARQUET_FAULT_INCONSISTENT, "%" PRIu64 " rows in a row group of %" PRIu64,
                     v->rows, group_rows);
    if (v->whole && v->entries != (uint64_t)v->chunk->num_values)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "%" PRId64 " values are stated, the pages have %" PRIu64, v->chunk->num_values,
                     v->entries);
    if (v->raw_bytes != (uint64_t)v->chunk->total_uncompressed_size)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "%" PRId64 " bytes before compression are stated, the pages have %" PRIu64,
                     v->chunk->total_uncompressed_size, v->raw_bytes);
}

void verify_chunk(struct verifier *v)
{
    struct err err = {0};
    int more = 0;
    v->chunk = &v->file.metadata.row_groups[v->row_group].columns[v->column];
    v->leaf = &v->file.leaves[v->column];
    v->page = -1;
    v->offset = -1;
    if (parquet_column_begin(&v->reader, &v->file, (uint32_t)v->row_group, (uint32_t)v->column,
                             v->out->codec, &err) != 0) {
        verify_found_err(v, &err);
        return;
    }
    verify_index_begin_chunk(v);
    verify_values_begin_chunk(v);
    for (;;) {
        v->page++;
        v->offset = (int64_t)v->reader.pages.at;
        more = parquet_column_next_page(&v->reader, &err);
        if (more != 1)
            break;
        check_page(v);
        if (v->out->progress != NULL)
            v->out->progress(v->out->context, v->reader.pages.at);
    }
    if (more < 0) {
        verify_found_err(v, &err);
        return;
    }
    v->page = -1;
    v->offset = -1;
    check_totals(v);
    verify_values_end_chunk(v);
    verify_index_end_chunk(v);
}
