/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_GAPS_H
#define VARVE_VERIFY_GAPS_H

#include "verify/report.h"
#include "verify/positions.h"
#include "verify/server.h"

/* Why no file has a sequence. */
enum gap_reason {
    GAP_UNKNOWN,     /* nobody knows: a finding */
    GAP_LOST,        /* it is in the stream, and for us: a finding */
    GAP_SETTLED,     /* the commits say that nothing for us is there */
    GAP_REMOVED,     /* the commits say that rows were there */
    GAP_EXPIRED,     /* retention has removed them */
    GAP_DEAD_LETTER, /* the commits say so */
    GAP_CARRIED, /* a former generation has it: the stream was set back, and is the same there */
    GAP_DELETED, /* the server says so */
    GAP_MARKER,  /* the server says so: it wrote the message itself */
    GAP_FOREIGN, /* the server says so: it is of another subject */
    GAP_REASONS,
};

/* Judges the sequences that no file of a tree has. */
struct gaps {
    struct report *report;
    const struct claims *claims;  /* empty: there is no log */
    struct verify_server *server; /* NULL: none is asked */
    bool allow_unknown;
    const struct seqset *carried; /* rows of former generations that are of this one, too */

    /* The generation at hand: */
    struct slice generation; /* as of claims_key */
    const struct claim *claim;
    enum gap_reason reason; /* of the open range */
    uint64_t first, last;   /* the open range: told when the next one does not continue it */
    bool open;
    bool behind; /* the last file: what is acknowledged there is settled, if nobody knows better */
    struct buf subject; /* of the first message of the open range, if it is FOREIGN */
    struct {
        uint64_t ranges, sequences;
    } counts[GAP_REASONS];
};

/* A generation of a stream; its key is borrowed until gaps_end. Returns the first sequence that has
 * to be accounted for, as the server knows it; 0: from the first row on. */
uint64_t gaps_begin(struct gaps *g, struct slice generation);

/* Its first..last are in no file. Ranges come in ascending order. */
void gaps_add(struct gaps *g, uint64_t first, uint64_t last);

/* Beyond `last` there is no file; what the commits count as settled there, and what the server
 * holds for acknowledged, is a gap as well. */
void gaps_end(struct gaps *g, uint64_t last);

void gaps_free(struct gaps *g);

#endif
