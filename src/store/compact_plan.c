/* SPDX-License-Identifier: MIT */
#include "store/compact_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "delta/object_file.h"
#include "delta/table.h"
#include "store/compact_replaced.h"

/* A file in a folder that the log does not know may be of a commit that is under way, or was
 * interrupted a moment ago. */
#define FOREIGN_AFTER (3600 * CLOCK_SECOND)

/* A commit every two seconds makes so many versions in a year; 32 bits hold 256 times as many. */
enum { VERSIONS_MAX = 16 * 1024 * 1024 };

static struct slice tag(const struct delta_file *file, const char *key)
{
    return delta_map_get(&file->tags, key);
}

static bool is_ours(const struct delta_file *file, uint64_t *first, uint64_t *last)
{
    struct slice low = tag(file, "varve.first_seq"), high = tag(file, "varve.last_seq");
    return tag(file, "varve.stream").data != NULL && tag(file, "varve.created").data != NULL &&
           low.data != NULL && high.data != NULL && num_parse_u64(low, first) &&
           num_parse_u64(high, last) && file->vector == 0;
}

static struct compact_folder *folder_of(struct compact_plan *plan, struct slice name)
{
    bool added;
    size_t len = name.len;
    while (len > 0 && name.data[len - 1] != '/')
        len--;
    struct slice folder = {name.data, len};
    uint32_t number = map_put(&plan->names, folder, &added);
    if (!added)
        return plan->folders.list[number];
    struct compact_folder *f = calloc(1, sizeof(*f));
    if (f == NULL)
        out_of_memory(sizeof(*f));
    f->folder = text_copy_slice(folder);
    f->newest = INT64_MIN;
    f->inputs.account = plan->texts.account;
    if (len < 2 || memchr(name.data, '\n', name.len) != NULL)
        f->why = "its files lie in the output directory itself";
    *array_add(&plan->folders) = f;
    return f;
}

static bool is_digit_at(struct slice s, size_t at)
{
    return at < s.len && s.data[at] >= '0' && s.data[at] <= '9';
}

/* Find the last place where `number` is one; *end is behind it. */
static bool find_number(struct slice base, const char *number, size_t *start, size_t *end)
{
    size_t len = strlen(number);
    for (size_t at = base.len; at-- > 0;) {
        bool whole = at + len <= base.len && memcmp(base.data + at, number, len) == 0 &&
                     !is_digit_at(base, at + len) && (at == 0 || !is_digit_at(base, at - 1));
        if (whole) {
            *start = at;
            *end = at + len;
            return true;
        }
    }
    return false;
}

/* Take the name to pieces: files that differ in more than their sequences have rows that belong
 * apart. */
static void split_name(const struct compact_folder *f, struct compact_input *input)
{
    char first[24], last[24], both[48];
    struct slice base = slice_of(input->name + strlen(f->folder));
    size_t start = base.len, end = base.len;
    (void)snprintf(first, sizeof(first), "%" PRIu64, input->first);
    (void)snprintf(last, sizeof(last), "%" PRIu64, input->last);
    (void)snprintf(both, sizeof(both), "%s-%s", first, last);
    bool range = find_number(base, both, &start, &end);
    input->has_first = range || find_number(base, first, &start, &end);
    input->has_last = range || (!input->has_first && find_number(base, last, &start, &end));
    input->before = (struct slice){base.data, start};
    while (end < base.len && base.data[end] == '-' && is_digit_at(base, end + 1))
        for (end++; is_digit_at(base, end); end++)
            ;
    input->after = (struct slice){base.data + end, base.len - end};
}

static int add_file(struct compact_plan *plan, const struct compact_options *options,
                    const struct delta_file *file, struct err *err)
{
    struct buf name = {0};
    struct compact_input input = {.file = file};
    if (delta_object_name(&name, file->path, err) != 0) {
        buf_free(&name);
        return -1;
    }
    struct compact_folder *f = folder_of(plan, buf_slice(&name));
    f->files++;
    if (file->modification_time > f->newest)
        f->newest = file->modification_time;
    if (!is_ours(file, &input.first, &input.last)) {
        f->why = "another engine has written files of it";
    } else if (file->size < options->target_bytes / 2) {
        input.name = arena_text(&plan->texts, name.data, name.len);
        input.path = arena_text(&plan->texts, file->path.data, file->path.len);
        split_name(f, &input);
        *array_add(&f->inputs) = input;
    }
    buf_free(&name);
    return 0;
}

static int compare_tags(const struct delta_file *a, const struct delta_file *b, const char *key)
{
    struct slice x = tag(a, key), y = tag(b, key);
    int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static int by_sequence(const void *a, const void *b)
{
    const struct compact_input *x = a, *y = b;
    int order = compare_tags(x->file, y->file, "varve.stream");
    if (order == 0)
        order = compare_tags(x->file, y->file, "varve.created");
    if (order == 0)
        order = slice_compare(x->before, y->before);
    if (order == 0)
        order = slice_compare(x->after, y->after);
    return order != 0 ? order : (x->first > y->first) - (x->first < y->first);
}

/* They may become one file. */
static bool are_alike(const struct compact_input *a, const struct compact_input *b)
{
    return compare_tags(a->file, b->file, "varve.stream") == 0 &&
           compare_tags(a->file, b->file, "varve.created") == 0 &&
           slice_equal(a->before, b->before) && slice_equal(a->after, b->after);
}

static bool has_bin(const struct compact_folder *f, const char *name)
{
    for (size_t i = 0; i < f->bins.count; i++)
        if (strcmp(f->bins.list[i].name, name) == 0)
            return true;
    return false;
}

/*
 * The name of a new file: that of the first of the old ones, with the new last sequence where it
 * has the old one, and behind it a number that no name ever had: of the version of the table. Of
 * two generations of a stream both may have the same sequences.
 */
static char *new_name(const struct compact_folder *f, const struct compact_bin *bin,
                      uint64_t version)
{
    struct buf name = {0}, numbered = {0};
    const struct compact_input *old = &bin->inputs[0];
    uint64_t last = 0;
    for (size_t i = 0; i < bin->count; i++)
        last = bin->inputs[i].last > last ? bin->inputs[i].last : last;
    buf_append_text(&name, f->folder);
    buf_append_slice(&name, old->before);
    if (old->has_first)
        buf_append_decimal(&name, old->first);
    if (old->has_first && old->has_last)
        buf_append_byte(&name, '-');
    if (old->has_last)
        buf_append_decimal(&name, last);
    buf_append_slice(&name, old->after);
    do {
        buf_reset(&numbered);
        object_name_numbered(&numbered, buf_slice(&name), (uint32_t)version);
        version += VERSIONS_MAX;
    } while (has_bin(f, buf_text(&numbered)));
    char *result = text_copy_slice(buf_slice(&numbered));
    buf_free(&name);
    buf_free(&numbered);
    return result;
}

/* Neighbours in the stream, up to the target. */
static void fill_bins(struct compact_folder *f, const struct compact_options *options,
                      uint64_t version)
{
    size_t start = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i <= f->inputs.count; i++) {
        bool ends = i == f->inputs.count ||
                    (i > start && !are_alike(&f->inputs.list[start], &f->inputs.list[i])) ||
                    (i > start && bytes + f->inputs.list[i].file->size > options->target_bytes);
        if (ends && i - start > 1) {
            struct compact_bin bin = {.inputs = &f->inputs.list[start], .count = i - start};
            bin.name = new_name(f, &bin, version);
            *array_add(&f->bins) = bin;
        }
        if (ends) {
            start = i;
            bytes = 0;
        }
        if (i < f->inputs.count)
            bytes += f->inputs.list[i].file->size;
    }
}

struct listing {
    struct compact_plan *plan;
    ARRAY(char *) unknown; /* names that are not in the log */
};

static bool note_name(void *context, struct slice name)
{
    struct listing *l = context;
    struct buf path = {0};
    delta_path_encode(&path, name);
    if (delta_snapshot_file(&l->plan->table, buf_slice(&path)) == NULL && l->unknown.count < 2 &&
        map_find(&l->plan->replaced, name) < 0)
        *array_add(&l->unknown) = text_copy_slice(name);
    buf_free(&path);
    return true;
}

/* What is in the folder beside the files of the log; *busy: a commit to it may be under way. */
static int look_at_folder(struct compact_plan *plan, struct compact_folder *f,
                          struct object_store *store, int64_t now, bool *busy, struct err *err)
{
    struct listing l = {.plan = plan};
    struct object_info info;
    bool found;
    int result = object_list(store, f->folder, "", note_name, &l, err);
    for (size_t i = 0; i < l.unknown.count; i++) {
        if (result == 0)
            result = object_head(store, l.unknown.list[i], &info, &found, err);
        if (result == 0 && found && info.modified < now - FOREIGN_AFTER)
            f->why = "it holds what is not in the log";
        *busy = true;
        free(l.unknown.list[i]);
    }
    array_free(&l.unknown);
    return result;
}

static int choose(struct compact_plan *plan, struct compact_folder *f, struct object_store *store,
                  const struct compact_options *options, int64_t now, struct err *err)
{
    bool busy = false;
    if (f->why != NULL || f->inputs.count < 2 ||
        (options->only != NULL && map_find(options->only, slice_of(f->folder)) < 0))
        return 0;
    bool closed = options->only != NULL ||
                  now / CLOCK_MILLISECOND - f->newest >= options->after / CLOCK_MILLISECOND;
    if (!closed && f->inputs.count < COMPACT_MANY)
        return 0;
    if (options->keep == 0 && look_at_folder(plan, f, store, now, &busy, err) != 0)
        return -1;
    if (busy)
        return 0;
    qsort(f->inputs.list, f->inputs.count, sizeof(f->inputs.list[0]), by_sequence);
    fill_bins(f, options, plan->table.version);
    return 0;
}

int compact_plan_make(struct compact_plan *plan, struct object_store *store,
                      const struct compact_options *options, int64_t now, struct err *err)
{
    plan->table = (struct delta_snapshot){.want_files = true, .account = options->account};
    plan->texts.account = plan->names.account = plan->replaced.account = options->account;
    int result = delta_snapshot_load(&plan->table, store, err);
    if (result != 0 || !plan->table.found)
        return result;
    result = delta_table_check_state(&plan->table.protocol, &plan->table.metadata, err);
    if (result == 0 && plan->table.metadata.partition_columns.count > 0)
        result = err_set(err, ERR_UNSUPPORTED, "it has partition columns");
    for (size_t i = 0; i < plan->table.files.count && result == 0; i++)
        if (plan->table.files.list[i] != NULL)
            result = add_file(plan, options, plan->table.files.list[i], err);
    if (result == 0)
        result = replaced_names(store, &plan->replaced, err);
    for (size_t i = 0; i < plan->folders.count && result == 0; i++)
        result = choose(plan, plan->folders.list[i], store, options, now, err);
    return result;
}

static void free_folder(struct compact_folder *f)
{
    for (size_t i = 0; i < f->bins.count; i++) {
        free(f->bins.list[i].name);
        object_abandon(f->bins.list[i].out.staged);
        compact_output_free(&f->bins.list[i].out);
    }
    array_free(&f->inputs);
    array_free(&f->bins);
    free(f->folder);
    free(f);
}

void compact_plan_free(struct compact_plan *plan)
{
    for (size_t i = 0; i < plan->folders.count; i++)
        free_folder(plan->folders.list[i]);
    array_free(&plan->folders);
    map_free(&plan->names);
    map_free(&plan->replaced);
    arena_free(&plan->texts);
    delta_snapshot_free(&plan->table);
}
