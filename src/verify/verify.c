/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "follow/file_source.h"
#include "verify/report.h"
#include "verify/positions.h"
#include "verify/gaps.h"
#include "verify/log.h"
#include "verify/rows.h"
#include "verify/sequences.h"
#include "verify/server.h"
#include "verify/subjects.h"
#include "verify/tree.h"
#include "parquet/verify/verify.h"
#include "store/commit.h"
#include "batch/seqset.h"

struct verify {
    const struct verify_options *options;
    struct report report;
    struct parquet_codec *codec;
    struct seqset ranges; /* of the file at hand */
    struct buf text;
    bool failed; /* something could not be looked at */
};

/* Of one argument. */
struct tree {
    struct walk walk;
    bool table;                  /* it is a table: it has a log */
    bool part;                   /* it lies in a table: parts of its streams are elsewhere */
    struct verify_server server; /* only where one is asked */
    struct verified_file *files;
    const char **paths;
    struct claims claims; /* of its log */
    struct sequences sequences;
    struct map subjects; /* of the rows; only where a server is asked */
};

/* The ranges of the file at hand as text, to be freed. */
static char *ranges_text(struct verify *v)
{
    buf_reset(&v->text);
    seqset_write_text(&v->text, &v->ranges);
    return text_copy_slice(buf_slice(&v->text));
}

/* What only files of varve have: sequences, and a path that follows from the rows. */
static void verify_origin(struct verify *v, const struct parquet_source *source, size_t number,
                          struct tree *tree)
{
    struct parquet_file file;
    struct err err = {0};
    struct verified_file *facts = &tree->files[number];
    const struct walk_file *found = &tree->walk.list[number];
    if (parquet_file_open(&file, source, &err) != 0)
        return; /* told already */
    if (verify_rows_applies(&file)) {
        /* What was copied out of its table may lie in any folder. */
        char *path = tree->table || tree->part ? realpath(found->path, NULL) : NULL;
        facts->readable = verify_rows(&file, path, v->codec, &v->report, &v->ranges);
        free(path);
    }
    if (facts->readable) {
        if (v->ranges.count <= STORE_ADD_RANGES_MAX) /* more are not in the log either */
            facts->sequences = ranges_text(v);
        sequences_add(&tree->sequences, parquet_file_value(&file, "varve.stream"),
                      parquet_file_value(&file, "varve.stream_created"), (uint32_t)number,
                      found->quarantine, &v->ranges);
        if (v->options->server != NULL)
            verify_subjects(&file, v->codec, &tree->subjects);
    }
    parquet_file_close(&file);
}

static void verify_file(struct verify *v, struct tree *tree, size_t number)
{
    struct file_source source;
    struct err err = {0};
    struct walk_file *found = &tree->walk.list[number];
    struct verified_file *facts = &tree->files[number];
    struct parquet_verify file = {.codec = v->codec,
                                  .found = report_found_in_file,
                                  .progress = report_progress,
                                  .context = &v->report};
    *facts = (struct verified_file){.relative = found->relative, .quarantine = found->quarantine};
    report_begin(&v->report, found->path);
    if (file_source_open(&source, found->path, &err) != 0) {
        report_found(&v->report, "unreadable", "%s", err.text);
    } else {
        v->report.subject_size = facts->size = source.source.size;
        parquet_verify(&file, &source.source);
        facts->rows = file.rows;
        if (file.findings == 0)
            verify_origin(v, &source.source, number, tree);
        file_source_close(&source);
    }
    report_end(&v->report, &file);
}

static int by_relative(const void *a, const void *b)
{
    const struct verified_file *x = a, *y = b;
    return strcmp(x->relative, y->relative);
}

/* True if `path` lies in a table. */
static bool part_of_table(const char *path)
{
    char *root = realpath(path, NULL);
    bool part = false;
    while (root != NULL && !part && strrchr(root, '/') != NULL) {
        *strrchr(root, '/') = '\0';
        part = verify_log_exists(root);
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
    sequences_report(&tree->sequences, &v->report, tree->paths, &gaps);
    gaps_free(&gaps);
    if (err_is_set(&tree->server.failure))
        fail(v, &tree->server.failure);
}

static void verify_tree(struct verify *v, const char *path, struct tree *tree)
{
    report_begin(&v->report, path);
    if (tree->table || !tree->part)
        verify_sequences(v, tree);
    if (tree->table) {
        qsort(tree->files, tree->walk.count, sizeof(*tree->files), by_relative);
        verify_log(path, tree->files, tree->walk.count, &v->report);
    }
    report_end(&v->report, NULL);
}

/* In this order, so that a table may grow meanwhile: what the commits and the server say of what is
 * stored is older than the list of the files. */
static void look_around(struct verify *v, const char *path, struct tree *tree)
{
    struct err err = {0};
    tree->table = verify_log_exists(path);
    tree->part = part_of_table(path);
    claims_read(&tree->claims, path);
    if (v->options->server != NULL) {
        if (verify_server_open(&tree->server, v->options->server, &tree->subjects, &err) == 0)
            verify_server_note_acked(&tree->server, &tree->claims);
        else
            tree->server.failure = err;
    }
    err_clear(&err);
    if (walk_path(&tree->walk, path, &err) != 0)
        fail(v, &err);
}

static void verify_path(struct verify *v, const char *path)
{
    struct tree tree = {0};
    look_around(v, path, &tree);
    tree.files = calloc(tree.walk.count + 1, sizeof(*tree.files));
    tree.paths = calloc(tree.walk.count + 1, sizeof(*tree.paths));
    if (tree.files == NULL || tree.paths == NULL)
        out_of_memory((tree.walk.count + 1) * sizeof(*tree.files));
    for (size_t i = 0; i < tree.walk.count; i++) {
        tree.paths[i] = tree.walk.list[i].path;
        verify_file(v, &tree, i);
    }
    if (tree.walk.tree)
        verify_tree(v, path, &tree);
    for (size_t i = 0; i < tree.walk.count; i++)
        free(tree.files[i].sequences);
    free(tree.files);
    free(tree.paths);
    claims_free(&tree.claims);
    sequences_free(&tree.sequences);
    map_free(&tree.subjects);
    walk_free(&tree.walk);
    if (v->options->server != NULL)
        verify_server_close(&tree.server);
}

int verify_paths(const struct verify_options *options, char *const *paths, int count)
{
    struct verify v = {.options = options,
                       .report = {.json = options->json, .progress = options->progress},
                       .codec = parquet_codec_new()};
    for (int i = 0; i < count; i++)
        verify_path(&v, paths[i]);
    report_summary(&v.report);
    int result = v.failed || v.report.findings > 0;
    parquet_codec_free(v.codec);
    seqset_free(&v.ranges);
    buf_free(&v.text);
    report_free(&v.report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        struct err err = {0};
        (void)err_set(&err, ERR_SYSTEM, "can't write to the standard output");
        options->failed(&err);
        result = 1;
    }
    return result;
}
