/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RUN_MANIFEST_H
#define VARVE_STORE_RUN_MANIFEST_H

#include "base/arena.h"
#include "base/array.h"
#include "base/map.h"
#include "base/sha256.h"
#include "batch/seqset.h"
#include "delta/snapshot.h"
#include "store/runs.h"

/* What is written down of one run; for runs.c alone. */
struct run_file {
    char *path; /* the name of the object */
    uint64_t bytes, rows;
    char sha256[SHA256_TEXT_MAX];
};

/* Its rows that came by one generation of a stream. */
struct run_stream {
    char *stream, *created;
    struct seqset sequences;
    struct seqset gaps; /* between them, where nothing was ever stored of any run */
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

/* What an edition that is there says. */
struct run_former {
    bool found;
    uint64_t edition, content;
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
bool run_manifest_has_more(const struct run_manifest *m, const struct run_former *former);

int run_manifest_write(const struct run_manifest *m, struct object_store *store, struct err *err)
    __attribute__((warn_unused_result));
void run_manifest_free(struct run_manifest *m);

/* One that is damaged is none: it is written anew. */
int run_former_read(struct run_former *out, struct object_store *store, struct slice run,
                    struct err *err) __attribute__((warn_unused_result));
void run_former_free(struct run_former *former);

#endif
