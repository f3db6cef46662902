/* SPDX-License-Identifier: MIT */
#include "event/payload.h"

#include <string.h>

#include "base/json.h"
#include "test.h"

static void expect_message(const char *content_type, const char *message)
{
    struct slice found = payload_named_message(slice_of(content_type));
    if (!slice_is(found, message))
        EXPECT_TEXT(content_type, message);
}

TEST(event_payload_message_of_a_content_type)
{
    expect_message("application/protobuf; message=a.b.C", "a.b.C");
    expect_message("application/protobuf;MESSAGE=C", "C");
    expect_message("application/x-protobuf ; charset=x;\tmessage=\"a.C\" ; q=1", "a.C");
    expect_message("message=C", "C");
    expect_message("application/protobuf", "");
    expect_message("application/protobuf; message=", "");
    expect_message("application/protobuf; xmessage=C; message", "");
    expect_message(";;; ;", "");
    expect_message("", "");
}

TEST(event_payload_of_the_simulation)
{
    struct err err = {0};
    struct payload_types *types = payload_types_new(PAYLOAD_PROTOBUF, payload_simulation(), &err);
    EXPECT(types != NULL);
    EXPECT(payload_types_have(types, slice_of("fes.simulation.agent.AgentObservation")));
    EXPECT(payload_types_have(types, slice_of(".fes.simulation.agent.AgentAction")));
    EXPECT(!payload_types_have(types, slice_of("AgentAction")));
    EXPECT(!payload_types_have(types, (struct slice){0}));
    payload_types_free(types);
}

/* The largest tick: null with a reason where the column is long, and there where it is wide. */
TEST(event_payload_of_the_largest_unsigned_number)
{
    static const uint8_t action[] = {0x10, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t wide[] = {9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const struct slice name = slice_of("fes.simulation.agent.AgentAction");
    for (int widened = 0; widened < 2; widened++) {
        struct err err = {0};
        struct payload_types *types =
            payload_types_new(PAYLOAD_PROTOBUF, payload_simulation(), &err);
        struct payload_type *t = payload_message_new(types, name, NULL, 0, &err);
        EXPECT(t != NULL);
        if (widened == 1)
            payload_widen(t);
        struct schema schema = {"action", t->columns, t->count};
        struct batch *b = batch_new(&schema, NULL);
        enum payload_result result =
            payload_append(t, b, 0, (struct slice){action, sizeof(action)});
        batch_end_row(b);
        int tick = schema_find(&schema, "tick");
        EXPECT(result == (widened == 1 ? PAYLOAD_OK : PAYLOAD_PARTLY));
        EXPECT_TEXT(buf_text(&t->reason), widened == 1 ? "" : "tick is more than 2^63 - 1");
        EXPECT(slice_equal(buf_slice(&b->columns[tick].values),
                           (struct slice){wide, widened == 1 ? sizeof(wide) : 0}));
        batch_free(b);
        payload_free(t);
        payload_types_free(types);
    }
}

TEST(event_payload_of_some_fields)
{
    static const char *const chosen[] = {"policy", "tick"}, *const all[] = {"*"};
    static const char *const unknown[] = {"tick", "tock"};
    const struct slice name = slice_of("fes.simulation.agent.AgentAction");
    struct err err = {0};
    struct payload_types *types = payload_types_new(PAYLOAD_PROTOBUF, payload_simulation(), &err);
    struct payload_type *some = payload_message_new(types, name, chosen, 2, &err);
    struct payload_type *each = payload_message_new(types, name, all, 1, &err);
    EXPECT_U64(some->count, 2);
    EXPECT_TEXT(some->columns[0].name, "tick");
    EXPECT_TEXT(some->columns[1].name, "policy");
    EXPECT_U64(each->count, 6);
    EXPECT(payload_message_new(types, name, unknown, 2, &err) == NULL);
    EXPECT_TEXT(err.text, "columns: the message has no field tock");
    payload_free(some);
    payload_free(each);
    payload_types_free(types);
}

/* The whole document as one column, which is what JSON is without `columns`: nested deeper than is
 * read it is a bad payload, and one bracket less is a good one. */
TEST(event_payload_json_nested_deep)
{
    struct err err = {0};
    struct payload_type *type = payload_json_new(NULL, 0, &err);
    EXPECT(type != NULL && type->count == 1);
    const struct schema schema = {"payload", type->columns, type->count};
    struct batch *rows = batch_new(&schema, NULL);
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        char text[2 * (JSON_DEPTH_MAX + 1)];
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        const struct slice payload = {(const uint8_t *)text, 2 * (size_t)depth};
        buf_reset(&type->reason);
        batch_mark(rows);
        enum payload_result result = payload_append(type, rows, 0, payload);
        EXPECT(result == (depth == JSON_DEPTH_MAX ? PAYLOAD_OK : PAYLOAD_BAD));
        batch_rollback(rows);
    }
    batch_free(rows);
    payload_free(type);
}
