/* SPDX-License-Identifier: MIT */
#include "verify/log.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/json.h"
#include "base/map.h"
#include "base/num.h"
#include "follow/file_source.h"
#include "delta/action.h"

enum {
    /* Larger entries are not read; one that adds 10,000 files has about 10 MB. */
    ENTRY_MAX = 256 * 1024 * 1024,
    VERSION_DIGITS = 20,
};

/* A file that the log names. */
struct logged {
    uint64_t size, rows;
    bool has_rows;
    char *sequences; /* as text; NULL: not stated */
    bool removed;    /* by a later entry */
    bool pending;    /* of a commit that was interrupted: may be there or not */
    bool quarantine;
};

struct log_check {
    const char *root;
    struct report *report;
    struct verified_file *files;
    size_t count;
    struct map paths; /* relative, decoded; its numbers are those of `logged` */
    ARRAY(struct logged) logged;
    struct arena arena; /* texts of `logged` */
    struct buf path;
    uint64_t missing, unknown;
};

static const char *full_path(struct log_check *c, const char *relative)
{
    buf_reset(&c->path);
    buf_append_text(&c->path, c->root);
    buf_append_byte(&c->path, '/');
    buf_append_text(&c->path, relative);
    return buf_text(&c->path);
}

bool verify_log_exists(const char *root)
{
    struct stat st;
    struct log_check c = {.root = root};
    bool there = stat(full_path(&c, "_delta_log"), &st) == 0 && S_ISDIR(st.st_mode);
    buf_free(&c.path);
    return there;
}

/* The entry of the path of an add or remove, made if it is new; NULL if it is no path. */
static struct logged *find(struct log_check *c, const struct json *action, bool *added)
{
    struct slice uri;
    struct buf path = {0};
    struct logged *entry = NULL;
    if (json_get_text(action, "path", &uri) && delta_path_decode(&path, uri) && path.len > 0 &&
        c->paths.count < MAP_KEYS_MAX) {
        uint32_t number = map_put(&c->paths, buf_slice(&path), added);
        if (*added)
            *array_add(&c->logged) = (struct logged){0};
        entry = &c->logged.list[number];
    }
    buf_free(&path);
    return entry;
}

/* numRecords: of an add in the JSON of its stats, of a quarantined file directly. */
static bool rows_of(const struct json *action, uint64_t *rows)
{
    struct slice text;
    struct arena arena = {0};
    struct err err = {0};
    bool found = json_get_u64(action, "numRecords", rows);
    if (!found && json_get_text(action, "stats", &text))
        found = json_get_u64(json_parse(&arena, text, &err), "numRecords", rows);
    arena_free(&arena);
    return found;
}

static void note_add(struct log_check *c, const char *entry_name, const struct json *action,
                     bool pending, bool quarantine)
{
    bool added = false;
    struct slice text;
    struct logged *l = find(c, action, &added);
    if (l == NULL || !json_get_u64(action, "size", &l->size)) {
        report_found(c->report, "log", "%s: an add without a path or a size", entry_name);
        return;
    }
    if (!added && !l->removed && !pending)
        report_found(c->report, "log", "%s adds a file again", entry_name);
    l->removed = false;
    l->pending = pending && added;
    l->quarantine = quarantine;
    l->has_rows = rows_of(action, &l->rows);
    l->sequences = NULL;
    if (json_get_text(json_member(action, "tags"), "varve.sequences", &text))
        l->sequences = arena_text(&c->arena, text.data, text.len);
}

static void note_line(struct log_check *c, const char *entry_name, struct slice line, bool pending)
{
    struct arena arena = {0};
    struct err err = {0};
    bool added = false;
    const struct json *action = json_parse(&arena, line, &err);
    if (action == NULL)
        report_found(c->report, "log", "%s: %s", entry_name, err.text);
    const struct json *add = json_member(action, "add");
    const struct json *remove = json_member(action, "remove");
    const struct json *varve = json_member(json_member(action, "commitInfo"), "varve");
    const struct json *quarantine = json_member(varve, "quarantine");
    if (add != NULL)
        note_add(c, entry_name, add, pending, false);
    if (remove != NULL) {
        struct logged *l = find(c, remove, &added);
        if (l != NULL)
            l->removed = true;
    }
    for (const struct json *q = quarantine != NULL ? quarantine->first : NULL; q != NULL;
         q = q->next)
        note_add(c, entry_name, q, pending, true);
    arena_free(&arena);
}

static int load(struct log_check *c, const char *name, struct buf *text, struct err *err)
{
    struct file_source source;
    struct buf relative = {0};
    buf_printf(&relative, "_delta_log/%s", name);
    int result = file_source_open(&source, full_path(c, buf_text(&relative)), err);
    buf_free(&relative);
    if (result != 0)
        return -1;
    buf_reset(text);
    if (source.source.size > ENTRY_MAX) {
        result = err_set(err, ERR_LIMIT, "it has more than %d bytes", (int)ENTRY_MAX);
    } else {
        buf_reserve_exact(text, (size_t)source.source.size);
        text->len = (size_t)source.source.size;
        result = source.source.read(source.source.context, 0, text->data, text->len, err);
    }
    file_source_close(&source);
    return result;
}

static void note_entry(struct log_check *c, const char *name, bool pending)
{
    struct buf text = {0};
    struct err err = {0};
    if (load(c, name, &text, &err) != 0) {
        if (!pending) /* it may just have been committed */
            report_found(c->report, "log", "%s: %s", name, err.text);
        text.len = 0;
    }
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - (text.data + at)) : text.len - at;
        if (len > 0)
            note_line(c, name, (struct slice){text.data + at, len}, pending);
        at += len + 1;
    }
    buf_free(&text);
}

static bool is_version(const char *name, uint64_t *version)
{
    return strlen(name) == VERSION_DIGITS + strlen(".json") &&
           strcmp(name + VERSION_DIGITS, ".json") == 0 &&
           num_parse_u64((struct slice){(const uint8_t *)name, VERSION_DIGITS}, version);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* All entries in their order, then what is pending. False if the log can't tell what the table is.
 */
static bool read_log(struct log_check *c)
{
    struct dirent **names = NULL;
    uint64_t next = 0, version = 0;
    bool whole = true;
    int count = scandir(full_path(c, "_delta_log"), &names, NULL, by_name);
    if (count < 0) {
        report_found(c->report, "log", "_delta_log: %s", strerror(errno));
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (!is_version(names[i]->d_name, &version))
            continue;
        if (version != next) {
            report_found(c->report, "log", "entry %" PRIu64 " is missing%s", next,
                         next == 0 ? "; checkpoints, which may replace it, can't be read" : "");
            whole = whole && next != 0;
        }
        next = version + 1;
        note_entry(c, names[i]->d_name, false);
    }
    for (int i = 0; i < count; i++) {
        if (strncmp(names[i]->d_name, ".pending-", strlen(".pending-")) == 0)
            note_entry(c, names[i]->d_name, true);
        free(names[i]);
    }
    free(names);
    return whole;
}

static void compare(struct log_check *c, const struct verified_file *file, const struct logged *l)
{
    if (file->size != l->size)
        report_found(c->report, "log", "%s has %" PRIu64 " bytes, the log says %" PRIu64,
                     file->relative, file->size, l->size);
    if (!file->readable)
        return;
    if (l->has_rows && file->rows != l->rows)
        report_found(c->report, "log", "%s has %" PRIu64 " rows, the log says %" PRIu64,
                     file->relative, file->rows, l->rows);
    if (l->sequences != NULL &&
        (file->sequences == NULL || strcmp(file->sequences, l->sequences) != 0))
        report_found(c->report, "log", "%s has other sequences than the log says", file->relative);
}

static int compare_relative(const void *key, const void *file)
{
    return strcmp(key, ((const struct verified_file *)file)->relative);
}

/* A file of the log that was not listed: it came later, or it is not there. */
static void look_up(struct log_check *c, const char *relative, const struct logged *l)
{
    struct stat st;
    if (l->pending)
        return;
    if (stat(full_path(c, relative), &st) != 0) {
        if (c->missing++ < REPORT_EACH_MAX)
            report_found(c->report, "log", "%s is in the log, but not there: %s", relative,
                         strerror(errno));
    } else if ((uint64_t)st.st_size != l->size) {
        report_found(c->report, "log", "%s has %" PRIu64 " bytes, the log says %" PRIu64, relative,
                     (uint64_t)st.st_size, l->size);
    }
}

static void check_logged(struct log_check *c)
{
    struct buf relative = {0};
    for (uint32_t i = 0; i < c->paths.count; i++) {
        if (c->logged.list[i].removed)
            continue;
        buf_reset(&relative);
        buf_append_slice(&relative, map_key(&c->paths, i));
        const struct verified_file *file =
            bsearch(buf_text(&relative), c->files, c->count, sizeof(*c->files), compare_relative);
        if (file != NULL)
            compare(c, file, &c->logged.list[i]);
        else
            look_up(c, buf_text(&relative), &c->logged.list[i]);
    }
    if (c->missing > REPORT_EACH_MAX)
        report_found(c->report, "log", "%" PRIu64 " more files are not there",
                     c->missing - REPORT_EACH_MAX);
    buf_free(&relative);
}

static void check_files(struct log_check *c)
{
    for (size_t i = 0; i < c->count; i++) {
        int64_t number = map_find(&c->paths, slice_of(c->files[i].relative));
        if (number >= 0 && !c->logged.list[number].removed)
            continue;
        if (c->unknown++ < REPORT_EACH_MAX)
            report_found(c->report, "log", "%s is not in the log", c->files[i].relative);
    }
    if (c->unknown > REPORT_EACH_MAX)
        report_found(c->report, "log", "%" PRIu64 " more files are not in the log",
                     c->unknown - REPORT_EACH_MAX);
}

void verify_log(const char *root, struct verified_file *files, size_t count, struct report *report)
{
    struct log_check c = {.root = root, .report = report, .files = files, .count = count};
    if (read_log(&c)) {
        check_logged(&c);
        check_files(&c);
    }
    map_free(&c.paths);
    array_free(&c.logged);
    arena_free(&c.arena);
    buf_free(&c.path);
}
