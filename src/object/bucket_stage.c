/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "object/bucket_part.h"

/* What is staged waits in memory: a bucket has no place for what has no name. */

static struct bucket_staged *staged_of(struct object_staged *object)
{
    return (struct bucket_staged *)object;
}

struct object_staged *bucket_stage(struct object_store *store, struct err *err)
{
    struct bucket *b = bucket_of(store);
    struct bucket_staged *file = calloc(1, sizeof(*file));
    (void)err; /* nothing can fail here */
    if (file == NULL)
        out_of_memory(sizeof(*file));
    if (b->staged_live == 0)
        b->staged.count = 0;
    file->object.store = store;
    file->listed = true;
    (void)snprintf(file->object.id, sizeof(file->object.id), "%016" PRIx64 "-%" PRIx64 "-%zx",
                   b->nonce, b->next_id++, b->staged.count); /* 16 + 3 * (1 + 8) at the most */
    *array_add(&b->staged) = file;
    b->staged_live++;
    return &file->object;
}

/* The struct with this id, or NULL: it is of another process. */
static struct bucket_staged *find(const struct bucket *b, const char *id)
{
    const char *slot = strrchr(id, '-');
    char *end;
    unsigned long long at = slot == NULL ? b->staged.count : strtoull(slot + 1, &end, 16);
    struct bucket_staged *file = at < b->staged.count ? b->staged.list[at] : NULL;
    return file != NULL && strcmp(file->object.id, id) == 0 ? file : NULL;
}

static struct slice bytes_of(const struct bucket_staged *file)
{
    return file->lent.len > 0 ? file->lent : buf_slice(&file->bytes);
}

bool bucket_find_staged(const struct bucket *b, const char *id, struct slice *bytes)
{
    const struct bucket_staged *file = find(b, id);
    if (file != NULL)
        *bytes = bytes_of(file);
    return file != NULL;
}

static void forget(struct bucket_staged *file)
{
    struct bucket *b = bucket_of(file->object.store);
    if (!file->listed)
        return;
    for (size_t i = b->staged.count; i-- > 0;) {
        if (b->staged.list[i] != file)
            continue;
        b->staged.list[i] = NULL;
        b->staged_live--;
        break;
    }
    file->listed = false;
    buf_free(&file->bytes);
    file->lent = (struct slice){0};
}

void bucket_settle_staged(struct bucket *b, const char *id)
{
    struct bucket_staged *file = find(b, id);
    if (file != NULL)
        forget(file);
}

int bucket_write(struct object_staged *staged, const void *data, size_t len, struct err *err)
{
    struct bucket_staged *file = staged_of(staged);
    (void)err; /* nothing can fail here */
    buf_append_slice(&file->bytes, file->lent);
    file->lent = (struct slice){0};
    buf_append(&file->bytes, data, len);
    staged->size += len;
    return 0;
}

int bucket_lend(struct object_staged *staged, const void *data, size_t len, struct err *err)
{
    if (staged->size > 0)
        return bucket_write(staged, data, len, err);
    staged_of(staged)->lent = (struct slice){data, len};
    staged->size = len;
    return 0;
}

int bucket_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                  struct err *err)
{
    (void)store;
    (void)err; /* what it takes to last is done when it gets its name */
    for (size_t i = 0; i < count; i++)
        staged[i]->finished = true;
    return 0;
}

/* Another thread may do this with one that has its name, and is not listed any more. */
void bucket_staged_free(struct object_staged *staged)
{
    forget(staged_of(staged));
    free(staged_of(staged));
}

void bucket_abandon(struct object_staged *staged)
{
    bucket_staged_free(staged);
}

int bucket_place(struct object_staged *staged, const char *name, struct err *err)
{
    struct bucket_staged *file = staged_of(staged);
    struct s3_condition any = {.kind = S3_ANY};
    enum s3_outcome outcome =
        s3_put(bucket_of(staged->store)->client, name, bytes_of(file), any, NULL, err);
    if (outcome != S3_DONE)
        return bucket_failed(outcome, name, err);
    forget(file);
    return 0;
}
