/* SPDX-License-Identifier: MIT */
#include "store/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "delta/entry.h"
#include "delta/log.h"
#include "delta/table.h"
#include "store/commit.h"

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

/* Another instance may be making it at this moment: whoever comes first wins. */
static int create_table(struct store *store, struct err *err)
{
    struct buf entry = {0};
    char id[UUID_TEXT];
    bool taken;
    make_uuid(id);
    delta_table_create(&entry, store->schema, id, store->engine, clock_wall());
    int result = delta_entry_append(store->objects, 0, buf_slice(&entry), &taken, err);
    store->recovery.created = true;
    buf_free(&entry);
    return result;
}

static int check_table(const struct store *store, const struct delta_listing *log, struct err *err)
{
    struct buf entry = {0};
    struct buf name = {0};
    bool found;
    if (log->entries.list[0] != 0)
        return 0; /* cleaned up; whoever could do that has read what the table is */
    int result = delta_entry_read(store->objects, 0, &entry, &found, err);
    if (result == 0 && found &&
        delta_table_check_entry(buf_slice(&entry), store->schema, err) != 0) {
        delta_entry_name(&name, 0);
        result = err_prefix(err, "the table that %s describes", buf_text(&name));
    }
    buf_free(&entry);
    buf_free(&name);
    return result;
}

static int open_table(struct store *store, struct delta_listing *log, struct err *err)
{
    if (delta_log_list(store->objects, 0, log, err) != 0)
        return -1;
    if (log->entries.count == 0 && !log->checkpoint.found) {
        if (create_table(store, err) != 0 || delta_log_list(store->objects, 0, log, err) != 0)
            return -1;
    }
    if (log->entries.count == 0)
        return err_set(err, ERR_FORMAT, "_delta_log is being emptied by somebody");
    store->recovery.entries = log->entries.count;
    store->next_version = log->entries.list[log->entries.count - 1] + 1;
    return check_table(store, log, err);
}

int store_recover_table(struct store *store, struct err *err)
{
    struct delta_listing log = {0};
    int result = open_table(store, &log, err);
    delta_listing_free(&log);
    return result;
}

struct interrupted {
    struct store *store;
    struct store_entry entry;
    struct object_member *members; /* of the group; they own their names */
};

static int interrupted_text(void *context, const char *const *names, struct buf *out,
                            struct err *err)
{
    struct interrupted *i = context;
    (void)err; /* nothing can fail here */
    for (size_t move = 0; move < i->entry.count; move++)
        store_entry_set_path(&i->entry, move, slice_of(names[move]));
    buf_append_slice(out, buf_slice(&i->entry.text));
    return 0;
}

static int interrupted_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct interrupted *i = context;
    return store_next_entry(i->store, taken, out, err);
}

/* Read the positions and the files of the entry. */
static int parse_interrupted(struct interrupted *i, struct err *err)
{
    bool own;
    const struct buf *text = &i->entry.text;
    const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    struct slice line = {text->data, end == NULL ? 0 : (size_t)(end - text->data)};
    if (store_entry_positions(&i->store->current, &own, line, i->store->instance, err) != 0 ||
        store_entry_parse(&i->entry, err) != 0)
        return -1;
    if (!own)
        return err_set(err, ERR_FORMAT, "it is not a commit of this instance");
    i->members = calloc(i->entry.count + 1, sizeof(*i->members));
    if (i->members == NULL)
        out_of_memory((i->entry.count + 1) * sizeof(*i->members));
    for (size_t move = 0; move < i->entry.count; move++) {
        struct buf path = {0};
        store_entry_path(&path, &i->entry, move);
        i->members[move] =
            (struct object_member){i->entry.moves[move].id, text_copy_slice(buf_slice(&path))};
        buf_free(&path);
    }
    return 0;
}

static void free_interrupted(struct interrupted *i)
{
    for (size_t move = 0; i->members != NULL && move < i->entry.count; move++)
        free((char *)i->members[move].name);
    free(i->members);
    store_entry_free(&i->entry);
}

static int recover_commit(struct store *store, struct err *err)
{
    struct interrupted i = {.store = store};
    bool found;
    int result = object_interrupted(store->objects, &i.entry.text, &found, err);
    if (result == 0 && found) {
        result = parse_interrupted(&i, err);
        if (result != 0)
            (void)err_prefix(err, "the interrupted commit, _delta_log/.pending-%s",
                             store->instance);
    }
    if (result == 0 && found) {
        struct object_group group = {i.members, i.entry.count, interrupted_text, interrupted_name,
                                     &i};
        result = object_resume(store->objects, &group, &store->recovery.rolled_forward, err);
        if (store->recovery.rolled_forward)
            store->next_version++;
        else
            positions_free(&store->current);
    }
    free_interrupted(&i);
    return result;
}

int store_read_positions(struct store *store, struct positions *out, bool *found, uint64_t *read,
                         struct err *err)
{
    struct delta_listing log = {0};
    struct buf line = {0};
    struct buf name = {0};
    *found = false;
    *read = 0;
    *out = (struct positions){0};
    int result = delta_log_list(store->objects, 0, &log, err);
    for (size_t i = log.entries.count; i > 0 && !*found && result == 0; i--) {
        bool there;
        result =
            delta_entry_first_line(store->objects, log.entries.list[i - 1], &line, &there, err);
        if (result != 0)
            break;
        ++*read;
        result = store_entry_positions(out, found, buf_slice(&line), store->instance, err);
        if (result != 0) {
            delta_entry_name(&name, log.entries.list[i - 1]);
            (void)err_prefix(err, "%s", buf_text(&name));
        }
    }
    delta_listing_free(&log);
    buf_free(&line);
    buf_free(&name);
    return result;
}

int store_recover(struct store *store, struct err *err)
{
    struct delta_listing log = {0};
    bool found = true;
    int result = open_table(store, &log, err);
    if (result == 0)
        result = recover_commit(store, err);
    if (result == 0 && !store->recovery.rolled_forward)
        result = store_read_positions(store, &store->current, &found, &store->recovery.entries_read,
                                      err);
    if (result == 0) {
        positions_copy(&store->positions, &store->current);
        store->recovery.forgotten = !found && log.entries.list[0] != 0;
        result = object_clean(store->objects, &store->recovery.files_removed, err);
    }
    delta_listing_free(&log);
    return result;
}
