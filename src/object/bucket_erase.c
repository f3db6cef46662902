/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/text.h"
#include "object/bucket_part.h"

/* Keys of one listing that are in memory. */
enum { AT_ONCE = 1000 };

static bool note_key(void *context, const struct s3_listed *listed)
{
    struct bucket_names *names = context;
    *array_add(names) = text_copy_slice(listed->key);
    return names->count < AT_ONCE;
}

static int list(struct s3_client *client, const char *folder, const char *after, s3_visit *visit,
                void *context, struct err *err)
{
    enum s3_outcome outcome = s3_list(client, folder, after, visit, context, err);
    return outcome == S3_DONE || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, folder, err);
}

static int erase_some(struct s3_client *client, const char *folder, bool *more, struct err *err)
{
    struct bucket_names names = {0};
    int result = list(client, folder, "", note_key, &names, err);
    for (size_t i = 0; i < names.count && result == 0; i++) {
        enum s3_outcome outcome = s3_delete(client, names.list[i], NULL, err);
        if (outcome != S3_DONE && outcome != S3_ABSENT)
            result = bucket_failed(outcome, names.list[i], err);
    }
    *more = names.count == AT_ONCE;
    bucket_names_free(&names);
    return result;
}

int object_bucket_erase(struct object_store *store, const char *folder, struct err *err)
{
    bool more = true;
    while (more)
        if (erase_some(bucket_of(store)->client, folder, &more, err) != 0)
            return -1;
    return 0;
}

static bool note_time(void *context, const struct s3_listed *listed)
{
    int64_t *newest = context;
    *newest = listed->modified > *newest ? listed->modified : *newest;
    return true;
}

int object_bucket_newest(struct object_store *store, const char *folder, int64_t *modified,
                         struct err *err)
{
    *modified = INT64_MIN;
    return list(bucket_of(store)->client, folder, "", note_time, modified, err);
}

static bool note_first(void *context, const struct s3_listed *listed)
{
    buf_append_slice(context, listed->key);
    return false;
}

int object_bucket_first(struct object_store *store, const char *folder, const char *after,
                        struct buf *out, struct err *err)
{
    return list(bucket_of(store)->client, folder, after, note_first, out, err);
}
