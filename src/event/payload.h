/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_H
#define VARVE_EVENT_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "batch/batch.h"
#include "batch/schema.h"

/*
 * The payloads of one event type as typed columns. What comes from events is hostile: whatever the
 * bytes are, they are columns, or they are none and a reason.
 */
enum payload_result {
    PAYLOAD_OK,
    PAYLOAD_PARTLY, /* some columns are null for a reason */
    PAYLOAD_BAD,    /* the row has to be taken back (batch_rollback): it has no payload */
};

struct payload_type;

/* How payloads of one format become columns. */
struct payload_operations {
    /* Give each column from `first` on its value. */
    enum payload_result (*append)(struct payload_type *t, struct batch *b, uint32_t first,
                                  struct slice payload);
    void (*free)(struct payload_type *t);
};

/* The first member of what a format has. */
struct payload_type {
    const struct payload_operations *operations;
    const struct column_spec *columns; /* depth first; all optional, names unique */
    uint32_t count;
    struct buf reason; /* why the last payload was not all right: for people */
};

/* Append one payload to the unfinished row of a batch. Unless it is PAYLOAD_OK, t->reason says why.
 */
enum payload_result payload_append(struct payload_type *t, struct batch *b, uint32_t first,
                                   struct slice payload);

/* Null in each column. */
void payload_append_nulls(const struct payload_type *t, struct batch *b, uint32_t first);

/* Accepts NULL. */
void payload_free(struct payload_type *t);

/*
 * JSON by a list of columns: "NAME TYPE PATH" each, such as "reward double $.reward" or
 * "x double $.position[0]". Types: text, integer, double, boolean, and json, which is the value as
 * text, whatever it is. A value that is missing or null is null; so is one of another type, with a
 * reason. NULL and ERR_USAGE for a list that is wrong; the texts are borrowed for the call.
 */
enum { PAYLOAD_JSON_COLUMNS_MAX = 256 };
struct payload_type *payload_json_new(const char *const *columns, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/*
 * A protobuf message by a FileDescriptorSet, which is copied: its fields are the columns, as
 * payload_plan.h says. NULL and ERR_FORMAT or ERR_LIMIT for a set that can't be used, ERR_USAGE if
 * the message is not in it.
 */
struct payload_type *payload_proto_new(struct slice descriptor_set, const char *message,
                                       struct err *err) __attribute__((warn_unused_result));

#endif
