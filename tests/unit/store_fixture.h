/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_STORE_FIXTURE_H
#define VARVE_TESTS_UNIT_STORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "delta/action.h"
#include "store/commit.h"
#include "object/posix_part.h"
#include "store/path.h"
#include "store/store.h"
#include "test.h"

/*
 * A store in the directory "root" whose files hold text instead of Parquet, one sequence a line, so
 * that a test can see which rows are there. Stream S, created C, consumer D.
 */
static const struct column_spec fixture_columns[] = {
    {.name = "timestamp_ns", .type = COLUMN_INT64, .bounds = true},
    {.name = "simulation_id", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .bounds = true},
    {.name = "event_payload", .type = COLUMN_BYTES},
    {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "stream_time", .type = COLUMN_INT64, .meaning = COLUMN_TIME_MICROS, .bounds = true},
};
static const struct schema fixture_schema = {"event", fixture_columns, 5};

static inline struct store *fixture_try_open(const char *instance, struct system system,
                                             struct err *err)
{
    struct store_config config = {.root = "root",
                                  .instance = instance,
                                  .engine = "varve/0",
                                  .schema = &fixture_schema,
                                  .system = system};
    return store_open(&config, err);
}

/* Have each system call of the store seen by `hook` from now on; NULL: by none. */
static inline void fixture_hook(struct store *store, system_hook *hook, void *context)
{
    struct system *system = &posix_of(store->objects)->system;
    system->hook = hook;
    system->context = context;
}

static inline struct store *fixture_open(const char *instance)
{
    struct err err = {0};
    struct store *store = fixture_try_open(instance, (struct system){0}, &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(store != NULL);
    return store;
}

/* A finished file with the rows first..last in steps, or NULL. */
static inline struct object_staged *fixture_try_file(struct store *store, uint64_t first,
                                                     uint64_t last, uint64_t by, struct err *err)
{
    struct buf text = {0};
    for (uint64_t i = first; i <= last; i += by)
        buf_printf(&text, "%" PRIu64 "\n", i);
    struct object_staged *file = object_stage(store->objects, err);
    if (file != NULL && (object_write(file, text.data, text.len, err) != 0 ||
                         object_finish(store->objects, &file, 1, err) != 0)) {
        object_abandon(file);
        file = NULL;
    }
    buf_free(&text);
    return file;
}

static inline struct object_staged *fixture_file(struct store *store, uint64_t first, uint64_t last)
{
    struct err err = {0};
    struct object_staged *file = fixture_try_file(store, first, last, 1, &err);
    EXPECT_TEXT(err.text, "");
    return file;
}

static inline struct position fixture_position(uint64_t through)
{
    return (struct position){.stream = "S",
                             .created = "C",
                             .consumer = "D",
                             .through = through,
                             .last_seq = through,
                             .last_time = (int64_t)through * 1000};
}

/* Commit one file with the rows first..last; the position becomes `last`. After a failure the store
 * can only be closed. */
static inline int fixture_try_commit(struct store *store, const char *key, uint64_t first,
                                     uint64_t last, struct err *err)
{
    struct seqset sequences = {0};
    seqset_add_range(&sequences, first, last);
    struct position position = fixture_position(last);
    struct store_epoch_file file = {.file = fixture_file(store, first, last),
                                    .key = key,
                                    .stream = "S",
                                    .created = "C",
                                    .sequences = &sequences,
                                    .rows = last - first + 1};
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .rows_of = &sequences};
    int result = store_commit(store, &epoch, err);
    object_staged_free(file.file);
    seqset_free(&sequences);
    return result;
}

static inline void fixture_commit(struct store *store, const char *key, uint64_t first,
                                  uint64_t last)
{
    struct err err = {0};
    (void)!fixture_try_commit(store, key, first, last, &err);
    EXPECT_TEXT(err.text, "");
}

static inline bool fixture_is_file(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The content of a file, NUL-terminated; freed by the caller. */
static inline char *fixture_read(const char *path)
{
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL);
    char *text = NULL;
    size_t size = 0;
    ssize_t len = getdelim(&text, &size, '\0', file);
    EXPECT(fclose(file) == 0);
    if (len < 0)
        text[0] = '\0';
    return text;
}

static inline void fixture_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* Remove a directory and all in it, if it is there. */
static inline void fixture_remove(const char *path)
{
    EXPECT(nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}

/*
 * Go to a new directory in memory, where there is one. For tests with thousands of fsyncs: on a
 * disk they take minutes, and prove nothing where no more than processes end.
 */
static inline void fixture_begin_fast(char dir[static 64])
{
    (void)strcpy(dir, "/dev/shm/varve-test-XXXXXX");
    if (mkdtemp(dir) == NULL || chdir(dir) < 0)
        dir[0] = '\0';
}

static inline void fixture_end_fast(const char *dir)
{
    if (dir[0] != '\0')
        fixture_remove(dir);
}

/* What can be seen of a table: how often each row is there, and how many files are where. */
enum { FIXTURE_ROWS = 64 };

struct fixture_view {
    uint32_t on_disk[FIXTURE_ROWS], in_log[FIXTURE_ROWS];
    uint32_t files_on_disk, files_in_log;
    uint32_t hidden; /* unfinished files, and commits under way */
};

static inline void fixture_count_rows(const char *path, uint32_t counts[FIXTURE_ROWS])
{
    char *text = fixture_read(path);
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        uint64_t row = strtoull(line, NULL, 10);
        EXPECT(row < FIXTURE_ROWS);
        counts[row]++;
    }
    free(text);
}

static inline void fixture_walk(const char *dir, struct fixture_view *view)
{
    DIR *stream = opendir(dir);
    EXPECT(stream != NULL);
    struct dirent *found;
    while ((found = readdir(stream)) != NULL) {
        char path[512];
        size_t len = strlen(found->d_name);
        struct stat st;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, found->d_name);
        EXPECT(lstat(path, &st) == 0);
        if (S_ISDIR(st.st_mode)) {
            fixture_walk(path, view);
        } else if (len > 8 && strcmp(found->d_name + len - 8, ".parquet") == 0) {
            view->files_on_disk++;
            fixture_count_rows(path, view->on_disk);
        } else if (strstr(path, ".inprogress") != NULL || strstr(path, "/.pending-") != NULL ||
                   strstr(path, "/.writing-") != NULL) {
            view->hidden++;
        }
    }
    EXPECT(closedir(stream) == 0);
}

/* Add the files of one line of the log. */
static inline void fixture_follow(struct slice line, struct fixture_view *view)
{
    struct arena arena = {0};
    struct err err = {0};
    const struct json *root = json_parse(&arena, line, &err);
    EXPECT_TEXT(err.text, "");
    const struct json *add = json_member(root, "add");
    struct slice uri;
    if (add != NULL) {
        struct buf path = {0};
        uint64_t size;
        struct stat st;
        EXPECT(json_get_text(add, "path", &uri));
        buf_append_text(&path, "root/");
        EXPECT(delta_path_decode(&path, uri));
        EXPECT(lstat(buf_text(&path), &st) == 0);
        EXPECT(json_get_u64(add, "size", &size) && size == (uint64_t)st.st_size);
        view->files_in_log++;
        fixture_count_rows(buf_text(&path), view->in_log);
        buf_free(&path);
    }
    arena_free(&arena);
}

/* Look at everything under "root". Entries of the log must be numbered without gaps. */
static inline struct fixture_view fixture_look(void)
{
    struct fixture_view view = {0};
    fixture_walk("root", &view);
    for (uint64_t version = 0;; version++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "root/_delta_log/%020" PRIu64 ".json", version);
        if (!fixture_is_file(path))
            return view;
        char *text = fixture_read(path);
        char *rest;
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest))
            fixture_follow(slice_of(line), &view);
        free(text);
    }
}

#endif
