/* SPDX-License-Identifier: MIT */
#include "base/arena.h"
#include "base/json.h"
#include "delta/snapshot_part.h"

enum delta_keep delta_keep_brief(void *context, const struct delta_add *add,
                                 struct delta_mark *mark)
{
    (void)context, (void)add, (void)mark;
    return DELTA_KEEP_BRIEF;
}

int64_t delta_snapshot_find(const struct delta_snapshot *s, struct slice path)
{
    struct buf key = {0};
    int64_t number = map_find(&s->paths, delta_path_key(&key, path));
    buf_free(&key);
    return number;
}

const struct delta_file *delta_snapshot_file(const struct delta_snapshot *s, struct slice path)
{
    int64_t number = delta_snapshot_find(s, path);
    return number < 0 ? NULL : s->files.list[number];
}

bool delta_file_rows(const struct delta_file *file, uint64_t *rows)
{
    struct arena arena = {0};
    struct err ignored = {0}; /* statistics that are no JSON are none */
    bool found = file->stats.data != NULL &&
                 json_get_u64(json_parse(&arena, file->stats, &ignored), "numRecords", rows);
    arena_free(&arena);
    return found;
}

uint64_t delta_snapshot_rows(const struct delta_snapshot *s)
{
    uint64_t all = 0, rows;
    for (size_t i = 0; i < s->files.count; i++)
        if (s->files.list[i] != NULL && delta_file_rows(s->files.list[i], &rows))
            all = rows < UINT64_MAX - all ? all + rows : UINT64_MAX;
    return all;
}

bool delta_file_is_foreign(const struct delta_file *file)
{
    return file->data_change && delta_map_get(&file->tags, "varve.stream").data == NULL;
}

uint64_t delta_file_last(const struct delta_file *file, const struct delta_generation *g)
{
    return delta_file_is_foreign(file) && g->through > 0 ? g->through : UINT64_MAX;
}
