/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_SEQUENCES_H
#define VARVE_VERIFY_SEQUENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/map.h"
#include "batch/seqset.h"
#include "verify/report.h"
#include "verify/gaps.h"
#include "verify/table.h"

/* Which stream sequences are in which file. A list, sorted once: the files of a table interleave,
 * so adding to one sorted set would move half of it each time. */
struct sequence_range {
    uint64_t first, last;
    uint32_t stream; /* number of its generation of a stream */
    uint32_t file;   /* number of the file */
    bool quarantine;
};

struct sequences {
    ARRAY(struct sequence_range);
    struct map streams; /* generations, by claims_key */
};

/* The sequences of one file, as ranges that may touch, overlap and be in any order: sort, and join
 * what touches. The first sequence that is there twice goes to *twice, or 0. */
void sequences_normalize(struct seqset *ranges, uint64_t *twice);

/* Note the ranges of a file. Those of the quarantine close gaps, since the messages are there, but
 * are no duplicates of rows. */
void sequences_add(struct sequences *s, struct slice stream, struct slice created, uint32_t file,
                   bool quarantine, const struct seqset *ranges);

/* By stream, and then by the first sequence. */
void sequences_sort(struct sequences *s);

/* Report what is in more than one file of the table; and what is in none, from the first sequence
 * of each stream on, goes to `gaps`, where it is not NULL. `paths` are those of the files, `states`
 * what the log says of them (NULL: there is no log, and all of them count). */
void sequences_report(struct sequences *s, struct report *r, const char *const *paths,
                      const struct verified_file *states, struct gaps *gaps);

/* Behind sequences_report: note in `extra` of the files that do not count whether they have a
 * sequence that no other one has. */
void sequences_find_extra(const struct sequences *s, struct verified_file *files);

void sequences_free(struct sequences *s);

#endif
