/* SPDX-License-Identifier: MIT */
#include "pipeline/look.h"

#include <errno.h>

#include "pipeline_fixture.h"

#define NOW (1000 * CLOCK_SECOND)

static struct view_source *look_at(struct fixture *f, uint32_t source)
{
    look_fill(f->p);
    return &f->p->view.sources[source];
}

TEST(look_connection)
{
    struct fixture f;
    fixture_open(&f, "B");
    look_fill(f.p);
    EXPECT(f.p->view.client == &f.p->connection.client);
    for (int state = CONNECTION_WAITING; state < CONNECTION_READY; state++) {
        f.p->connection.state = (enum connection_state)state;
        look_fill(f.p);
        EXPECT(f.p->view.client == NULL);
    }
    fixture_close(&f);
}

TEST(look_pull)
{
    struct fixture f;
    fixture_open(&f, "B");
    EXPECT(!look_at(&f, 1)->stalled);
    EXPECT_TEXT(look_at(&f, 1)->state, "pulling");
    f.p->sources[1].pull.slots[0].token = 0;
    EXPECT(look_at(&f, 1)->stalled);
    EXPECT_TEXT(look_at(&f, 1)->state, "stalled");
    f.p->pauses = 1u << FLOW_MEMORY; /* then none is asked for */
    EXPECT(!look_at(&f, 1)->stalled);
    EXPECT_TEXT(look_at(&f, 1)->state, "paused");
    EXPECT_U64(f.p->view.pauses, f.p->pauses);
    EXPECT_TEXT(f.p->view.pause_names.name(FLOW_MEMORY), "memory");
    f.p->sources[1].state = SOURCE_RETRY;
    EXPECT(look_at(&f, 1)->stalled);
    f.p->sources[1].state = SOURCE_REFUSED;
    err_set(&f.p->sources[1].refusal, ERR_REFUSED, "it contradicts the configuration");
    EXPECT_TEXT(look_at(&f, 1)->refusal, "it contradicts the configuration");
    EXPECT(look_at(&f, 0)->refusal == NULL);
    fixture_close(&f);
}

/* The whole error may name a path, which is made of values from events. */
TEST(look_failing_commit)
{
    struct fixture f;
    fixture_open(&f, "B");
    look_fill(f.p);
    EXPECT(f.p->view.commit_failure == NULL);
    f.p->trouble.failing = true;
    err_set_system(&f.p->trouble.err, ENOSPC, "can't move a file to secret/x");
    look_fill(f.p);
    EXPECT_TEXT(f.p->view.commit_failure, strerror(ENOSPC));
    f.p->trouble.err = (struct err){.code = ERR_FORMAT, .text = "secret"};
    look_fill(f.p);
    EXPECT_TEXT(f.p->view.commit_failure, "the log says why");
    fixture_close(&f);
}

/* The open epoch, sealed ones, and those whose acks are not confirmed. */
TEST(look_oldest_of_all)
{
    struct fixture f;
    fixture_open(&f, "B");
    struct acker *a = &f.p->acker;
    struct nats_ack ack = {.prefix = slice_of("$JS.ACK.A.varve."), .delivered = 1};
    EXPECT_I64(look_at(&f, 0)->oldest, INT64_MAX);
    acker_owe(a, 0, 7, &ack, NOW - 9);
    acker_owe(a, 0, 8, &ack, NOW - 5);
    acker_owe(a, 0, 8, &ack, NOW - 4);
    EXPECT_I64(look_at(&f, 0)->oldest, NOW - 9);
    acker_committed(a, 7, NOW);
    EXPECT_I64(look_at(&f, 0)->oldest, NOW - 9);
    EXPECT_I64(look_at(&f, 1)->oldest, INT64_MAX);
    /* Of a stream that is gone they are not owed any more. */
    struct buf *created = &f.p->sources[0].generation.created;
    buf_reset(created);
    buf_append_text(created, "x");
    acker_tick(a, &f.p->connection.client, NOW);
    EXPECT_I64(look_at(&f, 0)->oldest, NOW - 5);
    fixture_close(&f);
}

/* Each alert of a source is told once; one that was resolved and stands again is not over. */
TEST(look_alerts)
{
    struct fixture f;
    fixture_open(&f, "B");
    struct source *s = &f.p->sources[1];
    s->raised = 1u << SOURCE_ALERT_DATA_LOST;
    s->resolved = 1u << SOURCE_ALERT_STREAM_MISSING | 1u << SOURCE_ALERT_CONSUMER_RECREATED;
    s->standing = 1u << SOURCE_ALERT_CONSUMER_RECREATED;
    const struct view_source *view = look_at(&f, 1);
    EXPECT_U64(view->raised, 1u << ALERT_DATA_LOST);
    EXPECT_U64(view->resolved, 1u << ALERT_STREAM_MISSING);
    view = look_at(&f, 1);
    EXPECT_U64(view->raised | view->resolved, 0);
    fixture_close(&f);
}
