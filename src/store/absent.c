/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/log.h"
#include "delta/log.h"
#include "object/open.h"
#include "store/recover.h"

enum {
    /* A log that was put back without its files lacks those of its newest entries. So many are
     * looked at, which takes well under a millisecond. */
    ENTRIES_MAX = 16,
    FILES_MAX = 32,
};

struct look {
    struct store *store;
    struct map removed; /* paths that newer entries have removed */
    struct arena arena;
    struct buf name, first;
    uint64_t looked, absent;
};

static void look_at(struct look *l, struct slice path)
{
    struct object_info info;
    struct err ignored = {0};
    bool found = true;
    buf_reset(&l->name);
    if (map_find(&l->removed, path) >= 0 || !delta_path_decode(&l->name, path) ||
        !object_name_is_valid(buf_slice(&l->name)))
        return;
    l->looked++;
    if (object_head(l->store->objects, buf_text(&l->name), &info, &found, &ignored) != 0 || found)
        return;
    if (l->absent++ == 0)
        buf_append_slice(&l->first, buf_slice(&l->name));
}

/* An entry is newer than those that come after it here, and its removals are of files before it. */
static void look_at_entry(struct look *l, struct slice text)
{
    struct slice rest = text, line;
    struct delta_action action;
    struct err ignored = {0};
    bool added;
    arena_reset(&l->arena);
    while (delta_next_line(&rest, &line) && l->looked < FILES_MAX) {
        if (line.len == 0 || delta_action_parse(&action, &l->arena, line, &ignored) != 0)
            continue;
        if (action.kind == DELTA_ADD)
            look_at(l, action.add.path);
        else if (action.kind == DELTA_REMOVE)
            (void)map_put(&l->removed, action.remove.path, &added);
    }
}

void store_look_for_files(struct store *store)
{
    struct look l = {.store = store};
    struct buf text = {0};
    struct err ignored = {0}; /* what can't be read was said, or will be */
    bool found = !object_is_url(store->root) && store->table.found;
    uint64_t version = store->table.version;
    for (int i = 0; i < ENTRIES_MAX && found && l.looked < FILES_MAX; i++, version--) {
        buf_reset(&text);
        if (delta_entry_read(store->objects, version, &text, &found, &ignored) != 0)
            break;
        look_at_entry(&l, buf_slice(&text));
        found = found && version > 0;
    }
    if (l.absent > 0) {
        struct log_line line;
        log_begin(&line, LOG_ERROR, "files_absent");
        log_text(&line, "text",
                 "files that the log names are not there: who reads the table fails, and their "
                 "rows are lost unless they are put back; was the log restored without them? varve "
                 "verify names all");
        log_u64(&line, "absent", l.absent);
        log_u64(&line, "of_newest", l.looked);
        log_text(&line, "first", buf_text(&l.first));
        log_end(&line);
    }
    map_free(&l.removed);
    arena_free(&l.arena);
    buf_free(&l.name);
    buf_free(&l.first);
    buf_free(&text);
}
