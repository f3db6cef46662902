/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "delta/log.h"
#include "follow/archive_part.h"

/*
 * The archive has what the store has not any more, so nothing of it goes before what takes its
 * place is there. A file that is damaged comes again under its name, which nobody could read
 * anyway. One that is whole, and is to be another one (it was compressed in another way), changes
 * in two commits: it goes on under a name of its own, then what is new takes its name.
 */
struct anew {
    struct archive *archive;
    struct follow_view *view;
    struct delta_snapshot store, archived;          /* of the archive: what the store has, too */
    struct archive_commit damaged, aside, compress; /* that are to come */
    ARRAY(struct archive_sum) sums;                 /* of files that stay */
    uint64_t bytes, looked, mended, compressed;
};

static enum delta_keep keep_common(void *context, const struct delta_add *add,
                                   struct delta_mark *mark)
{
    const struct anew *n = context;
    (void)mark;
    return delta_snapshot_file(&n->store, add->path) != NULL ? DELTA_KEEP_ALL : DELTA_KEEP_NOTHING;
}

static int load(struct anew *n, struct err *err)
{
    struct account *account = &n->archive->target.account;
    n->store = (struct delta_snapshot){.want_files = true, .account = account};
    n->archived = (struct delta_snapshot){
        .want_files = true, .keep = keep_common, .keep_context = n, .account = account};
    n->view->failed = true;
    if (delta_snapshot_load(&n->store, n->view->store, err) != 0)
        return -1;
    n->view->failed = false;
    return delta_snapshot_load(&n->archived, n->archive->store, err);
}

/* Whether its bytes in the archive are those that the log of the archive has. */
static int is_whole(const struct anew *n, const struct delta_file *file, bool *whole,
                    struct err *err)
{
    struct slice sha256 = delta_map_get(&file->tags, "varve.sha256");
    struct buf name = {0};
    char hash[SHA256_TEXT_MAX];
    struct object_info info;
    bool found = false;
    int result = 0;
    *whole = false;
    if (delta_path_decode(&name, file->path) && object_name_is_valid(buf_slice(&name)))
        result = object_head(n->archive->store, buf_text(&name), &info, &found, err);
    if (result == 0 && found && info.size == file->size)
        result = object_hash(n->archive->store, buf_text(&name), hash, whole, err);
    *whole = *whole && slice_is(sha256, hash);
    buf_free(&name);
    return result;
}

/* Whether it is what would be put there now. */
static bool is_wanted(const struct anew *n, const struct delta_file *ours,
                      const struct delta_file *theirs)
{
    struct slice wanted = delta_map_get(&theirs->tags, "varve.sha256");
    char level[ARCHIVE_LEVEL];
    if (n->archive->level != 0 && wanted.data != NULL) {
        archive_level(n->archive, level);
        return slice_is(delta_map_get(&ours->tags, ARCHIVE_LEVEL_TAG), level);
    }
    return wanted.data == NULL || slice_equal(wanted, delta_map_get(&ours->tags, "varve.sha256"));
}

static void put_add(struct archive_commit *c, const struct delta_file *file, struct slice path)
{
    *array_add(&c->adds) = (struct delta_add){.path = path,
                                              .size = file->size,
                                              .modification_time = file->modification_time,
                                              .stats = file->stats,
                                              .tags = file->tags};
}

static int look_at(struct anew *n, const struct delta_file *ours, struct err *err)
{
    const struct delta_file *theirs = delta_snapshot_file(&n->store, ours->path);
    struct buf path = {0};
    bool whole;
    if (is_whole(n, ours, &whole, err) != 0)
        return -1;
    n->looked++;
    if (!whole) {
        n->mended++;
        put_add(&n->damaged, theirs, theirs->path);
    } else if (is_wanted(n, ours, theirs)) {
        *array_add(&n->sums) =
            (struct archive_sum){ours->path, delta_map_get(&ours->tags, "varve.sha256")};
        return 0;
    } else {
        n->compressed++;
        buf_append_text(&path, ARCHIVE_ASIDE);
        buf_append_slice(&path, ours->path);
        const struct slice aside = {
            (const uint8_t *)arena_text(&n->compress.arena, path.data, path.len), path.len};
        buf_free(&path);
        put_add(&n->aside, ours, aside);
        *array_add(&n->aside.removes) = ours->path;
        put_add(&n->compress, theirs, theirs->path);
        *array_add(&n->compress.removes) = aside;
    }
    n->bytes += theirs->size;
    return 0;
}

static int make_commit(struct anew *n, struct archive_commit *c, struct err *err)
{
    if (c->adds.count == 0)
        return 0;
    archive_put_info(c, clock_wall() / CLOCK_MILLISECOND, (struct slice){0}, true);
    return archive_make_commit(n->archive, n->view, c, err);
}

/* The aside's names are in the arena of the last one. */
static int make_commits(struct anew *n, struct err *err)
{
    struct archive *a = n->archive;
    n->damaged.source = ARCHIVE_FROM_STORE_OVER;
    n->aside.source = ARCHIVE_FROM_ITSELF;
    if (make_commit(n, &n->damaged, err) != 0 || make_commit(n, &n->aside, err) != 0 ||
        make_commit(n, &n->compress, err) != 0 ||
        (a->manifest && archive_note_sums(a, n->sums.list, n->sums.count, err) != 0))
        return -1;
    archive_commit_reset(&n->damaged);
    archive_commit_reset(&n->aside);
    archive_commit_reset(&n->compress);
    n->sums.count = 0;
    n->bytes = 0;
    return 0;
}

static bool is_enough(const struct anew *n)
{
    return n->sums.count + n->damaged.adds.count + n->aside.adds.count >= ARCHIVE_PATHS ||
           n->bytes >= ARCHIVE_BATCH_BYTES;
}

static int look_at_all(struct anew *n, struct err *err)
{
    for (size_t i = 0; i < n->archived.files.count; i++) {
        if (n->archived.files.list[i] == NULL)
            continue;
        if (atomic_load(n->view->stop))
            return err_set(err, ERR_REFUSED, "it is time to end");
        if (look_at(n, n->archived.files.list[i], err) != 0 ||
            (is_enough(n) && make_commits(n, err) != 0))
            return -1;
    }
    return make_commits(n, err);
}

static void tell(const struct anew *n)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "archive_anew");
    log_text(&line, "follower", n->archive->name);
    log_u64(&line, "files", n->looked);
    log_u64(&line, "mended", n->mended);
    log_u64(&line, "compressed", n->compressed);
    log_end(&line);
}

int archive_make_anew(struct archive *a, struct follow_view *view, struct err *err)
{
    struct anew n = {.archive = a, .view = view};
    struct account *account = &a->target.account;
    struct archive_commit *commits[] = {&n.damaged, &n.aside, &n.compress};
    for (size_t i = 0; i < sizeof(commits) / sizeof(commits[0]); i++)
        commits[i]->head.account = commits[i]->arena.account = account;
    n.sums.account = account;
    int result = a->there ? load(&n, err) : 0;
    if (result == 0 && a->there)
        result = look_at_all(&n, err);
    if (result == 0)
        tell(&n);
    for (size_t i = 0; i < sizeof(commits) / sizeof(commits[0]); i++)
        archive_commit_free(commits[i]);
    array_free(&n.sums);
    delta_snapshot_free(&n.archived);
    delta_snapshot_free(&n.store);
    return result;
}
