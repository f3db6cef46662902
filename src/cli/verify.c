/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/file_source.h"
#include "cli/report.h"
#include "cli/verify_log.h"
#include "cli/verify_rows.h"
#include "cli/verify_sequences.h"
#include "cli/walk.h"
#include "parquet/verify.h"
#include "store/commit.h"
#include "store/position.h"

struct verify {
    struct report report;
    struct parquet_codec *codec;
    bool allow_gaps;
    struct seqset ranges; /* of the file at hand */
    struct buf text;
};

/* Of one argument. */
struct tree {
    struct walk walk;
    struct verified_file *files;
    const char **paths;
    struct sequences sequences;
};

/* The ranges of the file at hand as text, to be freed. */
static char *ranges_text(struct verify *v)
{
    buf_reset(&v->text);
    store_ranges_write(&v->text, &v->ranges);
    char *text = strdup(buf_text(&v->text));
    if (text == NULL)
        check_out_of_memory(v->text.len);
    return text;
}

/* What only files of varve have: sequences, and a path that follows from the rows. */
static void verify_origin(struct verify *v, const struct parquet_source *source, size_t number,
                          struct tree *tree)
{
    struct parquet_file file;
    struct err err = {0};
    struct verified_file *facts = &tree->files[number];
    const struct walk_file *found = &tree->walk.files[number];
    if (parquet_file_open(&file, source, &err) != 0)
        return; /* told already */
    if (verify_rows_applies(&file)) {
        char *path = realpath(found->path, NULL);
        facts->readable =
            verify_rows(&file, path != NULL ? path : found->path, v->codec, &v->report, &v->ranges);
        free(path);
    }
    if (facts->readable) {
        if (v->ranges.count <= STORE_ADD_RANGES_MAX) /* more are not in the log either */
            facts->sequences = ranges_text(v);
        sequences_add(&tree->sequences, parquet_file_value(&file, "varve.stream"),
                      parquet_file_value(&file, "varve.stream_created"), (uint32_t)number,
                      found->quarantine, &v->ranges);
    }
    parquet_file_close(&file);
}

static void verify_file(struct verify *v, struct tree *tree, size_t number)
{
    struct file_source source;
    struct err err = {0};
    struct walk_file *found = &tree->walk.files[number];
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

/* True if `path` is inside of a table, so that parts of its streams are elsewhere. */
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

static void verify_tree(struct verify *v, const char *path, struct tree *tree)
{
    bool table = verify_log_exists(path);
    report_begin(&v->report, path);
    if (table || !part_of_table(path)) {
        tree->sequences.ignore_gaps = v->allow_gaps;
        sequences_report(&tree->sequences, &v->report, tree->paths);
    }
    if (table) {
        qsort(tree->files, tree->walk.count, sizeof(*tree->files), by_relative);
        verify_log(path, tree->files, tree->walk.count, &v->report);
    }
    report_end(&v->report, NULL);
}

static int verify_path(struct verify *v, const char *path)
{
    struct tree tree = {0};
    struct err err = {0};
    int status = CLI_DONE;
    if (walk_path(&tree.walk, path, &err) != 0)
        status = cli_fail(&err);
    tree.files = calloc(tree.walk.count + 1, sizeof(*tree.files));
    tree.paths = calloc(tree.walk.count + 1, sizeof(*tree.paths));
    if (tree.files == NULL || tree.paths == NULL)
        check_out_of_memory((tree.walk.count + 1) * sizeof(*tree.files));
    for (size_t i = 0; i < tree.walk.count; i++) {
        tree.paths[i] = tree.walk.files[i].path;
        verify_file(v, &tree, i);
    }
    if (tree.walk.tree && status == CLI_DONE)
        verify_tree(v, path, &tree);
    for (size_t i = 0; i < tree.walk.count; i++)
        free(tree.files[i].sequences);
    free(tree.files);
    free(tree.paths);
    sequences_free(&tree.sequences);
    walk_free(&tree.walk);
    return status;
}

int cli_verify(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"allow-gaps", no_argument, NULL, 'g'}, {0}};
    struct verify v = {0};
    int option = 0, status = CLI_DONE;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'j')
            v.report.json = true;
        else if (option == 'g')
            v.allow_gaps = true;
        else
            return cli_usage("verify", "unknown option %s", argv[optind - 1]);
    }
    if (optind == argc)
        return cli_usage("verify", "no file or folder given");
    v.report.progress = isatty(STDERR_FILENO) == 1;
    v.codec = parquet_codec_new();
    for (int i = optind; i < argc; i++) {
        if (verify_path(&v, argv[i]) != CLI_DONE)
            status = CLI_FAILED;
    }
    report_summary(&v.report);
    if (v.report.findings > 0)
        status = CLI_FAILED;
    parquet_codec_free(v.codec);
    seqset_free(&v.ranges);
    buf_free(&v.text);
    report_free(&v.report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fputs("varve verify: can't write to the standard output\n", stderr);
        return CLI_FAILED;
    }
    return status;
}
