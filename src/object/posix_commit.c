/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "object/directory.h"

void posix_pending_name(struct buf *out, const struct posix *p)
{
    buf_reset(out);
    buf_printf(out, ".pending-%s", p->writer_name);
}

/* Whether a name is on disk; only asked where some were, since that takes as long as the move. */
static bool is_on_disk(struct posix *p, const char *name, struct err *err)
{
    struct stat st;
    bool missing;
    if (!p->names_met)
        return false;
    int folder = posix_folder(p, name, false, &missing, err);
    return folder >= 0 && posix_exists(p, folder, directory_base(name), &st, err);
}

/* Find a name for member `i` that nobody has in this group (`taken`), nor, as far as we know, on
 * disk: when it is moved there that is found out. */
static int choose_name(struct posix *p, size_t i, struct map *taken, struct err *err)
{
    struct buf name = {0};
    const char *wanted = p->group->members[i].name;
    int result = -1;
    for (;; p->numbers[i]++) {
        bool added;
        buf_reset(&name);
        if (p->numbers[i] == 0)
            buf_append_text(&name, wanted);
        else
            object_name_numbered(&name, slice_of(wanted), p->numbers[i]);
        if (map_find(taken, buf_slice(&name)) >= 0)
            continue;
        if (is_on_disk(p, buf_text(&name), err))
            continue;
        if (err_is_set(err))
            break;
        (void)map_put(taken, buf_slice(&name), &added);
        p->names[i] = text_copy_slice(buf_slice(&name));
        result = 0;
        break;
    }
    buf_free(&name);
    return result;
}

static int choose_names(struct posix *p, struct err *err)
{
    struct map taken = {0};
    bool added;
    int result = 0;
    for (size_t i = 0; i < p->group->count; i++) {
        if (p->names[i] != NULL)
            (void)map_put(&taken, slice_of(p->names[i]), &added);
    }
    for (size_t i = 0; i < p->group->count && result == 0; i++) {
        if (p->names[i] == NULL)
            result = choose_name(p, i, &taken, err);
    }
    map_free(&taken);
    return result;
}

/* By the rename .pending is there whole or not at all. */
int posix_write_pending(struct posix *p, struct err *err)
{
    struct buf pending = {0};
    char name[POSIX_STAGED_NAME_MAX];
    struct object_staged *file = posix_stage_whole(p, buf_slice(&p->text), err);
    if (file == NULL)
        return -1;
    posix_pending_name(&pending, p);
    posix_staged_name(name, file->id);
    int result = system_rename(&p->system, p->own_dir, name, p->entries_dir, buf_text(&pending));
    if (result != 0) {
        (void)err_set_system(err, errno, "can't make %s/%s", p->entries, buf_text(&pending));
        posix_abandon(file);
    } else {
        posix_staged_free(file);
        result = directory_sync(&p->system, p->entries_dir, ".", err);
    }
    buf_free(&pending);
    return result;
}

static int write_pending(struct posix *p, struct err *err)
{
    buf_reset(&p->text);
    if (choose_names(p, err) != 0 ||
        p->group->text(p->group->context, (const char *const *)p->names, &p->text, err) != 0)
        return -1;
    /* The files that it names must be found after a crash, so their names come first. */
    if (directory_sync(&p->system, p->own_dir, ".", err) != 0)
        return -1;
    return posix_write_pending(p, err);
}

/* The file has its temporary name, and no other. */
static bool is_unmoved(const struct posix *p, const char *id)
{
    char name[POSIX_STAGED_NAME_MAX];
    struct stat st;
    posix_staged_name(name, id);
    return system_stat(&p->system, p->own_dir, name, &st) == 0 && st.st_nlink == 1;
}

/* Somebody else has the name. .pending is written anew before the file is moved, so it always tells
 * where a moved file is. Where one name is taken others may be, and .pending is long: the names of
 * the files behind it that were not moved are chosen again as well. */
static void choose_again(struct posix *p, size_t i)
{
    p->numbers[i]++;
    for (size_t k = i; k < p->count; k++) {
        if (k > i && !is_unmoved(p, p->group->members[k].id))
            continue;
        free(p->names[k]);
        p->names[k] = NULL;
    }
    p->names_met = true;
    p->stage = POSIX_STAGE_PENDING;
}

/* The members have their new names, which last. */
static int remove_staged_names(const struct posix *p, struct err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        char name[POSIX_STAGED_NAME_MAX];
        posix_staged_name(name, p->group->members[i].id);
        if (system_unlink(&p->system, p->own_dir, name) != 0 && errno != ENOENT)
            return err_set_system(err, errno, "can't remove the temporary name of %s", p->names[i]);
    }
    return 0;
}

/* Leaves the stage as it is, or sets it back if a name was taken. */
static int move_files(struct posix *p, struct err *err)
{
    const char *const *names = (const char *const *)p->names;
    if (posix_make_folders(p, names, p->count, err) != 0)
        return -1;
    for (size_t i = 0; i < p->count; i++) {
        switch (posix_move(p, p->group->members[i].id, p->names[i], err)) {
        case POSIX_MOVE_DONE:
            break;
        case POSIX_MOVE_TAKEN:
            choose_again(p, i);
            return 0;
        case POSIX_MOVE_FAILED:
            return -1;
        }
    }
    if (posix_sync_folders(p, names, p->count, err) != 0)
        return -1;
    return p->linked ? remove_staged_names(p, err) : 0;
}

int posix_remove_pending(struct posix *p, struct err *err)
{
    struct buf pending = {0};
    int result = 0;
    posix_pending_name(&pending, p);
    if (system_unlink(&p->system, p->entries_dir, buf_text(&pending)) != 0 && errno != ENOENT)
        result = err_set_system(err, errno, "can't remove %s/%s", p->entries, buf_text(&pending));
    buf_free(&pending);
    return result;
}

/* Ask for a name, which must be one in the folder of entries. */
static int next_name(struct posix *p, bool taken, struct err *err)
{
    size_t len = strlen(p->entries);
    if (p->named && !taken)
        return 0;
    p->named = false;
    buf_reset(&p->entry);
    if (p->group->name(p->group->context, taken, &p->entry, err) != 0)
        return -1;
    const char *name = buf_text(&p->entry);
    ASSERT(strncmp(name, p->entries, len) == 0 && name[len] == '/' &&
           strchr(name + len + 1, '/') == NULL && object_name_is_valid(buf_slice(&p->entry)));
    p->named = true;
    return 0;
}

/* The name is taken: *mine says by this very text. */
static int judge_entry(struct posix *p, const char *pending, const char *name, bool *mine,
                       struct err *err)
{
    struct stat here, there;
    *mine = false;
    if (!posix_exists(p, p->entries_dir, pending, &here, err)) {
        if (!err_is_set(err))
            (void)err_set(err, ERR_SYSTEM, "%s/%s is gone", p->entries, pending);
        return -1;
    }
    if (posix_exists(p, p->entries_dir, name, &there, err))
        *mine = here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    return err_is_set(err) ? -1 : 0;
}

int posix_link_entry(struct posix *p, struct err *err)
{
    struct buf pending = {0};
    int result = -1;
    posix_pending_name(&pending, p);
    for (bool taken = false; next_name(p, taken, err) == 0; taken = true) {
        const char *name = directory_base(buf_text(&p->entry));
        result = system_rename_noreplace(&p->system, p->entries_dir, buf_text(&pending),
                                         p->entries_dir, name, &p->linked);
        if (result != 0 && errno != EEXIST) {
            bool lacking = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
            (void)err_set_system(err, errno, "can't make %s%s", buf_text(&p->entry),
                                 lacking ? " (a file system for varve must either rename without "
                                           "replacing or link files; this one may do neither)"
                                         : "");
            break;
        }
        if (result == 0)
            break;
        result = judge_entry(p, buf_text(&pending), name, &p->linked, err);
        if (result != 0 || p->linked)
            break;
        result = -1;
    }
    buf_free(&pending);
    return result;
}

/* The entry lasts. If .pending is there as well it has to go; that this lasts is not needed. */
int posix_sync_entry(struct posix *p, struct err *err)
{
    int result = directory_sync(&p->system, p->entries_dir, ".", err);
    return result == 0 && p->linked ? posix_remove_pending(p, err) : result;
}

void posix_forget_commit(struct posix *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->names[i]);
    free(p->names);
    free(p->numbers);
    p->names = NULL;
    p->numbers = NULL;
    p->count = 0;
    p->group = NULL;
    p->named = p->linked = p->names_met = false;
    p->stage = POSIX_IDLE;
    buf_free(&p->text); /* ten thousand files make 10 MB of it */
}

static void begin(struct posix *p, const struct object_group *group, enum posix_stage stage)
{
    ASSERT(p->own_dir >= 0);
    p->names = calloc(group->count + 1, sizeof(*p->names));
    p->numbers = calloc(group->count + 1, sizeof(*p->numbers));
    if (p->names == NULL || p->numbers == NULL)
        out_of_memory((group->count + 1) * sizeof(*p->names));
    p->count = group->count;
    p->group = group;
    p->stage = stage;
}

/* Do the step of the current stage; on success the stage is the next one. */
static int step(struct posix *p, struct err *err)
{
    switch (p->stage) {
    case POSIX_STAGE_PENDING:
        if (write_pending(p, err) != 0)
            return -1;
        p->stage = POSIX_STAGE_MOVE;
        return 0;
    case POSIX_STAGE_MOVE:
        if (move_files(p, err) != 0)
            return -1;
        if (p->stage == POSIX_STAGE_MOVE)
            p->stage = POSIX_STAGE_ENTRY;
        return 0;
    case POSIX_STAGE_ENTRY:
        if (posix_link_entry(p, err) != 0)
            return -1;
        p->stage = POSIX_STAGE_SYNC;
        return 0;
    case POSIX_STAGE_SYNC:
        if (posix_sync_entry(p, err) != 0)
            return -1;
        posix_forget_commit(p);
        return 0;
    case POSIX_IDLE:
        break;
    }
    return 0;
}

static int go_on(struct posix *p, struct err *err)
{
    int result = posix_check_root(p, err);
    while (result == 0 && p->stage != POSIX_IDLE) {
        /* From the first move to the entry nobody may put another folder in a folder's place. */
        if (p->stage == POSIX_STAGE_MOVE && p->hold < 0 && posix_hold(p, true, err) != 0)
            result = -1;
        else
            result = step(p, err);
    }
    posix_release(p);
    return result != 0 ? err_prefix(err, "commit to %s", p->root) : 0;
}

int posix_commit(struct object_store *store, const struct object_group *group, struct err *err)
{
    struct posix *p = posix_of(store);
    if (p->stage == POSIX_IDLE)
        begin(p, group, POSIX_STAGE_PENDING);
    ASSERT(p->group == group);
    return go_on(p, err);
}

struct twin {
    const struct posix *p;
    const struct stat *pending;
    bool found;
};

/* Two names of one file: an entry, and .pending. A backup by hard links makes a link count lie, so
 * the names are looked at. */
static void look_for_twin(void *context, const char *name, enum system_kind kind)
{
    struct twin *twin = context;
    struct stat st;
    (void)kind;
    if (name[0] != '.' && system_stat(&twin->p->system, twin->p->entries_dir, name, &st) == 0 &&
        st.st_ino == twin->pending->st_ino && st.st_dev == twin->pending->st_dev)
        twin->found = true;
}

static int find_twin(struct twin *twin, struct err *err)
{
    const struct posix *p = twin->p;
    if (twin->pending->st_nlink < 2 ||
        system_list(&p->system, p->entries_dir, look_for_twin, twin) == 0)
        return 0;
    return err_set_system(err, errno, "can't list %s", p->entries);
}

int posix_is_pending(struct posix *p, bool *pending, struct err *err)
{
    struct buf name = {0};
    struct stat st;
    posix_pending_name(&name, p);
    *pending = posix_exists(p, p->entries_dir, buf_text(&name), &st, err);
    buf_free(&name);
    if (err_is_set(err) || !*pending)
        return err_is_set(err) ? -1 : 0;
    struct twin twin = {p, &st, false};
    int result = find_twin(&twin, err);
    *pending = !twin.found;
    return result;
}

int posix_interrupted(struct object_store *store, struct buf *text, bool *found, struct err *err)
{
    struct posix *p = posix_of(store);
    struct buf name = {0};
    struct stat st;
    int result = -1;
    posix_pending_name(&name, p);
    if (!posix_exists(p, p->entries_dir, buf_text(&name), &st, err)) {
        result = err_is_set(err) ? -1 : 0;
        goto out;
    }
    struct twin twin = {p, &st, false};
    if (find_twin(&twin, err) != 0)
        goto out;
    if (twin.found) {
        result = posix_remove_pending(p, err);
        goto out;
    }
    struct buf path = {0};
    buf_printf(&path, "%s/%s", p->entries, buf_text(&name));
    result = object_get_all(store, buf_text(&path), OBJECT_TEXT_MAX, text, found, err);
    buf_free(&path);
out:
    buf_free(&name);
    return result;
}

int posix_resume(struct object_store *store, const struct object_group *group, bool *committed,
                 struct err *err)
{
    struct posix *p = posix_of(store);
    if (p->stage == POSIX_IDLE) {
        begin(p, group, POSIX_STAGE_MOVE);
        for (size_t i = 0; i < group->count; i++)
            p->names[i] = text_copy(group->members[i].name);
    }
    ASSERT(p->group == group);
    *committed = go_on(p, err) == 0;
    return *committed ? 0 : -1;
}

/* The files first: as long as .pending is there, all of it is done again. */
int posix_withdraw(struct object_store *store, const char *const *names, size_t count,
                   const struct object_group *instead, struct err *err)
{
    struct posix *p = posix_of(store);
    int result = posix_check_root(p, err);
    (void)instead; /* there is the lock */
    posix_forget_commit(p);
    if (result == 0)
        result = posix_hold(p, true, err);
    for (size_t i = 0; i < count && result == 0; i++)
        result = object_remove(store, names[i], err);
    if (result == 0)
        result = posix_sync_folders(p, names, count, err);
    if (result == 0)
        result = posix_remove_pending(p, err);
    if (result == 0)
        result = directory_sync(&p->system, p->entries_dir, ".", err);
    posix_release(p);
    return result;
}
