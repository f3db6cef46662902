/* SPDX-License-Identifier: MIT */
#include "store/batcher.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "parquet/read/rows.h"
#include "test.h"

/* Batcher and encoder together, without a network and without a disk. */
struct stage {
    struct queue sealed;
    struct encoder encoder;
    struct store_path path;
    struct batcher batcher;
};

#define HOUR (3600 * CLOCK_SECOND)
#define BASE (INT64_C(1764000000) / 3600 * 3600 * CLOCK_SECOND) /* the start of an hour */

static const struct batcher_source source = {0, "LOGGING", "2026-01-01T00:00:00Z", "varve"};

static void start(struct stage *s, struct batcher_limits limits)
{
    struct err err = {0};
    struct parquet_options options = parquet_options_default();
    static const char template[] =
        "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet";
    queue_init(&s->sealed);
    EXPECT(store_path_parse(&s->path, template, &err) == 0);
    encoder_init(&s->encoder, &options, "test", template, &s->sealed, (struct waker){0});
    EXPECT(encoder_start(&s->encoder, &err) == 0);
    batcher_init(&s->batcher, &s->encoder, &s->path, slice_of("test"), limits, 1);
}

static void stop(struct stage *s)
{
    encoder_end(&s->encoder);
    batcher_free(&s->batcher);
    queue_free(&s->sealed);
}

static void add(struct stage *s, uint64_t seq, const char *simulation, int64_t time)
{
    struct event event = {.timestamp_ns = time,
                          .event_id = slice_of("id"),
                          .event_type_key = slice_of("type"),
                          .event_payload = slice_of("payload"),
                          .simulation_id = slice_of(simulation)};
    struct event_origin origin = {seq, BASE, slice_of("logging.events.raw")};
    batcher_add(&s->batcher, &source, &event, &origin, time, false, 1);
}

static struct epoch *seal(struct stage *s)
{
    batcher_send(&s->batcher, batcher_seal(&s->batcher, EPOCH_ROWS, 2));
    struct epoch *epoch = (struct epoch *)queue_take(&s->sealed);
    EXPECT(epoch != NULL);
    return epoch;
}

static void release(struct stage *s, struct epoch *epoch)
{
    batcher_committed(&s->batcher, epoch);
    epoch_free(epoch);
}

static int read_image(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct buf *image = context;
    if (offset > image->len || len > image->len - offset)
        return err_set(err, ERR_FORMAT, "read behind the end");
    memcpy(data, image->data + offset, len);
    return 0;
}

/* The sequences of a file in their order, as our reader sees them; returns how many. */
static uint64_t read_sequences(struct epoch_file *file, uint64_t *out)
{
    struct err err = {0};
    struct parquet_file f = {0};
    struct parquet_codec *codec = parquet_codec_new();
    struct parquet_source image = {
        .read = read_image, .context = &file->image, .size = file->image.len};
    EXPECT(parquet_file_open(&f, &image, &err) == 0);
    uint32_t column = EVENT_COLUMN_STREAM_SEQ;
    struct parquet_rows *rows = parquet_rows_new(&f, &column, 1, codec);
    struct slice value;
    uint64_t count = 0;
    int got;
    while ((got = parquet_rows_next(rows, &value, &err)) > 0)
        out[count++] = load_u64le(value.data);
    EXPECT(got == 0);
    parquet_rows_free(rows);
    parquet_file_close(&f);
    parquet_codec_free(codec);
    return count;
}

static const struct batcher_limits generous = {.rows = 1000000,
                                               .bytes = UINT64_C(1) << 40,
                                               .age = HOUR,
                                               .batch_bytes = 4 << 20,
                                               .open_memory = UINT64_MAX};

TEST(batcher_gives_each_simulation_and_hour_a_file)
{
    struct stage s;
    uint64_t rows[64];
    start(&s, generous);
    for (uint64_t seq = 1; seq <= 60; seq++)
        add(&s, seq,
            seq % 3 == 0   ? "a"
            : seq % 3 == 1 ? "b"
                           : "../c",
            BASE + (int64_t)(seq % 2) * HOUR);
    struct epoch *epoch = seal(&s);
    EXPECT_U64(epoch->file_count, 6);
    EXPECT_U64(epoch->rows, 60);
    for (uint32_t i = 0; i < epoch->file_count; i++) {
        EXPECT_U64(epoch->files[i]->rows, 10);
        EXPECT_U64(read_sequences(epoch->files[i], rows), 10);
        for (uint64_t row = 1; row < 10; row++)
            EXPECT_U64(rows[row], rows[0] + row * 6); /* same simulation, same hour */
    }
    release(&s, epoch);
    stop(&s);
}

TEST(batcher_writes_rows_in_stream_order_whatever_order_they_come_in)
{
    enum { ROWS = 3 * BATCH_ROWS_MAX };
    struct stage s;
    uint64_t *rows = calloc(ROWS, sizeof(*rows));
    EXPECT(rows != NULL);
    start(&s, generous);
    /* A redelivery comes last within the batch, another one long after its batch was encoded. */
    for (uint64_t seq = 1; seq <= ROWS; seq++)
        if (seq != 100 && seq != 200)
            add(&s, seq, "a", BASE);
        else if (seq == 200)
            add(&s, 100, "a", BASE);
    add(&s, 200, "a", BASE);
    struct epoch *epoch = seal(&s);
    uint64_t total = 0;
    for (uint32_t i = 0; i < epoch->file_count; i++) {
        uint64_t count = read_sequences(epoch->files[i], rows);
        for (uint64_t row = 1; row < count; row++)
            EXPECT(rows[row] > rows[row - 1]);
        total += count;
    }
    EXPECT_U64(total, ROWS);
    EXPECT_U64(epoch->file_count, 2); /* the late one has a file of its own */
    release(&s, epoch);
    free(rows);
    stop(&s);
}

TEST(batcher_is_due_by_rows_bytes_and_age)
{
    struct stage s;
    enum epoch_reason reason;
    start(&s, (struct batcher_limits){.rows = 3,
                                      .bytes = UINT64_C(1) << 40,
                                      .age = 10,
                                      .batch_bytes = 4 << 20,
                                      .open_memory = UINT64_MAX});
    EXPECT(!batcher_is_due(&s.batcher, INT64_MAX, &reason)); /* nothing there, nothing due */
    EXPECT(batcher_deadline(&s.batcher) == INT64_MAX);
    add(&s, 1, "a", BASE);
    EXPECT_I64(batcher_deadline(&s.batcher), 11); /* it came at 1 */
    EXPECT(!batcher_is_due(&s.batcher, 10, &reason));
    EXPECT(batcher_is_due(&s.batcher, 11, &reason) && reason == EPOCH_AGE);
    add(&s, 2, "a", BASE);
    add(&s, 3, "a", BASE);
    EXPECT(batcher_is_due(&s.batcher, 2, &reason) && reason == EPOCH_ROWS);
    release(&s, seal(&s));
    s.batcher.limits = (struct batcher_limits){
        .rows = 1000, .bytes = 50, .age = HOUR, .batch_bytes = 4 << 20, .open_memory = UINT64_MAX};
    add(&s, 4, "a", BASE); /* three numbers and the subject take more */
    EXPECT(batcher_is_due(&s.batcher, 2, &reason) && reason == EPOCH_BYTES);
    release(&s, seal(&s));
    stop(&s);
}

TEST(batcher_accounts_for_all_memory_and_gets_it_back)
{
    struct stage s;
    start(&s, generous);
    uint64_t before = batcher_memory(&s.batcher);
    for (uint64_t seq = 1; seq <= 30000; seq++)
        add(&s, seq, seq % 2 ? "a" : "b", BASE);
    EXPECT(batcher_memory(&s.batcher) > before + 1000000);
    release(&s, seal(&s));
    while (s.batcher.jobs_under_way > 0)
        batcher_collect(&s.batcher);
    /* What is left is the thread's own: compression tables, a writer for the next file. */
    EXPECT_U64(atomic_load(&s.encoder.memory), s.encoder.accounted);
    EXPECT(s.encoder.accounted < 4 << 20);
    EXPECT_U64(s.batcher.queued_bytes, 0);
    EXPECT_U64(s.batcher.queued_memory, 0);
    EXPECT(batcher_memory(&s.batcher) <= before + (uint64_t)BATCHER_SPARES * (8 << 20));
    stop(&s);
}

/* A payload makes one partition larger than others. */
static void add_large(struct stage *s, uint64_t seq, const char *simulation, size_t len)
{
    static uint8_t payload[200 * 1024];
    struct event event = {.event_payload = {payload, len}, .simulation_id = slice_of(simulation)};
    struct event_origin origin = {seq, BASE, slice_of("logging.events.raw")};
    batcher_add(&s->batcher, &source, &event, &origin, BASE, false, 1);
}

TEST(batcher_relieves_memory_of_the_largest_batches)
{
    struct stage s;
    struct batcher_limits limits = generous;
    limits.open_memory = 500 * 1024;
    start(&s, limits);
    add_large(&s, 1, "large", 200 * 1024);
    add_large(&s, 2, "half", 110 * 1024);
    add_large(&s, 3, "less", 90 * 1024);
    add_large(&s, 4, "small", 1024);
    batcher_relieve(&s.batcher);
    EXPECT_U64(s.batcher.jobs_under_way, 0); /* some 420 KiB: it is not time yet */
    add_large(&s, 5, "more", 95 * 1024);
    batcher_relieve(&s.batcher);
    EXPECT_U64(s.batcher.jobs_under_way, 2);
    EXPECT(s.batcher.partitions[0].batch == NULL && s.batcher.partitions[1].batch == NULL);
    EXPECT(s.batcher.partitions[2].batch != NULL && s.batcher.partitions[4].batch != NULL);
    /* The epoch goes on, and all of it is one commit. */
    struct epoch *epoch = seal(&s);
    EXPECT_U64(epoch->file_count, 5);
    release(&s, epoch);
    stop(&s);
}

TEST(batcher_does_not_compress_small_batches_early)
{
    struct stage s;
    struct batcher_limits limits = generous;
    limits.open_memory = 100 * 1024;
    start(&s, limits);
    for (uint64_t seq = 1; seq <= 40; seq++) {
        char simulation[8];
        (void)snprintf(simulation, sizeof(simulation), "s%d", (int)seq);
        add_large(&s, seq, simulation, 10 * 1024);
    }
    batcher_relieve(&s.batcher);
    EXPECT_U64(s.batcher.jobs_under_way, 0);
    release(&s, seal(&s));
    stop(&s);
}

TEST(batcher_closes_row_groups_that_are_large_compressed)
{
    struct stage s;
    struct err err = {0};
    struct batcher_limits limits = generous;
    limits.batch_bytes = 100 * 1024;
    limits.row_group_bytes = 1; /* so each batch is one */
    start(&s, limits);
    for (uint64_t seq = 1; seq <= 3; seq++)
        add_large(&s, seq, "a", 100 * 1024);
    struct epoch *epoch = seal(&s);
    struct parquet_file f = {0};
    struct parquet_source image = {
        .read = read_image, .context = &epoch->files[0]->image, .size = epoch->files[0]->image.len};
    EXPECT(parquet_file_open(&f, &image, &err) == 0);
    EXPECT_U64(f.metadata.row_groups_count, 3);
    parquet_file_close(&f);
    release(&s, epoch);
    stop(&s);
}

TEST(batcher_keeps_what_is_no_row_apart)
{
    struct stage s;
    start(&s, generous);
    add(&s, 1, "a", BASE);
    struct quarantined message = {.stream = slice_of("LOGGING"),
                                  .stream_created = slice_of("2026-01-01T00:00:00Z"),
                                  .origin = {2, BASE, slice_of("logging.events.raw")},
                                  .result = EVENT_NOT_UTF8,
                                  .detail = "event_id is not UTF-8",
                                  .payload = slice_of("\x0A\x01\xFF")};
    batcher_quarantine(&s.batcher, &source, &message, 1);
    /* This one is in no file. */
    batcher_dead_letter(&s.batcher, &source, EVENT_NOT_UTF8, 3, BASE, 1);
    struct epoch *epoch = seal(&s);
    EXPECT_U64(epoch->file_count, 2);
    EXPECT(epoch->files[1]->quarantine && !epoch->files[0]->quarantine);
    EXPECT_U64(epoch->sources[0].table_rows, 1);
    EXPECT_U64(epoch->sources[0].dead[EVENT_NOT_UTF8], 2);
    EXPECT_U64(seqset_size(&epoch->sources[0].rows), 3);
    const struct seqset *elsewhere = &epoch->sources[0].dead_letters;
    EXPECT(elsewhere->count == 1 && elsewhere->list[0].first == 3);
    EXPECT_U64(seqset_size(elsewhere), 1);
    release(&s, epoch);
    stop(&s);
}
