/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_PATH_H
#define VARVE_STORE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/schema.h"

/*
 * From a template such as {simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet to the
 * relative path of a file, in two steps. Rows that belong into one file share a *key*: the template
 * with all but the two sequences filled in. The path follows from the key when the file is sealed.
 *
 * A value that came with an event is never trusted as part of a path: it is written by the rules of
 * text_escape. Long values whose hashes collide share a file, which harms nothing, as the value
 * itself is a column.
 */
enum {
    STORE_PATH_TEMPLATE_MAX = 1024, /* bytes of a template */
    STORE_PATH_TOKENS_MAX = 64,     /* pieces of a template */
    STORE_PATH_SUFFIX_MAX = 11,     /* "-" and the digits of object_name_numbered */
    STORE_PATH_NAME_MAX = 255,      /* NAME_MAX of every Linux file system */
    STORE_PATH_MAX = 3072,          /* a whole path; PATH_MAX is 4096 with the root in front */
};

enum store_path_field {
    STORE_PATH_LITERAL,
    STORE_PATH_SIMULATION_ID,
    STORE_PATH_EVENT_TYPE_KEY,
    STORE_PATH_WORKER_ID,
    STORE_PATH_STREAM,
    STORE_PATH_INSTANCE,
    STORE_PATH_DATE, /* {YYYY-MM-DD} */
    STORE_PATH_YEAR,
    STORE_PATH_MONTH,
    STORE_PATH_DAY,
    STORE_PATH_HOUR,
    STORE_PATH_FIRST_SEQ,
    STORE_PATH_LAST_SEQ,
};

struct store_path_token {
    enum store_path_field field;
    uint16_t start, len; /* of a literal: where it is in `text` */
    bool partition;      /* all that stands behind the '=' of a directory such as hour={HH} */
};

/* A checked template. Plain data: copy it, forget it; nothing to free. */
struct store_path {
    char text[STORE_PATH_TEMPLATE_MAX + 1];
    struct store_path_token tokens[STORE_PATH_TOKENS_MAX];
    uint32_t count;
    uint32_t fields; /* bit 1 << field for each field that occurs */
};

/* What the fields of one row are. Slices are borrowed for the call. `time` is in nanoseconds since
 * 1970 UTC; whoever calls has replaced absurd times. */
struct store_path_values {
    struct slice simulation_id, event_type_key, worker_id, stream, instance;
    int64_t time;
};

/*
 * Check a template. Literal text is of [A-Za-z0-9._=-] and '/'; no part of the path is empty or
 * begins with '.' or '_'; the file name ends with ".parquet" and has {first_seq} or {last_seq},
 * which directories do not have; no name can get longer than a file system takes. ERR_USAGE.
 */
int store_path_parse(struct store_path *path, const char *text, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Directories such as simulation_id={simulation_id} are partitions to readers that look for them
 * (Hive style): the text in front of '=' is a column, the text behind it the value,
 * percent-encoded. Check that no such column is one of `schema` with other values than the rows
 * have, that none is there twice, and that no event chooses its name. ERR_USAGE.
 */
int store_path_check_partitions(const struct store_path *path, const struct schema *schema,
                                struct err *err) __attribute__((warn_unused_result));

/* Append the key of a row. `{first_seq}` and `{last_seq}` stay in it as they are; nothing else of
 * a key can hold a brace. An empty value of a partition is STORE_PATH_NULL, which readers take for
 * null; they take a null and an empty text for the same. */
#define STORE_PATH_NULL "__HIVE_DEFAULT_PARTITION__"
void store_path_key(struct buf *out, const struct store_path *path,
                    const struct store_path_values *values);

/* True if both rows have the same key, without making it: compares only the fields that occur. May
 * be false for equal keys (a hashed value; the same hour of two days under {HH} alone). For routing
 * a run of alike rows. */
bool store_path_same(const struct store_path *path, const struct store_path_values *a,
                     const struct store_path_values *b);

/*
 * Messages that are no rows are kept as Parquet, too, but under names that no pattern for Parquet
 * files matches: whoever reads sim_logs with ** and .parquet wants the table. Append the key of
 * those of `stream`.
 */
#define STORE_PATH_QUARANTINE "_quarantine/"
#define STORE_PATH_QUARANTINE_ENDING ".quarantine"
void store_path_quarantine_key(struct buf *out, struct slice stream);

/* Append the name that such a file has now, if `path` is the one that earlier versions gave it,
 * ending with .parquet; *renamed says so. Any other path is appended as it is. */
void store_path_quarantine_name(struct buf *out, struct slice path, bool *renamed);

/* Append the path, relative to the root, that the file with this key and these sequences should
 * have; object_commit puts a number behind it where that is taken. */
void store_path_name(struct buf *out, struct slice key, uint64_t first_seq, uint64_t last_seq);

#endif
