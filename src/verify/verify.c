/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "batch/seqset.h"
#include "follow/anew.h"
#include "follow/file_source.h"
#include "object/open.h"
#include "parquet/verify/verify.h"
#include "store/commit.h"
#include "verify/against.h"
#include "verify/gaps.h"
#include "verify/history.h"
#include "verify/others.h"
#include "verify/positions.h"
#include "verify/report.h"
#include "verify/rows.h"
#include "verify/run.h"
#include "verify/sequences.h"
#include "verify/server.h"
#include "verify/tree.h"

struct verify {
    const struct verify_options *options;
    struct report report;
    struct parquet_verify file; /* at hand */
    struct parquet_rows *rows;  /* memory, for verify_rows */
    struct seqset ranges;       /* of the file at hand */
    struct buf text;
    bool reads_all; /* nothing in a bucket is taken on trust */
    bool failed;    /* something could not be looked at */
};

/* Of one argument. */
struct tree {
    struct file_list list;
    bool is_table;               /* it has a log */
    bool is_part;                /* it lies in a table: parts of its streams are elsewhere */
    char *real_root;             /* of a folder */
    struct verify_table table;   /* what the log says */
    struct verify_server server; /* only where one is asked */
    struct verified_file *files;
    const char **paths;
    struct claims claims; /* of the log */
    struct sequences sequences;
    struct map subjects; /* of the rows; only where a server is asked */
    uint64_t vouched;    /* files that were not read: see is_vouched_for */
    uint64_t shared;     /* files of another engine, of which nobody knows whose rows they have */
};

/* The ranges of the file at hand as text, to be freed. */
static char *ranges_text(struct verify *v)
{
    buf_reset(&v->text);
    seqset_write_text(&v->text, &v->ranges);
    return text_copy_slice(buf_slice(&v->text));
}

/* Another engine wrote the file, out of files of ours, and dropped what these said of themselves.
 * Of a table of one stream it is clear whose rows they are. */
static void add_foreign(struct verify *v, size_t number, struct tree *tree)
{
    uint32_t generations = tree->claims.generations.count;
    if (generations == 1)
        verify_others_cut(&tree->table, tree->list.list[number].relative, &v->ranges);
    tree->files[number].shared = generations > 1;
    tree->shared += generations > 1;
    for (uint32_t i = 0; i < generations; i++) {
        struct slice stream, created;
        claims_key_split(map_key(&tree->claims.generations, i), &stream, &created);
        sequences_add(&tree->sequences, stream, created, (uint32_t)number, generations > 1,
                      &v->ranges);
    }
}

/* Where the file is, whatever the argument was; to be freed. No folder below it is a link. */
static char *real_path(const struct tree *tree, const struct listed_file *found)
{
    struct buf path = {0};
    if (object_is_url(found->path))
        return text_copy(found->path);
    if (tree->real_root == NULL)
        return realpath(found->path, NULL);
    buf_printf(&path, "%s/%s", tree->real_root, found->relative);
    char *result = text_copy(buf_text(&path));
    buf_free(&path);
    return result;
}

/* The sequences of the rows, and the path that follows from them. */
static void verify_origin(struct verify *v, size_t number, struct tree *tree)
{
    const struct parquet_file *file = v->file.file;
    struct verified_file *facts = &tree->files[number];
    const struct listed_file *found = &tree->list.list[number];
    bool ours = verify_rows_applies(file);
    if (ours || (tree->is_table && verify_rows_are_numbered(file))) {
        /* What was copied out of its table may lie in any folder. */
        bool placed = ours && (tree->is_table || tree->is_part);
        char *path = placed ? real_path(tree, found) : NULL;
        bool shared = !ours && tree->claims.generations.count > 1;
        facts->readable =
            verify_rows(file, path, shared, v->file.codec, &v->rows, &v->report, &v->ranges);
        free(path);
    }
    if (facts->readable) {
        if (v->ranges.count <= DELTA_ADD_RANGES_MAX) /* more are not in the log either */
            facts->sequences = ranges_text(v);
        if (ours)
            sequences_add(&tree->sequences, parquet_file_value(file, "varve.stream"),
                          parquet_file_value(file, "varve.stream_created"), (uint32_t)number,
                          found->quarantine, &v->ranges);
        else
            add_foreign(v, number, tree);
        if (v->options->server != NULL)
            verify_subjects(file, v->file.codec, &tree->subjects);
    }
}

/* A store in a bucket is open already. */
static int open_source(struct tree *tree, const struct listed_file *found, struct file_source *file,
                       struct object_source *object, struct err *err)
{
    *object = (struct object_source){0};
    if (tree->table.store == NULL || !object_is_url(found->path))
        return file_source_open(file, found->path, err);
    *file = (struct file_source){.fd = -1};
    int result = object_source_open(object, tree->table.store, found->relative, err);
    file->source = object->source;
    return result;
}

/* What the log says of a file stands for it where the store has the same SHA-256: the bytes are
 * those that were committed. False: it has to be read, which says what is wrong, if anything is. */
static bool is_vouched_for(struct verify *v, struct tree *tree, size_t number)
{
    struct verified_file *facts = &tree->files[number];
    const struct delta_file *logged = verify_table_live(&tree->table, facts->relative);
    struct object_info info = {0};
    struct err ignored = {0};
    uint64_t rows;
    bool found;
    if (logged == NULL || logged->vector != 0 || !delta_file_rows(logged, &rows))
        return false;
    struct slice stream = delta_map_get(&logged->tags, "varve.stream");
    struct slice created = delta_map_get(&logged->tags, "varve.created");
    struct slice hash = delta_map_get(&logged->tags, "varve.sha256");
    struct slice sequences = delta_map_get(&logged->tags, "varve.sequences");
    seqset_reset(&v->ranges);
    if (stream.data == NULL || created.data == NULL || hash.data == NULL ||
        sequences.data == NULL || !seqset_parse_text(&v->ranges, sequences) ||
        object_head(tree->table.store, facts->relative, &info, &found, &ignored) != 0 || !found ||
        info.size != logged->size || !slice_is(hash, info.sha256))
        return false;
    facts->size = v->report.subject_size = info.size;
    facts->rows = v->file.rows = rows;
    facts->readable = true;
    facts->sequences = text_copy_slice(sequences);
    memcpy(facts->sha256, info.sha256, sizeof(facts->sha256));
    sequences_add(&tree->sequences, stream, created, (uint32_t)number, false, &v->ranges);
    return true;
}

static void verify_file(struct verify *v, struct tree *tree, size_t number)
{
    struct file_source source;
    struct object_source object;
    struct err err = {0};
    struct listed_file *found = &tree->list.list[number];
    struct verified_file *facts = &tree->files[number];
    *facts = (struct verified_file){.relative = found->relative, .quarantine = found->quarantine};
    report_begin(&v->report, found->path);
    parquet_verify_none(&v->file); /* it may not be there */
    if (!v->reads_all && tree->table.store != NULL && object_is_url(found->path) &&
        is_vouched_for(v, tree, number)) {
        tree->vouched++;
        report_end(&v->report, &v->file);
        return;
    }
    bool opened = open_source(tree, found, &source, &object, &err) == 0;
    facts->gone =
        !opened && err.system == ENOENT && (tree->table.store != NULL || v->options->run != NULL);
    if (!opened && !facts->gone) {
        report_found(&v->report, "unreadable", "%s", err.text);
    } else if (opened) {
        v->report.subject_size = facts->size = source.source.size;
        parquet_verify(&v->file, &source.source);
        facts->rows = v->file.rows;
        if (v->file.findings == 0)
            verify_origin(v, number, tree);
        if (!file_source_hash(&source, facts->sha256))
            facts->sha256[0] = '\0';
        object_source_close(&object);
        file_source_close(&source);
    }
    report_end(&v->report, &v->file);
}

/* True if `path` lies in a table. */
static bool part_of_table(const char *path)
{
    char *root = realpath(path, NULL);
    bool part = false;
    while (root != NULL && !part && strrchr(root, '/') != NULL) {
        *strrchr(root, '/') = '\0';
        part = verify_table_exists(root);
    }
    free(root);
    return part;
}

static void fail(struct verify *v, const struct err *err)
{
    v->options->failed(err);
    v->failed = true;
}

/* The sequences of all files together, with what the log and the server say of those that no file
 * has. */
static void verify_sequences(struct verify *v, struct tree *tree)
{
    bool asked = v->options->server != NULL && !err_is_set(&tree->server.failure);
    struct gaps gaps = {.report = &v->report,
                        .claims = &tree->claims,
                        .server = asked ? &tree->server : NULL,
                        .allow_unknown = v->options->allow_gaps};
    sequences_report(&tree->sequences, &v->report, tree->paths, tree->is_table ? tree->files : NULL,
                     &gaps);
    gaps_free(&gaps);
    if (tree->shared > 0)
        report_note(&v->report, "shared",
                    "%" PRIu64
                    " files were written by another engine from more than one stream, or from a "
                    "stream that was created again: their rows can't be told apart any more",
                    tree->shared);
    if (err_is_set(&tree->server.failure))
        fail(v, &tree->server.failure);
}

/* Files that the log does not count: those that it replaced are fine, whether or not it still names
 * them. */
static void verify_others(struct verify *v, struct tree *tree)
{
    uint64_t replaced = 0, unknown = 0, anew = 0;
    sequences_find_extra(&tree->sequences, tree->files);
    for (size_t i = 0; i < tree->list.count; i++) {
        const struct verified_file *file = &tree->files[i];
        if (file->gone)
            continue;
        bool cleaned = tree->table.snapshot.has_base && file->readable && !file->extra;
        replaced += file->state == VERIFY_REPLACED || (file->state == VERIFY_UNKNOWN && cleaned);
        if (file->state != VERIFY_UNKNOWN || cleaned)
            continue;
        if (slice_starts_with(slice_of(file->relative), FOLLOW_ANEW_FOLDER))
            anew++;
        else if (unknown++ < REPORT_EACH_MAX)
            report_found(&v->report, "log", "%s is not in the log", file->relative);
    }
    if (unknown > REPORT_EACH_MAX)
        report_total(&v->report, "log", false, "%" PRIu64 " more files are not in the log",
                     unknown - REPORT_EACH_MAX);
    if (anew > 0)
        report_note(&v->report, "anew",
                    "%" PRIu64 " %s of a table that is made anew, or was: in a day it is done, or "
                    "the follower removes what is left",
                    anew, anew == 1 ? "file is" : "files are");
    if (replaced > 0)
        report_note(&v->report, "replaced",
                    "%" PRIu64 " %s replaced and not removed yet (VACUUM does that): readers that "
                    "ignore the log find rows twice",
                    replaced, replaced == 1 ? "file was" : "files were");
}

static void read_history(struct tree *tree)
{
    history_read(&tree->table);
    claims_read(&tree->claims, &tree->table);
}

static void verify_tree(struct verify *v, const char *path, struct tree *tree)
{
    report_begin(&v->report, path);
    if (tree->is_table) {
        if (!tree->table.history &&
            history_explains(&tree->table, &tree->sequences, tree->files, &tree->claims))
            read_history(tree);
        verify_table_judge(&tree->table, tree->files, tree->list.count);
        claims_note_expired(&tree->claims, &tree->table);
    }
    if (tree->is_table || !tree->is_part)
        verify_sequences(v, tree);
    if (tree->vouched > 0)
        report_note(&v->report, "not read",
                    "the store has the SHA-256 that was committed for %" PRIu64
                    " %s, so not read: --deep reads every byte",
                    tree->vouched, tree->vouched == 1 ? "file" : "files");
    if (tree->table.store != NULL)
        verify_others(v, tree);
    report_end(&v->report, NULL);
}

/* In this order, so that a table may grow meanwhile: the server is asked before the log is read for
 * good, and the log is read before the files are listed. */
static void look_around(struct verify *v, const char *path, struct tree *tree)
{
    struct err err = {0};
    tree->is_table = verify_table_exists(path);
    tree->is_part = part_of_table(path);
    report_begin(&v->report, path);
    if (tree->is_table)
        verify_table_open(&tree->table, path, &v->report);
    if (v->options->server != NULL || v->options->deep)
        history_read(&tree->table);
    claims_read(&tree->claims, &tree->table);
    if (v->options->server != NULL) {
        if (verify_server_open(&tree->server, v->options->server, &tree->subjects, &err) == 0)
            verify_server_note_acked(&tree->server, &tree->claims);
        else
            tree->server.failure = err;
        verify_table_update(&tree->table);
        claims_read(&tree->claims, &tree->table);
    }
    report_end(&v->report, NULL);
    err_clear(&err);
    if (file_list_read(&tree->list, path, &err) != 0)
        fail(v, &err);
    if (!history_is_needed(&tree->table, &tree->list))
        return;
    report_begin(&v->report, path);
    read_history(tree);
    report_end(&v->report, NULL);
}

/* The files of one run. */
static void look_for_run(struct verify *v, const char *path, struct tree *tree,
                         struct verify_run *run)
{
    struct err err = {0};
    report_begin(&v->report, path);
    tree->is_table = verify_table_exists(path);
    if (tree->is_table)
        verify_table_open(&tree->table, path, &v->report);
    claims_read(&tree->claims, &tree->table);
    if (verify_run_open(run, path, v->options->run, &v->report, &tree->list, &err) != 0)
        fail(v, &err);
    if (history_is_needed(&tree->table, &tree->list))
        read_history(tree);
    report_end(&v->report, NULL);
}

static void verify_run(struct verify *v, const char *path, struct tree *tree,
                       struct verify_run *run)
{
    report_begin(&v->report, path);
    sequences_report(&tree->sequences, &v->report, tree->paths, NULL, NULL);
    verify_run_judge(run, tree->files, tree->shared == 0 ? &tree->sequences : NULL, &tree->table,
                     v->file.codec, &v->report);
    report_end(&v->report, NULL);
    verify_run_close(run);
}

static void verify_path(struct verify *v, const char *path)
{
    struct tree tree = {0};
    struct verify_run run = {0};
    struct err err = {0};
    if (v->options->run != NULL)
        look_for_run(v, path, &tree, &run);
    else
        look_around(v, path, &tree);
    tree.files = calloc(tree.list.count + 1, sizeof(*tree.files));
    tree.paths = calloc(tree.list.count + 1, sizeof(*tree.paths));
    if (tree.files == NULL || tree.paths == NULL)
        out_of_memory((tree.list.count + 1) * sizeof(*tree.files));
    if (tree.list.tree && !object_is_url(path))
        tree.real_root = realpath(path, NULL);
    for (size_t i = 0; i < tree.list.count; i++) {
        tree.paths[i] = tree.list.list[i].path;
        verify_file(v, &tree, i);
    }
    if (v->options->run != NULL)
        verify_run(v, path, &tree, &run);
    else if (tree.list.tree)
        verify_tree(v, path, &tree);
    if (v->options->against != NULL && !v->failed &&
        verify_against(path, v->options->against, &v->report, &err) != 0)
        fail(v, &err);
    report_end_path(&v->report, path);
    for (size_t i = 0; i < tree.list.count; i++)
        free(tree.files[i].sequences);
    free(tree.files);
    free(tree.paths);
    free(tree.real_root);
    verify_table_close(&tree.table);
    claims_free(&tree.claims);
    sequences_free(&tree.sequences);
    map_free(&tree.subjects);
    file_list_free(&tree.list);
    if (v->options->server != NULL)
        verify_server_close(&tree.server);
}

int verify_paths(const struct verify_options *options, char *const *paths, int count)
{
    struct verify v = {.options = options,
                       .reads_all =
                           options->deep || options->server != NULL || options->run != NULL,
                       .report = {.json = options->json, .progress = options->progress},
                       .file = {.codec = parquet_codec_new(NULL),
                                .found = report_found_in_file,
                                .progress = report_progress,
                                .context = &v.report}};
    for (int i = 0; i < count; i++)
        verify_path(&v, paths[i]);
    report_summary(&v.report, v.failed);
    int result = v.failed || v.report.findings > 0;
    parquet_verify_free(&v.file);
    parquet_rows_free(v.rows);
    parquet_codec_free(v.file.codec);
    seqset_free(&v.ranges);
    buf_free(&v.text);
    report_free(&v.report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        struct err err = {0};
        (void)err_set(&err, ERR_SYSTEM, "can't write to standard output");
        options->failed(&err);
        result = 1;
    }
    return result;
}
