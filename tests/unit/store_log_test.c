/* SPDX-License-Identifier: MIT */
#include "store/log.h"

#include <errno.h>

#include "store_fixture.h"

static const struct store_system plain;

static int open_log(void)
{
    EXPECT(mkdir("log", 0755) == 0);
    int dir = open("log", O_RDONLY | O_DIRECTORY);
    EXPECT(dir >= 0);
    return dir;
}

static void write_entry(uint64_t version, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "log/%020" PRIu64 ".json", version);
    fixture_write(path, text);
}

static void write_commit(uint64_t version, const char *instance, uint64_t through)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"commitInfo\":{\"varve\":{\"instance\":\"%s\",\"positions\":[{\"stream\":"
                   "\"S\",\"created\":\"C\",\"consumer\":\"D\",\"through\":%" PRIu64
                   ",\"above\":\"\",\"lastSeq\":0,\"lastTime\":0}]}}}\n{\"add\":{}}\n",
                   instance, through);
    write_entry(version, text);
}

TEST(store_log_lists_only_entries)
{
    struct store_versions versions;
    struct err err = {0};
    int dir = open_log();
    char name[STORE_LOG_NAME_MAX];
    store_log_name(name, 7);
    EXPECT_TEXT(name, "00000000000000000007.json");
    store_log_name(name, UINT64_MAX);
    EXPECT_TEXT(name, "18446744073709551615.json");
    EXPECT(store_log_list(&plain, dir, &versions, &err) == 0 && versions.count == 0);
    write_entry(10, "");
    write_entry(2, "");
    write_entry(300, "");
    fixture_write("log/00000000000000000300.checkpoint.parquet", "");
    fixture_write("log/0000000000000000030x.json", "");
    fixture_write("log/99999999999999999999.json", ""); /* does not fit */
    fixture_write("log/000000000000000000301.json", "");
    fixture_write("log/.pending-i", "");
    fixture_write("log/_last_checkpoint", "");
    EXPECT(store_log_list(&plain, dir, &versions, &err) == 0);
    EXPECT_U64(versions.count, 3);
    EXPECT(versions.list[0] == 2 && versions.list[1] == 10 && versions.list[2] == 300);
    store_versions_free(&versions);
    EXPECT(close(dir) == 0);
}

TEST(store_log_reads_lines_and_files)
{
    struct buf out = {0};
    struct err err = {0};
    int dir = open_log();
    char big[70000];
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    big[40000] = '\n';
    fixture_write("log/big", big);
    EXPECT(store_log_read(&plain, dir, "big", true, &out, &err) == 0);
    EXPECT_U64(out.len, 40000);
    buf_reset(&out);
    EXPECT(store_log_read(&plain, dir, "big", false, &out, &err) == 0);
    EXPECT_BYTES(out.data, out.len, big, sizeof(big) - 1);
    buf_reset(&out);
    fixture_write("log/short", "no newline");
    EXPECT(store_log_read(&plain, dir, "short", true, &out, &err) == 0);
    EXPECT_TEXT(buf_text(&out), "no newline");
    EXPECT(store_log_read(&plain, dir, "gone", true, &out, &err) == -1 && err.system == ENOENT);
    buf_free(&out);
    EXPECT(close(dir) == 0);
}

static void find(int dir, const char *instance, bool *found, uint64_t *through, uint64_t *read)
{
    struct store_versions versions;
    struct positions positions;
    struct err err = {0};
    EXPECT(store_log_list(&plain, dir, &versions, &err) == 0);
    EXPECT(store_log_positions(&plain, dir, &versions, instance, &positions, found, read, &err) ==
           0);
    EXPECT_TEXT(err.text, "");
    *through = positions.count == 0 ? 0 : positions.list[0].through;
    store_versions_free(&versions);
    positions_free(&positions);
}

TEST(store_log_finds_the_newest_entry_of_an_instance)
{
    bool found;
    uint64_t through, read;
    int dir = open_log();
    find(dir, "i", &found, &through, &read);
    EXPECT(!found && read == 0);
    write_entry(0, "{\"protocol\":{}}\n");
    write_commit(1, "i", 10);
    write_commit(2, "i", 20);
    write_commit(4, "j", 30);
    write_entry(5, "{\"commitInfo\":{\"operation\":\"OPTIMIZE\"}}\n");
    write_entry(6, "");
    write_entry(7, "not JSON\n");
    find(dir, "i", &found, &through, &read);
    EXPECT(found && through == 20 && read == 5);
    find(dir, "k", &found, &through, &read);
    EXPECT(!found && through == 0 && read == 7);
    EXPECT(close(dir) == 0);
}

TEST(store_log_damage_of_our_own_is_an_error)
{
    struct store_versions versions;
    struct positions positions;
    struct err err = {0};
    bool found;
    uint64_t read;
    int dir = open_log();
    write_commit(1, "i", 10);
    write_entry(2, "{\"commitInfo\":{\"varve\":{\"instance\":\"i\",\"positions\":[{}]}}}\n");
    EXPECT(store_log_list(&plain, dir, &versions, &err) == 0);
    EXPECT(store_log_positions(&plain, dir, &versions, "i", &positions, &found, &read, &err) == -1);
    EXPECT_TEXT(err.text,
                "_delta_log/00000000000000000002.json: the positions of varve are damaged");
    store_versions_free(&versions);
    EXPECT(close(dir) == 0);
}

TEST(store_log_writes_a_new_file_each_time)
{
    struct err err = {0};
    struct stat first, second;
    int dir = open_log();
    EXPECT(store_log_write(&plain, dir, "x", slice_of("first"), &err) == 0);
    EXPECT(link("log/x", "kept") == 0 && stat("log/x", &first) == 0);
    EXPECT(store_log_write(&plain, dir, "x", slice_of("2"), &err) == 0);
    EXPECT(stat("log/x", &second) == 0 && first.st_ino != second.st_ino);
    char *text = fixture_read("log/x");
    EXPECT_TEXT(text, "2");
    free(text);
    EXPECT(close(dir) == 0);
}

/* A start with a long log takes a listing and one read; even for an instance that nobody knows, and
 * that must look at all entries, it is a matter of a second or so. */
TEST(store_log_of_20000_entries)
{
    bool found;
    uint64_t through, read;
    char fast[64];
    fixture_begin_fast(fast);
    int dir = open_log();
    for (uint64_t version = 0; version < 20000; version++)
        write_commit(version, version == 19990 ? "i" : "j", version);
    find(dir, "i", &found, &through, &read);
    EXPECT(found && through == 19990 && read == 10);
    find(dir, "k", &found, &through, &read);
    EXPECT(!found && read == 20000);
    EXPECT(close(dir) == 0);
    fixture_end_fast(fast);
}
