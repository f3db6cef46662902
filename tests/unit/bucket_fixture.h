/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_BUCKET_FIXTURE_H
#define VARVE_TESTS_UNIT_BUCKET_FIXTURE_H

#include "bucket_model.h"
#include "object/object.h"
#include "object/open.h"
#include "test.h"

/*
 * A table in the model of a bucket, of writer w, whose entries log/0001.json and so on say the name
 * of one file each.
 */
static inline struct object_store *bucket_open(void)
{
    struct err err = {0};
    struct object_config config = {
        .root = BUCKET_MODEL_URL, .entries = "log/", .writer = "w", .writer_name = "w"};
    struct object_store *store = object_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    return store;
}

/* Where object_group's functions are with the next entry. */
struct bucket_entries {
    struct object_store *store;
    unsigned number;
    const char *const *needs; /* NULL, or what has to be there still, as compaction looks; ends with
                                 NULL */
};

static inline int bucket_entry_text(void *context, const char *const *names, struct buf *out,
                                    struct err *err)
{
    (void)context, (void)err;
    buf_printf(out, "{\"names\":\"%s\"}\n", names == NULL ? "" : names[0]);
    return 0;
}

static inline int bucket_entry_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct bucket_entries *e = context;
    struct object_info info;
    bool found = true;
    e->number += taken;
    for (size_t i = 0; e->needs != NULL && e->needs[i] != NULL; i++)
        if (object_head(e->store, e->needs[i], &info, &found, err) != 0 || !found)
            return err_set(err, ERR_REFUSED, "%s is not there any more", e->needs[i]);
    buf_printf(out, "log/%04u.json", e->number);
    return 0;
}

#endif
