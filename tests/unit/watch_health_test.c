/* SPDX-License-Identifier: MIT */
#include "watch/health.h"

#include <errno.h>

#include "pipeline_fixture.h"

#define NOW (1000 * CLOCK_SECOND)
#define MAX_AGE (10 * CLOCK_SECOND) /* of the fixture */

static void expect_reasons(struct fixture *f, const char *expected)
{
    struct buf reasons = {0};
    bool ready = health_is_ready(f->p, NOW, &reasons);
    EXPECT_TEXT(buf_text(&reasons), expected);
    EXPECT(ready == (expected[0] == '\0'));
    buf_free(&reasons);
}

TEST(health_ready)
{
    struct fixture f;
    fixture_open(&f, "B");
    expect_reasons(&f, "");
    fixture_close(&f);
}

TEST(health_disconnected)
{
    struct fixture f;
    fixture_open(&f, "B");
    for (int state = CONNECTION_WAITING; state < CONNECTION_READY; state++) {
        f.p->connection.state = (enum connection_state)state;
        f.p->sources[0].state = SOURCE_OFF;
        expect_reasons(&f, "not connected to NATS\n");
    }
    fixture_close(&f);
}

TEST(health_stalled_pull)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.p->sources[1].pull.slots[0].token = 0;
    expect_reasons(&f, "stream B: no pull is live\n");
    f.p->pauses = 1u << FLOW_MEMORY; /* then none is asked for */
    expect_reasons(&f, "");
    f.p->sources[1].state = SOURCE_RETRY;
    expect_reasons(&f, "stream B: no pull is live\n");
    fixture_close(&f);
}

TEST(health_refused)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.p->sources[0].state = SOURCE_REFUSED;
    err_set(&f.p->sources[0].refusal, ERR_REFUSED, "it contradicts the configuration");
    expect_reasons(&f, "it contradicts the configuration\n");
    fixture_close(&f);
}

TEST(health_disk)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.p->pauses = 1u << FLOW_DISK_LOW;
    expect_reasons(&f, "paused: the disk is nearly full (output.min_free)\n");
    fixture_close(&f);
}

/* The whole error may name a path, which is made of values from events. */
TEST(health_failing_commit)
{
    struct fixture f;
    struct buf expected = {0};
    fixture_open(&f, "B");
    f.p->committer.trouble.failing = true;
    err_set_system(&f.p->committer.trouble.err, ENOSPC, "can't move a file to secret/x");
    buf_printf(&expected, "the last commit failed: %s\n", strerror(ENOSPC));
    expect_reasons(&f, buf_text(&expected));
    f.p->committer.trouble.err = (struct err){.code = ERR_FORMAT, .text = "secret"};
    expect_reasons(&f, "the last commit failed: the log says why\n");
    buf_free(&expected);
    fixture_close(&f);
}

TEST(health_stopping)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.p->phase = PIPELINE_DRAINING;
    expect_reasons(&f, "stopping\n");
    fixture_close(&f);
}

TEST(health_old_event)
{
    struct fixture f;
    fixture_open(&f, "B");
    struct nats_ack ack = {.prefix = slice_of("$JS.ACK.B.varve."), .delivered = 1};
    acker_owe(&f.p->acker, 1, 1, &ack, NOW - 3 * MAX_AGE);
    EXPECT_I64(health_oldest_unacked(f.p, 0, NOW), 0);
    EXPECT_I64(health_oldest_unacked(f.p, 1, NOW), 3 * MAX_AGE);
    expect_reasons(&f, "");
    acker_committed(&f.p->acker, 1, NOW);
    acker_owe(&f.p->acker, 1, 2, &ack, NOW - 3 * MAX_AGE - CLOCK_SECOND);
    expect_reasons(&f, "stream B: the oldest unacked event has waited 31s, more than 30s\n");
    fixture_close(&f);
}

/* The open epoch, sealed ones, and those whose acks are not confirmed. */
TEST(health_oldest_of_all)
{
    struct fixture f;
    fixture_open(&f, "B");
    struct acker *a = &f.p->acker;
    struct nats_ack ack = {.prefix = slice_of("$JS.ACK.A.varve."), .delivered = 1};
    acker_owe(a, 0, 7, &ack, NOW - 9);
    acker_owe(a, 0, 8, &ack, NOW - 5);
    acker_owe(a, 0, 8, &ack, NOW - 4);
    EXPECT_I64(health_oldest_unacked(f.p, 0, NOW), 9);
    acker_committed(a, 7, NOW);
    EXPECT_I64(health_oldest_unacked(f.p, 0, NOW), 9);
    EXPECT_I64(health_oldest_unacked(f.p, 1, NOW), 0);
    f.p->sources[0].generation.created.len =
        0; /* of a stream that is gone they are not owed any more */
    buf_append_text(&f.p->sources[0].generation.created, "x");
    acker_tick(a, &f.p->connection.client, NOW);
    EXPECT_I64(health_oldest_unacked(f.p, 0, NOW), 5);
    fixture_close(&f);
}
