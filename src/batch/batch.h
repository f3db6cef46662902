/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_BATCH_H
#define VARVE_BATCH_BATCH_H

#include "base/account.h"
#include "base/buf.h"
#include "batch/schema.h"

/*
 * Some rows, column by column, each column already in the form in which Parquet's PLAIN encoding
 * wants it: an int64 is 8 bytes little-endian, a byte string is a u32 little-endian length and the
 * bytes, a null is nothing; only a boolean takes a byte here, and a bit there. So the one copy from
 * the socket to here is also the copy into the page.
 *
 * A column has an entry for each value and each null. Outside of lists that is one a row; in lists
 * it is one an element, or one for a list that is empty or not there. What an entry is, and where,
 * is said by its two levels (parquet-format README, Nested Encoding). Structs, lists and maps have
 * no entries of their own, their number in `columns` is unused. Most entries are values, of which
 * nothing has to be written down: only a null brings levels with it, see definition_at.
 *
 * The batcher hands a batch to the encoder whole and takes another one; a batch belongs to one
 * thread at a time.
 */
struct column {
    struct buf values;      /* those that are not null, PLAIN */
    struct buf definitions; /* a byte an entry: its level; less than the column's (see schema_node)
                               is a null. It may end behind the last null: the rest are values */
    struct buf repetitions; /* within lists: a byte an entry: which list goes on. Else empty */
    uint32_t nulls;
    /* What batch_rollback goes back to. */
    uint32_t marked_nulls;
    size_t marked_values, marked_repetitions;
};

struct batch_group; /* a struct, list or map that has begun and not ended */

struct batch {
    const struct schema *schema;
    struct column *columns; /* schema->count of them */
    uint32_t rows;          /* complete rows */
    uint64_t bytes;         /* content of all columns, each entry with its levels */
    struct account account; /* of all that it holds */
    uint32_t room_rows;     /* rows that a part of the columns has room for, see batch/room.h */
    uint32_t marked_rows;   /* by batch_mark */
    uint64_t marked_bytes;

    struct schema_node *nodes;  /* schema->count of them; NULL: the schema is flat */
    uint64_t *given;            /* by column: the serial number of the last group that got it */
    struct batch_group *groups; /* those that are open, the row itself first */
    uint32_t roots;             /* columns of the row itself */
    uint32_t depth;             /* groups; 0: there is no unfinished row */
    uint64_t serial;
    uint64_t row_entries, row_start; /* entries of the unfinished row; `bytes` where it began */
};

/*
 * Rows of a batch at most. Also the rows of a page of a small column, so that page boundaries nest
 * across columns: readers are known that return values of other rows where they do not
 * (parquet-java issue 3747); see parquet/write/writer.h.
 */
enum { BATCH_ROWS_MAX = 20480 };

/* Largest single value, and the most that one row may have in all columns of a schema that is not
 * flat: a Parquet page holds at least one whole row and pages are capped. */
enum { BATCH_VALUE_MAX = 64 * 1024 * 1024 };

/* Entries of one row where columns nest: a short message can stand for very many. */
enum { BATCH_ROW_ENTRIES_MAX = 1024 * 1024 };

/* An empty batch, whose memory is booked to `account`, too (may be NULL); freed with batch_free.
 * The schema was accepted by schema_nodes. */
struct batch *batch_new(const struct schema *schema, struct account *account);
void batch_free(struct batch *b);

/* Forget the rows, keep the memory. */
void batch_reset(struct batch *b);

/*
 * A row is appended by giving each column its value or null, in any order, and ending it. Nothing
 * here can fail: whoever appends has checked the values before, or takes the row back with
 * batch_rollback. In a flat schema batch_end_row ASSERTs that each column got exactly one value.
 */
void batch_put_int64(struct batch *b, uint32_t column, int64_t value);
void batch_put_int32(struct batch *b, uint32_t column, int32_t value);
void batch_put_float(struct batch *b, uint32_t column, float value);
void batch_put_double(struct batch *b, uint32_t column, double value);
void batch_put_boolean(struct batch *b, uint32_t column, bool value);
void batch_put_bytes(struct batch *b, uint32_t column, struct slice value);
void batch_put_null(struct batch *b, uint32_t column); /* a group as well, with all that is in it */
void batch_end_row(struct batch *b);

/*
 * Groups. Between begin and end only columns directly within the group are given; what a struct, an
 * entry of a map or the row did not get is null, and has to be optional (ASSERT).
 *
 *     batch_begin_struct(b, POSITION);        batch_begin_list(b, TAGS);
 *     batch_put_double(b, POSITION_X, 1.5);   batch_put_bytes(b, TAGS + 1, tag); // an element each
 *     batch_end(b);                           batch_end(b);
 *
 *     batch_begin_map(b, LABELS);
 *     batch_begin_entry(b);                   // again for each entry
 *     batch_put_bytes(b, LABELS + 1, key);
 *     batch_put_bytes(b, LABELS + 2, value);
 *     batch_end(b);                           // of the entry
 *     batch_end(b);                           // of the map
 */
void batch_begin_struct(struct batch *b, uint32_t column);
void batch_begin_list(struct batch *b, uint32_t column);
void batch_begin_map(struct batch *b, uint32_t column);
void batch_begin_entry(struct batch *b);
void batch_end(struct batch *b);

/* Within a list: `count` more elements of a column of 4 or 8 bytes a value, none null, from their
 * PLAIN bytes. */
void batch_put_fixed(struct batch *b, uint32_t column, const uint8_t *values, size_t count);

/* A whole row of a flat schema of int64s and byte strings: a cell for each column, in order, which
 * takes a fraction of the steps. Only optional columns may be null. */
struct batch_cell {
    union {
        uint64_t bits;       /* of an int64 */
        const uint8_t *data; /* `len` bytes */
    };
    uint32_t len;
    bool null;
};
void batch_put_row(struct batch *b, const struct batch_cell *cells);

/* Where columns nest: false if the unfinished row is larger than BATCH_ROW_ENTRIES_MAX and
 * BATCH_VALUE_MAX allow, with which the writer refuses the batch. Ask now and then, and before
 * batch_end_row. */
bool batch_row_fits(const struct batch *b);

/* The definition level of a value of this column, and entries that it has in complete rows. */
static inline uint8_t batch_definition(const struct batch *b, uint32_t column)
{
    return b->nodes != NULL ? b->nodes[column].definition : b->schema->columns[column].optional;
}

static inline uint32_t batch_entries(const struct batch *b, uint32_t column)
{
    size_t repetitions = b->columns[column].repetitions.len;
    return repetitions > 0 ? (uint32_t)repetitions : b->rows;
}

/* The level of an entry: that of a value where there is none. */
static inline uint8_t definition_at(struct slice definitions, uint32_t entry, uint8_t value)
{
    return entry < definitions.len ? definitions.data[entry] : value;
}

/* Remember the complete rows; and forget all that was appended since. */
void batch_mark(struct batch *b);
void batch_rollback(struct batch *b);

/* Append the rows of `b`, which has no unfinished one, to `out` in a form that takes little more
 * than their content; and append them to a batch of the same schema again. What is unpacked was
 * packed by this process (ASSERT). */
void batch_pack(const struct batch *b, struct buf *out);
void batch_unpack(struct batch *b, struct slice packed);

/* Memory held, used or not: what is in the account. */
uint64_t batch_memory(const struct batch *b);

/* Append to `to` the rows of `from` in the order that `order` gives (from->rows row numbers). */
void batch_copy_ordered(struct batch *to, const struct batch *from, const uint32_t *order);

#endif
