/* SPDX-License-Identifier: MIT */
#include "nats/stream.h"

#include "test.h"

static struct arena arena;

static int parse(const char *json, struct nats_stream_info *info, struct err *err)
{
    struct nats_api_error error;
    arena_reset(&arena);
    return nats_stream_info_parse(slice_of(json), &arena, info, &error, err);
}

/* Shaped like the reply of a clustered server, with fields of newer ones among them. */
static const char reply[] =
    "{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"total\":0,"
    "\"config\":{\"name\":\"LOGGING\",\"subjects\":[\"logging.events.raw\",\"logging.\\u003e\"],"
    "\"retention\":\"workqueue\",\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":1073741824,"
    "\"max_age\":86400000000000,\"discard\":\"new\",\"storage\":\"file\",\"num_replicas\":3,"
    "\"consumer_limits\":{\"max_ack_pending\":500,\"inactive_threshold\":60000000000},"
    "\"future\":[{\"a\":null}]},"
    "\"created\":\"2026-11-24T10:00:00.123456789Z\","
    "\"state\":{\"messages\":18446744073709551615,\"bytes\":9007199254740993,"
    "\"first_seq\":9007199254740993,\"first_ts\":\"2026-11-24T10:00:01Z\","
    "\"last_seq\":9007199254740999,\"last_ts\":\"2026-11-24T10:00:02.5Z\",\"num_deleted\":3,"
    "\"deleted\":[9007199254740994,null,9007199254740996,9007199254740998],"
    "\"consumer_count\":2},\"ts\":\"2026-11-24T10:00:03Z\",\"cluster\":{\"name\":\"c1\",\"leader\":"
    "\"n2\"}}";

TEST(nats_stream_info_reads_all_fields)
{
    struct nats_stream_info i;
    struct err err = {0};
    EXPECT_I64(parse(reply, &i, &err), 0);
    EXPECT(slice_is(i.name, "LOGGING") && slice_is(i.created, "2026-11-24T10:00:00.123456789Z"));
    EXPECT_I64(i.created_ns, INT64_C(1795514400123456789)); /* date -d ... +%s */
    EXPECT_I64(i.retention, NATS_RETENTION_WORKQUEUE);
    EXPECT_I64(i.discard, NATS_DISCARD_NEW);
    EXPECT_I64(i.max_age_ns, INT64_C(86400000000000));
    EXPECT_I64(i.max_bytes, 1073741824);
    EXPECT_I64(i.max_messages, -1);
    EXPECT_U64(i.replicas, 3);
    EXPECT(!i.memory);
    EXPECT_I64(i.server_ns, INT64_C(1795514403000000000));
    EXPECT_U64(i.messages, UINT64_MAX);
    EXPECT_U64(i.bytes, UINT64_C(9007199254740993)); /* 2^53 + 1 */
    EXPECT_U64(i.first_seq, UINT64_C(9007199254740993));
    EXPECT_U64(i.last_seq, UINT64_C(9007199254740999));
    EXPECT_I64(i.first_ns, INT64_C(1795514401000000000));
    EXPECT_I64(i.last_ns, INT64_C(1795514402500000000));
    EXPECT_U64(i.deleted, 3);
    EXPECT_U64(i.deleted_count, 3);
    EXPECT_U64(i.deleted_list[0], UINT64_C(9007199254740994));
    EXPECT_U64(i.deleted_list[2], UINT64_C(9007199254740998));
    EXPECT_U64(i.consumers, 2);
    EXPECT_I64(i.consumer_max_ack_pending, 500);
    EXPECT_I64(i.consumer_inactive_threshold_ns, INT64_C(60000000000));
    EXPECT_U64(i.subject_count, 2);
    EXPECT(slice_is(i.subjects[1], "logging.>"));
    EXPECT(slice_is(i.leader, "n2"));
}

TEST(nats_stream_info_of_an_empty_stream)
{
    struct nats_stream_info i;
    struct err err = {0};
    EXPECT_I64(parse("{\"config\":{\"name\":\"S\",\"retention\":\"interest\",\"max_bytes\":-1},"
                     "\"created\":\"2026-11-24T10:00:00Z\",\"state\":{\"messages\":0,\"bytes\":0,"
                     "\"first_seq\":0,\"first_ts\":\"0001-01-01T00:00:00Z\",\"last_seq\":0,"
                     "\"last_ts\":\"0001-01-01T00:00:00Z\",\"consumer_count\":0}}",
                     &i, &err),
               0);
    EXPECT(i.first_seq == 0 && i.last_seq == 0 && i.first_ns == 0 && i.last_ns == 0);
    EXPECT_I64(i.retention, NATS_RETENTION_INTEREST);
    EXPECT_I64(i.discard, NATS_DISCARD_OLD);
    EXPECT_U64(i.subject_count, 0);
    EXPECT_U64(i.leader.len, 0);
}

TEST(nats_stream_info_without_what_matters_is_refused)
{
    const char *const bad[] = {
        "{}",
        "{\"config\":{},\"created\":\"x\",\"state\":{\"first_seq\":1,\"last_seq\":1}}",
        "{\"config\":{\"name\":\"S\"},\"state\":{\"first_seq\":1,\"last_seq\":1}}",
        "{\"config\":{\"name\":\"S\"},\"created\":\"x\",\"state\":{\"first_seq\":1}}",
        "{\"config\":{\"name\":\"S\"},\"created\":\"x\",\"state\":{\"first_seq\":-1,\"last_seq\":1}"
        "}",
        "{\"config\":{\"name\":\"S\"},\"created\":\"x\",\"state\":{\"first_seq\":1.5,\"last_seq\":"
        "1}}",
        "{\"config\":[],\"created\":\"x\",\"state\":7}",
    };
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        struct nats_stream_info i;
        struct err err = {0};
        EXPECT_I64(parse(bad[k], &i, &err), -1);
        EXPECT(err.code == ERR_PROTOCOL);
    }
}

TEST(nats_stream_get_one_message)
{
    struct buf body = {0};
    nats_stream_get_body(&body, UINT64_MAX);
    EXPECT_TEXT(buf_text(&body), "{\"seq\":18446744073709551615}");
    buf_reset(&body);
    nats_stream_next_body(&body, 7, slice_of("a.\">"));
    EXPECT_TEXT(buf_text(&body), "{\"seq\":7,\"next_by_subj\":\"a.\\\">\"}");
    buf_reset(&body);
    nats_stream_last_body(&body, slice_of("a.>"));
    EXPECT_TEXT(buf_text(&body), "{\"last_by_subj\":\"a.>\"}");
    buf_free(&body);

    struct nats_stored_message m;
    struct nats_api_error error;
    struct err err = {0};
    arena_reset(&arena);
    EXPECT_I64(nats_stored_message_parse(
                   slice_of("{\"type\":\"t\",\"message\":{\"subject\":\"a.b\",\"seq\":42,"
                            "\"data\":\"aGk=\",\"time\":\"2026-11-24T10:00:00.000000001Z\"}}"),
                   &arena, &m, &error, &err),
               0);
    EXPECT(slice_is(m.subject, "a.b"));
    EXPECT_U64(m.sequence, 42);
    EXPECT_I64(m.time_ns, INT64_C(1795514400000000001));
    EXPECT_U64(m.header.len, 0);
    EXPECT_I64(
        nats_stored_message_parse(
            slice_of("{\"message\":{\"subject\":\"a\",\"seq\":1,\"hdrs\":\"TkFUUy8xLjANCg0K\","
                     "\"time\":\"2026-11-24T10:00:00Z\"}}"),
            &arena, &m, &error, &err),
        0);
    EXPECT(slice_is(m.header, "NATS/1.0\r\n\r\n"));
    EXPECT_I64(nats_stored_message_parse(
                   slice_of("{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"x\"}}"),
                   &arena, &m, &error, &err),
               -1);
    EXPECT_I64(error.meaning, NATS_MEANING_NO_MESSAGE);
    err_clear(&err);
    EXPECT_I64(nats_stored_message_parse(
                   slice_of("{\"message\":{\"subject\":\"a\",\"seq\":1,\"time\":\"later\"}}"),
                   &arena, &m, &error, &err),
               -1);
}

TEST(nats_stream_names_of_a_subject)
{
    static const struct {
        const char *reply, *first;
        bool more;
    } cases[] = {
        {"{\"total\":0,\"streams\":null}", "", false},
        {"{\"total\":0}", "", false},
        {"{\"streams\":[]}", "", false},
        {"{\"streams\":[\"A\"]}", "A", false},
        {"{\"streams\":[\"A\",\"B\"]}", "A", true},
    };
    struct buf body = {0};
    struct slice first;
    struct nats_api_error error;
    struct err err = {0};
    bool more;
    nats_stream_names_body(&body, slice_of("a.>"));
    EXPECT_TEXT(buf_text(&body), "{\"subject\":\"a.>\"}");
    buf_free(&body);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EXPECT_I64(
            nats_stream_names_parse(slice_of(cases[i].reply), &arena, &first, &more, &error, &err),
            0);
        EXPECT(slice_is(first, cases[i].first) && more == cases[i].more);
    }
    EXPECT_I64(
        nats_stream_names_parse(slice_of("{\"streams\":[7]}"), &arena, &first, &more, &error, &err),
        -1);
    EXPECT_I64(err.code, ERR_PROTOCOL);
}

TEST(nats_stream_create_body_is_json_with_the_subjects)
{
    struct buf body = {0};
    struct err err = {0};
    struct slice subjects[] = {slice_of("a.\"b"), slice_of("c.>")};
    nats_stream_create_body(&body, "S", subjects, 2);
    const struct json *root = json_parse(&arena, buf_slice(&body), &err);
    EXPECT(root != NULL);
    const struct json *list = json_member(root, "subjects");
    EXPECT(slice_is(list->first->text, "a.\"b") && slice_is(list->first->next->text, "c.>"));
    struct slice text;
    EXPECT(json_get_text(root, "retention", &text) && slice_is(text, "limits"));
    buf_free(&body);
}
