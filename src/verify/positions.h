/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_POSITIONS_H
#define VARVE_VERIFY_POSITIONS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/map.h"
#include "batch/seqset.h"
#include "verify/table.h"

/* What the commits say of sequences that no file has. Of one generation of a stream: */
struct claim {
    struct seqset settled;      /* in the store, or nothing for varve: by the positions */
    struct seqset rows;         /* that had one: all that is known, perhaps not all */
    struct seqset expired;      /* that had one until retention removed it */
    struct seqset dead_letters; /* confirmed by a dead letter stream */
    uint64_t start;             /* the first sequence that was wanted, 0: not known */
    uint64_t acked;             /* by verify_server_note_acked: up to here the server holds all for
                                   stored; 0: not known */
    char *consumer;             /* NULL: no position names the generation */
    bool newest;                /* of its stream */
};

/* A zeroed struct is empty. */
struct claims {
    struct map generations; /* by claims_key; its numbers are those of `list` */
    ARRAY(struct claim);
};

/* Append "<stream> created <created>", by which people and maps know a generation; and take it
 * apart: no stream has blanks in its name. */
void claims_key(struct buf *out, struct slice stream, struct slice created);
void claims_key_split(struct slice key, struct slice *stream, struct slice *created);

/* From a table: the positions of all instances, and all dead letters. Again, it adds what has come
 * since. */
void claims_read(struct claims *c, const struct verify_table *table);

/* The same for what has expired alone: it may go while the files are read. */
void claims_note_expired(struct claims *c, const struct verify_table *table);

/* The claim about a generation, or NULL. */
const struct claim *claims_find(const struct claims *c, struct slice key);

void claims_free(struct claims *c);

#endif
