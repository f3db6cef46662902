/* SPDX-License-Identifier: MIT */
#include "delta/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/account.h"
#include "base/json.h"
#include "object/posix.h"
#include "test.h"

static void apply(struct delta_snapshot *s, uint64_t version, const char *text)
{
    struct err err = {0};
    EXPECT(delta_snapshot_apply_entry(s, version, slice_of(text), &err) == 0);
    EXPECT(s->found && s->version == version);
}

static void add(struct delta_snapshot *s, uint64_t version, const char *path, uint64_t size)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":%llu,"
                   "\"modificationTime\":7,\"dataChange\":true,\"stats\":"
                   "\"{\\\"numRecords\\\":%llu}\",\"tags\":{\"k\":\"v of %s\",\"n\":null}}}\n",
                   path, (unsigned long long)size, (unsigned long long)size * 2, path);
    apply(s, version, text);
}

static void remove_path(struct delta_snapshot *s, uint64_t version, const char *path)
{
    char text[256];
    (void)snprintf(text, sizeof(text),
                   "{\"remove\":{\"path\":\"%s\",\"deletionTimestamp\":1,\"dataChange\":true}}\n",
                   path);
    apply(s, version, text);
}

static const struct delta_file *find(const struct delta_snapshot *s, const char *path)
{
    return delta_snapshot_file(s, slice_of(path));
}

TEST(delta_snapshot_has_the_live_files)
{
    struct account memory = {0};
    struct delta_snapshot s = {.want_files = true, .account = &memory};
    uint64_t rows;
    add(&s, 0, "a%20b", 1);
    add(&s, 1, "c", 2);
    EXPECT(find(&s, "a%20b")->size == 1 && find(&s, "c")->size == 2 && find(&s, "a%2520b") == NULL);
    EXPECT(slice_is(delta_map_get(&find(&s, "c")->tags, "k"), "v of c"));
    EXPECT(delta_file_rows(find(&s, "c"), &rows) && rows == 4);
    remove_path(&s, 2, "a%20b");
    remove_path(&s, 2, "never there");
    EXPECT(find(&s, "a%20b") == NULL && find(&s, "c") != NULL);
    add(&s, 3, "a%20b", 3); /* restored */
    add(&s, 4, "c", 9);     /* the newest add of a path is the one that counts */
    EXPECT(find(&s, "a%20b")->size == 3 && find(&s, "c")->size == 9);
    EXPECT(account_bytes(&memory) > 2 * sizeof(struct delta_file));
    delta_snapshot_free(&s);
    EXPECT_U64(account_bytes(&memory), 0);
}

/* One file, however its path is encoded; what is removed is what was added last, as it was added.
 */
TEST(delta_snapshot_knows_a_file_in_any_encoding)
{
    struct delta_snapshot s = {.want_files = true};
    add(&s, 0, "s%2D1/a+b", 1);
    EXPECT(find(&s, "s-1/a%2Bb") == find(&s, "s%2D1/a+b") && find(&s, "s-1/a%2bb") != NULL);
    EXPECT(find(&s, "s-1/a%252Bb") == NULL && find(&s, "s-1/a") == NULL);
    EXPECT(slice_is(find(&s, "s-1/a%2Bb")->path, "s%2D1/a+b"));
    remove_path(&s, 1, "s-1/a%2Bb");
    EXPECT(find(&s, "s-1/a%2Bb") != NULL);
    add(&s, 2, "s-1/a%2Bb", 2);
    EXPECT(s.files.count == 1 && find(&s, "s%2D1/a+b")->size == 2);
    remove_path(&s, 3, "s%2D1/a+b"); /* it is there under the other one */
    EXPECT(find(&s, "s%2D1/a+b") != NULL);
    for (uint64_t i = 4; i < 3000; i++) { /* so many that removed ones are forgotten */
        add(&s, i, "x", i);
        remove_path(&s, i, "x");
        char path[32];
        (void)snprintf(path, sizeof(path), "%llu", (unsigned long long)i);
        add(&s, i, path, i);
        remove_path(&s, i, path);
    }
    EXPECT(s.files.count < 3000 && find(&s, "s%2D1/a+b") != NULL);
    remove_path(&s, 3000, "s-1/a%2Bb");
    EXPECT(find(&s, "s%2D1/a+b") == NULL);
    delta_snapshot_free(&s);
}

/* A file is the key of its path and its deletion vector, and actions of one entry have no order. */
TEST(delta_snapshot_tells_deletion_vectors_apart)
{
    static const char file[] =
        "{\"%s\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,"
        "\"modificationTime\":7,\"deletionTimestamp\":7,\"dataChange\":true%s}}\n";
    static const char *const vectors[] = {
        "", ",\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"x\",\"offset\":1}",
        ",\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"x\",\"offset\":9}",
        ",\"deletionVector\":{\"storageType\":\"p\",\"pathOrInlineDv\":\"x\",\"offset\":9}",
        ",\"deletionVector\":null"};
    struct delta_snapshot s = {.want_files = true};
    char text[1024], added[256], removed[256];
    (void)snprintf(text, sizeof(text), file, "add", "");
    apply(&s, 0, text);
    for (uint64_t i = 1; i < 5; i++) {
        (void)snprintf(added, sizeof(added), file, "add", vectors[i]);
        (void)snprintf(removed, sizeof(removed), file, "remove", vectors[i - 1]);
        (void)snprintf(text, sizeof(text), "%s%s", i % 2 != 0 ? added : removed,
                       i % 2 != 0 ? removed : added);
        apply(&s, i, text);
        EXPECT(find(&s, "a") != NULL && (find(&s, "a")->vector == 0) == (i == 4));
    }
    (void)snprintf(text, sizeof(text), file, "remove", "");
    apply(&s, 5, text);
    EXPECT(find(&s, "a") == NULL);
    delta_snapshot_free(&s);
}

/* Compacted again and again for years: what is gone takes no memory. */
TEST(delta_snapshot_forgets_removed_files)
{
    struct delta_snapshot s = {.want_files = true};
    char path[32];
    add(&s, 0, "stays", 5);
    for (uint64_t i = 1; i < 20000; i++) {
        (void)snprintf(path, sizeof(path), "%llu", (unsigned long long)i);
        add(&s, i, path, i);
        remove_path(&s, i, path);
    }
    EXPECT(s.files.count < 5000 && s.paths.count == s.files.count);
    EXPECT(find(&s, "stays")->size == 5);
    delta_snapshot_free(&s);
}

TEST(delta_snapshot_has_the_newest_of_each_action)
{
    struct delta_snapshot s = {0};
    apply(&s, 0,
          "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
          "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"old\",\"partitionColumns\":[],"
          "\"configuration\":{\"a\":\"b\"}}}\n"
          "{\"txn\":{\"appId\":\"p\",\"version\":1,\"lastUpdated\":5}}\n"
          "{\"txn\":{\"appId\":\"q\",\"version\":2}}\n");
    apply(&s, 1,
          "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"\",\"removed\":false}}\n\n"
          "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"new\",\"partitionColumns\":[\"c\"],"
          "\"configuration\":{}}}\r\n"
          "{\"txn\":{\"appId\":\"p\",\"version\":7}}");
    EXPECT(s.protocol.reader == 1 && s.protocol.writer == 2);
    EXPECT(slice_is(s.metadata.schema_string, "new") && s.metadata.configuration.count == 0);
    EXPECT(slice_is(s.metadata.partition_columns.list[0], "c"));
    EXPECT_I64(delta_snapshot_app(&s, slice_of("p"))->version, 7);
    EXPECT_I64(delta_snapshot_app(&s, slice_of("q"))->version, 2);
    EXPECT(delta_snapshot_app(&s, slice_of("r")) == NULL);
    delta_snapshot_free(&s);
}

/* Each entry says what it adds; the commits of an instance add up, those of others stay apart. */
TEST(delta_snapshot_adds_up_what_varve_says)
{
    static const char commit[] =
        "{\"commitInfo\":{\"varve\":{\"instance\":\"%s\",\"positions\":[{\"stream\":\"S\","
        "\"created\":\"C\",\"consumer\":\"%s\",\"through\":%d,\"above\":\"%s\",\"rows\":\"%s\","
        "\"lastSeq\":%d,"
        "\"lastTime\":%d}],\"deadLetters\":[{\"stream\":\"S\",\"created\":\"C\",\"sequences\":"
        "\"%s\"}],\"quarantine\":[{\"path\":\"q%%20%d\",\"size\":4,\"numRecords\":1,\"tags\":"
        "{\"varve.stream\":\"S\",\"varve.created\":\"C\",\"varve.sequences\":\"%d\"}}]}}}\n";
    struct delta_snapshot s = {.want_varve = true};
    char text[1024];
    (void)snprintf(text, sizeof(text), commit, "i", "c", 3, "5,7", "1-2,7", 7, 70, "3", 1, 100);
    apply(&s, 0, text);
    (void)snprintf(text, sizeof(text), commit, "j", "d", 0, "5", "5", 5, 50, "", 2, 101);
    apply(&s, 1, text);
    (void)snprintf(text, sizeof(text), commit, "i", "c", 4, "9", "6,9", 6, 60, "9", 3, 102);
    apply(&s, 2, text);
    apply(&s, 3,
          "{\"commitInfo\":{\"varve\":{\"instance\":5}}}\n"
          "{\"add\":{\"path\":\"p\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,"
          "\"dataChange\":false,\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"C\","
          "\"varve.sequences\":\"20-22\"}}}\n");
    const struct delta_instance *i = delta_snapshot_instance(&s, "i");
    const struct delta_instance *j = delta_snapshot_instance(&s, "j");
    EXPECT(i->entries == 2 && j->entries == 1 && delta_snapshot_instance(&s, "k") == NULL);
    const struct position *p = positions_find(&i->positions, "S", "C", "c");
    struct buf out = {0};
    seqset_write_text(&out, &p->above);
    EXPECT(p->through == 5 && p->last_seq == 7 && p->last_time == 70);
    EXPECT_TEXT(buf_text(&out), "7,9");
    EXPECT(positions_find(&j->positions, "S", "C", "d")->through == 0);
    const struct delta_generation *g = delta_snapshot_generation(&s, "S", "C");
    buf_reset(&out);
    seqset_write_text(&out, &g->rows);
    EXPECT_TEXT(buf_text(&out), "1-2,5-7,9,20-22,100-102");
    buf_reset(&out);
    seqset_write_text(&out, &g->dead_letters);
    EXPECT_TEXT(buf_text(&out), "3,9");
    EXPECT_U64(s.beside.count, 3);
    EXPECT_TEXT(s.beside.list[0].path, "q%201");
    EXPECT(delta_snapshot_generation(&s, "S", "D") == NULL);
    buf_free(&out);
    delta_snapshot_free(&s);
}

TEST(delta_snapshot_hears_of_an_application_after_it_forgot_its_stream)
{
    static const char *const commits =
        "{\"txn\":{\"appId\":\"varve:one:LOGGING:varve:2026-11-28T00:00:00Z\",\"version\":7}}\n"
        "{\"txn\":{\"appId\":\"another engine\",\"version\":1}}\n";
    struct delta_snapshot s = {.want_varve = true};
    apply(&s, 0, commits);
    EXPECT(s.generation_list.count == 1 && s.generation_list.list[0].through == 7);
    delta_snapshot_forget(&s);
    apply(&s, 1, commits);
    apply(&s, 2,
          "{\"txn\":{\"appId\":\"varve:two:A:varve:2026-11-28T00:00:00Z\",\"version\":8}}\n");
    EXPECT_U64(s.apps.count, 3);
    EXPECT_U64(s.generation_list.count, 0);
    delta_snapshot_free(&s);
}

static bool foreign(const struct delta_snapshot *s, const char *path)
{
    return find(s, path) != NULL && delta_file_is_foreign(find(s, path));
}

TEST(delta_snapshot_follows_rows_of_others_from_file_to_file)
{
#define FILE_OF(path, change, tags)                                      \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1," \
    "\"modificationTime\":7,\"dataChange\":" change tags "}}\n"
#define GONE(path) "{\"remove\":{\"path\":\"" path "\",\"dataChange\":false}}\n"
    static const char own[] = ",\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"C\"}";
    struct delta_snapshot s = {.want_files = true, .want_varve = true};
    char text[1024];
    (void)snprintf(text, sizeof(text), FILE_OF("own", "true", "%s") FILE_OF("own-2", "true", "%s"),
                   own, own);
    apply(&s, 0, text);
    EXPECT(!foreign(&s, "own"));
    apply(&s, 1, FILE_OF("theirs", "true", ""));
    EXPECT(foreign(&s, "theirs"));
    /* Rows of varve alone are moved. */
    apply(&s, 2, FILE_OF("moved", "false", "") GONE("own"));
    EXPECT(!foreign(&s, "moved"));
    /* Whatever the order in an entry is. */
    apply(&s, 3, FILE_OF("both", "false", "") GONE("theirs") GONE("own-2"));
    EXPECT(foreign(&s, "both") && !foreign(&s, "moved"));
    apply(&s, 4, GONE("both") GONE("moved") FILE_OF("again", "false", ""));
    EXPECT(foreign(&s, "again"));
    delta_snapshot_free(&s);
#undef FILE_OF
#undef GONE
}

TEST(delta_snapshot_refuses_damage)
{
    static const char *const bad[] = {
        "{\"add\":{\"path\":\"a\"}}\n",
        "{\"add\":",
        "", /* cut off at its beginning */
        "\n",
        "{\"commitInfo\":{\"varve\":{\"instance\":\"i\",\"positions\":[{}]}}}\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct delta_snapshot s = {.want_files = true, .want_varve = true};
        struct err err = {0};
        EXPECT(delta_snapshot_apply_entry(&s, 12, slice_of(bad[i]), &err) == -1);
        EXPECT(err.code == ERR_FORMAT && strstr(err.text, "entry 12") != NULL && !s.found);
        delta_snapshot_free(&s);
    }
}

/* As many values as a line may have, and some more where varve writes it again: it is refused, and
 * what was there before can be used still. */
TEST(delta_snapshot_refuses_a_table_described_at_too_great_length)
{
    struct delta_snapshot s = {0};
    struct buf text = {0};
    struct err err = {0};
    apply(&s, 0,
          "{\"metaData\":{\"id\":\"first\",\"schemaString\":\"\",\"partitionColumns\":[]}}\n");
    buf_append_text(&text, "{\"metaData\":{\"id\":\"second\",\"schemaString\":\"\","
                           "\"partitionColumns\":[\"\"");
    for (int values = 6; values < JSON_VALUES_MAX; values++)
        buf_append_text(&text, ",\"\"");
    buf_append_text(&text, "]}}\n");
    EXPECT(json_is_valid(buf_slice(&text)));
    EXPECT(delta_snapshot_apply_entry(&s, 1, buf_slice(&text), &err) == -1);
    EXPECT(err.code == ERR_FORMAT && s.version == 0 && slice_is(s.metadata.id, "first"));
    buf_free(&text);
    delta_snapshot_free(&s);
}

enum { LATE_ROWS = 200 }; /* of an entry; in its file's tags as well */

/* An entry of `instance` with the numbers first, first + 3 and so on, in one file. */
static void put_commit(uint64_t version, const char *instance, uint64_t first, uint64_t count)
{
    struct buf name = {0}, rows = {0};
    buf_append_text(&name, "log/");
    delta_entry_name(&name, version);
    for (uint64_t i = 0; i < count; i++)
        buf_printf(&rows, "%s%llu", i > 0 ? "," : "", (unsigned long long)(first + 3 * i));
    EXPECT(mkdir("log", 0777) == 0 || errno == EEXIST);
    EXPECT(mkdir("log/_delta_log", 0777) == 0 || errno == EEXIST);
    FILE *file = fopen(buf_text(&name), "w");
    EXPECT(file != NULL);
    if (version == 0)
        fprintf(file, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
                      "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"\","
                      "\"partitionColumns\":[],\"configuration\":{}}}\n");
    fprintf(file,
            "{\"commitInfo\":{\"varve\":{\"instance\":\"%s\",\"positions\":[{\"stream\":\"S\","
            "\"created\":\"C\",\"consumer\":\"D\",\"through\":0,\"above\":\"%s\",\"rows\":\"%s\","
            "\"lastSeq\":1,\"lastTime\":1}],\"deadLetters\":[{\"stream\":\"S\",\"created\":\"C\","
            "\"sequences\":\"%s\"}]}}}\n",
            instance, buf_text(&rows), buf_text(&rows), buf_text(&rows));
    fprintf(file,
            "{\"add\":{\"path\":\"%llu\",\"partitionValues\":{},\"size\":1,"
            "\"modificationTime\":1,\"dataChange\":true,\"tags\":{\"varve.stream\":\"S\","
            "\"varve.created\":\"C\",\"varve.sequences\":\"%s\"}}}\n",
            (unsigned long long)version, buf_text(&rows));
    EXPECT(fclose(file) == 0);
    buf_free(&name);
    buf_free(&rows);
}

/* Several have committed parts of one stream, and one of them late, from the end to the beginning:
 * each of its entries lies between all the ranges that are known. How many ranges are moved. */
static uint64_t load_late(uint64_t entries)
{
    const struct object_posix_config config = {.root = "log", .entries = "_delta_log/"};
    struct delta_snapshot s = {.want_varve = true};
    struct err err = {0};
    uint64_t count = entries * LATE_ROWS;
    put_commit(0, "early", 1, count);
    for (uint64_t i = 0; i < entries; i++)
        put_commit(1 + i, "late", 2 + 3 * LATE_ROWS * (entries - 1 - i), LATE_ROWS);
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT(store != NULL);
    uint64_t before = seqset_moved();
    EXPECT(delta_snapshot_load(&s, store, &err) == 0);
    uint64_t moved = seqset_moved() - before;
    const struct delta_generation *g = delta_snapshot_generation(&s, "S", "C");
    const struct positions *late = &delta_snapshot_instance(&s, "late")->positions;
    EXPECT_U64(g->rows.count, count); /* 1-2, 4-5 and so on */
    EXPECT_U64(seqset_size(&g->rows), 2 * count);
    EXPECT_U64(seqset_size(&g->dead_letters), 2 * count);
    EXPECT(late->count == 1 && late->list[0].above.count == count);
    delta_snapshot_free(&s);
    object_store_close(store);
    return moved;
}

TEST(delta_snapshot_reads_late_entries_in_linear_time)
{
    uint64_t one = load_late(100);
    EXPECT(one / (100 * LATE_ROWS) < 60);
    EXPECT(load_late(200) < 3 * one); /* the square would be four times as much */
    EXPECT(load_late(400) < 6 * one);
}

/* An old position says less than a new one, wherever the ranges between wait. */
TEST(delta_snapshot_positions_settle_what_they_have_passed)
{
    struct delta_snapshot s = {.want_varve = true};
    const struct object_posix_config config = {.root = "log", .entries = "_delta_log/"};
    struct err err = {0};
    for (uint64_t i = 0; i < 3; i++)
        put_commit(i, "i", 1 + i, 20000);
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT(store != NULL && delta_snapshot_load(&s, store, &err) == 0);
    const struct position *p = &delta_snapshot_instance(&s, "i")->positions.list[0];
    EXPECT_U64(p->through, 60000);
    EXPECT_U64(p->above.count, 0);
    delta_snapshot_free(&s);
    object_store_close(store);
}
