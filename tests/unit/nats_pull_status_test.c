/* SPDX-License-Identifier: MIT */
#include "nats/pull.h"

#include <stdio.h>

#include "test.h"

static struct nats_status classify(int code, const char *text, const char *lines)
{
    static char block[512];
    struct nats_header header;
    snprintf(block, sizeof(block), "NATS/1.0 %d%s%s\r\n%s\r\n", code, text[0] ? " " : "", text,
             lines);
    EXPECT(nats_header_parse(slice_of(block), &header));
    return nats_status_classify(&header);
}

/* Every status of nats.md section 4.3. */
TEST(nats_pull_status_knows_every_status)
{
    static const struct {
        int code;
        const char *text;
        enum nats_status_kind kind;
        uint64_t limit;
    } cases[] = {
        {100, "Idle Heartbeat", NATS_STATUS_HEARTBEAT, 0},
        {404, "No Messages", NATS_STATUS_NO_MESSAGES, 0},
        {408, "Request Timeout", NATS_STATUS_EXPIRED, 0},
        {408, "Interest Expired", NATS_STATUS_EXPIRED, 0},
        {408, "Requests Pending", NATS_STATUS_EXPIRED, 0},
        {400, "Bad Request - heartbeat value too large", NATS_STATUS_BAD_REQUEST, 0},
        {409, "Exceeded MaxRequestBatch of 100", NATS_STATUS_MAX_BATCH, 100},
        {409, "Exceeded MaxRequestExpires of 1m30s", NATS_STATUS_MAX_EXPIRES,
         UINT64_C(90000000000)},
        {409, "Exceeded MaxRequestMaxBytes of 65536", NATS_STATUS_MAX_BYTES, 65536},
        {409, "Exceeded MaxWaiting", NATS_STATUS_MAX_WAITING, 0},
        {409, "Message Size Exceeds MaxBytes", NATS_STATUS_TOO_BIG, 0},
        {409, "Batch Completed", NATS_STATUS_COMPLETED, 0},
        {409, "Consumer Deleted", NATS_STATUS_DELETED, 0},
        {409, "Leadership Change", NATS_STATUS_LEADER_CHANGE, 0},
        {409, "Server Shutdown", NATS_STATUS_SHUTDOWN, 0},
        {409, "Consumer is push based", NATS_STATUS_PUSH_CONSUMER, 0},
        {412, "Required Api Level", NATS_STATUS_BAD_REQUEST, 0},
        {423, "Nats-Pin-Id mismatch", NATS_STATUS_PIN_LOST, 0},
        {423, "Nats-Wrong-Pin-Id", NATS_STATUS_PIN_LOST, 0},
        {503, "", NATS_STATUS_NO_RESPONDERS, 0},
        {409, "consumer DELETED", NATS_STATUS_DELETED, 0},
        {409, "Something Else", NATS_STATUS_OTHER, 0},
        {409, "", NATS_STATUS_OTHER, 0},
        {777, "", NATS_STATUS_OTHER, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nats_status s = classify(cases[i].code, cases[i].text, "");
        EXPECT_I64(s.kind, cases[i].kind);
        EXPECT_U64(s.limit, cases[i].limit);
    }
}

TEST(nats_pull_status_heartbeat_names_the_last_delivery)
{
    struct nats_status s =
        classify(100, "Idle Heartbeat", "Nats-Last-Consumer: 17\r\nNats-Last-Stream: 19\r\n");
    EXPECT_U64(s.last_consumer_seq, 17);
    EXPECT_U64(classify(100, "Idle Heartbeat", "Nats-Last-Consumer: x\r\n").last_consumer_seq, 0);
}

static uint64_t expires(const char *duration)
{
    char text[100];
    snprintf(text, sizeof(text), "Exceeded MaxRequestExpires of %s", duration);
    return classify(409, text, "").limit;
}

TEST(nats_pull_status_reads_durations_as_go_prints_them)
{
    EXPECT_U64(expires("30s"), UINT64_C(30000000000));
    EXPECT_U64(expires("1h0m0s"), UINT64_C(3600000000000));
    EXPECT_U64(expires("1.5s"), UINT64_C(1000000000)); /* rounded down */
    EXPECT_U64(expires("250ms"), 250000000);
    EXPECT_U64(expires("10\xc2\xb5s"), 10000);
    EXPECT_U64(expires("7ns"), 7);
    EXPECT_U64(expires("soon"), 0);
    EXPECT_U64(expires("5"), 0);
    EXPECT_U64(expires("5x"), 0);
    EXPECT_U64(expires("99999999999999999999s"), 0);
    EXPECT_U64(expires("9999999999999999h"), 0);
}

TEST(nats_pull_status_limits_that_are_no_numbers_are_unknown)
{
    EXPECT_U64(classify(409, "Exceeded MaxRequestBatch of many", "").limit, 0);
    EXPECT_U64(classify(409, "Exceeded MaxRequestBatch", "").limit, 0);
    EXPECT_U64(classify(409, "Exceeded MaxRequestMaxBytes of -1", "").limit, 0);
}
