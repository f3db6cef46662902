/* SPDX-License-Identifier: MIT */
#include "verify/against.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "delta/durable.h"
#include "event/event.h"
#include "follow/reader.h"
#include "follow/row_hash.h"
#include "object/open.h"
#include "store/path.h"

#define KIND "against"
enum {
    RANGES_SHOWN = 200, /* bytes of their text */
    SAME_MAX = 65536,   /* rows of one sequence: of so many streams, as a follower has at most */
};

struct table {
    struct object_store *store;
    struct delta_snapshot snapshot;
    struct follow_catalogue catalogue;
};

struct against {
    struct report *report;
    struct table root, archive;
    uint64_t files, rows; /* of the root, found by their hash, and one by one */
    uint64_t different;   /* rows */
};

static int open_table(struct table *t, const char *path, struct err *err)
{
    const struct object_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    t->snapshot = (struct delta_snapshot){.want_files = true, .want_varve = true};
    t->store = object_open(&config, err);
    if (t->store == NULL)
        return -1;
    int result = delta_snapshot_load(&t->snapshot, t->store, err);
    if (result == 0 && !t->snapshot.found)
        result = err_set(err, ERR_FORMAT, "there is no table with a commit log");
    if (result == 0)
        result = follow_catalogue_fill(&t->catalogue, &t->snapshot, err);
    return result == 0 ? 0 : err_prefix(err, "%s", path);
}

static void close_table(struct table *t)
{
    follow_catalogue_free(&t->catalogue);
    delta_snapshot_free(&t->snapshot);
    object_store_close(t->store);
}

/* Whether both have a file of this name with the same bytes. */
static bool has_file(const struct against *a, const char *name)
{
    struct buf path = {0};
    delta_path_encode(&path, slice_of(name));
    const struct delta_file *x = delta_snapshot_file(&a->root.snapshot, buf_slice(&path));
    const struct delta_file *y = delta_snapshot_file(&a->archive.snapshot, buf_slice(&path));
    buf_free(&path);
    if (x == NULL || y == NULL || x->size != y->size)
        return false;
    struct slice hash = delta_map_get(&x->tags, "varve.sha256");
    return hash.data != NULL && slice_equal(hash, delta_map_get(&y->tags, "varve.sha256"));
}

/* Leave the files of the stream whose rows have to be looked at. */
static void leave_others(struct against *a, struct follow_stream *stream)
{
    size_t kept = 0;
    for (size_t i = 0; i < stream->files.count; i++) {
        if (has_file(a, stream->files.list[i].name))
            a->files++;
        else
            stream->files.list[kept++] = stream->files.list[i];
    }
    stream->files.count = kept;
}

static struct follow_stream *find_stream(struct table *t, const struct follow_stream *of)
{
    for (size_t i = 0; i < t->catalogue.streams.count; i++) {
        struct follow_stream *s = &t->catalogue.streams.list[i];
        if (s->stream != NULL && strcmp(s->stream, of->stream) == 0 &&
            strcmp(s->created, of->created) == 0)
            return s;
    }
    return NULL;
}

/* The first file of a stream that may have a row. */
static const char *file_of(const struct follow_stream *stream, uint64_t sequence)
{
    for (size_t i = 0; i < stream->files.count; i++)
        if (stream->files.list[i].first <= sequence && sequence <= stream->files.list[i].last)
            return stream->files.list[i].name;
    return "";
}

static void compare_row(struct against *a, const struct follow_stream *stream,
                        const struct follow_row *row, const struct follow_row *found)
{
    a->rows++;
    for (uint32_t i = 0; i < EVENT_COLUMNS; i++) {
        struct slice x = row->values[i], y = found->values[i];
        if ((x.data == NULL) == (y.data == NULL) && slice_equal(x, y))
            continue;
        if (a->different++ < REPORT_EACH_MAX)
            report_found(a->report, KIND,
                         "sequence %" PRIu64 " of stream %s, created %s, has another %s than in %s",
                         row->sequence, stream->stream, stream->created,
                         event_schema.columns[i].name, file_of(stream, row->sequence));
        return;
    }
}

/* Rows of `ours` that the archive's reader does not come by are added to `missing`. */
static int compare_rows(struct against *a, const struct follow_stream *stream,
                        struct follow_reader *ours, struct follow_reader *theirs,
                        struct seqset *missing, struct err *err)
{
    struct follow_row row, found = {0};
    int more = 1, left;
    while ((left = follow_reader_next(ours, &row, err)) == 1) {
        while (more == 1 && (found.values == NULL || found.sequence < row.sequence))
            more = follow_reader_next(theirs, &found, err);
        if (more < 0)
            return -1;
        if (more == 1 && found.sequence == row.sequence)
            compare_row(a, stream, &row, &found);
        else
            (void)seqset_add(missing, row.sequence);
    }
    return left;
}

static void report_missing(struct against *a, const struct follow_stream *stream,
                           const struct seqset *missing)
{
    struct buf text = {0};
    if (missing->count == 0)
        return;
    seqset_write_text(&text, missing);
    report_found(
        a->report, KIND,
        "%" PRIu64 " rows are not in it: sequences %.*s%s of stream %s, created %s, from %s",
        seqset_size(missing), RANGES_SHOWN, buf_text(&text), text.len > RANGES_SHOWN ? "..." : "",
        stream->stream, stream->created, file_of(stream, missing->list[0].first));
    buf_free(&text);
}

static int compare_stream(struct against *a, struct follow_stream *stream, struct err *err)
{
    struct follow_column columns[EVENT_COLUMNS];
    struct follow_stream *there = find_stream(&a->archive, stream);
    struct seqset missing = {0};
    uint64_t last = 0;
    size_t kept = 0;
    leave_others(a, stream);
    if (stream->files.count == 0)
        return 0;
    for (size_t i = 0; i < stream->files.count; i++)
        last = stream->files.list[i].last > last ? stream->files.list[i].last : last;
    uint64_t first = stream->files.list[0].first;
    for (size_t i = 0; there != NULL && i < there->files.count; i++)
        if (there->files.list[i].first <= last && there->files.list[i].last >= first)
            there->files.list[kept++] = there->files.list[i];
    follow_event_columns(columns);
    struct follow_reader *ours = follow_reader_new(
        a->root.store, stream->files.list, stream->files.count, columns, EVENT_COLUMNS, 0, NULL);
    struct follow_reader *theirs =
        follow_reader_new(a->archive.store, there != NULL ? there->files.list : NULL, kept, columns,
                          EVENT_COLUMNS, first > 0 ? first - 1 : 0, NULL);
    int result = compare_rows(a, stream, ours, theirs, &missing, err);
    report_missing(a, stream, &missing);
    follow_reader_free(ours);
    follow_reader_free(theirs);
    seqset_free(&missing);
    return result;
}

static int by_first(const void *a, const void *b)
{
    const struct follow_file *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* The rows of one sequence in all of the archive. */
struct same {
    uint64_t sequence;
    ARRAY(struct row_hash) left; /* those that none of the root's has been found to be */
    struct follow_row next;      /* of the reader, if `more` is 1 */
    int more;
};

static int take_same(struct same *s, struct follow_reader *theirs, uint64_t sequence,
                     struct err *err)
{
    s->left.count = 0;
    s->sequence = sequence;
    for (; s->more == 1; s->more = follow_reader_next(theirs, &s->next, err)) {
        if (s->next.values != NULL && s->next.sequence > sequence)
            break;
        if (s->next.values == NULL || s->next.sequence < sequence)
            continue;
        if (s->left.count == SAME_MAX)
            return err_set(err, ERR_LIMIT, "more than %d rows with the sequence %" PRIu64, SAME_MAX,
                           sequence);
        *array_add(&s->left) = row_hash_of(s->next.values);
    }
    return s->more < 0 ? -1 : 0;
}

static bool take_equal(struct same *s, const struct follow_row *row)
{
    const struct row_hash hash = row_hash_of(row->values);
    for (size_t i = 0; i < s->left.count; i++) {
        if (memcmp(&s->left.list[i], &hash, sizeof(hash)) != 0)
            continue;
        s->left.list[i] = s->left.list[--s->left.count];
        return true;
    }
    return false;
}

/* Each of our rows is one of theirs, whatever stream it is of. */
static int find_equal(struct against *a, struct follow_reader *ours, struct follow_reader *theirs,
                      struct seqset *missing, uint64_t *lacking, struct err *err)
{
    struct same same = {.more = 1};
    struct follow_row row;
    int left;
    while ((left = follow_reader_next(ours, &row, err)) == 1) {
        if (row.sequence != same.sequence && take_same(&same, theirs, row.sequence, err) != 0) {
            left = -1;
            break;
        }
        a->rows++;
        if (take_equal(&same, &row))
            continue;
        (void)seqset_add(missing, row.sequence);
        ++*lacking;
    }
    array_free(&same.left);
    return left;
}

static void report_lacking(struct against *a, uint64_t lacking, const struct seqset *missing)
{
    struct buf text = {0};
    if (lacking == 0)
        return;
    seqset_write_text(&text, missing);
    report_found(a->report, KIND,
                 "%" PRIu64
                 " rows are not in it, or with other values: sequences %.*s%s of streams "
                 "that another engine has mixed",
                 lacking, RANGES_SHOWN, buf_text(&text), text.len > RANGES_SHOWN ? "..." : "");
    buf_free(&text);
}

/* Nobody can tell of which stream some rows are: each is known by all that it has. */
static int compare_mixed(struct against *a, struct err *err)
{
    ARRAY(struct follow_file) ours = {0}, theirs = {0};
    struct follow_column columns[EVENT_COLUMNS];
    struct seqset missing = {0};
    uint64_t lacking = 0;
    follow_event_columns(columns);
    for (size_t i = 0; i < a->root.catalogue.streams.count; i++) {
        struct follow_stream *stream = &a->root.catalogue.streams.list[i];
        leave_others(a, stream);
        for (size_t f = 0; f < stream->files.count; f++)
            *array_add(&ours) = stream->files.list[f];
    }
    for (size_t i = 0; i < a->archive.catalogue.streams.count; i++) {
        const struct follow_stream *stream = &a->archive.catalogue.streams.list[i];
        for (size_t f = 0; f < stream->files.count; f++)
            *array_add(&theirs) = stream->files.list[f];
    }
    if (ours.count > 0)
        qsort(ours.list, ours.count, sizeof(*ours.list), by_first);
    if (theirs.count > 0)
        qsort(theirs.list, theirs.count, sizeof(*theirs.list), by_first);
    struct follow_reader *x =
        follow_reader_new(a->root.store, ours.list, ours.count, columns, EVENT_COLUMNS, 0, NULL);
    struct follow_reader *y = follow_reader_new(a->archive.store, theirs.list, theirs.count,
                                                columns, EVENT_COLUMNS, 0, NULL);
    int result = find_equal(a, x, y, &missing, &lacking, err);
    report_lacking(a, lacking, &missing);
    follow_reader_free(x);
    follow_reader_free(y);
    seqset_free(&missing);
    array_free(&ours);
    array_free(&theirs);
    return result;
}

static bool is_mixed(const struct follow_catalogue *c)
{
    for (size_t i = 0; i < c->streams.count; i++)
        if (c->streams.list[i].stream == NULL)
            return true;
    return false;
}

/* The messages that are no rows. */
static int compare_beside(struct against *a, struct err *err)
{
    struct buf old = {0}, name = {0};
    int result = delta_durable_add_history(&a->root.snapshot, a->root.store, err);
    for (size_t i = 0; i < a->root.snapshot.beside.count && result == 0; i++) {
        const struct delta_beside *file = &a->root.snapshot.beside.list[i];
        char hash[SHA256_TEXT_MAX];
        bool renamed, found = false;
        buf_reset(&old);
        buf_reset(&name);
        if (!delta_path_decode(&old, slice_of(file->path)))
            continue; /* that is told of the root */
        store_path_quarantine_name(&name, buf_slice(&old), &renamed);
        result = object_hash(a->archive.store, buf_text(&name), hash, &found, err);
        if (result == 0 && !found)
            report_found(a->report, KIND, "%s is not in it", buf_text(&name));
        else if (result == 0 && file->sha256 != NULL && strcmp(file->sha256, hash) != 0)
            report_found(a->report, KIND, "%s has other bytes (SHA-256)", buf_text(&name));
    }
    buf_free(&old);
    buf_free(&name);
    return result;
}

static int compare(struct against *a, const char *root, struct err *err)
{
    bool mixed = is_mixed(&a->root.catalogue) || is_mixed(&a->archive.catalogue);
    if (mixed && compare_mixed(a, err) != 0)
        return -1;
    for (size_t i = 0; i < a->root.catalogue.streams.count && !mixed; i++)
        if (compare_stream(a, &a->root.catalogue.streams.list[i], err) != 0)
            return -1;
    if (compare_beside(a, err) != 0)
        return -1;
    if (a->different > REPORT_EACH_MAX)
        report_total(a->report, KIND, false, "%" PRIu64 " more rows have other values",
                     a->different - REPORT_EACH_MAX);
    report_note(a->report, KIND,
                "%" PRIu64 " files of %s are there with the same bytes, and %" PRIu64
                " rows of others were looked at one by one",
                a->files, root, a->rows);
    return 0;
}

/* The root first: what is committed to it meanwhile is not asked for. */
int verify_against(const char *archive, const char *root, struct report *report, struct err *err)
{
    struct against a = {.report = report};
    int result = -1;
    if (open_table(&a.root, root, err) == 0 && open_table(&a.archive, archive, err) == 0) {
        report_begin(report, archive);
        result = compare(&a, root, err);
        report_end(report, NULL);
    }
    close_table(&a.root);
    close_table(&a.archive);
    return result;
}
