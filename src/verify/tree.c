/* SPDX-License-Identifier: MIT */
#include "verify/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/text.h"
#include "delta/log.h"
#include "object/open.h"
#include "store/path.h"

static void add(struct file_list *w, const struct buf *path, size_t root_len, bool quarantine)
{
    char *text = text_copy_slice(buf_slice(path));
    *array_add(w) = (struct listed_file){text, text + root_len, quarantine};
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int walk_folder(struct file_list *w, struct buf *path, size_t root_len, unsigned depth,
                       bool quarantine, struct err *err);

static int walk_entry(struct file_list *w, struct buf *path, size_t root_len, const char *name,
                      unsigned depth, bool quarantine, struct err *err)
{
    struct stat st;
    if (lstat(buf_text(path), &st) != 0)
        return errno == ENOENT ? 0 : err_set_system(err, errno, "%s", buf_text(path));
    if (S_ISDIR(st.st_mode) && strcmp(name, "_delta_log") != 0)
        return walk_folder(w, path, root_len, depth + 1,
                           quarantine || strcmp(name, "_quarantine") == 0, err);
    if (!S_ISDIR(st.st_mode) &&
        (text_ends_with(name, ".parquet") || text_ends_with(name, STORE_PATH_QUARANTINE_ENDING)))
        add(w, path, root_len, quarantine);
    return 0;
}

static int walk_folder(struct file_list *w, struct buf *path, size_t root_len, unsigned depth,
                       bool quarantine, struct err *err)
{
    struct dirent **entries = NULL;
    size_t len = path->len;
    int result = 0;
    if (depth > WALK_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s: folders nest deeper than %d", buf_text(path),
                       (int)WALK_DEPTH_MAX);
    int count = scandir(buf_text(path), &entries, not_hidden, by_name);
    if (count < 0)
        return err_set_system(err, errno, "%s", buf_text(path));
    for (int i = 0; i < count; i++) {
        if (result == 0) {
            if (path->len == 0 || path->data[path->len - 1] != '/')
                buf_append_byte(path, '/');
            buf_append_text(path, entries[i]->d_name);
            result = walk_entry(w, path, root_len, entries[i]->d_name, depth, quarantine, err);
            path->len = len;
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

static bool is_listed(struct slice name)
{
    struct buf text = {0};
    buf_append_slice(&text, name);
    const char *path = buf_text(&text);
    bool listed =
        (text_ends_with(path, ".parquet") || text_ends_with(path, STORE_PATH_QUARANTINE_ENDING)) &&
        !slice_starts_with(name, DELTA_LOG_FOLDER);
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
