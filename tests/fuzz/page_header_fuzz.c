/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as a page header, and as the two indexes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {data, size};
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_page_header header;
    struct parquet_offset_index offsets;
    struct parquet_column_index bounds;
    size_t used = 0;
    if (parquet_page_header_read(bytes, &header, &used, &err) == 0 &&
        (used > size || header.compressed_page_size < 0 || header.uncompressed_page_size < 0 ||
         header.num_values < 0))
        __builtin_trap();
    err_clear(&err);
    if (parquet_offset_index_read(bytes, &arena, &offsets, &err) == 0 && offsets.count > size)
        __builtin_trap();
    err_clear(&err);
    if (parquet_column_index_read(bytes, &arena, &bounds, &err) == 0 && bounds.count > size)
        __builtin_trap();
    arena_free(&arena);
    return 0;
}
