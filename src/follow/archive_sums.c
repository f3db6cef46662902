/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "follow/archive_part.h"

/* A name in the output of sha256sum: one with a line end or a backslash is escaped, and says so at
 * the start of its line (GNU coreutils manual, "md5sum invocation"). */
static void put_line(struct buf *out, struct slice sha256, struct slice name)
{
    size_t start = out->len;
    buf_append_byte(out, '\\');
    buf_append_slice(out, sha256);
    buf_append_text(out, "  ");
    bool escaped = false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool special = c == '\\' || c == '\n' || c == '\r';
        if (special)
            buf_append_text(out, c == '\\' ? "\\\\" : c == '\n' ? "\\n" : "\\r");
        else
            buf_append_byte(out, c);
        escaped = escaped || special;
    }
    buf_append_byte(out, '\n');
    if (escaped)
        return;
    memmove(out->data + start, out->data + start + 1, out->len - start - 1);
    out->len--;
}

/* A line of what is there stays unless it is of one of these. */
static void keep_others(struct buf *out, struct slice old, const struct map *names)
{
    struct slice line;
    while (delta_next_line(&old, &line)) {
        size_t skip = (size_t)(line.len > 0 && line.data[0] == '\\') + SHA256_TEXT_MAX - 1 + 2;
        if (line.len < skip ||
            map_find(names, (struct slice){line.data + skip, line.len - skip}) >= 0)
            continue;
        buf_append_slice(out, line);
        buf_append_byte(out, '\n');
    }
}

static int write_one(struct archive *a, struct slice folder, const struct map *names,
                     const struct buf *lines, struct err *err)
{
    struct buf name = {0}, old = {0}, text = {0};
    bool found;
    buf_append_slice(&name, folder);
    buf_append_text(&name, ARCHIVE_MANIFEST);
    int result = object_get_all(a->store, buf_text(&name), ARCHIVE_LINES_MAX, &old, &found, err);
    keep_others(&text, buf_slice(&old), names);
    buf_append_slice(&text, buf_slice(lines));
    if (result == 0 && text.len > 0)
        result = object_put(a->store, buf_text(&name), buf_slice(&text), err);
    else if (result == 0)
        result = object_remove(a->store, buf_text(&name), err);
    buf_free(&name);
    buf_free(&old);
    buf_free(&text);
    return result;
}

/* The files that lie in `folder`, "" or with a '/' at its end. */
static int note_folder(struct archive *a, struct slice folder, const struct archive_sum *sums,
                       const struct slice *names, size_t count, struct err *err)
{
    struct map known = {0};
    struct buf lines = {0}, line = {0};
    bool added;
    for (size_t i = 0; i < count; i++) {
        if (names[i].len <= folder.len ||
            (folder.len > 0 && memcmp(names[i].data, folder.data, folder.len) != 0))
            continue;
        struct slice rest = {names[i].data + folder.len, names[i].len - folder.len};
        if (folder.len == 0 && memchr(rest.data, '/', rest.len) != NULL)
            continue;
        buf_reset(&line);
        put_line(&line, slice_of(""), rest);
        /* As it stands behind the hash. */
        size_t skip = line.data[0] == '\\' ? 3 : 2;
        (void)map_put(&known, (struct slice){line.data + skip, line.len - skip - 1}, &added);
        if (sums[i].sha256.data != NULL)
            put_line(&lines, sums[i].sha256, rest);
    }
    int result = write_one(a, folder, &known, &lines, err);
    map_free(&known);
    buf_free(&lines);
    buf_free(&line);
    return result;
}

int archive_note_sums(struct archive *a, const struct archive_sum *sums, size_t count,
                      struct err *err)
{
    struct map folders = {0};
    struct arena arena = {0};
    struct buf path = {0};
    bool added;
    int result = 0;
    struct slice *names = arena_calloc(&arena, count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        buf_reset(&path);
        if (!delta_path_decode(&path, sums[i].path) || path.len == 0)
            continue;
        names[i] =
            (struct slice){(const uint8_t *)arena_text(&arena, path.data, path.len), path.len};
        const uint8_t *slash = memchr(names[i].data, '/', names[i].len);
        size_t len = slash == NULL ? 0 : (size_t)(slash - names[i].data) + 1;
        (void)map_put(&folders, (struct slice){names[i].data, len}, &added);
    }
    for (uint32_t i = 0; i < folders.count && result == 0; i++)
        result = note_folder(a, map_key(&folders, i), sums, names, count, err);
    map_free(&folders);
    arena_free(&arena);
    buf_free(&path);
    return result;
}
