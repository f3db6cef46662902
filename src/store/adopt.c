/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "delta/object_file.h"
#include "parquet/write/layout.h"
#include "store/known.h"
#include "store/path.h"
#include "store/recover.h"

enum {
    /* Files that are adopted; each is some 600 bytes of one entry, and of memory twice that. */
    ADOPT_FILES_MAX = 1 << 16,
};

struct adopting {
    struct store *store;
    struct store_adopted *out;
    struct map names;            /* of the files that are there */
    struct delta_snapshot known; /* what of each generation is adopted */
    bool many;                   /* more than ADOPT_FILES_MAX */
    uint64_t rows, left;
    struct buf first_left, why; /* the first file that is not adopted */
};

static bool ends_with(struct slice name, const char *ending)
{
    size_t len = strlen(ending);
    return name.len > len && memcmp(name.data + name.len - len, ending, len) == 0;
}

static bool is_beside(struct slice name)
{
    return slice_starts_with(name, STORE_PATH_QUARANTINE);
}

static bool note_file(void *context, struct slice name)
{
    struct adopting *a = context;
    bool added;
    bool ours = is_beside(name) ? ends_with(name, STORE_PATH_QUARANTINE_ENDING)
                                : name.data[0] != '_' && ends_with(name, ".parquet");
    if (ours)
        (void)map_put(&a->names, name, &added);
    a->many = a->names.count > ADOPT_FILES_MAX;
    return !a->many;
}

/* Whether the table can have a file: each of its columns, and none that it lacks and needs. */
static bool has_columns(const struct schema *schema, const struct parquet_file *file)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column_spec *spec = &schema->columns[i];
        int64_t leaf = parquet_file_leaf(file, slice_of(spec->name));
        if (leaf < 0 ? !spec->optional : file->leaves[leaf].type.type != layout_type(spec->type))
            return false;
        count += leaf >= 0;
    }
    return count == file->leaves_count;
}

/* Whether it is the file that is at fault. Else what is in it can't be told now, and it must not be
 * left out of the log: its rows would be stored twice, or never be in the table. */
static bool is_of_file(const struct err *why)
{
    return why->code == ERR_FORMAT || why->code == ERR_UNSUPPORTED || why->code == ERR_LIMIT;
}

/* The sequences of its rows; false if that can't be told. */
static bool read_rows(const struct adopting *a, const struct parquet_file *file, struct seqset *out,
                      struct err *why)
{
    struct slice text = parquet_file_value(file, "varve.sequences");
    bool known = text.data != NULL
                     ? seqset_parse_text(out, text)
                     : store_scan_rows(out, file, a->store->schema, UINT64_MAX, why) == 0;
    return known && out->count > 0 && file->metadata.num_rows > 0 &&
           seqset_size(out) == (uint64_t)file->metadata.num_rows;
}

/* It becomes a C string, and goes into JSON. */
static bool is_text(struct slice s)
{
    return s.data != NULL && utf8_valid(s) && (s.len == 0 || memchr(s.data, 0, s.len) == NULL);
}

/* NULL, or why a file is none of this table; an error if it can't be read now. */
static const char *judge(const struct adopting *a, const struct parquet_file *file, bool beside,
                         struct slice stream, struct slice created, struct seqset *rows,
                         struct err *err)
{
    struct err why = {0};
    if (!is_text(stream) || !is_text(created))
        return "varve has not written it";
    if (!beside && !has_columns(a->store->schema, file))
        return "it has other columns";
    if (read_rows(a, file, rows, &why))
        return NULL;
    if (err_is_set(&why) && !is_of_file(&why))
        *err = why;
    return "it does not say which messages its rows are";
}

/* Whether another file has a row of it; else its rows are known from now on. */
static bool is_twice(struct adopting *a, const char *stream, const char *created,
                     const struct seqset *rows)
{
    const struct delta_generation *known = delta_snapshot_generation(&a->known, stream, created);
    uint64_t sequence;
    if (known != NULL && seqset_meet(&known->rows, rows, &sequence))
        return true;
    delta_snapshot_add_rows(&a->known, slice_of(stream), slice_of(created), rows);
    return false;
}

static void leave(struct adopting *a, struct slice name, const char *why)
{
    if (a->left++ > 0)
        return;
    buf_append_slice(&a->first_left, name);
    buf_append_text(&a->why, why);
}

/* Takes `rows` over. */
static int adopt(struct adopting *a, struct delta_object_file *object, struct slice stream,
                 struct slice created, struct seqset *rows, struct err *err)
{
    struct arena *arena = &a->out->texts;
    char *hash = arena_alloc(arena, SHA256_TEXT_MAX);
    struct slice name = buf_slice(&object->name);
    bool found; /* its bytes were read a moment ago */
    if (object_hash(a->store->objects, buf_text(&object->name), hash, &found, err) != 0)
        return -1;
    struct seqset *kept = arena_calloc(arena, 1, sizeof(*kept));
    *kept = *rows;
    *rows = (struct seqset){0};
    *array_add(&a->out->files) = (struct delta_commit_file){
        .path = arena_text(arena, name.data, name.len),
        .stream = arena_text(arena, stream.data, stream.len),
        .created = arena_text(arena, created.data, created.len),
        .sha256 = hash,
        .sequences = kept,
        .rows = (uint64_t)object->file.metadata.num_rows,
        .size = object->source.size,
        .beside = is_beside(name),
    };
    a->rows += (uint64_t)object->file.metadata.num_rows;
    return 0;
}

static int look_at_open(struct adopting *a, struct delta_object_file *object, struct err *err)
{
    const struct parquet_file *file = &object->file;
    struct slice name = buf_slice(&object->name);
    struct slice stream = parquet_file_value(file, "varve.stream");
    struct slice created = parquet_file_value(file, "varve.stream_created");
    struct seqset rows = {0};
    const char *why = judge(a, file, is_beside(name), stream, created, &rows, err);
    int result = err_is_set(err) ? -1 : 0;
    if (why == NULL) {
        char *s = text_copy_slice(stream), *c = text_copy_slice(created);
        why = is_twice(a, s, c, &rows) ? "its rows, or some, are in another file" : NULL;
        free(s);
        free(c);
    }
    if (why == NULL)
        result = adopt(a, object, stream, created, &rows, err);
    else if (result == 0)
        leave(a, name, why);
    seqset_free(&rows);
    return result;
}

static int look_at(struct adopting *a, struct slice name, struct err *err)
{
    struct delta_object_file object;
    struct err why = {0};
    bool found;
    char *text = text_copy_slice(name);
    int result = delta_object_file_open(&object, a->store->objects, text, &found, &why);
    free(text);
    if (result != 0 && !is_of_file(&why)) {
        *err = why;
        return err_prefix(err, "%.*s", (int)name.len, (const char *)name.data);
    }
    if (result != 0)
        leave(a, name, why.text);
    if (result != 0 || !found)
        return 0;
    result = look_at_open(a, &object, err);
    delta_object_file_close(&object);
    return result;
}

/* The stream gives again what it still has of those that are left. */
static void tell(struct adopting *a)
{
    struct log_line line;
    if (a->out->files.count > 0) {
        log_begin(&line, LOG_WARNING, "files_adopted");
        log_u64(&line, "files", a->out->files.count);
        log_u64(&line, "rows", a->rows);
        log_text(&line, "text",
                 "_delta_log had no entry, and the directory has files of varve: they are in the "
                 "new log, so that no event is stored twice");
        log_end(&line);
    }
    if (a->left == 0)
        return;
    log_begin(&line, LOG_WARNING, "files_without_log");
    log_u64(&line, "files", a->left);
    log_bytes(&line, "first", a->first_left.data, a->first_left.len);
    log_bytes(&line, "why", a->why.data, a->why.len);
    log_text(&line, "text",
             "the directory has Parquet files that the new log does not have: readers that go by "
             "the directory may find events twice; restore _delta_log, or move these files away");
    log_end(&line);
}

int store_adopt(struct store *store, struct store_adopted *out, struct err *err)
{
    struct adopting a = {.store = store, .out = out};
    int result = object_list(store->objects, "", "", note_file, &a, err);
    if (result == 0 && a.many) {
        a.left = a.names.count - 1;
        buf_append_slice(&a.first_left, map_key(&a.names, 0));
        buf_append_text(&a.why, "there are too many for one entry of the log");
    }
    for (uint32_t i = 0; i < a.names.count && result == 0 && !a.many; i++)
        result = look_at(&a, map_key(&a.names, i), err);
    if (result == 0)
        tell(&a);
    map_free(&a.names);
    delta_snapshot_free(&a.known);
    buf_free(&a.first_left);
    buf_free(&a.why);
    return result;
}

void store_adopted_free(struct store_adopted *adopted)
{
    for (size_t i = 0; i < adopted->files.count; i++)
        seqset_free((struct seqset *)adopted->files.list[i].sequences);
    array_free(&adopted->files);
    arena_free(&adopted->texts);
}
