/* SPDX-License-Identifier: MIT */
#include "nats/pull.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#define S CLOCK_SECOND
#define MIB (1024 * 1024)

static const struct nats_options plain = {.name = "t", .random_key = {1, 2}};
static struct nats_client c;
static struct nats_pull p;
static struct err err;

/* A client that is ready and a pull that is open, with nothing in the output. */
static void open_pull(uint64_t target)
{
    nats_client_start(&c, &plain, 0);
    const char *hello = "INFO {\"headers\":true}\r\nPONG\r\n";
    struct nats_space space = nats_client_space(&c);
    struct nats_event event;
    memcpy(space.data, hello, strlen(hello));
    nats_client_received(&c, strlen(hello), 0);
    EXPECT_I64(nats_client_next(&c, 0, &event, &err), 1);
    EXPECT_I64(nats_pull_open(&p, &c, "$JS.API", "S", "C", target, &p, 0, &err), 0);
    buf_reset(&c.out);
}

static enum nats_pull_need tick(int64_t now)
{
    return nats_pull_tick(&p, &c, now);
}

/* How many pulls the output holds, which is then forgotten. */
static int sent_pulls(void)
{
    int count = 0;
    const char *at = buf_text(&c.out);
    while ((at = strstr(at, "CONSUMER.MSG.NEXT")) != NULL) {
        count++;
        at++;
    }
    buf_reset(&c.out);
    return count;
}

static void message(uint32_t slot, uint64_t bytes, int64_t now)
{
    struct nats_event event = {.kind = NATS_EVENT_MESSAGE, .slot = slot, .bytes = bytes};
    nats_pull_message(&p, &event, now);
}

/* A status to the pull with this token in this slot. */
static enum nats_pull_need status_to(uint32_t slot, uint64_t token, const char *first_line,
                                     int64_t now)
{
    char subject[100], block[200];
    snprintf(subject, sizeof(subject), "_INBOX.x.p%u.%llu", (unsigned)slot,
             (unsigned long long)token);
    snprintf(block, sizeof(block), "NATS/1.0 %s\r\n\r\n", first_line);
    struct nats_event event = {
        .kind = NATS_EVENT_STATUS, .slot = slot, .subject = slice_of(subject)};
    EXPECT(nats_header_parse(slice_of(block), &event.status));
    return nats_pull_status(&p, &event, now);
}

static enum nats_pull_need status(uint32_t slot, const char *first_line, int64_t now)
{
    return status_to(slot, p.slots[slot].token, first_line, now);
}

TEST(nats_pull_subscribes_each_slot_and_asks_for_the_target)
{
    nats_client_start(&c, &plain, 0);
    EXPECT_I64(nats_pull_open(&p, &c, "$JS.hub.API", "S", "C", 16 * MIB, &p, 0, &err), 0);
    int subs = 0;
    for (const char *at = buf_text(&c.out); (at = strstr(at, "SUB _INBOX.")) != NULL; at++)
        subs++;
    EXPECT_I64(subs, NATS_PULL_SLOTS);
    buf_reset(&c.out);
    EXPECT_I64(nats_pull_deadline(&p), 0);
    EXPECT_I64(tick(0), NATS_PULL_NEEDS_NOTHING);
    EXPECT(strncmp(buf_text(&c.out), "PUB $JS.hub.API.CONSUMER.MSG.NEXT.S.C _INBOX.", 45) == 0);
    EXPECT(strstr(buf_text(&c.out), ".p0.1 ") != NULL);
    EXPECT(strstr(buf_text(&c.out),
                  "\r\n{\"expires\":30000000000,\"batch\":1000000,\"max_bytes\":16777216,"
                  "\"idle_heartbeat\":5000000000}\r\n") != NULL);
    EXPECT_I64(sent_pulls(), 1);
    EXPECT_U64(nats_pull_outstanding(&p), 16 * MIB);
    EXPECT(nats_pull_is_live(&p));
    nats_pull_free(&p);
    nats_client_free(&c);
}

TEST(nats_pull_asks_again_when_half_has_arrived)
{
    open_pull(1000000);
    tick(0);
    EXPECT_I64(sent_pulls(), 1);
    message(0, 499999, 1);
    tick(1);
    EXPECT_I64(sent_pulls(), 0);
    message(0, 1, 1);
    tick(1);
    EXPECT(strstr(buf_text(&c.out), "\"max_bytes\":500000,") != NULL);
    EXPECT_I64(sent_pulls(), 1);
    EXPECT_U64(nats_pull_outstanding(&p), 1000000);
    EXPECT(p.slots[0].token == 1 && p.slots[1].token == 2);
}

TEST(nats_pull_outstanding_never_exceeds_the_target)
{
    open_pull(1000000);
    for (int i = 0; i < 100000; i++) {
        tick(i);
        EXPECT(nats_pull_outstanding(&p) <= 1000000);
        uint32_t slot = (uint32_t)(test_random() % NATS_PULL_SLOTS);
        if (p.slots[slot].token != 0) {
            if (test_random() % 50 == 0)
                EXPECT_I64(status(slot, "409 Message Size Exceeds MaxBytes", i),
                           NATS_PULL_NEEDS_NOTHING);
            else
                message(slot, test_random() % 3000, i);
        }
        p.oversize = 0; /* the random ends above also hit pulls that brought nothing */
        buf_reset(&c.out);
    }
}

TEST(nats_pull_target_is_capped_below_what_the_server_disconnects_for)
{
    open_pull(UINT64_C(1) << 40);
    tick(0);
    EXPECT_U64(nats_pull_outstanding(&p), 32 * MIB);
    nats_pull_set_target(&p, 4 * MIB);
    EXPECT_I64(status(0, "408 Request Timeout", 30 * S), NATS_PULL_NEEDS_NOTHING);
    tick(30 * S);
    EXPECT_U64(nats_pull_outstanding(&p), 4 * MIB);
}

TEST(nats_pull_that_is_used_up_ends_without_a_status)
{
    open_pull(1000);
    tick(0);
    message(0, 1000, 1);
    EXPECT(!nats_pull_is_live(&p));
    tick(1);
    EXPECT_I64(sent_pulls(), 2);
}

TEST(nats_pull_statuses_that_end_a_pull_and_need_nothing)
{
    const char *const statuses[] = {"404 No Messages",
                                    "408 Request Timeout",
                                    "408 Interest Expired",
                                    "409 Message Size Exceeds MaxBytes",
                                    "409 Batch Completed",
                                    "409 Exceeded MaxWaiting",
                                    "423 Nats-Pin-Id mismatch",
                                    "409 Never Heard Of",
                                    "999"};
    open_pull(1000000);
    int64_t now = 0;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        tick(now);
        EXPECT_I64(sent_pulls(), 1);
        message(0, 10, now);
        EXPECT_I64(status(0, statuses[i], now), NATS_PULL_NEEDS_NOTHING);
        EXPECT(!nats_pull_is_live(&p));
        now += 2 * S; /* longer than any pause */
    }
    tick(now);
    EXPECT_I64(sent_pulls(), 1);
}

TEST(nats_pull_never_asks_as_fast_as_a_server_refuses)
{
    const char *const statuses[] = {"404 No Messages",         "408 Interest Expired",
                                    "409 Leadership Change",   "409 Server Shutdown",
                                    "409 Exceeded MaxWaiting", "999 x"};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        nats_pull_free(&p);
        open_pull(1000);
        tick(0);
        EXPECT_I64(sent_pulls(), 1);
        status(0, statuses[i], 1);
        tick(1);
        EXPECT_I64(sent_pulls(), 0);
        int64_t again = nats_pull_deadline(&p);
        EXPECT(again >= 1 + NATS_PULL_RETRY_PAUSE && again <= 1 + NATS_PULL_CROWDED_PAUSE);
        tick(again);
        EXPECT_I64(sent_pulls(), 1);
    }
}

TEST(nats_pull_max_waiting_backs_off_for_a_second)
{
    open_pull(1000);
    tick(0);
    EXPECT_I64(status(0, "409 Exceeded MaxWaiting", 5), NATS_PULL_NEEDS_NOTHING);
    EXPECT_I64(nats_pull_deadline(&p), 5 + S);
}

TEST(nats_pull_status_of_a_pull_that_is_over_is_ignored)
{
    open_pull(1000);
    tick(0);
    EXPECT_I64(status_to(0, 1, "409 Leadership Change", 1), NATS_PULL_LEADER_CHANGED);
    EXPECT_I64(status_to(0, 1, "409 Consumer Deleted", 2), NATS_PULL_NEEDS_NOTHING);
    tick(S);
    EXPECT_U64(p.slots[0].token, 2);
    EXPECT_I64(status_to(0, 1, "409 Consumer Deleted", S), NATS_PULL_NEEDS_NOTHING);
    EXPECT_I64(status_to(1, 2, "409 Consumer Deleted", S),
               NATS_PULL_NEEDS_NOTHING); /* other slot */
    EXPECT_I64(status_to(NATS_PULL_SLOTS, 2, "409 Consumer Deleted", S), NATS_PULL_NEEDS_NOTHING);
    EXPECT(nats_pull_is_live(&p));
}

TEST(nats_pull_consumer_gone_halts_until_resumed)
{
    const char *const statuses[] = {"409 Consumer Deleted", "503"};
    for (size_t i = 0; i < 2; i++) {
        nats_pull_free(&p);
        open_pull(1000);
        tick(0);
        buf_reset(&c.out);
        EXPECT_I64(status(0, statuses[i], 1), NATS_PULL_CONSUMER_GONE);
        tick(100);
        EXPECT_I64(sent_pulls(), 0);
        EXPECT_I64(nats_pull_deadline(&p), INT64_MAX);
        nats_pull_resume(&p);
        tick(101);
        EXPECT_I64(sent_pulls(), 1);
    }
}

TEST(nats_pull_consumer_gone_is_told_once_for_all_live_pulls)
{
    open_pull(1000);
    tick(0);
    message(0, 600, 1);
    tick(1);
    EXPECT_I64(status(0, "409 Consumer Deleted", 2), NATS_PULL_CONSUMER_GONE);
    EXPECT_I64(status(1, "409 Consumer Deleted", 2), NATS_PULL_NEEDS_NOTHING);
}

TEST(nats_pull_configuration_errors_halt)
{
    open_pull(1000);
    tick(0);
    EXPECT_I64(status(0, "409 Consumer is push based", 1), NATS_PULL_PUSH_CONSUMER);
    nats_pull_free(&p);
    open_pull(1000);
    tick(0);
    EXPECT_I64(status(0, "400 Bad Request - heartbeat value too large", 1), NATS_PULL_BAD_REQUEST);
    nats_pull_free(&p);
    open_pull(1000);
    tick(0);
    EXPECT_I64(status(0, "409 Server Shutdown", 1), NATS_PULL_SERVER_SHUTDOWN);
    EXPECT(!p.halted);
}

TEST(nats_pull_heartbeat_tells_the_last_delivery_and_keeps_the_pull)
{
    open_pull(1000);
    tick(0);
    EXPECT_I64(status(0, "100 Idle Heartbeat\r\nNats-Last-Consumer: 77", 5 * S),
               NATS_PULL_HEARD_HEARTBEAT);
    EXPECT_U64(p.last_consumer_seq, 77);
    EXPECT(nats_pull_is_live(&p));
    EXPECT_I64(nats_pull_deadline(&p), 16 * S);
}

TEST(nats_pull_silence_of_all_pulls_probes_and_asks_for_the_consumer)
{
    open_pull(1000);
    tick(0);
    buf_reset(&c.out);
    EXPECT_I64(nats_pull_deadline(&p), 11 * S); /* two heartbeats and a second */
    EXPECT_I64(tick(11 * S - 1), NATS_PULL_NEEDS_NOTHING);
    c.session.last_received = 11 * S;
    EXPECT_I64(tick(11 * S), NATS_PULL_SILENT);
    EXPECT_TEXT(buf_text(&c.out), "PING\r\n");
    EXPECT(!nats_pull_is_live(&p));
    EXPECT_I64(tick(12 * S), NATS_PULL_NEEDS_NOTHING); /* told once */
    nats_pull_resume(&p);
    tick(13 * S);
    EXPECT_U64(p.slots[0].token, 2);
}

TEST(nats_pull_silence_of_one_pull_voids_only_that)
{
    open_pull(1000);
    tick(0);
    message(0, 600, 1);
    tick(1);
    EXPECT(p.slots[0].token != 0 && p.slots[1].token != 0);
    message(1, 10, 8 * S);
    EXPECT_I64(tick(11 * S + 1), NATS_PULL_NEEDS_NOTHING);
    EXPECT(p.slots[1].token == 2);
    EXPECT(p.slots[0].token != 1); /* void; perhaps in use again */
}

TEST(nats_pull_data_after_the_end_of_a_pull_is_no_fault)
{
    open_pull(1000);
    tick(0);
    status(0, "409 Leadership Change", 1);
    message(0, 5000, 2);
    message(NATS_PULL_SLOTS + 3, 5000, 2);
    EXPECT_U64(nats_pull_outstanding(&p), 0);
}

TEST(nats_pull_message_larger_than_the_pull_makes_it_grow_and_passes)
{
    open_pull(MIB);
    int64_t now = 0;
    uint64_t size = 10 * MIB;
    int rounds = 0;
    for (;;) {
        tick(now);
        EXPECT_I64(sent_pulls(), 1);
        if (p.slots[0].asked >= size)
            break;
        EXPECT_I64(status(0, "409 Message Size Exceeds MaxBytes", now), NATS_PULL_NEEDS_NOTHING);
        rounds++;
        now++;
    }
    EXPECT_I64(rounds, 4);                /* 1, 2, 4 and 8 MiB were too little */
    EXPECT_U64(p.slots[0].batch_left, 1); /* no second message can come with this many bytes */
    message(0, size, now);
    tick(now);
    EXPECT(strstr(buf_text(&c.out), "\"batch\":1000000,\"max_bytes\":1048576,") != NULL);
}

TEST(nats_pull_that_delivered_something_does_not_grow)
{
    open_pull(MIB);
    tick(0);
    message(0, MIB - 10, 0);
    EXPECT_I64(status(0, "409 Message Size Exceeds MaxBytes", 0), NATS_PULL_NEEDS_NOTHING);
    EXPECT_U64(p.oversize, 0);
}

TEST(nats_pull_message_larger_than_every_limit_is_told)
{
    open_pull(32 * MIB);
    enum nats_pull_need need = NATS_PULL_NEEDS_NOTHING;
    for (int i = 0; i < 10 && need == NATS_PULL_NEEDS_NOTHING; i++) {
        tick(i);
        EXPECT(p.slots[0].asked <= NATS_MESSAGE_MAX);
        need = status(0, "409 Message Size Exceeds MaxBytes", i);
    }
    EXPECT_I64(need, NATS_PULL_MESSAGE_TOO_BIG);
    EXPECT(p.halted);
}

TEST(nats_pull_never_asks_for_a_message_that_there_is_no_memory_for)
{
    open_pull(MIB);
    nats_pull_set_message_max(&p, 3 * MIB, 0);
    enum nats_pull_need need = NATS_PULL_NEEDS_NOTHING;
    uint64_t most = 0;
    for (int i = 0; i < 10 && need == NATS_PULL_NEEDS_NOTHING; i++) {
        tick(i);
        most = p.slots[0].asked > most ? p.slots[0].asked : most;
        need = status(0, "409 Message Size Exceeds MaxBytes", i);
    }
    EXPECT_U64(most, 3 * MIB);
    EXPECT_I64(need, NATS_PULL_MESSAGE_TOO_BIG);
}

/* Between the two limits it waits for the owner, and nothing is asked for meanwhile. */
TEST(nats_pull_asks_for_a_large_message_when_it_may)
{
    open_pull(MIB);
    nats_pull_set_message_max(&p, 3 * MIB, 20 * MIB);
    int64_t now = 0;
    for (; nats_pull_large(&p) == 0 && now < 10; now++) {
        tick(now);
        EXPECT(p.slots[0].asked <= 3 * MIB);
        EXPECT_I64(status(0, "409 Message Size Exceeds MaxBytes", now), NATS_PULL_NEEDS_NOTHING);
    }
    EXPECT_U64(nats_pull_large(&p), 6 * MIB); /* after 1, 2 and 3 */
    tick(now);
    EXPECT(!nats_pull_is_live(&p));
    EXPECT_I64(nats_pull_deadline(&p), INT64_MAX); /* it has nothing to do */
    nats_pull_allow_large(&p, true);
    tick(now);
    EXPECT_U64(p.slots[0].asked, 6 * MIB);
    EXPECT_U64(p.slots[0].batch_left, 1);
    message(0, 5 * MIB, now);
    EXPECT_U64(nats_pull_large(&p), 0);
    tick(now);
    EXPECT_U64(p.slots[0].asked, MIB);
    nats_pull_close(&p, &c);
    EXPECT_U64(nats_pull_large(&p), 0);
}

TEST(nats_pull_forgets_a_large_message_that_does_not_come)
{
    open_pull(MIB);
    nats_pull_set_message_max(&p, MIB, 4 * MIB);
    tick(0);
    status(0, "409 Message Size Exceeds MaxBytes", 0);
    nats_pull_allow_large(&p, true);
    tick(1);
    EXPECT_U64(p.slots[0].asked, 2 * MIB);
    status(0, "408 Request Timeout", 31 * S); /* somebody has removed it */
    EXPECT_U64(nats_pull_large(&p), 0);
    tick(31 * S);
    EXPECT_U64(p.slots[0].asked, MIB);
}

TEST(nats_pull_clamps_to_the_limits_of_the_consumer)
{
    open_pull(6 * MIB);
    tick(0);
    sent_pulls();
    EXPECT_I64(status(0, "409 Exceeded MaxRequestMaxBytes of 1048576", 0), NATS_PULL_NEEDS_NOTHING);
    tick(0);
    EXPECT(strstr(buf_text(&c.out), "\"max_bytes\":1048576,") != NULL);
    EXPECT_I64(sent_pulls(), 4); /* until more than half of the target is on the way */
    EXPECT_I64(status(0, "409 Exceeded MaxRequestBatch of 100", 0), NATS_PULL_NEEDS_NOTHING);
    EXPECT_I64(status(1, "409 Exceeded MaxRequestExpires of 6s", 0), NATS_PULL_NEEDS_NOTHING);
    tick(0);
    EXPECT(strstr(buf_text(&c.out), "{\"expires\":6000000000,\"batch\":100,\"max_bytes\":1048576,"
                                    "\"idle_heartbeat\":3000000000}") != NULL);
}

TEST(nats_pull_clamp_without_a_readable_limit_halves)
{
    open_pull(MIB);
    tick(0);
    status(0, "409 Exceeded MaxRequestBatch of lots", 0);
    EXPECT_U64(p.batch_max, 500000);
    tick(0);
    status(0, "409 Exceeded MaxRequestMaxBytes of 99999999999999999999", 0);
    EXPECT(p.bytes_max <= MIB / 2);
    for (int i = 0; i < 100; i++) { /* never down to nothing */
        tick(i);
        status(0, "409 Exceeded MaxRequestBatch", i);
    }
    EXPECT_U64(p.batch_max, 1);
}

TEST(nats_pull_batch_of_the_consumer_ends_by_itself)
{
    open_pull(MIB);
    tick(0);
    status(0, "409 Exceeded MaxRequestBatch of 2", 0);
    tick(0);
    uint64_t token = p.slots[0].token;
    message(0, 10, 0);
    message(0, 10, 0);
    EXPECT_U64(p.slots[0].token, 0);
    EXPECT_I64(status_to(0, token, "409 Batch Completed", 0), NATS_PULL_NEEDS_NOTHING);
}

TEST(nats_pull_paused_asks_for_nothing_and_takes_what_comes)
{
    open_pull(1000);
    tick(0);
    sent_pulls();
    nats_pull_pause(&p, true);
    message(0, 1000, 1);
    tick(2);
    EXPECT_I64(sent_pulls(), 0);
    EXPECT_I64(nats_pull_deadline(&p), INT64_MAX);
    nats_pull_pause(&p, false);
    tick(3);
    EXPECT_I64(sent_pulls(), 1);
}

TEST(nats_pull_close_unsubscribes_and_opens_again_with_other_names)
{
    open_pull(1000);
    tick(0);
    char *before = strdup(buf_text(&p.inbox));
    buf_reset(&c.out);
    nats_pull_close(&p, &c);
    int unsubs = 0;
    for (const char *at = buf_text(&c.out); (at = strstr(at, "UNSUB ")) != NULL; at++)
        unsubs++;
    EXPECT_I64(unsubs, NATS_PULL_SLOTS);
    EXPECT_I64(tick(1), NATS_PULL_NEEDS_NOTHING);
    EXPECT_I64(nats_pull_open(&p, &c, "$JS.API", "S", "D", 1000, &p, 1, &err), 0);
    EXPECT(strcmp(before, buf_text(&p.inbox)) != 0);
    free(before);
    nats_pull_close(&p, NULL); /* the connection is gone */
    nats_client_start(&c, &plain, 2);
    EXPECT_I64(nats_pull_open(&p, &c, "$JS.API", "S", "D", 1000, &p, 2, &err), 0);
}

TEST(nats_pull_open_without_subscriptions_left_fails_and_takes_none)
{
    nats_client_start(&c, &plain, 0);
    for (int i = 0; i < NATS_SUBSCRIPTIONS_MAX - 3; i++)
        EXPECT(nats_client_subscribe(&c, slice_of("a"), NULL, 0) != 0);
    EXPECT_I64(nats_pull_open(&p, &c, "$JS.API", "S", "C", 1000, &p, 0, &err), -1);
    EXPECT(err.code == ERR_LIMIT);
    for (int i = 0; i < 3; i++)
        EXPECT(nats_client_subscribe(&c, slice_of("a"), NULL, 0) != 0);
}
