/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "object/bucket_part.h"

/* A commit of a keeper takes seconds; an older .pending of one is that of a crash. */
#define KEEPER_TURN (10 * 60 * CLOCK_SECOND)

/* First ours, then a look at the entries: whoever has put the text as one later on finds .pending
 * changed before he tries again. */
int bucket_interrupted(struct object_store *store, struct buf *text, bool *found, struct err *err)
{
    struct bucket *b = bucket_of(store);
    bool committed = true;
    int result = 0;
    for (*found = true; result == 0 && *found && committed;) {
        result = bucket_take_pending(b, found, &committed, err);
        if (result == 0 && committed)
            result = bucket_remove_pending(b, err);
    }
    if (result == 0 && *found)
        buf_append_slice(text, buf_slice(&b->text));
    if (result == 0 && !*found)
        bucket_forget_commit(b);
    return result;
}

/* The object is there, with the bytes that were to be committed. */
static int look_at(struct bucket *b, const struct object_member *m, bool *whole, struct err *err)
{
    struct s3_result there = {0};
    char hash[SHA256_TEXT_MAX];
    bool found;
    *whole = false;
    enum s3_outcome outcome = s3_head(b->client, m->name, &there, err);
    if (outcome != S3_DONE)
        return outcome == S3_ABSENT ? 0 : bucket_failed(outcome, m->name, err);
    if (m->size != there.size || m->sha256 == NULL)
        return 0;
    if (object_hash(&b->store, m->name, hash, &found, err) != 0)
        return -1;
    *whole = found && strcmp(hash, m->sha256) == 0;
    return 0;
}

int bucket_resume(struct object_store *store, const struct object_group *group, bool *committed,
                  struct err *err)
{
    struct bucket *b = bucket_of(store);
    bool whole = true;
    if (b->stage == BUCKET_IDLE) {
        for (size_t i = 0; i < group->count && whole; i++)
            if (look_at(b, &group->members[i], &whole, err) != 0)
                return -1;
        if (!whole)
            return 0;
        bucket_begin(b, group, BUCKET_STAGE_ENTRY);
        for (size_t i = 0; i < group->count; i++)
            b->names[i] = text_copy(group->members[i].name);
    }
    ASSERT(b->group == group);
    *committed = bucket_go_on(b, err) == 0;
    return *committed ? 0 : -1;
}

static int remove_all(struct object_store *store, const char *const *names, size_t count,
                      struct err *err)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = object_remove(store, names[i], err);
    return result;
}

int bucket_withdraw(struct object_store *store, const char *const *names, size_t count,
                    const struct object_group *instead, struct err *err)
{
    struct bucket *b = bucket_of(store);
    bool committed;
    if (bucket_put_instead(b, instead, &committed, err) != 0)
        return -1;
    if (committed)
        return bucket_is_two(b, err);
    for (size_t i = 0; i < count; i++)
        if (bucket_check_pending(b, err) != 0 || object_remove(store, names[i], err) != 0)
            return -1;
    if (bucket_check_pending(b, err) != 0 || bucket_remove_pending(b, err) != 0)
        return -1;
    bucket_forget_commit(b);
    return 0;
}

/* What was to come may be another's by now, who has done the same: the entries tell. */
static int end_swap(struct bucket *b, bool committed, struct err *err)
{
    const char *const *come = (const char *const *)b->come.list;
    const char *const *go = (const char *const *)b->go.list;
    int result = committed ? remove_all(&b->store, go, b->go.count, err)
                           : bucket_renounce(&b->store, come, b->come.count, err);
    if (result != 0 || bucket_remove_pending(b, err) != 0)
        return -1;
    bucket_forget_commit(b);
    return 0;
}

/* The objects of a commit under way are also what keeps a second keeper out. */
static int look_for_keeper(struct bucket *b, bool *found, struct err *err)
{
    int64_t modified;
    int result = bucket_find_pending(b, "", found, &modified, err);
    int64_t now = clock_wall() + s3_client_counters(b->client)->skew;
    if (result == 0 && *found && now - modified < KEEPER_TURN)
        result = err_set(err, ERR_REFUSED, "another process keeps the table in order");
    return result;
}

int bucket_settle(struct object_store *store, const struct object_group *instead, struct err *err)
{
    struct bucket *b = bucket_of(store);
    bool found = true, committed;
    int result = look_for_keeper(b, &found, err);
    while (result == 0 && found) {
        result = bucket_take_pending(b, &found, &committed, err);
        if (result == 0 && found && !committed)
            result = bucket_put_instead(b, instead, &committed, err);
        if (result == 0 && found)
            result = end_swap(b, committed, err);
        if (result == 0 && found)
            result = look_for_keeper(b, &found, err);
    }
    return result;
}

/* What has its name already goes again. Where another one has taken the swap over that name is
 * nobody's any more, and the rest is his to end; where only the lease is gone somebody else may be
 * at the same swap, and have taken the object for his own: that is for bucket_settle to see. */
static void take_swap_back(struct bucket *b)
{
    struct err ignored = {0};
    const char *const *names = (const char *const *)b->come.list;
    bool ours = bucket_check_pending(b, &ignored) == 0;
    bool over = !ours && b->fenced_since != 0;
    if (!over && (!ours || bucket_check_lease(b, &ignored) != 0))
        return;
    if (remove_all(&b->store, names, b->at, &ignored) == 0 && ours &&
        bucket_remove_pending(b, &ignored) == 0)
        (void)!bucket_remove_lease(b, &ignored);
}

int bucket_swap(struct object_store *store, const struct object_swap *swap, struct err *err)
{
    struct bucket *b = bucket_of(store);
    struct buf name = {0};
    ASSERT(b->stage == BUCKET_IDLE);
    for (size_t i = 0; i < swap->group.count; i++) {
        uint32_t number = 0;
        bucket_name_for(b, swap->group.members[i].name, &number, &name);
        *array_add(&b->come) = text_copy_slice(buf_slice(&name));
    }
    buf_free(&name);
    for (size_t i = 0; i < swap->old_count && !swap->keep; i++)
        *array_add(&b->go) = text_copy(swap->old[i]);
    bucket_begin(b, &swap->group, BUCKET_STAGE_PENDING);
    b->swap = swap;
    int result = bucket_go_on(b, err);
    /* Where nobody knows whether it has happened, or what may still come, it is for bucket_settle
     * to see. */
    bool open = b->tried;
    for (size_t i = 0; i < b->count; i++)
        open = open || b->late[i];
    if (result != 0 && b->put && !open)
        take_swap_back(b);
    if (result != 0)
        bucket_forget_commit(b);
    return result;
}
