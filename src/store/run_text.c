/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "base/time.h"
#include "store/run_manifest.h"

void run_manifest_name(struct buf *out, struct slice run, const char *ending)
{
    buf_append_text(out, RUNS_FOLDER);
    text_escape(out, run);
    buf_append_text(out, ending);
}

static void put_head(struct json_writer *w, const struct run_manifest *m)
{
    char time[TIME_TEXT_MAX];
    time_format(m->closed, 3, time);
    json_put_slice(w, "simulation_id", m->run);
    json_put_u64(w, "edition", m->edition);
    json_put_text(w, "closed", time);
    json_put_u64(w, "rows", m->rows);
    json_put_u64(w, "bytes", m->bytes);
    if (m->has_span) {
        json_put_i64(w, "oldest_timestamp_ns", m->first);
        json_put_i64(w, "newest_timestamp_ns", m->last);
    }
    json_open_object(w, "event_types");
    for (uint32_t i = 0; i < m->kinds.count; i++) {
        json_put_name(w, map_key(&m->kinds, i));
        json_put_u64(w, NULL, m->kind_rows.list[i]);
    }
    json_close_object(w);
}

static void put_manifest(struct buf *out, const struct run_manifest *m)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    put_head(&w, m);
    json_open_array(&w, "streams");
    for (size_t i = 0; i < m->streams.count; i++) {
        json_open_object(&w, NULL);
        json_put_text(&w, "stream", m->streams.list[i].stream);
        json_put_text(&w, "created", m->streams.list[i].created);
        seqset_put_json(&w, "sequences", &m->streams.list[i].sequences);
        seqset_put_json(&w, "gaps", &m->streams.list[i].gaps);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_open_array(&w, "files");
    for (size_t i = 0; i < m->files.count; i++) {
        json_open_object(&w, NULL);
        json_put_text(&w, "path", m->files.list[i].path);
        json_put_u64(&w, "bytes", m->files.list[i].bytes);
        json_put_u64(&w, "rows", m->files.list[i].rows);
        json_put_text(&w, "sha256", m->files.list[i].sha256);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_put_u64(&w, "content", m->content);
    json_close_object(&w);
    buf_append_byte(out, '\n');
}

/* Names with a newline or a backslash are escaped, and the line says so (coreutils, "cksum output
 * modes"). */
static void put_sum(struct buf *out, const struct run_file *file)
{
    if (strpbrk(file->path, "\n\r\\") != NULL)
        buf_append_byte(out, '\\');
    buf_append_text(out, file->sha256);
    buf_append_text(out, "  ");
    for (const char *at = file->path; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r' || *at == '\\')
            buf_append_text(out, *at == '\n' ? "\\n" : *at == '\r' ? "\\r" : "\\\\");
        else
            buf_append_byte(out, (uint8_t)*at);
    }
    buf_append_byte(out, '\n');
}

void run_manifest_sums(const struct run_manifest *m, struct buf *out)
{
    for (size_t i = 0; i < m->files.count; i++)
        put_sum(out, &m->files.list[i]);
}

int run_manifest_write(const struct run_manifest *m, struct object_store *store, struct err *err)
{
    struct buf name = {0}, text = {0};
    run_manifest_sums(m, &text);
    run_manifest_name(&name, m->run, ".sha256");
    int result = object_put(store, buf_text(&name), buf_slice(&text), err);
    buf_reset(&name);
    buf_reset(&text);
    run_manifest_name(&name, m->run, ".json");
    put_manifest(&text, m);
    if (result == 0)
        result = object_put(store, buf_text(&name), buf_slice(&text), err);
    buf_free(&name);
    buf_free(&text);
    return result;
}

static bool is_text(const struct json *object, const char *name, struct slice *out)
{
    return json_get_text(object, name, out) &&
           (out->len == 0 || memchr(out->data, '\0', out->len) == NULL);
}

static bool parse_streams(struct run_manifest *m, const struct json *list)
{
    bool ok = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *item = ok ? list->first : NULL; item != NULL && ok; item = item->next) {
        struct slice stream, created, sequences;
        ok = is_text(item, "stream", &stream) && is_text(item, "created", &created) &&
             json_get_text(item, "sequences", &sequences);
        if (!ok)
            break;
        struct run_stream *added = array_add(&m->streams);
        *added = (struct run_stream){.stream = text_copy_slice(stream),
                                     .created = text_copy_slice(created)};
        ok = seqset_parse_text(&added->sequences, sequences);
    }
    return ok;
}

static bool parse_files(struct run_manifest *m, const struct json *list)
{
    bool ok = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *item = ok ? list->first : NULL; item != NULL && ok; item = item->next) {
        struct slice path, sha256;
        struct run_file file = {0};
        ok = is_text(item, "path", &path) && object_name_is_valid(path) &&
             json_get_u64(item, "bytes", &file.bytes) && json_get_u64(item, "rows", &file.rows) &&
             json_get_text(item, "sha256", &sha256) && sha256_is_text(sha256);
        if (!ok)
            break;
        memcpy(file.sha256, sha256.data, sha256.len);
        file.path = text_copy_slice(path);
        *array_add(&m->files) = file;
    }
    return ok;
}

static bool parse_kinds(struct run_manifest *m, const struct json *kinds)
{
    bool ok = kinds != NULL && kinds->type == JSON_OBJECT;
    for (const struct json *item = ok ? kinds->first : NULL; item != NULL && ok;
         item = item->next) {
        uint64_t rows;
        bool added;
        ok = item->type == JSON_NUMBER && num_parse_u64(item->text, &rows);
        (void)map_put(&m->kinds, item->key, &added);
        if (ok && added)
            *array_add(&m->kind_rows) = rows;
    }
    return ok && m->kinds.count == m->kind_rows.count;
}

static bool parse_manifest(struct run_manifest *m, const struct json *root)
{
    m->has_span = json_get_i64(root, "oldest_timestamp_ns", &m->first) &&
                  json_get_i64(root, "newest_timestamp_ns", &m->last);
    return json_get_u64(root, "edition", &m->edition) &&
           json_get_u64(root, "content", &m->content) && json_get_u64(root, "rows", &m->rows) &&
           json_get_u64(root, "bytes", &m->bytes) &&
           parse_kinds(m, json_member(root, "event_types")) &&
           parse_streams(m, json_member(root, "streams")) &&
           parse_files(m, json_member(root, "files"));
}

/* Two names may be cut to the same one: the manifest of another run is none of this one. */
int run_manifest_read(struct run_manifest *m, struct object_store *store, struct slice run,
                      bool *found, struct err *err)
{
    struct arena arena = {0};
    struct buf name = {0}, text = {0};
    struct slice owner;
    *m = (struct run_manifest){.run = run};
    run_manifest_name(&name, run, ".json");
    int result = object_get_all(store, buf_text(&name), RUNS_BYTES_MAX, &text, found, err);
    if (result == 0 && *found) {
        const struct json *root = json_parse(&arena, buf_slice(&text), err);
        if (root == NULL)
            result = err_prefix(err, "%s", buf_text(&name));
        else if (!json_get_text(root, "simulation_id", &owner) || !slice_equal(owner, run))
            result = err_set(err, ERR_FORMAT, "%s is of another run", buf_text(&name));
        else if (!parse_manifest(m, root))
            result = err_set(err, ERR_FORMAT, "%s is no manifest of a run", buf_text(&name));
    }
    arena_free(&arena);
    buf_free(&name);
    buf_free(&text);
    return result;
}

struct names {
    ARRAY(char *);
};

static bool note_name(void *context, struct slice name)
{
    struct names *names = context;
    char *text = text_copy_slice(name);
    if (text_ends_with(text, ".json"))
        *array_add(names) = text;
    else
        free(text);
    return true;
}

static int visit_one(struct object_store *store, const char *name, runs_visit *visit, void *context,
                     struct err *err)
{
    struct arena arena = {0};
    struct buf text = {0};
    struct runs_entry entry = {0};
    struct err ignored = {0};
    bool found;
    int result = object_get_all(store, name, RUNS_BYTES_MAX, &text, &found, err);
    const struct json *root =
        result == 0 && found ? json_parse(&arena, buf_slice(&text), &ignored) : NULL;
    const struct json *files = json_member(root, "files");
    if (json_get_text(root, "simulation_id", &entry.run) &&
        json_get_text(root, "closed", &entry.closed) &&
        json_get_u64(root, "edition", &entry.edition) && json_get_u64(root, "rows", &entry.rows) &&
        json_get_u64(root, "bytes", &entry.bytes) && files != NULL) {
        for (const struct json *file = files->first; file != NULL; file = file->next)
            entry.files++;
        visit(context, &entry);
    }
    arena_free(&arena);
    buf_free(&text);
    return result;
}

int runs_list(struct object_store *store, runs_visit *visit, void *context, struct err *err)
{
    struct names names = {0};
    int result = object_list(store, RUNS_FOLDER, "", note_name, &names, err);
    for (size_t i = 0; i < names.count; i++) {
        if (result == 0)
            result = visit_one(store, names.list[i], visit, context, err);
        free(names.list[i]);
    }
    array_free(&names);
    return result;
}
