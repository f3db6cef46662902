/* SPDX-License-Identifier: MIT */
#include "follow/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "follow/file_source.h"
#include "parquet/read/file.h"
#include "parquet/read/rows.h"

enum {
    SPAN_START = 16 * 1024, /* sequences of the first window; later ones fit their memory */
    SPAN_MAX = 1 << 24,
};

/* Rows of one file in stream order; or all of a file, in none. */
struct run {
    uint32_t file;
    bool sorted;
    uint64_t end;         /* number of the row behind the last one */
    uint64_t at;          /* rows before this one are done */
    uint64_t reached;     /* what `at` will be once the window is complete */
    uint64_t first, last; /* the least sequence of the rows to come, or less; the greatest of all */
    uint64_t next_first;  /* what `first` will be then; UINT64_MAX: no row is left */
};

struct follow_reader {
    struct object_store *store;
    const struct follow_file *files;
    size_t count, surveyed; /* of files; of those whose runs are known, from the front */
    const struct follow_column *columns;
    uint32_t column_count;
    void (*prune)(void *context, struct parquet_file *file); /* NULL: all is read */
    void *prune_context;
    struct parquet_codec *codec;
    ARRAY(struct run) runs; /* that have rows to come */
    uint64_t next;          /* the first sequence that is wanted still */
    uint64_t span;          /* sequences of the next window */
    struct arena arena;     /* of the rows of the window */
    ARRAY(struct follow_row) rows;
    size_t at;
};

struct follow_reader *follow_reader_new(struct object_store *store, const struct follow_file *files,
                                        size_t count, const struct follow_column *columns,
                                        uint32_t column_count, uint64_t after)
{
    struct follow_reader *r = calloc(1, sizeof(*r));
    ASSERT(column_count <= FOLLOW_COLUMNS_MAX && count <= UINT32_MAX);
    if (r == NULL)
        out_of_memory(sizeof(*r));
    *r = (struct follow_reader){.store = store,
                                .files = files,
                                .count = count,
                                .columns = columns,
                                .column_count = column_count,
                                .codec = parquet_codec_new(NULL),
                                .next = after < UINT64_MAX ? after + 1 : after,
                                .span = SPAN_START};
    return r;
}

void follow_reader_set_prune(struct follow_reader *r,
                             void (*prune)(void *context, struct parquet_file *file), void *context)
{
    r->prune = prune;
    r->prune_context = context;
}

void follow_reader_free(struct follow_reader *r)
{
    if (r == NULL)
        return;
    parquet_codec_free(r->codec);
    array_free(&r->runs);
    array_free(&r->rows);
    arena_free(&r->arena);
    free(r);
}

struct opened {
    struct object_source source;
    struct parquet_file file;
    uint32_t leaves[FOLLOW_COLUMNS_MAX + 1], count; /* to read: the sequence, then the columns */
    int place[FOLLOW_COLUMNS_MAX];                  /* of each column in `leaves`; 0: it has none */
};

static int find_leaves(const struct follow_reader *r, struct opened *o, struct err *err)
{
    int64_t sequence = parquet_file_leaf(&o->file, slice_of(FOLLOW_SEQUENCE));
    if (sequence < 0 || o->file.leaves[sequence].type.type != PARQUET_TYPE_INT64)
        return err_set(err, ERR_FORMAT, "it has no column " FOLLOW_SEQUENCE " of 64-bit integers");
    o->leaves[o->count++] = (uint32_t)sequence;
    for (uint32_t i = 0; i < r->column_count; i++) {
        int64_t leaf = parquet_file_leaf(&o->file, slice_of(r->columns[i].name));
        if (leaf < 0)
            continue;
        enum parquet_type type = o->file.leaves[leaf].type.type, wanted = r->columns[i].type;
        bool timestamp = type == PARQUET_TYPE_INT96 && wanted == PARQUET_TYPE_INT64;
        if (type != wanted && !timestamp)
            return err_set(err, ERR_FORMAT, "its column %s is of another type than elsewhere",
                           r->columns[i].name);
        o->place[i] = (int)o->count;
        o->leaves[o->count++] = (uint32_t)leaf;
    }
    return 0;
}

static void close_file(struct opened *o)
{
    parquet_file_close(&o->file);
    object_source_close(&o->source);
}

static int open_file(const struct follow_reader *r, struct opened *o, uint32_t file,
                     struct err *err)
{
    *o = (struct opened){0};
    if (object_source_open(&o->source, r->store, r->files[file].name, err) == 0 &&
        parquet_file_open(&o->file, &o->source.source, err) == 0 && find_leaves(r, o, err) == 0) {
        if (r->prune != NULL)
            r->prune(r->prune_context, &o->file);
        return 0;
    }
    close_file(o);
    return -1;
}

static int sequence_of(struct slice value, uint64_t *sequence, struct err *err)
{
    if (value.data == NULL || load_u64le(value.data) > INT64_MAX)
        return err_set(err, ERR_FORMAT, "a row has no sequence in its stream");
    *sequence = load_u64le(value.data);
    return 0;
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

/* Learn the runs of the next file. */
static int survey(struct follow_reader *r, struct err *err)
{
    size_t base = r->runs.count;
    struct opened o;
    struct slice value;
    uint64_t sequence = 0;
    int more = 0;
    if (open_file(r, &o, (uint32_t)r->surveyed, err) != 0)
        return err_prefix(err, "%s", r->files[r->surveyed].name);
    struct parquet_rows *rows = parquet_rows_new(&o.file, o.leaves, 1, r->codec);
    for (uint64_t number = 0; (more = parquet_rows_next(rows, &value, err)) == 1; number++) {
        if (sequence_of(value, &sequence, err) != 0) {
            more = -1;
            break;
        }
        note_row(r, base, number, sequence);
    }
    parquet_rows_free(rows);
    close_file(&o);
    if (more == 0) {
        r->surveyed++;
        return 0;
    }
    r->runs.count = base;
    return err_prefix(err, "%s", r->files[r->surveyed].name);
}

/* Nanoseconds of the day and the Julian day to microseconds since 1970. */
static void convert_int96(uint8_t out[static 8], struct slice value)
{
    enum { JULIAN_1970 = 2440588 };
    int64_t days = (int64_t)load_u32le(value.data + 8) - JULIAN_1970;
    /* Any bits are a time to Parquet: those of no sensible year wrap. */
    store_u64le(out, (uint64_t)days * 86400 * 1000 * 1000 + load_u64le(value.data) / 1000);
}

static void copy_row(struct follow_reader *r, const struct opened *o, uint64_t sequence,
                     const struct slice *found)
{
    struct slice *values = arena_calloc(&r->arena, r->column_count, sizeof(*values));
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct slice value = found[o->place[i]];
        if (o->place[i] == 0 || value.data == NULL)
            continue;
        bool int96 = o->file.leaves[o->leaves[o->place[i]]].type.type == PARQUET_TYPE_INT96 &&
                     r->columns[i].type == PARQUET_TYPE_INT64;
        size_t len = int96 ? 8 : value.len;
        uint8_t *copy = arena_alloc(&r->arena, len > 0 ? len : 1);
        if (int96)
            convert_int96(copy, value);
        else
            memcpy(copy, value.data, len);
        values[i] = (struct slice){copy, len};
    }
    *array_add(&r->rows) = (struct follow_row){sequence, values};
}

static bool is_too_large(const struct follow_reader *r)
{
    return r->arena.used > FOLLOW_WINDOW_BYTES && r->rows.count > 1 && r->span > 1;
}

/* Copy what a run has from r->next to `end`; what is behind is for later windows. */
static int copy_rows(struct follow_reader *r, const struct opened *o, struct run *run, uint64_t end,
                     struct err *err)
{
    struct slice found[FOLLOW_COLUMNS_MAX + 1];
    uint64_t number = run->at, sequence = 0;
    struct parquet_rows *rows = parquet_rows_new(&o->file, o->leaves, o->count, r->codec);
    int result = parquet_rows_skip(rows, run->at, err);
    run->next_first = UINT64_MAX;
    for (; result == 0 && number < run->end && !is_too_large(r); number++) {
        int more = parquet_rows_next(rows, found, err);
        if (more == 0)
            (void)err_set(err, ERR_FORMAT, "it has fewer rows than before");
        if (more != 1 || sequence_of(found[0], &sequence, err) != 0)
            result = -1;
        else if (sequence > end && sequence < run->next_first)
            run->next_first = sequence;
        if (result == 0 && sequence > end && run->sorted)
            break;
        if (result == 0 && sequence >= r->next && sequence <= end)
            copy_row(r, o, sequence, found);
    }
    run->reached = run->sorted ? number : run->at;
    parquet_rows_free(rows);
    return result;
}

static int copy_window(struct follow_reader *r, uint64_t end, struct err *err)
{
    struct opened o;
    arena_reset(&r->arena);
    r->rows.count = r->at = 0;
    for (size_t i = 0; i < r->runs.count && !is_too_large(r); i++) {
        struct run *run = &r->runs.list[i];
        run->reached = run->at;
        run->next_first = run->first;
        if (run->first > end || run->last < r->next)
            continue;
        int result = open_file(r, &o, run->file, err);
        if (result == 0) {
            result = copy_rows(r, &o, run, end, err);
            close_file(&o);
        }
        if (result != 0)
            return err_prefix(err, "%s", r->files[run->file].name);
    }
    return 0;
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
        r->rows.count = 0;
        r->span /= 2;
        return 0;
    }
    if (r->arena.used < FOLLOW_WINDOW_BYTES / 4 && r->span < SPAN_MAX)
        r->span *= 2;
    if (r->rows.count > 1)
        qsort(r->rows.list, r->rows.count, sizeof(*r->rows.list), by_sequence);
    advance(r, end);
    return 0;
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
    *row = r->rows.list[r->at++];
    return 1;
}
