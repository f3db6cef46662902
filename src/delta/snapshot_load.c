/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "base/assert.h"
#include "delta/checkpoint.h"
#include "delta/expired.h"
#include "delta/snapshot_part.h"

/* An engine may make a checkpoint and clean up between our listing and our reading: list again, but
 * not for ever. */
enum { LOAD_ATTEMPTS = 5 };

#define REMEDY "restore it, or remove it if it is the newest"

/* What came of one attempt to read. */
enum outcome { LOADED, GONE, FAILED };

/* What an entry has made of files with rows of another engine has them, too. */
static void mark_foreign(struct delta_snapshot *s)
{
    uint32_t count = delta_foreign_end(&s->foreign);
    for (uint32_t i = 0; i < count; i++) {
        int64_t number = delta_snapshot_find(s, map_key(&s->foreign.added, i));
        if (number >= 0 && s->files.list[number] != NULL)
            s->files.list[number]->data_change = true;
    }
}

static int apply_lines(struct delta_snapshot *s, uint64_t version, struct slice text,
                       delta_entry_visit *visit, void *context, struct err *err)
{
    struct arena arena = {0};
    struct slice line;
    int result = 0;
    bool empty = true;
    delta_foreign_begin(&s->foreign);
    while (result == 0 && delta_next_line(&text, &line)) {
        struct delta_action action;
        if (line.len == 0)
            continue; /* some writers end with an empty line */
        empty = false;
        arena_reset(&arena);
        result = delta_action_parse(&action, &arena, line, err);
        if (result != 0)
            (void)err_prefix(err, "it is damaged, or half written by another engine (" REMEDY ")");
        if (result == 0 && visit != NULL)
            result = visit(context, version, &action, err);
        if (result == 0)
            result = delta_snapshot_gather(s, &action, err);
    }
    arena_free(&arena);
    mark_foreign(s);
    /* To take it for a commit that did nothing is to miss what the commit did. */
    if (empty)
        return err_set(err, ERR_FORMAT,
                       "it is empty: its writer was interrupted, or the file was cut off (" REMEDY
                       ")");
    return result;
}

static void advance(struct delta_snapshot *s, uint64_t version)
{
    s->found = true;
    s->version = version;
}

int delta_snapshot_apply_entry(struct delta_snapshot *s, uint64_t version, struct slice text,
                               struct err *err)
{
    int result = apply_lines(s, version, text, NULL, NULL, err);
    delta_snapshot_complete(s);
    if (result != 0)
        return err_prefix(err, "entry %" PRIu64 " of the log", version);
    advance(s, version);
    return 0;
}

static enum outcome read_entry(struct delta_snapshot *s, struct object_store *store,
                               uint64_t version, struct buf *text, delta_entry_visit *visit,
                               void *context, struct err *err)
{
    bool found;
    buf_reset(text);
    if (delta_entry_read(store, version, text, &found, err) != 0)
        return FAILED;
    if (!found)
        return GONE;
    if (apply_lines(s, version, buf_slice(text), visit, context, err) != 0) {
        (void)err_prefix(err, "entry %" PRIu64 " of the log", version);
        return FAILED;
    }
    advance(s, version);
    return LOADED;
}

/* The listed entries from `next` on, one after the other. */
static enum outcome read_entries(struct delta_snapshot *s, struct object_store *store,
                                 const struct delta_listing *listing, uint64_t next,
                                 delta_entry_visit *visit, void *context, struct err *err)
{
    struct buf text = {0};
    enum outcome outcome = LOADED;
    for (size_t i = 0; i < listing->entries.count && outcome == LOADED; i++) {
        uint64_t version = listing->entries.list[i];
        if (version < next)
            continue;
        if (version > next) {
            (void)err_set(err, ERR_FORMAT, "entry %" PRIu64 " of the log is missing", next);
            outcome = FAILED;
            break;
        }
        outcome = read_entry(s, store, version, &text, visit, context, err);
        next = version + 1;
    }
    buf_free(&text);
    return outcome;
}

static int visit_checkpoint(void *context, const struct delta_action *action, struct err *err)
{
    return delta_snapshot_gather(context, action, err);
}

static enum outcome read_checkpoint(struct delta_snapshot *s, struct object_store *store,
                                    const struct delta_checkpoint *checkpoint, struct err *err)
{
    bool found;
    if (delta_checkpoint_read(store, checkpoint, visit_checkpoint, s, &found, err) != 0) {
        if (err->code == ERR_FORMAT)
            (void)err_prefix(err, "a checkpoint is damaged: restore it, or, where all entries of "
                                  "the log are there, remove it and _last_checkpoint");
        return FAILED;
    }
    if (!found)
        return GONE;
    s->has_base = true;
    s->base = checkpoint->version;
    advance(s, checkpoint->version);
    return LOADED;
}

static enum outcome load_once(struct delta_snapshot *s, struct object_store *store,
                              delta_entry_visit *visit, void *context, struct err *err)
{
    struct delta_listing listing = {0};
    enum outcome outcome = LOADED;
    uint64_t next = 0;
    if (delta_log_list_newest(store, &listing, err) != 0)
        outcome = FAILED;
    if (outcome == LOADED && listing.checkpoint.found) {
        outcome = read_checkpoint(s, store, &listing.checkpoint, err);
        next = listing.checkpoint.version + 1;
    } else if (outcome == LOADED && listing.has_other_checkpoint &&
               (listing.entries.count == 0 || listing.entries.list[0] > 0)) {
        (void)err_set(err, ERR_UNSUPPORTED,
                      "the log begins with a checkpoint of a form that varve can't read "
                      "(v2Checkpoint)");
        outcome = FAILED;
    }
    if (outcome == LOADED)
        outcome = read_entries(s, store, &listing, next, visit, context, err);
    delta_snapshot_complete(s);
    delta_listing_free(&listing);
    return outcome;
}

int delta_snapshot_load(struct delta_snapshot *s, struct object_store *store, struct err *err)
{
    return delta_snapshot_load_visited(s, store, NULL, NULL, err);
}

int delta_snapshot_load_visited(struct delta_snapshot *s, struct object_store *store,
                                delta_entry_visit *visit, void *context, struct err *err)
{
    for (int attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
        delta_snapshot_free(s);
        switch (load_once(s, store, visit, context, err)) {
        case LOADED:
            if (s->found && (s->protocol_text.len == 0 || s->metadata_text.len == 0))
                return err_set(err, ERR_FORMAT, "the log has no protocol or no metaData");
            return s->found && s->want_varve ? delta_expired_apply(s, store, err) : 0;
        case GONE:
            break;
        case FAILED:
            return -1;
        }
    }
    return err_set(err, ERR_FORMAT, "entries of the log went away while it was read");
}

/* Whether the newest entry that we know is still there. If so, all behind it are: a clean-up
 * removes from the beginning on. */
static int find_newest(const struct delta_snapshot *s, struct object_store *store, bool *found,
                       struct err *err)
{
    struct buf name = {0};
    struct object_info info;
    delta_entry_name(&name, s->version);
    int result = object_head(store, buf_text(&name), &info, found, err);
    buf_free(&name);
    return result;
}

int delta_snapshot_update(struct delta_snapshot *s, struct object_store *store,
                          delta_entry_visit *visit, void *context, bool *gap, struct err *err)
{
    struct buf text = {0};
    enum outcome outcome = LOADED;
    bool found;
    ASSERT(s->found);
    if (find_newest(s, store, &found, err) != 0)
        return -1;
    *gap = !found;
    while (found && outcome == LOADED)
        outcome = read_entry(s, store, s->version + 1, &text, visit, context, err);
    delta_snapshot_complete(s);
    buf_free(&text);
    return outcome == FAILED ? -1 : 0;
}
