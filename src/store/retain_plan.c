/* SPDX-License-Identifier: MIT */
#include "store/retain_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/time.h"
#include "delta/object_file.h"
#include "parquet/read/rows.h"

struct slice retain_folder(struct slice path)
{
    while (path.len > 0 && path.data[path.len - 1] != '/')
        path.len--;
    return path;
}

/* Not time > now + ahead_max: that sum can overflow. */
static bool is_absurd(const struct retain_options *o, int64_t time, int64_t now)
{
    return time <= 0 || time - o->columns.ahead_max > now;
}

static bool get_time(const struct json *object, const char *name, int64_t *ns)
{
    struct slice text;
    return json_get_text(object, name, &text) && time_parse(text, ns);
}

/*
 * Rows that are filed under their own time and such that are not may be in one file, and bounds do
 * not tell them apart. What is judged to be absurd here was so when the row came: the file was
 * committed later.
 */
struct delta_mark retain_newest(const struct retain_options *o, struct slice stats,
                                int64_t modified)
{
    struct arena arena = {0};
    struct err ignored = {0}; /* statistics that are no JSON are none */
    const struct json *root = stats.data != NULL ? json_parse(&arena, stats, &ignored) : NULL;
    const struct json *low = json_member(root, "minValues");
    const struct json *high = json_member(root, "maxValues");
    struct delta_mark newest = {.value = INT64_MIN};
    int64_t first, last, came_first, came_last;
    if (json_get_i64(low, o->columns.time, &first) && json_get_i64(high, o->columns.time, &last) &&
        get_time(low, o->columns.arrival, &came_first) &&
        get_time(high, o->columns.arrival, &came_last)) {
        bool none_is_absurd = !is_absurd(o, first, modified) && !is_absurd(o, last, modified);
        bool all_are = last <= 0 || (first > 0 && is_absurd(o, first, modified));
        newest.exact = none_is_absurd || all_are;
        if (none_is_absurd)
            newest.value = last;
        else if (all_are)
            newest.value = came_last;
        else
            newest.value = is_absurd(o, last, modified) ? came_first : last;
    }
    arena_free(&arena);
    return newest;
}

int64_t retain_committed(int64_t ms)
{
    const int64_t limit = INT64_MAX / CLOCK_MILLISECOND;
    return (ms > limit ? limit : ms < -limit ? -limit : ms) * CLOCK_MILLISECOND;
}

static int scan_times(const struct retain_options *o, const struct parquet_file *file,
                      int64_t modified, int64_t *newest, struct err *err)
{
    int64_t time = parquet_file_leaf(file, slice_of(o->columns.time));
    int64_t arrival = parquet_file_leaf(file, slice_of(o->columns.arrival));
    struct slice values[2];
    int result;
    if (time < 0 || arrival < 0 || file->leaves[time].type.width != 8 ||
        file->leaves[arrival].type.width != 8)
        return err_set(err, ERR_FORMAT, "it has no times");
    const uint32_t leaves[] = {(uint32_t)time, (uint32_t)arrival};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_rows *rows = parquet_rows_new(file, leaves, 2, codec);
    while ((result = parquet_rows_next(rows, values, err)) == 1) {
        if (values[0].data == NULL || values[1].data == NULL)
            continue;
        int64_t own = (int64_t)load_u64le(values[0].data);
        int64_t came = (int64_t)load_u64le(values[1].data);
        came = came > INT64_MAX / 1000 ? INT64_MAX : came * 1000;
        int64_t filed = is_absurd(o, own, modified) ? came : own;
        *newest = filed > *newest ? filed : *newest;
    }
    parquet_rows_free(rows);
    parquet_codec_free(codec);
    return result;
}

/* By its rows. What can't be read is as new as can be. */
static int64_t look_into(const struct retain_plan *plan, struct object_store *store,
                         const struct delta_file *file)
{
    struct delta_object_file object;
    struct buf name = {0};
    struct err ignored = {0};
    int64_t newest = INT64_MIN;
    bool found = false;
    int result = delta_object_name(&name, file->path, &ignored);
    if (result == 0)
        result = delta_object_file_open(&object, store, buf_text(&name), &found, &ignored);
    if (result == 0 && found) {
        result = scan_times(plan->options, &object.file, retain_committed(file->modification_time),
                            &newest, &ignored);
        delta_object_file_close(&object);
    }
    buf_free(&name);
    return result == 0 && newest != INT64_MIN ? newest : INT64_MAX;
}

static enum delta_keep keep_brief(void *context, const struct delta_add *add,
                                  struct delta_mark *mark)
{
    const struct retain_plan *plan = context;
    *mark = retain_newest(plan->options, add->stats, retain_committed(add->modification_time));
    return DELTA_KEEP_BRIEF;
}

static struct retain_part *part_of(struct retain_plan *plan, const struct delta_file *file)
{
    struct buf key = {0};
    bool added;
    uint32_t number =
        map_put(&plan->folders, retain_folder(delta_path_key(&key, file->path)), &added);
    buf_free(&key);
    if (added)
        *array_add(&plan->parts) = (struct retain_part){.newest = INT64_MIN};
    return &plan->parts.list[number];
}

bool retain_is_due(const struct retain_plan *plan, int64_t newest)
{
    int64_t max_age = plan->options->max_age;
    return max_age > 0 && newest < plan->now - max_age;
}

static uint64_t add_files(struct retain_plan *plan)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->table.files.count; i++) {
        const struct delta_file *file = plan->table.files.list[i];
        if (file == NULL)
            continue;
        struct retain_part *part = part_of(plan, file);
        part->files++;
        part->bytes += file->size;
        part->newest = file->mark.value > part->newest ? file->mark.value : part->newest;
        bytes += file->size;
    }
    return bytes;
}

/* Where it matters, files whose statistics do not say it are read: what they say is a least. */
static void look_into_files(struct retain_plan *plan, struct object_store *store, bool all)
{
    for (size_t i = 0; i < plan->table.files.count; i++) {
        const struct delta_file *file = plan->table.files.list[i];
        if (file == NULL || file->mark.exact)
            continue;
        struct retain_part *part = part_of(plan, file);
        if (!all && !retain_is_due(plan, part->newest))
            continue;
        int64_t newest = look_into(plan, store, file);
        part->newest = newest > part->newest ? newest : part->newest;
    }
}

static int by_age(const void *a, const void *b)
{
    const struct retain_order *x = a;
    const struct retain_order *y = b;
    if (x->newest != y->newest)
        return x->newest < y->newest ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

/* Oldest first: all that are due by their age, and as many as there are too many bytes; but not the
 * newest one for these. */
static void choose(struct retain_plan *plan, uint64_t bytes)
{
    uint64_t max_bytes = plan->options->max_bytes;
    for (uint32_t i = 0; i < plan->parts.count; i++)
        *array_add(&plan->chosen) = (struct retain_order){plan->parts.list[i].newest, i};
    if (plan->chosen.count > 0)
        qsort(plan->chosen.list, plan->chosen.count, sizeof(*plan->chosen.list), by_age);
    size_t count = 0;
    for (; count < plan->chosen.count; count++) {
        struct retain_part *part = &plan->parts.list[plan->chosen.list[count].part];
        bool too_many = max_bytes > 0 && bytes > max_bytes && count + 1 < plan->chosen.count;
        if (!too_many && !retain_is_due(plan, part->newest))
            break;
        part->chosen = true;
        bytes -= part->bytes;
    }
    plan->chosen.count = count;
}

int retain_plan_make(struct retain_plan *plan, struct object_store *store, struct err *err)
{
    plan->table =
        (struct delta_snapshot){.want_files = true, .keep = keep_brief, .keep_context = plan};
    if (delta_snapshot_load(&plan->table, store, err) != 0)
        return -1;
    uint64_t bytes = add_files(plan);
    uint64_t max_bytes = plan->options->max_bytes;
    look_into_files(plan, store, max_bytes > 0 && bytes > max_bytes);
    choose(plan, bytes);
    return 0;
}

void retain_plan_free(struct retain_plan *plan)
{
    delta_snapshot_free(&plan->table);
    map_free(&plan->folders);
    array_free(&plan->parts);
    array_free(&plan->chosen);
}
