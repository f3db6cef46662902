/* SPDX-License-Identifier: MIT */
#include "follow/archive_plan.h"

#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "delta/log.h"

int archive_entry_read(struct archive_entry *e, struct object_store *store, uint64_t version,
                       struct err *err)
{
    struct slice rest, line;
    bool found = false, adds = false, removes = false;
    buf_reset(&e->text);
    arena_reset(&e->arena);
    e->actions.count = 0;
    e->version = version;
    if (delta_entry_read(store, version, &e->text, &found, err) != 0)
        return -1;
    if (!found)
        return err_set_system(err, ENOENT, "entry %" PRIu64 " of the log", version);
    for (rest = buf_slice(&e->text); delta_next_line(&rest, &line);) {
        struct delta_action action;
        if (line.len == 0)
            continue;
        if (delta_action_parse(&action, &e->arena, line, err) != 0)
            return err_prefix(err, "entry %" PRIu64 " of the log", version);
        if (action.kind == DELTA_ADD && action.add.vector != 0)
            return err_set(err, ERR_UNSUPPORTED,
                           "another engine has deleted rows of %.*s; varve can't tell which",
                           (int)action.add.path.len, (const char *)action.add.path.data);
        adds = adds || action.kind == DELTA_ADD;
        removes = removes || action.kind == DELTA_REMOVE;
        *array_add(&e->actions) = action;
    }
    e->swaps = adds && removes;
    return 0;
}

void archive_entry_free(struct archive_entry *e)
{
    buf_free(&e->text);
    arena_free(&e->arena);
    array_free(&e->actions);
}

static uint32_t root_of(struct archive_plan *plan, uint32_t path)
{
    struct archive_path *list = plan->list.list;
    while (list[path].root != path) {
        list[path].root = list[list[path].root].root;
        path = list[path].root;
    }
    return path;
}

/* They change together from now on. */
static void join(struct archive_plan *plan, uint32_t a, uint32_t b)
{
    struct archive_path *list = plan->list.list;
    uint32_t x = root_of(plan, a), y = root_of(plan, b), next = list[x].next;
    if (x == y)
        return;
    list[x].root = y;
    list[x].next = list[y].next;
    list[y].next = next;
}

static uint32_t number_of(struct archive_plan *plan, struct slice name, bool live)
{
    bool added;
    uint32_t number = map_put(&plan->paths, name, &added);
    if (added)
        *array_add(&plan->list) =
            (struct archive_path){.root = number, .next = number, .live = live};
    return number;
}

static void note_add(struct archive_plan *plan, const struct delta_action *action, uint32_t number,
                     bool swaps)
{
    struct archive_path *path = &plan->list.list[number];
    struct buf line = {0};
    path->added = true;
    path->taken = path->gone = false;
    if (!swaps)
        return;
    delta_action_write(&line, action);
    path->output = true;
    path->line =
        (struct slice){(const uint8_t *)arena_text(&plan->lines, line.data, line.len), line.len};
    buf_free(&line);
}

static void note_entry(struct archive_plan *plan, const struct archive_entry *e)
{
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; i < e->actions.count; i++) {
        const struct delta_action *action = &e->actions.list[i];
        bool adds = action->kind == DELTA_ADD;
        if (!adds && action->kind != DELTA_REMOVE)
            continue;
        uint32_t number = number_of(plan, adds ? action->add.path : action->remove.path, !adds);
        if (adds)
            note_add(plan, action, number, e->swaps);
        else if (e->swaps)
            plan->list.list[number].taken = true;
        else
            plan->list.list[number].gone = true;
        if (e->swaps && first != UINT32_MAX)
            join(plan, first, number);
        first = number;
    }
}

int archive_plan_read(struct archive_plan *plan, struct object_store *store, uint64_t first,
                      uint64_t last, const atomic_bool *stop, struct err *err)
{
    struct archive_entry e = {0};
    int result = 0;
    for (uint64_t version = first; version <= last && result == 0; version++) {
        if (atomic_load(stop))
            result = err_set(err, ERR_REFUSED, "it is time to end");
        else
            result = archive_entry_read(&e, store, version, err);
        if (result == 0 && plan->paths.count + e.actions.count >= MAP_KEYS_MAX)
            result = err_set(err, ERR_LIMIT, "more than %d files", (int)MAP_KEYS_MAX);
        if (result == 0)
            note_entry(plan, &e);
    }
    archive_entry_free(&e);
    return result;
}

bool archive_plan_is_torn(const struct archive_plan *plan)
{
    const struct archive_path *list = plan->list.list;
    for (uint32_t i = 0; i < plan->list.count; i++) {
        if (list[i].taken && !list[i].added && !list[i].live)
            return true; /* somebody has swapped files of the archive */
        if (!list[i].output || !list[i].gone)
            continue;
        for (uint32_t p = list[i].next; p != i; p = list[p].next)
            if (list[p].taken && list[p].live)
                return true;
    }
    return false;
}

static bool is_wanted(const struct archive_path *p)
{
    return p->output && !p->taken && !p->gone;
}

/* All that changes with path `number`, unless nothing of it is left. */
static void take_linked(struct archive_plan *plan, uint32_t number, struct archive_change *out)
{
    struct archive_path *list = plan->list.list;
    bool wanted = false, lacking = false;
    uint32_t p = number;
    do {
        wanted = wanted || is_wanted(&list[p]);
        lacking = lacking || (list[p].added && !list[p].output && !list[p].live);
        p = list[p].next;
    } while (p != number);
    if (!wanted)
        return;
    do {
        if (is_wanted(&list[p]) && !list[p].live) {
            *array_add(&out->adds) = list[p].line;
            out->data_change = out->data_change || lacking;
            list[p].live = true;
        } else if (list[p].taken && list[p].live) {
            *array_add(&out->removes) = map_key(&plan->paths, p);
            list[p].live = false;
        }
        p = list[p].next;
    } while (p != number);
}

void archive_plan_take(struct archive_plan *plan, const struct delta_add *add, struct slice line,
                       struct archive_change *out)
{
    int64_t number = map_find(&plan->paths, add->path);
    ASSERT(number >= 0); /* the plan is of the entry, too */
    struct archive_path *path = &plan->list.list[number];
    if (path->output || path->taken) {
        take_linked(plan, (uint32_t)number, out);
    } else if (!path->gone && !path->live) {
        *array_add(&out->adds) = line;
        out->data_change = path->live = true;
    }
}

void archive_plan_free(struct archive_plan *plan)
{
    map_free(&plan->paths);
    array_free(&plan->list);
    arena_free(&plan->lines);
}
