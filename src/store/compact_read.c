/* SPDX-License-Identifier: MIT */
#include "store/compact_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

enum {
    /* Files up to this are read at once: one look-up of the name instead of some twenty. */
    WHOLE_MAX = 2 * 1024 * 1024,
    /* Row groups from this on, before compression, are large enough for readers as they are. */
    COPY_BYTES_MIN = 8 * 1024 * 1024,
};

static int source_read(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct compact_reading *r = context;
    bool found = true;
    if (!r->whole) {
        buf_reset(&r->bytes);
        if (object_get(r->store, r->input->name, offset, len, &r->bytes, &found, err) != 0)
            return -1;
    }
    size_t at = r->whole ? (size_t)offset : 0;
    if (!found || r->bytes.len - at < len)
        return err_set(err, ERR_FORMAT, "it ends early");
    memcpy(data, r->bytes.data + at, len);
    return 0;
}

struct compact_reading *compact_reading_new(struct compact_readings *all,
                                            const struct compact_input *input)
{
    const uint32_t columns = all->merge->schema->count;
    struct compact_reading *r = all->spare;
    if (r != NULL) {
        all->spare = r->next;
        r->input = input;
        return r;
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        out_of_memory(sizeof(*r));
    r->input = input;
    r->store = all->merge->store;
    r->bytes.account = all->merge->account;
    r->slots = calloc(columns, sizeof(*r->slots));
    r->values = calloc(columns, sizeof(*r->values));
    if (r->slots == NULL || r->values == NULL)
        out_of_memory(columns * sizeof(*r->values));
    return r;
}

int compact_reading_open(struct compact_readings *all, struct compact_reading *r, struct err *err)
{
    bool found = true;
    r->source = (struct parquet_source){source_read, r, r->input->file->size};
    r->whole = r->source.size <= WHOLE_MAX;
    if (r->whole &&
        object_get(r->store, r->input->name, 0, r->source.size, &r->bytes, &found, err) != 0)
        return -1;
    if (!found || (r->whole && r->bytes.len != r->source.size))
        return err_set(err, ERR_FORMAT, "it is not there, or not as large as the log says");
    return parquet_file_reopen(&r->file, &r->source, err) != 0 ||
                   compact_match_columns(r, all->merge, err) != 0
               ? -1
               : 0;
}

/* The writer of the row group saw its sequences ascend, from *first to *last. */
static bool group_ascends(const struct parquet_row_group *group, uint32_t leaf, uint64_t *first,
                          uint64_t *last)
{
    const struct parquet_statistics *s = &group->columns[leaf].statistics;
    if (group->sorting_columns_count == 0 || group->sorting_columns[0].descending ||
        group->sorting_columns[0].column_idx != (int32_t)leaf || !s->has_min || !s->has_max ||
        s->min.len != 8 || s->max.len != 8)
        return false;
    *first = load_u64le(s->min.data);
    *last = load_u64le(s->max.data);
    return true;
}

/* All sequences ascend: within each row group, and from one to the next. */
static bool is_said_to_ascend(const struct parquet_file *file, uint32_t leaf)
{
    const struct parquet_file_metadata *m = &file->metadata;
    uint64_t before = 0, first, last;
    for (uint32_t i = 0; i < m->row_groups_count; i++) {
        if (!group_ascends(&m->row_groups[i], leaf, &first, &last) || (i > 0 && first <= before))
            return false;
        before = last;
    }
    return true;
}

static int scan(struct parquet_rows *rows, struct compact_runs *out, struct err *err)
{
    struct slice value;
    uint64_t row = 0, last = 0;
    int more;
    while ((more = parquet_rows_next(rows, &value, err)) == 1) {
        if (value.data == NULL)
            return err_set(err, ERR_FORMAT, "a row has no sequence");
        if (row == 0 || load_u64le(value.data) < last)
            *array_add(out) = (struct compact_run){.first = row};
        out->list[out->count - 1].rows++;
        last = load_u64le(value.data);
        row++;
    }
    return more;
}

int compact_reading_find_runs(struct compact_readings *all, struct compact_reading *r,
                              struct compact_runs *out, struct err *err)
{
    out->count = 0;
    if (r->file.metadata.num_rows == 0)
        return 0;
    if (is_said_to_ascend(&r->file, r->order)) {
        *array_add(out) = (struct compact_run){0, (uint64_t)r->file.metadata.num_rows};
        return 0;
    }
    struct parquet_rows *rows = parquet_rows_new(&r->file, &r->order, 1, all->merge->codec);
    int result = scan(rows, out, err);
    parquet_rows_free(rows);
    return result;
}

static int skip(struct compact_reading *r, uint64_t count, struct err *err)
{
    return r->records != NULL ? parquet_records_skip(r->records, count, err)
                              : parquet_rows_skip(r->rows, count, err);
}

static int next_row(struct compact_reading *r, uint32_t order, struct slice *sequence,
                    struct err *err)
{
    if (r->records == NULL) {
        int got = parquet_rows_next(r->rows, r->values, err);
        *sequence = r->values[r->slots[order]];
        return got;
    }
    int got = parquet_records_next(r->records, &r->row, err);
    if (got == 1) {
        const struct parquet_value *value = r->row->first;
        for (uint32_t i = 0; i < r->slots[order]; i++)
            value = value->next;
        *sequence = value->null ? (struct slice){0} : value->bytes;
    }
    return got;
}

static uint64_t group_rows(const struct compact_reading *r, uint32_t group)
{
    return (uint64_t)r->file.metadata.row_groups[group].num_rows;
}

int compact_reading_begin(struct compact_reading *r, const struct compact_run *run, struct err *err)
{
    uint64_t before = run->first;
    r->left = run->rows;
    r->sequence = 0;
    r->row_group = 0;
    r->group_left = 0;
    r->at_group = r->hashed = false;
    while (before > 0 && r->row_group < r->file.metadata.row_groups_count) {
        uint64_t rows = group_rows(r, r->row_group++);
        r->group_left = before < rows ? rows - before : 0;
        before -= before < rows ? before : rows;
    }
    return skip(r, run->first, err);
}

/* What is copied is not decoded, so that damage of it would be carried over. */
static int check_hash(struct compact_reading *r, struct err *err)
{
    char sum[SHA256_TEXT_MAX];
    bool found;
    if (r->hashed)
        return 0;
    if (object_hash(r->store, r->input->name, sum, &found, err) != 0)
        return -1;
    if (!found || !slice_is(delta_map_get(&r->input->file->tags, "varve.sha256"), sum))
        return err_set(err, ERR_FORMAT, "it is not as the log says: its bytes have changed");
    r->hashed = true;
    return 0;
}

/* Stand in front of the row group that begins here, if it may be copied: all of it is in the run,
 * in order. */
static int stop_at_group(struct compact_readings *all, struct compact_reading *r, struct err *err)
{
    const struct parquet_row_group *group = &r->file.metadata.row_groups[r->row_group];
    uint64_t first, last;
    if (group->total_byte_size < COPY_BYTES_MIN || (uint64_t)group->num_rows > r->left ||
        delta_map_get(&r->input->file->tags, "varve.sha256").data == NULL ||
        !group_ascends(group, r->order, &first, &last) || first < r->sequence ||
        !parquet_writer_can_copy(all->writer, &r->file, r->row_group))
        return 0;
    if (check_hash(r, err) != 0)
        return -1;
    r->at_group = true;
    r->sequence = first;
    r->group_end = last;
    return 0;
}

static int read_row(struct compact_readings *all, struct compact_reading *r, struct err *err)
{
    struct slice sequence = {0};
    int got = next_row(r, all->order, &sequence, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return err_set(err, ERR_FORMAT, "it has not as many rows as it says");
    if (sequence.data == NULL)
        return err_set(err, ERR_FORMAT, "a row has no sequence");
    if (load_u64le(sequence.data) < r->sequence)
        return err_set(err, ERR_FORMAT, "its rows are not in the order that it states");
    r->sequence = load_u64le(sequence.data);
    r->left--;
    r->group_left--;
    return 0;
}

int compact_reading_next(struct compact_readings *all, struct compact_reading *r, bool *more,
                         struct err *err)
{
    const struct parquet_file_metadata *m = &r->file.metadata;
    *more = r->left > 0;
    if (!*more)
        return 0;
    if (r->group_left > 0)
        return read_row(all, r, err);
    while (r->row_group < m->row_groups_count && group_rows(r, r->row_group) == 0)
        r->row_group++;
    if (r->row_group == m->row_groups_count)
        return err_set(err, ERR_FORMAT, "it has not as many rows as it says");
    if (stop_at_group(all, r, err) != 0)
        return -1;
    r->group_left = group_rows(r, r->row_group++);
    return r->at_group ? 0 : read_row(all, r, err);
}

int compact_reading_enter(struct compact_readings *all, struct compact_reading *r, struct err *err)
{
    r->at_group = false;
    return read_row(all, r, err);
}

static int add_sequences(const struct compact_reading *r, struct parquet_rows *rows,
                         struct seqset *out, struct err *err)
{
    struct slice value;
    uint64_t before = r->sequence;
    for (uint64_t i = 0; i < r->group_left; i++) {
        int got = parquet_rows_next(rows, &value, err);
        if (got < 0)
            return -1;
        if (got == 0 || value.data == NULL)
            return err_set(err, ERR_FORMAT, "a row has no sequence");
        uint64_t sequence = load_u64le(value.data);
        if (sequence < before || sequence > r->group_end || (i == 0 && sequence != r->sequence))
            return err_set(err, ERR_FORMAT, "its rows are not in the order that it states");
        (void)seqset_add(out, sequence);
        before = sequence;
    }
    return 0;
}

int compact_reading_add_group(struct compact_readings *all, struct compact_reading *r,
                              struct seqset *out, struct err *err)
{
    struct parquet_rows *rows = parquet_rows_new(&r->file, &r->order, 1, all->merge->codec);
    uint64_t before = 0;
    for (uint32_t i = 0; i + 1 < r->row_group; i++)
        before += group_rows(r, i);
    int result = parquet_rows_skip(rows, before, err);
    if (result == 0)
        result = add_sequences(r, rows, out, err);
    parquet_rows_free(rows);
    return result;
}

int compact_reading_pass(struct compact_reading *r, struct err *err)
{
    uint64_t rows = r->group_left;
    r->left -= rows;
    r->group_left = 0;
    r->sequence = r->group_end;
    r->at_group = false;
    return skip(r, rows, err);
}

void compact_reading_close(struct compact_readings *all, struct compact_reading *r)
{
    parquet_records_free(r->records); /* which borrows from the file */
    r->records = NULL;
    buf_reset(&r->bytes);
    r->next = all->spare;
    all->spare = r;
}

void compact_readings_free(struct compact_readings *all)
{
    while (all->spare != NULL) {
        struct compact_reading *r = all->spare;
        all->spare = r->next;
        parquet_rows_free(r->rows);
        parquet_file_close(&r->file);
        buf_free(&r->bytes);
        free(r->slots);
        free(r->values);
        free(r);
    }
}
