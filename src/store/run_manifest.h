/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RUN_MANIFEST_H
#define VARVE_STORE_RUN_MANIFEST_H

#include "base/arena.h"
#include "base/array.h"
#include "base/map.h"
#include "base/sha256.h"
#include "batch/seqset.h"
#include "delta/snapshot.h"
#include "parquet/read/file.h"
#include "store/runs.h"

/* What is written down of one run; between runs.c and those who check it. */
struct run_file {
    char *path; /* the name of the object */
    uint64_t bytes, rows;
    char sha256[SHA256_TEXT_MAX];
};

/* Its rows that came by one generation of a stream. */
struct run_stream {
    char *stream, *created;
    struct seqset sequences;
    struct seqjoin late; /* of these, while files are collected */
    struct seqset gaps;  /* between them, where nothing was ever stored of any run */
};

struct run_manifest {
    struct slice run; /* borrowed */
    uint64_t edition; /* from 1 on */
    int64_t closed;   /* when it was written, ns since 1970 */
    uint64_t content, rows, bytes;
    bool has_span;
    int64_t first, last; /* the times of its rows, as they say them, ns */
    struct map kinds;
    ARRAY(uint64_t) kind_rows; /* of each */
    ARRAY(struct run_file) files;
    ARRAY(struct run_stream) streams;
};

/* What the statistics of a file say of its rows. */
struct run_brief {
    struct slice run; /* that all of them are of; as long as the arena */
    int64_t came;     /* when the newest of them came, ns */
    bool may_end;     /* one of them may be of options->end_kind */
};

/* False if the statistics do not say of which run they are. */
bool run_of_file(const struct runs_options *options, struct arena *arena, struct slice stats,
                 struct run_brief *brief);

/* Whether a file, an object of this name, has a row of options->end_kind. */
int run_file_ends(const struct runs_options *options, struct object_store *store, const char *name,
                  bool *ends, struct err *err) __attribute__((warn_unused_result));

/* A number that stands for a file; their sum, modulo 2^64, for a set of files. */
uint64_t run_manifest_content(const struct delta_file *file);

/* Read what is needed of the table and of the run's files. */
int run_manifest_collect(struct run_manifest *m, struct object_store *store,
                         const struct runs_options *options, struct err *err)
    __attribute__((warn_unused_result));

/* Whether it has rows that the former edition had not. */
bool run_manifest_has_more(const struct run_manifest *m, const struct run_manifest *former);

int run_manifest_write(const struct run_manifest *m, struct object_store *store, struct err *err)
    __attribute__((warn_unused_result));

/* Append the list for `sha256sum -c`. */
void run_manifest_sums(const struct run_manifest *m, struct buf *out);

/* Read the edition of `run` that is there into an empty one, but for `closed` and the gaps; its
 * files have names that are valid. *found: there is one. ERR_FORMAT if it is damaged, or another
 * run's. `run` is borrowed. */
int run_manifest_read(struct run_manifest *m, struct object_store *store, struct slice run,
                      bool *found, struct err *err) __attribute__((warn_unused_result));
void run_manifest_free(struct run_manifest *m);

/* The names of its objects. */
void run_manifest_name(struct buf *out, struct slice run, const char *ending);

/* Count the rows of each kind in a file, and all of them. */
int run_file_kinds(const struct parquet_file *file, const char *kind, struct parquet_codec *codec,
                   struct run_manifest *m, uint64_t *rows, struct err *err)
    __attribute__((warn_unused_result));

#endif
