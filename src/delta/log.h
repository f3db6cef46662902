/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_LOG_H
#define VARVE_DELTA_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "object/object.h"

/*
 * The objects of a Delta log, below _delta_log/ (Delta PROTOCOL.md, "Delta Log Entries",
 * "Checkpoints"). Entries are numbered from 0 in their names and are never changed. Those with
 * small numbers may be gone where some engine has made a checkpoint and cleaned up.
 */
#define DELTA_LOG_FOLDER "_delta_log/"

/* Where a table is the archive of another one: actions with the files that are about to come and to
 * go, though no entry says so yet. No instance has that name. */
#define DELTA_ANNOUNCED DELTA_LOG_FOLDER "_varve/%announced.json"

enum {
    /* A larger entry is not read. Ten thousand files make about 10 MB. */
    DELTA_ENTRY_MAX = 256 * 1024 * 1024,
    /* More parts of a checkpoint are not believed: each has at least some ten thousand actions. */
    DELTA_PARTS_MAX = 10000,
    /* Greater versions are not believed, so that a version more or less never overflows. */
    DELTA_VERSION_DIGITS = 20,
};

/* A checkpoint in the classic form. */
struct delta_checkpoint {
    bool found;
    uint64_t version;
    uint32_t parts; /* 0: one file without a number of parts */
};

/* What there is of a log. A zeroed struct is empty. */
struct delta_listing {
    ARRAY(uint64_t) entries;            /* their versions, ascending */
    struct delta_checkpoint checkpoint; /* the newest that is complete */
    bool
        has_other_checkpoint; /* one in another form than the classic one, which varve can't read */
};

/* List what has a version of at least `first`. `out` is filled anew. Between the newest entry and
 * the newest checkpoint, none is left out that was there when this was called, or came before one
 * that is listed. */
int delta_log_list(struct object_store *store, uint64_t first, struct delta_listing *out,
                   struct err *err) __attribute__((warn_unused_result));
/* The same from the newest checkpoint on: a good hint saves the listing of all that is older. */
int delta_log_list_newest(struct object_store *store, struct delta_listing *out, struct err *err)
    __attribute__((warn_unused_result));
void delta_listing_free(struct delta_listing *listing);

/* Append the name of an entry; of a checkpoint, where `part` counts from 1 if it has parts. */
void delta_entry_name(struct buf *out, uint64_t version);
void delta_checkpoint_name(struct buf *out, const struct delta_checkpoint *checkpoint,
                           uint32_t part);

/* The version of whatever in the log begins with one, by its name, and what stands behind the dot;
 * false if it has none. */
bool delta_log_version(struct slice name, uint64_t *version, struct slice *rest);

/* The version of an entry by its name: false if it is none. */
bool delta_entry_version(struct slice name, uint64_t *version);

/* Append all of an entry. ERR_LIMIT above DELTA_ENTRY_MAX bytes. */
int delta_entry_read(struct object_store *store, uint64_t version, struct buf *out, bool *found,
                     struct err *err) __attribute__((warn_unused_result));

/* Put the first line of an entry, without its newline, into `out`. ERR_LIMIT above DELTA_ENTRY_MAX
 * bytes. */
int delta_entry_first_line(struct object_store *store, uint64_t version, struct buf *out,
                           bool *found, struct err *err) __attribute__((warn_unused_result));

/* Put an entry unless that version is there already, which *taken says. */
int delta_entry_append(struct object_store *store, uint64_t version, struct slice text, bool *taken,
                       struct err *err) __attribute__((warn_unused_result));

/* The version that _last_checkpoint names, a hint that may be wrong. False: there is none. */
bool delta_checkpoint_hint(struct object_store *store, uint64_t *version);

/* Whether there is no checkpoint of the version that it names, nor a newer one: other engines do
 * not open such a table. What to say of it takes PRIu64. */
bool delta_hint_misleads(struct object_store *store, uint64_t *version);
#define DELTA_HINT_MISLEADS                                                                   \
    "_last_checkpoint names a checkpoint of version %" PRIu64 " that is not there, so other " \
    "engines can't open the table: remove the file _delta_log/_last_checkpoint"

#endif
