/* SPDX-License-Identifier: MIT */
#include "parquet/write/footer.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/utf8.h"
#include "base/version.h"
#include "parquet/checksum.h"
#include "parquet/write/chunk_metadata.h"
#include "parquet/write/metadata.h"

enum { CREATED_BY_MAX = 128 };

/* Indexes are written at the end of the file; until then their offsets count from the
 * beginning of the buffer, plus one, because 0 means that there is none. */
void footer_add_indexes(struct footer *f, const struct chunk *c, struct arena *scratch,
                        struct parquet_column_chunk *metadata)
{
    size_t before = f->offset_indexes.len;

    metadata->offset_index_offset = (int64_t)before + 1;
    chunk_write_offset_index(c, (uint64_t)metadata->data_page_offset, scratch, &f->offset_indexes);
    metadata->offset_index_length = (int32_t)(f->offset_indexes.len - before);

    before = f->column_indexes.len;
    chunk_write_column_index(c, scratch, &f->column_indexes);
    if (f->column_indexes.len > before) {
        metadata->column_index_offset = (int64_t)before + 1;
        metadata->column_index_length = (int32_t)(f->column_indexes.len - before);
    }
}

void footer_add_copied_indexes(struct footer *f, const struct parquet_offset_index *offsets,
                               struct slice columns, struct parquet_column_chunk *metadata)
{
    size_t before = f->offset_indexes.len;

    parquet_write_offset_index(&f->offset_indexes, offsets);
    metadata->offset_index_offset = (int64_t)before + 1;
    metadata->offset_index_length = (int32_t)(f->offset_indexes.len - before);
    metadata->column_index_offset = columns.len > 0 ? (int64_t)f->column_indexes.len + 1 : 0;
    metadata->column_index_length = (int32_t)columns.len;
    buf_append_slice(&f->column_indexes, columns);
}

void footer_add_row_group(struct footer *f, const struct parquet_row_group *group)
{
    buf_append(&f->row_groups, group, sizeof(*group));
    f->rows += (uint64_t)group->num_rows;
}

static struct slice copy_utf8(struct arena *arena, struct slice text)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
    uint8_t *out = arena_alloc(arena, text.len * sizeof(replacement) + 1);
    size_t len = 0;

    for (size_t at = 0; at < text.len;) {
        uint32_t code;
        size_t size = utf8_decode((struct slice){text.data + at, text.len - at}, &code);
        const uint8_t *from = size > 0 ? text.data + at : replacement;
        size_t count = size > 0 ? size : sizeof(replacement);
        memcpy(out + len, from, count);
        len += count;
        at += size > 0 ? size : 1;
    }
    return (struct slice){out, len};
}

void footer_add_key_value(struct footer *f, const char *key, struct slice value)
{
    struct parquet_key_value pair = {
        .key = copy_utf8(&f->arena, slice_of(key)),
        .has_value = true,
        .value = copy_utf8(&f->arena, value),
    };

    buf_append(&f->key_values, &pair, sizeof(pair));
}

/* Indexes are at `base` now: make their offsets absolute. */
static void place(int64_t *offset, uint64_t base)
{
    if (*offset != 0)
        *offset += (int64_t)base - 1;
}

static void place_indexes(struct footer *f, uint64_t offset)
{
    uint64_t offset_indexes = offset + f->column_indexes.len;
    struct parquet_row_group *groups = (struct parquet_row_group *)(void *)f->row_groups.data;

    for (uint32_t g = 0; g < footer_row_groups(f); g++) {
        /* Ours, in the arena. */
        struct parquet_column_chunk *columns = (struct parquet_column_chunk *)groups[g].columns;
        for (uint32_t i = 0; i < groups[g].columns_count; i++) {
            place(&columns[i].column_index_offset, offset);
            place(&columns[i].offset_index_offset, offset_indexes);
        }
    }
}

/* Fill in the checksum of a footer that has zeros for it. */
static void add_checksum(const struct footer *f, uint32_t crc, uint8_t *bytes, size_t len)
{
    struct slice footer = {bytes, len};
    size_t digits = 0;

    ASSERT(parquet_checksum_find(footer, &digits));
    crc = crc32_update(crc, f->column_indexes.data, f->column_indexes.len);
    crc = crc32_update(crc, f->offset_indexes.data, f->offset_indexes.len);
    parquet_checksum_print(parquet_checksum_footer(crc, footer, digits), bytes + digits);
}

void footer_write(struct footer *f, const struct layout *layout, uint64_t offset, uint32_t crc,
                  struct buf *out)
{
    char created_by[CREATED_BY_MAX];
    size_t start = out->len;

    /* parquet-java believes no statistics of text in files without exactly this form. */
    snprintf(created_by, sizeof(created_by), "varve version %s (build %s)", varve_version,
             varve_build);
    place_indexes(f, offset);
    footer_add_key_value(f, PARQUET_CHECKSUM_KEY, slice_of(PARQUET_CHECKSUM_NONE));
    struct parquet_file_metadata metadata = {
        .version = 1,
        .schema = layout->elements,
        .schema_count = layout->elements_count,
        .num_rows = (int64_t)f->rows,
        .row_groups = (const struct parquet_row_group *)(const void *)f->row_groups.data,
        .row_groups_count = footer_row_groups(f),
        .key_values = (const struct parquet_key_value *)(const void *)f->key_values.data,
        .key_values_count = (uint32_t)(f->key_values.len / sizeof(struct parquet_key_value)),
        .has_created_by = true,
        .created_by = slice_of(created_by),
        .column_orders_count = layout->leaves_count,
    };
    parquet_write_file_metadata(out, &metadata);
    add_checksum(f, crc, out->data + start, out->len - start);
    buf_append_u32le(out, (uint32_t)(out->len - start));
    buf_append_text(out, PARQUET_MAGIC);
}

uint32_t footer_row_groups(const struct footer *f)
{
    return (uint32_t)(f->row_groups.len / sizeof(struct parquet_row_group));
}

void footer_set_account(struct footer *f, struct account *account)
{
    f->arena.account = account;
    f->row_groups.account = account;
    f->key_values.account = account;
    f->column_indexes.account = account;
    f->offset_indexes.account = account;
}

void footer_reset(struct footer *f)
{
    arena_reset(&f->arena);
    buf_reset(&f->row_groups);
    buf_reset(&f->key_values);
    buf_reset(&f->column_indexes);
    buf_reset(&f->offset_indexes);
    f->rows = 0;
}

void footer_free(struct footer *f)
{
    arena_free(&f->arena);
    buf_free(&f->row_groups);
    buf_free(&f->key_values);
    buf_free(&f->column_indexes);
    buf_free(&f->offset_indexes);
    f->rows = 0;
}
