/* SPDX-License-Identifier: MIT */
#include "follow/reader.h"

#include "test.h"

/* A log in one entry: a table without columns, commits of two generations, and these adds. */
#define HEAD                                                                                       \
    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"                             \
    "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"            \
    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[]" \
    ","                                                                                            \
    "\"configuration\":{}}}\n"
#define TAGS(created, first, last)                                   \
    ",\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"" created \
    "\",\"varve.first_seq\":\"" first "\",\"varve.last_seq\":\"" last "\"}"
#define LISTED \
    ",\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"" OLD "\",\"varve.sequences\":\"2-8\"}"
#define ADD(path, more)                                                                         \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1," \
    "\"dataChange\":true" more "}}\n"
#define OLD "2026-11-24T10:00:00.123Z"
#define SET_BACK "2026-11-24T10:00:00.123Z~2026-11-25T00:00:00Z"
#define NEW "2026-11-24T10:00:00.5Z"

static int fill(struct follow_catalogue *c, const char *entry, struct err *err)
{
    struct delta_snapshot s = {.want_files = true, .want_varve = true};
    *c = (struct follow_catalogue){0};
    int result = delta_snapshot_apply_entry(&s, 0, slice_of(entry), err);
    EXPECT_TEXT(err->text, "");
    if (result == 0)
        result = follow_catalogue_fill(c, &s, err);
    delta_snapshot_free(&s);
    return result;
}

static void expect_file(const struct follow_stream *stream, size_t number, const char *name,
                        uint64_t first, uint64_t last)
{
    EXPECT_TEXT(stream->files.list[number].name, name);
    EXPECT_U64(stream->files.list[number].first, first);
    EXPECT_U64(stream->files.list[number].last, last);
}

TEST(follow_catalogue_sorts_streams_and_files)
{
    struct follow_catalogue c;
    struct err err = {0};
    EXPECT(fill(&c,
                HEAD ADD("n", TAGS(NEW, "1", "4")) ADD("b%20c", TAGS(OLD, "7", "9"))
                    ADD("a", TAGS(OLD, "2", "8")) ADD("r", TAGS(SET_BACK, "5", "5"))
                        ADD("x", ",\"stats\":\"{\\\"minValues\\\":{\\\"stream_seq\\\":3},"
                                 "\\\"maxValues\\\":{\\\"stream_seq\\\":6}}\"") ADD("y", ""),
                &err) == 0);
    EXPECT_U64(c.streams.count, 4);
    EXPECT_TEXT(c.streams.list[0].created, OLD);
    EXPECT_U64(c.streams.list[0].files.count, 2);
    expect_file(&c.streams.list[0], 0, "a", 2, 8);
    expect_file(&c.streams.list[0], 1, "b c", 7, 9);
    EXPECT_TEXT(c.streams.list[1].created, SET_BACK);
    EXPECT_TEXT(c.streams.list[2].created, NEW);
    /* Nobody can tell whose rows these have. */
    EXPECT(c.streams.list[3].stream == NULL);
    expect_file(&c.streams.list[3], 0, "y", 0, UINT64_MAX);
    expect_file(&c.streams.list[3], 1, "x", 3, 6);
    follow_catalogue_free(&c);
}

TEST(follow_catalogue_knows_the_only_stream)
{
    struct follow_catalogue c;
    struct err err = {0};
    EXPECT(fill(&c, HEAD ADD("a", TAGS(OLD, "2", "8")) ADD("x", ""), &err) == 0);
    EXPECT_U64(c.streams.count, 1);
    EXPECT_U64(c.streams.list[0].files.count, 2);
    follow_catalogue_free(&c);
    EXPECT(fill(&c, HEAD, &err) == 0);
    EXPECT_U64(c.streams.count, 0);
    follow_catalogue_free(&c);
}

/* A checkpoint has kept that somebody has stored of another stream, too. */
TEST(follow_catalogue_knows_of_streams_without_files)
{
    static const char *const others[] = {"varve:i:T:c:" OLD, "varve:i:S:c:" NEW};
    static const char *const same[] = {"varve:i:S:c:" OLD, "varve:j:S:d:" OLD, "spark"};
    struct follow_catalogue c;
    struct err err = {0};
    for (size_t i = 0; i < 5; i++) {
        struct buf entry = {0};
        bool other = i < 2;
        buf_printf(&entry,
                   HEAD "{\"txn\":{\"appId\":\"%s\",\"version\":9}}\n" ADD("a", LISTED)
                       ADD("x", ""),
                   other ? others[i] : same[i - 2]);
        EXPECT(fill(&c, buf_text(&entry), &err) == 0);
        EXPECT_U64(c.streams.count, other ? 2 : 1);
        EXPECT(other == (c.streams.list[c.streams.count - 1].stream == NULL));
        follow_catalogue_free(&c);
        buf_free(&entry);
    }
}

TEST(follow_catalogue_refuses_what_it_can_not_read)
{
    static const char *const paths[] = {"../x", "/etc/passwd", "s3://bucket/x", "%2e%2e/x"};
    struct follow_catalogue c;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct buf entry = {0};
        struct err err = {0};
        buf_printf(&entry,
                   HEAD "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":1,"
                        "\"modificationTime\":1,\"dataChange\":true}}\n",
                   paths[i]);
        EXPECT(fill(&c, buf_text(&entry), &err) == -1);
        EXPECT(err.code == ERR_FORMAT);
        follow_catalogue_free(&c);
        buf_free(&entry);
    }
    struct err err = {0};
    EXPECT(fill(&c,
                HEAD ADD("a", ",\"deletionVector\":{\"storageType\":\"i\",\"pathOrInlineDv\":"
                              "\"x\",\"sizeInBytes\":1,\"cardinality\":1}"),
                &err) == -1);
    EXPECT(err.code == ERR_UNSUPPORTED);
    follow_catalogue_free(&c);
}
