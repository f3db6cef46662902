/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "delta/log.h"
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

/* A name as it stands behind its hash; `line` is for it to use. */
static struct slice key_of(struct buf *line, struct slice name)
{
    buf_reset(line);
    put_line(line, slice_of(""), name);
    size_t skip = line->data[0] == '\\' ? 3 : 2;
    return (struct slice){line->data + skip, line->len - skip - 1};
}

struct listing {
    struct slice folder;
    ARRAY(char *) names;
};

static bool note_file(void *context, struct slice name)
{
    struct listing *l = context;
    struct slice rest = {name.data + l->folder.len, name.len - l->folder.len};
    bool below = l->folder.len == 0 && memchr(rest.data, '/', rest.len) != NULL;
    char *copy = text_copy_slice(name);
    if (!below && text_ends_with(copy, ".parquet"))
        *array_add(&l->names) = copy;
    else
        free(copy);
    return true;
}

/* Of a folder that has no manifest yet, what was there before manifests were asked for. */
static int put_rest(struct archive *a, struct slice folder, const struct map *names,
                    struct buf *out, struct err *err)
{
    struct listing l = {.folder = folder};
    struct buf path = {0}, line = {0};
    char hash[SHA256_TEXT_MAX];
    bool found = false;
    buf_append_slice(&path, folder);
    int result = object_list(a->store, buf_text(&path), "", note_file, &l, err);
    for (size_t i = 0; i < l.names.count; i++) {
        struct slice rest = slice_of(l.names.list[i] + folder.len);
        if (result == 0 && map_find(names, key_of(&line, rest)) < 0) {
            result = object_hash(a->store, l.names.list[i], hash, &found, err);
            if (result == 0 && found)
                put_line(out, slice_of(hash), rest);
        }
        free(l.names.list[i]);
    }
    array_free(&l.names);
    buf_free(&path);
    buf_free(&line);
    return result;
}

static int write_one(struct archive *a, struct slice folder, const struct map *names,
                     const struct buf *lines, struct err *err)
{
    struct buf name = {0}, old = {0}, text = {0};
    bool found = false;
    buf_append_slice(&name, folder);
    buf_append_text(&name, ARCHIVE_MANIFEST);
    int result = object_get_all(a->store, buf_text(&name), ARCHIVE_LINES_MAX, &old, &found, err);
    if (result == 0 && !found)
        result = put_rest(a, folder, names, &text, err);
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
        (void)map_put(&known, key_of(&line, rest), &added);
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
        if (!delta_path_decode(&path, sums[i].path) || path.len == 0 ||
            slice_starts_with(buf_slice(&path), ARCHIVE_ASIDE))
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

/* Whether an entry is the archive's own. */
static bool is_own(const struct archive_entry *e)
{
    struct slice engine;
    for (size_t i = 0; i < e->actions.count; i++)
        if (e->actions.list[i].kind == DELTA_COMMIT_INFO)
            return json_get_text(e->actions.list[i].commit_info.json, "engineInfo", &engine) &&
                   slice_is(engine, ARCHIVE_ENGINE);
    return false;
}

/* Of a file whose entry has no hash, as those of other engines. */
static int hash_file(struct archive *a, struct slice path, struct arena *arena,
                     struct slice *sha256, struct err *err)
{
    struct buf name = {0};
    char *hash = arena_alloc(arena, SHA256_TEXT_MAX);
    bool found = false;
    int result = delta_path_decode(&name, path) && object_name_is_valid(buf_slice(&name))
                     ? object_hash(a->store, buf_text(&name), hash, &found, err)
                     : 0;
    *sha256 = found ? slice_of(hash) : (struct slice){0};
    buf_free(&name);
    return result;
}

/* First what is gone: a file may come again under its name. */
static int note_entry(struct archive *a, struct archive_entry *e, struct err *err)
{
    ARRAY(struct archive_sum) sums = {0};
    int result = 0;
    for (size_t i = 0; i < e->actions.count; i++)
        if (e->actions.list[i].kind == DELTA_REMOVE)
            *array_add(&sums) = (struct archive_sum){.path = e->actions.list[i].remove.path};
    for (size_t i = 0; i < e->actions.count && result == 0; i++) {
        const struct delta_add *add = &e->actions.list[i].add;
        if (e->actions.list[i].kind != DELTA_ADD)
            continue;
        struct archive_sum sum = {add->path, delta_map_get(&add->tags, "varve.sha256")};
        if (sum.sha256.data == NULL)
            result = hash_file(a, add->path, &e->arena, &sum.sha256, err);
        *array_add(&sums) = sum;
    }
    if (result == 0 && sums.count > 0)
        result = archive_note_sums(a, sums.list, sums.count, err);
    array_free(&sums);
    return result;
}

int archive_note_others(struct archive *a, uint64_t version, struct err *err)
{
    struct archive_entry e = {0};
    struct err none = {0};
    uint64_t first = version + 1;
    int result = 0;
    /* Entries that are gone from the log were noted long ago, or nobody knows. */
    while (first > 0 && archive_entry_read(&e, a->store, first - 1, &none) == 0 && !is_own(&e))
        first--;
    for (; first <= version && result == 0; first++) {
        result = archive_entry_read(&e, a->store, first, err);
        if (result == 0)
            result = note_entry(a, &e, err);
    }
    archive_entry_free(&e);
    return result;
}
