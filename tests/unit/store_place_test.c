/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>

#include "store_fixture.h"

/* The place that a store was given stays its place: nothing that others put into it or do to it has
 * varve write elsewhere. */

static uint32_t files_in(const char *dir)
{
    uint32_t count = 0;
    DIR *stream = opendir(dir);
    EXPECT(stream != NULL);
    struct dirent *found;
    while ((found = readdir(stream)) != NULL)
        count += found->d_name[0] != '.' || strlen(found->d_name) > 2;
    EXPECT(closedir(stream) == 0);
    return count;
}

TEST(store_refuses_links_where_it_keeps_its_own)
{
    static const char *const links[] = {"root/_delta_log", "root/.varve", "root/.varve/i"};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct err err = {0};
        EXPECT(mkdir("root", 0755) == 0 && mkdir("elsewhere", 0755) == 0);
        EXPECT(i < 2 || mkdir("root/.varve", 0755) == 0);
        EXPECT(symlink(i < 2 ? "../elsewhere" : "../../elsewhere", links[i]) == 0);
        EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL);
        EXPECT(err.system == ELOOP);
        EXPECT(strstr(err.text, "varve follows none in its output") != NULL);
        EXPECT_U64(files_in("elsewhere"), 0);
        fixture_remove("root");
        fixture_remove("elsewhere");
    }
}

/* The commit waits until the link is gone; no file was put behind it. */
static void expect_no_file_behind(const char *link, const char *target, const char *key,
                                  const char *path)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct seqset set = {0};
    bool reopened;
    seqset_add_range(&set, 1, 2);
    EXPECT(mkdir("elsewhere", 0755) == 0);
    EXPECT(symlink(target, link) == 0);
    struct store_epoch_file file = {.file = fixture_file(store, 1, 2),
                                    .key = key,
                                    .stream = "S",
                                    .created = "C",
                                    .sequences = &set,
                                    .rows = 2};
    struct position position = fixture_position(2);
    struct store_epoch epoch = {
        .files = &file, .file_count = 1, .positions = &position, .position_count = 1};
    for (int attempt = 0; attempt < 2; attempt++) {
        err_clear(&err);
        EXPECT(store_commit(store, &epoch, &err) == -1);
        EXPECT(err.system == ELOOP && strstr(err.text, "commit to root: ") == err.text);
        EXPECT_U64(files_in("elsewhere"), 0);
        EXPECT(store_reopen(store, &reopened, &err) == 0 && !reopened);
    }
    EXPECT(unlink(link) == 0);
    err_clear(&err);
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT(fixture_is_file(path));
    object_staged_free(file.file);
    seqset_free(&set);
    store_close(store);
    fixture_remove("root");
    fixture_remove("elsewhere");
}

TEST(store_puts_no_file_behind_a_link)
{
    expect_no_file_behind("root/p", "../elsewhere", "p/{first_seq}.parquet", "root/p/1.parquet");
    expect_no_file_behind("root/p", "../elsewhere", "p/q/{first_seq}.parquet",
                          "root/p/q/1.parquet");
    expect_no_file_behind("root/_quarantine", "../elsewhere", "_quarantine/{first_seq}.parquet",
                          "root/_quarantine/1.parquet");
    expect_no_file_behind("root/p", ".", "p/{first_seq}.parquet", "root/p/1.parquet");
    kernel_forget_openat2();
    expect_no_file_behind("root/p", "../elsewhere", "p/{first_seq}.parquet", "root/p/1.parquet");
}

/* The output directory itself may be a link: that one the user has chosen. */
TEST(store_may_be_behind_a_link)
{
    EXPECT(mkdir("elsewhere", 0755) == 0 && symlink("elsewhere", "root") == 0);
    struct store *store = fixture_open("i");
    fixture_commit(store, "p/{first_seq}.parquet", 1, 2);
    EXPECT(fixture_is_file("elsewhere/p/1.parquet"));
    store_close(store);
}

/* Whoever moves the directory away means to have it as it is: nothing is added behind his back. */
TEST(store_notices_that_its_directory_was_moved)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct position position = fixture_position(9);
    struct store_epoch epoch = {.positions = &position, .position_count = 1};
    bool reopened;
    fixture_commit(store, "p/{first_seq}.parquet", 1, 2);
    EXPECT(rename("root", "moved") == 0);
    EXPECT(store_commit(store, &epoch, &err) == -1);
    EXPECT_TEXT(err.text, "commit to root: the directory was moved or removed; put it back, or "
                          "restart varve: No such file or directory");
    EXPECT(store_reopen(store, &reopened, &err) == 0 && !reopened);
    EXPECT(mkdir("root", 0755) == 0);
    err_clear(&err);
    EXPECT(store_commit(store, &epoch, &err) == -1);
    EXPECT_TEXT(err.text,
                "commit to root: the directory was replaced by another one; put the first one "
                "back, or restart varve");
    EXPECT(store_reopen(store, &reopened, &err) == 0 && !reopened);
    EXPECT(rmdir("root") == 0 && rename("moved", "root") == 0);
    err_clear(&err);
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT(fixture_is_file("root/_delta_log/00000000000000000002.json"));
    EXPECT(!fixture_is_file("root/_delta_log/00000000000000000003.json"));
    store_close(store);
}

/* What a commit of many files waits for is one syncfs for the files and one for the folders. */
struct syncs {
    uint32_t files, folders, all;
};

static int count_syncs(void *context, enum system_call call, bool after)
{
    struct syncs *syncs = context;
    syncs->files += call == SYSTEM_CALL_FDATASYNC && !after;
    syncs->folders += call == SYSTEM_CALL_FSYNC && !after;
    syncs->all += call == SYSTEM_CALL_SYNCFS && !after;
    return 0;
}

static struct syncs commit_many(size_t count)
{
    enum { MANY = 300 };
    static char keys[MANY][32];
    static struct seqset sets[MANY];
    static struct store_epoch_file files[MANY];
    struct object_staged *staged[MANY];
    struct position position = fixture_position(MANY);
    struct store_epoch epoch = {
        .files = files, .file_count = count, .positions = &position, .position_count = 1};
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct syncs syncs = {0};
    fixture_hook(store, count_syncs, &syncs);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "s-%zu/{first_seq}.parquet", i);
        seqset_add_range(&sets[i], i + 1, i + 1);
        staged[i] = object_stage(store->objects, &err);
        EXPECT(staged[i] != NULL && object_write(staged[i], "1\n", 2, &err) == 0);
        files[i] = (struct store_epoch_file){.file = staged[i],
                                             .key = keys[i],
                                             .stream = "S",
                                             .created = "C",
                                             .sequences = &sets[i],
                                             .rows = 1};
    }
    EXPECT(object_finish(store->objects, staged, count, &err) == 0);
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT_TEXT(err.text, "");
    fixture_hook(store, NULL, NULL);
    EXPECT_U64(fixture_look().files_in_log, count);
    for (size_t i = 0; i < count; i++) {
        object_staged_free(staged[i]);
        seqset_free(&sets[i]);
    }
    store_close(store);
    fixture_remove("root");
    return syncs;
}

TEST(store_makes_many_files_durable_at_once)
{
    struct syncs few = commit_many(100);
    EXPECT(few.all == 0 && few.files >= 100 && few.folders >= 100);
    struct syncs many = commit_many(300);
    EXPECT(many.all == 2 && many.files < 10 && many.folders < 10);
}
