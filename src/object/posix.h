/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_POSIX_H
#define VARVE_OBJECT_POSIX_H

#include "object/object.h"
#include "object/system.h"

/*
 * An object store that is a directory. Any number of processes may have it open; each that writes
 * has a name, and no two of them the same. In the directory:
 *
 *     <name of an object>                 a file, whole and never changed
 *     <entries>/.pending-<writer>         the text of a commit under way
 *     .varve/<writer>/lock                held while the writer runs
 *     .varve/<writer>/<id>.inprogress     what is staged
 *     .varve/<writer>/swap, swap.record   a swap under way
 *     .varve/%lock, .varve/%waiting       see below
 *
 * What is staged is in one private directory, not beside its place: it is on the same file system,
 * one fsync makes all its names durable, what a crash leaves is found without walking the tree, and
 * no pattern that ends in .parquet matches there.
 *
 * A commit, step by step:
 *
 *   1. the members are finished already (object_finish); their temporary names are made durable;
 *   2. the text is written to .pending-<writer> and made durable;
 *   3. folders are made where they are missing, and made durable; each file is moved to its place,
 *      replacing nothing; the folders are made durable again;
 *   4. .pending becomes the entry, replacing nothing; made durable.
 *
 * Who writes what anew after an error: the members never; .pending, when its own fsync failed, as a
 * new file; moves are repeated; fsync of a directory is repeated. A crash after step 2 is resumed
 * from step 3 on, always forward: the members are durable under one of their names.
 *
 * A swap, which is for a writer that commits nothing else:
 *
 *   1. .varve/<writer>/swap/ is made; the new files, finished before, get their names in it;
 *   2. nobody else moves files: .varve/%lock is held alone, where commits share it for their steps
 *      3 and 4. A commit that waits for it shares .varve/%waiting meanwhile, and goes before the
 *      next swap. What else is in the folder gets a second name in swap/, which is made durable;
 *   3. the text is written to .pending-<writer>, then .varve/<writer>/swap.record; both durable;
 *   4. swap/ and the folder change places; made durable;
 *   5. .pending becomes the entry, replacing nothing; made durable;
 *   6. the lock is given back, the old files are removed, then the record.
 *
 * A crash before step 5 is taken back by object_settle: while there is a record and .pending, the
 * folders change places again, and what came to the new one is carried over to the old one. Later,
 * the old files are removed. With `keep`, the new files are moved beside the old ones in step 4.
 */
struct object_posix_config {
    const char *root;        /* made if missing, with its parents, by a writer */
    const char *entries;     /* the folder of entries: one part of a name, and a '/' */
    const char *writer;      /* its name, for people. NULL: only reads, and locks nothing */
    const char *writer_name; /* as part of a file name: distinct for distinct writers */
    struct system system;    /* zeroed: the plain system */
    struct buf *doubts;      /* of a writer that is to probe the file system, else NULL: see
                                object_posix_probe */
};

/* NULL on errors: ERR_REFUSED if another process runs as this writer, or if the file system was
 * probed and can't do it, ERR_SYSTEM. What the entries
 * are seen to be is durable from here on: nothing is built on what could still vanish. */
struct object_store *object_posix_open(const struct object_posix_config *config, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Can the file system of this folder do what a commit relies on? It is tried with a few small
 * files, which are removed again. ERR_REFUSED if it can't; what is only worth knowing is appended
 * to `doubts`, with "; " between. A disk that is full or broken says nothing of its file system: 0.
 */
int object_posix_probe(const char *folder, struct buf *doubts, struct err *err)
    __attribute__((warn_unused_result));

/* An object that is there while a swap of the writer with this name is under way. */
#define OBJECT_POSIX_SWAP(writer_name) ".varve/" writer_name "/swap.record"

enum { OBJECT_POSIX_OWNER_MAX = 32 };

/* Does a process run as the writer that `config` names? `owner` is its number then, "?" if it has
 * not written it. Makes nothing; the lock is tried, though, where nobody holds it: a writer that
 * comes in the very moment is refused. ERR_SYSTEM if it can't be told. */
int object_posix_is_running(const struct object_posix_config *config, bool *running,
                            char owner[static OBJECT_POSIX_OWNER_MAX], struct err *err)
    __attribute__((warn_unused_result));

#endif
