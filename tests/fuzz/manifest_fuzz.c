/* SPDX-License-Identifier: MIT */
#include "store/run_manifest.h"

#include <string.h>

#include "memory_store.h"
#include "object/memory.h"
#include "object/object.h"
#include "object/posix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What it says is what was read, in the same order. */
static void expect_same(const struct run_manifest *a, const struct run_manifest *b)
{
    ASSERT(a->edition == b->edition && a->content == b->content);
    ASSERT(a->rows == b->rows && a->bytes == b->bytes && a->has_span == b->has_span);
    ASSERT(!a->has_span || (a->first == b->first && a->last == b->last));
    ASSERT(a->files.count == b->files.count && a->streams.count == b->streams.count);
    for (size_t i = 0; i < a->files.count; i++)
        ASSERT(strcmp(a->files.list[i].path, b->files.list[i].path) == 0 &&
               a->files.list[i].rows == b->files.list[i].rows);
    for (size_t i = 0; i < a->streams.count; i++)
        ASSERT(strcmp(a->streams.list[i].stream, b->streams.list[i].stream) == 0 &&
               a->streams.list[i].sequences.count == b->streams.list[i].sequences.count);
    ASSERT(a->kinds.count == b->kinds.count);
    for (size_t i = 0; i < a->kinds.count; i++)
        ASSERT(a->kind_rows.list[i] == b->kind_rows.list[i]);
}

/* No name of a file in it leads out of the store, and its list for sha256sum has a line for each.
 */
static void look_at_files(const struct run_manifest *m)
{
    struct buf sums = {0};
    run_manifest_sums(m, &sums);
    size_t lines = 0;
    for (size_t i = 0; i < sums.len; i++)
        lines += sums.data[i] == '\n';
    ASSERT(lines == m->files.count);
    for (size_t i = 0; i < m->files.count; i++)
        ASSERT(object_name_is_valid(slice_of(m->files.list[i].path)));
    buf_free(&sums);
}

/* A manifest in the store, of the run "r". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_disk *disk = memory_disk_new(1);
    struct err err = {0};
    struct object_store *store = memory_store_open(disk);
    struct run_manifest m, again;
    struct buf name = {0};
    bool found;
    run_manifest_name(&name, slice_of("r"), ".json");
    ASSERT(object_put(store, buf_text(&name), (struct slice){data, size}, &err) == 0);
    if (run_manifest_read(&m, store, slice_of("r"), &found, &err) == 0) {
        ASSERT(found);
        look_at_files(&m);
        ASSERT(run_manifest_write(&m, store, &err) == 0);
        ASSERT(run_manifest_read(&again, store, slice_of("r"), &found, &err) == 0 && found);
        expect_same(&m, &again);
        ASSERT(!run_manifest_has_more(&again, &m));
        run_manifest_free(&again);
    } else {
        ASSERT(err_is_set(&err) && strchr(err.text, '\n') == NULL);
    }
    run_manifest_free(&m);
    buf_free(&name);
    object_store_close(store);
    memory_disk_free(disk);
    return 0;
}
