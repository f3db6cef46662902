/* SPDX-License-Identifier: MIT */
#include "store/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/clock.h"
#include "object/directory.h"
#include "delta/entry.h"
#include "object/file.h"
#include "store/log.h"
#include "store/publish.h"
#include "delta/table.h"

enum { UUID_TEXT = 37 };

/* A random UUID (RFC 9562, version 4). */
static void make_uuid(char out[static UUID_TEXT])
{
    uint8_t b[16];
    ASSERT(getrandom(b, sizeof(b), 0) == (ssize_t)sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, UUID_TEXT,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

/* ---- the table ---- */

/* Another instance may be making it at this moment: whoever comes first wins. */
static int create_table(struct store *store, struct err *err)
{
    struct buf entry = {0};
    struct buf writing = {0};
    char id[UUID_TEXT];
    char name[STORE_LOG_NAME_MAX];
    make_uuid(id);
    store_log_name(name, 0);
    store_writing_name(&writing, store);
    delta_table_create(&entry, store->schema, id, store->engine, clock_wall());
    int result =
        store_log_write(&store->system, store->log_dir, buf_text(&writing), buf_slice(&entry), err);
    if (result == 0 &&
        store_system_rename_noreplace(&store->system, store->log_dir, buf_text(&writing),
                                      store->log_dir, name) < 0 &&
        errno != EEXIST)
        result = err_set_system(err, errno, "can't make _delta_log/%s", name);
    if (result == 0)
        result = store_directory_sync(&store->system, store->log_dir, ".", err);
    store->recovery.created = true;
    buf_free(&entry);
    buf_free(&writing);
    return result;
}

static int check_table(const struct store *store, const struct store_versions *versions,
                       struct err *err)
{
    struct buf entry = {0};
    char name[STORE_LOG_NAME_MAX];
    if (versions->list[0] != 0)
        return 0; /* cleaned up; whoever could do that has read what the table is */
    store_log_name(name, 0);
    int result = store_log_read(&store->system, store->log_dir, name, false, &entry, err);
    if (result == 0 && delta_table_check_entry(buf_slice(&entry), store->schema, err) < 0)
        result = err_prefix(err, "the table that _delta_log/%s describes", name);
    buf_free(&entry);
    return result;
}

static int open_table(struct store *store, struct store_versions *versions, struct err *err)
{
    if (store_log_list(&store->system, store->log_dir, versions, err) < 0)
        return -1;
    if (versions->count == 0) {
        store_versions_free(versions);
        if (create_table(store, err) < 0 ||
            store_log_list(&store->system, store->log_dir, versions, err) < 0)
            return -1;
    }
    if (versions->count == 0)
        return err_set(err, ERR_FORMAT, "_delta_log is being emptied by somebody");
    store->recovery.entries = versions->count;
    store->next_version = versions->list[versions->count - 1] + 1;
    return check_table(store, versions, err);
}

int store_recover_table(struct store *store, struct err *err)
{
    struct store_versions versions = {0};
    int result = open_table(store, &versions, err);
    store_versions_free(&versions);
    return result;
}

/* ---- an interrupted commit ---- */

/* True if .pending is an entry already: it was linked, but not removed. */
static int is_linked(const struct store *store, const struct store_versions *versions,
                     const char *name, bool *linked, struct err *err)
{
    struct stat st;
    *linked = false;
    if (store_system_stat(&store->system, store->log_dir, name, &st) < 0)
        return err_set_system(err, errno, "can't stat _delta_log/%s", name);
    if (st.st_nlink < 2)
        return 0;
    return store_log_find_inode(&store->system, store->log_dir, versions, st.st_ino, linked, err);
}

static int finish_commit(struct store *store, const char *name, struct err *err)
{
    bool own;
    store_entry_reset(&store->entry);
    if (store_log_read(&store->system, store->log_dir, name, false, &store->entry.text, err) < 0)
        return -1;
    const struct buf *text = &store->entry.text;
    const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    struct slice line = {text->data, end == NULL ? 0 : (size_t)(end - text->data)};
    if (store_entry_positions(&store->coming, &own, line, store->instance, err) < 0 ||
        store_entry_parse(&store->entry, err) < 0)
        return err_prefix(err, "_delta_log/%s", name);
    if (!own)
        return err_set(err, ERR_FORMAT, "_delta_log/%s is not a commit of this instance", name);
    store->stage = STORE_STAGE_MOVE;
    return store_publish(store, err);
}

static int recover_commit(struct store *store, const struct store_versions *versions,
                          struct err *err)
{
    struct buf name = {0};
    struct stat st;
    bool linked = false;
    int result = -1;
    store_pending_name(&name, store);
    if (store_system_stat(&store->system, store->log_dir, buf_text(&name), &st) < 0) {
        result = errno == ENOENT
                     ? 0
                     : err_set_system(err, errno, "can't stat _delta_log/%s", buf_text(&name));
        goto out;
    }
    if (is_linked(store, versions, buf_text(&name), &linked, err) < 0)
        goto out;
    if (!linked) {
        result = finish_commit(store, buf_text(&name), err);
        store->recovery.rolled_forward = result == 0;
        goto out;
    }
    if (store_system_unlink(&store->system, store->log_dir, buf_text(&name)) < 0) {
        (void)err_set_system(err, errno, "can't remove _delta_log/%s", buf_text(&name));
        goto out;
    }
    result = 0;
out:
    buf_free(&name);
    return result;
}

/* ---- what is left over ---- */

static void note_unfinished(void *context, const char *name)
{
    struct map *names = context;
    size_t len = strlen(name);
    size_t ending = strlen(STORE_FILE_ENDING);
    bool added;
    if (len > ending && strcmp(name + len - ending, STORE_FILE_ENDING) == 0)
        (void)map_put(names, slice_of(name), &added);
}

static int remove_unfinished(struct store *store, struct err *err)
{
    struct map names = {0};
    struct buf name = {0};
    int result = 0;
    if (store_system_list(&store->system, store->temporary_dir, note_unfinished, &names) < 0)
        result = err_set_system(err, errno, "can't list .varve/%s", store->instance_name);
    for (uint32_t i = 0; i < names.count && result == 0; i++) {
        buf_reset(&name);
        buf_append_slice(&name, map_key(&names, i));
        if (store_system_unlink(&store->system, store->temporary_dir, buf_text(&name)) < 0)
            result = err_set_system(err, errno, "can't remove .varve/%s/%s", store->instance_name,
                                    buf_text(&name));
        else
            store->recovery.files_removed++;
    }
    store_writing_name(&name, store);
    if (result == 0 && store_system_unlink(&store->system, store->log_dir, buf_text(&name)) < 0 &&
        errno != ENOENT)
        result = err_set_system(err, errno, "can't remove _delta_log/%s", buf_text(&name));
    map_free(&names);
    buf_free(&name);
    return result;
}

int store_recover(struct store *store, struct err *err)
{
    struct store_versions versions = {0};
    bool found = true;
    int result = -1;
    if (store_directory_sync(&store->system, store->log_dir, ".", err) < 0 ||
        open_table(store, &versions, err) < 0 || recover_commit(store, &versions, err) < 0)
        goto out;
    if (!store->recovery.rolled_forward &&
        store_log_positions(&store->system, store->log_dir, &versions, store->instance,
                            &store->current, &found, &store->recovery.entries_read, err) < 0)
        goto out;
    positions_copy(&store->positions, &store->current);
    store->recovery.forgotten = !found && versions.list[0] != 0;
    result = remove_unfinished(store, err);
out:
    store_versions_free(&versions);
    return result;
}
