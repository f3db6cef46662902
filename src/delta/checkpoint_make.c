/* SPDX-License-Identifier: MIT */
#include "delta/checkpoint_make.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sha256.h"
#include "delta/checkpoint.h"
#include "delta/checkpoint_row.h"
#include "delta/foreign.h"
#include "delta/properties.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "parquet/write/writer.h"

enum {
    BATCH_ROWS = 1024, /* a path with statistics and tags takes some 500 bytes */
    BATCH_BYTES = 4 * 1024 * 1024,
    /* What is compressed is in memory until its row group is written: a few MiB. */
    ROW_GROUP_BYTES = 4 * 1024 * 1024,
    ROW_GROUP_ROWS = 50 * 1000,
};

/* Where the newest action of a path stands. */
struct newest {
    uint64_t version;
    uint32_t line;
};

/* One checkpoint. */
struct round {
    struct object_store *store;
    const atomic_bool *stop; /* may be NULL */
    struct delta_listing listing;
    struct delta_snapshot table;  /* without files */
    uint64_t first, last;         /* the entries that are new; none if first > last */
    struct map paths;             /* that these name */
    ARRAY(struct newest) newest;  /* of each */
    struct delta_foreign foreign; /* files, of the checkpoint before as well */
    int64_t expired;              /* tombstones up to this time, ms since 1970, have */

    struct object_staged *staged;
    struct parquet_writer *writer;
    struct batch *batch;
    struct sha256 hash; /* of all actions, as text */
    struct buf text;
    struct buf entry;   /* of the log, as text: there may be half a million in a round */
    struct arena arena; /* of one of its actions */
    uint64_t actions, files;
};

static void free_round(struct round *r)
{
    delta_listing_free(&r->listing);
    delta_snapshot_free(&r->table);
    map_free(&r->paths);
    array_free(&r->newest);
    delta_foreign_free(&r->foreign);
    parquet_writer_free(r->writer);
    batch_free(r->batch);
    buf_free(&r->text);
    buf_free(&r->entry);
    arena_free(&r->arena);
    if (r->staged != NULL)
        object_abandon(r->staged);
}

static int check_stop(const struct round *r, struct err *err)
{
    return r->stop != NULL && atomic_load(r->stop) ? err_set(err, ERR_REFUSED, "varve is stopping")
                                                   : 0;
}

/* Visits the actions of one entry; `line` counts those that are something. */
typedef int visit_line(struct round *r, uint64_t version, uint32_t line,
                       const struct delta_action *action, struct err *err);

static int visit_entry(struct round *r, uint64_t version, visit_line *visit, struct err *err)
{
    struct delta_action action;
    struct slice line;
    bool found;
    uint32_t number = 0;
    buf_reset(&r->entry);
    int result = delta_entry_read(r->store, version, &r->entry, &found, err);
    if (result == 0 && !found)
        result = err_set(err, ERR_FORMAT, "it was removed meanwhile");
    struct slice rest = buf_slice(&r->entry);
    while (result == 0 && delta_next_line(&rest, &line)) {
        if (line.len == 0)
            continue;
        arena_reset(&r->arena);
        result = delta_action_parse(&action, &r->arena, line, err);
        if (result == 0)
            result = visit(r, version, number++, &action, err);
    }
    return result != 0 ? err_prefix(err, "entry %" PRIu64 " of the log", version) : 0;
}

static struct slice path_of(const struct delta_action *action)
{
    if (action->kind == DELTA_ADD)
        return action->add.path;
    return action->kind == DELTA_REMOVE ? action->remove.path : (struct slice){0};
}

static int note_action(struct round *r, uint64_t version, uint32_t line,
                       const struct delta_action *action, struct err *err)
{
    struct slice path = path_of(action);
    if (path.data != NULL) {
        bool added = false;
        uint32_t number = map_put(&r->paths, path, &added);
        if (added)
            (void)array_add(&r->newest);
        r->newest.list[number] = (struct newest){version, line};
    }
    delta_foreign_note(&r->foreign, action);
    return delta_snapshot_apply(&r->table, action, err);
}

static int note_kept(void *context, const struct delta_action *action, struct err *err)
{
    struct round *r = context;
    if (action->kind == DELTA_ADD)
        delta_foreign_note(&r->foreign, action);
    return path_of(action).data != NULL ? 0 : delta_snapshot_apply(&r->table, action, err);
}

/* What is small of the last checkpoint, and what is new. */
static int read_log(struct round *r, struct err *err)
{
    bool found = true;
    const struct delta_checkpoint *base = &r->listing.checkpoint;
    if (base->found && delta_checkpoint_read(r->store, base, note_kept, r, &found, err) != 0)
        return -1;
    if (!found)
        return err_set(err, ERR_FORMAT, "the last checkpoint was removed meanwhile");
    r->last = base->found ? base->version : UINT64_MAX;
    for (size_t i = 0; i < r->listing.entries.count; i++) {
        uint64_t version = r->listing.entries.list[i];
        if (version < r->first)
            continue;
        if (version != r->last + 1)
            return err_set(err, ERR_FORMAT, "entry %" PRIu64 " of the log is missing", r->last + 1);
        if (r->paths.count >= DELTA_CHECKPOINT_PATHS_MAX)
            break;
        delta_foreign_begin(&r->foreign);
        if (check_stop(r, err) != 0 || visit_entry(r, version, note_action, err) != 0)
            return -1;
        (void)delta_foreign_end(&r->foreign);
        r->last = version;
    }
    return 0;
}

static int sink_write(void *context, const void *data, size_t len, struct err *err)
{
    return object_write(context, data, len, err);
}

static int write_batch(struct round *r, struct err *err)
{
    if (check_stop(r, err) != 0)
        return -1;
    struct parquet_sink sink = {.write = sink_write, .context = r->staged};
    int result = parquet_writer_append(r->writer, r->batch, sink, err);
    batch_reset(r->batch);
    return result;
}

/* The action as text goes into the hash, in the form that it has in a checkpoint. */
static void hash_action(struct sha256 *hash, struct buf *text, const struct delta_action *action)
{
    struct delta_action plain = *action;
    if (plain.kind == DELTA_ADD)
        plain.add.data_change = false;
    if (plain.kind == DELTA_METADATA)
        plain.metadata.json = NULL;
    buf_reset(text);
    delta_action_write(text, &plain);
    sha256_add(hash, text->data, text->len);
}

static int put_action(struct round *r, const struct delta_action *plain, struct err *err)
{
    struct delta_action marked = *plain;
    const struct delta_action *action = &marked;
    if (marked.kind == DELTA_ADD)
        marked.add.data_change = delta_foreign_has(&r->foreign, marked.add.path);
    if (delta_checkpoint_append(r->batch, action, err) != 0)
        return -1;
    hash_action(&r->hash, &r->text, action);
    r->actions++;
    r->files += action->kind == DELTA_ADD;
    return r->batch->rows >= BATCH_ROWS || r->batch->bytes >= BATCH_BYTES ? write_batch(r, err) : 0;
}

static bool is_expired(const struct round *r, const struct delta_action *action)
{
    return action->kind == DELTA_REMOVE && (!action->remove.has_deletion_timestamp ||
                                            action->remove.deletion_timestamp <= r->expired);
}

static int keep_old(void *context, const struct delta_action *action, struct err *err)
{
    struct round *r = context;
    struct slice path = path_of(action);
    if (path.data == NULL || map_find(&r->paths, path) >= 0 || is_expired(r, action))
        return 0;
    return put_action(r, action, err);
}

static int keep_new(struct round *r, uint64_t version, uint32_t line,
                    const struct delta_action *action, struct err *err)
{
    struct slice path = path_of(action);
    if (path.data == NULL || is_expired(r, action))
        return 0;
    int64_t number = map_find(&r->paths, path);
    if (number < 0)
        return err_set(err, ERR_FORMAT, "it was changed meanwhile");
    const struct newest *newest = &r->newest.list[number];
    return newest->version == version && newest->line == line ? put_action(r, action, err) : 0;
}

static int put_state(struct round *r, struct err *err)
{
    struct delta_action action = {.kind = DELTA_PROTOCOL, .protocol = r->table.protocol};
    if (put_action(r, &action, err) != 0)
        return -1;
    action = (struct delta_action){.kind = DELTA_METADATA, .metadata = r->table.metadata};
    if (put_action(r, &action, err) != 0)
        return -1;
    for (uint32_t i = 0; i < r->table.app_ids.count; i++) {
        const struct delta_app *app = &r->table.apps.list[i];
        action = (struct delta_action){.kind = DELTA_TXN};
        action.txn = (struct delta_txn){.app_id = map_key(&r->table.app_ids, i),
                                        .version = app->version,
                                        .has_last_updated = app->last_updated != 0,
                                        .last_updated = app->last_updated};
        if (put_action(r, &action, err) != 0)
            return -1;
    }
    return 0;
}

static int write_rows(struct round *r, struct err *err)
{
    bool found = true;
    const struct delta_checkpoint *base = &r->listing.checkpoint;
    if (put_state(r, err) != 0 ||
        (base->found && delta_checkpoint_read(r->store, base, keep_old, r, &found, err) != 0))
        return -1;
    if (!found)
        return err_set(err, ERR_FORMAT, "the last checkpoint was removed meanwhile");
    for (uint64_t version = r->first; version <= r->last; version++)
        if (visit_entry(r, version, keep_new, err) != 0)
            return -1;
    return r->batch->rows > 0 ? write_batch(r, err) : 0;
}

static void append_name(struct buf *out, const struct round *r)
{
    struct delta_checkpoint checkpoint = {.found = true, .version = r->last};
    delta_checkpoint_name(out, &checkpoint, 1);
}

static void stage(struct round *r, struct err *err)
{
    struct buf name = {0};
    append_name(&name, r);
    r->staged = object_stage(r->store, err);
    if (r->staged != NULL)
        object_expect(r->staged, buf_text(&name));
    buf_free(&name);
}

static int write_file(struct round *r, struct err *err)
{
    struct parquet_options options = parquet_options_default();
    options.row_group_bytes = ROW_GROUP_BYTES;
    options.row_group_rows = ROW_GROUP_ROWS;
    struct parquet_codec *codec = parquet_codec_new(NULL);
    r->writer = parquet_writer_new(&delta_checkpoint_schema, &options, codec);
    r->batch = batch_new(&delta_checkpoint_schema, NULL);
    stage(r, err);
    sha256_begin(&r->hash);
    int result = r->staged == NULL ? -1 : write_rows(r, err);
    if (result == 0)
        result = parquet_writer_finish(
            r->writer, (struct parquet_sink){.write = sink_write, .context = r->staged}, err);
    if (result == 0)
        result = object_finish(r->store, &r->staged, 1, err);
    parquet_writer_free(r->writer);
    r->writer = NULL;
    parquet_codec_free(codec);
    return result;
}

struct check {
    struct sha256 hash;
    struct buf text;
};

static int check_action(void *context, const struct delta_action *action, struct err *err)
{
    struct check *check = context;
    (void)err; /* nothing is refused */
    hash_action(&check->hash, &check->text, action);
    return 0;
}

/* Read what was written, with the reader of everybody's checkpoints. */
static int check_file(struct round *r, const struct delta_checkpoint *checkpoint, struct err *err)
{
    struct check check = {0};
    uint8_t written[SHA256_BYTES], read[SHA256_BYTES];
    bool found;
    sha256_begin(&check.hash);
    int result = delta_checkpoint_read(r->store, checkpoint, check_action, &check, &found, err);
    sha256_end(&check.hash, read);
    sha256_end(&r->hash, written);
    if (result == 0 && (!found || memcmp(written, read, sizeof(read)) != 0))
        result = err_set(err, ERR_FORMAT, "the checkpoint reads differently than it was written");
    buf_free(&check.text);
    return result;
}

static int put_hint(struct round *r, uint64_t bytes, struct err *err)
{
    struct json_writer w = {.out = &r->text};
    buf_reset(&r->text);
    json_open_object(&w, NULL);
    json_put_u64(&w, "version", r->last);
    json_put_u64(&w, "size", r->actions);
    json_put_u64(&w, "sizeInBytes", bytes);
    json_put_u64(&w, "numOfAddFiles", r->files);
    json_close_object(&w);
    return object_put(r->store, DELTA_LOG_FOLDER "_last_checkpoint", buf_slice(&r->text), err);
}

static int publish(struct round *r, struct delta_checkpoint_made *out, struct err *err)
{
    struct delta_checkpoint checkpoint = {.found = true, .version = r->last};
    struct buf name = {0};
    struct err ignored = {0};
    uint64_t bytes = object_staged_size(r->staged);
    append_name(&name, r);
    int result = object_place(r->staged, buf_text(&name), err);
    if (result == 0) {
        object_staged_free(r->staged);
        r->staged = NULL;
        result = check_file(r, &checkpoint, err);
        if (result != 0) /* readers that list the log would find it */
            (void)!object_remove(r->store, buf_text(&name), &ignored);
    }
    if (result == 0)
        result = put_hint(r, bytes, err);
    if (result == 0) {
        out->has_checkpoint = true;
        out->version = r->last;
        out->count++;
        out->actions = r->actions;
        out->files = r->files;
        out->bytes = bytes;
    }
    buf_free(&name);
    return result;
}

/* *more: there are entries that this one did not get to. */
static int make_one(struct round *r, uint64_t interval, int64_t wall_time, bool *more,
                    struct delta_checkpoint_made *out, struct err *err)
{
    if (delta_log_list_newest(r->store, &r->listing, err) != 0)
        return -1;
    out->has_checkpoint = r->listing.checkpoint.found;
    out->version = r->listing.checkpoint.version;
    r->first = out->has_checkpoint ? out->version + 1 : 0;
    size_t count = r->listing.entries.count;
    out->newest = count > 0 ? r->listing.entries.list[count - 1] : 0;
    if (count == 0 || out->newest < r->first || out->newest - r->first + 1 < interval)
        return 0; /* before anything is read */
    if (read_log(r, err) != 0)
        return -1;
    if (delta_table_check_state(&r->table.protocol, &r->table.metadata, err) != 0)
        return -1;
    out->interval = delta_checkpoint_interval(&r->table.metadata);
    if (out->newest - r->first + 1 < (interval > 0 ? interval : out->interval))
        return 0;
    int64_t retention = delta_tombstone_retention(&r->table.metadata);
    int64_t now = wall_time / CLOCK_MILLISECOND;
    r->expired = retention == DELTA_FOREVER ? INT64_MIN : now - retention;
    if (write_file(r, err) != 0 || publish(r, out, err) != 0)
        return -1;
    *more = r->last < out->newest;
    return 0;
}

int delta_checkpoint_make(struct object_store *store, uint64_t interval, int64_t wall_time,
                          const atomic_bool *stop, struct delta_checkpoint_made *out,
                          struct err *err)
{
    int result = 0;
    bool more = true;
    *out = (struct delta_checkpoint_made){.interval =
                                              interval > 0 ? interval : DELTA_CHECKPOINT_INTERVAL};
    while (result == 0 && more) {
        struct round r = {.store = store, .stop = stop};
        more = false;
        result = make_one(&r, out->count > 0 ? 1 : interval, wall_time, &more, out, err);
        free_round(&r);
    }
    return result == 0 ? 0 : err_prefix(err, "a checkpoint of the log");
}
