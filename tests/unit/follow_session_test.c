/* SPDX-License-Identifier: MIT */
#include "follow/session.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "batch/batch.h"
#include "parquet/write/writer.h"
#include "test.h"

/*
 * A table in the directory "root" with more files than a follower remembers, of which no commit
 * lists the rows: they are of row 1 of stream S, which the follower has, and none of them is there.
 * What is committed then is one file more, with the rows 2 and 3, at no time that there is.
 */
enum { FILES = 4100, NEW_ROWS = 2 };
#define CREATED "2026-11-24T10:00:00.123Z"
#define HEAD                                                                                       \
    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"                             \
    "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"            \
    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[]" \
    ",\"configuration\":{}}}\n"
#define ADD(path, time, rows)                                                                      \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":" time \
    ","                                                                                            \
    "\"dataChange\":true,\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"" CREATED "\"," rows \
    "}}}\n"

static const struct column_spec columns[] = {{.name = "stream_seq", .type = COLUMN_INT64}};
static const struct schema schema = {"event", columns, 1};

static int append(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory can't fail */
    buf_append(context, data, len);
    return 0;
}

static void put_file(const char *path, const struct buf *content)
{
    FILE *f = fopen(path, "wb");
    EXPECT(f != NULL && fwrite(content->data, 1, content->len, f) == content->len);
    EXPECT(fclose(f) == 0);
}

static void put_rows(const char *path, int64_t first, int64_t last)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf bytes = {0};
    struct parquet_sink sink = {.write = append, .context = &bytes};
    struct err err = {0};
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    for (int64_t sequence = first; sequence <= last; sequence++) {
        batch_put_int64(b, 0, sequence);
        batch_end_row(b);
    }
    EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    put_file(path, &bytes);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    batch_free(b);
    buf_free(&bytes);
}

static void put_table(void)
{
    struct buf entry = {0};
    EXPECT(mkdir("root", 0777) == 0 && mkdir("root/_delta_log", 0777) == 0);
    buf_append_text(&entry, HEAD);
    for (unsigned i = 0; i < FILES; i++)
        buf_printf(&entry, ADD("f%u", "1", "\"varve.first_seq\":\"1\",\"varve.last_seq\":\"1\""),
                   i);
    put_file("root/_delta_log/00000000000000000000.json", &entry);
    buf_free(&entry);
}

static void commit_more(void)
{
    struct buf entry = {0};
    put_rows("root/new", 2, 1 + NEW_ROWS);
    buf_append_text(&entry, ADD("new", "9223372036854775807", "\"varve.sequences\":\"2-3\""));
    put_file("root/_delta_log/00000000000000000001.json", &entry);
    buf_free(&entry);
}

struct counting {
    struct follow_target target;
    unsigned rows, commits;
    int64_t behind_since;
};

static int open_target(struct follow_target *t, const struct delta_follower *done, struct err *err)
{
    (void)t;
    (void)done;
    (void)err;
    return 0;
}

static int take(struct follow_target *t, const struct follow_event *row, struct err *err)
{
    struct counting *c = (struct counting *)t;
    (void)err;
    EXPECT_U64(row->sequence, 2 + c->rows);
    c->rows++;
    return 0;
}

static int commit(struct follow_target *t, const struct delta_follower *done, struct err *err)
{
    (void)done;
    (void)err;
    ((struct counting *)t)->commits++;
    return 0;
}

static void close_target(struct follow_target *t)
{
    (void)t;
}

static const struct follow_target_operations operations = {
    .open = open_target, .take = take, .commit = commit, .close = close_target};

/* While rows are read, the session says since when they are there. */
static void tell(void *context)
{
    const struct follow_session *s = context;
    struct counting *c = (struct counting *)s->target;
    if (s->behind_since != 0)
        c->behind_since = s->behind_since;
}

static void have_row_one(struct follow_session *s)
{
    struct err err = {0};
    bool found;
    EXPECT(follow_session_load(s, &found, &err) == 0);
    seqset_add(delta_follower_rows(&s->have, "S", CREATED, true), 1);
    EXPECT(follow_session_save(s, &err) == 0);
    EXPECT_TEXT(err.text, "");
    follow_session_close(s);
}

TEST(follow_session_sees_a_commit_behind_more_files_than_it_remembers)
{
    struct counting c = {.target = {.operations = &operations}};
    atomic_bool stop = false;
    struct follow_session s = {
        .root = "root", .name = "f", .target = &c.target, .stop = &stop, .tell = tell};
    s.context = &s;
    struct err err = {0};
    bool news;
    put_table();
    have_row_one(&s);
    for (int round = 0; round < 2; round++) {
        EXPECT(follow_session_round(&s, &news, &err) == 0);
        EXPECT(!news && c.rows == 0);
    }
    commit_more();
    EXPECT(follow_session_round(&s, &news, &err) == 0);
    EXPECT(news && c.rows == NEW_ROWS && c.commits == 1);
    EXPECT(s.lag_rows == 0 && s.behind_since == 0);
    EXPECT(c.behind_since == INT64_MAX / CLOCK_MILLISECOND * CLOCK_MILLISECOND);
    /* It goes on from what it knows: the first entry is not read for each that comes. */
    EXPECT(unlink("root/_delta_log/00000000000000000000.json") == 0);
    put_rows("root/newer", 4, 5);
    struct buf entry = {0};
    buf_append_text(&entry, ADD("newer", "1", "\"varve.sequences\":\"4-5\""));
    put_file("root/_delta_log/00000000000000000002.json", &entry);
    buf_free(&entry);
    EXPECT(follow_session_round(&s, &news, &err) == 0);
    EXPECT(news && c.rows == 2 * NEW_ROWS && c.commits == 2);
    EXPECT_TEXT(err.text, "");
    follow_session_close(&s);
}
