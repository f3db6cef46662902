/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_FILE_H
#define VARVE_OBJECT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/*
 * A file that is being written under a temporary name which no reader looks at. It gets its place
 * in the table by store_commit.
 *
 *     create -> write ... -> finish -> store_commit -> free
 *                  \______________________ abandon
 */
#define STORE_FILE_ENDING ".inprogress"

enum {
    STORE_FILE_ID_MAX = 48,                       /* a time, a number, and a NUL */
    STORE_FILE_NAME_MAX = STORE_FILE_ID_MAX + 16, /* with its ending */
};

struct store_file {
    const struct store *store;
    int fd;        /* -1 once it is finished */
    uint64_t size; /* bytes written */
    bool finished;
    char id[STORE_FILE_ID_MAX]; /* unique in this instance; the temporary name without its ending */
};

/* Owned by the caller. NULL and ERR_SYSTEM if it can't be made. */
struct store_file *store_file_create(struct store *store, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Append `len` bytes, all or (as far as anyone can see) none: after an error the same call may be
 * made again, when the disk has room again, and the file goes on as if nothing had happened.
 */
int store_file_write(struct store_file *file, const void *data, size_t len, struct err *err)
    __attribute__((warn_unused_result));

/* The content is complete, and store_file_finish will be called soon: have the system begin what
 * that waits for. A hint: what goes wrong is told by store_file_finish. */
void store_file_begin_sync(struct store_file *file);

/*
 * Make the content durable and close the file. A failure is final: what the kernel could not write
 * it may have thrown away, and a second fsync would succeed without it. The file must be abandoned
 * and its rows written to a new one.
 */
int store_file_finish(struct store_file *file, struct err *err) __attribute__((warn_unused_result));

/* Remove the file, in whatever state it is, and free the struct. Accepts NULL. Not for files of an
 * epoch that was given to store_commit, unless store_reopen has forgotten it. */
void store_file_abandon(struct store_file *file);

/* Free the struct of a file that was committed. Accepts NULL. */
void store_file_free(struct store_file *file);

/* The temporary name of the file with this id, in .varve/<instance>/. */
void store_file_name(char out[static STORE_FILE_NAME_MAX], const char *id);

#endif
