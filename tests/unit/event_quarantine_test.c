/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "test.h"

static void expect_column(const struct batch *b, const char *name, const char *hex)
{
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);
    int column = schema_find(&quarantine_schema, name);
    EXPECT(column >= 0);
    EXPECT_BYTES(b->columns[column].values.data, b->columns[column].values.len, expected, len);
}

TEST(quarantine_append_keeps_all)
{
    struct batch *b = batch_new(&quarantine_schema, NULL);
    struct quarantined message = {
        .stream = slice_of("LOG"),
        .stream_created = slice_of("2026-11-24T12:00:00Z"),
        .origin = {5, -1, slice_of("a.\xff"), slice_of("NATS/1.0\r\n\r\n")},
        .result = EVENT_NOT_UTF8,
        .detail = "bad",
        .payload = slice_of("\xfe"),
    };
    quarantine_append(b, &message);
    message.origin.header = (struct slice){NULL, 0};
    message.payload = (struct slice){NULL, 0};
    quarantine_append(b, &message);
    EXPECT_U64(b->rows, 2);
    expect_column(b, "stream", "03000000 4c4f47 03000000 4c4f47");
    expect_column(b, "stream_created",
                  "14000000 323032362d31312d32345431323a30303a30305a"
                  "14000000 323032362d31312d32345431323a30303a30305a");
    expect_column(b, "stream_seq", "0500000000000000 0500000000000000");
    expect_column(b, "stream_time", "ffffffffffffffff ffffffffffffffff");
    expect_column(b, "nats_subject", "03000000 612eff 03000000 612eff");
    expect_column(b, "reason", "08000000 6e6f745f75746638 08000000 6e6f745f75746638");
    expect_column(b, "detail", "03000000 626164 03000000 626164");
    expect_column(b, "header", "0c000000 4e4154532f312e300d0a0d0a");
    expect_column(b, "payload", "01000000 fe 00000000");
    batch_free(b);
}

/* Text columns must be UTF-8 for the file to be readable: a bad subject is why a message is here.
 */
TEST(quarantine_subject_is_bytes)
{
    int column = schema_find(&quarantine_schema, "nats_subject");
    EXPECT_U64(quarantine_schema.columns[column].meaning, COLUMN_RAW);
}
