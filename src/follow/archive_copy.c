/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "delta/object_file.h"
#include "event/event.h"
#include "follow/archive_part.h"
#include "follow/file_source.h"
#include "store/compact_merge.h"
#include "store/path.h"

enum { PIECE = 256 * 1024 };
#define PAUSE                                                                          \
    (100 * CLOCK_MILLISECOND) /* at most, until it is looked whether it is time to end \
                               */

/* What was not used of the bandwidth for longer than a second is lost. */
static int pace(struct archive *a, const struct follow_view *view, uint64_t bytes, struct err *err)
{
    if (a->bandwidth == 0)
        return 0;
    int64_t now = clock_monotonic();
    if (a->paced_at < now - CLOCK_SECOND)
        a->paced_at = now - CLOCK_SECOND;
    a->paced_at += (int64_t)((double)bytes / (double)a->bandwidth * (double)CLOCK_SECOND);
    for (; now < a->paced_at; now = clock_monotonic()) {
        if (atomic_load(view->stop))
            return err_set(err, ERR_REFUSED, "it is time to end");
        clock_sleep(clock_earliest(a->paced_at - now, PAUSE));
    }
    return 0;
}

static int gone(struct follow_view *view, const char *name, struct err *err)
{
    view->failed = true;
    return err_set_system(err, ENOENT, "%s", name);
}

static int other_bytes(struct follow_view *view, const char *name, struct err *err)
{
    view->failed = true;
    return err_set(err, ERR_FORMAT,
                   "%s has other bytes than were committed (SHA-256): it is not archived", name);
}

static int copy_pieces(struct archive *a, struct follow_view *view, const char *name,
                       struct object_source *from, struct object_staged *staged, struct sha256 *sum,
                       struct err *err)
{
    const struct parquet_source *source = &from->source;
    for (uint64_t left = source->size; left > 0; left -= a->piece.len) {
        if (atomic_load(view->stop))
            return err_set(err, ERR_REFUSED, "it is time to end");
        buf_reset(&a->piece);
        buf_reserve(&a->piece, PIECE);
        a->piece.len = (size_t)num_least_u64(left, PIECE);
        uint64_t offset = source->size - left;
        if (source->read(source->context, offset, a->piece.data, a->piece.len, err) != 0) {
            view->failed = true;
            return err_prefix(err, "%s", name);
        }
        sha256_add(sum, a->piece.data, a->piece.len);
        if (object_write(staged, a->piece.data, a->piece.len, err) != 0 ||
            pace(a, view, a->piece.len, err) != 0)
            return -1;
    }
    return 0;
}

static int place(struct archive *a, struct object_staged *staged, const char *name, struct err *err)
{
    if (object_finish(a->store, &staged, 1, err) == 0 && object_place(staged, name, err) == 0) {
        object_staged_free(staged);
        return 0;
    }
    object_abandon(staged);
    return -1;
}

/* From `name` in the store that is viewed to `to` in the archive. */
static int copy_bytes(struct archive *a, struct follow_view *view, const char *name, const char *to,
                      struct slice wanted, uint64_t *size, char sha256[static SHA256_TEXT_MAX],
                      struct err *err)
{
    struct sha256 sum;
    uint8_t hash[SHA256_BYTES];
    struct object_source from;
    if (object_source_open_fed(&from, view->store, name, wanted, view->feed, err) != 0) {
        view->failed = true;
        return err_prefix(err, "%s", name);
    }
    from.read.account = &a->target.account;
    struct object_staged *staged = object_stage(a->store, err);
    if (staged == NULL)
        return -1;
    object_expect(staged, to);
    sha256_begin(&sum);
    int result = copy_pieces(a, view, name, &from, staged, &sum, err);
    object_source_close(&from);
    *size = object_staged_size(staged);
    sha256_end(&sum, hash);
    sha256_format(hash, sha256);
    if (result == 0 && wanted.data != NULL && !slice_is(wanted, sha256))
        result = other_bytes(view, name, err);
    if (result == 0)
        return place(a, staged, to, err);
    object_abandon(staged);
    return -1;
}

/* The same rows, compressed anew. What can't be is copied: *done says which. */
static int copy_rows(struct archive *a, struct follow_view *view, const char *name,
                     const struct delta_add *add, uint64_t *size,
                     char sha256[static SHA256_TEXT_MAX], bool *done, struct err *err)
{
    struct delta_file file = {.path = add->path, .size = add->size, .tags = add->tags};
    struct compact_input input = {.file = &file, .name = (char *)name, .last = UINT64_MAX};
    struct compact_output out;
    *done = false;
    if (a->codec == NULL)
        a->codec = parquet_codec_new(&a->target.account);
    const struct compact_merge merge = {.store = view->store,
                                        .into = a->store,
                                        .schema = &event_schema,
                                        .level = a->level,
                                        .account = &a->target.account,
                                        .codec = a->codec,
                                        .stop = view->stop,
                                        .inputs = &input,
                                        .count = 1,
                                        .name = name};
    if (compact_merge(&merge, &out, err) != 0) {
        if (err->code != ERR_UNSUPPORTED)
            return -1;
        err_clear(err);
        return 0;
    }
    *done = true;
    *size = object_staged_size(out.staged);
    memcpy(sha256, out.sha256, SHA256_TEXT_MAX);
    struct object_staged *staged = out.staged;
    compact_output_free(&out);
    if (pace(a, view, *size, err) == 0)
        return place(a, staged, name, err);
    object_abandon(staged);
    return -1;
}

/* Nothing is ever put in the place of another file: one that has expired in the store may have had
 * the same name. */
static int look_for(struct archive *a, const char *name, struct slice wanted, uint64_t *size,
                    char sha256[static SHA256_TEXT_MAX], bool *found, struct err *err)
{
    struct object_info info;
    if (object_head(a->store, name, &info, found, err) != 0 ||
        (*found && object_hash(a->store, name, sha256, found, err) != 0))
        return -1;
    *size = *found ? info.size : 0;
    if (*found && (wanted.data == NULL || !slice_is(wanted, sha256)))
        return err_set(err, ERR_REFUSED, "%s: there is another file %s already", a->root, name);
    return 0;
}

/* Of one that is there, what is its own. */
static int copy_own(struct archive *a, const struct follow_view *view, const char *name,
                    const struct delta_add *add, uint64_t *size,
                    char sha256[static SHA256_TEXT_MAX], struct err *err)
{
    struct follow_view own = *view;
    own.store = a->store;
    own.feed = NULL;
    return copy_bytes(a, &own, name + strlen(ARCHIVE_ASIDE), name,
                      delta_map_get(&add->tags, "varve.sha256"), size, sha256, err);
}

static int copy(struct archive *a, struct follow_view *view, bool over, const char *name,
                const struct delta_add *add, bool again, uint64_t *size,
                char sha256[static SHA256_TEXT_MAX], struct err *err)
{
    struct slice wanted = delta_map_get(&add->tags, "varve.sha256");
    bool found = false, done = false;
    if (!over && look_for(a, name, wanted, size, sha256, &found, err) != 0)
        return -1;
    if (found)
        return 0;
    if (again && a->level != 0 && wanted.data != NULL) {
        if (object_hash(view->store, name, sha256, &found, err) != 0) {
            view->failed = true;
            return -1;
        }
        if (!found)
            return gone(view, name, err);
        if (!slice_is(wanted, sha256))
            return other_bytes(view, name, err);
        if (copy_rows(a, view, name, add, size, sha256, &done, err) != 0 || done)
            return done && !err_is_set(err) ? 0 : -1;
    }
    return copy_bytes(a, view, name, name, wanted, size, sha256, err);
}

void archive_level(const struct archive *a, char out[static ARCHIVE_LEVEL])
{
    (void)snprintf(out, ARCHIVE_LEVEL, "%d", a->level);
}

int archive_copy(struct archive *a, struct follow_view *view, enum archive_source source,
                 const struct delta_add *add, bool again, uint64_t *size,
                 char sha256[static SHA256_TEXT_MAX], struct err *err)
{
    struct buf name = {0};
    int result = -1;
    if (delta_object_name(&name, add->path, err) != 0)
        view->failed = true;
    else
        result = source == ARCHIVE_FROM_ITSELF
                     ? copy_own(a, view, buf_text(&name), add, size, sha256, err)
                     : copy(a, view, source == ARCHIVE_FROM_STORE_OVER, buf_text(&name), add, again,
                            size, sha256, err);
    buf_free(&name);
    return result;
}

/* `path` as in the log. One that was removed is not missed: its messages are no rows. */
static int copy_one(struct archive *a, struct follow_view *view, struct slice path,
                    const struct delta_pair *sha256, struct err *err)
{
    struct buf name = {0}, uri = {0}, old = {0};
    bool renamed, found = false, there = false;
    uint64_t size;
    char hash[SHA256_TEXT_MAX];
    struct object_info info;
    int result = 0;
    if (!delta_path_decode(&old, path))
        result = err_set(err, ERR_FORMAT, "a path of the quarantine is none");
    store_path_quarantine_name(&name, buf_slice(&old), &renamed);
    delta_path_encode(&uri, buf_slice(&name));
    const struct delta_add add = {.path = buf_slice(&uri),
                                  .tags = {sha256, sha256->value.data != NULL ? 1 : 0}};
    if (result == 0)
        result = object_head(view->store, buf_text(&name), &info, &found, err);
    if (result == 0 && found)
        result = object_head(a->store, buf_text(&name), &info, &there, err);
    if (result == 0 && found && !there)
        result = archive_copy(a, view, ARCHIVE_FROM_STORE, &add, false, &size, hash, err);
    buf_free(&name);
    buf_free(&uri);
    buf_free(&old);
    return result;
}

struct names {
    ARRAY(char *);
};

static bool note_name(void *context, struct slice name)
{
    struct names *names = context;
    *array_add(names) = text_copy_slice(name);
    return true;
}

static int copy_all_beside(struct archive *a, struct follow_view *view, struct err *err)
{
    struct names names = {0};
    struct buf uri = {0};
    const struct delta_pair none = {0};
    int result = object_list(view->store, STORE_PATH_QUARANTINE, "", note_name, &names, err);
    for (size_t i = 0; i < names.count; i++) {
        buf_reset(&uri);
        delta_path_encode(&uri, slice_of(names.list[i]));
        if (result == 0)
            result = copy_one(a, view, buf_slice(&uri), &none, err);
        free(names.list[i]);
    }
    array_free(&names);
    buf_free(&uri);
    return result;
}

int archive_copy_beside(struct archive *a, struct follow_view *view, const struct json *info,
                        struct err *err)
{
    if (info == NULL)
        return copy_all_beside(a, view, err);
    const struct json *list = json_member(json_member(info, "varve"), "quarantine");
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        struct delta_pair sha256 = {slice_of("varve.sha256"), {0}};
        struct slice path;
        (void)json_get_text(json_member(item, "tags"), "varve.sha256", &sha256.value);
        if (json_get_text(item, "path", &path) && copy_one(a, view, path, &sha256, err) != 0)
            return -1;
    }
    return 0;
}
