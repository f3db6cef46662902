/* SPDX-License-Identifier: MIT */
#include "follow/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "follow/opened.h"

enum {
    SPAN_START = 16 * 1024, /* sequences of the first window; later ones fit their memory */
    SPAN_MAX = 1 << 24,
    AHEAD = 8, /* rows whose memory is on its way: each lies elsewhere */
};

/* Rows of one file in stream order; or all of a file, in none. */
struct run {
    uint32_t file;
    bool sorted;
    struct follow_opened *open; /* between windows, at the next row to come; NULL: closed */
    uint64_t end;               /* number of the row behind the last one */
    uint64_t at;                /* rows before this one are done */
    uint64_t reached;           /* what `at` will be once the window is complete */
    uint64_t first, last; /* the least sequence of the rows to come, or less; the greatest of all */
    uint64_t next_first;  /* what `first` will be then; UINT64_MAX: no row is left */
};

struct follow_reader {
    struct object_store *store;
    const struct follow_file *files;
    size_t count, surveyed; /* of files; of those whose runs are known, from the front */
    const struct follow_column *columns;
    uint32_t column_count;
    void (*prune)(void *context, struct parquet_file *file);               /* NULL: all is read */
    void (*make)(void *context, const struct slice *values, void *record); /* NULL: copy rows */
    void *prune_context, *make_context;
    size_t record_size;
    struct feed_reader *reader; /* NULL: no feed */
    struct parquet_codec *codec;
    ARRAY(struct follow_opened *) spares;  /* closed, at most FOLLOW_OPEN_MAX: for the next */
    ARRAY(struct run) runs;                /* that have rows to come */
    uint32_t open;                         /* of these, files that are open */
    uint64_t next;                         /* the first sequence that is wanted still */
    uint64_t span;                         /* sequences of the next window */
    size_t window;                         /* bytes that its rows may take */
    struct arena arena;                    /* of the rows of the window */
    ARRAY(struct follow_row) rows, places; /* places: for sorting */
    size_t at;
    uint64_t without; /* rows that have no sequence */
};

struct follow_reader *follow_reader_new(struct object_store *store, const struct follow_file *files,
                                        size_t count, const struct follow_column *columns,
                                        uint32_t column_count, uint64_t after,
                                        struct account *account)
{
    struct follow_reader *r = account_alloc(NULL, 1, sizeof(*r));
    ASSERT(column_count <= FOLLOW_COLUMNS_MAX && count <= UINT32_MAX);
    *r = (struct follow_reader){.store = store,
                                .files = files,
                                .count = count,
                                .columns = columns,
                                .column_count = column_count,
                                .codec = parquet_codec_new(account),
                                .next = after < UINT64_MAX ? after + 1 : after,
                                .span = SPAN_START,
                                .window = FOLLOW_WINDOW_BYTES};
    r->runs.account = r->rows.account = r->places.account = r->arena.account = account;
    /* One block for all windows; it takes no memory before it is written to. */
    (void)arena_alloc(&r->arena, FOLLOW_WINDOW_BYTES);
    return r;
}

void follow_reader_set_prune(struct follow_reader *r,
                             void (*prune)(void *context, struct parquet_file *file), void *context)
{
    r->prune = prune;
    r->prune_context = context;
}

void follow_reader_set_record(struct follow_reader *r, size_t size,
                              void (*make)(void *context, const struct slice *values, void *record),
                              void *context)
{
    r->record_size = size;
    r->make = make;
    r->make_context = context;
    r->window = FOLLOW_RECORDS_BYTES;
    r->span = r->window / 2 / (size + sizeof(struct follow_row));
}

void follow_reader_set_feed(struct follow_reader *r, struct feed_reader *reader)
{
    r->reader = reader;
}

/* Its memory stays, for the next one. */
static void close_file(struct follow_reader *r, struct follow_opened *o)
{
    follow_opened_close(o);
    if (r->spares.count < FOLLOW_OPEN_MAX)
        *array_add(&r->spares) = o;
    else
        follow_opened_free(o);
}

static void close_run(struct follow_reader *r, struct run *run)
{
    if (run->open == NULL)
        return;
    close_file(r, run->open);
    run->open = NULL;
    r->open--;
}

void follow_reader_free(struct follow_reader *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->runs.count; i++)
        close_run(r, &r->runs.list[i]);
    for (size_t i = 0; i < r->spares.count; i++)
        follow_opened_free(r->spares.list[i]);
    array_free(&r->spares);
    parquet_codec_free(r->codec);
    array_free(&r->runs);
    array_free(&r->rows);
    array_free(&r->places);
    arena_free(&r->arena);
    account_free(NULL, r, sizeof(*r));
}

static struct follow_opened *open_file(struct follow_reader *r, uint32_t file, struct err *err)
{
    struct follow_opened *o = r->spares.count > 0 ? r->spares.list[--r->spares.count]
                                                  : account_alloc(NULL, 1, sizeof(*o));
    o->source.read.account = r->runs.account;
    if (follow_opened_open(o, r->store, &r->files[file], r->reader, r->columns, r->column_count,
                           err) == 0) {
        if (r->prune != NULL)
            r->prune(r->prune_context, &o->file);
        return o;
    }
    close_file(r, o);
    return NULL;
}

/* False for a row without: another engine has put it there. */
static bool sequence_of(struct slice value, uint64_t *sequence)
{
    *sequence = value.data != NULL ? load_u64le(value.data) : UINT64_MAX;
    return *sequence <= INT64_MAX;
}

/* There are too many: one for all of the file. */
static struct run *join_runs(struct follow_reader *r, size_t base)
{
    struct run *all = &r->runs.list[base];
    for (size_t i = base + 1; i < r->runs.count; i++) {
        const struct run *run = &r->runs.list[i];
        all->first = run->first < all->first ? run->first : all->first;
        all->last = run->last > all->last ? run->last : all->last;
    }
    all->sorted = false;
    r->runs.count = base + 1;
    return all;
}

/* Row `number` of the file whose runs begin at `base`. */
static void note_row(struct follow_reader *r, size_t base, uint64_t number, uint64_t sequence)
{
    struct run *run = r->runs.count > base ? &r->runs.list[r->runs.count - 1] : NULL;
    bool breaks = run != NULL && run->sorted && sequence < run->last;
    if (breaks && r->runs.count - base == FOLLOW_RUNS_MAX) {
        run = join_runs(r, base);
    } else if (run == NULL || breaks) {
        run = array_add(&r->runs);
        *run = (struct run){.file = (uint32_t)r->surveyed,
                            .sorted = true,
                            .at = number,
                            .first = sequence,
                            .last = sequence};
    }
    run->end = number + 1;
    run->first = sequence < run->first ? sequence : run->first;
    run->last = sequence > run->last ? sequence : run->last;
}

/* Begin with the first row to come of a run whose file is open. */
static int begin_run(struct follow_reader *r, struct run *run, struct follow_opened *o,
                     struct err *err)
{
    run->open = o;
    r->open++;
    o->at = run->at;
    o->rows = parquet_rows_renew(o->rows, &o->file, o->leaves, o->count, r->codec);
    return parquet_rows_skip(o->rows, run->at, err);
}

/* Learn the runs of the next file. It mostly is one, which mostly comes next: it stays open. */
static int survey(struct follow_reader *r, struct err *err)
{
    size_t base = r->runs.count;
    struct slice value;
    uint64_t sequence = 0;
    int more = 0;
    struct follow_opened *o = open_file(r, (uint32_t)r->surveyed, err);
    if (o == NULL)
        return err_prefix(err, "%s", r->files[r->surveyed].name);
    o->rows = parquet_rows_renew(o->rows, &o->file, o->leaves, 1, r->codec);
    for (uint64_t number = 0; (more = parquet_rows_next(o->rows, &value, err)) == 1; number++) {
        if (sequence_of(value, &sequence))
            note_row(r, base, number, sequence);
        else
            r->without++;
    }
    if (more == 0 && r->runs.count == base + 1 && r->open < FOLLOW_OPEN_MAX)
        more = begin_run(r, &r->runs.list[base], o, err);
    else
        close_file(r, o);
    if (more == 0) {
        r->surveyed++;
        return 0;
    }
    if (r->runs.count > base)
        close_run(r, &r->runs.list[base]);
    r->runs.count = base;
    return err_prefix(err, "%s", r->files[r->surveyed].name);
}

static void copy_row(struct follow_reader *r, const struct follow_opened *o, uint64_t sequence,
                     const struct slice *found)
{
    struct slice *values = arena_alloc(&r->arena, r->column_count * sizeof(*values));
    for (uint32_t i = 0; i < r->column_count; i++) {
        uint8_t number[8];
        struct slice value = follow_opened_value(o, i, found, number);
        values[i] = value;
        if (value.data == NULL)
            continue;
        uint8_t *copy = arena_alloc(&r->arena, value.len > 0 ? value.len : 1);
        memcpy(copy, value.data, value.len);
        values[i].data = copy;
    }
    *array_add(&r->rows) = (struct follow_row){.sequence = sequence, .values = values};
}

static void make_record(struct follow_reader *r, const struct follow_opened *o, uint64_t sequence,
                        const struct slice *found)
{
    struct slice values[FOLLOW_COLUMNS_MAX];
    uint8_t numbers[FOLLOW_COLUMNS_MAX][8];
    void *record = arena_alloc(&r->arena, r->record_size);
    for (uint32_t i = 0; i < r->column_count; i++)
        values[i] = follow_opened_value(o, i, found, numbers[i]);
    r->make(r->make_context, values, record);
    *array_add(&r->rows) = (struct follow_row){.sequence = sequence, .record = record};
}

static bool is_too_large(const struct follow_reader *r)
{
    return r->arena.used > r->window && r->rows.count > 1 && r->span > 1;
}

/* Open the file of a run, at its first row to come. */
static int open_run(struct follow_reader *r, struct run *run, struct err *err)
{
    struct follow_opened *o = open_file(r, run->file, err);
    return o == NULL ? -1 : begin_run(r, run, o, err);
}

static int peek_row(struct follow_opened *o, struct err *err)
{
    int more = o->has_row ? 1 : parquet_rows_next(o->rows, o->found, err);
    if (more == 0)
        return err_set(err, ERR_FORMAT, "it has fewer rows than before");
    o->has_row = more == 1;
    return more == 1 ? 0 : -1;
}

/* Copy what a run has from r->next to `end`; what is behind is for later windows. */
static int copy_rows(struct follow_reader *r, struct run *run, uint64_t end, struct err *err)
{
    struct follow_opened *o = run->open;
    uint64_t sequence = 0;
    run->next_first = UINT64_MAX;
    for (; o->at < run->end && !is_too_large(r); o->at++) {
        if (peek_row(o, err) != 0)
            return -1;
        o->has_row = sequence_of(o->found[0], &sequence);
        if (!o->has_row)
            continue;
        if (sequence > end && sequence < run->next_first)
            run->next_first = sequence;
        if (sequence > end && run->sorted)
            break;
        if (sequence >= r->next && sequence <= end && sequence <= r->files[run->file].last)
            (r->make != NULL ? make_record : copy_row)(r, o, sequence, o->found);
        o->has_row = false;
    }
    run->reached = run->sorted ? o->at : run->at;
    return 0;
}

static int copy_run(struct follow_reader *r, struct run *run, uint64_t end, struct err *err)
{
    int result = run->open != NULL ? 0 : open_run(r, run, err);
    if (result == 0)
        result = copy_rows(r, run, end, err);
    if (result != 0)
        (void)err_prefix(err, "%s", r->files[run->file].name);
    if (result != 0 || !run->sorted || run->reached == run->end || r->open > FOLLOW_OPEN_MAX)
        close_run(r, run);
    return result;
}

static int copy_window(struct follow_reader *r, uint64_t end, struct err *err)
{
    arena_reset(&r->arena);
    r->rows.count = r->at = 0;
    for (size_t i = 0; i < r->runs.count && !is_too_large(r); i++) {
        struct run *run = &r->runs.list[i];
        run->reached = run->at;
        run->next_first = run->first;
        if (run->first > end || run->last < r->next)
            continue;
        if (copy_run(r, run, end, err) != 0)
            return -1;
    }
    return 0;
}

/* The window was given up: what was read of it has to come again. */
static void go_back(struct follow_reader *r)
{
    for (size_t i = 0; i < r->runs.count; i++) {
        struct run *run = &r->runs.list[i];
        if (run->open != NULL && run->open->at != run->at)
            close_run(r, run);
    }
    r->rows.count = 0;
}

/* The window is complete: go on behind it. */
static void advance(struct follow_reader *r, uint64_t end)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->runs.count; i++) {
        struct run run = r->runs.list[i];
        run.at = run.reached;
        run.first = run.next_first;
        if (run.last > end && run.first != UINT64_MAX)
            r->runs.list[kept++] = run;
        else
            close_run(r, &run);
    }
    r->runs.count = kept;
    r->next = end < UINT64_MAX ? end + 1 : end;
}

static void skip_files(struct follow_reader *r)
{
    while (r->surveyed < r->count && r->files[r->surveyed].last < r->next)
        r->surveyed++;
}

/* Where the next row is at the earliest; false: there is none. */
static bool find_start(struct follow_reader *r, uint64_t *start)
{
    skip_files(r);
    *start = r->surveyed < r->count ? r->files[r->surveyed].first : UINT64_MAX;
    for (size_t i = 0; i < r->runs.count; i++)
        *start = r->runs.list[i].first < *start ? r->runs.list[i].first : *start;
    if (*start < r->next)
        *start = r->next;
    return r->runs.count > 0 || r->surveyed < r->count;
}

static int by_sequence(const void *a, const void *b)
{
    const struct follow_row *x = a, *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Sort the rows of a window from `start` on. Where they are close together, as they mostly are,
 * each has its place; else, and where two have the same, they are compared. */
static void sort_rows(struct follow_reader *r, uint64_t start, uint64_t end)
{
    uint64_t places = end - start < UINT32_MAX ? end - start + 1 : UINT32_MAX;
    size_t count = r->rows.count, at = 0;
    bool once = count > 1 && places / 2 < count;
    if (once) {
        array_reserve(&r->places, (size_t)places);
        memset(r->places.list, 0, (size_t)places * sizeof(*r->places.list));
    }
    for (size_t i = 0; i < count && once; i++) {
        struct follow_row *place = &r->places.list[r->rows.list[i].sequence - start];
        once = place->record == NULL;
        *place = r->rows.list[i];
    }
    if (!once && count > 1)
        qsort(r->rows.list, count, sizeof(*r->rows.list), by_sequence);
    for (uint64_t i = 0; i < places && once; i++)
        if (r->places.list[i].record != NULL)
            r->rows.list[at++] = r->places.list[i];
}

/* Copy the window that begins with `start`. It may turn out empty, or too large: then the next one
 * is smaller. */
static int fill(struct follow_reader *r, uint64_t start, struct err *err)
{
    uint64_t end = start <= UINT64_MAX - r->span ? start + r->span - 1 : UINT64_MAX;
    for (; r->surveyed < r->count && r->files[r->surveyed].first <= end; skip_files(r))
        if (survey(r, err) != 0)
            return -1;
    if (copy_window(r, end, err) != 0)
        return -1;
    if (is_too_large(r)) {
        go_back(r);
        r->span /= 2;
        return 0;
    }
    if (r->arena.used < r->window / 4 && r->span < SPAN_MAX)
        r->span *= 2;
    sort_rows(r, r->next, end);
    advance(r, end);
    return 0;
}

uint64_t follow_reader_without(const struct follow_reader *r)
{
    return r->without;
}

int follow_reader_next(struct follow_reader *r, struct follow_row *row, struct err *err)
{
    uint64_t start = 0;
    while (r->at == r->rows.count) {
        if (!find_start(r, &start))
            return 0;
        if (fill(r, start, err) != 0)
            return -1;
    }
    __builtin_prefetch(r->rows.list[r->at + AHEAD < r->rows.count ? r->at + AHEAD : r->at].record);
    *row = r->rows.list[r->at++];
    return 1;
}
