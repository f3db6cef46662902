/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_MEMORY_PART_H
#define VARVE_OBJECT_MEMORY_PART_H

#include "base/array.h"
#include "base/buf.h"
#include "base/map.h"
#include "object/memory.h"

/* Between memory.c, which has the calls, and memory_disk.c, which has the disk. */

enum {
    MEMORY_NONE = 0, /* no inode */
    MEMORY_ROOT = 1,
    MEMORY_FD_FIRST = 1 << 20, /* no descriptor of the kernel's, should one get here */
};

/* The names in a directory. A name that was removed stays, with MEMORY_NONE. */
struct memory_names {
    struct map names;
    ARRAY(uint32_t) inodes;
};

struct memory_inode {
    bool folder;
    uint32_t links;
    struct memory_names live, durable; /* of a folder: as seen, and as a power cut spares it */
    struct buf bytes, spared;          /* of a file: the same */
    bool dirty;                        /* `bytes` are not `spared` yet */
    bool lost;                         /* a sync has failed: no other will make them last */
    int64_t modified;
};

/* What happened to the names and does not last yet. */
struct memory_effect {
    uint32_t folder, inode; /* MEMORY_NONE: the name is removed */
    char *name;
};

struct memory_change {
    struct memory_effect effects[2];
    uint32_t count;
};

enum memory_lock { MEMORY_UNLOCKED, MEMORY_SHARED, MEMORY_LOCKED };

struct memory_open {
    uint32_t inode; /* MEMORY_NONE: closed */
    enum memory_lock lock;
    const void *owner;
};

struct memory_disk {
    ARRAY(struct memory_inode) inodes; /* the first stands for MEMORY_NONE */
    ARRAY(struct memory_change) changes;
    ARRAY(struct memory_open) open;
    uint64_t random;
    uint64_t calls;
    uint64_t room, used;
    bool off;
    uint64_t cut_at; /* the number of a call; 0: never */
    enum system_call fail_call;
    uint64_t fail_left; /* 0: never */
    int fail_error;
    uint64_t shorten;
    const void *owner;
    memory_before_rename *before;
    void *before_context;
};

uint64_t memory_disk_random(struct memory_disk *disk);

/* The inode of a name, or MEMORY_NONE. */
uint32_t memory_find(const struct memory_names *names, const char *name);

/* What is at a path from the root: as seen, or as a power cut would surely spare it. MEMORY_NONE
 * with errno. */
uint32_t memory_look_up(const struct memory_disk *disk, const char *path, bool durable);

/* A new file or folder, which has no name yet. */
uint32_t memory_make(struct memory_disk *disk, bool folder);

/* Change one name, or two at once: seen at once, to last later. */
void memory_change(struct memory_disk *disk, const struct memory_effect *effects, uint32_t count);

/* What fsync of a folder, of a file, and syncfs make last. */
void memory_sync_folder(struct memory_disk *disk, uint32_t folder);
void memory_sync_file(struct memory_disk *disk, uint32_t file);
void memory_sync_all(struct memory_disk *disk);

/* What the same has lost when it failed. */
void memory_lose(struct memory_disk *disk, uint32_t file);

extern const struct system_calls memory_calls;

#endif
