/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_SNAPSHOT_H
#define VARVE_DELTA_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "batch/position.h"
#include "delta/action.h"
#include "delta/foreign.h"
#include "delta/log.h"

/*
 * What a log says that its table is at one version: a replay of the newest checkpoint and of the
 * entries behind it (Delta PROTOCOL.md, "Action Reconciliation"). Memory is in proportion to the
 * files that are live, where these are wanted, however many entries and removed files there are.
 */

/* What delta_snapshot.keep makes of a file. */
struct delta_mark {
    int64_t value;
    bool exact;     /* else the value is at least this */
    uint32_t group; /* of the caller's */
};

/* A live file. All is owned by the snapshot, valid until it changes. */
struct delta_file {
    struct slice path; /* as in the log: URI-encoded */
    uint64_t size;
    int64_t modification_time; /* ms since 1970 */
    struct slice stats;        /* JSON as text; NULL: none */
    struct delta_map tags;
    uint64_t vector;        /* see delta_vector */
    bool data_change;       /* who added it says that its rows are new; or see delta_foreign */
    struct delta_mark mark; /* by delta_snapshot.keep, else zeroed */
};

/* What of a live file is kept; BRIEF: no statistics and no tags. */
enum delta_keep { DELTA_KEEP_NOTHING, DELTA_KEEP_BRIEF, DELTA_KEEP_ALL };

/* *mark becomes that of the file. */
typedef enum delta_keep delta_keep(void *context, const struct delta_add *add,
                                   struct delta_mark *mark);

/* Of files of which only paths, sizes and times are needed: always BRIEF. */
delta_keep delta_keep_brief;

/* A file that the log remembers to have removed; it may be there again. */
typedef void delta_gone(void *context, const struct delta_remove *remove);

/* The newest transaction of one application. */
struct delta_app {
    int64_t version;
    int64_t last_updated; /* ms since 1970; 0: not stated */
    uint32_t generation;  /* whose position it is: its number, counted from 1; 0: of none */
};

/* What one instance of varve says in its entries of how far it has come. */
struct delta_instance {
    char *name;
    struct positions positions;
    uint64_t entries; /* of this instance that were read */
};

/* What the commits of any varve say of one generation of a stream. */
struct delta_generation {
    char *stream, *created;
    struct seqset rows; /* sequences that have or had a row, or are dead letters: none that have
                           not, but perhaps not all */
    struct seqset dead_letters;
    struct seqset expired;                       /* of `rows`: those that retention has removed */
    struct seqjoin late_rows, late_dead_letters; /* what delta_snapshot_complete puts there */
    uint64_t through; /* the newest of all instances' positions that the log has; 0: it has none */
};

/* A file that an entry of varve put beside the table. */
struct delta_beside {
    char *path;   /* as in the log */
    char *sha256; /* of its bytes, as text; NULL: not stated */
    uint64_t size, rows;
};

/* Zeroed and with `want_...` set as needed it is empty. */
struct delta_snapshot {
    bool want_files;  /* keep the live files */
    bool want_varve;  /* keep what the commits of varve say */
    delta_keep *keep; /* of live files; NULL: all */
    void *keep_context;
    struct account *account; /* the live files are booked to it; NULL: none */
    delta_gone *gone;        /* is told of files that were removed; NULL: nobody is */
    void *gone_context;
    bool found;       /* there is a table */
    uint64_t version; /* of the newest entry, or of the checkpoint where there is none behind it */
    uint64_t base;    /* of the checkpoint that the replay began with */
    bool has_base;
    bool anew; /* an entry behind that says so (entry.h): what is before it is of another table */

    struct delta_protocol protocol;
    struct delta_metadata metadata;
    struct buf protocol_text, metadata_text; /* what these two point into, with the arenas */
    struct arena protocol_arena, metadata_arena;

    struct map app_ids; /* its numbers are those of `apps` */
    ARRAY(struct delta_app) apps;

    struct delta_foreign foreign;     /* with want_files and want_varve */
    struct map paths;                 /* delta_path_key; its numbers are those of `files` */
    ARRAY(struct delta_file *) files; /* NULL: removed */
    size_t removed;                   /* of these */

    struct map names;       /* of instances */
    struct map generations; /* "<stream> created <created>" */
    ARRAY(struct delta_instance) instances;
    ARRAY(struct delta_generation) generation_list;
    ARRAY(struct delta_beside) beside;
};

/*
 * Read the newest state of the log in `store` into an empty snapshot; found is false if there is no
 * log. ERR_FORMAT for a log that is damaged or has holes, ERR_UNSUPPORTED where its beginning is in
 * a checkpoint that varve can't read.
 */
int delta_snapshot_load(struct delta_snapshot *s, struct object_store *store, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Bring a snapshot up to date. *gap says that the newest entry that it knows is gone, and with it
 * perhaps others behind it: the snapshot is as it was, and has to be loaded anew. `visit` (or NULL)
 * sees each action of the new entries before it counts, and refuses by not returning 0.
 */
typedef int delta_entry_visit(void *context, uint64_t version, const struct delta_action *action,
                              struct err *err);
int delta_snapshot_update(struct delta_snapshot *s, struct object_store *store,
                          delta_entry_visit *visit, void *context, bool *gap, struct err *err)
    __attribute__((warn_unused_result));

/* As delta_snapshot_load; `visit` (or NULL) sees the entries behind the checkpoint, and sees them
 * again from the first one on where they are read anew. */
int delta_snapshot_load_visited(struct delta_snapshot *s, struct object_store *store,
                                delta_entry_visit *visit, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* One action more, and one entry more: for what was read or written elsewhere. */
int delta_snapshot_apply(struct delta_snapshot *s, const struct delta_action *action,
                         struct err *err) __attribute__((warn_unused_result));
/* One of many actions: what it says of rows and positions counts after delta_snapshot_complete. */
int delta_snapshot_gather(struct delta_snapshot *s, const struct delta_action *action,
                          struct err *err) __attribute__((warn_unused_result));
void delta_snapshot_complete(struct delta_snapshot *s);
int delta_snapshot_apply_entry(struct delta_snapshot *s, uint64_t version, struct slice text,
                               struct err *err) __attribute__((warn_unused_result));

/* Whether another engine has put rows of this file into the table, and not only moved rows of
 * varve: see delta_foreign. Of files without tags that is known if want_varve is set, too. */
bool delta_file_is_foreign(const struct delta_file *file);

/* The greatest sequence that a row of the file can have if it is one of this generation. Another
 * engine may append rows with any number in that column: what no position has reached was not
 * stored by varve. */
uint64_t delta_file_last(const struct delta_file *file, const struct delta_generation *g);

/* These sequences of a generation are stored. */
void delta_snapshot_add_rows(struct delta_snapshot *s, struct slice stream, struct slice created,
                             const struct seqset *rows);

/* These had rows, too, which have expired. */
void delta_snapshot_add_expired(struct delta_snapshot *s, struct slice stream, struct slice created,
                                const struct seqset *expired);

/* A dead letter stream has confirmed these. */
void delta_snapshot_add_dead_letters(struct delta_snapshot *s, struct slice stream,
                                     struct slice created, const struct seqset *dead_letters);

/* Ranges of rows of all generations. */
size_t delta_snapshot_ranges(const struct delta_snapshot *s);

/* Give back what is not needed to know the newest version, protocol and metaData, and want no more
 * of it. */
void delta_snapshot_forget(struct delta_snapshot *s);

void delta_snapshot_free(struct delta_snapshot *s);

/* The live file with this path, in any encoding; the newest transaction of an application; what is
 * known of an instance, or of a generation. NULL: none. */
const struct delta_file *delta_snapshot_file(const struct delta_snapshot *s, struct slice path);
const struct delta_app *delta_snapshot_app(const struct delta_snapshot *s, struct slice app_id);
const struct delta_instance *delta_snapshot_instance(const struct delta_snapshot *s,
                                                     const char *name);
const struct delta_generation *delta_snapshot_generation(const struct delta_snapshot *s,
                                                         const char *stream, const char *created);

/* numRecords of a file; false if its statistics do not have it. */
bool delta_file_rows(const struct delta_file *file, uint64_t *rows);

/* The same of all live files, without those whose statistics do not have it. */
uint64_t delta_snapshot_rows(const struct delta_snapshot *s);

#endif
