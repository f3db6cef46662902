/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_JSON_H
#define VARVE_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * JSON (RFC 8259) as NATS, JetStream and the Delta log use it. Numbers keep their text, so that
 * 64-bit integers stay exact. The tree lives in an arena; strings without escapes point into the
 * source text, which must outlive the tree.
 */
enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool boolean;
    struct slice text;  /* of a string: its characters, unescaped; of a number: its literal */
    struct slice key;   /* the name, if it is a member of an object */
    struct json *first; /* of an array or object: its first child */
    struct json *next;  /* the next sibling */
};

enum {
    JSON_DEPTH_MAX = 32,      /* what we read nests at most 6 deep; the stack is bounded by this */
    JSON_VALUES_MAX = 1 << 20 /* bounds the arena: a value costs about 100 bytes */
};

/* Parse exactly one value, with blanks around it. NULL and an error that names the offset for
 * anything else, invalid UTF-8 included. Of duplicate names the first wins. */
const struct json *json_parse(struct arena *arena, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* Whether json_parse would take it, in no memory. */
bool json_is_valid(struct slice text);

/* The member of an object with this name, or NULL. `object` may be NULL or of another type, so
 * that look-ups can be chained. */
const struct json *json_member(const struct json *object, const char *name);

/* Typed look-ups: false, and *out alone, if the member is missing or of another type or range. */
bool json_get_text(const struct json *object, const char *name, struct slice *out);
bool json_get_u64(const struct json *object, const char *name, uint64_t *out);
bool json_get_i64(const struct json *object, const char *name, int64_t *out);
bool json_get_bool(const struct json *object, const char *name, bool *out);

/*
 * Writing, without blanks, behind what `out` holds: commas are put where they belong.
 *
 *     struct json_writer w = {.out = &body};
 *     json_open_object(&w, NULL);
 *     json_put_text(&w, "stream", name);
 *     json_open_array(&w, "sequences");
 *     json_put_u64(&w, NULL, sequence);
 *     json_close_array(&w);
 *     json_close_object(&w);
 *
 * `name` is that of a member of an object, and NULL in an array or at the top. A writer is at its
 * start again after the last bracket is closed, but for the comma: take a new one for each text.
 * More than JSON_DEPTH_MAX brackets at once are a failed ASSERT.
 */
struct json_writer {
    struct buf *out;
    bool comma; /* something stands before what comes next */
    int depth;
};

void json_open_object(struct json_writer *w, const char *name);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *name);
void json_close_array(struct json_writer *w);

/* Strings are escaped; invalid UTF-8 becomes U+FFFD. */
void json_put_text(struct json_writer *w, const char *name, const char *value);
void json_put_slice(struct json_writer *w, const char *name, struct slice value);
void json_put_u64(struct json_writer *w, const char *name, uint64_t value);
void json_put_i64(struct json_writer *w, const char *name, int64_t value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_null(struct json_writer *w, const char *name);

/* A parsed value with all that is in it; numbers keep their text. */
void json_put_value(struct json_writer *w, const char *name, const struct json *value);

/* A name that is not a C string; its value comes next, with NULL for a name. */
void json_put_name(struct json_writer *w, struct slice name);

/* For a value that is made elsewhere: append exactly one, as JSON, to the buffer that is returned.
 */
struct buf *json_put_raw(struct json_writer *w, const char *name);

/* Append a JSON string alone, with quotes and escapes. Invalid UTF-8 becomes U+FFFD. */
void json_append_string(struct buf *out, struct slice text);

#endif
