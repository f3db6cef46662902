/* SPDX-License-Identifier: MIT */
#include "object/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"

void store_file_name(char out[static STORE_FILE_NAME_MAX], const char *id)
{
    (void)snprintf(out, STORE_FILE_NAME_MAX, "%s" STORE_FILE_ENDING, id); /* ids are short */
}

struct store_file *store_file_create(struct store *store, struct err *err)
{
    struct store_file *file = calloc(1, sizeof(*file));
    if (file == NULL)
        out_of_memory(sizeof(*file));
    file->store = store;
    uint64_t number = (uint64_t)atomic_fetch_add(&store->next_file, 1);
    (void)snprintf(file->id, sizeof(file->id), "%016" PRIx64 "-%" PRIu64, (uint64_t)store->opened,
                   number); /* at most 16 + 1 + 20 characters */
    char name[STORE_FILE_NAME_MAX];
    store_file_name(name, file->id);
    file->fd = store_system_openat(&store->system, store->temporary_dir, name,
                                   O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (file->fd < 0) {
        (void)err_set_system(err, errno, "can't make a file in %s/.varve", store->root);
        free(file);
        return NULL;
    }
    return file;
}

int store_file_write(struct store_file *file, const void *data, size_t len, struct err *err)
{
    ASSERT(file->fd >= 0);
    const uint8_t *bytes = data;
    size_t done = 0;
    while (done < len) {
        ssize_t put = store_system_pwrite(&file->store->system, file->fd, bytes + done, len - done,
                                          (off_t)(file->size + done));
        if (put <= 0)
            return err_set_system(err, put < 0 ? errno : EIO, "can't write to %s/.varve",
                                  file->store->root);
        done += (size_t)put;
    }
    file->size += len;
    return 0;
}

void store_file_begin_sync(struct store_file *file)
{
    store_system_begin_sync(file->fd);
}

int store_file_finish(struct store_file *file, struct err *err)
{
    ASSERT(file->fd >= 0);
    int result = store_system_fdatasync(&file->store->system, file->fd);
    int system = errno;
    if (close(file->fd) < 0 && result == 0) { /* NFS reports late errors here */
        result = -1;
        system = errno;
    }
    file->fd = -1;
    if (result < 0)
        return err_set_system(err, system, "can't make a file in %s/.varve durable",
                              file->store->root);
    file->finished = true;
    return 0;
}

void store_file_abandon(struct store_file *file)
{
    if (file == NULL)
        return;
    char name[STORE_FILE_NAME_MAX];
    store_file_name(name, file->id);
    /* What stays because of an error is removed by the next store_open. */
    (void)store_system_unlink(&file->store->system, file->store->temporary_dir, name);
    store_file_free(file);
}

void store_file_free(struct store_file *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        (void)close(file->fd); /* nobody relies on its content any more */
    free(file);
}
