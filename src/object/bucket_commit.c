/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "object/bucket_part.h"

void bucket_name_for(const struct bucket *b, const char *name, uint32_t *number, struct buf *out)
{
    for (;; ++*number) {
        buf_reset(out);
        if (*number == 0)
            buf_append_text(out, name);
        else
            object_name_numbered(out, slice_of(name), *number);
        if (map_find(&b->withdrawn, buf_slice(out)) < 0)
            return;
    }
}

/* Find a name for member `i` that no other one of the group has (`taken`), and none that was taken
 * back. Whether another object has it is found out when it is put. */
static void choose_name(struct bucket *b, size_t i, struct map *taken)
{
    struct buf name = {0};
    bool added = false;
    for (; !added; b->numbers[i] += !added) {
        bucket_name_for(b, b->group->members[i].name, &b->numbers[i], &name);
        (void)map_put(taken, buf_slice(&name), &added);
    }
    b->names[i] = text_copy_slice(buf_slice(&name));
    buf_free(&name);
}

static void choose_names(struct bucket *b)
{
    struct map taken = {0};
    bool added;
    for (size_t i = 0; i < b->count; i++)
        if (b->names[i] != NULL)
            (void)map_put(&taken, slice_of(b->names[i]), &added);
    for (size_t i = 0; i < b->count; i++)
        if (b->names[i] == NULL)
            choose_name(b, i, &taken);
    map_free(&taken);
}

/* Ask for the name of the entry. */
static int next_name(struct bucket *b, bool taken, struct err *err)
{
    if (b->named && !taken)
        return 0;
    b->named = false;
    buf_reset(&b->entry);
    if (b->group->name(b->group->context, taken, &b->entry, err) != 0)
        return -1;
    ASSERT(strncmp(buf_text(&b->entry), b->entries, strlen(b->entries)) == 0 &&
           object_name_is_valid(buf_slice(&b->entry)));
    b->named = true;
    return 0;
}

/*
 * .pending names the files that are there by now, for whoever comes after us; where it is not ours
 * any more, be it that a request which was thought lost has come late, nothing does. So they are
 * renounced: the next start finds them, and removes those that no entry names.
 */
static int check_pending(struct bucket *b, struct err *err)
{
    struct err ignored = {0};
    ARRAY(const char *) names = {0};
    if (bucket_check_pending(b, err) == 0)
        return 0;
    for (size_t i = 0; i < b->count && b->swap == NULL; i++)
        if (b->names[i] != NULL)
            *array_add(&names) = b->names[i];
    if (b->fenced_since != 0 && !b->renounced)
        b->renounced = bucket_renounce(&b->store, names.list, names.count, &ignored) == 0;
    array_free(&names);
    return -1;
}

/* It is there under another name now. */
static int remove_outdated(struct bucket *b, struct err *err)
{
    if (b->outdated_name.len > 0 && object_remove(&b->store, buf_text(&b->outdated_name), err) != 0)
        return -1;
    buf_reset(&b->outdated_name);
    return 0;
}

/* Before a file gets another name than .pending says, another .pending has to say it. What may have
 * been put already is put again as it was: its time stands in it. */
static int write_pending(struct bucket *b, struct err *err)
{
    if (b->rename && check_pending(b, err) != 0)
        return -1;
    if (b->rename) {
        buf_reset(&b->pending);
        buf_append_slice(&b->outdated_name, buf_slice(&b->pending_name));
    }
    b->rename = false;
    if (b->pending.len == 0) {
        buf_reset(&b->text);
        choose_names(b);
        if (next_name(b, false, err) != 0 ||
            b->group->text(b->group->context, (const char *const *)b->names, &b->text, err) != 0)
            return -1;
        bucket_fill_pending(b);
        bucket_name_pending(b);
    }
    if (b->swap != NULL && bucket_put_lease(b, err) != 0)
        return -1;
    return bucket_put_pending(b, S3_IF_ABSENT, err) == 0 ? remove_outdated(b, err) : -1;
}

/*
 * Another object is there. Should it go again, what was sent before and got lost may still come to
 * its place, and .pending is about to have the other name: so this one is renounced first.
 */
static int leave_name(struct bucket *b, size_t i, struct err *err)
{
    const char *name = b->names[i];
    if (b->late[i] && bucket_renounce(&b->store, &name, 1, err) != 0)
        return -1;
    free(b->names[i]);
    b->names[i] = NULL;
    b->late[i] = false;
    b->numbers[i]++;
    b->rename = true;
    b->stage = BUCKET_STAGE_PENDING;
    return 0;
}

/* Leaves the stage as it is, or sets it back if a name was taken. */
static int put_files(struct bucket *b, struct err *err)
{
    struct s3_condition absent = {.kind = S3_IF_ABSENT};
    for (; b->at < b->count; b->at++) {
        const char *name = b->names[b->at];
        const struct object_member *m = &b->group->members[b->at];
        struct s3_result result = {0};
        enum s3_outcome outcome =
            bucket_put_staged(b, m->id, name, m->sha256, absent, &result, err);
        b->late[b->at] = b->late[b->at] || result.late;
        if (outcome == S3_ABSENT)
            return err_set(err, ERR_FORMAT, "what was to be %s is gone", name);
        if (outcome == S3_TAKEN && b->swap != NULL)
            return err_set(err, ERR_REFUSED, "there is a %s already", name);
        if (outcome == S3_TAKEN)
            return leave_name(b, b->at, err);
        if (outcome != S3_DONE)
            return bucket_failed(outcome, name, err);
    }
    return 0;
}

/* The entries first, then .pending, then the entry: see bucket.h. */
static int put_entry(struct bucket *b, struct err *err)
{
    struct s3_condition absent = {.kind = S3_IF_ABSENT};
    for (bool taken = false; next_name(b, taken, err) == 0; taken = true) {
        if (check_pending(b, err) != 0)
            return -1;
        const char *name = buf_text(&b->entry);
        b->tried = true;
        enum s3_outcome outcome = s3_put(b->client, name, buf_slice(&b->text), absent, NULL, err);
        if (outcome == S3_DONE)
            return 0;
        if (outcome != S3_TAKEN)
            return bucket_failed(outcome, name, err);
        b->tried = false;
    }
    return -1;
}

void bucket_forget_commit(struct bucket *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->names[i]);
    free(b->names);
    free(b->numbers);
    free(b->late);
    b->names = NULL;
    b->numbers = NULL;
    b->late = NULL;
    b->count = b->at = 0;
    b->group = NULL;
    b->swap = NULL;
    bucket_names_free(&b->come);
    bucket_names_free(&b->go);
    b->named = b->put = b->rename = b->tried = b->renounced = false;
    b->pending_etag[0] = '\0';
    b->stage = BUCKET_IDLE;
    buf_free(&b->text);
    buf_free(&b->pending);
    buf_reset(&b->outdated_name);
}

void bucket_begin(struct bucket *b, const struct object_group *group, enum bucket_stage stage)
{
    ASSERT(b->writer != NULL);
    b->names = calloc(group->count + 1, sizeof(*b->names));
    b->numbers = calloc(group->count + 1, sizeof(*b->numbers));
    b->late = calloc(group->count + 1, sizeof(*b->late));
    if (b->names == NULL || b->numbers == NULL || b->late == NULL)
        out_of_memory((group->count + 1) * sizeof(*b->names));
    b->count = group->count;
    b->group = group;
    b->stage = stage;
}

/* Do the step of the current stage; on success the stage is the next one. */
static int step(struct bucket *b, struct err *err)
{
    switch (b->stage) {
    case BUCKET_STAGE_PENDING:
        if (write_pending(b, err) != 0)
            return -1;
        /* Another one may have done the same swap right before, with files of the same names and
         * bytes, which would be taken for ours. From now on nobody can. */
        b->named = b->named && b->swap == NULL;
        if (next_name(b, false, err) != 0)
            return -1;
        b->stage = BUCKET_STAGE_FILES;
        return 0;
    case BUCKET_STAGE_FILES:
        if (put_files(b, err) != 0)
            return -1;
        if (b->stage == BUCKET_STAGE_FILES)
            b->stage = BUCKET_STAGE_ENTRY;
        return 0;
    case BUCKET_STAGE_ENTRY:
        if (put_entry(b, err) != 0)
            return -1;
        b->stage = BUCKET_STAGE_REMOVE;
        return 0;
    case BUCKET_STAGE_REMOVE:
        for (size_t i = 0; i < b->go.count; i++)
            if (object_remove(&b->store, b->go.list[i], err) != 0)
                return -1;
        if (bucket_remove_pending(b, err) != 0 ||
            (b->swap != NULL && bucket_remove_lease(b, err) != 0))
            return -1;
        for (size_t i = 0; i < b->count; i++)
            bucket_settle_staged(b, b->group->members[i].id);
        bucket_forget_commit(b);
        return 0;
    case BUCKET_IDLE:
        break;
    }
    return 0;
}

int bucket_go_on(struct bucket *b, struct err *err)
{
    int result = 0;
    while (result == 0 && b->stage != BUCKET_IDLE)
        result = step(b, err);
    return result != 0 ? err_prefix(err, "commit to %s", b->url) : 0;
}

int bucket_commit(struct object_store *store, const struct object_group *group, struct err *err)
{
    struct bucket *b = bucket_of(store);
    if (b->stage == BUCKET_IDLE)
        bucket_begin(b, group, BUCKET_STAGE_PENDING);
    ASSERT(b->group == group);
    return bucket_go_on(b, err);
}
