/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_THRIFT_H
#define VARVE_PARQUET_READ_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/thrift.h"

/*
 * The Thrift compact protocol (thrift-compact-protocol.md), read side, over hostile bytes. Errors
 * stick: after the first problem all calls return zeros and false, so that a struct is read in one
 * go and `problem` is looked at once, at its end. Slices point into the bytes that were given.
 */
struct thrift_reader {
    struct slice bytes;
    size_t at;           /* bytes consumed */
    const char *problem; /* static text; NULL: none so far */
};

/* Where we are in one struct. Zeroed before its first field. */
struct thrift_field {
    int16_t id;
    uint8_t type;
    uint32_t seen; /* bit n: field n was there, for n in 1..31 */
};

/* Go to the next field. False at the end of the struct, and for a problem: a field that repeats is
 * one. Each field is then read by exactly one of the functions below. */
bool thrift_read_next(struct thrift_reader *r, struct thrift_field *field);

/* Bits of `seen`: one field, or all of first..last. */
#define THRIFT_FIELD(id) (UINT32_C(1) << (id))
#define THRIFT_FIELDS(first, last) ((THRIFT_FIELD(last) << 1) - THRIFT_FIELD(first))

/* The fields of `mask` (bits as in `seen`) were all there, or there is a problem. */
void thrift_read_require(struct thrift_reader *r, const struct thrift_field *field, uint32_t mask);

/* True if the field has a value of this type (THRIFT_TRUE: a bool), which is then to be read. One
 * of another type is passed over as if it were not there, as the readers that Thrift generates do
 * it: writers exist that get optional fields wrong. What is required is then missing. */
bool thrift_read_is(struct thrift_reader *r, struct thrift_field *field, enum thrift_type type);

/* The value of a field; zero, and the field is not there, if it is of another type. */
bool thrift_read_bool(struct thrift_reader *r, struct thrift_field *field);
int8_t thrift_read_i8(struct thrift_reader *r, struct thrift_field *field);
int16_t thrift_read_i16(struct thrift_reader *r, struct thrift_field *field);
int32_t thrift_read_i32(struct thrift_reader *r, struct thrift_field *field);
int64_t thrift_read_i64(struct thrift_reader *r, struct thrift_field *field);
struct slice thrift_read_binary(struct thrift_reader *r, struct thrift_field *field);

/* An i32 that is not negative: an enum, a size. */
int32_t thrift_read_natural(struct thrift_reader *r, struct thrift_field *field);
/* An i64 that is not negative: a count, an offset. */
int64_t thrift_read_natural64(struct thrift_reader *r, struct thrift_field *field);

/* What the value of a field is, and the C type that it is kept in. */
enum thrift_value {
    THRIFT_VALUE_BOOL,      /* bool */
    THRIFT_VALUE_I16,       /* int16_t */
    THRIFT_VALUE_I32,       /* int32_t */
    THRIFT_VALUE_NATURAL,   /* int32_t or an enum; not negative */
    THRIFT_VALUE_I64,       /* int64_t */
    THRIFT_VALUE_NATURAL64, /* int64_t, not negative */
    THRIFT_VALUE_BINARY,    /* struct slice */
};

/* A field of a Thrift struct, and the member of the C struct that it fills. */
struct thrift_member {
    int16_t id; /* 1..31 */
    enum thrift_value value;
    bool required;
    size_t at;      /* offset of the member */
    size_t present; /* offset of a bool that says whether it was there, or THRIFT_NO_PRESENT */
};

#define THRIFT_NO_PRESENT SIZE_MAX
#define THRIFT_REQUIRED(id, value, type, member)                                    \
    {                                                                               \
        (id), THRIFT_VALUE_##value, true, offsetof(type, member), THRIFT_NO_PRESENT \
    }
/* One of another type is passed over, and leaves the member as it is. */
#define THRIFT_OPTIONAL(id, value, type, member)                                     \
    {                                                                                \
        (id), THRIFT_VALUE_##value, false, offsetof(type, member), THRIFT_NO_PRESENT \
    }
#define THRIFT_PRESENT(id, value, type, member, present)                                   \
    {                                                                                      \
        (id), THRIFT_VALUE_##value, false, offsetof(type, member), offsetof(type, present) \
    }

/* The members of a C struct, in any order. */
struct thrift_members {
    const struct thrift_member *list;
    size_t count;
};

#define THRIFT_MEMBERS(list) ((struct thrift_members){(list), sizeof(list) / sizeof((list)[0])})

/* If the field that is next is one of the members, read it into `into`, else false. */
bool thrift_read_member(struct thrift_reader *r, struct thrift_field *field,
                        struct thrift_members members, void *into);

/* All fields up to the end of a struct that has been begun: members are read into `into`, others
 * passed over, and what is required and not there is a problem. */
void thrift_read_members(struct thrift_reader *r, struct thrift_members members, void *into);

/* The bits of those that are required. */
uint32_t thrift_required(struct thrift_members members);

/* Begin a struct: true if the field is one; its fields follow. */
bool thrift_read_struct(struct thrift_reader *r, struct thrift_field *field);

/* Begin a list and return its length, which is such that at least `least` bytes an element are
 * left to read: so memory for it is bounded by the input. The elements follow, each read with
 * *element as its field. Elements that should be bools may be typed TRUE or FALSE. */
uint32_t thrift_read_list(struct thrift_reader *r, struct thrift_field *field,
                          enum thrift_type type, size_t least, struct thrift_field *element);

/* An element of a list of bools: a byte; 1 is true (0 and 2 are both in use for false). */
bool thrift_read_bool_element(struct thrift_reader *r);

/* Pass over the value of a field that is of no interest, of any type. */
void thrift_read_skip(struct thrift_reader *r, const struct thrift_field *field);

/* The id of the one member of a union whose members are of no further interest. */
int16_t thrift_read_union(struct thrift_reader *r, struct thrift_field *field);

/* ERR_FORMAT with what and where if there was a problem, or if `whole` and bytes are left over.
 * `what` is a name such as "footer". */
int thrift_read_finish(const struct thrift_reader *r, const char *what, bool whole, struct err *err)
    __attribute__((warn_unused_result));

/* Nesting beyond this is a problem; what Parquet defines nests about 8 deep. */
enum { THRIFT_DEPTH_MAX = 32 };

#endif
