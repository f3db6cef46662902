/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "object/directory.h"

/*
 * See posix.h for the steps of a swap.
 */
#define SWAP_FOLDER "swap"

struct names {
    struct map all;
    bool strange; /* something is no file */
};

static void note_name(void *context, const char *name, enum system_kind kind)
{
    struct names *names = context;
    bool added;
    (void)map_put(&names->all, slice_of(name), &added);
    names->strange = names->strange || kind == SYSTEM_FOLDER || kind == SYSTEM_OTHER;
}

static int list_names(struct posix *p, int dir, struct names *out, struct err *err)
{
    if (system_list(&p->system, dir, note_name, out) == 0)
        return 0;
    return err_set_system(err, errno, "can't list a folder of %s", p->root);
}

static int open_swap(struct posix *p, struct err *err)
{
    int fd = system_openat(&p->system, p->own_dir, SWAP_FOLDER, SYSTEM_OPEN_FOLDER, 0);
    return fd >= 0 ? fd : posix_failed("open", slice_of(SWAP_FOLDER), err);
}

static int open_folder(struct posix *p, struct posix_swap *s, struct err *err)
{
    return directory_open(&p->system, p->root_dir, buf_text(&s->folder), 0, err);
}

/* The text of a name; valid until the next one of the same buffer. */
static const char *name_text(struct buf *name, struct slice key)
{
    buf_reset(name);
    buf_append_slice(name, key);
    return buf_text(name);
}

/* Give each file of `from` that is not in `except` a second name in `to`, and make that last. */
static int carry_over(struct posix *p, int from, int to, const struct map *except, struct err *err)
{
    struct names names = {0};
    struct buf name = {0};
    int result = list_names(p, from, &names, err);
    if (result == 0 && names.strange)
        result = err_set(err, ERR_REFUSED, "there is something in the folder that is no file");
    for (uint32_t i = 0; i < names.all.count && result == 0; i++) {
        struct slice key = map_key(&names.all, i);
        const char *text = name_text(&name, key);
        if (map_find(except, key) < 0 && system_link(&p->system, from, text, to, text) != 0 &&
            errno != EEXIST) {
            bool lacking = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
            result = lacking ? err_set(err, ERR_UNSUPPORTED, "the file system can't link files")
                             : posix_failed("link", key, err);
        }
    }
    if (result == 0 && system_fsync(&p->system, to) != 0)
        result = posix_failed("make durable", slice_of(SWAP_FOLDER), err);
    map_free(&names.all);
    buf_free(&name);
    return result;
}

/* Our folder and that of the swap change places, and that lasts. */
static int exchange(struct posix *p, struct posix_swap *s, struct err *err)
{
    struct buf above = {0};
    int result = -1;
    directory_parent(&above, buf_slice(&s->folder));
    int dir = directory_open(&p->system, p->root_dir, buf_text(&above), 0, err);
    if (dir >= 0) {
        result = system_exchange(&p->system, p->own_dir, SWAP_FOLDER, dir,
                                 directory_base(buf_text(&s->folder)));
        bool lacking = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM;
        if (result != 0 && lacking)
            (void)err_set(err, ERR_UNSUPPORTED,
                          "the file system can't exchange two folders: small files can be merged "
                          "with compaction.keep_replaced only");
        else if (result != 0)
            (void)posix_failed("exchange", buf_slice(&s->folder), err);
        else if (system_fsync(&p->system, dir) != 0)
            result = posix_failed("make durable", buf_slice(&above), err);
        (void)system_close(&p->system, dir); /* only synced */
    }
    if (result == 0)
        result = directory_sync(&p->system, p->own_dir, ".", err);
    buf_free(&above);
    return result;
}

/* Remove what is in our folder, if there is one, and the folder. */
static int remove_folder(struct posix *p, struct err *err)
{
    struct names names = {0};
    struct buf name = {0};
    int fd = system_openat(&p->system, p->own_dir, SWAP_FOLDER, SYSTEM_OPEN_FOLDER, 0);
    if (fd < 0)
        return errno == ENOENT ? 0 : posix_failed("open", slice_of(SWAP_FOLDER), err);
    int result = list_names(p, fd, &names, err);
    for (uint32_t i = 0; i < names.all.count && result == 0; i++)
        if (system_unlink(&p->system, fd, name_text(&name, map_key(&names.all, i))) != 0)
            result = posix_failed("remove", map_key(&names.all, i), err);
    (void)system_close(&p->system, fd); /* only a directory */
    if (result == 0 && system_rmdir(&p->system, p->own_dir, SWAP_FOLDER) != 0)
        result = posix_failed("remove", slice_of(SWAP_FOLDER), err);
    map_free(&names.all);
    buf_free(&name);
    return result;
}

/* Whether what is in our folder is what comes: the places were not exchanged, or back again. As
 * they are where there is no folder: a power cut may leave the record without it, as long as the
 * names in our directory were not made durable, which comes before the exchange. */
static int is_ours_new(struct posix *p, struct posix_swap *s, bool *result, struct err *err)
{
    struct buf name = {0};
    struct stat st;
    *result = true;
    if (!posix_exists(p, p->own_dir, SWAP_FOLDER, &st, err))
        return err_is_set(err) ? -1 : 0;
    int fd = open_swap(p, err);
    if (fd < 0)
        return -1;
    *result = posix_exists(p, fd, name_text(&name, map_key(&s->come, 0)), &st, err);
    (void)system_close(&p->system, fd); /* only a directory */
    buf_free(&name);
    return err_is_set(err) ? -1 : 0;
}

/* What others have removed from the folder while ours was in its place must not come back. */
static int drop_removed(struct posix *p, struct posix_swap *s, int there, int here, struct err *err)
{
    struct names names = {0};
    struct buf name = {0};
    struct stat st;
    int result = list_names(p, here, &names, err);
    for (uint32_t i = 0; i < names.all.count && result == 0; i++) {
        struct slice key = map_key(&names.all, i);
        const char *text = name_text(&name, key);
        if (map_find(&s->go, key) >= 0 || posix_exists(p, there, text, &st, err))
            continue;
        if (err_is_set(err) || system_unlink(&p->system, here, text) != 0)
            result = posix_failed("remove", key, err);
    }
    map_free(&names.all);
    buf_free(&name);
    return result;
}

/* The old folder comes back, with what came meanwhile. */
static int exchange_back(struct posix *p, struct posix_swap *s, struct err *err)
{
    int there = open_folder(p, s, err);
    int here = there < 0 ? -1 : open_swap(p, err);
    int result = here < 0 ? -1 : 0;
    if (result == 0)
        result = drop_removed(p, s, there, here, err);
    if (result == 0)
        result = carry_over(p, there, here, &s->come, err);
    if (here >= 0)
        (void)system_close(&p->system, here); /* only directories */
    if (there >= 0)
        (void)system_close(&p->system, there);
    return result == 0 ? exchange(p, s, err) : -1;
}

/* Remove what came beside the old files. */
static int remove_come(struct posix *p, struct posix_swap *s, struct err *err)
{
    struct buf name = {0};
    int dir = open_folder(p, s, err);
    int result = dir < 0 ? -1 : 0;
    for (uint32_t i = 0; i < s->come.count && result == 0; i++)
        if (system_unlink(&p->system, dir, name_text(&name, map_key(&s->come, i))) != 0 &&
            errno != ENOENT)
            result = posix_failed("remove", map_key(&s->come, i), err);
    if (result == 0 && system_fsync(&p->system, dir) != 0)
        result = posix_failed("make durable", buf_slice(&s->folder), err);
    if (dir >= 0)
        (void)system_close(&p->system, dir); /* only synced */
    buf_free(&name);
    return result;
}

/* The lock is held, if there is a record. */
static int go_back(struct posix *p, struct posix_swap *s, bool recorded, struct err *err)
{
    bool unchanged = true;
    int result = 0;
    if (recorded && s->keep)
        result = remove_come(p, s, err);
    else if (recorded)
        result = is_ours_new(p, s, &unchanged, err);
    if (result == 0 && !unchanged)
        result = exchange_back(p, s, err);
    /* The record first: with it and without .pending the swap has happened. */
    if (result == 0 && recorded)
        result = posix_record_remove(p, err);
    if (result == 0)
        result = posix_remove_pending(p, err);
    return result == 0 ? remove_folder(p, err) : -1;
}

/* The entry lasts, and so do the places. */
static int finish(struct posix *p, struct err *err)
{
    return posix_remove_pending(p, err) != 0 || remove_folder(p, err) != 0
               ? -1
               : posix_record_remove(p, err);
}

int posix_settle(struct object_store *store, const struct object_group *instead, struct err *err)
{
    struct posix *p = posix_of(store);
    struct posix_swap s = {0};
    bool recorded, pending;
    (void)instead; /* there is the lock */
    /* What is seen of the entries and of our own directory is what the next crash leaves, too. */
    int result = directory_sync(&p->system, p->entries_dir, ".", err);
    if (result == 0)
        result = posix_record_read(p, &s, &recorded, err);
    if (result == 0)
        result = posix_is_pending(p, &pending, err);
    if (result == 0 && recorded && pending)
        result = posix_hold(p, false, err);
    if (result == 0)
        result = recorded && !pending ? finish(p, err) : go_back(p, &s, recorded, err);
    posix_release(p);
    posix_swap_free(&s);
    return result != 0 ? err_prefix(err, "a swap of files that was interrupted") : 0;
}

/* The members get their names in our folder. */
static int fill_folder(struct posix *p, const struct object_swap *swap, struct err *err)
{
    char staged[POSIX_STAGED_NAME_MAX];
    if (system_mkdir(&p->system, p->own_dir, SWAP_FOLDER, 0755) != 0)
        return posix_failed("make", slice_of(SWAP_FOLDER), err);
    int fd = open_swap(p, err);
    int result = fd < 0 ? -1 : 0;
    for (size_t i = 0; i < swap->group.count && result == 0; i++) {
        const char *name = directory_base(swap->group.members[i].name);
        posix_staged_name(staged, swap->group.members[i].id);
        if (system_rename(&p->system, p->own_dir, staged, fd, name) != 0)
            result = posix_failed("move a file to", slice_of(name), err);
    }
    if (result == 0 && system_fsync(&p->system, fd) != 0)
        result = posix_failed("make durable", slice_of(SWAP_FOLDER), err);
    if (fd >= 0)
        (void)system_close(&p->system, fd); /* only a directory */
    return result;
}

/* All that goes is there, and what stays gets a second name in our folder. */
static int check_old(struct posix *p, struct posix_swap *s, struct err *err)
{
    struct buf name = {0};
    struct stat st;
    int there = open_folder(p, s, err);
    int here = there < 0 ? -1 : open_swap(p, err);
    int result = here < 0 ? -1 : 0;
    for (uint32_t i = 0; i < s->go.count && result == 0; i++) {
        const char *text = name_text(&name, map_key(&s->go, i));
        if (!posix_exists(p, there, text, &st, err))
            result = err_is_set(err) ? -1 : err_set(err, ERR_REFUSED, "%s is gone", text);
    }
    for (uint32_t i = 0; i < s->come.count && result == 0; i++) {
        const char *text = name_text(&name, map_key(&s->come, i));
        if (posix_exists(p, there, text, &st, err))
            result = err_set(err, ERR_REFUSED, "there is a %s already", text);
        else if (err_is_set(err))
            result = -1;
    }
    if (result == 0 && !s->keep)
        result = carry_over(p, there, here, &s->go, err);
    if (here >= 0)
        (void)system_close(&p->system, here); /* only directories */
    if (there >= 0)
        (void)system_close(&p->system, there);
    buf_free(&name);
    return result;
}

/* What comes is put beside what goes. */
static int put_beside(struct posix *p, struct posix_swap *s, struct err *err)
{
    struct buf name = {0};
    bool linked;
    int there = open_folder(p, s, err);
    int here = there < 0 ? -1 : open_swap(p, err);
    int result = here < 0 ? -1 : 0;
    for (uint32_t i = 0; i < s->come.count && result == 0; i++) {
        const char *text = name_text(&name, map_key(&s->come, i));
        if (system_rename_noreplace(&p->system, here, text, there, text, &linked) != 0)
            result = posix_failed("move a file to", map_key(&s->come, i), err);
    }
    if (result == 0 && system_fsync(&p->system, there) != 0)
        result = posix_failed("make durable", buf_slice(&s->folder), err);
    if (here >= 0)
        (void)system_close(&p->system, here); /* only directories */
    if (there >= 0)
        (void)system_close(&p->system, there);
    buf_free(&name);
    return result;
}

/* Up to the entry. *recorded: from here on others may see it. *named: the entry may be there. */
static int swap_files(struct posix *p, const struct object_swap *swap, struct posix_swap *s,
                      bool *recorded, bool *named, struct err *err)
{
    const struct object_group *group = &swap->group;
    struct buf name = {0};
    p->group = group;
    p->named = p->linked = false;
    buf_reset(&p->text);
    int result = group->name(group->context, false, &name, err);
    buf_free(&name);
    if (result == 0)
        result = check_old(p, s, err);
    const char **names = calloc(group->count, sizeof(*names));
    if (names == NULL)
        out_of_memory(group->count * sizeof(*names));
    for (size_t i = 0; i < group->count; i++)
        names[i] = group->members[i].name;
    if (result == 0)
        result = group->text(group->context, names, &p->text, err);
    free(names);
    if (result != 0 || posix_write_pending(p, err) != 0)
        return -1;
    *recorded = true; /* or not: going back does no harm */
    if (posix_record_write(p, s, err) != 0)
        return -1;
    if ((s->keep ? put_beside : exchange)(p, s, err) != 0 || posix_link_entry(p, err) != 0)
        return -1;
    *named = true;
    return posix_sync_entry(p, err);
}

int posix_swap(struct object_store *store, const struct object_swap *swap, struct err *err)
{
    struct posix *p = posix_of(store);
    struct posix_swap s = {0};
    struct err ignored = {0};
    bool recorded = false, named = false;
    ASSERT(p->stage == POSIX_IDLE);
    posix_swap_fill(&s, swap);
    int result = posix_check_root(p, err);
    if (result == 0)
        result = fill_folder(p, swap, err);
    if (result == 0)
        result = posix_hold(p, false, err);
    if (result == 0)
        result = swap_files(p, swap, &s, &recorded, &named, err);
    if (result != 0 && !named)
        (void)!go_back(p, &s, recorded, &ignored); /* else posix_settle does it */
    posix_release(p);
    /* What is left of the old files is removed in any case. */
    if (result == 0)
        (void)!finish(p, &ignored);
    posix_forget_commit(p);
    posix_swap_free(&s);
    return result != 0 ? err_prefix(err, "%s", swap->folder) : 0;
}
