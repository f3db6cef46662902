/* SPDX-License-Identifier: MIT */
#include "delta/clean.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "delta/checkpoint.h"
#include "delta/log.h"
#include "delta/position.h"
#include "delta/properties.h"
#include "delta/saved.h"
#include "delta/snapshot.h"

enum {
    MS_DAY = 24 * 3600 * 1000,
    REMOVE_AT_ONCE = 4096, /* names in memory */
};

struct clean {
    struct object_store *store;
    struct delta_snapshot table; /* without files */
    ARRAY(uint64_t) entries;     /* their versions, ascending */
    ARRAY(uint64_t) checkpoints; /* of one file */
    struct map instances;
    ARRAY(uint64_t) saved; /* of each instance: entries before this version are not needed */
    struct delta_cleaned *out;
};

static void free_clean(struct clean *c)
{
    delta_snapshot_free(&c->table);
    array_free(&c->entries);
    array_free(&c->checkpoints);
    array_free(&c->saved);
    map_free(&c->instances);
}

static bool note_name(void *context, struct slice name)
{
    struct clean *c = context;
    struct slice rest;
    uint64_t version;
    if (!delta_log_version(name, &version, &rest))
        return true;
    if (slice_is(rest, "json"))
        *array_add(&c->entries) = version;
    else if (slice_is(rest, "checkpoint.parquet"))
        *array_add(&c->checkpoints) = version;
    return true;
}

/* The newest checkpoint at or before the newest entry that is old; *found: there is one. */
static int find_checkpoint(const struct clean *c, int64_t cutoff, uint64_t *version, bool *found,
                           struct err *err)
{
    struct buf name = {0};
    uint64_t old = 0;
    bool any = false, is_old = true;
    int result = 0;
    for (size_t i = 0; i < c->entries.count && is_old && result == 0; i++) {
        struct object_info info;
        bool there;
        buf_reset(&name);
        delta_entry_name(&name, c->entries.list[i]);
        result = object_head(c->store, buf_text(&name), &info, &there, err);
        is_old = result == 0 && there && info.modified / CLOCK_MILLISECOND <= cutoff;
        if (is_old)
            old = c->entries.list[i];
        any |= is_old;
    }
    *found = false;
    for (size_t i = 0; i < c->checkpoints.count && any; i++) {
        if (c->checkpoints.list[i] > old)
            break;
        *version = c->checkpoints.list[i];
        *found = true;
    }
    buf_free(&name);
    return result;
}

/* How far the file of an instance goes. */
static int saved_version(struct clean *c, struct slice instance, uint64_t *next, struct err *err)
{
    bool added = false;
    uint32_t number = map_put(&c->instances, instance, &added);
    int result = 0;
    if (added) {
        char *name = text_copy_slice(instance);
        struct delta_saved saved = {0};
        result = delta_saved_read(&saved, c->store, name, &c->table, err);
        *array_add(&c->saved) = saved.found ? saved.version + 1 : 0;
        delta_saved_free(&saved);
        free(name);
    }
    *next = c->saved.list[number];
    return result;
}

/* Whether a position says more than the transactions of the table do. */
static bool says_more(const struct clean *c, const char *instance, const struct position *p)
{
    struct buf id = {0};
    delta_app_id(&id, instance, p);
    const struct delta_app *app = delta_snapshot_app(&c->table, buf_slice(&id));
    uint64_t through = app != NULL && app->version > 0 ? (uint64_t)app->version : 0;
    buf_free(&id);
    return p->through > through ||
           (p->above.count > 0 && p->above.list[p->above.count - 1].last > through);
}

/* Whether an entry has to stay: by its first line. *anew: what is before it is of another table. */
static int is_needed(struct clean *c, uint64_t version, struct slice line, bool *needed, bool *anew,
                     struct err *err)
{
    struct arena arena = {0};
    struct positions positions = {0};
    struct slice instance;
    uint64_t next;
    int result = 0;
    *needed = *anew = false;
    const struct json *info = json_member(json_parse(&arena, line, err), "commitInfo");
    const struct json *varve = json_member(info, "varve");
    if (err_is_set(err)) {
        result = -1;
    } else if (json_get_text(varve, "instance", &instance) &&
               memchr(instance.data, '\0', instance.len) == NULL) {
        if (!json_get_bool(varve, "anew", anew))
            *anew = false;
        result = saved_version(c, instance, &next, err);
        if (result == 0 && version >= next)
            result = delta_positions_parse(&positions, json_member(varve, "positions"), err);
        char *name = text_copy_slice(instance);
        for (size_t i = 0; i < positions.count && result == 0; i++)
            *needed |= says_more(c, name, &positions.list[i]);
        free(name);
    }
    positions_free(&positions);
    arena_free(&arena);
    return result;
}

/* The version up to which nothing is needed: `before`, or that of an entry that is. One behind
 * which the table is another one takes that back. */
static int find_limit(struct clean *c, uint64_t before, uint64_t *limit, struct err *err)
{
    struct buf line = {0};
    int result = 0;
    *limit = before;
    for (size_t i = 0; i < c->entries.count && c->entries.list[i] <= before && result == 0; i++) {
        uint64_t version = c->entries.list[i];
        bool found, needed = false, anew = false;
        result = delta_entry_first_line(c->store, version, &line, &found, err);
        if (result == 0 && found && line.len > 0)
            result = is_needed(c, version, buf_slice(&line), &needed, &anew, err);
        if (result != 0)
            (void)err_prefix(err, "entry %" PRIu64 " of the log", version);
        if (anew) {
            *limit = before;
            c->out->held = false;
        }
        if (needed && version < before && !c->out->held) {
            *limit = c->out->at = version;
            c->out->held = true;
        }
    }
    buf_free(&line);
    return result;
}

static int note_state(void *context, const struct delta_action *action, struct err *err)
{
    unsigned *seen = context;
    (void)err; /* nothing is refused */
    *seen |= 1U << action->kind;
    return 0;
}

/* Read all of a checkpoint: pages have checksums, and the table must be in it. */
static int check_checkpoint(const struct clean *c, uint64_t version, struct err *err)
{
    const struct delta_checkpoint checkpoint = {.found = true, .version = version};
    const unsigned state = 1U << DELTA_PROTOCOL | 1U << DELTA_METADATA;
    unsigned seen = 0;
    bool found;
    if (delta_checkpoint_read(c->store, &checkpoint, note_state, &seen, &found, err) != 0)
        return -1;
    if (!found || (seen & state) != state)
        return err_set(err, ERR_FORMAT, "checkpoint %" PRIu64 " is not complete", version);
    return 0;
}

struct old_names {
    uint64_t limit;
    ARRAY(char *);
};

static bool is_part_of_log(struct slice rest)
{
    static const char compacted[] = ".compacted.json";
    size_t len = sizeof(compacted) - 1;
    return slice_is(rest, "json") || slice_is(rest, "crc") ||
           slice_starts_with(rest, "checkpoint.") ||
           (rest.len > len && memcmp(rest.data + rest.len - len, compacted, len) == 0);
}

static bool note_old(void *context, struct slice name)
{
    struct old_names *old = context;
    struct slice rest;
    uint64_t version;
    if (!delta_log_version(name, &version, &rest))
        return true;
    if (version >= old->limit || old->count == REMOVE_AT_ONCE)
        return false;
    if (is_part_of_log(rest))
        *array_add(old) = text_copy_slice(name);
    return true;
}

/* Names are listed in the order of their versions. */
static int remove_some(struct clean *c, uint64_t limit, bool *more, struct err *err)
{
    struct old_names old = {.limit = limit};
    int result = object_list(c->store, DELTA_LOG_FOLDER, "", note_old, &old, err);
    *more = old.count == REMOVE_AT_ONCE;
    for (size_t i = 0; i < old.count; i++) {
        if (result == 0)
            result = object_remove(c->store, old.list[i], err);
        c->out->removed += result == 0;
        free(old.list[i]);
    }
    array_free(&old);
    return result;
}

static int clean(struct clean *c, int64_t wall_time, struct err *err)
{
    uint64_t limit, hint, version = 0;
    bool found = false, more = true;
    int64_t now = wall_time / CLOCK_MILLISECOND;
    if (delta_snapshot_load(&c->table, c->store, err) != 0)
        return -1;
    int64_t kept = c->table.found ? delta_log_retention(&c->table.metadata) : DELTA_FOREVER;
    if (kept > now || !delta_checkpoint_hint(c->store, &hint))
        return 0;
    int64_t cutoff = (now - kept) / MS_DAY * MS_DAY;
    if (object_list(c->store, DELTA_LOG_FOLDER, "", note_name, c, err) != 0 ||
        find_checkpoint(c, cutoff, &version, &found, err) != 0)
        return -1;
    if (!found || hint < version || c->entries.count == 0 || c->entries.list[0] >= version)
        return 0; /* a stale hint becomes a new one with the next checkpoint */
    if (check_checkpoint(c, version, err) != 0 || find_limit(c, version, &limit, err) != 0)
        return -1;
    while (more)
        if (remove_some(c, limit, &more, err) != 0)
            return -1;
    return 0;
}

int delta_log_clean(struct object_store *store, int64_t wall_time, struct delta_cleaned *out,
                    struct err *err)
{
    struct clean c = {.store = store, .out = out};
    *out = (struct delta_cleaned){0};
    int result = clean(&c, wall_time, err);
    free_clean(&c);
    return result == 0 ? 0 : err_prefix(err, "the clean-up of the log");
}
