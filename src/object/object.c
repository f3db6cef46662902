/* SPDX-License-Identifier: MIT */
#include "object/object.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"

/* Of a name, for the text of an error. */
enum { SHOWN_MAX = 200 };

bool object_name_is_valid(struct slice name)
{
    size_t start = 0; /* of the current part */
    if (name.len == 0 || name.len > OBJECT_NAME_MAX || memchr(name.data, '\0', name.len) != NULL)
        return false;
    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && name.data[i] != '/')
            continue;
        struct slice part = {name.data + start, i - start};
        if (part.len == 0 || part.len > OBJECT_PART_MAX || slice_is(part, ".") ||
            slice_is(part, ".."))
            return false;
        start = i + 1;
    }
    return true;
}

/* Whether a part of the name begins with a '.'. */
static bool is_hidden(const char *name)
{
    return name[0] == '.' || strstr(name, "/.") != NULL;
}

static int check_name(const char *name, struct err *err)
{
    if (object_name_is_valid(slice_of(name)))
        return 0;
    return err_set(err, ERR_FORMAT, "'%.*s' can't be the name of an object", SHOWN_MAX, name);
}

static int check_put(const char *name, struct err *err)
{
    if (object_name_is_valid(slice_of(name)) && !is_hidden(name))
        return 0;
    return err_set(err, ERR_FORMAT, "'%.*s' can't be the name of a new object", SHOWN_MAX, name);
}

void object_name_numbered(struct buf *out, struct slice name, uint32_t number)
{
    size_t end = name.len;
    while (end > 0 && name.data[end - 1] != '.' && name.data[end - 1] != '/')
        end--;
    /* Without an ending the number comes last. */
    end = end > 0 && name.data[end - 1] == '.' ? end - 1 : name.len;
    buf_append(out, name.data, end);
    buf_printf(out, "-%" PRIu32, number);
    buf_append(out, name.data + end, name.len - end);
}

void object_store_close(struct object_store *store)
{
    if (store != NULL)
        store->operations->close(store);
}

int object_put(struct object_store *store, const char *name, struct slice content, struct err *err)
{
    bool taken = false;
    return check_put(name, err) != 0
               ? -1
               : store->operations->put(store, name, content, true, &taken, err);
}

int object_put_if_absent(struct object_store *store, const char *name, struct slice content,
                         bool *taken, struct err *err)
{
    *taken = false;
    return check_put(name, err) != 0
               ? -1
               : store->operations->put(store, name, content, false, taken, err);
}

int object_get(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
               struct buf *out, bool *found, struct err *err)
{
    *found = false;
    return check_name(name, err) != 0
               ? -1
               : store->operations->get(store, name, offset, len, out, found, err);
}

int object_get_all(struct object_store *store, const char *name, uint64_t limit, struct buf *out,
                   bool *found, struct err *err)
{
    size_t start = out->len;
    ASSERT(limit < UINT64_MAX);
    if (object_get(store, name, 0, limit + 1, out, found, err) != 0)
        return -1;
    if (out->len - start <= limit)
        return 0;
    out->len = start;
    return err_set(err, ERR_LIMIT, "%s is larger than %" PRIu64 " bytes", name, limit);
}

int object_hash(struct object_store *store, const char *name, char out[static SHA256_TEXT_MAX],
                bool *found, struct err *err)
{
    const size_t most = 1024 * 1024;
    struct buf piece = {0};
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    uint64_t at = 0;
    int result = 0;
    sha256_begin(&hash);
    do {
        buf_reset(&piece);
        result = object_get(store, name, at, most, &piece, found, err);
        sha256_add(&hash, piece.data, piece.len);
        at += piece.len;
    } while (result == 0 && *found && piece.len == most);
    sha256_end(&hash, digest);
    sha256_format(digest, out);
    buf_free(&piece);
    return result;
}

int object_head(struct object_store *store, const char *name, struct object_info *out, bool *found,
                struct err *err)
{
    *found = false;
    return check_name(name, err) != 0 ? -1 : store->operations->head(store, name, out, found, err);
}

int object_list(struct object_store *store, const char *folder, const char *after,
                object_visit *visit, void *context, struct err *err)
{
    size_t len = strlen(folder);
    struct slice name = {(const uint8_t *)folder, len > 0 ? len - 1 : 0};
    if (len > 0 && (folder[len - 1] != '/' || !object_name_is_valid(name)))
        return err_set(err, ERR_FORMAT, "'%.*s' can't be a folder of objects", SHOWN_MAX, folder);
    return store->operations->list(store, folder, after, visit, context, err);
}

int object_remove(struct object_store *store, const char *name, struct err *err)
{
    return check_name(name, err) != 0 ? -1 : store->operations->remove(store, name, err);
}

int object_tidy(struct object_store *store, const char *name, struct err *err)
{
    return check_name(name, err) != 0 ? -1 : store->operations->tidy(store, name, err);
}

int object_free_bytes(struct object_store *store, uint64_t *bytes, bool *known, struct err *err)
{
    return store->operations->free_bytes(store, bytes, known, err);
}

struct object_staged *object_stage(struct object_store *store, struct err *err)
{
    return store->operations->stage(store, err);
}

void object_expect(struct object_staged *staged, const char *name)
{
    ASSERT(staged->size == 0);
    if (staged->store->operations->expect != NULL)
        staged->store->operations->expect(staged, name);
}

int object_write(struct object_staged *staged, const void *data, size_t len, struct err *err)
{
    ASSERT(!staged->finished);
    return staged->store->operations->write(staged, data, len, err);
}

int object_lend(struct object_staged *staged, const struct slice *pieces, size_t count,
                struct err *err)
{
    ASSERT(!staged->finished);
    return staged->store->operations->lend(staged, pieces, count, err);
}

bool object_is_remote(const struct object_store *store)
{
    return store->operations->remote;
}

int object_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                  struct err *err)
{
    return store->operations->finish(store, staged, count, err);
}

bool object_is_finished(const struct object_staged *staged)
{
    return staged->finished;
}

uint64_t object_staged_size(const struct object_staged *staged)
{
    return staged->size;
}

const char *object_staged_id(const struct object_staged *staged)
{
    return staged->id;
}

void object_abandon(struct object_staged *staged)
{
    if (staged != NULL)
        staged->store->operations->abandon(staged);
}

void object_staged_free(struct object_staged *staged)
{
    if (staged != NULL)
        staged->store->operations->staged_free(staged);
}

int object_place(struct object_staged *staged, const char *name, struct err *err)
{
    ASSERT(staged->finished);
    return check_put(name, err) != 0 ? -1 : staged->store->operations->place(staged, name, err);
}

static bool is_id(const char *id)
{
    size_t len = strlen(id);
    return len > 0 && len < OBJECT_ID_MAX && strspn(id, "0123456789abcdef-") == len;
}

/* What an interrupted commit names may have been changed by anybody. */
static int check_members(const struct object_group *group, struct err *err)
{
    for (size_t i = 0; i < group->count; i++) {
        if (check_put(group->members[i].name, err) != 0)
            return -1;
        if (!is_id(group->members[i].id))
            return err_set(err, ERR_FORMAT, "'%.*s' can't be the id of an object", SHOWN_MAX,
                           group->members[i].id);
    }
    return 0;
}

int object_commit(struct object_store *store, const struct object_group *group, struct err *err)
{
    return check_members(group, err) != 0 ? -1 : store->operations->commit(store, group, err);
}

int object_interrupted(struct object_store *store, struct buf *text, bool *found, struct err *err)
{
    *found = false;
    return store->operations->interrupted(store, text, found, err);
}

int object_resume(struct object_store *store, const struct object_group *group, bool *committed,
                  struct err *err)
{
    *committed = false;
    return check_members(group, err) != 0 ? -1
                                          : store->operations->resume(store, group, committed, err);
}

int object_withdraw(struct object_store *store, const char *const *names, size_t count,
                    const struct object_group *instead, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (check_name(names[i], err) != 0)
            return -1;
    return store->operations->withdraw(store, names, count, instead, err);
}

int object_renounce(struct object_store *store, const char *const *names, size_t count,
                    struct err *err)
{
    const struct object_operations *o = store->operations;
    return o->renounce == NULL ? 0 : o->renounce(store, names, count, err);
}

int object_renounced(struct object_store *store, object_visit *visit, void *context,
                     struct err *err)
{
    const struct object_operations *o = store->operations;
    return o->renounced == NULL ? 0 : o->renounced(store, visit, context, err);
}

int object_swap(struct object_store *store, const struct object_swap *swap, struct err *err)
{
    size_t len = strlen(swap->folder);
    bool valid = len > 1 && swap->folder[len - 1] == '/' && strchr(swap->folder, '\n') == NULL &&
                 swap->old_count > 0 && swap->group.count > 0;
    for (size_t i = 0; i < swap->old_count + swap->group.count && valid; i++) {
        const char *name =
            i < swap->old_count ? swap->old[i] : swap->group.members[i - swap->old_count].name;
        valid = strncmp(name, swap->folder, len) == 0 && strpbrk(name + len, "/\n") == NULL;
    }
    if (!valid)
        return err_set(err, ERR_FORMAT, "'%.*s' can't be a folder of objects to be replaced",
                       SHOWN_MAX, swap->folder);
    return check_members(&swap->group, err) != 0 ? -1 : store->operations->swap(store, swap, err);
}

int object_settle(struct object_store *store, const struct object_group *instead, struct err *err)
{
    return store->operations->settle(store, instead, err);
}

int object_clean(struct object_store *store, uint32_t *removed, struct err *err)
{
    *removed = 0;
    return store->operations->clean(store, removed, err);
}

int object_reopen(struct object_store *store, bool *lost, struct err *err)
{
    *lost = false;
    return store->operations->reopen(store, lost, err);
}
