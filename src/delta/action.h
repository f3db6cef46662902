/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_ACTION_H
#define VARVE_DELTA_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/*
 * The actions of the Delta log (Delta PROTOCOL.md, "Actions"), typed, and as the JSON objects that
 * stand in an entry one a line. Slices borrow: from the line and the arena that were parsed, or
 * from whoever fills an action to be written. A member that may be missing has a NULL pointer, or
 * says so in `has_...`.
 */
enum delta_kind {
    DELTA_OTHER, /* an action that varve does not know: readers pass over it */
    DELTA_COMMIT_INFO,
    DELTA_PROTOCOL,
    DELTA_METADATA,
    DELTA_TXN,
    DELTA_ADD,
    DELTA_REMOVE,
};

struct delta_strings {
    const struct slice *list;
    size_t count;
};

struct delta_pair {
    struct slice key;
    struct slice value; /* NULL pointer: null */
};

struct delta_map {
    const struct delta_pair *list;
    size_t count;
};

struct delta_protocol {
    int64_t reader, writer; /* minReaderVersion, minWriterVersion */
    struct delta_strings reader_features, writer_features;
};

struct delta_metadata {
    struct slice id, name, description, schema_string;
    struct slice provider; /* format.provider */
    struct delta_map format_options;
    struct delta_strings partition_columns;
    struct delta_map configuration;
    bool has_created_time;
    int64_t created_time;    /* ms since 1970 */
    const struct json *json; /* the object that it was parsed from: what else is in it is written
                                again by delta_action_write; NULL: nothing else */
};

struct delta_txn {
    struct slice app_id;
    int64_t version;
    bool has_last_updated;
    int64_t last_updated; /* ms since 1970 */
};

/* A file is the key of its path and its deletion vector: an action may remove the one and add the
 * other. varve can't read such a vector, and has a number for each: 0 is none. */
uint64_t delta_vector(struct slice storage, struct slice text, int64_t offset);

struct delta_add {
    struct slice path; /* URI-encoded, exactly as it stands in the log; see delta_path_key */
    struct delta_map partition_values;
    uint64_t size;
    int64_t modification_time; /* ms since 1970 */
    bool data_change;
    struct slice stats; /* JSON as text, or NULL */
    struct delta_map tags;
    uint64_t vector; /* of the deletion vector: some rows are deleted; 0: none are */
};

struct delta_remove {
    struct slice path;
    bool has_deletion_timestamp;
    int64_t deletion_timestamp; /* ms since 1970 */
    bool data_change;
    bool extended; /* extendedFileMetadata: the two below are those of the file */
    struct delta_map partition_values;
    uint64_t size;
    uint64_t vector; /* of the file as it was */
};

/* `json` is all of it, NULL where one is to be written. Writers put in the rest: */
struct delta_commit_info {
    const struct json *json;
    int64_t timestamp; /* ms since 1970 */
    const char *operation;
    const char *parameters; /* operationParameters: a JSON object as text */
    bool blind_append;
    const char *engine;
    struct slice varve; /* the member "varve", a JSON object as text; NULL: none */
};

struct delta_action {
    enum delta_kind kind;
    union {
        struct delta_commit_info commit_info;
        struct delta_protocol protocol;
        struct delta_metadata metadata;
        struct delta_txn txn;
        struct delta_add add;
        struct delta_remove remove;
    };
};

/* Parse one line of an entry, without its newline. ERR_FORMAT for what is no JSON object, and for a
 * known action that lacks what the protocol requires. */
int delta_action_parse(struct delta_action *out, struct arena *arena, struct slice line,
                       struct err *err) __attribute__((warn_unused_result));

/* The member that an action of this kind is in its line; not of DELTA_OTHER. */
const char *delta_kind_name(enum delta_kind kind);

/* Append an action as one line with its newline; not for DELTA_OTHER, and not for a commitInfo that
 * was parsed. */
void delta_action_write(struct buf *out, const struct delta_action *action);

/* The value of `key`, or a slice with a NULL pointer. */
struct slice delta_map_get(const struct delta_map *map, const char *key);

/* Cut the next line off *rest; *line is without its newline. False if nothing is left. */
bool delta_next_line(struct slice *rest, struct slice *line);

/* Append a relative path as `path` wants it: URI-encoded, for readers that decode it once. */
void delta_path_encode(struct buf *out, struct slice path);

/* The reverse; false, and `out` as it was, for a broken escape, and for a URI with a scheme, which
 * is not relative to the table. */
bool delta_path_decode(struct buf *out, struct slice uri) __attribute__((warn_unused_result));

/* What all paths of one file have in common, since writers encode them differently: the path as
 * delta_path_encode has it. It is `path` itself if that can't be decoded or needs no escape, else
 * it is made in `scratch`. */
struct slice delta_path_key(struct buf *scratch, struct slice path);

#endif
