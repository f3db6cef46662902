/* SPDX-License-Identifier: MIT */
#include "store/recover.h"

#include "delta/log.h"
#include "store_fixture.h"

/* A log whose entries are written out by hand, and a store that has no more than its objects. */
static struct store *log_of(const char *instance)
{
    struct err err = {0};
    struct object_posix_config config = {
        .root = "root", .entries = DELTA_LOG_FOLDER, .writer = "w", .writer_name = "w"};
    struct store *store = calloc(1, sizeof(*store));
    EXPECT(store != NULL);
    store->objects = object_posix_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    store->instance = strdup(instance);
    return store;
}

static void write_entry(uint64_t version, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "root/_delta_log/%020" PRIu64 ".json", version);
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

static void find(struct store *store, const char *instance, bool *found, uint64_t *through,
                 uint64_t *read)
{
    struct positions positions;
    struct err err = {0};
    free(store->instance);
    store->instance = strdup(instance);
    EXPECT(store_read_positions(store, &positions, found, read, &err) == 0);
    EXPECT_TEXT(err.text, "");
    *through = positions.count == 0 ? 0 : positions.list[0].through;
    positions_free(&positions);
}

TEST(store_positions_are_in_the_newest_entry_of_an_instance)
{
    bool found;
    uint64_t through, read;
    struct store *store = log_of("i");
    find(store, "i", &found, &through, &read);
    EXPECT(!found && read == 0);
    write_entry(0, "{\"protocol\":{}}\n");
    write_commit(1, "i", 10);
    write_commit(2, "i", 20);
    write_commit(4, "j", 30);
    write_entry(5, "{\"commitInfo\":{\"operation\":\"OPTIMIZE\"}}\n");
    write_entry(6, "");
    write_entry(7, "not JSON\n");
    find(store, "i", &found, &through, &read);
    EXPECT(found && through == 20 && read == 5);
    find(store, "k", &found, &through, &read);
    EXPECT(!found && through == 0 && read == 7);
    store_close(store);
}

TEST(store_positions_that_are_damaged)
{
    struct positions positions;
    struct err err = {0};
    bool found;
    uint64_t read;
    struct store *store = log_of("i");
    write_commit(1, "i", 10);
    write_entry(2, "{\"commitInfo\":{\"varve\":{\"instance\":\"i\",\"positions\":[{}]}}}\n");
    EXPECT(store_read_positions(store, &positions, &found, &read, &err) == -1);
    EXPECT_TEXT(err.text,
                "_delta_log/00000000000000000002.json: the positions of varve are damaged");
    store_close(store);
}

TEST(store_positions_behind_a_long_first_line)
{
    struct buf line = {0};
    struct buf text = {0};
    struct err err = {0};
    bool found;
    struct store *store = log_of("i");
    for (int i = 0; i < 40000; i++)
        buf_append_byte(&text, 'x');
    buf_append_text(&text, "\nmore\n");
    write_entry(3, buf_text(&text));
    EXPECT(delta_entry_first_line(store->objects, 3, &line, &found, &err) == 0 && found);
    EXPECT(line.len == 40000 && line.data[39999] == 'x');
    write_entry(4, "no newline");
    EXPECT(delta_entry_first_line(store->objects, 4, &line, &found, &err) == 0);
    EXPECT_TEXT(buf_text(&line), "no newline");
    EXPECT(delta_entry_first_line(store->objects, 5, &line, &found, &err) == 0 && !found);
    buf_free(&line);
    buf_free(&text);
    store_close(store);
}

/* A start with a long log takes a listing and one read; even for an instance that nobody knows, and
 * that must look at all entries, it is a matter of a second or so. */
TEST(store_positions_in_20000_entries)
{
    bool found;
    uint64_t through, read;
    char fast[64];
    fixture_begin_fast(fast);
    struct store *store = log_of("i");
    for (uint64_t version = 0; version < 20000; version++)
        write_commit(version, version == 19990 ? "i" : "j", version);
    find(store, "i", &found, &through, &read);
    EXPECT(found && through == 19990 && read == 10);
    find(store, "k", &found, &through, &read);
    EXPECT(!found && read == 20000);
    store_close(store);
    fixture_end_fast(fast);
}
