/* SPDX-License-Identifier: MIT */
#include "watch/view.h"

#include "watch_fixture.h"

static void expect_reasons(struct fixture *f, const char *expected)
{
    struct buf reasons = {0};
    bool ready = view_is_ready(&f->view, NOW, &reasons);
    EXPECT_TEXT(buf_text(&reasons), expected);
    EXPECT(ready == (expected[0] == '\0'));
    buf_free(&reasons);
    fixture_close(f);
}

TEST(view_ready)
{
    struct fixture f;
    fixture_open(&f, "B");
    expect_reasons(&f, "");
}

/* Without a connection it is no news that nothing is pulled. */
TEST(view_disconnected)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.view.client = NULL;
    f.sources[0].stalled = true;
    expect_reasons(&f, "not connected to NATS\n");
}

TEST(view_disconnected_because)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.view.client = NULL;
    f.view.down_because = "a:1: it was reached and refused the login; b:1: no answer";
    f.view.denied = "of an earlier connection\n";
    expect_reasons(&f, "not connected to NATS: a:1: it was reached and refused the login; b:1: no "
                       "answer\n");
}

TEST(view_denied)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.view.denied = "the server does not let this user do it\n";
    expect_reasons(&f, "the server does not let this user do it\n");
}

TEST(view_stalled_pull)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.sources[1].stalled = true;
    expect_reasons(&f, "stream B: no pull is live\n");
}

TEST(view_what_a_stream_waits_for)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.sources[1].stalled = true;
    f.sources[1].waits_because = "JetStream says: stream not found (404/10059)";
    expect_reasons(&f, "stream B: JetStream says: stream not found (404/10059)\n");
    fixture_open(&f, "B");
    f.sources[1].waits_because = "it was another time, and it pulls again";
    expect_reasons(&f, "");
}

/* Said once, and with what to do. */
TEST(view_a_stream_waits_for_a_permission)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.sources[1].stalled = true;
    f.sources[1].waits_because = "the server does not let this user publish to a";
    f.view.denied = "the server does not let this user publish to *: give it the permissions\n";
    expect_reasons(&f, f.view.denied);
    fixture_open(&f, "B");
    f.sources[1].stalled = true;
    f.sources[1].waits_because = "the server does not let this user publish to a";
    f.view.denied = "";
    expect_reasons(&f, "stream B: the server does not let this user publish to a\n");
}

TEST(view_refused)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.sources[0].refusal = "it contradicts the configuration";
    f.sources[0].stalled = true;
    expect_reasons(&f, "it contradicts the configuration\n");
}

TEST(view_disk_and_commits)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.view.disk_low = true;
    f.view.commit_failure = "No space left on device";
    expect_reasons(&f, "paused: the disk is nearly full (output.min_free)\n"
                       "the last commit failed: No space left on device\n");
}

/* Then nobody waits for the sources. */
TEST(view_stopping)
{
    struct fixture f;
    fixture_open(&f, "B");
    f.view.stopping = true;
    f.sources[0].stalled = true;
    expect_reasons(&f, "stopping\n");
}

TEST(view_old_event)
{
    struct fixture f;
    fixture_open(&f, "B");
    EXPECT_I64(view_oldest_unacked(&f.sources[0], NOW), 0);
    f.sources[0].oldest = NOW - 3 * MAX_AGE;
    EXPECT_I64(view_oldest_unacked(&f.sources[0], NOW), 3 * MAX_AGE);
    f.sources[1].oldest = NOW - 3 * MAX_AGE - CLOCK_SECOND;
    expect_reasons(&f, "stream B: the oldest unacked event has waited 31s, more than 30s\n");
}
