/* SPDX-License-Identifier: MIT */
#include "follow/series_notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

static bool add_name(void *context, struct slice name)
{
    struct series_notes *n = context;
    *array_add(&n->files) = (struct series_note){.name = text_copy_slice(name)};
    return true;
}

static int by_age(const void *a, const void *b)
{
    const struct series_note *x = a, *y = b;
    if (x->modified != y->modified)
        return x->modified < y->modified ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void forget_file(struct series_notes *n, size_t index)
{
    free(n->files.list[index].name);
    n->bytes -= n->files.list[index].size;
    n->files.count--;
    memmove(n->files.list + index, n->files.list + index + 1,
            (n->files.count - index) * sizeof(*n->files.list));
}

/* What former runs have left, by age. */
static int look(struct series_notes *n, struct object_store *store, const char *name,
                struct err *err)
{
    struct buf folder = {0};
    struct slice all = slice_of(name);
    while (all.len > 0 && all.data[all.len - 1] != '/')
        all.len--;
    buf_append_slice(&folder, all);
    series_notes_forget(n);
    int result = object_list(store, buf_text(&folder), "", add_name, n, err);
    for (size_t i = 0; i < n->files.count && result == 0;) {
        struct object_info info;
        bool found = false;
        result = object_head(store, n->files.list[i].name, &info, &found, err);
        if (result == 0 && !found) {
            forget_file(n, i);
        } else if (result == 0) {
            n->files.list[i].modified = info.modified;
            n->files.list[i++].size = info.size;
            n->bytes += info.size;
        }
    }
    if (n->files.count > 1)
        qsort(n->files.list, n->files.count, sizeof(*n->files.list), by_age);
    n->known = result == 0;
    buf_free(&folder);
    return result;
}

/* The newest stays, however large it is. */
static int remove_oldest(struct series_notes *n, struct object_store *store, struct err *err)
{
    size_t gone = 0;
    uint64_t bytes = n->bytes;
    while (gone + 1 < n->files.count &&
           (bytes > SERIES_NOTES_BYTES || n->files.count - gone > SERIES_NOTES_FILES)) {
        if (object_remove(store, n->files.list[gone].name, err) != 0)
            return -1;
        bytes -= n->files.list[gone].size;
        n->removed++;
        gone++;
        free(n->files.list[gone - 1].name);
        n->files.list[gone - 1].name = NULL;
    }
    n->files.count -= gone;
    n->bytes = bytes;
    memmove(n->files.list, n->files.list + gone, n->files.count * sizeof(*n->files.list));
    return 0;
}

/* It is the newest now. */
static void note_put(struct series_notes *n, const char *name, uint64_t size)
{
    for (size_t i = n->files.count; i > 0; i--)
        if (strcmp(n->files.list[i - 1].name, name) == 0) {
            forget_file(n, i - 1);
            break;
        }
    *array_add(&n->files) = (struct series_note){text_copy(name), size, clock_wall()};
    n->bytes += size;
}

int series_notes_put(struct series_notes *n, struct object_store *store, const char *follower,
                     const char *name, struct slice text, struct err *err)
{
    struct err why = {0};
    if (object_put(store, name, text, err) != 0)
        return -1;
    if (!n->known && look(n, store, name, &why) == 0)
        n->known = true;
    if (n->known) {
        note_put(n, name, text.len);
        if (remove_oldest(n, store, &why) == 0)
            return 0;
        n->known = false; /* some are gone, and nobody has noted which */
    }
    struct log_line line;
    log_begin(&line, LOG_WARNING, "notes_kept");
    log_text(&line, "follower", follower);
    log_text(&line, "error", why.text);
    log_end(&line);
    return 0;
}

void series_notes_forget(struct series_notes *n)
{
    for (size_t i = 0; i < n->files.count; i++)
        free(n->files.list[i].name);
    array_free(&n->files);
    n->bytes = 0;
    n->known = false;
}
