/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_FUZZ_MEMORY_STORE_H
#define VARVE_TESTS_FUZZ_MEMORY_STORE_H

#include "base/assert.h"
#include "object/memory.h"
#include "object/posix.h"

/* A store on `disk`, which is borrowed until it is closed. */
static inline struct object_store *memory_store_open(struct memory_disk *disk)
{
    struct object_posix_config config = {.root = "root",
                                         .entries = "_delta_log/",
                                         .writer = "w",
                                         .writer_name = "w",
                                         .system = memory_disk_system(disk)};
    struct err err = {0};
    struct object_store *store = object_posix_open(&config, &err);
    ASSERT(store != NULL);
    return store;
}

#endif
