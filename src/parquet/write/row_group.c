/* SPDX-License-Identifier: MIT */
#include "parquet/write/row_group.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/assert.h"
#include "parquet/write/uuid.h"

enum {
    SHOWN_MAX = 80,  /* bytes of a value in an error */
    PREFETCH = 1024, /* bytes that walking over values asks for in advance */
};

static int check_sizes(const struct column_spec *spec, struct slice values, struct err *err)
{
    /* Only what is larger as a whole can hold a value that is too large. */
    if (spec->type != COLUMN_BYTES || values.len <= BATCH_VALUE_MAX)
        return 0;
    for (size_t at = 0; at < values.len;) {
        uint32_t len = load_u32le(values.data + at);
        if (len > BATCH_VALUE_MAX)
            return err_set(err, ERR_LIMIT, "column %s: a value of %u bytes is larger than %d",
                           spec->name, len, BATCH_VALUE_MAX);
        at += 4 + (size_t)len;
    }
    return 0;
}

static int convert_uuids(struct buf *uuids, const struct column_spec *spec, struct slice values,
                         struct err *err)
{
    buf_reset(uuids);
    for (size_t at = 0; at < values.len;) {
        struct slice text = {values.data + at + 4, load_u32le(values.data + at)};
        uint8_t uuid[UUID_BYTES];
        if (!uuid_parse(text, uuid))
            return err_set(err, ERR_FORMAT, "column %s: \"%.*s\" is not a UUID", spec->name,
                           (int)(text.len > SHOWN_MAX ? SHOWN_MAX : text.len),
                           (const char *)text.data);
        buf_append(uuids, uuid, sizeof(uuid));
        at += 4 + text.len;
    }
    return 0;
}

/* ---- cuts ---- */

/* A column that has to be cut. */
struct wide {
    struct row_group_column *column;
    struct row_group_cut *cuts;
    size_t start; /* of the page, in the values */
    size_t at;    /* the value of this row */
    size_t next;  /* the value of the next row */
};

static size_t value_size(const struct row_group_column *column, uint32_t row, size_t at)
{
    if (column->present != NULL && !column->present[row])
        return 0;
    if (column->width != 0)
        return column->width;
    /* Each length waits for the one before, and memory for both. */
    __builtin_prefetch(column->values.data + at + PREFETCH);
    return 4 + (size_t)load_u32le(column->values.data + at);
}

/* Each cut is made because some column has more than `page_bytes` since the last one, so there are
 * at most so many. */
static size_t most_cuts(const struct wide *wide, uint32_t count, uint32_t page_bytes)
{
    size_t most = 0;

    for (uint32_t i = 0; i < count; i++)
        most += 2 * (wide[i].column->values.len / page_bytes + 1);
    return most < wide[0].column->rows ? most : wide[0].column->rows;
}

static void find_cuts(struct wide *wide, uint32_t count, uint32_t page_bytes)
{
    uint32_t cuts = 0, rows = wide[0].column->rows;

    for (uint32_t row = 0; row < rows; row++) {
        bool full = false;
        for (uint32_t i = 0; i < count; i++) {
            wide[i].next = wide[i].at + value_size(wide[i].column, row, wide[i].at);
            full |= wide[i].next - wide[i].start > page_bytes && wide[i].at > wide[i].start;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (full) {
                wide[i].cuts[cuts] = (struct row_group_cut){row, wide[i].at};
                wide[i].start = wide[i].at;
            }
            wide[i].at = wide[i].next;
        }
        cuts += full;
    }
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(wide[i].at == wide[i].column->values.len);
        wide[i].column->cuts = wide[i].cuts;
        wide[i].column->cuts_count = cuts;
    }
}

static void cut_wide_columns(struct row_group *s, uint32_t columns, uint32_t page_bytes)
{
    struct wide wide[SCHEMA_COLUMNS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < columns; i++)
        if (s->columns[i].values.len > page_bytes)
            wide[count++] = (struct wide){.column = &s->columns[i]};
    if (count == 0)
        return;
    size_t most = most_cuts(wide, count, page_bytes);
    buf_reset(&s->cuts);
    buf_reserve(&s->cuts, most * count * sizeof(struct row_group_cut));
    for (uint32_t i = 0; i < count; i++)
        wide[i].cuts = (struct row_group_cut *)(void *)s->cuts.data + i * most;
    find_cuts(wide, count, page_bytes);
}

int row_group_prepare(struct row_group *s, const struct batch *batch, uint32_t page_bytes,
                      int uuid_column, struct err *err)
{
    const struct schema *schema = batch->schema;

    if (s->columns == NULL) {
        s->columns = calloc(schema->count, sizeof(*s->columns));
        if (s->columns == NULL)
            out_of_memory(schema->count * sizeof(*s->columns));
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column_spec *spec = &schema->columns[i];
        const struct column *column = &batch->columns[i];
        struct slice values = buf_slice(&column->values);
        bool uuid = (int)i == uuid_column;
        if (check_sizes(spec, values, err) != 0)
            return -1;
        if (uuid && convert_uuids(&s->uuids, spec, values, err) != 0)
            return -1;
        s->columns[i] = (struct row_group_column){
            .values = uuid ? buf_slice(&s->uuids) : values,
            .width = spec->type == COLUMN_INT64 ? 8
                     : uuid                     ? UUID_BYTES
                                                : 0,
            .present = spec->optional ? column->present.data : NULL,
            .rows = batch->rows,
            .nulls = column->nulls,
        };
    }
    cut_wide_columns(s, schema->count, page_bytes);
    return 0;
}

uint64_t row_group_memory(const struct row_group *s)
{
    return (uint64_t)s->uuids.cap + s->cuts.cap;
}

void row_group_free(struct row_group *s)
{
    free(s->columns);
    buf_free(&s->uuids);
    buf_free(&s->cuts);
    *s = (struct row_group){0};
}
