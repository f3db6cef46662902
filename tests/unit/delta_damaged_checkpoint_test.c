/* SPDX-License-Identifier: MIT */
#include <sys/time.h>

#include "base/clock.h"
#include "delta/checkpoint_make.h"
#include "delta/clean.h"
#include "store_fixture.h"

/* Checkpoints that are not what was written: nothing is built on them. */

#define KEY "p/{first_seq}-{last_seq}.parquet"
#define LOG "root/_delta_log/"
#define SECOND LOG "00000000000000000002.checkpoint.parquet"
#define FOURTH LOG "00000000000000000004.checkpoint.parquet"

static size_t read_all(const char *path, char data[static 65536])
{
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL);
    size_t size = fread(data, 1, 65536, file);
    EXPECT(size > 0 && size < 65536 && fclose(file) == 0);
    return size;
}

static void write_all(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

/* Its first half is all there is. */
static void cut(const char *path)
{
    static char data[65536];
    write_all(path, data, read_all(path, data) / 2);
}

/* What a disk does that says all is well: as soon as the checkpoint has its name, its bytes are
 * others. */
struct spoiler {
    bool cuts; /* or it is all of another checkpoint, without any damage */
    bool done;
};

static int spoil(void *context, enum system_call call, bool after)
{
    struct spoiler *spoiler = context;
    static char data[65536];
    (void)call;
    if (!after || spoiler->done || !fixture_is_file(FOURTH))
        return 0;
    spoiler->done = true;
    if (spoiler->cuts)
        cut(FOURTH);
    else
        write_all(FOURTH, data, read_all(SECOND, data));
    return 0;
}

static void commit_to(struct store *store, uint64_t first, uint64_t last)
{
    struct delta_checkpoint_made made;
    struct err err = {0};
    for (uint64_t row = first; row <= last; row++) {
        fixture_commit(store, KEY, row, row);
        if (row % 2 == 0)
            EXPECT(delta_checkpoint_make(store->objects, 1, clock_wall(), NULL, &made, &err) == 0);
    }
    EXPECT_TEXT(err.text, "");
}

/* A checkpoint is read back before _last_checkpoint names it, and goes if it is another one. */
TEST(delta_checkpoint_is_read_back)
{
    struct store *store = fixture_open("i");
    commit_to(store, 1, 3);
    fixture_commit(store, KEY, 4, 4);
    char *hint = fixture_read(LOG "_last_checkpoint");
    for (unsigned cuts = 0; cuts < 2; cuts++) {
        struct delta_checkpoint_made made;
        struct err err = {0};
        struct spoiler spoiler = {.cuts = cuts == 1};
        fixture_hook(store, spoil, &spoiler);
        EXPECT(delta_checkpoint_make(store->objects, 1, clock_wall(), NULL, &made, &err) != 0);
        fixture_hook(store, NULL, NULL);
        EXPECT(spoiler.done && made.count == 0 && !fixture_is_file(FOURTH));
        char *now = fixture_read(LOG "_last_checkpoint");
        EXPECT_TEXT(now, hint);
        free(now);
    }
    free(hint);
    store_close(store);
}

/* Entries go only behind a checkpoint that has what they say. */
TEST(delta_clean_wants_a_checkpoint_that_can_be_read)
{
    struct store *store = fixture_open("i");
    struct delta_cleaned cleaned;
    struct err err = {0};
    char path[64];
    const int64_t then = clock_wall() / CLOCK_SECOND - INT64_C(40) * 24 * 3600;
    const struct timeval times[2] = {{then, 0}, {then, 0}};
    commit_to(store, 1, 6);
    for (unsigned version = 0; version <= 4; version++) {
        (void)snprintf(path, sizeof(path), LOG "%020u.json", version);
        EXPECT(utimes(path, times) == 0);
    }
    char data[65536];
    size_t size = read_all(FOURTH, data);
    cut(FOURTH); /* not the newest one, from which the table is read */
    EXPECT(delta_log_clean(store->objects, clock_wall(), &cleaned, &err) != 0);
    EXPECT(cleaned.removed == 0 && fixture_is_file(LOG "00000000000000000000.json"));
    write_all(FOURTH, data, size);
    err_clear(&err);
    EXPECT(delta_log_clean(store->objects, clock_wall(), &cleaned, &err) == 0);
    EXPECT(cleaned.removed > 4 && !fixture_is_file(LOG "00000000000000000003.json"));
    store_close(store);
}
