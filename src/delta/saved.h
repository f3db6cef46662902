/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_SAVED_H
#define VARVE_DELTA_SAVED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/sha256.h"
#include "batch/position.h"
#include "delta/snapshot.h"
#include "object/object.h"

/*
 * _delta_log/_varve/<instance>.json: what one instance knows of the log up to one version. No
 * engine looks at it or removes it. It is written after the entry of that version, so all that it
 * says is true whenever a crash comes, though there may be more. A start goes on from it rather
 * than from the beginning of the log.
 */
enum {
    /* Ranges above a position that the file has; of more, the lowest. The rest is found in the
     * files of the table, by a scan. About 1 MB of text. The same of what others have stored; of
     * more, nothing, and a start reads all of the log. So it is with a schema of megabytes. */
    DELTA_SAVED_RANGES_MAX = 1 << 16,
    DELTA_SAVED_BYTES_MAX = 64 * 1024 * 1024,
    /* It is written at least every so many versions: a start reads at most as many entries. Less
     * than from one checkpoint of ours to the next, which has nothing of messages in quarantine. */
    DELTA_SAVED_LAG = 64,
};

struct delta_saved {
    bool found;       /* there is one, of this table and of this history of it */
    bool partial;     /* it does not have all ranges */
    uint64_t version; /* of the entry up to which it has all that this instance says */
    struct positions positions;
    struct buf subjects; /* see delta_saved_write */
};

/* `table` is the table as it is. `out` is zeroed. ERR_FORMAT if the file is damaged. */
int delta_saved_read(struct delta_saved *out, struct object_store *store, const char *instance,
                     const struct delta_snapshot *table, struct err *err)
    __attribute__((warn_unused_result));
void delta_saved_free(struct delta_saved *saved);

/* Write it: `positions` include all that the entries of `instance` up to table->version say.
 * `subjects` is text of the caller's that comes back with them. */
int delta_saved_write(struct object_store *store, const char *instance,
                      const struct delta_snapshot *table, const struct positions *positions,
                      struct slice subjects, struct err *err) __attribute__((warn_unused_result));

/* Fill an empty snapshot (want_varve, without files) with what the file says, as if it were a
 * checkpoint of its version. *resumed is false, and the snapshot empty, if there is none that will
 * do. */
int delta_saved_resume(struct delta_snapshot *out, struct object_store *store, const char *instance,
                       bool *resumed, struct err *err) __attribute__((warn_unused_result));

/* For what is kept in the same way: the SHA-256 of an entry as text; *found: it is there. */
int delta_saved_hash_entry(struct object_store *store, uint64_t version, char out[SHA256_TEXT_MAX],
                           bool *found, struct err *err) __attribute__((warn_unused_result));

/*
 * Whether the log still has the entry that a file with these members "version" and "entry" was
 * written after (*there), or no entry that contradicts it (*same). Else somebody has gone back to
 * an older log, or has made a new one, and what the file calls stored need not be there.
 */
int delta_saved_history(const struct json *root, struct object_store *store, bool *there,
                        bool *same, struct err *err) __attribute__((warn_unused_result));

#endif
