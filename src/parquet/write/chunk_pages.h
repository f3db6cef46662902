/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_CHUNK_PAGES_H
#define VARVE_PARQUET_WRITE_CHUNK_PAGES_H

#include "parquet/write/chunk.h"

/* The finished pages of a chunk, and how they are compressed: a part of chunk.h. */

/* Compress the body of a data page, decide the codec of the chunk if that is still open, and take
 * the page into the chunk. The sizes in `page` are filled in here. `body` may lie in the scratch
 * body of `codec`. */
void chunk_append_page(struct chunk *c, struct chunk_page page, struct slice body,
                       struct parquet_codec *codec);

#endif
