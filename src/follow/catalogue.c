/* SPDX-License-Identifier: MIT */
#include "follow/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/time.h"
#include "delta/object_file.h"
#include "parquet/write/layout.h"

void follow_event_columns(struct follow_column columns[static EVENT_COLUMNS])
{
    for (uint32_t i = 0; i < EVENT_COLUMNS; i++)
        columns[i] = (struct follow_column){event_schema.columns[i].name,
                                            layout_type(event_schema.columns[i].type)};
}

void follow_file_bounds(const struct delta_file *file, uint64_t *first, uint64_t *last)
{
    struct arena arena = {0};
    struct err err = {0};
    if (num_parse_u64(delta_map_get(&file->tags, "varve.first_seq"), first) &&
        num_parse_u64(delta_map_get(&file->tags, "varve.last_seq"), last))
        return;
    const struct json *stats =
        file->stats.data != NULL ? json_parse(&arena, file->stats, &err) : NULL;
    if (!json_get_u64(json_member(stats, "minValues"), FOLLOW_SEQUENCE, first))
        *first = 0;
    if (!json_get_u64(json_member(stats, "maxValues"), FOLLOW_SEQUENCE, last))
        *last = UINT64_MAX;
    arena_free(&arena);
}

static void fill_file(struct follow_catalogue *c, struct follow_file *file,
                      const struct delta_file *logged)
{
    struct slice sha256 = delta_map_get(&logged->tags, "varve.sha256");
    *file = (struct follow_file){
        .name = file->name,
        .listed = delta_map_get(&logged->tags, "varve.sequences").data != NULL,
        .foreign = delta_file_is_foreign(logged),
        .modified = logged->modification_time,
        .sha256 = slice_of(arena_text(&c->arena, sha256.data, sha256.len)),
    };
    follow_file_bounds(logged, &file->first, &file->last);
}

static struct follow_stream *find_stream(struct follow_catalogue *c, struct slice stream,
                                         struct slice created)
{
    bool known = stream.data != NULL && created.data != NULL;
    for (size_t i = 0; i < c->streams.count; i++) {
        struct follow_stream *s = &c->streams.list[i];
        if (known
                ? s->stream != NULL && slice_is(stream, s->stream) && slice_is(created, s->created)
                : s->stream == NULL)
            return s;
    }
    struct follow_stream *added = array_add(&c->streams);
    *added = (struct follow_stream){0};
    if (known) {
        added->stream = arena_text(&c->arena, stream.data, stream.len);
        added->created = arena_text(&c->arena, created.data, created.len);
    }
    return added;
}

static int add_file(struct follow_catalogue *c, const struct delta_file *logged, struct err *err)
{
    struct buf path = {0};
    struct follow_file file = {0};
    int result = 0;
    if (logged->vector != 0)
        result = err_set(err, ERR_UNSUPPORTED,
                         "another engine has deleted rows of %.*s; varve can't tell which",
                         (int)logged->path.len, (const char *)logged->path.data);
    else
        result = delta_object_name(&path, logged->path, err);
    if (result == 0) {
        file.name = arena_text(&c->arena, path.data, path.len);
        fill_file(c, &file, logged);
        struct follow_stream *stream = find_stream(c, delta_map_get(&logged->tags, "varve.stream"),
                                                   delta_map_get(&logged->tags, "varve.created"));
        *array_add(&stream->files) = file;
    }
    buf_free(&path);
    return result;
}

static int by_first(const void *a, const void *b)
{
    const struct follow_file *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* What varve puts behind the time of a stream that was set back is later than the stream. */
static int by_creation(const struct follow_stream *x, const struct follow_stream *y)
{
    int64_t at[2] = {0, 0};
    const char *texts[2] = {x->created, y->created};
    for (int i = 0; i < 2; i++) {
        struct slice text = {(const uint8_t *)texts[i], strcspn(texts[i], "~")};
        if (!time_parse(text, &at[i]))
            at[i] = 0;
    }
    if (at[0] != at[1])
        return at[0] < at[1] ? -1 : 1;
    return strcmp(x->created, y->created);
}

static int by_stream(const void *a, const void *b)
{
    const struct follow_stream *x = a, *y = b;
    if (x->stream == NULL || y->stream == NULL)
        return (x->stream == NULL) - (y->stream == NULL);
    int names = strcmp(x->stream, y->stream);
    return names != 0 ? names : by_creation(x, y);
}

/* Whose rows are in files that do not say so: where there is one generation, of that one. */
static void give_unknown(struct follow_catalogue *c, const struct delta_snapshot *snapshot)
{
    struct follow_stream *unknown =
        c->streams.count > 0 ? &c->streams.list[c->streams.count - 1] : NULL;
    if (unknown == NULL || unknown->stream != NULL)
        return;
    if (c->streams.count == 1 && snapshot->generation_list.count == 1) {
        const struct delta_generation *only = &snapshot->generation_list.list[0];
        unknown->stream = arena_text(&c->arena, only->stream, strlen(only->stream));
        unknown->created = arena_text(&c->arena, only->created, strlen(only->created));
    } else if (c->streams.count == 2 && snapshot->generation_list.count <= 1) {
        struct follow_stream *only = &c->streams.list[0];
        for (size_t i = 0; i < unknown->files.count; i++)
            *array_add(&only->files) = unknown->files.list[i];
        array_free(&unknown->files);
        c->streams.count = 1;
    }
}

void follow_catalogue_add(struct follow_catalogue *c, const struct follow_file *file,
                          struct slice stream, struct slice created)
{
    struct follow_file added = *file;
    added.name = arena_text(&c->arena, (const uint8_t *)file->name, strlen(file->name));
    added.sha256 = slice_of(arena_text(&c->arena, file->sha256.data, file->sha256.len));
    *array_add(&find_stream(c, stream, created)->files) = added;
}

void follow_catalogue_sort(struct follow_catalogue *c)
{
    if (c->streams.count > 0)
        qsort(c->streams.list, c->streams.count, sizeof(*c->streams.list), by_stream);
    for (size_t i = 0; i < c->streams.count; i++)
        if (c->streams.list[i].files.count > 0)
            qsort(c->streams.list[i].files.list, c->streams.list[i].files.count,
                  sizeof(struct follow_file), by_first);
}

int follow_catalogue_fill(struct follow_catalogue *c, const struct delta_snapshot *snapshot,
                          struct err *err)
{
    for (size_t i = 0; i < snapshot->files.count; i++)
        if (snapshot->files.list[i] != NULL && add_file(c, snapshot->files.list[i], err) != 0)
            return -1;
    if (c->streams.count > 0)
        qsort(c->streams.list, c->streams.count, sizeof(*c->streams.list), by_stream);
    give_unknown(c, snapshot);
    follow_catalogue_sort(c);
    return 0;
}

bool follow_has_news(const struct delta_generation *g, const struct seqset *read, uint64_t first,
                     uint64_t last)
{
    for (uint64_t at = first; g != NULL && at <= last;) {
        const struct seqrange *rows = seqset_find(&g->rows, at);
        if (rows == NULL || rows->first > last)
            return false;
        uint64_t from = rows->first > at ? rows->first : at;
        uint64_t to = rows->last < last ? rows->last : last;
        if (seqset_contiguous_end(read, from) < to)
            return true;
        if (to == last)
            return false;
        at = to + 1;
    }
    return false;
}

void follow_catalogue_free(struct follow_catalogue *c)
{
    for (size_t i = 0; i < c->streams.count; i++)
        array_free(&c->streams.list[i].files);
    array_free(&c->streams);
    arena_free(&c->arena);
}
