/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_RUN_H
#define VARVE_VERIFY_RUN_H

#include <stdbool.h>

#include "base/err.h"
#include "parquet/codec.h"
#include "store/run_manifest.h"
#include "verify/report.h"
#include "verify/sequences.h"
#include "verify/table.h"
#include "verify/tree.h"

/*
 * What is written down of a run (store/runs.h) against the files that it names: in the store, or in
 * a copy of it, which need not have a log. A zeroed struct is empty.
 */
struct verify_run {
    struct object_store *store;
    struct run_manifest manifest;
    bool found; /* the manifest; else that was reported */
};

/* Read the manifest of `run`, which is borrowed, below the folder `root`, and list its files: the
 * numbers in `list` are those of the manifest. -1: the folder can't be read. */
int verify_run_open(struct verify_run *v, const char *root, const char *run, struct report *report,
                    struct file_list *list, struct err *err) __attribute__((warn_unused_result));

/* Behind a look at each of the files: report what is not as it is written down. `sequences`: of
 * these files; NULL: nobody knows whose they are. `table`: the log, or a zeroed one. */
void verify_run_judge(struct verify_run *v, const struct verified_file *files,
                      const struct sequences *sequences, const struct verify_table *table,
                      struct parquet_codec *codec, struct report *report);

void verify_run_close(struct verify_run *v);

#endif
