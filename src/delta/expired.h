/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_EXPIRED_H
#define VARVE_DELTA_EXPIRED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/err.h"
#include "delta/snapshot.h"
#include "object/object.h"

/*
 * _delta_log/_varve/%expired.json: what retention has taken out of a table. No instance has that
 * name, and no engine looks at it or removes it.
 *
 * The sequences of rows that are gone still count as stored: a consumer that begins anew must not
 * fetch them again. The tags of their files go with the files, from the log with the next
 * checkpoint; so they are written down here, before the commit that removes them: until it comes
 * they are stored, and afterwards they were.
 *
 * It also names the files of the last such commit, which is entry `version` + 1 or never came,
 * until all of them are removed.
 */
enum {
    /* Ranges of all generations. Where there are more, what lies between the oldest ones counts as
     * expired, too: messages of other subjects, or deleted ones, that are as old. */
    DELTA_EXPIRED_RANGES_MAX = 1 << 16,
    DELTA_EXPIRED_BYTES_MAX = 64 * 1024 * 1024,
    DELTA_EXPIRED_ID = 17, /* 16 hexadecimal digits and the NUL */
    /* Files of one commit: each takes some 200 bytes of the text and four values of its JSON. */
    DELTA_EXPIRED_FILES_MAX = 1 << 12,
};

struct delta_expired_file {
    char *path; /* as in the log */
    uint64_t size;
    int64_t modified; /* ns, of the object: what has its name later on is another one */
};

struct delta_expired_rows {
    char *stream, *created;
    struct seqset rows;
};

/* A zeroed struct is empty. */
struct delta_expired {
    bool found;                /* there is one, of this table and of this history of it */
    uint64_t version;          /* of the newest entry when it was written */
    char id[DELTA_EXPIRED_ID]; /* what the commit of `files` has in commitInfo.varve.expiry */
    ARRAY(struct delta_expired_rows) rows;
    ARRAY(struct delta_expired_file) files;
};

/* `table`: the id of its metaData and its newest version count. `out` is zeroed. ERR_FORMAT if the
 * file is damaged. */
int delta_expired_read(struct delta_expired *out, struct object_store *store,
                       const struct delta_snapshot *table, struct err *err)
    __attribute__((warn_unused_result));

/* These rows of a generation as well. */
void delta_expired_add(struct delta_expired *expired, const char *stream, const char *created,
                       const struct seqset *rows);

/* Write it, for the table as it is: `version` becomes its newest one. */
int delta_expired_write(struct delta_expired *expired, struct object_store *store,
                        const struct delta_snapshot *table, struct err *err)
    __attribute__((warn_unused_result));

/* Append the entry that removes `files`, which are live, from the table. */
void delta_expired_entry(struct buf *out, const struct delta_expired *expired,
                         const struct delta_snapshot *table, const char *engine, int64_t wall_time);

/*
 * Whether the commit of expired->files came, by entry `version` + 1. One that the log has no more
 * is taken for it: files that are in no later version were wanted by nobody for as long as entries
 * are kept.
 */
int delta_expired_find(const struct delta_expired *expired, struct object_store *store,
                       const struct delta_snapshot *table, bool *committed, struct err *err)
    __attribute__((warn_unused_result));

void delta_expired_forget_files(struct delta_expired *expired);
void delta_expired_free(struct delta_expired *expired);

/* Add what has expired to a snapshot that was loaded from the log alone (want_varve). */
int delta_expired_apply(struct delta_snapshot *snapshot, struct object_store *store,
                        struct err *err) __attribute__((warn_unused_result));

#endif
