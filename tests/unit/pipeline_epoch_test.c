/* SPDX-License-Identifier: MIT */
#include "pipeline/epoch.h"

#include "base/clock.h"
#include "store_fixture.h"
#include "test.h"

struct stage {
    struct store *store;
    struct store_path path;
    struct store_writer *writer;
    struct account account;
    struct epochs epochs;
};

static const struct epoch_origin from = {
    1, {.stream = "LOGGING", .created = "2026-01-01T00:00:00Z", .consumer = "varve"}};

static void start(struct stage *s, struct epoch_limits limits)
{
    struct err err = {0};
    struct store_config config = {
        .root = "root", .instance = "i", .engine = "varve/0", .schema = &event_schema};
    *s = (struct stage){.store = store_open(&config, &err)};
    EXPECT_TEXT(err.text, "");
    EXPECT(store_path_parse(&s->path, "{simulation_id}/{first_seq}.parquet", &err) == 0);
    s->writer =
        store_writer_new(&(struct store_writer_options){.store = s->store,
                                                        .instance = "i",
                                                        .parquet = parquet_options_default(),
                                                        .stepped = true},
                         &err);
    EXPECT(s->writer != NULL);
    store_writer_set_limits(s->writer, &(struct store_writer_limits){.batch_bytes = 4 << 20,
                                                                     .open_memory = UINT64_MAX});
    epochs_init(&s->epochs, s->writer, &s->path, limits, 2, &s->account);
}

static void stop(struct stage *s)
{
    store_writer_end(s->writer);
    epochs_free(&s->epochs);
    EXPECT_U64(account_bytes(&s->account), 0);
    store_writer_free(s->writer);
    store_close(s->store);
}

static void add(struct stage *s, uint64_t seq, int64_t now)
{
    struct event event = {.event_payload = slice_of("payload"), .simulation_id = slice_of("a")};
    struct event_origin origin = {seq, 5, slice_of("logging.events.raw"), {0}};
    epochs_add_row(&s->epochs, &from, &event, &origin, 5, seq == 2, now);
}

/* As the loop does it: the position is what the ledger says. */
static struct epoch *commit(struct stage *s, enum epoch_reason reason)
{
    struct store_committed how;
    struct epoch *sealed = epochs_seal(&s->epochs, reason);
    struct position position = {.through = 1};
    seqset_add_range(&position.above, 5, 9);
    epoch_set_position(sealed, from.source, &position);
    EXPECT(epochs_committed(&s->epochs, &how) == NULL);
    epochs_send(&s->epochs, sealed, 7);
    struct epoch *committed;
    while ((committed = epochs_committed(&s->epochs, &how)) == NULL)
        EXPECT_I64(store_writer_turn(s->writer, 0), 0); /* there is more to do */
    EXPECT(committed == sealed && how.number == sealed->number);
    EXPECT_U64(s->epochs.sealed_count, 0);
    return committed;
}

TEST(epochs_are_full_by_rows_and_bytes_and_due_by_age)
{
    struct stage s;
    enum epoch_reason reason;
    start(&s, (struct epoch_limits){
                  .rows = 3, .bytes = UINT64_C(1) << 40, .age = 10, .partitions = 100});
    EXPECT(!epochs_is_full(&s.epochs, &reason)); /* nothing there, nothing due */
    EXPECT(epochs_due(&s.epochs, &reason) == INT64_MAX);
    add(&s, 1, 1);
    EXPECT_I64(epochs_due(&s.epochs, &reason), 11);
    EXPECT(reason == EPOCH_AGE);
    add(&s, 2, 2);
    EXPECT(!epochs_is_full(&s.epochs, &reason));
    add(&s, 3, 2);
    EXPECT(epochs_is_full(&s.epochs, &reason) && reason == EPOCH_ROWS);
    epoch_free(commit(&s, reason));
    EXPECT(epochs_is_empty(&s.epochs));
    s.epochs.limits =
        (struct epoch_limits){.rows = 1000, .bytes = 50, .age = 10, .partitions = 100};
    add(&s, 4, 3); /* three numbers and the subject take more */
    EXPECT(epochs_is_full(&s.epochs, &reason) && reason == EPOCH_BYTES);
    epoch_free(commit(&s, reason));
    stop(&s);
}

TEST(epochs_know_what_became_of_each_message)
{
    struct stage s;
    start(&s, (struct epoch_limits){.rows = 100, .bytes = 100000, .age = 10});
    add(&s, 1, 1);
    add(&s, 2, 1);
    struct quarantined message = {
        .stream = slice_of("LOGGING"),
        .stream_created = slice_of("2026-01-01T00:00:00Z"),
        .origin = {.stream_seq = 4, .stream_time_ns = 8, .subject = slice_of("logging.events.raw")},
        .result = EVENT_NOT_UTF8,
        .detail = "event_id is not UTF-8",
        .payload = slice_of("\x0A\x01\xFF")};
    epochs_add_quarantined(&s.epochs, &from, &message, 1);
    epochs_add_dead_letter(&s.epochs, &from, EVENT_NOT_UTF8, 3, 7, 1); /* in no file */
    struct epoch *epoch = commit(&s, EPOCH_STOP);
    const struct epoch_source *part = &epoch->sources[1];
    EXPECT(epoch->sources[0].origin.stream == NULL); /* takes no part */
    EXPECT_U64(epoch->number, 1);
    EXPECT_U64(epoch->rows, 4);
    EXPECT_U64(part->table_rows, 2);
    EXPECT_U64(part->clock_suspect, 1);
    EXPECT_U64(part->dead[EVENT_NOT_UTF8], 2);
    EXPECT_U64(seqset_size(&part->rows), 4);
    EXPECT_U64(part->last_seq, 4);
    EXPECT_I64(part->last_time, 8);
    EXPECT(part->dead_letters.count == 1 && part->dead_letters.list[0].first == 3);
    EXPECT_U64(epoch->position_count, 1);
    EXPECT_TEXT(epoch->positions[0].created, "2026-01-01T00:00:00Z");
    epoch_free(epoch);
    stop(&s);
    char *text = fixture_read("root/_delta_log/00000000000000000001.json");
    EXPECT(strstr(text, "\"through\":1,\"above\":\"5-9\",\"rows\":\"1-4\"") != NULL);
    free(text);
}

TEST(epochs_count_the_memory_of_sequences)
{
    struct stage s;
    start(&s, (struct epoch_limits){.rows = 100000, .bytes = 1 << 30, .age = 10});
    uint64_t before = account_bytes(&s.account);
    for (uint64_t i = 1; i <= 1000; i++)
        epochs_add_dead_letter(&s.epochs, &from, EVENT_NOT_UTF8, 2 * i, 7, 1);
    EXPECT(account_bytes(&s.account) >= before + 2 * 1000 * 16); /* a range is two numbers */
    stop(&s);
}

TEST(epoch_reasons_have_names)
{
    for (int reason = 0; reason < EPOCH_REASONS; reason++)
        EXPECT(epoch_reason_name((enum epoch_reason)reason)[0] != '\0');
    EXPECT_TEXT(epoch_reason_name(EPOCH_AGE), "age");
}

/* What a dead instance of a shared consumer had comes between what others have of the stream: a
 * range a message. One after the other moves all that is newer. */
TEST(epochs_take_late_messages_without_moving_all_others)
{
    enum { LATE = 1 << 16 };
    struct stage s;
    start(&s, (struct epoch_limits){.rows = UINT64_MAX, .bytes = UINT64_MAX, .partitions = 100});
    for (uint64_t i = 1; i <= LATE; i++)
        add(&s, 4 * i, 0);
    uint64_t moved = seqset_moved();
    for (uint64_t i = 1; i <= LATE; i++)
        add(&s, 4 * i - 2, 0);
    struct epoch *sealed = epochs_seal(&s.epochs, EPOCH_ROWS);
    EXPECT((seqset_moved() - moved) / LATE < 100); /* it was LATE / 2 */
    const struct seqset *rows = &sealed->sources[from.source].rows;
    EXPECT_U64(rows->count, 2 * LATE);
    EXPECT_U64(seqset_size(rows), 2 * LATE);
    store_writer_end(s.writer);
    stop(&s);
}
