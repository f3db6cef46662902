/* SPDX-License-Identifier: MIT */
#include "delta/saved.h"

#include <string.h>

#include "delta/log.h"
#include "store_fixture.h"

#define KEY "p/{first_seq}-{last_seq}.parquet"
#define FILE_OF_I "root/_delta_log/_varve/i.json"

static uint64_t through_of(const char *instance, uint64_t *read)
{
    struct store *store = fixture_open(instance);
    const struct position *p = positions_find(&store->positions, "S", "C", "D");
    uint64_t through = p == NULL ? 0 : p->through;
    *read = store->recovery.entries_read;
    store_close(store);
    return through;
}

/* A start goes on from where the last run ended, however long the log is. */
TEST(delta_saved_spares_the_log)
{
    uint64_t read;
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 300; row++)
        fixture_commit(store, KEY, row, row);
    EXPECT(fixture_is_file(FILE_OF_I)); /* not only at the end: a crash may come */
    store_close(store);
    EXPECT(through_of("i", &read) == 300 && read == 0);
    EXPECT(unlink(FILE_OF_I) == 0);
    EXPECT(through_of("i", &read) == 300 && read == 301);
    EXPECT(through_of("i", &read) == 300 && read == 0); /* it was written again */
}

/* Another instance has rows; what is stored is known of all. */
TEST(delta_saved_has_what_others_stored)
{
    struct store *store = fixture_open("j");
    fixture_commit(store, KEY, 1, 3);
    store_close(store);
    for (int i = 0; i < 2; i++) {
        store = fixture_open("i");
        if (i == 0)
            fixture_commit(store, KEY, 5, 6);
        const struct position *known = positions_find(&store->positions, "S", "C", STORE_ANYBODY);
        struct buf out = {0};
        seqset_write_text(&out, &known->above);
        EXPECT_TEXT(buf_text(&out), i == 0 ? "1-3" : "1-3,5-6");
        EXPECT(store->recovery.entries_read == (i == 0 ? 2 : 0));
        buf_free(&out);
        store_close(store);
    }
}

/* Somebody has gone back to an older log, and that has gone on since: what the file says is of rows
 * that are not in the table. */
TEST(delta_saved_of_another_history_is_not_believed)
{
    uint64_t read;
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 3; row++)
        fixture_commit(store, KEY, row, row);
    store_close(store);
    EXPECT(unlink("root/_delta_log/00000000000000000003.json") == 0);
    EXPECT(through_of("i", &read) == 2 && read == 3);
    store = fixture_open("i");
    fixture_commit(store, KEY, 3, 3);
    store_close(store);
    EXPECT(unlink("root/_delta_log/00000000000000000003.json") == 0);
    store = fixture_open("j");
    fixture_commit(store, KEY, 11, 11);
    fixture_commit(store, KEY, 12, 12);
    store_close(store);
    EXPECT(through_of("i", &read) == 2 && read == 5);
}

/* A new table in the old place, by hand. */
TEST(delta_saved_of_another_table_is_not_believed)
{
    uint64_t read;
    struct store *store = fixture_open("i");
    fixture_commit(store, KEY, 1, 3);
    store_close(store);
    EXPECT(unlink("root/_delta_log/00000000000000000000.json") == 0);
    EXPECT(unlink("root/_delta_log/00000000000000000001.json") == 0);
    EXPECT_U64(through_of("i", &read), 0);
}

TEST(delta_saved_that_is_damaged_is_said)
{
    static const char *const bad[] = {
        "", "{", "[]", "{\"instance\":\"j\"}", "{\"instance\":\"i\",\"table\":1}\n",
    };
    struct store *store = fixture_open("i");
    fixture_commit(store, KEY, 1, 3);
    store_close(store);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        fixture_write(FILE_OF_I, bad[i]);
        store = fixture_try_open("i", (struct system){0}, &err);
        if (i + 1 == sizeof(bad) / sizeof(bad[0])) {
            EXPECT(store != NULL); /* of some other version of varve: it says nothing */
            store_close(store);
        } else {
            EXPECT(store == NULL && strstr(err.text, "_delta_log/_varve/i.json") != NULL);
        }
    }
}

/* What another engine has put into the metaData: `depth` arrays in each other, or so many values.
 */
static void put_metadata(struct store *store, int depth, size_t values)
{
    struct buf entry = {0};
    struct delta_metadata metadata = store->table.metadata;
    struct delta_action action = {.kind = DELTA_METADATA, .metadata = metadata};
    struct err err = {0};
    bool taken = true;
    delta_action_write(&entry, &action);
    EXPECT(entry.len > 3 && memcmp(entry.data + entry.len - 3, "}}\n", 3) == 0);
    entry.len -= 3;
    buf_append_text(&entry, ",\"more\":");
    for (int i = 0; i < depth; i++)
        buf_append_byte(&entry, '[');
    for (size_t i = 0; i < values; i++)
        buf_append_text(&entry, i > 0 ? ",1" : "1");
    for (int i = 0; i < depth; i++)
        buf_append_byte(&entry, ']');
    buf_append_text(&entry, "}}\n");
    EXPECT(delta_entry_append(store->objects, store->table.version + 1, buf_slice(&entry), &taken,
                              &err) == 0 &&
           !taken);
    buf_free(&entry);
}

/* As deep as an entry can be read, or with as many values: what is saved can be read as well. A
 * metaData with more than that is not read, and does not come here. */
TEST(delta_saved_holds_whatever_metadata_there_is)
{
    static const struct {
        int depth;
        size_t values;
    } all[] = {{JSON_DEPTH_MAX - 2, 1}, {1, JSON_VALUES_MAX - 100}};
    for (size_t i = 0; i < 2; i++) {
        uint64_t read;
        EXPECT(system("rm -rf root") == 0);
        struct store *store = fixture_open("i");
        fixture_commit(store, KEY, 1, 3);
        put_metadata(store, all[i].depth, all[i].values);
        fixture_commit(store, KEY, 4, 6);
        store_close(store);
        EXPECT(through_of("i", &read) == 6 && read == 0);
    }
}

/* An earlier version of varve had the two actions there as objects. */
TEST(delta_saved_by_an_earlier_version_is_resumed)
{
    uint64_t read;
    struct store *store = fixture_open("i");
    struct buf protocol = {0}, metadata = {0}, text = {0}, quoted = {0};
    fixture_commit(store, KEY, 1, 3);
    buf_append_slice(&protocol, buf_slice(&store->table.protocol_text));
    buf_append_slice(&metadata, buf_slice(&store->table.metadata_text));
    store_close(store);
    char *saved = fixture_read(FILE_OF_I);
    const struct buf *const actions[] = {&protocol, &metadata};
    const char *rest = saved;
    for (size_t i = 0; i < 2; i++) {
        buf_reset(&quoted);
        json_append_string(&quoted, buf_slice(actions[i]));
        const char *at = strstr(rest, buf_text(&quoted));
        EXPECT(at != NULL);
        buf_append(&text, rest, (size_t)(at - rest));
        buf_append_slice(&text, buf_slice(actions[i]));
        rest = at + quoted.len;
    }
    buf_append_text(&text, rest);
    fixture_write(FILE_OF_I, buf_text(&text));
    EXPECT(through_of("i", &read) == 3 && read == 0);
    free(saved);
    buf_free(&protocol);
    buf_free(&metadata);
    buf_free(&text);
    buf_free(&quoted);
}

/* Whether it ends within a read, at its end, or many reads later, or not at all. */
TEST(delta_first_lines_of_any_length)
{
    static const size_t lengths[] = {1, 1023, 1024, 1025, 2047, 2048, 10000};
    struct store *store = fixture_open("i");
    struct buf wanted = {0}, line = {0};
    struct err err = {0};
    bool found = true;
    EXPECT(delta_entry_first_line(store->objects, 7, &line, &found, &err) == 0 && !found);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int ends = 0; ends < 2; ends++) {
            buf_reset(&wanted);
            for (size_t k = 0; k < lengths[i]; k++)
                buf_append_byte(&wanted, (uint8_t)('a' + test_random() % 26));
            if (ends)
                buf_append_text(&wanted, "\nsecond\n");
            fixture_write("root/_delta_log/00000000000000000009.json", buf_text(&wanted));
            EXPECT(delta_entry_first_line(store->objects, 9, &line, &found, &err) == 0 && found);
            EXPECT(line.len == lengths[i] && memcmp(line.data, wanted.data, line.len) == 0);
        }
    }
    buf_free(&wanted);
    buf_free(&line);
    store_close(store);
}
