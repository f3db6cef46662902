/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TYPED_H
#define VARVE_FOLLOW_TYPED_H

#include "base/sha256.h"
#include "config/config.h"
#include "event/payload.h"
#include "follow/anew.h"
#include "follow/target.h"
#include "follow/typed_keep.h"
#include "store/store.h"
#include "store/writer.h"

/* One table of typed columns: a part of table.h. */
struct typed_table {
    char *event_type;
    const char *instance; /* the follower's name */
    char *root;
    struct payload_type *payload;
    char types[SHA256_TEXT_MAX]; /* of its definition; "": it has none */
    struct schema schema;
    struct column_spec *columns;   /* of the schema, as the table calls them */
    const struct column_spec *own; /* the same as they are called for a new table */
    struct arena names;            /* of these, */
    struct arena adapted;          /* and of those */
    struct store_path path;
    struct store_kind kind;
    struct account *account;
    const struct typed_keeping *keeping; /* set before it is used, */
    struct follow_anew *anew;            /* and this, if it is to be made anew: `root` is that of
                                                  the new one then, from the first row on */
    bool begun;

    /* While it is open: */
    struct store *store;
    struct store_writer *writer;
    struct typed_keep keep;
    ARRAY(struct typed_origin *) origins; /* generations that rows have come of */
    uint64_t number;                      /* of the last commit */
    uint64_t rows;                        /* taken since */
};

/* Build the schema, with the folder below `target`; that and `follower` are borrowed. The payload
 * belongs to the table then, also after an error: ERR_LIMIT for too many columns. */
int typed_table_init(struct typed_table *t, const char *target, struct slice event_type,
                     const char *follower, struct payload_type *payload, struct account *account,
                     struct err *err) __attribute__((warn_unused_result));

/* The folder of the table of an event type. The caller's. */
char *typed_table_root(const char *target, struct slice event_type);

/* Keep with the table, which is open, what its payloads are decoded by: so that its columns can be
 * told in years. */
int typed_table_record(struct typed_table *t, struct err *err) __attribute__((warn_unused_result));

/*
 * The message that the table of an event type was made for, as its _delta_log/_varve/payload.json
 * says: appended to `out`, nothing where there is none yet. The descriptor set lies beside it,
 * below schemas/ and called by its SHA-256, with those that the table had before; files say by
 * which one they were decoded (`varve.payload_types` in their footers).
 */
int typed_table_message(const char *target, struct slice event_type, const char *follower,
                        struct buf *out, struct err *err) __attribute__((warn_unused_result));

/*
 * The same of a table that is about to take the place of the one in `to`, and has the id `table`:
 * put beside what `to` says of itself, which counts until a table of that id is there. Then settle
 * makes it what `to` says.
 */
int typed_record_announce(struct object_store *from, struct object_store *to, struct slice table,
                          struct err *err) __attribute__((warn_unused_result));
int typed_record_settle(struct object_store *to, struct err *err)
    __attribute__((warn_unused_result));

/* Take a row of its type; *refused if there is no payload in it to speak of. `message` is what the
 * row says that its payload is, where the table goes by that, else empty. */
int typed_table_take(struct typed_table *t, const struct follow_event *event, struct slice message,
                     bool *refused, struct err *err) __attribute__((warn_unused_result));

/* See follow_target_operations: of a table that is there, or else of the place for it. */
int typed_table_check(struct typed_table *t, struct buf *says, struct err *err)
    __attribute__((warn_unused_result));

/* Commit what was taken; nothing where that is nothing. */
int typed_table_commit(struct typed_table *t, const struct delta_follower *done, struct err *err)
    __attribute__((warn_unused_result));

void typed_table_close(struct typed_table *t);
void typed_table_free(struct typed_table *t);

#endif
