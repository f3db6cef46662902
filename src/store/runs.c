/* SPDX-License-Identifier: MIT */
#include "store/runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "delta/object_file.h"
#include "delta/snapshot.h"
#include "store/run_manifest.h"

/* Of one run, from a look at all files. */
struct seen {
    int64_t newest;   /* when its newest row came */
    int64_t ended;    /* the same of the files that have its end; INT64_MIN: it has none */
    uint64_t content; /* run_manifest_content of its files */
};

struct look {
    const struct runs_options *options;
    struct delta_snapshot table; /* each live file with mark_of */
    struct map runs;
    ARRAY(struct seen) seen; /* of each */
};

/* The group of a file's mark: its run, and whether its rows may have the end of that. */
static uint32_t group_of(uint32_t run, bool may_end)
{
    ASSERT(run < UINT32_MAX / 2);
    return run * 2 + may_end;
}

static uint32_t run_of(const struct delta_file *file)
{
    return file->mark.group / 2;
}

static bool may_end(const struct delta_file *file)
{
    return file->mark.group % 2 == 1;
}

/* Files of several runs, and such as do not say, are of none. */
static enum delta_keep keep_brief(void *context, const struct delta_add *add,
                                  struct delta_mark *mark)
{
    struct look *look = context;
    struct arena arena = {0};
    struct run_brief brief;
    bool added = false;
    enum delta_keep kept = DELTA_KEEP_NOTHING;
    if (run_of_file(look->options, &arena, add->stats, &brief)) {
        mark->value = brief.came;
        mark->group = group_of(map_put(&look->runs, brief.run, &added), brief.may_end);
        kept = DELTA_KEEP_BRIEF;
    }
    if (added)
        *array_add(&look->seen) = (struct seen){.newest = INT64_MIN, .ended = INT64_MIN};
    arena_free(&arena);
    return kept;
}

static int look_around(struct look *look, struct object_store *store, struct err *err)
{
    look->table =
        (struct delta_snapshot){.want_files = true, .keep = keep_brief, .keep_context = look};
    if (delta_snapshot_load(&look->table, store, err) != 0)
        return -1;
    for (size_t i = 0; i < look->table.files.count; i++) {
        const struct delta_file *file = look->table.files.list[i];
        if (file == NULL)
            continue;
        struct seen *seen = &look->seen.list[run_of(file)];
        seen->content += run_manifest_content(file);
        if (file->mark.value > seen->newest)
            seen->newest = file->mark.value;
    }
    return 0;
}

static void free_look(struct look *look)
{
    delta_snapshot_free(&look->table);
    map_free(&look->runs);
    array_free(&look->seen);
}

static bool is_known(const struct runs_memory *memory, struct slice run, uint64_t content)
{
    int64_t number = map_find(&memory->runs, run);
    return number >= 0 && memory->contents.list[number] == content;
}

static void remember(struct runs_memory *memory, struct slice run, uint64_t content)
{
    bool added;
    uint32_t number = map_put(&memory->runs, run, &added);
    if (added)
        *array_add(&memory->contents) = content;
    memory->contents.list[number] = content;
}

static int object_name(struct buf *out, const struct delta_file *file, struct err *err)
{
    buf_reset(out);
    return delta_object_name(out, file->path, err);
}

/* Whether a file has the end of its run: read once. One that can't be read has none. */
static int file_ends(struct look *look, struct object_store *store, const struct delta_file *file,
                     const struct runs_memory *memory, bool *ends, struct err *err)
{
    struct buf name = {0};
    struct err failure = {0};
    int64_t known = map_find(&memory->read.paths, file->path);
    if (known >= 0) {
        *ends = memory->read.ends.list[known];
        return 0;
    }
    if (object_name(&name, file, &failure) == 0)
        (void)!run_file_ends(look->options, store, buf_text(&name), ends, &failure);
    buf_free(&name);
    if (failure.code == ERR_FORMAT || failure.code == ERR_UNSUPPORTED)
        log_message(LOG_WARNING, "runs", "%s", failure.text);
    else if (err_is_set(&failure))
        *err = failure;
    return err_is_set(err) ? -1 : 0;
}

static void free_read(struct runs_read *read)
{
    map_free(&read->paths);
    array_free(&read->ends);
}

/* Which runs have their end. Of the files that were read those are forgotten that do not matter any
 * more. */
static int find_ends(struct look *look, struct object_store *store, const atomic_bool *stop,
                     struct runs_memory *memory, struct err *err)
{
    struct runs_read fresh = {0};
    int result = 0;
    for (size_t i = 0; i < look->table.files.count && result == 0; i++) {
        const struct delta_file *file = look->table.files.list[i];
        bool ends = false, added;
        if (file == NULL || !may_end(file) ||
            is_known(memory, map_key(&look->runs, run_of(file)),
                     look->seen.list[run_of(file)].content))
            continue;
        if (atomic_load(stop))
            result = err_set(err, ERR_REFUSED, "it is time to end");
        else
            result = file_ends(look, store, file, memory, &ends, err);
        (void)map_put(&fresh.paths, file->path, &added);
        *array_add(&fresh.ends) = ends;
        if (ends && file->mark.value > look->seen.list[run_of(file)].ended)
            look->seen.list[run_of(file)].ended = file->mark.value;
    }
    struct runs_read old = memory->read;
    memory->read = result == 0 ? fresh : old;
    free_read(result == 0 ? &old : &fresh);
    return result;
}

/* When a run is over if nothing comes; INT64_MAX: never. */
static int64_t over_at(const struct seen *seen, const struct runs_options *o)
{
    int64_t at = INT64_MAX;
    if (o->close_after > 0 && seen->newest < INT64_MAX - o->close_after)
        at = seen->newest + o->close_after;
    if (seen->ended != INT64_MIN && seen->newest <= seen->ended)
        at = INT64_MIN;
    else if (seen->ended != INT64_MIN && seen->newest < INT64_MAX - RUNS_LATE)
        at = clock_earliest(at, seen->newest + RUNS_LATE);
    return at;
}

/* What can't be merged stays as it is: the run is over for all that. */
static int compact_run(const struct look *look, struct object_store *store, uint32_t run,
                       const atomic_bool *stop, struct err *err)
{
    struct map folders = {0};
    struct buf name = {0};
    struct err failure = {0};
    int result = 0;
    for (size_t i = 0; i < look->table.files.count && result == 0; i++) {
        const struct delta_file *file = look->table.files.list[i];
        bool added;
        if (file == NULL || run_of(file) != run)
            continue;
        result = object_name(&name, file, err);
        const char *end = result == 0 ? strrchr(buf_text(&name), '/') : NULL;
        if (end != NULL)
            (void)map_put(&folders, (struct slice){name.data, (size_t)(end + 1 - buf_text(&name))},
                          &added);
    }
    if (result == 0 && folders.count > 0 &&
        compact_folders(store, look->options->compaction, &folders, stop, look->options->compacted,
                        &failure) != 0) {
        if (failure.code == ERR_REFUSED)
            *err = failure;
        else
            log_message(LOG_WARNING, "runs", "not compacted: %s", failure.text);
    }
    map_free(&folders);
    buf_free(&name);
    return err_is_set(err) ? -1 : 0;
}

static void describe(struct runs_closed *out, const struct run_manifest *m)
{
    size_t len = m->run.len < RUNS_TEXT_MAX - 1 ? m->run.len : RUNS_TEXT_MAX - 1;
    out->found = true;
    if (len > 0)
        memcpy(out->run, m->run.data, len);
    out->edition = m->edition;
    out->rows = m->rows;
    out->files = m->files.count;
}

/* The edition that is there. One that is damaged is none: it is written anew. */
static int read_former(struct run_manifest *former, struct object_store *store, struct slice run,
                       bool *found, struct err *err)
{
    struct err failure = {0};
    if (run_manifest_read(former, store, run, found, &failure) == 0)
        return 0;
    run_manifest_free(former);
    *former = (struct run_manifest){0};
    *found = false;
    if (failure.code != ERR_FORMAT)
        *err = failure;
    return err_is_set(err) ? -1 : 0;
}

/* Write down one run, unless that was done before this process began. *content becomes that which
 * is written down. */
static int close_run(const struct look *look, struct object_store *store, uint32_t number,
                     int64_t now, const atomic_bool *stop, struct runs_closed *out,
                     uint64_t *content, struct err *err)
{
    const struct runs_options *o = look->options;
    struct run_manifest manifest = {.run = map_key(&look->runs, number), .closed = now};
    struct run_manifest former;
    bool found;
    int result = read_former(&former, store, manifest.run, &found, err);
    if (result == 0 && found && former.content == *content) {
        run_manifest_free(&former);
        return 0;
    }
    if (result == 0 && o->compaction != NULL)
        result = compact_run(look, store, number, stop, err);
    if (result == 0)
        result = run_manifest_collect(&manifest, store, o, err);
    if (result == 0) {
        out->news = !found || run_manifest_has_more(&manifest, &former);
        manifest.edition = former.edition + (out->news ? 1 : 0);
        *content = manifest.content;
        result = run_manifest_write(&manifest, store, err);
    }
    if (result == 0)
        describe(out, &manifest);
    run_manifest_free(&former);
    run_manifest_free(&manifest);
    return result;
}

/* The first run that is over and not known; false: there is none, or none but those before. */
static bool find_over(const struct look *look, const struct runs_memory *memory, int64_t now,
                      uint32_t *at, int64_t *next)
{
    for (; *at < look->runs.count; (*at)++) {
        const struct seen *seen = &look->seen.list[*at];
        if (seen->newest == INT64_MIN || is_known(memory, map_key(&look->runs, *at), seen->content))
            continue;
        int64_t over = over_at(seen, look->options);
        if (over <= now)
            return true;
        *next = clock_earliest(*next, over);
    }
    return false;
}

int runs_close(struct object_store *store, const struct runs_options *options, int64_t now,
               const atomic_bool *stop, struct runs_memory *memory, struct runs_closed *out,
               struct err *err)
{
    struct look look = {.options = options};
    uint32_t at = 0;
    *out = (struct runs_closed){.next = INT64_MAX};
    int result = look_around(&look, store, err);
    if (result == 0 && options->end_kind != NULL)
        result = find_ends(&look, store, stop, memory, err);
    while (result == 0 && find_over(&look, memory, now, &at, &out->next)) {
        struct slice run = map_key(&look.runs, at);
        uint64_t content = look.seen.list[at].content;
        struct err failure = {0};
        if (out->found) {
            out->more = true; /* one at a time: others wait for the keeper */
            break;
        }
        result = close_run(&look, store, at++, now, stop, out, &content, &failure);
        if (failure.code == ERR_FORMAT || failure.code == ERR_UNSUPPORTED) {
            log_message(LOG_WARNING, "run_left_open", "%s", failure.text);
            result = 0;
        }
        if (result == 0)
            remember(memory, run, content);
        else
            *err = failure;
    }
    free_look(&look);
    return result;
}

void runs_memory_free(struct runs_memory *memory)
{
    map_free(&memory->runs);
    array_free(&memory->contents);
    free_read(&memory->read);
}
