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

/* Cut the next line off *rest; false at the end. Lines that nobody has written are passed over. */
static bool next_line(struct slice *rest, struct slice *line, int64_t *until, struct buf *name)
{
    while (slice_take_line(rest, line))
        if (parse(*line, until, name))
            return true;
    return false;
}

/* Lines of other names stay: a swap that was given up may have noted the same. */
static void put_others(struct buf *out, struct slice text, const struct replaced_list *names)
{
    struct buf name = {0};
    struct map new = {0};
    struct slice line;
    int64_t until;
    bool added;
    for (size_t i = 0; i < names->count; i++)
        (void)map_put(&new, slice_of(names->list[i]), &added);
    while (next_line(&text, &line, &until, &name)) {
        if (map_find(&new, buf_slice(&name)) >= 0)
            continue;
        buf_append_slice(out, line);
        buf_append_byte(out, '\n');
    }
    map_free(&new);
    buf_free(&name);
}

int replaced_note(struct object_store *store, const struct replaced_list *names, int64_t until,
                  struct err *err)
{
    struct buf old = {0}, text = {0};
    int result = names->count > 0 ? read_list(store, &old, err) : 0;
    if (result == 0)
        put_others(&text, buf_slice(&old), names);
    for (size_t i = 0; i < names->count; i++)
        buf_printf(&text, "%" PRId64 " %s\n", until / CLOCK_MILLISECOND, names->list[i]);
    if (result == 0 && text.len > LIST_MAX)
        result = err_set(err, ERR_LIMIT, "too many replaced files are kept");
    if (result == 0 && names->count > 0)
        result = object_put(store, LIST_NAME, buf_slice(&text), err);
    buf_free(&old);
    buf_free(&text);
    return result;
}

int replaced_due(struct object_store *store, int64_t now, bool *due, struct err *err)
{
    struct buf text = {0}, name = {0};
    struct slice line;
    int64_t until;
    int result = read_list(store, &text, err);
    *due = false;
    for (struct slice rest = buf_slice(&text);
         result == 0 && !*due && next_line(&rest, &line, &until, &name);)
        *due = until <= now / CLOCK_MILLISECOND;
    buf_free(&text);
    buf_free(&name);
    return result;
}

int replaced_names(struct object_store *store, struct map *out, struct err *err)
{
    struct buf text = {0}, name = {0};
    struct slice line;
    int64_t until;
    bool added;
    int result = read_list(store, &text, err);
    for (struct slice rest = buf_slice(&text);
         result == 0 && next_line(&rest, &line, &until, &name);)
        (void)map_put(out, buf_slice(&name), &added);
    buf_free(&text);
    buf_free(&name);
    return result;
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
    struct slice line;
    int64_t until;
    int result = read_list(store, &text, err);
    *removed = 0;
    for (struct slice rest = buf_slice(&text);
         result == 0 && next_line(&rest, &line, &until, &name);) {
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
