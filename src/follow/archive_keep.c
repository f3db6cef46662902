/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "delta/checkpoint_make.h"
#include "delta/clean.h"
#include "delta/log.h"
#include "delta/properties.h"
#include "follow/archive_part.h"
#include "follow/quality.h"
#include "object/open.h"
#include "store/runs.h"

/* No report of a run comes near: RUNS_BYTES_MAX is what a manifest may have. */
enum { REPORT_MAX = RUNS_BYTES_MAX };

struct reports {
    struct archive *archive;
    struct object_store *store;
    ARRAY(char *) names;
};

static bool note_name(void *context, struct slice name)
{
    struct reports *r = context;
    /* What the follower keeps that makes reports is of no use without it. */
    if (!slice_starts_with(name, FOLLOW_QUALITY_STATE))
        *array_add(&r->names) = text_copy_slice(name);
    return true;
}

/* Copy one, unless the archive has it as it is. One that is gone meanwhile is none. */
static int copy_report(struct reports *r, const char *name, struct err *err)
{
    struct archive *a = r->archive;
    struct buf text = {.account = &a->target.account};
    char hash[SHA256_TEXT_MAX], there[SHA256_TEXT_MAX];
    bool found = false, has = false;
    int result = object_get_all(r->store, name, REPORT_MAX, &text, &found, err);
    if (result == 0 && found)
        result = object_hash(a->store, name, there, &has, err);
    sha256_text(buf_slice(&text), hash);
    if (result == 0 && found && !(has && strcmp(hash, there) == 0))
        result = object_put(a->store, name, buf_slice(&text), err);
    buf_free(&text);
    return result;
}

/* Copy one that is not what it was when this process has copied it. */
static int look_at(struct reports *r, const char *name, struct err *err)
{
    struct archive *a = r->archive;
    struct object_info info;
    bool found = false, added = false;
    if (object_head(r->store, name, &info, &found, err) != 0)
        return -1;
    uint32_t number = map_put(&a->reports, slice_of(name), &added);
    if (added)
        *array_add(&a->report_list) = (struct archive_report){0};
    struct archive_report *known = &a->report_list.list[number];
    if (!found || (known->modified == info.modified && known->size == info.size))
        return 0;
    *known = (struct archive_report){0};
    if (copy_report(r, name, err) != 0)
        return -1;
    *known = (struct archive_report){info.modified, info.size};
    return 0;
}

/* Manifests name files with their hashes, so they are of no use where files are compressed anew. */
static int copy_all(struct reports *r, struct err *err)
{
    int result = object_list(r->store, FOLLOW_QUALITY_FOLDER, "", note_name, r, err);
    if (result == 0 && r->archive->level == 0)
        result = object_list(r->store, RUNS_FOLDER, "", note_name, r, err);
    for (size_t i = 0; i < r->names.count; i++) {
        if (result == 0 &&
            (r->archive->target.stop == NULL || !atomic_load(r->archive->target.stop)))
            result = look_at(r, r->names.list[i], err);
        free(r->names.list[i]);
    }
    array_free(&r->names);
    return result;
}

void archive_keep_reports(struct archive *a, int64_t now)
{
    struct err err = {0};
    const struct object_config config = {.root = a->source, .entries = DELTA_LOG_FOLDER};
    struct reports r = {.archive = a};
    if (!a->read || now < a->reports_at)
        return;
    a->reports_at = now + ARCHIVE_REPORTS_EVERY;
    r.store = object_open(&config, &err);
    if (r.store == NULL || copy_all(&r, &err) != 0)
        log_message(LOG_WARNING, "archive_reports", "%s: reports on runs are not copied yet: %s",
                    a->root, err.text);
    object_store_close(r.store);
}

void archive_forget_reports(struct archive *a)
{
    map_free(&a->reports);
    array_free(&a->report_list);
    a->reports_at = 0;
}

/* What only entries say that may go is written down first. */
static int clean_log(struct archive *a, struct err *err)
{
    struct delta_snapshot archived = {.want_varve = true, .account = &a->target.account};
    struct delta_cleaned cleaned;
    int result = delta_snapshot_load(&archived, a->store, err);
    if (result == 0)
        result = archive_save_positions(a, &archived, a->store, false, err);
    delta_snapshot_free(&archived);
    return result == 0 ? delta_log_clean(a->store, clock_wall(), &cleaned, err) : -1;
}

void archive_keep_log(struct archive *a, const struct follow_view *view)
{
    struct delta_checkpoint_made made;
    struct err err = {0};
    int64_t now = clock_monotonic();
    int result = 0;
    if (a->next - a->kept_at >= DELTA_CHECKPOINT_INTERVAL) {
        result = delta_checkpoint_make(a->store, 0, clock_wall(), view->stop, &made, &err);
        a->kept_at = a->next;
    }
    if (result == 0 && a->kept_at > 0 && now >= a->clean_at) {
        result = clean_log(a, &err);
        a->clean_at = now + ARCHIVE_CLEAN_EVERY;
    }
    if (result != 0 && !atomic_load(view->stop))
        log_message(LOG_WARNING, "archive_log", "%s: its log is not kept short: %s", a->root,
                    err.text);
}
