/* SPDX-License-Identifier: MIT */
/* A checkpoint of any engine: a Parquet file whose rows are the actions of a table. */
#include "delta/checkpoint.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A store with one object, whatever its name. */
struct one {
    struct object_store store;
    struct slice bytes;
};

static int get(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
               struct buf *out, bool *found, struct err *err)
{
    const struct one *one = (const struct one *)store;
    (void)name;
    (void)err;
    *found = true;
    if (offset < one->bytes.len) {
        uint64_t left = one->bytes.len - offset;
        buf_append(out, one->bytes.data + offset, (size_t)(len < left ? len : left));
    }
    return 0;
}

static int head(struct object_store *store, const char *name, struct object_info *out, bool *found,
                struct err *err)
{
    (void)name;
    (void)err;
    *found = true;
    out->size = ((const struct one *)store)->bytes.len;
    return 0;
}

static int look(void *context, const struct delta_action *action, struct err *err)
{
    (void)action;
    (void)err;
    ++*(uint64_t *)context;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct object_operations operations = {.get = get, .head = head};
    const struct delta_checkpoint checkpoint = {.found = true, .version = 1};
    struct one one = {{&operations}, {data, size}};
    struct err err = {0};
    uint64_t actions = 0;
    bool found = false;
    int result = delta_checkpoint_read(&one.store, &checkpoint, look, &actions, &found, &err);
    ASSERT((result == 0) != err_is_set(&err));
    return 0;
}
