/* SPDX-License-Identifier: MIT */
#include "parquet/read/cursor.h"

#include <inttypes.h>

static struct parquet_range range_of(const struct parquet_file *file, uint32_t row_group,
                                     uint32_t number)
{
    if (file->kept != NULL)
        return file->kept[row_group].ranges[number];
    return (struct parquet_range){0, (uint64_t)file->metadata.row_groups[row_group].num_rows};
}

bool parquet_walk_next(struct parquet_walk *w, struct parquet_step *step)
{
    const struct parquet_file *f = w->file;
    uint32_t ranges = w->row_group == 0 ? 0 : f->kept == NULL ? 1 : f->kept[w->row_group - 1].count;
    *step = (struct parquet_step){.begins = w->range == ranges};
    if (step->begins) {
        do {
            if (w->row_group == f->metadata.row_groups_count)
                return false;
            w->row_group++;
        } while (f->kept != NULL && f->kept[w->row_group - 1].count == 0);
        w->range = 0;
        w->row = 0;
    }
    struct parquet_range range = range_of(f, w->row_group - 1, w->range++);
    step->gap = range.first - w->row;
    w->row = range.end;
    w->left = range.end - range.first;
    return true;
}

bool parquet_walk_pass(struct parquet_walk *w, uint64_t *rows)
{
    const struct parquet_file *f = w->file;
    bool between =
        w->row_group == 0 || f->kept == NULL || w->range == f->kept[w->row_group - 1].count;
    if (!between || w->row_group == f->metadata.row_groups_count ||
        parquet_file_rows(f, w->row_group) > *rows)
        return false;
    *rows -= parquet_file_rows(f, w->row_group++);
    w->range = f->kept == NULL ? 1 : f->kept[w->row_group - 1].count;
    return true;
}

int parquet_cursor_locate(const struct parquet_cursor *c, struct err *err)
{
    struct slice name = c->file->leaves[c->leaf].name;
    return err_prefix(err, "row group %u, column %.*s, page at %" PRIu64, c->row_group,
                      (int)name.len, (const char *)name.data, c->reader.page.offset);
}

int parquet_cursor_follow(struct parquet_cursor *c, const struct parquet_walk *w,
                          const struct parquet_step *step, uint32_t ahead,
                          struct parquet_codec *codec, struct err *err)
{
    if (step->begins) {
        c->file = w->file;
        c->row_group = w->row_group - 1;
        c->at = c->len = 0;
        c->reader.pages.ahead = w->file->kept != NULL ? PARQUET_READ_LITTLE : ahead;
        if (parquet_column_begin(&c->reader, w->file, c->row_group, c->leaf, codec, err) != 0) {
            struct slice name = w->file->leaves[c->leaf].name;
            return err_prefix(err, "row group %u, column %.*s", c->row_group, (int)name.len,
                              (const char *)name.data);
        }
    }
    return parquet_cursor_skip(c, step->gap, err);
}

/* The next page, opened: 1, or 0 if there is none. */
static int open_next(struct parquet_cursor *c, struct err *err)
{
    int more = parquet_column_next_page(&c->reader, err);
    if (more < 0 || (more == 1 && parquet_column_open_page(&c->reader, err) != 0))
        return parquet_cursor_locate(c, err);
    return more;
}

int parquet_cursor_peek(struct parquet_cursor *c, struct err *err)
{
    if (c->at < c->len)
        return 1;
    while (c->reader.left == 0) {
        int more = open_next(c, err);
        if (more != 1)
            return more;
    }
    c->at = 0;
    if (parquet_column_read(&c->reader, c->entries, PARQUET_READ_ROWS, &c->len, err) != 0)
        return parquet_cursor_locate(c, err);
    return 1;
}

int parquet_cursor_ends_early(const struct parquet_cursor *c, struct err *err)
{
    (void)err_set(err, ERR_FORMAT, "the column ends before its last row");
    return parquet_cursor_locate(c, err);
}

/* Of a column in lists: the entry that begins a row, and those that go on with it. */
static int skip_row(struct parquet_cursor *c, struct err *err)
{
    int more = parquet_cursor_peek(c, err);
    if (more == 0)
        return parquet_cursor_ends_early(c, err);
    while (more == 1) {
        c->at++;
        more = parquet_cursor_peek(c, err);
        if (more == 1 && c->reader.repetitions[c->at] == 0)
            break;
    }
    return more < 0 ? -1 : 0;
}

/* Of another one: an entry is a row. */
static int skip_rows(struct parquet_cursor *c, uint64_t count, struct err *err)
{
    while (count > 0) {
        uint64_t ready = c->len - c->at;
        int more = 1;
        if (ready > 0) {
            ready = ready < count ? ready : count;
            c->at += (uint32_t)ready;
            count -= ready;
        } else if (c->reader.left > 0) {
            more = parquet_cursor_peek(c, err);
        } else {
            if (parquet_column_pass(&c->reader, &count, err) != 0)
                return parquet_cursor_locate(c, err);
            more = count > 0 ? open_next(c, err) : 1;
        }
        if (more != 1)
            return more < 0 ? -1 : parquet_cursor_ends_early(c, err);
    }
    return 0;
}

int parquet_cursor_skip(struct parquet_cursor *c, uint64_t count, struct err *err)
{
    if (c->file->leaves[c->leaf].repetition == 0)
        return skip_rows(c, count, err);
    for (; count > 0; count--)
        if (skip_row(c, err) != 0)
            return -1;
    return 0;
}
