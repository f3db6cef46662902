/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_REPORT_H
#define VARVE_VERIFY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "parquet/verify/verify.h"

/*
 * What `varve verify` found, on the standard output: a line a finding or a note, or with --json an
 * object a file (or a folder, for what concerns more than one file) and a summary. Notes say what
 * one may want to know of a tree that is right. On a terminal, progress on the standard error.
 */
struct report_kind {
    const char *kind;
    bool note;
    uint64_t told; /* of the path at hand, those included that were not printed */
};

struct report {
    bool json;
    bool progress;
    uint64_t findings, notes;
    uint64_t files, rows, bytes; /* that were looked at */
    int64_t next_progress;       /* when, clock_monotonic */
    bool line_shown;             /* a line of progress stands on the terminal */
    const char *subject;         /* the file or folder at hand */
    uint64_t subject_findings;
    uint64_t subject_size;
    ARRAY(struct report_kind) kinds; /* that the path at hand has */
    struct buf list;                 /* JSON of the findings about it */
    struct buf notes_list;           /* and of the notes */
};

enum {
    /* Findings of one kind that are told of one folder: a table can have a million gaps. */
    REPORT_EACH_MAX = 100,
    /* Lines of one kind that are printed of one path, so that the other kinds are seen, too: a
     * table can have as many as it has files or pages. */
    REPORT_LINES_MAX = 20,
};

/* Findings that follow are about this file or folder; `subject` is borrowed until report_end. */
void report_begin(struct report *r, const char *subject);

/* `kind` is a word such as "gap"; a literal. Without --json, more than REPORT_LINES_MAX of one are
 * only counted. */
void report_found(struct report *r, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void report_note(struct report *r, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As report_found or report_note, for a line that sums up what was not told one by one: it is
 * always printed. */
void report_total(struct report *r, const char *kind, bool note, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For parquet_verify: the context is the report. */
void report_found_in_file(void *context, const struct parquet_finding *finding);
void report_progress(void *context, uint64_t offset);

/* `file` are the figures of the file at hand; NULL for a folder, about which nothing is said where
 * nothing was found or noted. */
void report_end(struct report *r, const struct parquet_verify *file);

/* All of a path that the user named was looked at: say how many lines of each kind were left out.
 */
void report_end_path(struct report *r, const char *path);

/* The last line. `failed`: not all could be looked at. */
void report_summary(struct report *r, bool failed);
void report_free(struct report *r);

#endif
