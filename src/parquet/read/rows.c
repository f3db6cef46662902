/* SPDX-License-Identifier: MIT */
#include "parquet/read/rows.h"

#include <stdlib.h>

#include "base/assert.h"
#include "parquet/read/cursor.h"

struct parquet_rows {
    struct parquet_walk walk;
    struct parquet_codec *codec;
    uint32_t ready, taken;     /* rows that each cursor has decoded; and those taken of them */
    const struct slice **next; /* of each cursor: the first of these */
    uint32_t count, room;      /* cursors: in use, and in all */
    struct parquet_cursor cursors[];
};

struct parquet_rows *parquet_rows_new(const struct parquet_file *file, const uint32_t *columns,
                                      uint32_t count, struct parquet_codec *codec)
{
    ASSERT(count <= PARQUET_LEAVES_MAX);
    size_t cursors = sizeof(struct parquet_rows) + count * sizeof(struct parquet_cursor);
    size_t size = cursors + count * sizeof(struct slice *);
    struct parquet_rows *r = calloc(1, size);
    if (r == NULL)
        out_of_memory(size);
    r->next = (const struct slice **)(void *)((uint8_t *)r + cursors);
    r->room = count;
    return parquet_rows_renew(r, file, columns, count, codec);
}

struct parquet_rows *parquet_rows_renew(struct parquet_rows *r, const struct parquet_file *file,
                                        const uint32_t *columns, uint32_t count,
                                        struct parquet_codec *codec)
{
    if (r == NULL || r->room < count) {
        parquet_rows_free(r);
        return parquet_rows_new(file, columns, count, codec);
    }
    r->walk = (struct parquet_walk){.file = file};
    r->codec = codec;
    r->count = count;
    r->ready = r->taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        r->cursors[i].leaf = columns[i];
        r->cursors[i].at = r->cursors[i].len = 0;
    }
    return r;
}

static int follow(struct parquet_rows *r, const struct parquet_step *step, struct err *err)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct parquet_cursor *c = &r->cursors[i];
        const struct parquet_leaf *leaf = &r->walk.file->leaves[c->leaf];
        if (leaf->repetition > 0)
            return err_set(err, ERR_UNSUPPORTED, "column %.*s may have several values a row",
                           (int)leaf->name.len, (const char *)leaf->name.data);
        if (parquet_cursor_follow(c, &r->walk, step, PARQUET_READ_AHEAD, r->codec, err) != 0)
            return -1;
    }
    return 0;
}

/* Have rows, if there are any. */
static int step_on(struct parquet_rows *r, struct err *err)
{
    struct parquet_step step;
    while (r->walk.left == 0) {
        if (!parquet_walk_next(&r->walk, &step))
            return 0;
        if (follow(r, &step, err) != 0)
            return -1;
    }
    return 1;
}

/* Tell the cursors what was taken. */
static void settle(struct parquet_rows *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        r->cursors[i].at += r->taken;
    r->ready = r->taken = 0;
}

/* Have a row in each cursor: 1, 0 behind the last one. */
static int refill(struct parquet_rows *r, struct err *err)
{
    settle(r);
    int more = step_on(r, err);
    if (more != 1)
        return more;
    uint64_t ready = r->walk.left < UINT32_MAX ? r->walk.left : UINT32_MAX;
    for (uint32_t i = 0; i < r->count; i++) {
        struct parquet_cursor *c = &r->cursors[i];
        more = parquet_cursor_peek(c, err);
        if (more != 1)
            return more < 0 ? -1 : parquet_cursor_ends_early(c, err);
        ready = ready < c->len - c->at ? ready : c->len - c->at;
        r->next[i] = c->entries + c->at;
    }
    r->ready = (uint32_t)ready;
    r->walk.left -= ready;
    return 1;
}

int parquet_rows_skip(struct parquet_rows *r, uint64_t count, struct err *err)
{
    uint64_t ready = r->ready - r->taken, here = ready < count ? ready : count;
    r->taken += (uint32_t)here;
    count -= here;
    if (count > 0)
        settle(r);
    while (count > 0) {
        if (r->walk.left == 0 && parquet_walk_pass(&r->walk, &count))
            continue;
        int more = step_on(r, err);
        if (more != 1)
            return more;
        uint64_t now = count < r->walk.left ? count : r->walk.left;
        for (uint32_t i = 0; i < r->count; i++)
            if (parquet_cursor_skip(&r->cursors[i], now, err) != 0)
                return -1;
        r->walk.left -= now;
        count -= now;
    }
    return 0;
}

int parquet_rows_next(struct parquet_rows *r, struct slice *values, struct err *err)
{
    int more = r->taken < r->ready ? 1 : refill(r, err);
    if (more != 1)
        return more;
    for (uint32_t i = 0; i < r->count; i++)
        values[i] = r->next[i][r->taken];
    r->taken++;
    return 1;
}

void parquet_rows_free(struct parquet_rows *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->room; i++)
        parquet_column_free(&r->cursors[i].reader);
    free(r);
}
