/* SPDX-License-Identifier: MIT */
#include "parquet/verify/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "parquet/checksum.h"
#include "parquet/read/records.h"
#include "parquet/verify/part.h"

void verify_found(struct verifier *v, enum parquet_fault fault, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list arguments;
    if (++v->out->findings > PARQUET_FINDINGS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments); /* cut if it is too long */
    va_end(arguments);
    struct parquet_finding finding = {.fault = fault,
                                      .row_group = v->row_group,
                                      .page = v->page,
                                      .offset = v->offset,
                                      .text = text};
    if (v->column >= 0)
        finding.column = v->file.leaves[v->column].name;
    v->out->found(v->out->context, &finding);
}

void verify_found_err(struct verifier *v, struct err *err)
{
    enum parquet_fault fault = PARQUET_FAULT_DAMAGED;
    if (err->code == ERR_UNSUPPORTED || err->code == ERR_LIMIT)
        fault = PARQUET_FAULT_UNSUPPORTED;
    else if (err->code == ERR_SYSTEM)
        fault = PARQUET_FAULT_UNREADABLE;
    verify_found(v, fault, "%s", err->text);
    err_clear(err);
}

/* Chunks lie one behind the other, in the order of the columns; so a hostile footer can't have the
 * same bytes walked over and over. Others leave bytes between them, varve does not. */
static bool check_place(struct verifier *v, const struct parquet_column_chunk *chunk)
{
    uint64_t start = parquet_chunk_start(chunk);
    bool first = v->column == 0;
    if (chunk->total_compressed_size == 0)
        return true; /* without pages it is nowhere */
    if (start < v->walked || (v->own && !first && start != v->walked)) {
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the column begins at %" PRIu64 ", what is before it ends at %" PRIu64, start,
                     v->walked);
        return start >= v->walked;
    }
    return true;
}

static void verify_row_group(struct verifier *v, const struct parquet_row_group *group)
{
    uint64_t stored = 0, raw = 0, before = v->out->findings;
    verify_nesting_begin_group(v);
    for (uint32_t i = 0; i < group->columns_count; i++) {
        const struct parquet_column_chunk *chunk = &group->columns[i];
        v->column = i;
        if (check_place(v, chunk)) {
            verify_chunk(v);
            uint64_t end = parquet_chunk_start(chunk) + (uint64_t)chunk->total_compressed_size;
            if (chunk->total_compressed_size > 0 && end <= v->file.footer_offset)
                v->walked = end;
        }
        verify_nesting_end_chunk(v);
        /* Both are below 2^63; a sum that wraps will not be what is stated. */
        stored += (uint64_t)chunk->total_compressed_size;
        raw += (uint64_t)chunk->total_uncompressed_size;
    }
    v->column = v->page = v->offset = -1;
    if (v->out->findings == before) /* else pages may be missing */
        verify_nesting_end_group(v);
    if (group->has_total_compressed_size && (uint64_t)group->total_compressed_size != stored)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "%" PRId64 " compressed bytes are stated, its columns have %" PRIu64,
                     group->total_compressed_size, stored);
    if ((uint64_t)group->total_byte_size != raw)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "%" PRId64 " bytes before compression are stated, its columns have %" PRIu64,
                     group->total_byte_size, raw);
    if (group->has_file_offset && group->columns_count > 0 &&
        (uint64_t)group->file_offset != parquet_chunk_start(&group->columns[0]))
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "it is said to begin at %" PRId64 ", its first page is at %" PRIu64,
                     group->file_offset, parquet_chunk_start(&group->columns[0]));
    if (group->has_ordinal && group->ordinal != v->row_group)
        verify_found(v, PARQUET_FAULT_INCONSISTENT, "its ordinal is %d", group->ordinal);
}

static void verify_row_groups(struct verifier *v)
{
    const struct parquet_file_metadata *m = &v->file.metadata;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < m->row_groups_count; i++) {
        v->row_group = i;
        verify_row_group(v, &m->row_groups[i]);
        rows += (uint64_t)m->row_groups[i].num_rows;
    }
    v->row_group = -1;
    if (rows != (uint64_t)m->num_rows)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the footer says %" PRId64 " rows, the row groups have %" PRIu64, m->num_rows,
                     rows);
    if (m->column_orders_count != 0 && m->column_orders_count != v->file.leaves_count)
        verify_found(v, PARQUET_FAULT_INCONSISTENT, "%u column orders for %u columns",
                     m->column_orders_count, v->file.leaves_count);
    v->out->row_groups = m->row_groups_count;
    v->out->rows = (uint64_t)m->num_rows;
}

/* The leaves of one column that nests are read side by side once more: their levels may be right
 * for each and contradict each other. */
static void verify_shape(struct verifier *v)
{
    struct err err = {0};
    const struct parquet_value *row = NULL;
    const struct parquet_field *root = v->file.root;
    for (const struct parquet_field *f = root->first; f != NULL; f = f->next) {
        if (f->kind == PARQUET_FIELD_VALUE)
            continue;
        struct parquet_records *records = parquet_records_new(&v->file, &f, 1, v->out->codec);
        int more = 1;
        while (more == 1)
            more = parquet_records_next(records, &row, &err);
        parquet_records_free(records);
        if (more < 0)
            verify_found_err(v, &err);
    }
}

/* The CRC of all between the pages and the footer, going on with that of the pages' headers. */
static int add_indexes(struct verifier *v, uint32_t *crc, struct err *err)
{
    uint8_t bytes[4096];
    const struct parquet_source *source = &v->file.source;
    for (uint64_t at = v->walked; at < v->file.footer_offset;) {
        uint64_t left = v->file.footer_offset - at;
        size_t len = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);
        if (source->read(source->context, at, bytes, len, err) != 0)
            return -1;
        *crc = crc32_update(*crc, bytes, len);
        at += len;
    }
    return 0;
}

/* All that no CRC of a page covers, where the file has a checksum of it. Only if all pages have
 * been seen: else it is known already that something is wrong. */
static void verify_checksum(struct verifier *v)
{
    struct err err = {0};
    struct slice footer = buf_slice(&v->file.footer);
    uint32_t crc = v->crc;
    uint8_t digits[8];
    size_t at = 0;
    if (!parquet_checksum_find(footer, &at))
        return;
    if (add_indexes(v, &crc, &err) != 0) {
        verify_found_err(v, &err);
        return;
    }
    parquet_checksum_print(parquet_checksum_footer(crc, footer, at), digits);
    if (memcmp(digits, footer.data + at, sizeof(digits)) != 0)
        verify_found(v, PARQUET_FAULT_DAMAGED,
                     "the footer, an index or the header of a page is damaged: their checksum does "
                     "not match");
}

static void free_range(struct verify_range *range)
{
    buf_free(&range->min);
    buf_free(&range->max);
}

void parquet_verify_none(struct parquet_verify *v)
{
    v->file = NULL;
    v->findings = v->row_groups = v->rows = v->pages = v->pages_without_crc = 0;
}

/* What a file begins with; the memory of the one before stays. Chunks and pages begin by
 * themselves. */
static void begin_file(struct verifier *v, struct parquet_verify *out)
{
    arena_reset(&v->arena);
    v->out = out;
    v->walked = PARQUET_MAGIC_LEN;
    v->budget = 0;
    v->crc = 0;
    v->own = false;
    v->row_group = v->column = v->page = v->offset = -1;
    parquet_verify_none(out);
}

void parquet_verify(struct parquet_verify *out, const struct parquet_source *source)
{
    struct err err = {0};
    struct verifier *v = out->memory;
    if (v == NULL)
        v = out->memory = calloc(1, sizeof(*v));
    if (v == NULL)
        out_of_memory(sizeof(*v));
    begin_file(v, out);
    if (parquet_file_reopen(&v->file, source, &err) != 0) {
        verify_found_err(v, &err);
        return;
    }
    out->file = &v->file;
    v->budget = VERIFY_VALUES_MAX + source->size * VERIFY_VALUES_PER_BYTE;
    v->own = slice_starts_with(v->file.metadata.created_by, "varve version ");
    verify_row_groups(v);
    if (out->findings == 0)
        verify_checksum(v);
    if (out->findings == 0)
        verify_shape(v);
}

void parquet_verify_free(struct parquet_verify *out)
{
    struct verifier *v = out->memory;
    out->memory = NULL;
    out->file = NULL;
    if (v == NULL)
        return;
    parquet_file_close(&v->file);
    parquet_column_free(&v->reader);
    arena_free(&v->arena);
    verify_nesting_free(v);
    buf_free(&v->offset_index_bytes);
    buf_free(&v->column_index_bytes);
    buf_free(&v->last);
    free_range(&v->range);
    free_range(&v->page_range);
    free(v);
}

const char *parquet_fault_name(enum parquet_fault fault)
{
    switch (fault) {
    case PARQUET_FAULT_UNREADABLE:
        return "unreadable";
    case PARQUET_FAULT_DAMAGED:
        return "damaged";
    case PARQUET_FAULT_INCONSISTENT:
        return "inconsistent";
    case PARQUET_FAULT_STATISTICS:
        return "statistics";
    case PARQUET_FAULT_UNSUPPORTED:
        return "unsupported";
    }
    return "";
}
