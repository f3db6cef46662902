/* SPDX-License-Identifier: MIT */
#include "parquet/read/file.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "parquet/read/metadata.h"

static int read_frame(struct parquet_file *f, struct err *err)
{
    const struct parquet_source *s = &f->source;
    uint8_t head[PARQUET_MAGIC_LEN], tail[PARQUET_TAIL_LEN];
    if (s->size < PARQUET_MAGIC_LEN)
        return err_set(err, ERR_FORMAT, "not a Parquet file: %" PRIu64 " bytes are too few",
                       s->size);
    if (s->read(s->context, 0, head, sizeof(head), err) != 0)
        return -1;
    if (memcmp(head, PARQUET_MAGIC_ENCRYPTED, sizeof(head)) == 0)
        return err_set(err, ERR_UNSUPPORTED, "the file is encrypted, which varve can't read");
    if (memcmp(head, PARQUET_MAGIC, sizeof(head)) != 0)
        return err_set(err, ERR_FORMAT, "not a Parquet file: it does not begin with PAR1");
    if (s->size < PARQUET_MAGIC_LEN + PARQUET_TAIL_LEN)
        return err_set(err, ERR_FORMAT, "the file is truncated: it has only %" PRIu64 " bytes",
                       s->size);
    if (s->read(s->context, s->size - sizeof(tail), tail, sizeof(tail), err) != 0)
        return -1;
    if (memcmp(tail + 4, PARQUET_MAGIC, PARQUET_MAGIC_LEN) != 0)
        return err_set(err, ERR_FORMAT, "the file is truncated: it does not end with PAR1");
    uint64_t len = load_u32le(tail);
    uint64_t available = s->size - PARQUET_MAGIC_LEN - PARQUET_TAIL_LEN;
    if (len == 0 || len > available)
        return err_set(err, ERR_FORMAT,
                       "the file is damaged: a footer of %" PRIu64 " bytes in a file of %" PRIu64,
                       len, s->size);
    if (len > PARQUET_FOOTER_MAX)
        return err_set(err, ERR_LIMIT, "the footer has %" PRIu64 " bytes; varve reads up to %d",
                       len, (int)PARQUET_FOOTER_MAX);
    f->footer_offset = s->size - sizeof(tail) - len;
    buf_reserve_exact(&f->footer, (size_t)len);
    f->footer.len = (size_t)len;
    return s->read(s->context, f->footer_offset, f->footer.data, (size_t)len, err);
}

static int check_row_groups(const struct parquet_file *f, struct err *err)
{
    for (uint32_t i = 0; i < f->metadata.row_groups_count; i++) {
        uint32_t columns = f->metadata.row_groups[i].columns_count;
        if (columns != f->leaves_count)
            return err_set(err, ERR_FORMAT, "row group %u has %u columns, the schema has %u", i,
                           columns, f->leaves_count);
    }
    return 0;
}

static int open_file(struct parquet_file *f, struct err *err)
{
    if (read_frame(f, err) != 0 ||
        parquet_metadata_read(buf_slice(&f->footer), &f->arena, &f->metadata, err) != 0 ||
        parquet_leaves(&f->metadata, &f->arena, &f->leaves, &f->leaves_count, err) != 0 ||
        check_row_groups(f, err) != 0) {
        parquet_file_close(f);
        return -1;
    }
    f->root = parquet_fields(&f->metadata, &f->arena);
    return 0;
}

int parquet_file_open(struct parquet_file *f, const struct parquet_source *source, struct err *err)
{
    *f = (struct parquet_file){.source = *source};
    return open_file(f, err);
}

int parquet_file_reopen(struct parquet_file *f, const struct parquet_source *source,
                        struct err *err)
{
    buf_reset(&f->footer);
    arena_reset(&f->arena);
    *f = (struct parquet_file){.source = *source, .footer = f->footer, .arena = f->arena};
    return open_file(f, err);
}

void parquet_file_close(struct parquet_file *f)
{
    buf_free(&f->footer);
    arena_free(&f->arena);
    *f = (struct parquet_file){0};
}

uint64_t parquet_file_rows(const struct parquet_file *f, uint32_t row_group)
{
    return f->kept != NULL ? f->kept[row_group].rows
                           : (uint64_t)f->metadata.row_groups[row_group].num_rows;
}

struct slice parquet_file_value(const struct parquet_file *f, const char *key)
{
    for (uint32_t i = 0; i < f->metadata.key_values_count; i++) {
        const struct parquet_key_value *entry = &f->metadata.key_values[i];
        if (slice_is(entry->key, key) && entry->has_value)
            return entry->value;
    }
    return (struct slice){0};
}

int64_t parquet_file_leaf(const struct parquet_file *f, struct slice name)
{
    for (uint32_t i = 0; i < f->leaves_count; i++) {
        if (slice_equal(f->leaves[i].name, name))
            return i;
    }
    return -1;
}

bool parquet_file_is_ordered(const struct parquet_file *f, uint32_t leaf)
{
    return f->leaves[leaf].ordered && f->metadata.column_orders_count == f->leaves_count &&
           f->metadata.column_orders[leaf] == 1;
}
