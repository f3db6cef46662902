/* SPDX-License-Identifier: MIT */
#include "verify/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/text.h"
#include "delta/log.h"
#include "follow/anew.h"
#include "object/directory.h"
#include "object/open.h"
#include "store/path.h"

/* Where other engines put what they have changed, with delta.enableChangeDataFeed: no rows of the
 * table. */
#define CHANGES "_change_data"

static void add(struct file_list *w, const struct buf *path, size_t root_len, bool quarantine)
{
    char *text = text_copy_slice(buf_slice(path));
    *array_add(w) = (struct listed_file){text, text + root_len, quarantine};
}

struct entry {
    char *name;
    enum system_kind kind;
};

struct folder {
    ARRAY(struct entry);
};

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return strcmp(x->name, y->name);
}

static void note_entry(void *context, const char *name, enum system_kind kind)
{
    struct folder *folder = context;
    if (name[0] != '.')
        *array_add(folder) = (struct entry){text_copy(name), kind};
}

static int walk_folder(struct file_list *w, struct buf *path, size_t root_len, unsigned depth,
                       bool quarantine, struct err *err);

/* *gone: it is not there any more. */
static int ask_kind(const char *path, enum system_kind *kind, bool *gone, struct err *err)
{
    const struct system plain = {0};
    struct stat st;
    *gone = false;
    if (*kind != SYSTEM_UNKNOWN)
        return 0; /* most file systems have said it: a call less for each of many files */
    if (system_stat(&plain, SYSTEM_WORKING_DIR, path, &st) != 0) {
        *gone = errno == ENOENT;
        return *gone ? 0 : err_set_system(err, errno, "%s", path);
    }
    *kind = S_ISDIR(st.st_mode) ? SYSTEM_FOLDER : SYSTEM_FILE;
    return 0;
}

static int walk_entry(struct file_list *w, struct buf *path, size_t root_len,
                      const struct entry *entry, unsigned depth, bool quarantine, struct err *err)
{
    enum system_kind kind = entry->kind;
    bool gone;
    if (ask_kind(buf_text(path), &kind, &gone, err) != 0)
        return -1;
    if (gone)
        return 0;
    if (kind == SYSTEM_FOLDER &&
        (strcmp(entry->name, "_delta_log") == 0 || strcmp(entry->name, CHANGES) == 0))
        return 0;
    if (kind == SYSTEM_FOLDER)
        return walk_folder(w, path, root_len, depth + 1,
                           quarantine || strcmp(entry->name, "_quarantine") == 0, err);
    if (kind != SYSTEM_FOLDER && (text_ends_with(entry->name, ".parquet") ||
                                  text_ends_with(entry->name, STORE_PATH_QUARANTINE_ENDING)))
        add(w, path, root_len, quarantine);
    return 0;
}

static int walk_folder(struct file_list *w, struct buf *path, size_t root_len, unsigned depth,
                       bool quarantine, struct err *err)
{
    struct folder folder = {0};
    size_t len = path->len;
    if (depth > WALK_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s: folders nest deeper than %d", buf_text(path),
                       (int)WALK_DEPTH_MAX);
    int result = directory_list(buf_text(path), note_entry, &folder);
    if (result != 0)
        (void)err_set_system(err, errno, "%s", buf_text(path));
    if (folder.count > 1)
        qsort(folder.list, folder.count, sizeof(*folder.list), by_name);
    for (size_t i = 0; i < folder.count; i++) {
        if (result == 0) {
            if (path->len == 0 || path->data[path->len - 1] != '/')
                buf_append_byte(path, '/');
            buf_append_text(path, folder.list[i].name);
            result = walk_entry(w, path, root_len, &folder.list[i], depth, quarantine, err);
            path->len = len;
        }
        free(folder.list[i].name);
    }
    array_free(&folder);
    return result;
}

static bool is_listed(struct slice name)
{
    struct buf text = {0};
    buf_append_slice(&text, name);
    const char *path = buf_text(&text);
    bool listed =
        (text_ends_with(path, ".parquet") || text_ends_with(path, STORE_PATH_QUARANTINE_ENDING)) &&
        !slice_starts_with(name, DELTA_LOG_FOLDER) && !slice_starts_with(name, CHANGES "/") &&
        !(slice_starts_with(name, FOLLOW_ANEW_FOLDER) &&
          strstr(path, "/" DELTA_LOG_FOLDER) != NULL);
    buf_free(&text);
    return listed;
}

struct bucket_listing {
    struct file_list *list;
    struct buf path;
    size_t root_len;
};

static bool note_object(void *context, struct slice name)
{
    struct bucket_listing *b = context;
    if (!is_listed(name))
        return true;
    b->path.len = b->root_len;
    buf_append_slice(&b->path, name);
    add(b->list, &b->path, b->root_len, slice_starts_with(name, STORE_PATH_QUARANTINE));
    return true;
}

/* What ends like a file is one. */
static int list_bucket(struct file_list *w, const char *url, struct err *err)
{
    struct object_config config = {.root = url, .entries = DELTA_LOG_FOLDER};
    struct bucket_listing b = {.list = w};
    int result = -1;
    buf_append_text(&b.path, url);
    w->tree = !is_listed(slice_of(url));
    if (!w->tree) {
        add(w, &b.path, b.path.len, false);
        buf_free(&b.path);
        return 0;
    }
    if (!text_ends_with(url, "/"))
        buf_append_byte(&b.path, '/');
    b.root_len = b.path.len;
    struct object_store *store = object_open(&config, err);
    if (store != NULL)
        result = object_list(store, "", "", note_object, &b, err);
    object_store_close(store);
    buf_free(&b.path);
    return result;
}

int file_list_read(struct file_list *w, const char *path, struct err *err)
{
    struct stat st;
    struct buf text = {0};
    if (object_is_url(path))
        return list_bucket(w, path, err);
    if (stat(path, &st) != 0)
        return err_set_system(err, errno, "%s", path);
    buf_append_text(&text, path);
    int result = 0;
    w->tree = S_ISDIR(st.st_mode);
    if (w->tree) {
        size_t root_len = text.len + (text.data[text.len - 1] != '/');
        result = walk_folder(w, &text, root_len, 0, false, err);
    } else {
        add(w, &text, text.len, false);
    }
    buf_free(&text);
    return result;
}

void file_list_free(struct file_list *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->list[i].path);
    array_free(w);
}
