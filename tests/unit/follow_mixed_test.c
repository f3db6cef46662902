/* SPDX-License-Identifier: MIT */
#include "follow/mixed.h"

#include <string.h>
#include <sys/stat.h>

#include "delta/log.h"
#include "object/open.h"
#include "test.h"

#define ADD(path, tags)                                                                         \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1," \
    "\"dataChange\":false" tags "}}\n"
#define REMOVE "{\"remove\":{\"path\":\"own\",\"deletionTimestamp\":1,\"dataChange\":false}}\n"
#define TAGS \
    ",\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"C\",\"varve.sequences\":\"1-2\"}"

static int resolve(struct object_store *store, uint64_t version, const atomic_bool *stop,
                   struct err *err)
{
    struct follow_catalogue c = {0};
    struct follow_stream *mixed = array_add(&c.streams);
    *mixed = (struct follow_stream){0};
    *array_add(&mixed->files) = (struct follow_file){.name = "merged", .last = UINT64_MAX};
    int result = follow_mixed_resolve(&c, store, version, NULL, stop, err);
    EXPECT(result != 0 || (c.streams.count == 1 && c.streams.list[0].files.count == 1));
    follow_catalogue_free(&c);
    return result;
}

/* A log may be long, and whoever wants the process to end does not wait until it is read. */
TEST(follow_mixed_ends_when_it_is_time)
{
    static const char *const entries[] = {ADD("own", TAGS), REMOVE ADD("merged", ""), ADD("x", "")};
    const struct object_config place = {
        .root = "root", .entries = DELTA_LOG_FOLDER, .writer = "w", .writer_name = "w"};
    struct err err = {0};
    atomic_bool stop = false;
    bool taken;
    struct object_store *store = object_open(&place, &err);
    EXPECT_TEXT(err.text, "");
    for (uint64_t v = 0; v < 3; v++)
        EXPECT(delta_entry_append(store, v, slice_of(entries[v]), &taken, &err) == 0);
    EXPECT(object_put(store, "own", slice_of("x"), &err) == 0);
    EXPECT(resolve(store, 2, &stop, &err) == 0 && resolve(store, 2, NULL, &err) == 0);
    EXPECT_TEXT(err.text, "");
    atomic_store(&stop, true);
    EXPECT(resolve(store, 2, &stop, &err) != 0 && err.code == ERR_REFUSED);
    EXPECT_TEXT(err.text, "it is time to end");
    /* Also where entries are gone, and files are looked into. */
    err_clear(&err);
    EXPECT(object_remove(store, DELTA_LOG_FOLDER "00000000000000000002.json", &err) == 0);
    EXPECT(resolve(store, 2, &stop, &err) != 0 && err.code == ERR_REFUSED);
    object_store_close(store);
}
