/* SPDX-License-Identifier: MIT */
#include "cli/cat.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/prune.h"
#include "cli/selection.h"
#include "cli/value_json.h"
#include "delta/log.h"
#include "follow/file_source.h"
#include "follow/reader.h"
#include "net/network.h"
#include "object/open.h"
#include "pipeline/stop.h"
#include "verify/tree.h"

/* Which sequences of a generation of a stream were looked at. Whatever files their rows are moved
 * to, they are not printed again. */
struct progress {
    char *stream, *created;
    struct seqset read;
    struct seqjoin late; /* of these, until the end of a round */
};

/* A table that is printed. */
struct table {
    struct cat *cat;
    struct object_store *store;
    struct delta_snapshot snapshot;
    bool first;   /* nothing was printed yet */
    bool sure;    /* the snapshot has all sequences that were committed since the last round */
    bool unnamed; /* what was printed is of generations that nobody knows, and would be again */
    bool stopped;
    ARRAY(struct progress) progress; /* empty unless it is followed */
};

/* What of a table is printed, as a file of it has it. */
struct columns {
    struct object_source source;
    struct parquet_file file;
    struct arena arena;
    struct follow_column list[FOLLOW_COLUMNS_MAX];
    const struct parquet_leaf *leaves[FOLLOW_COLUMNS_MAX];
    struct selection selection;
};

/* *flat: all that is asked for are plain values. */
static int open_columns(const struct table *t, struct columns *c, const char *name, bool *flat,
                        struct err *err)
{
    struct cat *cat = t->cat;
    struct selection *s = &c->selection;
    if (object_source_open(&c->source, t->store, name, err) != 0 ||
        parquet_file_open(&c->file, &c->source.source, err) != 0)
        return err_prefix(err, "%s", name);
    if (selection_make(s, &c->file, cat->columns, &cat->filter, &c->arena, err) != 0)
        return -1;
    *flat = s->count <= FOLLOW_COLUMNS_MAX &&
            parquet_file_leaf(&c->file, slice_of(FOLLOW_SEQUENCE)) >= 0;
    for (uint32_t i = 0; i < s->count && *flat; i++) {
        const struct parquet_leaf *leaf = &c->file.leaves[s->fields[i]->leaf];
        *flat = s->fields[i]->kind == PARQUET_FIELD_VALUE;
        c->leaves[i] = leaf;
        bool expected = cat->taker != NULL && i < s->shown;
        c->list[i] = (struct follow_column){arena_text(&c->arena, leaf->name.data, leaf->name.len),
                                            expected ? cat->taker->types[i] : leaf->type.type};
    }
    return 0;
}

static void close_columns(struct columns *c)
{
    parquet_file_close(&c->file);
    object_source_close(&c->source);
    arena_free(&c->arena);
}

static void print_row(struct cat *cat, const struct columns *c, const struct follow_row *row)
{
    if (cat->taker != NULL) {
        cat->taker->take(cat->taker->context, row->values);
        return;
    }
    buf_reset(&cat->line);
    for (uint32_t i = 0; i < c->selection.shown; i++) {
        buf_append_byte(&cat->line, i == 0 ? '{' : ',');
        json_append_string(&cat->line, c->leaves[i]->name);
        buf_append_byte(&cat->line, ':');
        if (selection_is_text(&c->selection, i, row->values))
            value_json_append_text(&cat->line, row->values[i]);
        else
            value_json_append(&cat->line, c->leaves[i], row->values[i]);
    }
    buf_append_text(&cat->line, "}\n");
    (void)fwrite(cat->line.data, 1, cat->line.len, stdout); /* told in the end */
    cat->left--;
}

/* Look at the statistics of a file. */
static int ask_file(const struct table *t, const char *name, bool *wanted, struct err *err)
{
    struct object_source source = {0};
    struct parquet_file file = {0};
    int result = object_source_open(&source, t->store, name, err);
    if (result == 0)
        result = parquet_file_open(&file, &source.source, err);
    if (result != 0)
        (void)err_prefix(err, "%s", name);
    else
        *wanted = cat_prune(t->cat, &file, name);
    parquet_file_close(&file);
    object_source_close(&source);
    return result;
}

/* Whether a file may have rows that were not read. */
static bool may_be_new(const struct table *t, const struct progress *p,
                       const struct follow_file *file)
{
    if (t->first || p == NULL)
        return true;
    if (!t->sure)
        return seqset_contiguous_end(&p->read, file->first) < file->last;
    return follow_has_news(delta_snapshot_generation(&t->snapshot, p->stream, p->created), &p->read,
                           file->first, file->last);
}

/* Leave out the files in which no row can pass, or is new. */
static int skip_files(const struct table *t, struct follow_stream *stream, const struct progress *p,
                      struct err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < stream->files.count; i++) {
        struct follow_file file = stream->files.list[i];
        bool wanted = may_be_new(t, p, &file);
        if (wanted && t->cat->filter.terms.count > 0 && ask_file(t, file.name, &wanted, err) != 0)
            return -1;
        if (wanted)
            stream->files.list[kept++] = file;
    }
    stream->files.count = kept;
    return 0;
}

static void prune_again(void *context, struct parquet_file *file)
{
    const struct cat *cat = context;
    (void)prune_file(&cat->filter, file);
}

static bool must_end(struct table *t)
{
    if (t->cat->follow && stop_take().stop)
        t->stopped = true;
    return t->stopped || t->cat->left == 0 || ferror(stdout);
}

static int print_stream(struct table *t, const struct columns *c,
                        const struct follow_stream *stream, struct progress *p, struct err *err)
{
    const struct cat_taker *taker = t->cat->taker;
    struct follow_row row;
    int more = 0;
    struct follow_reader *r = follow_reader_new(t->store, stream->files.list, stream->files.count,
                                                c->list, c->selection.count, 0, NULL);
    follow_reader_set_prune(r, prune_again, t->cat);
    if (taker != NULL)
        taker->begin(taker->context);
    const bool records = taker != NULL && taker->make != NULL && t->cat->filter.terms.count == 0;
    if (records)
        follow_reader_set_record(r, taker->record_size, taker->make, taker->context);
    while (records && (more = follow_reader_next(r, &row, err)) == 1)
        taker->take_record(taker->context, row.record);
    while (!records && !must_end(t) && (more = follow_reader_next(r, &row, err)) == 1)
        if ((p == NULL || seqjoin_add(&p->late, &p->read, row.sequence)) &&
            selection_passes(&c->selection, row.values))
            print_row(t->cat, c, &row);
    cat_tell_without(follow_reader_without(r));
    follow_reader_free(r);
    return more < 0 ? -1 : 0;
}

/* Of a generation, by its names. Files that do not say whose their rows are were rewritten by
 * another engine: at first all of them are printed, without any; later they are of the generation
 * that was printed, or there is none. */
static struct progress *progress_of(struct table *t, const struct follow_stream *stream)
{
    if (!t->cat->follow)
        return NULL;
    if (stream->stream == NULL)
        return !t->first && t->progress.count == 1 ? t->progress.list : NULL;
    for (size_t i = 0; i < t->progress.count; i++)
        if (strcmp(t->progress.list[i].stream, stream->stream) == 0 &&
            strcmp(t->progress.list[i].created, stream->created) == 0)
            return &t->progress.list[i];
    struct progress *added = array_add(&t->progress);
    *added = (struct progress){.stream = text_copy(stream->stream),
                               .created = text_copy(stream->created)};
    return added;
}

/* Rows that a filter or statistics kept out, or another engine took out, were looked at, too. */
static void note_round(struct table *t)
{
    for (size_t i = 0; i < t->progress.count; i++) {
        struct progress *p = &t->progress.list[i];
        const struct delta_generation *g =
            delta_snapshot_generation(&t->snapshot, p->stream, p->created);
        if (g != NULL)
            seqjoin_add_all(&p->late, &p->read, &g->rows);
        seqjoin_finish(&p->late, &p->read);
    }
    t->first = false;
    t->sure = true;
}

/* All of what another engine has rewritten was in files of varve before: it is new only if we were
 * away for so long that these are gone. */
static bool is_passed_over(const struct table *t, const struct progress *p)
{
    if (t->first || p != NULL)
        return false;
    if (!t->sure)
        (void)fprintf(stderr, "varve: rows of several streams were rewritten and their log cleaned "
                              "up meanwhile; those that are new among them are not printed\n");
    return true;
}

/* The name of the file that stands for the columns of the table. These only ever become more, so it
 * is one of those that were written last. */
static const char *newest_columns(const struct follow_catalogue *catalogue,
                                  struct object_store *store)
{
    const char *newest = NULL;
    uint32_t most = 0;
    for (size_t i = 0; i < catalogue->streams.count; i++) {
        const struct follow_stream *stream = &catalogue->streams.list[i];
        if (stream->files.count == 0)
            continue;
        const char *name = stream->files.list[stream->files.count - 1].name;
        struct object_source source = {0};
        struct parquet_file file = {0};
        struct err ignored = {0}; /* whoever reads its rows says what is wrong with it */
        if (newest == NULL)
            newest = name;
        if (object_source_open(&source, store, name, &ignored) == 0 &&
            parquet_file_open(&file, &source.source, &ignored) == 0 && file.root->children > most) {
            newest = name;
            most = file.root->children;
        }
        parquet_file_close(&file);
        object_source_close(&source);
    }
    return newest;
}

/* Leave only files of which something may be printed. */
static int choose_files(struct table *t, struct follow_catalogue *catalogue, struct err *err)
{
    for (size_t i = 0; i < catalogue->streams.count && !must_end(t); i++) {
        struct follow_stream *stream = &catalogue->streams.list[i];
        const struct progress *p = progress_of(t, stream);
        if (is_passed_over(t, p))
            stream->files.count = 0;
        else if (skip_files(t, stream, p, err) != 0)
            return -1;
        else
            t->unnamed = t->unnamed || p == NULL;
    }
    return 0;
}

static int print_catalogue(struct table *t, struct follow_catalogue *catalogue, bool *flat,
                           struct err *err)
{
    struct columns columns = {0};
    const char *newest = newest_columns(catalogue, t->store); /* of all files, chosen or not */
    int result = choose_files(t, catalogue, err);
    if (result == 0 && newest != NULL)
        result = open_columns(t, &columns, newest, flat, err);
    for (size_t i = 0; result == 0 && *flat && newest != NULL && i < catalogue->streams.count;
         i++) {
        struct follow_stream *stream = &catalogue->streams.list[i];
        if (stream->files.count > 0)
            result = print_stream(t, &columns, stream, progress_of(t, stream), err);
    }
    close_columns(&columns);
    return result;
}

static int print_round(struct table *t, bool *flat, struct err *err)
{
    struct follow_catalogue catalogue = {0};
    *flat = true;
    if (t->cat->taker != NULL && t->cat->filter.terms.count == 0)
        t->cat->taker->expect(t->cat->taker->context, delta_snapshot_rows(&t->snapshot));
    int result = follow_catalogue_fill(&catalogue, &t->snapshot, err);
    if (result == 0)
        result = print_catalogue(t, &catalogue, flat, err);
    if (result == 0)
        note_round(t);
    follow_catalogue_free(&catalogue);
    return result;
}

/* How often to look for the next entry. */
#define FOLLOW_PERIOD (CLOCK_SECOND / 5)

/* Bring the snapshot up to date: *newer if it was behind. */
static int look(struct table *t, bool *newer, struct err *err)
{
    uint64_t version = t->snapshot.version;
    bool gap = false;
    int result = delta_snapshot_update(&t->snapshot, t->store, NULL, NULL, &gap, err);
    if (result == 0 && gap) { /* what we know is cleaned up */
        t->sure = false;
        result = delta_snapshot_load(&t->snapshot, t->store, err);
    }
    if (result == 0 && !t->snapshot.found)
        result = err_set(err, ERR_FORMAT, "its log is gone");
    *newer = result == 0 && t->snapshot.version != version;
    return result;
}

/* Until there is a newer version, or nobody wants one. */
static int wait_for_newer(struct table *t, struct err *err)
{
    bool newer = false;
    if (fflush(stdout) != 0)
        t->stopped = true;
    while (!newer && !must_end(t)) {
        struct net_wait reader = {.handle = STDOUT_FILENO}; /* tells its end */
        if (look(t, &newer, err) != 0)
            return -1;
        if (!newer)
            net_wait(&reader, 1, clock_monotonic() + FOLLOW_PERIOD);
        t->stopped = t->stopped || reader.ready != 0;
    }
    return 0;
}

/* Another engine, or varve itself, may have moved rows to other files while they were printed, and
 * the old ones may be gone: go on with the new ones. */
static int print_moved(struct table *t, bool *flat, struct err *err)
{
    struct err first = {0}, ignored = {0};
    bool newer = false;
    while (print_round(t, flat, &first) != 0) {
        if (t->unnamed || look(t, &newer, &ignored) != 0 || !newer) {
            *err = first;
            return -1;
        }
        err_clear(&first);
    }
    return 0;
}

static int follow(struct table *t, bool *flat, struct err *err)
{
    if (stop_install(err) != 0)
        return -1;
    (void)signal(SIGPIPE, SIG_DFL); /* as for any other reader of files */
    while (!must_end(t)) {
        if (print_moved(t, flat, err) != 0)
            return -1;
        if (!*flat)
            return err_set(err, ERR_UNSUPPORTED,
                           "--follow needs " FOLLOW_SEQUENCE " and columns of plain values");
        if (wait_for_newer(t, err) != 0)
            return -1;
    }
    return 0;
}

static void free_table(struct table *t)
{
    for (size_t i = 0; i < t->progress.count; i++) {
        free(t->progress.list[i].stream);
        free(t->progress.list[i].created);
        seqset_free(&t->progress.list[i].read);
        seqjoin_free(&t->progress.list[i].late);
    }
    array_free(&t->progress);
    delta_snapshot_free(&t->snapshot);
}

int cat_table(struct cat *cat, struct object_store *store, bool *flat, struct err *err)
{
    struct table t = {.cat = cat,
                      .store = store,
                      .first = true,
                      .snapshot = {.want_files = true, .want_varve = true}};
    *flat = true;
    int result = delta_snapshot_load(&t.snapshot, store, err);
    if (result == 0)
        result = cat->follow ? follow(&t, flat, err) : print_round(&t, flat, err);
    free_table(&t);
    return result;
}

int cat_plain(struct cat *cat, const char *path, bool *flat, struct err *err)
{
    struct file_list list = {0};
    struct follow_catalogue catalogue = {0};
    struct buf root = {0};
    struct table t = {.cat = cat, .first = true};
    const char *slash = strrchr(path, '/');
    int result = file_list_read(&list, path, err);
    cat_append_folder(&root, path);
    struct follow_stream *stream = array_add(&catalogue.streams);
    *stream = (struct follow_stream){0};
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.tree ? list.list[i].relative : slash == NULL ? path : slash + 1;
        if (!list.list[i].quarantine)
            *array_add(&stream->files) = (struct follow_file){.name = name, .last = UINT64_MAX};
    }
    struct object_config config = {.root = buf_text(&root), .entries = DELTA_LOG_FOLDER};
    if (result == 0 && (t.store = object_open(&config, err)) == NULL)
        result = -1;
    *flat = true;
    if (result == 0 && print_catalogue(&t, &catalogue, flat, err) != 0)
        result = err_prefix(err, "%s", config.root);
    object_store_close(t.store);
    follow_catalogue_free(&catalogue);
    file_list_free(&list);
    buf_free(&root);
    return result;
}
