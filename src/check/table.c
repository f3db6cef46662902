/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "delta/object_file.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "event/event.h"
#include "object/open.h"

/* The files of the table's folders that the log does not have. */
struct strays {
    const struct delta_snapshot *table;
    struct map names;
    size_t seen; /* files of the log */
};

/* ns: younger files may be of a commit that is under way. */
#define STRAY_AGE (10 * 60 * CLOCK_SECOND)

static bool note_stray(void *context, struct slice name)
{
    static const char ending[] = ".parquet";
    struct strays *s = context;
    size_t len = strlen(ending);
    struct buf path = {0};
    delta_path_encode(&path, name);
    bool added, stray = delta_snapshot_file(s->table, buf_slice(&path)) == NULL;
    buf_free(&path);
    s->seen += !stray;
    if (name.data[0] == '_' || name.len < len ||
        memcmp(name.data + name.len - len, ending, len) != 0)
        return true;
    if (stray && s->names.count < MAP_KEYS_MAX)
        (void)map_put(&s->names, name, &added);
    return true;
}

/* How many of them are no part of a commit that is under way, and the first. */
static uint64_t count_strays(const struct strays *s, struct object_store *store, struct buf *first)
{
    uint64_t count = 0;
    struct buf name = {0};
    for (uint32_t i = 0; i < s->names.count; i++) {
        struct object_info info;
        struct err ignored = {0}; /* it is gone, or nobody can tell */
        bool found;
        buf_reset(&name);
        buf_append_slice(&name, map_key(&s->names, i));
        if (object_head(store, buf_text(&name), &info, &found, &ignored) != 0 || !found ||
            (s->table->found && info.modified > clock_wall() - STRAY_AGE))
            continue;
        if (count++ == 0)
            buf_append_slice(first, buf_slice(&name));
    }
    buf_free(&name);
    return count;
}

/* Files of the log were not listed. Some may have been removed since it was read: what they have
 * is elsewhere then, by the log as it is now. */
static void judge_missing(struct check_report *r, const char *root, struct object_store *store,
                          const struct delta_snapshot *table)
{
    struct delta_snapshot now = {.want_files = true, .keep = delta_keep_brief};
    struct buf first = {0}, name = {0};
    struct err ignored = {0}; /* it is said of the log as it was */
    uint64_t count = 0;
    bool loaded = delta_snapshot_load(&now, store, &ignored) == 0;
    for (size_t i = 0; i < table->files.count && loaded; i++) {
        const struct delta_file *file = table->files.list[i];
        struct object_info info;
        bool found = true;
        buf_reset(&name);
        if (file == NULL || delta_snapshot_file(&now, file->path) == NULL ||
            !delta_path_decode(&name, file->path) || !object_name_is_valid(buf_slice(&name)) ||
            object_head(store, buf_text(&name), &info, &found, &ignored) != 0 || found)
            continue;
        if (count++ == 0)
            buf_append_slice(&first, buf_slice(&name));
    }
    if (count > 0)
        check_say(r, CHECK_PROBLEM,
                  "%s has a log that names %" PRIu64
                  " files that are not there (the first is %s): who reads the table fails, and "
                  "their rows are lost unless the files are put back; was the log restored "
                  "without them?",
                  root, count, buf_text(&first));
    delta_snapshot_free(&now);
    buf_free(&first);
    buf_free(&name);
}

/* Who reads the directory takes every file for one of the table. */
static void judge_strays(struct check_report *r, const char *root, struct object_store *store,
                         const struct delta_snapshot *table)
{
    struct strays s = {.table = table};
    struct buf first = {0};
    struct err err = {0};
    uint64_t count = 0;
    if (object_list(store, "", "", note_stray, &s, &err) != 0)
        check_say(r, CHECK_PROBLEM, "can't list the files in %s: %s", root, err.text);
    else
        count = count_strays(&s, store, &first);
    if (count > 0 && !table->found)
        check_say(r, CHECK_WARNING,
                  "%s has %" PRIu64
                  " Parquet files and no log (the first is %s): varve run makes a new log of those "
                  "that varve has written; restore _delta_log first if you have it",
                  root, count, buf_text(&first));
    else if (count > 0)
        check_say(r, CHECK_WARNING,
                  "%s has %" PRIu64
                  " Parquet files that are not in the log (the first is %s): who reads the "
                  "directory may find events twice; varve verify tells more, and what another "
                  "engine has replaced goes with its VACUUM",
                  root, count, buf_text(&first));
    if (!err_is_set(&err) && s.seen < table->files.count - table->removed)
        judge_missing(r, root, store, table);
    map_free(&s.names);
    buf_free(&first);
}

/* Files that lie elsewhere, and what keeps other engines from opening the table. */
static void judge_log(struct check_report *r, const char *root, struct object_store *store,
                      const struct delta_snapshot *table)
{
    uint64_t version;
    struct err err = {0};
    if (delta_object_names_check(table, &err) != 0)
        check_say(r, CHECK_PROBLEM, "%s: %s", root, err.text);
    if (delta_hint_misleads(store, &version))
        check_say(r, CHECK_PROBLEM, "%s: " DELTA_HINT_MISLEADS, root, version);
}

void check_table(struct check_report *r, const char *root)
{
    struct object_config place = {.root = root, .entries = DELTA_LOG_FOLDER};
    struct delta_snapshot table = {.want_files = true, .keep = delta_keep_brief};
    struct err err = {0};
    bool evolve;
    struct object_store *store = object_open(&place, &err);
    if (store == NULL)
        return; /* the directory is judged elsewhere */
    if (delta_snapshot_load(&table, store, &err) != 0)
        check_say(r, CHECK_PROBLEM, "can't read the log of the table in %s: %s", root, err.text);
    else if (table.found &&
             delta_table_check(&table.protocol, &table.metadata, &event_schema, &evolve, &err) != 0)
        check_say(
            r, CHECK_PROBLEM,
            "varve can't write to the table in %s (undo what was changed, or have it write to "
            "another place): %s",
            root, err.text);
    else
        judge_strays(r, root, store, &table);
    if (!err_is_set(&err) && table.found)
        judge_log(r, root, store, &table);
    delta_snapshot_free(&table);
    object_store_close(store);
}
