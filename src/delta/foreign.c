/* SPDX-License-Identifier: MIT */
#include "delta/foreign.h"

void delta_foreign_note(struct delta_foreign *f, const struct delta_action *action)
{
    bool added;
    if (action->kind == DELTA_REMOVE)
        f->taken = f->taken || map_find(&f->paths, action->remove.path) >= 0;
    if (action->kind != DELTA_ADD || delta_map_get(&action->add.tags, "varve.stream").data != NULL)
        return;
    struct map *to = action->add.data_change ? &f->paths : &f->added;
    if ((action->add.data_change || f->reading) && to->count < MAP_KEYS_MAX)
        (void)map_put(to, action->add.path, &added); /* a table has no more files: snapshot.c */
}

uint32_t delta_foreign_end(struct delta_foreign *f)
{
    bool added;
    f->reading = false;
    for (uint32_t i = 0; i < f->added.count && f->taken && f->paths.count < MAP_KEYS_MAX; i++)
        (void)map_put(&f->paths, map_key(&f->added, i), &added);
    return f->taken ? f->added.count : 0;
}

void delta_foreign_begin(struct delta_foreign *f)
{
    map_reset(&f->added);
    f->taken = false;
    f->reading = true;
}

bool delta_foreign_has(const struct delta_foreign *f, struct slice path)
{
    return map_find(&f->paths, path) >= 0;
}

void delta_foreign_free(struct delta_foreign *f)
{
    map_free(&f->paths);
    map_free(&f->added);
    *f = (struct delta_foreign){0};
}
