/* SPDX-License-Identifier: MIT */
#include "follow/archive_content.h"

#include <stdlib.h>
#include <string.h>

#include "delta/log.h"
#include "delta/object_file.h"
#include "follow/reader.h"
#include "follow/row_hash.h"

enum {
    ROWS_MAX = 1 << 20
}; /* of the archive's, that are looked for at a time: 32 MiB; of one file
      there may be more */

struct row {
    uint64_t sequence;
    struct row_hash hash;
    uint32_t file; /* number in `old` */
    bool found;
};

struct match {
    struct archive *archive;
    struct follow_view *view;
    ARRAY(struct row) rows;
};

/* What is done with each row of a file. */
typedef void take_row(struct match *m, const struct row *row, void *context);

static int by_content(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return memcmp(&x->hash, &y->hash, sizeof(x->hash));
}

static int read_rows(struct match *m, struct object_store *store, const struct delta_file *file,
                     take_row *take, void *context, struct err *err)
{
    struct follow_column columns[EVENT_COLUMNS];
    struct buf name = {0};
    struct follow_row found;
    int more = 0;
    if (delta_object_name(&name, file->path, err) != 0) {
        buf_free(&name);
        return -1;
    }
    const struct follow_file one = {.name = buf_text(&name), .last = UINT64_MAX};
    follow_event_columns(columns);
    struct follow_reader *r =
        follow_reader_new(store, &one, 1, columns, EVENT_COLUMNS, 0, &m->archive->target.account);
    while ((more = follow_reader_next(r, &found, err)) == 1) {
        const struct row row = {.sequence = found.sequence, .hash = row_hash_of(found.values)};
        take(m, &row, context);
        if (!atomic_load(m->view->stop))
            continue;
        more = err_set(err, ERR_REFUSED, "it is time to end");
        break;
    }
    follow_reader_free(r);
    buf_free(&name);
    return more;
}

static void keep_row(struct match *m, const struct row *row, void *context)
{
    const uint32_t *file = context;
    struct row *kept = array_add(&m->rows);
    *kept = *row;
    kept->file = *file;
}

/* Each row that was kept is found once. */
static void find_row(struct match *m, const struct row *row, void *context)
{
    struct archive_fresh *fresh = context;
    size_t low = 0, high = m->rows.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_content(&m->rows.list[middle], row) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < m->rows.count && by_content(&m->rows.list[low], row) == 0; low++) {
        fresh->related = true;
        if (m->rows.list[low].found)
            continue;
        m->rows.list[low].found = true;
        return;
    }
}

/* One more row of a file of the archive: found, or not. */
static void judge(struct archive_old *old, uint64_t *rows, bool found)
{
    enum archive_found is = found ? ARCHIVE_FOUND_ALL : ARCHIVE_FOUND_NONE;
    if (++*rows == 1)
        old->found = is;
    else if (old->found != is)
        old->found = ARCHIVE_FOUND_SOME;
}

/* Look for the rows that are kept: of the archive's files from `first` to before `end`. */
static int find_kept(struct match *m, struct archive_old *old, size_t first, size_t end,
                     struct archive_fresh *fresh, size_t fresh_count, struct err *err)
{
    if (m->rows.count > 1)
        qsort(m->rows.list, m->rows.count, sizeof(*m->rows.list), by_content);
    for (size_t i = 0; i < fresh_count; i++) {
        m->view->failed = true;
        if (read_rows(m, m->view->store, fresh[i].file, find_row, &fresh[i], err) != 0)
            return -1;
        m->view->failed = false;
    }
    uint64_t *rows = account_alloc(NULL, end - first, sizeof(*rows));
    for (size_t i = 0; i < m->rows.count; i++) {
        const struct row *row = &m->rows.list[i];
        judge(&old[row->file], &rows[row->file - first], row->found);
    }
    account_free(NULL, rows, (end - first) * sizeof(*rows));
    return 0;
}

int archive_match(struct archive *a, struct follow_view *view, struct archive_old *old,
                  size_t old_count, struct archive_fresh *fresh, size_t fresh_count,
                  struct err *err)
{
    struct match m = {.archive = a, .view = view, .rows.account = &a->target.account};
    int result = 0;
    for (size_t first = 0, end = 0; first < old_count && result == 0; first = end) {
        m.rows.count = 0;
        for (; end < old_count && m.rows.count < ROWS_MAX && result == 0; end++) {
            uint32_t number = (uint32_t)end;
            result = read_rows(&m, a->store, old[end].file, keep_row, &number, err);
        }
        if (result == 0)
            result = find_kept(&m, old, first, end, fresh, fresh_count, err);
    }
    array_free(&m.rows);
    return result;
}
