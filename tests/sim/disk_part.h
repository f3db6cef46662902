/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_DISK_PART_H
#define VARVE_TESTS_SIM_DISK_PART_H

#include "disk.h"

/* What the files of the disk share. */

enum {
    DISK_OPEN_MAX = 1024,
    DISK_FIRST = 1 << 20, /* descriptors are from here on: no mistake for one of the system's */
    DISK_NODE_BYTES = 256,
};

struct disk_node;

struct disk_name {
    char *name;
    struct disk_node *node;
};

struct disk_names {
    struct disk_name *list;
    size_t count, cap;
};

/* A name that was given or, where node is NULL, taken away, and is not durable yet. */
struct disk_change_entry {
    char *name;
    struct disk_node *node;
    uint64_t pair; /* of a rename; 0: none */
    bool survives;
};

struct disk_changes {
    struct disk_change_entry *list;
    size_t count, cap;
};

struct disk_node {
    struct disk_node *next;
    uint64_t number;
    bool folder, marked;
    bool dirty; /* data is not in `durable`, and a sync would bring it there */
    int64_t modified;
    struct buf data, durable;
    struct disk_names names, durable_names;
    struct disk_changes changes;
};

struct disk_open {
    struct disk_node *node;
    struct disk_process *process;
    bool locked;
};

struct disk {
    struct disk_node *nodes, *root;
    uint64_t last_number, last_pair;
    struct disk_open open[DISK_OPEN_MAX];
    struct disk_process *process;
    struct disk_faults faults;
    uint64_t capacity;
    disk_rival *rival;
    void *rival_context;
    struct sim_random random;
};

struct disk_node *disk_look_up(struct disk_node *from, const char *path, bool durable);
struct disk_node *disk_find_name(const struct disk_names *names, const char *name, size_t len);
struct disk_node *disk_make(struct disk *d, struct disk_node *folder, const char *name,
                            bool is_folder);
/* Give a name, or take it away. */
void disk_change(struct disk *d, struct disk_node *folder, const char *name, struct disk_node *node,
                 uint64_t pair);
void disk_sync_node(struct disk *d, struct disk_node *n);
/* A sync that failed. */
void disk_lose_node(struct disk_node *n);
void disk_collect(struct disk *d);

#endif
