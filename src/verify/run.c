/* SPDX-License-Identifier: MIT */
#include "verify/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "delta/log.h"
#include "delta/object_file.h"
#include "event/event.h"
#include "object/open.h"
#include "verify/positions.h"

#define KIND "run"

static void list_files(struct verify_run *v, const char *root, struct file_list *list)
{
    struct buf path = {0};
    list->tree = true;
    for (size_t i = 0; i < v->manifest.files.count; i++) {
        buf_reset(&path);
        buf_append_text(&path, root);
        if (!text_ends_with(root, "/"))
            buf_append_byte(&path, '/');
        size_t len = path.len;
        buf_append_text(&path, v->manifest.files.list[i].path);
        char *text = text_copy_slice(buf_slice(&path));
        *array_add(list) = (struct listed_file){text, text + len, false};
    }
    buf_free(&path);
}

int verify_run_open(struct verify_run *v, const char *root, const char *run, struct report *report,
                    struct file_list *list, struct err *err)
{
    const struct object_config config = {.root = root, .entries = DELTA_LOG_FOLDER};
    struct err failure = {0};
    v->store = object_open(&config, err);
    if (v->store == NULL)
        return -1;
    if (run_manifest_read(&v->manifest, v->store, slice_of(run), &v->found, &failure) != 0) {
        report_found(report, KIND, "%s", failure.text);
        v->found = false;
    } else if (!v->found) {
        report_found(report, KIND, "no run %s was closed: there is no manifest of it in %s", run,
                     RUNS_FOLDER);
    } else {
        list_files(v, root, list);
    }
    return 0;
}

/* What the rows of one file add up to. */
static void judge_file(struct verify_run *v, size_t number, const struct verified_file *file,
                       const struct verify_table *table, struct report *report)
{
    const struct run_file *said = &v->manifest.files.list[number];
    char sha256[SHA256_TEXT_MAX];
    bool found;
    struct err err = {0};
    if (file->gone) {
        bool live = verify_table_live(table, said->path) != NULL;
        report_found(report, KIND, "%s is missing%s", said->path,
                     live ? "" : ": it is not in the table any more");
        return;
    }
    if (file->size != said->bytes)
        report_found(report, KIND, "%s has %" PRIu64 " bytes, and had %" PRIu64, said->path,
                     file->size, said->bytes);
    else if (object_hash(v->store, said->path, sha256, &found, &err) != 0)
        report_found(report, KIND, "%s: %s", said->path, err.text);
    else if (strcmp(sha256, said->sha256) != 0)
        report_found(report, KIND, "%s does not have the SHA-256 that it had", said->path);
    if (file->rows != said->rows)
        report_found(report, KIND, "%s has %" PRIu64 " rows, written down are %" PRIu64, said->path,
                     file->rows, said->rows);
}

static void count_kinds(struct verify_run *v, struct run_manifest *actual,
                        struct parquet_codec *codec)
{
    struct err ignored = {0}; /* told of the file */
    for (size_t i = 0; i < v->manifest.files.count; i++) {
        struct delta_object_file object;
        bool found = false;
        if (delta_object_file_open(&object, v->store, v->manifest.files.list[i].path, &found,
                                   &ignored) != 0 ||
            !found)
            continue;
        (void)!run_file_kinds(&object.file, event_schema.columns[EVENT_COLUMN_EVENT_TYPE_KEY].name,
                              codec, actual, &actual->rows, &ignored);
        delta_object_file_close(&object);
    }
}

static uint64_t rows_of_kind(const struct run_manifest *m, struct slice kind)
{
    int64_t number = map_find(&m->kinds, kind);
    return number < 0 ? 0 : m->kind_rows.list[number];
}

static void judge_kinds(struct verify_run *v, struct parquet_codec *codec, struct report *report)
{
    struct run_manifest actual = {0};
    const struct run_manifest *said = &v->manifest;
    count_kinds(v, &actual, codec);
    if (actual.rows != said->rows)
        report_found(report, KIND, "the files have %" PRIu64 " rows, written down are %" PRIu64,
                     actual.rows, said->rows);
    for (uint32_t i = 0; i < said->kinds.count; i++)
        (void)map_put(&actual.kinds, map_key(&said->kinds, i), &(bool){false});
    while (actual.kind_rows.count < actual.kinds.count)
        *array_add(&actual.kind_rows) = 0;
    for (uint32_t i = 0; i < actual.kinds.count; i++) {
        struct slice kind = map_key(&actual.kinds, i);
        uint64_t rows = actual.kind_rows.list[i], written = rows_of_kind(said, kind);
        if (rows != written)
            report_found(report, KIND,
                         "event type %.*s: the files have %" PRIu64
                         " rows, written down are %" PRIu64,
                         (int)kind.len, (const char *)kind.data, rows, written);
    }
    run_manifest_free(&actual);
}

/* What is in `a` and not in `b`, if anything. */
static void report_more(struct report *report, const char *stream, const struct seqset *a,
                        const struct seqset *b, const char *what)
{
    struct seqset more = {0};
    struct buf text = {0};
    seqset_add_new(&more, a, b, 0);
    seqset_write_text(&text, &more);
    if (more.count > 0)
        report_found(report, KIND, "%s: sequences %.200s%s %s", stream, buf_text(&text),
                     text.len > 200 ? "..." : "", what);
    seqset_free(&more);
    buf_free(&text);
}

static void judge_stream(const struct run_stream *said, const struct sequences *sequences,
                         struct report *report)
{
    struct seqset actual = {0};
    struct buf key = {0};
    claims_key(&key, slice_of(said->stream), slice_of(said->created));
    int64_t number = map_find(&sequences->streams, buf_slice(&key));
    for (size_t i = 0; i < sequences->count; i++)
        if (sequences->list[i].stream == number)
            seqset_add_range(&actual, sequences->list[i].first, sequences->list[i].last);
    report_more(report, said->stream, &said->sequences, &actual,
                "are written down and in none of its files");
    report_more(report, said->stream, &actual, &said->sequences,
                "are in its files and not written down");
    seqset_free(&actual);
    buf_free(&key);
}

static void judge_sums(struct verify_run *v, struct report *report)
{
    struct buf name = {0}, wanted = {0}, text = {0};
    struct err err = {0};
    bool found = false;
    run_manifest_name(&name, v->manifest.run, ".sha256");
    run_manifest_sums(&v->manifest, &wanted);
    if (object_get_all(v->store, buf_text(&name), RUNS_BYTES_MAX, &text, &found, &err) != 0)
        report_found(report, KIND, "%s", err.text);
    else if (!found)
        report_found(report, KIND, "%s is missing", buf_text(&name));
    else if (!slice_equal(buf_slice(&text), buf_slice(&wanted)))
        report_found(report, KIND, "%s does not say what the manifest says", buf_text(&name));
    buf_free(&name);
    buf_free(&wanted);
    buf_free(&text);
}

/* Files of the run that the log has and the manifest has not. */
static void note_others(struct verify_run *v, const struct verify_table *table,
                        struct report *report)
{
    const struct runs_options columns = {
        .run = event_schema.columns[EVENT_COLUMN_SIMULATION_ID].name,
        .kind = event_schema.columns[EVENT_COLUMN_EVENT_TYPE_KEY].name,
        .arrival = event_schema.columns[EVENT_COLUMN_STREAM_TIME].name};
    struct map known = {0};
    uint64_t others = 0;
    bool added;
    for (size_t i = 0; i < v->manifest.files.count; i++)
        (void)map_put(&known, slice_of(v->manifest.files.list[i].path), &added);
    for (uint32_t i = 0; i < table->live.count; i++) {
        struct arena arena = {0};
        struct run_brief brief;
        others += map_find(&known, map_key(&table->live, i)) < 0 &&
                  run_of_file(&columns, &arena, table->live_files.list[i]->stats, &brief) &&
                  slice_equal(brief.run, v->manifest.run);
        arena_free(&arena);
    }
    map_free(&known);
    if (others > 0)
        report_note(report, "open",
                    "the table has %" PRIu64 " files of the run that edition %" PRIu64
                    " does not: events came later, or files were merged, and its next end "
                    "writes them down",
                    others, v->manifest.edition);
}

void verify_run_judge(struct verify_run *v, const struct verified_file *files,
                      const struct sequences *sequences, const struct verify_table *table,
                      struct parquet_codec *codec, struct report *report)
{
    if (!v->found)
        return;
    for (size_t i = 0; i < v->manifest.files.count; i++)
        judge_file(v, i, &files[i], table, report);
    judge_kinds(v, codec, report);
    for (size_t i = 0; i < v->manifest.streams.count && sequences != NULL; i++)
        judge_stream(&v->manifest.streams.list[i], sequences, report);
    judge_sums(v, report);
    if (table->store != NULL)
        note_others(v, table, report);
}

void verify_run_close(struct verify_run *v)
{
    run_manifest_free(&v->manifest);
    object_store_close(v->store);
    *v = (struct verify_run){0};
}
