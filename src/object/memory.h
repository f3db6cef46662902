/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_MEMORY_H
#define VARVE_OBJECT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "object/system.h"

/*
 * A disk in memory, for tests: a file system behind the calls of struct system, so that the code
 * that runs on real disks runs on this one unchanged. It knows what a power cut spares:
 *
 *   - the bytes of a file as of its last fdatasync or fsync. Of what was written since, all, none,
 *     the beginning, or the length without the bytes;
 *   - the names in a directory as of its last fsync. Of what was made, moved or removed since, any
 *     part, but what happened to one name in order, and a rename as a whole (as every journaling
 *     file system does it): old and new name change together, and one fsync of either directory
 *     makes both last.
 *
 * A file's fsync does not make its name last; a directory's says nothing of the bytes of its files.
 * What survives is drawn from a seed, so a history can be repeated.
 *
 * All paths begin at one directory, which is both "/" and the working directory. For one thread.
 */
struct memory_disk;

struct memory_disk *memory_disk_new(uint64_t seed);
void memory_disk_free(struct memory_disk *disk);

/* To be put into the configuration of a store. Borrows the disk. */
struct system memory_disk_system(struct memory_disk *disk);

/* How many calls were made, those that failed included; not close. */
uint64_t memory_disk_calls(const struct memory_disk *disk);

/*
 * Let the `number`-th call from now (1: the next) of this kind fail, once; SYSTEM_CALL_COUNT is any
 * kind. A sync that fails loses what it should have made last, though it can still be read, and the
 * next one succeeds without it: that is what Linux does.
 */
void memory_disk_fail(struct memory_disk *disk, enum system_call call, uint64_t number, int error);

/* Let the power fail in front of the `number`-th call from now (1: the next). That one and all
 * behind it fail with EIO. */
void memory_disk_cut(struct memory_disk *disk, uint64_t number);
bool memory_disk_is_off(const struct memory_disk *disk);

/* Begin again, with no file open and no lock held: after a power cut with what it has spared, else
 * (the process was killed) with all that was done. */
void memory_disk_restart(struct memory_disk *disk, bool power_cut);

/* Bytes that files may have in all, ENOSPC beyond; and how many they have. */
void memory_disk_set_room(struct memory_disk *disk, uint64_t bytes);
uint64_t memory_disk_used(const struct memory_disk *disk);

/* Let so many of a thousand reads and writes move fewer bytes than asked for. */
void memory_disk_shorten(struct memory_disk *disk, uint64_t permille);

/* Several processes may share a disk. Descriptors belong to the owner that was named last; all of
 * one are closed, and its locks given back, when it ends. */
void memory_disk_own(struct memory_disk *disk, const void *owner);
void memory_disk_close_all(struct memory_disk *disk, const void *owner);

/* Call `before` in front of each rename, with the new name: what another process does at that
 * moment. NULL: nothing. */
typedef void memory_before_rename(void *context, const char *name);
void memory_disk_before_rename(struct memory_disk *disk, memory_before_rename *before,
                               void *context);

#endif
