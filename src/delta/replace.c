/* SPDX-License-Identifier: MIT */
#include "delta/replace.h"

#include "base/clock.h"
#include "delta/action.h"
#include "delta/entry.h"
#include "delta/position.h"

/* What instances had in the old table: a checkpoint keeps transactions, so that each has to be
 * taken back. Those of the new table come behind. */
static void void_positions(struct buf *out, const struct delta_replacement *r)
{
    for (uint32_t i = 0; i < r->old->app_ids.count; i++) {
        struct delta_action action = {.kind = DELTA_TXN};
        struct delta_app_name name;
        action.txn = (struct delta_txn){.app_id = map_key(&r->old->app_ids, i),
                                        .has_last_updated = true,
                                        .last_updated = r->wall_time / CLOCK_MILLISECOND};
        if (!delta_app_id_parse(&name, action.txn.app_id))
            continue; /* of somebody else */
        delta_app_name_free(&name);
        bool again = false;
        for (size_t p = 0; p < r->position_count && !again; p++) {
            struct buf id = {0};
            delta_app_id(&id, r->instance, &r->positions[p]);
            again = slice_equal(buf_slice(&id), action.txn.app_id);
            buf_free(&id);
        }
        if (!again) /* an entry has one transaction of an application */
            delta_action_write(out, &action);
    }
}

static void remove_old(struct buf *out, const struct delta_replacement *r, size_t limit)
{
    for (size_t i = 0; i < r->old->files.count && out->len <= limit; i++) {
        const struct delta_file *file = r->old->files.list[i];
        struct delta_action action = {.kind = DELTA_REMOVE};
        if (file == NULL)
            continue;
        action.remove = (struct delta_remove){
            .path = file->path,
            .has_deletion_timestamp = true,
            .deletion_timestamp = r->wall_time / CLOCK_MILLISECOND,
            .data_change = true,
            .extended = true,
            .size = file->size,
        };
        delta_action_write(out, &action);
    }
}

static void add_fresh(struct buf *out, const struct delta_replacement *r, size_t limit)
{
    struct buf path = {0};
    for (size_t i = 0; i < r->fresh->files.count && out->len <= limit; i++) {
        const struct delta_file *file = r->fresh->files.list[i];
        struct delta_action action = {.kind = DELTA_ADD};
        if (file == NULL)
            continue;
        buf_reset(&path);
        delta_path_encode(&path, slice_of(r->folder));
        buf_append_slice(&path, file->path);
        action.add = (struct delta_add){
            .path = buf_slice(&path),
            .size = file->size,
            .modification_time = file->modification_time,
            .data_change = true,
            .stats = file->stats,
            .tags = file->tags,
        };
        delta_action_write(out, &action);
    }
    buf_free(&path);
}

bool delta_replacement_write(struct buf *out, const struct delta_replacement *r, size_t limit)
{
    const struct delta_commit head = {.instance = r->instance,
                                      .engine = r->engine,
                                      .wall_time = r->wall_time,
                                      .positions = r->positions,
                                      .rows_of = r->rows_of,
                                      .position_count = r->position_count,
                                      .anew = true};
    struct delta_action metadata = {.kind = DELTA_METADATA, .metadata = r->fresh->metadata};
    delta_commit_write(out, &head);
    void_positions(out, r);
    delta_action_write(out, &metadata);
    remove_old(out, r, limit);
    add_fresh(out, r, limit);
    return out->len <= limit;
}
