/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_DICTIONARY_H
#define VARVE_PARQUET_WRITE_DICTIONARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

/*
 * The dictionary of one column chunk while it grows. Pages are encoded against the entries there
 * are so far, so a page never waits for the final dictionary. A zeroed struct is an empty
 * dictionary.
 */
struct dictionary {
    struct map map;
    uint32_t entries; /* those that pages use; the map may hold more after giving up */
    uint64_t bytes;   /* of those entries in PLAIN form */
    uint64_t plain;   /* what the values so far would have taken in PLAIN form */
};

enum {
    /* Giving up beyond these limits, which other writers have as well. Indexes then need 16 bits at
     * most, and the dictionary page is never larger than a data page. */
    DICTIONARY_ENTRIES_MAX = 65536,
    DICTIONARY_BYTES_MAX = 1024 * 1024,
};

/* Number the `count` PLAIN values, adding new ones. False if the dictionary does not pay or got too
 * large: then it still is what it was before, but no further values can be added. */
bool dictionary_number(struct dictionary *d, struct slice values, uint32_t count, uint32_t *numbers)
    __attribute__((warn_unused_result));

/* The body of the dictionary page. Valid until the next call. */
struct slice dictionary_page(const struct dictionary *d);

void dictionary_reset(struct dictionary *d);
void dictionary_free(struct dictionary *d);

#endif
