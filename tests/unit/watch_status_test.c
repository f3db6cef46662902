/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include "base/json.h"
#include "base/num.h"
#include "watch_fixture.h"

static const char *page_of(struct fixture *f, struct buf *out)
{
    buf_reset(out);
    page_append(out, &f->watch, NOW);
    return buf_text(out);
}

TEST(status_page_says_how_it_is)
{
    struct fixture f;
    struct buf out = {0};
    fixture_open(&f, "<b>");
    const char *page = page_of(&f, &out);
    EXPECT(strstr(page, "ready</strong>events become durable") != NULL);
    EXPECT(strstr(page, "<body data-level=\"good\">") != NULL);
    EXPECT(strstr(page, "&lt;b&gt;") != NULL && strstr(page, "><b>") == NULL);
    f.view.client = NULL;
    f.view.pauses = 1u << PAUSE_DISK | 1u << PAUSE_MEMORY;
    alerts_raise(&f.watch.alerts, ALERT_DISK_LOW, NULL, "it & he", NOW);
    page = page_of(&f, &out);
    EXPECT(strstr(page, "not ready") != NULL && strstr(page, "not connected to NATS") != NULL);
    EXPECT(strstr(page, "<body data-level=\"bad\">") != NULL);
    EXPECT(strstr(page, ">yes: memory, disk<") != NULL);
    EXPECT(strstr(page, "<b>disk_low</b>it &amp; he") != NULL);
    EXPECT(strstr(page, "<title>not ready: varve one</title>") != NULL);
    buf_free(&out);
    fixture_close(&f);
}

/* On top, in red, and the lag is that of the others. */
TEST(status_page_shows_first_what_has_come_to_a_halt)
{
    struct fixture f;
    struct buf out = {0};
    fixture_open(&f, "B");
    f.counters[0].consumer_pending = 77;
    const char *page = page_of(&f, &out);
    EXPECT(strstr(page, "Stream\">A") < strstr(page, "Stream\">B"));
    EXPECT(strstr(page, "class=\"bad\"") == NULL);
    f.sources[1].stalled = true;
    f.sources[1].known = false;
    page = page_of(&f, &out);
    EXPECT(strstr(page, "Stream\">A") > strstr(page, "Stream\">B"));
    EXPECT(strstr(page, "class=\"bad\">pulling") != NULL);
    EXPECT(strstr(page, "<p>77</p>") != NULL);
    EXPECT(strstr(page, "unknown for 1 of 2 streams") != NULL);
    f.sources[0].known = false;
    EXPECT(strstr(page_of(&f, &out), "<p>unknown</p>") != NULL);
    buf_free(&out);
    fixture_close(&f);
}

/* Even with all that a page can hold. */
TEST(status_page_is_small)
{
    struct fixture f;
    struct buf out = {0};
    const struct stats_commit commit = {INT64_MAX,  UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                        REASON_AGE, INT64_MAX,  INT64_MAX,  UINT32_MAX};
    fixture_open(&f, "B");
    for (int i = 0; i < 100; i++)
        stats_committed(&f.watch.stats, &commit);
    for (int i = 0; i < 100; i++)
        stats_sample(&f.watch.stats,
                     (struct stats_sample){test_random() >> 1, 0, UINT64_MAX, UINT64_MAX},
                     (i + 1) * STATS_INTERVAL);
    (void)page_of(&f, &out);
    EXPECT(out.len < 32 * 1024);
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
        const struct stats_commit commit = {.epoch = i, .reason = REASON_AGE};
        stats_committed(&f.watch.stats, &commit);
    }
    f.sources[1].known = false;
    status_append(&out, &f.watch, NOW);
    const struct json *status = json_parse(&arena, buf_slice(&out), &err);
    EXPECT(slice_is(json_member(status, "version")->text, "1"));
    uint64_t count = 0, epoch = STATS_COMMITS + 2;
    for (const struct json *c = json_member(status, "commits")->first; c != NULL; c = c->next) {
        uint64_t found = 0;
        EXPECT(num_parse_u64(json_member(c, "epoch")->text, &found));
        EXPECT_U64(found, epoch--);
        EXPECT(slice_is(json_member(c, "reason")->text, "age"));
        count++;
    }
    EXPECT_U64(count, STATS_COMMITS);
    /* What the server has not said is not 0. */
    const struct json *streams = json_member(status, "streams");
    EXPECT(slice_is(json_member(streams->first, "lag")->text, "0"));
    EXPECT(json_member(streams->first->next, "lag")->type == JSON_NULL);
    arena_free(&arena);
    buf_free(&out);
    fixture_close(&f);
}
