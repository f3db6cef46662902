/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/text.h"
#include "cli/file_source.h"
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
    struct report report;
    struct parquet_codec *codec;
    bool allow_gaps;
    char *server;         /* NULL: none is asked */
    struct seqset ranges; /* of the file at hand */
    struct buf text;
};

/* Of one argument. */
struct tree {
    struct walk walk;
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
        if (v->server != NULL)
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

/* The sequences of all files together, with what the log and the server say of those that no file
 * has. */
static int verify_tree_sequences(struct verify *v, struct tree *tree)
{
    struct verify_server server = {0};
    struct err err = {0};
    struct gaps gaps = {.report = &v->report,
                        .claims = &tree->claims,
                        .server = v->server != NULL ? &server : NULL,
                        .allow_unknown = v->allow_gaps};
    if (v->server != NULL && verify_server_open(&server, v->server, &tree->subjects, &err) != 0)
        gaps.server = NULL;
    sequences_report(&tree->sequences, &v->report, tree->paths, &gaps);
    if (err_is_set(&server.failure))
        err = server.failure;
    verify_server_close(&server);
    gaps_free(&gaps);
    return err_is_set(&err) ? cli_fail(&err) : CLI_DONE;
}

static int verify_tree(struct verify *v, const char *path, struct tree *tree)
{
    bool table = verify_log_exists(path);
    int status = CLI_DONE;
    report_begin(&v->report, path);
    if (table || !part_of_table(path))
        status = verify_tree_sequences(v, tree);
    if (table) {
        qsort(tree->files, tree->walk.count, sizeof(*tree->files), by_relative);
        verify_log(path, tree->files, tree->walk.count, &v->report);
    }
    report_end(&v->report, NULL);
    return status;
}

static int verify_path(struct verify *v, const char *path)
{
    struct tree tree = {0};
    struct err err = {0};
    int status = CLI_DONE;
    claims_read(&tree.claims, path);
    if (walk_path(&tree.walk, path, &err) != 0)
        status = cli_fail(&err);
    tree.files = calloc(tree.walk.count + 1, sizeof(*tree.files));
    tree.paths = calloc(tree.walk.count + 1, sizeof(*tree.paths));
    if (tree.files == NULL || tree.paths == NULL)
        out_of_memory((tree.walk.count + 1) * sizeof(*tree.files));
    for (size_t i = 0; i < tree.walk.count; i++) {
        tree.paths[i] = tree.walk.list[i].path;
        verify_file(v, &tree, i);
    }
    if (tree.walk.tree && status == CLI_DONE)
        status = verify_tree(v, path, &tree);
    for (size_t i = 0; i < tree.walk.count; i++)
        free(tree.files[i].sequences);
    free(tree.files);
    free(tree.paths);
    claims_free(&tree.claims);
    sequences_free(&tree.sequences);
    map_free(&tree.subjects);
    walk_free(&tree.walk);
    return status;
}

/* Everybody on the host can see the arguments of a process: what is secret in a URL is kept here,
 * and overwritten there. */
static char *take_url(char *argument)
{
    char *copy = text_copy(argument);
    char *end = strrchr(argument, '@');
    if (end != NULL)
        memset(argument, '*', (size_t)(end - argument));
    return copy;
}

/* Read the options; the paths begin at optind. */
static int parse(struct verify *v, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"allow-gaps", no_argument, NULL, 'g'},
                                            {"server", required_argument, NULL, 's'},
                                            {0}};
    int option = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'j')
            v->report.json = true;
        else if (option == 'g')
            v->allow_gaps = true;
        else if (option == 's' && v->server == NULL)
            v->server = take_url(optarg);
        else if (option == 's')
            return cli_usage("verify", "--server is given twice");
        else if (option == ':')
            return cli_usage("verify", "%s needs a value", argv[optind - 1]);
        else
            return cli_usage("verify", "unknown option %s", argv[optind - 1]);
    }
    if (optind == argc)
        return cli_usage("verify", "no file or folder given");
    return CLI_DONE;
}

static int verify_paths(struct verify *v, char **paths, int count)
{
    int status = CLI_DONE;
    v->report.progress = isatty(STDERR_FILENO) == 1;
    v->codec = parquet_codec_new();
    for (int i = 0; i < count; i++) {
        if (verify_path(v, paths[i]) != CLI_DONE)
            status = CLI_FAILED;
    }
    report_summary(&v->report);
    if (v->report.findings > 0)
        status = CLI_FAILED;
    parquet_codec_free(v->codec);
    seqset_free(&v->ranges);
    buf_free(&v->text);
    report_free(&v->report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fputs("varve verify: can't write to the standard output\n", stderr);
        return CLI_FAILED;
    }
    return status;
}

int cli_verify(int argc, char **argv)
{
    struct verify v = {0};
    int status = parse(&v, argc, argv);
    if (status == CLI_DONE)
        status = verify_paths(&v, argv + optind, argc - optind);
    free(v.server);
    return status;
}
