/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_DISK_H
#define VARVE_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "object/system.h"
#include "random.h"

/*
 * The disk in memory of object/memory.h, shared by processes that can die and calls that can fail.
 * Descriptors belong to a process; one that is dead changes nothing any more.
 */
struct disk;

struct disk_process {
    bool dead;
    int64_t dies_at; /* at the so many-th call from now; 0: not */
};

struct disk_faults {
    uint64_t fail;         /* permille of calls that fail with EIO, */
    uint64_t fail_sync;    /* of fsync and fdatasync, */
    uint64_t short_writes; /* and of writes that write only a part */
};

struct disk *disk_new(uint64_t seed);
void disk_free(struct disk *d);

/* What varve is given. */
struct system disk_system(struct disk *d);

/* Who makes the calls from now on. */
void disk_switch(struct disk *d, struct disk_process *process);
void disk_set_faults(struct disk *d, struct disk_faults faults);
/* Bytes that it holds at most. */
void disk_set_capacity(struct disk *d, uint64_t bytes);
uint64_t disk_used(const struct disk *d);

/* Called in front of each rename, with the new name: somebody else
 * may be faster. */
typedef void disk_rival(void *context, const char *name);
void disk_set_rival(struct disk *d, disk_rival *rival, void *context);

/* The process is gone: its descriptors and locks, too. */
void disk_close_all(struct disk *d, struct disk_process *process);

/* The power was cut and is back. All processes are gone. */
void disk_cut_power(struct disk *d);

/* Append the content of a file; false if there is none. With `durable`, as far as it would be there
 * after a power cut, in the worst case. */
bool disk_read(struct disk *d, const char *path, bool durable, struct buf *out);

/* Make a durable file, as another process would, if there is none; */
void disk_write(struct disk *d, const char *path, struct slice content);
/* or in place of one, with the folders that it needs. */
void disk_put(struct disk *d, const char *path, struct slice content);

/* When it was made or written, ns since 1970; 0: there is none. */
int64_t disk_modified(struct disk *d, const char *path);

/* Visit all files below a directory, their paths as they would be given to disk_read. */
void disk_walk(struct disk *d, const char *path,
               void (*visit)(void *context, const char *path, uint64_t size), void *context);

/* What an operator does: remove a file or a directory with all that is in it, copy one. */
void disk_remove_tree(struct disk *d, const char *path);
void disk_copy_tree(struct disk *d, const char *from, const char *to);

#endif
