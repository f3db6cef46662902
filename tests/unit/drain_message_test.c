/* SPDX-License-Identifier: MIT */
#include "drain/message.h"

#include "test.h"

static enum message_kind classify(bool any_subject, const char *subject, const char *header,
                                  const char *payload)
{
    static const char *const subjects[] = {"a.*", "b.>"};
    struct config_source settings = {.subjects = {subjects, 2}};
    struct nats_event event = {
        .subject = slice_of(subject), .header = slice_of(header), .payload = slice_of(payload)};
    return message_classify(&settings, any_subject, &event);
}

TEST(message_of_a_subject_that_is_not_configured)
{
    EXPECT_I64(classify(false, "a.x", "", "p"), MESSAGE_EVENT);
    EXPECT_I64(classify(false, "b.x.y", "", "p"), MESSAGE_EVENT);
    EXPECT_I64(classify(false, "a.x.y", "", "p"), MESSAGE_FOREIGN);
    EXPECT_I64(classify(true, "a.x.y", "", "p"), MESSAGE_EVENT);
}

TEST(message_without_its_body)
{
    static const char stripped[] = "NATS/1.0\r\nNats-Msg-Size: 17\r\n\r\n";
    EXPECT_I64(classify(true, "a.x", stripped, ""), MESSAGE_STRIPPED);
    EXPECT_I64(classify(true, "a.x", stripped, "p"), MESSAGE_EVENT);
    EXPECT_I64(classify(true, "a.x", "NATS/1.0\r\nNats-Msg-Size: 0\r\n\r\n", ""), MESSAGE_EVENT);
    EXPECT_I64(classify(true, "a.x", "", ""), MESSAGE_EVENT);
}

TEST(message_of_the_server_itself)
{
    static const char marker[] = "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: 1s\r\n\r\n";
    EXPECT_I64(classify(true, "a.x", marker, ""), MESSAGE_MARKER);
    EXPECT_I64(classify(true, "a.x", marker, "p"),
               MESSAGE_EVENT); /* servers write none with a body */
    EXPECT_I64(classify(true, "a.x", "garbage", ""), MESSAGE_EVENT);
}
