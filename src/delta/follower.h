/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_FOLLOWER_H
#define VARVE_DELTA_FOLLOWER_H

#include <stdbool.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "batch/seqset.h"
#include "object/object.h"

/*
 * _delta_log/_varve/followers/<name>.json: which rows of a table somebody has who follows it. It
 * names them by generation and sequence, so that it stays true whatever files they are moved to,
 * and whatever of the log is cleaned up. Whoever removes rows looks here first.
 */
enum {
    /* Ranges of one generation that are kept; of more, the lowest are joined, and rows that come
     * between them later are taken for known. About 1 MB of text. */
    DELTA_FOLLOWER_RANGES_MAX = 1 << 16,
    DELTA_FOLLOWER_BYTES_MAX = 64 * 1024 * 1024,
};

/* Of one generation of a stream. The texts are owned. */
struct delta_followed {
    char *stream, *created;
    struct seqset rows;
};

/* A zeroed struct is empty. */
struct delta_follower {
    char *name;
    ARRAY(struct delta_followed) generations;
    struct map merged; /* names of live files that another engine has made, which do not say whose
                          rows they have: nothing in these is new */
    struct buf items;  /* a text of the follower's own, see follow/items.h */
};

/* What it has of a generation; with `add`, an empty set if there was nothing, else NULL. Valid
 * until the next one is added. */
struct seqset *delta_follower_rows(struct delta_follower *f, const char *stream,
                                   const char *created, bool add);

/* Read the follower `name` of the table with this metaData.id into an empty struct. *found: it has
 * followed this table before. ERR_FORMAT if the file is damaged. */
int delta_follower_read(struct delta_follower *out, struct object_store *store, const char *name,
                        struct slice table, bool *found, struct err *err)
    __attribute__((warn_unused_result));

/* Make it durable, with its ranges bounded as above. */
int delta_follower_write(struct delta_follower *f, struct object_store *store, struct slice table,
                         struct err *err) __attribute__((warn_unused_result));

/* Nobody of this name follows any more. */
int delta_follower_remove(struct object_store *store, const char *name, struct err *err)
    __attribute__((warn_unused_result));

void delta_follower_free(struct delta_follower *f);

/* All who follow a table. A zeroed struct is empty. */
struct delta_followers {
    ARRAY(struct delta_follower) list;
};

/* Those of other tables are left out. */
int delta_followers_read(struct delta_followers *out, struct object_store *store,
                         struct slice table, struct err *err) __attribute__((warn_unused_result));

/* The name of one who has not all of these rows; NULL: they have. */
const char *delta_followers_lacking(const struct delta_followers *f, const char *stream,
                                    const char *created, const struct seqset *rows);

void delta_followers_free(struct delta_followers *f);

#endif
