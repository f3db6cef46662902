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
    struct column_spec *columns; /* depth first; all optional, names unique */
    uint32_t count;
    struct buf reason; /* why the last payload was not all right: for people */
    /* What it is decoded by. A name without a dot in front, and a definition: not of JSON. */
    const char *format, *message;
    struct slice definition;
};

/* Digits of 2^64 - 1: the `precision` of columns of unsigned numbers of 64 bits, which are INT64.
 */
enum { PAYLOAD_UNSIGNED_DIGITS = 20 };

/* Make such columns wide enough for all of their values, before there is a batch: decimals, of 9
 * bytes. */
void payload_widen(struct payload_type *t);

/* Append one payload to the unfinished row of a batch. Unless it is PAYLOAD_OK, t->reason says why.
 */
enum payload_result payload_append(struct payload_type *t, struct batch *b, uint32_t first,
                                   struct slice payload);

/* Null in each column. */
void payload_append_nulls(const struct payload_type *t, struct batch *b, uint32_t first);

/* Accepts NULL. */
void payload_free(struct payload_type *t);

/*
 * JSON by a list of columns, without any and with "*" as one, "payload json $": "NAME TYPE PATH"
 * each, such as "reward double $.reward" or "x double $.position[0]". Types: text, integer, double,
 * boolean, and json, which is the value as text, whatever it is. An integer may be written as 3.0
 * or 1e3; of members with one name the last counts. A value that is missing or null is null; so is
 * one of another type, with a reason. NULL and ERR_USAGE for a list that is wrong; the texts are
 * borrowed for the call.
 */
enum { PAYLOAD_JSON_COLUMNS_MAX = 256 };
struct payload_type *payload_json_new(const char *const *columns, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* The messages of a FileDescriptorSet, or the tables of a schema of FlatBuffers (descriptor.h),
 * which is copied. NULL and ERR_FORMAT or ERR_LIMIT for one that can't be used. */
enum payload_format { PAYLOAD_PROTOBUF, PAYLOAD_FLATBUFFERS };
struct payload_types;
struct payload_types *payload_types_new(enum payload_format format, struct slice definition,
                                        struct err *err) __attribute__((warn_unused_result));
bool payload_types_have(const struct payload_types *types, struct slice message);
void payload_types_free(struct payload_types *types); /* accepts NULL */

/* The message of all payloads of `event_type`: `message`, or the root of a schema that has one.
 * Empty: each payload may have another, "*" in place of a type always. Borrows from both. */
struct slice payload_types_message(const struct payload_types *types, const char *message,
                                   const char *event_type);

/* The set with the messages of the simulation, proto/agent.proto, which is part of the program. */
struct slice payload_simulation(void);

/*
 * A message by its full name in a set, which is borrowed until payload_free: its fields are the
 * columns, as payload_plan.h says, or those of the list, "a.b" within others, if that is neither
 * empty nor "*"; it is borrowed for the call. NULL and ERR_FORMAT or ERR_LIMIT for a message that
 * can't be described, ERR_USAGE if it is not in the set, or has no such field.
 */
struct payload_type *payload_message_new(const struct payload_types *types, struct slice message,
                                         const char *const *fields, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* The parameter `message` of a content type, such as that of "application/protobuf; message=a.B"
 * (RFC 9110, section 5.6.6); empty: there is none. Borrows. */
struct slice payload_named_message(struct slice content_type);

#endif
