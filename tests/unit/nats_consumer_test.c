/* SPDX-License-Identifier: MIT */
#include "nats/consumer.h"

#include "base/clock.h"
#include "test.h"

static struct buf out;

static const char *body(const struct nats_consumer_config *c, const char *action)
{
    buf_reset(&out);
    nats_consumer_create_body(&out, "LOGGING", c, action);
    return buf_text(&out);
}

static const char *subject(const struct nats_consumer_config *c)
{
    buf_reset(&out);
    nats_consumer_create_subject(&out, "$JS.API", "LOGGING", c);
    return buf_text(&out);
}

TEST(nats_consumer_create_body_of_a_durable)
{
    struct slice filter = slice_of("logging.events.raw");
    struct nats_consumer_config c = {
        .durable = slice_of("varve"),
        .deliver = NATS_DELIVER_ALL,
        .ack = NATS_ACK_EXPLICIT,
        .ack_wait_ns = 600 * CLOCK_SECOND,
        .max_deliver = -1,
        .max_ack_pending = 500000,
        .filters = &filter,
        .filter_count = 1,
    };
    EXPECT_TEXT(body(&c, "create"),
                "{\"stream_name\":\"LOGGING\",\"config\":{\"durable_name\":\"varve\","
                "\"name\":\"varve\",\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\","
                "\"replay_policy\":\"instant\",\"ack_wait\":600000000000,\"max_deliver\":-1,"
                "\"max_ack_pending\":500000,\"filter_subject\":\"logging.events.raw\"},"
                "\"action\":\"create\"}");
    EXPECT_TEXT(subject(&c), "$JS.API.CONSUMER.CREATE.LOGGING.varve.logging.events.raw");
}

TEST(nats_consumer_create_body_of_an_ephemeral)
{
    struct slice filters[] = {slice_of("a.>"), slice_of("b.*")};
    struct nats_consumer_config c = {
        .name = slice_of("varve_x_1"),
        .deliver = NATS_DELIVER_BY_START_SEQUENCE,
        .start_seq = UINT64_C(9007199254740993),
        .ack = NATS_ACK_NONE,
        .filters = filters,
        .filter_count = 2,
        .max_waiting = 16,
        .inactive_threshold_ns = 60 * CLOCK_SECOND,
        .replicas = 1,
        .memory = true,
    };
    EXPECT_TEXT(body(&c, ""),
                "{\"stream_name\":\"LOGGING\",\"config\":{\"name\":\"varve_x_1\","
                "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":9007199254740993,"
                "\"ack_policy\":\"none\",\"replay_policy\":\"instant\","
                "\"filter_subjects\":[\"a.>\",\"b.*\"],\"inactive_threshold\":60000000000,"
                "\"num_replicas\":1,\"max_waiting\":16,\"mem_storage\":true}}");
    EXPECT_TEXT(subject(&c), "$JS.API.CONSUMER.CREATE.LOGGING.varve_x_1");
}

TEST(nats_consumer_create_body_with_a_start_time)
{
    struct nats_consumer_config c = {
        .durable = slice_of("d"),
        .deliver = NATS_DELIVER_BY_START_TIME,
        .start_time_ns = INT64_C(1795514400123456789),
        .ack = NATS_ACK_ALL,
    };
    EXPECT(strstr(body(&c, ""), "\"opt_start_time\":\"2026-11-24T10:00:00.123456789Z\"") != NULL);
    EXPECT(strstr(body(&c, ""), "filter") == NULL);
}

static struct arena arena;

static int parse(const char *json, struct nats_consumer_info *info, struct nats_api_error *error,
                 struct err *err)
{
    return nats_consumer_info_parse(slice_of(json), &arena, info, error, err);
}

static const char reply[] =
    "{\"type\":\"io.nats.jetstream.api.v1.consumer_info_response\",\"stream_name\":\"LOGGING\","
    "\"name\":\"varve\",\"created\":\"2026-11-24T10:00:00Z\",\"config\":{"
    "\"durable_name\":\"varve\",\"name\":\"varve\",\"description\":\"by hand\","
    "\"deliver_policy\":\"by_start_time\",\"opt_start_time\":\"2026-11-24T10:00:00.000000001Z\","
    "\"ack_policy\":\"explicit\",\"ack_wait\":30000000000,\"max_deliver\":-1,"
    "\"filter_subject\":\"logging.events.raw\",\"replay_policy\":\"instant\",\"max_waiting\":512,"
    "\"max_ack_pending\":1000,\"num_replicas\":0,\"sample_freq\":\"5%\",\"backoff\":[1,2],"
    "\"metadata\":{\"_nats.level\":\"1\",\"k\\\"\":[true,null,-1.5e3]},\"headers_only\":true,"
    "\"priority_groups\":[\"a\"],\"priority_policy\":\"pinned_client\","
    "\"priority_timeout\":5000000000},"
    "\"delivered\":{\"consumer_seq\":17,\"stream_seq\":9007199254740993},"
    "\"ack_floor\":{\"consumer_seq\":7,\"stream_seq\":8},\"num_ack_pending\":10,"
    "\"num_redelivered\":1,\"num_waiting\":2,\"num_pending\":3,\"paused\":true,"
    "\"pause_remaining\":5,\"cluster\":{\"leader\":\"n1\"},\"ts\":\"x\"}";

TEST(nats_consumer_info_reads_all_fields)
{
    struct nats_consumer_info i;
    struct nats_api_error error;
    struct err err = {0};
    EXPECT_I64(parse(reply, &i, &error, &err), 0);
    EXPECT(slice_is(i.stream, "LOGGING") && slice_is(i.name, "varve"));
    EXPECT(slice_is(i.config.durable, "varve") && slice_is(i.config.description, "by hand"));
    EXPECT_I64(i.config.deliver, NATS_DELIVER_BY_START_TIME);
    EXPECT_I64(i.config.start_time_ns, INT64_C(1795514400000000001));
    EXPECT_I64(i.config.ack, NATS_ACK_EXPLICIT);
    EXPECT_I64(i.config.ack_wait_ns, 30 * CLOCK_SECOND);
    EXPECT_I64(i.config.max_deliver, -1);
    EXPECT_I64(i.config.max_ack_pending, 1000);
    EXPECT_I64(i.config.max_waiting, 512);
    EXPECT_U64(i.config.filter_count, 1);
    EXPECT(slice_is(i.config.filters[0], "logging.events.raw"));
    EXPECT(i.config.headers_only && i.config.grouped && !i.config.memory);
    EXPECT_U64(i.delivered_consumer_seq, 17);
    EXPECT_U64(i.delivered_stream_seq, UINT64_C(9007199254740993));
    EXPECT_U64(i.ack_floor_consumer_seq, 7);
    EXPECT_U64(i.ack_floor_stream_seq, 8);
    EXPECT(i.ack_pending == 10 && i.redelivered == 1 && i.waiting == 2 && i.pending == 3);
    EXPECT(i.paused);
    EXPECT(slice_is(i.leader, "n1"));
}

TEST(nats_consumer_page_reads_each_consumer)
{
    struct nats_consumer_page page;
    struct nats_api_error error;
    struct err err = {0};
    struct buf text = {0};
    nats_consumer_list_body(&text, 256);
    EXPECT_TEXT(buf_text(&text), "{\"offset\":256}");
    buf_reset(&text);
    buf_printf(&text, "{\"total\":300,\"offset\":256,\"limit\":256,\"consumers\":[%s,%s]}", reply,
               "{\"name\":\"second\",\"config\":{}}");
    EXPECT_I64(nats_consumer_page_parse(buf_slice(&text), &arena, &page, &error, &err), 0);
    EXPECT(page.count == 2 && page.total == 300);
    EXPECT(slice_is(page.consumers[0].config.filters[0], "logging.events.raw"));
    EXPECT(slice_is(page.consumers[1].name, "second"));
    EXPECT_U64(page.consumers[1].config.filter_count, 0);
    buf_free(&text);
}

static int parse_page(const char *json, struct nats_consumer_page *page, struct err *err)
{
    struct nats_api_error error;
    *err = (struct err){0};
    return nats_consumer_page_parse(slice_of(json), &arena, page, &error, err);
}

TEST(nats_consumer_page_that_is_none)
{
    struct nats_consumer_page page;
    struct err err;
    EXPECT_I64(parse_page("{\"total\":0,\"consumers\":null}", &page, &err), 0);
    EXPECT_U64(page.count, 0);
    EXPECT_I64(parse_page("{\"consumers\":{}}", &page, &err), -1);
    EXPECT_I64(err.code, ERR_PROTOCOL);
    EXPECT_I64(parse_page("{\"consumers\":[1]}", &page, &err), -1);
    EXPECT_I64(err.code, ERR_PROTOCOL);

    struct buf text = {0};
    buf_append_text(&text, "{\"consumers\":[1");
    for (int i = 0; i < NATS_CONSUMER_PAGE_MAX; i++)
        buf_append_text(&text, ",1");
    buf_append_text(&text, "]}");
    EXPECT_I64(parse_page(buf_text(&text), &page, &err), -1);
    EXPECT_I64(err.code, ERR_LIMIT);
    buf_free(&text);
}

TEST(nats_consumer_info_with_several_filters_and_unknown_policies)
{
    struct nats_consumer_info i;
    struct nats_api_error error;
    struct err err = {0};
    EXPECT_I64(parse("{\"name\":\"c\",\"config\":{\"filter_subjects\":[\"a\",1,\"b\"],"
                     "\"ack_policy\":\"flow_control\",\"deliver_policy\":\"future\","
                     "\"deliver_subject\":\"push.me\"}}",
                     &i, &error, &err),
               0);
    EXPECT_U64(i.config.filter_count, 2);
    EXPECT(slice_is(i.config.filters[1], "b"));
    EXPECT_I64(i.config.ack, NATS_ACK_UNKNOWN);
    EXPECT_I64(i.config.deliver, NATS_DELIVER_UNKNOWN);
    EXPECT(slice_is(i.config.deliver_subject, "push.me"));
    EXPECT(!i.paused);
}

TEST(nats_consumer_info_errors)
{
    struct nats_consumer_info i;
    struct nats_api_error error;
    struct err err = {0};
    EXPECT_I64(parse("{\"error\":{\"code\":404,\"err_code\":10014,\"description\":\"consumer not "
                     "found\"}}",
                     &i, &error, &err),
               -1);
    EXPECT_I64(error.meaning, NATS_MEANING_NO_CONSUMER);
    err_clear(&err);
    EXPECT_I64(parse("{\"name\":\"c\"}", &i, &error, &err), -1);
    EXPECT(err.code == ERR_PROTOCOL);
    err_clear(&err);
    EXPECT_I64(parse("{\"name\":\"c\",\"config\":3}", &i, &error, &err), -1);
    err_clear(&err);
    EXPECT_I64(parse("{\"name\":\"c\",\"config\":{\"opt_start_time\":\"soon\"}}", &i, &error, &err),
               -1);
}

TEST(nats_consumer_update_keeps_what_is_not_ours)
{
    struct nats_consumer_info i;
    struct nats_api_error error;
    struct err err = {0};
    EXPECT_I64(parse(reply, &i, &error, &err), 0);
    struct slice filters[] = {slice_of("x"), slice_of("y")};
    struct nats_consumer_config wanted = {
        .durable = slice_of("varve"),
        .ack = NATS_ACK_EXPLICIT,
        .ack_wait_ns = 600 * CLOCK_SECOND,
        .max_ack_pending = 9,
        .filters = filters,
        .filter_count = 2,
    };
    buf_reset(&out);
    nats_consumer_update_body(&out, "LOGGING", &wanted, &i);
    EXPECT_TEXT(buf_text(&out),
                "{\"stream_name\":\"LOGGING\",\"config\":{\"durable_name\":\"varve\","
                "\"name\":\"varve\",\"description\":\"by hand\","
                "\"deliver_policy\":\"by_start_time\","
                "\"opt_start_time\":\"2026-11-24T10:00:00.000000001Z\","
                "\"ack_policy\":\"explicit\",\"max_deliver\":-1,\"replay_policy\":\"instant\","
                "\"max_waiting\":512,\"num_replicas\":0,\"sample_freq\":\"5%\","
                "\"metadata\":{\"_nats.level\":\"1\",\"k\\\"\":[true,null,-1.5e3]},"
                "\"ack_wait\":600000000000,\"max_ack_pending\":9,"
                "\"filter_subjects\":[\"x\",\"y\"]},\"action\":\"update\"}");
}

TEST(nats_consumer_adopts_the_start_of_an_existing_one)
{
    struct nats_consumer_config wanted = {.deliver = NATS_DELIVER_ALL};
    struct nats_consumer_config found = {.deliver = NATS_DELIVER_BY_START_SEQUENCE, .start_seq = 7};
    nats_consumer_adopt_start(&wanted, &found);
    EXPECT_I64(wanted.deliver, NATS_DELIVER_BY_START_SEQUENCE);
    EXPECT_U64(wanted.start_seq, 7);
}
