/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TYPED_H
#define VARVE_FOLLOW_TYPED_H

#include "config/config.h"
#include "event/payload.h"
#include "follow/target.h"
#include "store/keeper.h"
#include "store/store.h"
#include "store/writer.h"

/* One table of typed columns: a part of table.h. */
struct typed_table {
    const char *event_type;
    const char *instance; /* the follower's name */
    char *root;
    struct payload_type *payload;
    struct schema schema;
    struct arena names; /* of columns that have another one than in the payload */
    struct store_path path;
    struct store_kind kind;
    struct account *account;

    /* While it is open: */
    struct store *store;
    struct store_writer *writer;
    struct keeper *keeper;
    ARRAY(struct typed_origin *) origins; /* generations that rows have come of */
    uint64_t number;                      /* of the last commit */
    uint64_t rows;                        /* taken since */
};

/* Build the schema, with the folder below `target`. The payload belongs to the table then, also
 * after an error: ERR_LIMIT for too many columns. */
int typed_table_init(struct typed_table *t, const char *target, const char *event_type,
                     const char *follower, struct payload_type *payload, struct account *account,
                     struct err *err) __attribute__((warn_unused_result));

/* Take a row of its type; *refused if there is no payload in it to speak of. */
int typed_table_take(struct typed_table *t, const struct follow_event *event, bool *refused,
                     struct err *err) __attribute__((warn_unused_result));

/* Commit what was taken; nothing where that is nothing. */
int typed_table_commit(struct typed_table *t, const struct delta_follower *done, struct err *err)
    __attribute__((warn_unused_result));

/* Keep its log in order. */
void typed_table_keep(struct typed_table *t);

void typed_table_close(struct typed_table *t);
void typed_table_free(struct typed_table *t);

#endif
