/* SPDX-License-Identifier: MIT */
#include "store/commit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "delta/entry.h"
#include "delta/log.h"
#include "store/path.h"

static int entry_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    struct store *store = context;
    struct store_entry entry = {0};
    (void)err; /* nothing can fail here */
    store_entry_build(&entry, store, store->epoch, &store->coming, names, clock_wall());
    buf_append_slice(out, buf_slice(&entry.text));
    store_entry_free(&entry);
    return 0;
}

int store_find_next_version(struct store *store, struct err *err)
{
    struct delta_listing log = {0};
    if (delta_log_list(store->objects, 0, &log, err) != 0)
        return -1;
    store->next_version = 0;
    if (log.entries.count > 0)
        store->next_version = log.entries.list[log.entries.count - 1] + 1;
    /* Entries below a checkpoint may all be gone. */
    if (log.checkpoint.found && log.checkpoint.version >= store->next_version)
        store->next_version = log.checkpoint.version + 1;
    delta_listing_free(&log);
    return 0;
}

/*
 * Entries are never changed, and a clean-up spares the newest: as long as the one before ours is
 * there, ours is the next, or taken. If it is gone, others have moved on and cleaned up behind
 * them; an entry in that hole would be seen by nobody.
 */
int store_next_entry(void *context, bool taken, struct buf *out, struct err *err)
{
    struct store *store = context;
    struct object_info info;
    bool found = true;
    if (taken)
        store->next_version++;
    if (!taken && store->next_version > 0) {
        struct buf before = {0};
        delta_entry_name(&before, store->next_version - 1);
        int result = object_head(store->objects, buf_text(&before), &info, &found, err);
        buf_free(&before);
        if (result != 0)
            return -1;
    }
    if (!found && store_find_next_version(store, err) != 0)
        return -1;
    delta_entry_name(out, store->next_version);
    return 0;
}

void store_forget_commit(struct store *store)
{
    for (size_t i = 0; i < store->group.count; i++)
        free((char *)store->members[i].name);
    free(store->members);
    store->members = NULL;
    store->group = (struct object_group){0};
    store->epoch = NULL;
    positions_free(&store->coming);
}

static void fill_member(struct object_member *member, const struct store_epoch_file *file)
{
    const struct seqset *set = file->sequences;
    struct buf name = {0};
    ASSERT(object_is_finished(file->file) && set->count > 0 && file->rows > 0);
    store_path_name(&name, slice_of(file->key), set->list[0].first, set->list[set->count - 1].last);
    member->id = object_staged_id(file->file);
    member->name = text_copy_slice(buf_slice(&name));
    buf_free(&name);
}

/* Nothing is changed before all that can fail is done. */
static int prepare(struct store *store, const struct store_epoch *epoch, struct err *err)
{
    for (size_t i = 0; i < epoch->position_count; i++) {
        if (epoch->positions[i].above.count > SEQSET_RANGES_MAX)
            return err_set(err, ERR_LIMIT,
                           "commit to %s: stream %s: more than %d gaps above sequence %" PRIu64,
                           store->root, epoch->positions[i].stream, SEQSET_RANGES_MAX,
                           epoch->positions[i].through);
    }
    store->members = calloc(epoch->file_count + 1, sizeof(*store->members));
    if (store->members == NULL)
        out_of_memory((epoch->file_count + 1) * sizeof(*store->members));
    for (size_t i = 0; i < epoch->file_count; i++)
        fill_member(&store->members[i], &epoch->files[i]);
    positions_copy(&store->coming, &store->current);
    for (size_t i = 0; i < epoch->position_count; i++)
        positions_put(&store->coming, &epoch->positions[i]);
    store->epoch = epoch;
    store->group = (struct object_group){store->members, epoch->file_count, entry_text,
                                         store_next_entry, store};
    return 0;
}

int store_commit(struct store *store, const struct store_epoch *epoch, struct err *err)
{
    if (store->epoch == NULL && prepare(store, epoch, err) != 0)
        return -1;
    ASSERT(store->epoch == epoch);
    if (object_commit(store->objects, &store->group, err) != 0)
        return -1;
    store->next_version++;
    positions_free(&store->current);
    store->current = store->coming;
    store->coming = (struct positions){0};
    store_forget_commit(store);
    return 0;
}
