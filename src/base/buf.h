/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_BUF_H
#define VARVE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;

/*
 * Bytes that somebody else owns. Valid as long as the owner says. `data` may be NULL if len is 0.
 */
struct slice {
    const uint8_t *data;
    size_t len;
};

/* A slice over the characters of a C string, without the final NUL. */
struct slice slice_of(const char *text);

bool slice_equal(struct slice a, struct slice b);

/* True if `s` holds exactly the characters of `text`. */
bool slice_is(struct slice s, const char *text);

/* The same, whatever letters of ASCII are capitals. */
bool slice_is_alike(struct slice s, const char *text);

/* Bytewise unsigned order, a prefix before what it begins (the order of Parquet's BYTE_ARRAY).
 * Negative, zero or positive like memcmp. */
int slice_compare(struct slice a, struct slice b);

bool slice_starts_with(struct slice s, const char *prefix);

/* Cut the first line off `rest`, without its '\n'; what ends without one is a line, too. False:
 * nothing is left. */
bool slice_take_line(struct slice *rest, struct slice *line);

/*
 * A growable run of bytes. A zeroed struct is an empty buffer that is not counted; an `account` may
 * be set while it holds no memory. Growing invalidates pointers and
 * slices into it. Buffers are reset, not freed, in steady state. Memory that can't be had ends the
 * process (out_of_memory): all sizes are bounded by named limits before they come here.
 */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    struct account *account; /* see base/account.h */
};

/* Forget the content, keep the memory. */
void buf_reset(struct buf *b);

/* Give the memory back. The buffer is empty and usable afterwards, with the same account. */
void buf_free(struct buf *b);

/* Make room for at least `more` bytes behind the content; grows geometrically. */
void buf_reserve(struct buf *b, size_t more);

/* Make room for exactly `more` bytes behind the content, for buffers whose final size is known. */
void buf_reserve_exact(struct buf *b, size_t more);

/* Give back the memory behind the content. */
void buf_shrink(struct buf *b);

/* Give back the memory of an empty buffer if it holds more than `keep`: what one large message took
 * is not for all time. */
void buf_trim(struct buf *b, size_t keep);

void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_text(struct buf *b, const char *text);
void buf_append_byte(struct buf *b, uint8_t byte);
void buf_append_u32le(struct buf *b, uint32_t value);
void buf_append_u64le(struct buf *b, uint64_t value);

/* The decimal digits of `value`. */
void buf_append_decimal(struct buf *b, uint64_t value);

void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drop the first `len` bytes (at most all); the rest moves to the front. */
void buf_consume(struct buf *b, size_t len);

/* A NUL-terminated view of the content; the NUL is not counted in len. Valid until the next
 * change. */
const char *buf_text(struct buf *b);

struct slice buf_slice(const struct buf *b);

#endif
