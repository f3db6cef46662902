/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ARCHIVE_PART_H
#define VARVE_FOLLOW_ARCHIVE_PART_H

#include "base/clock.h"
#include "base/map.h"
#include "base/sha256.h"
#include "delta/snapshot.h"
#include "follow/archive_plan.h"
#include "follow/target.h"
#include "parquet/codec.h"

/* Parts of archive.h. */
enum {
    ARCHIVE_ID = 37,      /* a UUID as text, with its NUL */
    ARCHIVE_LEVEL = 12,   /* a level as text, with its NUL */
    ARCHIVE_PATHS = 1024, /* files of one commit, where what is there is copied rather than entries;
                             a crash has these copied again, */
    ARCHIVE_BATCH_BYTES = 256 * 1024 * 1024, /* and as many bytes, unless one file has more */
    ARCHIVE_LINES_MAX = 64 * 1024 * 1024,    /* of a manifest */
};
/* Reports change with each commit of who makes them, and are whole at any time. */
#define ARCHIVE_REPORTS_EVERY (60 * CLOCK_SECOND)
/* What is old enough to go from the log is decided by the day. */
#define ARCHIVE_CLEAN_EVERY (24 * 3600 * CLOCK_SECOND)
#define ARCHIVE_MANIFEST "manifest-sha256.txt"
/* Where files are while others take their names; a path in the log begins with it, too. */
#define ARCHIVE_ASIDE "_anew/"
#define ARCHIVE_LEVEL_TAG "varve.level" /* of a file: that it was compressed anew with */
#define ARCHIVE_ENGINE "varve-archive"  /* by which entries of its log say that it has made them */
#define ARCHIVE_APP "varve-archive:"    /* with the id of the table: whose txn says how far it is */

/* A report on a run as it was when it was copied. */
struct archive_report {
    int64_t modified;
    uint64_t size;
};

struct archive {
    struct follow_target target;
    const char *name, *root, *source; /* borrowed; source: the root of the store */
    int level;                        /* of compression; 0: bytes are copied as they are */
    uint64_t bandwidth;               /* bytes a second; 0: as fast as it goes */
    bool manifest;
    bool anew; /* it is to be made anew */

    /* While it is open: */
    struct object_store *store;
    struct buf piece;            /* of a file that is being copied */
    struct parquet_codec *codec; /* NULL: not needed yet */
    int64_t paced_at;            /* when what was copied would have come, at `bandwidth` */
    struct map reports;          /* by name; its numbers are those of the list */
    ARRAY(struct archive_report) report_list;
    int64_t reports_at; /* clock_monotonic: when they are due */
    int64_t clean_at;   /* the same of the log's clean-up */

    /* Once it was read: */
    bool read;
    bool exact;          /* it was brought to the state of entry `through` by this process */
    bool there;          /* it is a table */
    char id[ARCHIVE_ID]; /* of that table */
    uint64_t next;       /* entry of its log */
    uint64_t kept_at;    /* version when its log was last looked after */
    int64_t through;     /* entry of the store's log; -1: nobody knows */
};

/* Where the files of a commit come from. */
enum archive_source {
    ARCHIVE_FROM_STORE,      /* and no file is there that has the name of one */
    ARCHIVE_FROM_STORE_OVER, /* in the place of what has the name, which is damaged */
    ARCHIVE_FROM_ITSELF,     /* from the same name without ARCHIVE_ASIDE, as they are */
};

/* A commit to be made of the archive. A zeroed struct is empty. */
struct archive_commit {
    enum archive_source source;
    struct buf head; /* its first lines: all but the files */
    struct arena arena;
    ARRAY(struct delta_add) adds; /* as in the store */
    ARRAY(struct slice) removes;  /* paths as in the log */
    bool data_change;
};

void archive_commit_reset(struct archive_commit *c);
void archive_commit_free(struct archive_commit *c);

/* Append to the head of a commit: its commitInfo, which has to come first (`varve`: its member of
 * that name, as JSON, or empty); how far into the store's log, of the table `source`, the archive
 * is with it; a metaData, as that of the archive. */
void archive_put_info(struct archive_commit *c, int64_t timestamp, struct slice varve, bool swaps);
void archive_put_through(struct archive_commit *c, struct slice source, uint64_t version);
void archive_put_metadata(struct archive_commit *c, const struct archive *a,
                          struct delta_metadata metadata);

/* Copy the files, and make the commit: all or nothing. What was left to do after one that was
 * interrupted is done by archive_recover, before anything else. */
int archive_make_commit(struct archive *a, struct follow_view *view, struct archive_commit *c,
                        struct err *err) __attribute__((warn_unused_result));
int archive_recover(struct archive *a, struct err *err) __attribute__((warn_unused_result));

/* The compression level, as in the tag. */
void archive_level(const struct archive *a, char out[static ARCHIVE_LEVEL]);

/*
 * Copy a file: its size and SHA-256 in the archive. *again: compress it anew, where that is asked
 * for. ERR_FORMAT if it has other bytes than `add` says, or if the archive has another file of that
 * name.
 */
int archive_copy(struct archive *a, struct follow_view *view, enum archive_source source,
                 const struct delta_add *add, bool again, uint64_t *size,
                 char sha256[static SHA256_TEXT_MAX], struct err *err)
    __attribute__((warn_unused_result));

/* The files of messages that are no rows, by the commitInfo of an entry, or, without one, all that
 * there are. */
int archive_copy_beside(struct archive *a, struct follow_view *view, const struct json *info,
                        struct err *err) __attribute__((warn_unused_result));

/* A file of the archive for the manifest of its folder: with its hash, or NULL: it is gone. */
struct archive_sum {
    struct slice path; /* as in the log */
    struct slice sha256;
};

/* Copy the reports on runs (_runs, _quality) that have changed, if that is due: they are no part of
 * the table, and come without a commit. What fails is logged, and tried again when it is due. */
void archive_keep_reports(struct archive *a, int64_t now);
void archive_forget_reports(struct archive *a);

/* Write down in the archive, of each instance, what `table` says of its positions that transactions
 * do not: ranges above them. `table` was loaded with want_varve from `store`. `partly`: also where
 * entries are gone that may have said more. */
int archive_save_positions(struct archive *a, const struct delta_snapshot *table,
                           struct object_store *store, bool partly, struct err *err)
    __attribute__((warn_unused_result));

/* Keep the log of the archive short: checkpoints, and what is older than it has to be is removed,
 * when that is due. What fails is tried again then. */
void archive_keep_log(struct archive *a, const struct follow_view *view);

/* Bring the manifests up to date by these; files that are aside are in none. */
int archive_note_sums(struct archive *a, const struct archive_sum *sums, size_t count,
                      struct err *err) __attribute__((warn_unused_result));

/* The same by the entries of its log from `version` back to the newest of its own: what somebody
 * has compacted, or had expire, in the archive itself. */
int archive_note_others(struct archive *a, uint64_t version, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Bring what the store has to an archive whose next entries are not there any more, or too many, or
 * can't tell: by its files, and the rows in them. *version: of the table then. *first: that of the
 * oldest entry that is there, behind those that the archive has; UINT64_MAX: none.
 */
int archive_take_state(struct archive *a, struct follow_view *view, uint64_t first,
                       uint64_t *version, struct err *err) __attribute__((warn_unused_result));

/* Look at all files of the archive that the store has, too, and bring again those that are not what
 * would be put there now. */
int archive_make_anew(struct archive *a, struct follow_view *view, struct err *err)
    __attribute__((warn_unused_result));

#endif
