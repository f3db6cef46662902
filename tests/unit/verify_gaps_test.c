/* SPDX-License-Identifier: MIT */
#include "verify/gaps.h"

#include "test.h"

/* One generation of which the commits say: settled up to 20 and at 30-34, and two dead letters. */
struct state {
    struct claims claims;
    struct report report;
    struct gaps gaps;
};

static void start(struct state *s, struct claim *claim)
{
    struct buf key = {0};
    bool added;
    *s = (struct state){.report = {.json = true}};
    *claim = (struct claim){.newest = true};
    seqset_add_range(&claim->settled, 1, 20);
    seqset_add_range(&claim->settled, 30, 34);
    seqset_add_range(&claim->dead_letters, 5, 6);
    claims_key(&key, slice_of("LOG"), slice_of("t"));
    (void)map_put(&s->claims.generations, buf_slice(&key), &added);
    buf_free(&key);
    s->claims.list = claim;
    s->gaps = (struct gaps){.report = &s->report, .claims = &s->claims};
    report_begin(&s->report, "root");
    gaps_begin(&s->gaps, slice_of("LOG created t"));
}

static void expect(struct state *s, const char *notes, const char *findings)
{
    EXPECT_TEXT(buf_text(&s->report.notes_list), notes);
    EXPECT_TEXT(buf_text(&s->report.list), findings);
    gaps_free(&s->gaps);
    report_free(&s->report);
    map_free(&s->claims.generations);
    seqset_free(&s->claims.list->settled);
    seqset_free(&s->claims.list->rows);
    seqset_free(&s->claims.list->dead_letters);
    seqset_free(&s->claims.list->expired);
}

#define SETTLED(range)                                       \
    "{\"kind\":\"settled\",\"text\":\"LOG created t: " range \
    " hold no rows: deleted, expired, or of other subjects\"}"
#define DEAD_LETTER(range)                                       \
    "{\"kind\":\"dead_letter\",\"text\":\"LOG created t: " range \
    " went to the dead letter stream\"}"
#define REMOVED(range)                                                                   \
    "{\"kind\":\"removed\",\"text\":\"LOG created t: " range                             \
    " had rows, which somebody has taken out of the table since (RESTORE, DELETE, or a " \
    "removed partition)\"}"
#define MISSING(range) "{\"kind\":\"gap\",\"text\":\"LOG created t: " range " are missing\"}"

TEST(cli_verify_gaps_are_cut_where_reasons_change)
{
    struct state s;
    struct claim claim;
    start(&s, &claim);
    gaps_add(&s.gaps, 4, 22);
    gaps_end(&s.gaps, 40);
    expect(&s, SETTLED("4-4") "," DEAD_LETTER("5-6") "," SETTLED("7-20"), MISSING("21-22"));
}

TEST(cli_verify_gaps_behind_the_last_file)
{
    struct state s;
    struct claim claim;
    start(&s, &claim);
    gaps_end(&s.gaps, 15);
    expect(&s, SETTLED("16-20") "," SETTLED("30-34"), "");
    start(&s, &claim);
    gaps_end(&s.gaps, 34);
    expect(&s, "", "");
}

TEST(cli_verify_gaps_may_be_allowed)
{
    struct state s;
    struct claim claim;
    start(&s, &claim);
    s.gaps.allow_unknown = true;
    gaps_add(&s.gaps, 20, 31);
    gaps_end(&s.gaps, 31);
    expect(&s, SETTLED("20-20") "," SETTLED("30-34"), "");
}

TEST(cli_verify_gaps_of_another_generation)
{
    struct state s;
    struct claim claim;
    start(&s, &claim);
    gaps_begin(&s.gaps, slice_of("LOG created u"));
    gaps_add(&s.gaps, 3, UINT64_MAX);
    gaps_end(&s.gaps, UINT64_MAX);
    expect(&s, "",
           "{\"kind\":\"gap\",\"text\":\"LOG created u: 3-18446744073709551615 are missing\"}");
}

/* Rows that were there are not said to be expired, whatever has become of them. */
TEST(cli_verify_gaps_of_rows_that_were_removed)
{
    struct state s;
    struct claim claim;
    start(&s, &claim);
    seqset_add_range(&claim.rows, 5, 10);
    seqset_add_range(&claim.rows, 32, 32);
    gaps_add(&s.gaps, 7, 12);
    gaps_end(&s.gaps, 31);
    expect(&s, REMOVED("7-10") "," SETTLED("11-12") "," REMOVED("32-32") "," SETTLED("33-34"), "");
}

/* Retention has removed them, whatever else is known of them. */
TEST(cli_verify_gaps_of_rows_that_have_expired)
{
    struct state s;
    struct claim claim;
    start(&s, &claim);
    seqset_add_range(&claim.rows, 1, 20);
    seqset_add_range(&claim.expired, 8, 12);
    gaps_add(&s.gaps, 7, 13);
    gaps_end(&s.gaps, 40);
    expect(&s,
           REMOVED("7-7") ",{\"kind\":\"expired\",\"text\":\"LOG created t: 8-12 were expired by "
                          "retention\"}," REMOVED("13-13"),
           "");
}
