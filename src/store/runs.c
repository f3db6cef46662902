/* SPDX-License-Identifier: MIT */
#include "store/runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "delta/snapshot.h"
#include "store/run_manifest.h"

/* Of one run, from a look at all files. */
struct seen {
    int64_t newest;   /* when its newest row came */
    uint64_t content; /* run_manifest_content of its files */
};

struct look {
    const struct runs_options *options;
    struct delta_snapshot table; /* each live file with its run and when its newest row came */
    struct map runs;
    ARRAY(struct seen) seen; /* of each */
};

/* Files of several runs, and such as do not say, are of none. */
static enum delta_keep keep_brief(void *context, const struct delta_add *add,
                                  struct delta_mark *mark)
{
    struct look *look = context;
    struct arena arena = {0};
    struct slice run;
    bool added = false;
    enum delta_keep kept = DELTA_KEEP_NOTHING;
    if (run_of_file(look->options, &arena, add->stats, &run, &mark->value)) {
        mark->group = map_put(&look->runs, run, &added);
        kept = DELTA_KEEP_BRIEF;
    }
    if (added)
        *array_add(&look->seen) = (struct seen){.newest = INT64_MIN};
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
        struct seen *seen = &look->seen.list[file->mark.group];
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

/* Write down one run, unless that was done before this process began. *done: it was not. */
static int close_run(struct object_store *store, const struct runs_options *o, struct slice run,
                     const struct seen *seen, int64_t now, struct runs_closed *out, struct err *err)
{
    struct run_manifest manifest = {.run = run, .closed = now};
    struct run_former former = {0};
    int result = run_former_read(&former, store, run, err);
    if (result == 0 && former.found && former.content == seen->content) {
        run_former_free(&former);
        return 0;
    }
    if (result == 0)
        result = run_manifest_collect(&manifest, store, o, err);
    if (result == 0) {
        out->news = !former.found || run_manifest_has_more(&manifest, &former);
        manifest.edition = former.edition + (out->news ? 1 : 0);
        result = run_manifest_write(&manifest, store, err);
    }
    if (result == 0) {
        size_t len = run.len < RUNS_TEXT_MAX - 1 ? run.len : RUNS_TEXT_MAX - 1;
        out->found = true;
        if (len > 0)
            memcpy(out->run, run.data, len);
        out->edition = manifest.edition;
        out->rows = manifest.rows;
        out->files = manifest.files.count;
    }
    run_former_free(&former);
    run_manifest_free(&manifest);
    return result;
}

int runs_close(struct object_store *store, const struct runs_options *options, int64_t now,
               struct runs_memory *memory, struct runs_closed *out, struct err *err)
{
    struct look look = {.options = options};
    *out = (struct runs_closed){.next = INT64_MAX};
    int result = look_around(&look, store, err);
    for (uint32_t i = 0; i < look.runs.count && result == 0; i++) {
        struct slice run = map_key(&look.runs, i);
        const struct seen *seen = &look.seen.list[i];
        if (seen->newest == INT64_MIN || is_known(memory, run, seen->content))
            continue;
        if (seen->newest > now - options->close_after) {
            int64_t over = seen->newest < INT64_MAX - options->close_after
                               ? seen->newest + options->close_after
                               : INT64_MAX;
            out->next = over < out->next ? over : out->next;
            continue;
        }
        if (out->found) {
            out->more = true; /* one at a time: others wait for the keeper */
            break;
        }
        result = close_run(store, options, run, seen, now, out, err);
        if (result == 0)
            remember(memory, run, seen->content);
    }
    free_look(&look);
    return result;
}

void runs_memory_free(struct runs_memory *memory)
{
    map_free(&memory->runs);
    array_free(&memory->contents);
}
