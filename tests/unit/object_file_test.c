/* SPDX-License-Identifier: MIT */
#include "object/file.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "store_fixture.h"

struct faults {
    enum store_call call;
    int error;
    uint64_t skip; /* calls that still work */
};

static int fail(void *context, enum store_call call, bool after)
{
    struct faults *faults = context;
    if (after || call != faults->call || faults->error == 0)
        return 0;
    if (faults->skip > 0) {
        faults->skip--;
        return 0;
    }
    return faults->error;
}

static void temporary_path(char out[static 128], const struct store_file *file)
{
    (void)snprintf(out, 128, "root/.varve/i/%s.inprogress", file->id);
}

TEST(store_file_hides_until_it_is_committed)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    char path[128];
    struct store_file *file = store_file_create(store, &err);
    EXPECT(store_file_write(file, "ab", 2, &err) == 0);
    EXPECT(store_file_write(file, "", 0, &err) == 0);
    EXPECT(store_file_write(file, "c", 1, &err) == 0);
    EXPECT(store_file_finish(file, &err) == 0);
    EXPECT(file->finished && file->fd < 0);
    EXPECT_U64(file->size, 3);
    temporary_path(path, file);
    char *text = fixture_read(path);
    EXPECT_TEXT(text, "abc");
    free(text);
    store_file_abandon(file);
    EXPECT(!fixture_is_file(path));
    store_close(store);
}

TEST(store_file_ids_are_distinct)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct store_file *a = store_file_create(store, &err);
    struct store_file *b = store_file_create(store, &err);
    EXPECT(strcmp(a->id, b->id) != 0);
    store_file_abandon(a);
    store_file_abandon(b);
    store_file_abandon(NULL);
    store_file_free(NULL);
    store_close(store);
}

TEST(store_file_write_can_be_repeated)
{
    struct store *store = fixture_open("i");
    struct faults faults = {STORE_CALL_PWRITE, 0, 0};
    struct err err = {0};
    char path[128];
    store->system = (struct store_system){fail, &faults};
    struct store_file *file = store_file_create(store, &err);
    EXPECT(store_file_write(file, "one ", 4, &err) == 0);
    faults.error = ENOSPC;
    EXPECT(store_file_write(file, "two", 3, &err) == -1);
    EXPECT(err.code == ERR_SYSTEM && err.system == ENOSPC);
    EXPECT_U64(file->size, 4);
    faults.error = 0;
    err_clear(&err);
    EXPECT(store_file_write(file, "two", 3, &err) == 0);
    EXPECT(store_file_finish(file, &err) == 0);
    temporary_path(path, file);
    char *text = fixture_read(path);
    EXPECT_TEXT(text, "one two");
    free(text);
    store_file_abandon(file);
    store_close(store);
}

/* The first write is cut short by the limit, which is gone before the second. */
static int lift_the_limit(void *context, enum store_call call, bool after)
{
    uint32_t *writes = context;
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (call == STORE_CALL_PWRITE && !after && ++*writes == 2)
        EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return 0;
}

TEST(store_file_completes_short_writes)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    char path[128];
    uint32_t writes = 0;
    struct rlimit limit = {5, RLIM_INFINITY};
    store->system = (struct store_system){lift_the_limit, &writes};
    struct store_file *file = store_file_create(store, &err);
    EXPECT(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0);
    EXPECT(store_file_write(file, "0123456789", 10, &err) == 0);
    EXPECT_U64(writes, 2);
    EXPECT(store_file_finish(file, &err) == 0);
    temporary_path(path, file);
    char *text = fixture_read(path);
    EXPECT_TEXT(text, "0123456789");
    free(text);
    store_file_abandon(file);
    store_close(store);
}

TEST(store_file_that_was_not_synced_is_lost)
{
    struct store *store = fixture_open("i");
    struct faults faults = {STORE_CALL_FDATASYNC, EIO, 0};
    struct err err = {0};
    store->system = (struct store_system){fail, &faults};
    struct store_file *file = store_file_create(store, &err);
    EXPECT(store_file_write(file, "x", 1, &err) == 0);
    EXPECT(store_file_finish(file, &err) == -1);
    EXPECT(err.system == EIO && !file->finished && file->fd < 0);
    store_file_abandon(file);
    EXPECT_U64(fixture_look().hidden, 0);
    store_close(store);
}

TEST(store_file_that_cannot_be_made)
{
    struct store *store = fixture_open("i");
    struct faults faults = {STORE_CALL_OPENAT, ENOSPC, 0};
    struct err err = {0};
    store->system = (struct store_system){fail, &faults};
    EXPECT(store_file_create(store, &err) == NULL);
    EXPECT_TEXT(err.text, "can't make a file in root/.varve: No space left on device");
    store_close(store);
}
