/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "test.h"

/* The order and the types are a contract: the table of columns in tools/share/doc/store.md. */
static const struct {
    const char *name;
    enum column_type type;
    enum column_meaning meaning;
    const char *flags; /* o: optional, d: dictionary, b: bounds, s: ordered, r: random */
} expected[] = {
    {"timestamp_ns", COLUMN_INT64, COLUMN_RAW, "b"},
    {"event_id", COLUMN_BYTES, COLUMN_TEXT, "r"},
    {"event_type_key", COLUMN_BYTES, COLUMN_TEXT, "db"},
    {"event_payload", COLUMN_BYTES, COLUMN_RAW, ""},
    {"worker_id", COLUMN_BYTES, COLUMN_TEXT, "db"},
    {"simulation_id", COLUMN_BYTES, COLUMN_TEXT, "db"},
    {"payload_format_hint", COLUMN_BYTES, COLUMN_TEXT, "db"},
    {"correlation_id", COLUMN_BYTES, COLUMN_TEXT, "or"},
    {"unknown_fields", COLUMN_BYTES, COLUMN_RAW, "o"},
    {"stream_seq", COLUMN_INT64, COLUMN_RAW, "bs"},
    {"stream_time", COLUMN_INT64, COLUMN_TIME_MICROS, "b"},
    {"nats_subject", COLUMN_BYTES, COLUMN_TEXT, "db"},
    {"event_time", COLUMN_INT64, COLUMN_TIME_MICROS, "ob"},
    {"headers", COLUMN_BYTES, COLUMN_RAW, "o"},
};

TEST(event_schema_is_the_contract)
{
    EXPECT_U64(event_schema.count, sizeof(expected) / sizeof(expected[0]));
    for (uint32_t i = 0; i < event_schema.count; i++) {
        const struct column_spec *c = &event_schema.columns[i];
        EXPECT_TEXT(c->name, expected[i].name);
        EXPECT_U64(c->type, expected[i].type);
        EXPECT_U64(c->meaning, expected[i].meaning);
        char flags[8] = "";
        strcat(flags, c->optional ? "o" : "");
        strcat(flags, c->dictionary ? "d" : "");
        strcat(flags, c->bounds ? "b" : "");
        strcat(flags, c->ordered ? "s" : "");
        strcat(flags, c->random ? "r" : "");
        EXPECT_TEXT(flags, expected[i].flags);
        EXPECT_I64(schema_find(&event_schema, expected[i].name), i);
    }
}
