/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/text.h"
#include "object/bucket_part.h"

/* What is staged waits in memory: a bucket has no place for what has no name. Where that is known,
 * it goes there in parts (multipart upload), which nobody sees until it is complete. */
enum {
    SMALL_SHARE = 16 /* of a part, 512 KiB, is kept for one put: a merge has prepared up to 4096
                        files at once */
};

struct bucket_upload {
    char id[S3_UPLOAD_ID_MAX];
    ARRAY(struct s3_part) parts;
};

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

static void forget_upload(struct bucket_staged *file)
{
    if (file->upload != NULL)
        array_free(&file->upload->parts);
    free(file->upload);
    file->upload = NULL;
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
    forget_upload(file);
    free(file->key);
    file->key = NULL;
}

void bucket_settle_staged(struct bucket *b, const char *id)
{
    struct bucket_staged *file = find(b, id);
    if (file != NULL)
        forget(file);
}

void bucket_expect(struct object_staged *staged, const char *name)
{
    /* An upload has its name from the beginning: that which the commit will choose. */
    struct buf key = {0};
    uint32_t number = 0;
    bucket_name_for(bucket_of(staged->store), name, &number, &key);
    staged_of(staged)->key = text_copy_slice(buf_slice(&key));
    buf_free(&key);
}

/* Send the first bytes that wait as the next part. */
static int send_part(struct bucket_staged *file, size_t len, struct err *err)
{
    struct s3_client *client = bucket_of(file->object.store)->client;
    struct bucket_upload *u = file->upload;
    enum s3_outcome outcome = S3_DONE;
    if (u == NULL) {
        file->upload = u = calloc(1, sizeof(*u));
        if (u == NULL)
            out_of_memory(sizeof(*u));
        outcome = s3_upload_begin(client, file->key, u->id, err);
    }
    if (outcome == S3_DONE) {
        struct s3_part *part = array_add(&u->parts);
        outcome = s3_upload_part(client, file->key, u->id, (unsigned)u->parts.count,
                                 (struct slice){file->bytes.data, len}, part, err);
    }
    if (outcome == S3_DONE) {
        buf_consume(&file->bytes, len);
        return 0;
    }
    if (u->parts.count > 0)
        u->parts.count--;
    else
        forget_upload(file);
    return bucket_failed(outcome, file->key, err);
}

int bucket_write(struct object_staged *staged, const void *data, size_t len, struct err *err)
{
    struct bucket_staged *file = staged_of(staged);
    size_t part = s3_client_part(bucket_of(staged->store)->client);
    while (file->key != NULL && file->bytes.len >= part)
        if (send_part(file, part, err) != 0)
            return -1;
    buf_append_slice(&file->bytes, file->lent);
    file->lent = (struct slice){0};
    buf_append(&file->bytes, data, len);
    staged->size += len;
    return 0;
}

int bucket_lend(struct object_staged *staged, const struct slice *pieces, size_t count,
                struct err *err)
{
    int result = 0;
    if (staged->size == 0 && count == 1) {
        staged_of(staged)->lent = pieces[0];
        staged->size = pieces[0].len;
        return 0;
    }
    for (size_t i = 0; i < count && result == 0; i++)
        result = bucket_write(staged, pieces[i].data, pieces[i].len, err);
    return result;
}

/* The last part may be small. What is small as a whole waits in memory: it is one request then. */
static int send_rest(struct bucket_staged *file, struct err *err)
{
    size_t part = s3_client_part(bucket_of(file->object.store)->client);
    if (file->key == NULL || (file->upload == NULL && file->bytes.len < part / SMALL_SHARE))
        return 0;
    while (file->bytes.len > 0)
        if (send_part(file, (size_t)num_least_u64(file->bytes.len, part), err) != 0)
            return -1;
    buf_free(&file->bytes);
    return 0;
}

int bucket_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                  struct err *err)
{
    (void)store; /* what it takes to last is done when it gets its name */
    for (size_t i = 0; i < count; i++) {
        if (!staged[i]->finished && send_rest(staged_of(staged[i]), err) != 0)
            return -1;
        staged[i]->finished = true;
    }
    return 0;
}

/* Another thread may do this with one that has its name, and is not listed any more. */
void bucket_staged_free(struct object_staged *staged)
{
    forget(staged_of(staged));
    free(staged_of(staged));
}

/* An upload that can't be aborted now is removed a day later (bucket.c). */
void bucket_abandon(struct object_staged *staged)
{
    struct bucket_staged *file = staged_of(staged);
    struct err ignored = {0};
    if (file->upload != NULL)
        (void)!s3_upload_abort(bucket_of(staged->store)->client, file->key, file->upload->id,
                               &ignored);
    bucket_staged_free(staged);
}

static enum s3_outcome put(struct bucket *b, const struct bucket_staged *file, const char *name,
                           const char *sha256, struct s3_condition condition,
                           struct s3_result *result, struct err *err)
{
    const struct bucket_upload *u = file->upload;
    if (u == NULL)
        return s3_put_hashed(b->client, name, bytes_of(file), sha256, condition, result, err);
    ASSERT(strcmp(name, file->key) == 0);
    return s3_upload_complete(b->client, name, u->id, u->parts.list, (unsigned)u->parts.count,
                              condition, result, err);
}

enum s3_outcome bucket_put_staged(struct bucket *b, const char *id, const char *name,
                                  const char *sha256, struct s3_condition condition,
                                  struct s3_result *result, struct err *err)
{
    const struct bucket_staged *file = find(b, id);
    return file != NULL ? put(b, file, name, sha256, condition, result, err) : S3_ABSENT;
}

int bucket_place(struct object_staged *staged, const char *name, struct err *err)
{
    struct bucket_staged *file = staged_of(staged);
    struct s3_condition any = {.kind = S3_ANY};
    enum s3_outcome outcome = put(bucket_of(staged->store), file, name, NULL, any, NULL, err);
    if (outcome != S3_DONE)
        return bucket_failed(outcome, name, err);
    forget(file);
    return 0;
}
