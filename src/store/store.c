/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "object/directory.h"
#include "object/fault.h"
#include "object/lock.h"
#include "store/path.h"
#include "store/recover.h"

/* In build/varve-fault, the faults that VARVE_FAULT asks for: see fault.h. Nothing in varve. */
static int install_faults(struct store *store, struct err *err)
{
#ifdef VARVE_FAULT_INJECTION
    const char *text = getenv("VARVE_FAULT");
    if (text == NULL)
        return 0;
    store->fault = store_fault_new(text, err);
    if (store->fault == NULL)
        return -1;
    store->system = (struct store_system){store_fault_hook, store->fault};
#else
    (void)store;
    (void)err;
#endif
    return 0;
}

static void set_config(struct store *store, const struct store_config *config)
{
    struct buf name = {0};
    store_path_escape(&name, slice_of(config->instance));
    store->system = config->system;
    store->root = text_copy(config->root);
    store->instance = text_copy(config->instance);
    store->instance_name = text_copy(buf_text(&name));
    store->engine = text_copy(config->engine);
    store->schema = config->schema;
    store->root_dir = store->temporary_dir = store->log_dir = store->lock = -1;
    store->opened = clock_wall();
    atomic_init(&store->next_file, 0);
    buf_free(&name);
}

/* A directory in the root. That it is durable counts, not that we made it. */
static int open_inside(struct store *store, const char *path, struct err *err)
{
    struct buf parent = {0};
    int fd = store_directory_open(&store->system, store->root_dir, path, err);
    store_directory_parent(&parent, slice_of(path));
    if (fd >= 0 &&
        store_directory_sync(&store->system, store->root_dir, buf_text(&parent), err) < 0) {
        (void)close(fd); /* a directory */
        fd = -1;
    }
    buf_free(&parent);
    return fd;
}

/* The directory of unfinished files, and the lock in it. */
static int open_temporary(struct store *store, int *dir, int *lock, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, ".varve/%s", store->instance_name);
    *lock = -1;
    *dir = open_inside(store, buf_text(&path), err);
    if (*dir >= 0) {
        buf_reset(&path);
        buf_printf(&path, "%s as instance %s", store->root, store->instance);
        *lock = store_lock(&store->system, *dir, buf_text(&path), err);
    }
    buf_free(&path);
    return *lock < 0 ? -1 : 0;
}

static int open_directories(struct store *store, struct err *err)
{
    store->root_dir = store_directory_open(&store->system, AT_FDCWD, store->root, err);
    if (store->root_dir < 0 || open_temporary(store, &store->temporary_dir, &store->lock, err) < 0)
        return -1;
    store->log_dir = open_inside(store, "_delta_log", err);
    return store->log_dir < 0 ? -1 : 0;
}

struct store *store_open(const struct store_config *config, struct err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        out_of_memory(sizeof(*store));
    set_config(store, config);
    if (install_faults(store, err) < 0 || open_directories(store, err) < 0 ||
        store_recover(store, err) < 0) {
        (void)err_prefix(err, "%s", config->root);
        store_close(store);
        return NULL;
    }
    return store;
}

static void close_directory(int fd)
{
    if (fd >= 0)
        (void)close(fd); /* nothing is written through it */
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    close_directory(store->log_dir);
    close_directory(store->temporary_dir);
    close_directory(store->root_dir);
    close_directory(store->lock);
    positions_free(&store->positions);
    positions_free(&store->current);
    positions_free(&store->coming);
    store_entry_free(&store->entry);
    map_free(&store->durable);
    store_fault_free(store->fault);
    free(store->root);
    free(store->instance);
    free(store->instance_name);
    free(store->engine);
    free(store);
}

/* ---- what was removed under us ---- */

static bool is_removed(const struct store *store, int dir)
{
    struct stat st;
    if (store_system_stat(&store->system, dir, ".", &st) < 0)
        return errno == ESTALE || errno == ENOENT;
    return st.st_nlink == 0;
}

/* Let the descriptor mean `other` from now on. The number stays, so that a thread which asks for
 * the free space at this moment asks of one directory or of the other. */
static int replace(int fd, int other, struct err *err)
{
    int result = dup3(other, fd, O_CLOEXEC);
    int system = errno;
    (void)close(other); /* the descriptor goes on under the other number */
    return result < 0 ? err_set_system(err, system, "can't reopen a directory") : 0;
}

static int reopen_temporary(struct store *store, struct err *err)
{
    int dir, lock;
    if (open_temporary(store, &dir, &lock, err) < 0) {
        close_directory(dir);
        return -1;
    }
    int result = replace(store->temporary_dir, dir, err);
    return replace(store->lock, lock, err) < 0 ? -1 : result;
}

static int reopen_one(int fd, int other, struct err *err)
{
    return other < 0 ? -1 : replace(fd, other, err);
}

static int reopen(struct store *store, struct err *err)
{
    if (is_removed(store, store->root_dir) &&
        reopen_one(store->root_dir,
                   store_directory_open(&store->system, AT_FDCWD, store->root, err), err) < 0)
        return -1;
    if (is_removed(store, store->temporary_dir) && reopen_temporary(store, err) < 0)
        return -1;
    if (is_removed(store, store->log_dir) &&
        reopen_one(store->log_dir, open_inside(store, "_delta_log", err), err) < 0)
        return -1;
    struct store_recovery found = store->recovery; /* by store_open: that stays */
    int result = store_recover_table(store, err);
    store->recovery = found;
    return result;
}

int store_reopen(struct store *store, bool *reopened, struct err *err)
{
    *reopened = false;
    bool log = is_removed(store, store->log_dir);
    /* With its log in place, a commit that has begun to move files can only go on. */
    bool again =
        log || (store->stage <= STORE_STAGE_PENDING && is_removed(store, store->temporary_dir));
    store->reopening = store->reopening || again;
    if (!store->reopening)
        return 0;
    if (reopen(store, err) < 0)
        return err_prefix(err, "%s was removed", store->root);
    map_reset(&store->durable);
    store_entry_reset(&store->entry);
    store->stage = STORE_IDLE;
    store->epoch = NULL;
    store->reopening = false;
    *reopened = true;
    return 0;
}

int store_free_bytes(const struct store *store, uint64_t *bytes, struct err *err)
{
    if (store_system_free_bytes(&store->system, store->root_dir, bytes) < 0)
        return err_set_system(err, errno, "can't ask for the free space of %s", store->root);
    return 0;
}
