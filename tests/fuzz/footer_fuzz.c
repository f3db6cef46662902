/* SPDX-License-Identifier: MIT */
#include "parquet/read/leaf.h"
#include "parquet/read/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as a footer: an error, or metadata whose memory follows the size of the input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_file_metadata metadata;
    struct parquet_leaf *leaves = NULL;
    uint32_t count = 0;
    if (parquet_metadata_read((struct slice){data, size}, &arena, &metadata, &err) == 0 &&
        parquet_leaves(&metadata, &arena, &leaves, &count, &err) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            if (leaves[i].name.len > size + PARQUET_PATH_MAX)
                __builtin_trap();
        }
    } else if (!err_is_set(&err)) {
        __builtin_trap();
    }
    arena_free(&arena);
    return 0;
}
