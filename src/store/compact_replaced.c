/* SPDX-License-Identifier: MIT */
#include "store/compact_replaced.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "delta/log.h"

#define LIST_NAME DELTA_LOG_FOLDER "_varve/%replaced"

/* Of a million files with long names. */
enum { LIST_MAX = 256 * 1024 * 1024 };

static int read_list(struct object_store *store, struct buf *text, struct err *err)
{
    bool found;
    return object_get_all(store, LIST_NAME, LIST_MAX, text, &found, err);
}

int replaced_note(struct object_store *store, const struct replaced_list *names, int64_t until,
                  struct err *err)
{
    struct buf text = {0};
    int result = read_list(store, &text, err);
    for (size_t i = 0; i < names->count; i++)
        buf_printf(&text, "%" PRId64 " %s\n", until / CLOCK_MILLISECOND, names->list[i]);
    if (result == 0 && text.len > LIST_MAX)
        result = err_set(err, ERR_LIMIT, "too many replaced files are kept");
    if (result == 0 && names->count > 0)
        result = object_put(store, LIST_NAME, buf_slice(&text), err);
    buf_free(&text);
    return result;
}

/* A line; false for one that nobody has written. *name is NUL-terminated. */
static bool parse(struct slice line, int64_t *until, struct buf *name)
{
    const uint8_t *blank = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
    size_t len = blank != NULL ? (size_t)(blank - line.data) : 0;
    if (blank == NULL || !num_parse_i64((struct slice){line.data, len}, until))
        return false;
    buf_reset(name);
    buf_append(name, blank + 1, line.len - len - 1);
    return object_name_is_valid(buf_slice(name));
}

static int remove_one(struct object_store *store, const struct delta_snapshot *table,
                      struct buf *name, uint64_t *removed, struct err *err)
{
    struct buf path = {0};
    struct object_info info;
    bool found = false;
    int result = 0;
    delta_path_encode(&path, buf_slice(name));
    /* The swap was given up: it is a file like any other. */
    bool live = delta_snapshot_file(table, buf_slice(&path)) != NULL;
    if (!live)
        result = object_head(store, buf_text(name), &info, &found, err);
    if (result == 0 && found)
        result = object_remove(store, buf_text(name), err);
    if (result == 0 && found)
        result = object_tidy(store, buf_text(name), err);
    *removed += result == 0 && found;
    buf_free(&path);
    return result;
}

int replaced_remove(struct object_store *store, const struct delta_snapshot *table, int64_t now,
                    uint64_t *removed, struct err *err)
{
    struct buf text = {0}, left = {0}, name = {0};
    int result = read_list(store, &text, err);
    *removed = 0;
    for (size_t at = 0; at < text.len && result == 0;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - text.data) - at : text.len - at;
        struct slice line = {text.data + at, len};
        int64_t until;
        at += len + 1;
        if (!parse(line, &until, &name))
            continue;
        if (until > now / CLOCK_MILLISECOND) {
            buf_append_slice(&left, line);
            buf_append_byte(&left, '\n');
        } else {
            result = remove_one(store, table, &name, removed, err);
        }
    }
    if (result == 0 && left.len < text.len)
        result = left.len > 0 ? object_put(store, LIST_NAME, buf_slice(&left), err)
                              : object_remove(store, LIST_NAME, err);
    buf_free(&text);
    buf_free(&left);
    buf_free(&name);
    return result;
}

void replaced_free(struct replaced_list *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    array_free(names);
}
