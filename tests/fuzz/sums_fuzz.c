/* SPDX-License-Identifier: MIT */
#include "follow/archive_part.h"

#include <string.h>

#include "memory_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_whole(struct object_store *store, struct buf *out)
{
    struct err err = {0};
    bool found;
    buf_reset(out);
    ASSERT(object_get_all(store, ARCHIVE_MANIFEST, ARCHIVE_LINES_MAX, out, &found, &err) == 0);
}

/* Whatever stands in an archive's manifest: its lines of other files stay; a file that is noted has
 * one line, the last, whatever its name is; and none once it is gone. The input: a name as the log
 * has it, a line end, and the manifest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    if (end == NULL)
        return 0;
    struct slice path = {data, (size_t)(end - data)}, text = {end + 1, size - path.len - 1};
    struct buf name = {0};
    bool usual = delta_path_decode(&name, path) && object_name_is_valid(buf_slice(&name)) &&
                 memchr(name.data, '/', name.len) == NULL;
    buf_free(&name);
    if (!usual) /* archive_copy refuses it before; and others are of another manifest */
        return 0;
    struct memory_disk *disk = memory_disk_new(1);
    struct err err = {0};
    struct archive a = {.store = memory_store_open(disk)};
    struct archive_sum sum = {
        .path = path,
        .sha256 = slice_of("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")};
    struct buf once = {0}, twice = {0}, before = {0};
    ASSERT(object_put(a.store, ARCHIVE_MANIFEST, text, &err) == 0);
    ASSERT(archive_note_sums(&a, &sum, 1, &err) == 0);
    read_whole(a.store, &once);
    ASSERT(archive_note_sums(&a, &sum, 1, &err) == 0);
    read_whole(a.store, &twice);
    /* A '\r' at a line's end goes, as what some editors put there. */
    bool plain = text.len == 0 || memchr(text.data, '\r', text.len) == NULL;
    ASSERT(!plain || slice_equal(buf_slice(&once), buf_slice(&twice)));
    sum.sha256 = (struct slice){NULL, 0};
    ASSERT(archive_note_sums(&a, &sum, 1, &err) == 0);
    read_whole(a.store, &before);
    ASSERT(!plain || before.len <= once.len);
    ASSERT(!plain || slice_equal(buf_slice(&before), (struct slice){once.data, before.len}));
    buf_free(&once);
    buf_free(&twice);
    buf_free(&before);
    object_store_close(a.store);
    memory_disk_free(disk);
    return 0;
}
