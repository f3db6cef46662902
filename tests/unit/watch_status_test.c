/* SPDX-License-Identifier: MIT */
#include "watch/status.h"

#include "base/json.h"
#include "pipeline_fixture.h"

#define NOW (1000 * CLOCK_SECOND)

static const char *page_of(struct fixture *f, struct buf *out)
{
    buf_reset(out);
    status_append(out, f->p, STATUS_PAGE, NOW);
    return buf_text(out);
}

TEST(status_page_says_how_it_is)
{
    struct fixture f;
    struct buf out = {0};
    fixture_open(&f, "<b>");
    const char *page = page_of(&f, &out);
    EXPECT(strstr(page, "ready: rows become durable</p>") != NULL);
    EXPECT(strstr(page, "<body data-level=\"good\">") != NULL);
    EXPECT(strstr(page, "&lt;b&gt;") != NULL && strstr(page, "<b>") == NULL);
    f.p->connection.state = CONNECTION_WAITING;
    f.p->pauses = 1u << FLOW_DISK_LOW | 1u << FLOW_MEMORY;
    alerts_raise(&f.p->watch.alerts, ALERT_DISK_LOW, NULL, "it & he", NOW);
    page = page_of(&f, &out);
    EXPECT(strstr(page, "not ready") != NULL && strstr(page, "not connected to NATS") != NULL);
    EXPECT(strstr(page, "<body data-level=\"bad\">") != NULL);
    EXPECT(strstr(page, ">yes: memory, disk<") != NULL);
    EXPECT(strstr(page, "<td>disk_low</td>") != NULL && strstr(page, "it &amp; he") != NULL);
    buf_free(&out);
    fixture_close(&f);
}

/* Even with all that a page can hold. */
TEST(status_page_is_small)
{
    struct fixture f;
    struct buf out = {0};
    struct epoch *epoch = epoch_new(UINT64_MAX, 2);
    fixture_open(&f, "B");
    for (int i = 0; i < 100; i++)
        stats_committed(&f.p->stats, epoch, INT64_MAX);
    for (int i = 0; i < 100; i++)
        stats_sample(&f.p->stats, (struct stats_sample){test_random() >> 1, 0, UINT64_MAX},
                     (i + 1) * STATS_INTERVAL);
    (void)page_of(&f, &out);
    EXPECT(out.len < 32 * 1024);
    epoch_free(epoch);
    buf_free(&out);
    fixture_close(&f);
}

TEST(status_commits_newest_first)
{
    struct fixture f;
    struct buf out = {0};
    struct arena arena = {0};
    struct err err = {0};
    fixture_open(&f, "B");
    for (uint64_t i = 1; i <= STATS_COMMITS + 2; i++) {
        struct epoch *epoch = epoch_new(i, 2);
        epoch->reason = EPOCH_AGE;
        stats_committed(&f.p->stats, epoch, 0);
        epoch_free(epoch);
    }
    status_append(&out, f.p, STATUS_JSON, NOW);
    const struct json *commits = json_member(json_parse(&arena, buf_slice(&out), &err), "commits");
    EXPECT(commits != NULL);
    uint64_t count = 0;
    for (const struct json *row = commits->first; row != NULL; row = row->next)
        count++;
    EXPECT_U64(count, STATS_COMMITS);
    EXPECT(slice_is(commits->first->first->next->text, "10"));
    EXPECT(slice_is(commits->first->first->next->next->text, "age"));
    arena_free(&arena);
    buf_free(&out);
    fixture_close(&f);
}
