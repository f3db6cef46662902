/* SPDX-License-Identifier: MIT */
#include "drain/cut.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

/* A stream: message i + 1 was stored at times[i], and is gone where that is 0. */
struct history {
    const int64_t *times;
    uint64_t count;
};

static uint64_t number_in(struct buf *body)
{
    const char *at = strstr(buf_text(body), "\"seq\":");
    EXPECT(at != NULL);
    return strtoull(at + strlen("\"seq\":"), NULL, 10);
}

/* Find the cut, as the server answers; returns how many questions that took. */
static int run(struct cut *c, const struct position *known, struct history h)
{
    struct buf body = {0};
    int questions = 0;
    cut_begin(c, known, 0, h.count);
    while (cut_ask(c, &body)) {
        uint64_t sequence = number_in(&body);
        bool next = strstr(buf_text(&body), "next_by_subj") != NULL;
        while (next && sequence <= h.count && h.times[sequence - 1] == 0)
            sequence++;
        bool found = sequence <= h.count && h.times[sequence - 1] != 0;
        cut_answer(c, found, sequence, found ? h.times[sequence - 1] : 0);
        buf_reset(&body);
        questions++;
    }
    buf_free(&body);
    return questions;
}

/* What we know of `h`: all of it. */
static struct position all_of(struct history h)
{
    struct position p = {
        .through = h.count, .last_seq = h.count, .last_time = h.times[h.count - 1]};
    for (uint64_t i = 0; i < h.count; i++)
        position_marks_add(&p.marks, i + 1, h.times[i]);
    return p;
}

TEST(cut_is_found_wherever_it_is)
{
    enum { KNOWN = 300, MORE = 150 };
    int64_t before[KNOWN], after[KNOWN + MORE];
    for (int i = 0; i < KNOWN; i++)
        before[i] = 1000 + i * 10;
    struct position known = all_of((struct history){before, KNOWN});
    for (int at = 0; at <= KNOWN; at++) {
        for (int more = 0; more <= MORE; more += MORE / 2) {
            struct cut c;
            struct position out;
            for (int i = 0; i < at + more; i++)
                after[i] = i < at ? before[i] : 100000 + i;
            int questions = run(&c, &known, (struct history){after, (uint64_t)(at + more)});
            EXPECT(questions <= 2 + 9); /* 2^9 > 300 */
            cut_take(&c, &known, &out);
            EXPECT_U64(out.through, at);
            EXPECT_U64(out.last_seq, at);
            EXPECT_I64(out.last_time, at == 0 ? 0 : before[at - 1]);
            seqset_free(&out.above);
        }
    }
}

TEST(cut_keeps_what_is_durable_above_the_position)
{
    int64_t times[20], after[12];
    for (int i = 0; i < 20; i++)
        times[i] = 1000 + i;
    for (int i = 0; i < 12; i++)
        after[i] = times[i];
    struct position known = all_of((struct history){times, 20}), out;
    known.through = 4;
    seqset_add_range(&known.above, 6, 7);
    seqset_add_range(&known.above, 10, 20);
    struct cut c;
    run(&c, &known, (struct history){after, 12});
    cut_take(&c, &known, &out);
    EXPECT_U64(out.through, 4);
    EXPECT_U64(seqset_size(&out.above), 5);
    EXPECT(seqset_contains(&out.above, 12) && !seqset_contains(&out.above, 13));
    seqset_free(&known.above);
    seqset_free(&out.above);
}

TEST(cut_of_a_stream_with_holes)
{
    int64_t times[40], after[30];
    for (int i = 0; i < 40; i++)
        times[i] = 1000 + i;
    for (int i = 0; i < 30; i++)
        after[i] = i % 3 != 0 ? 0 : i < 20 ? times[i] : 5000 + i;
    struct position known = all_of((struct history){times, 40}), out;
    struct cut c;
    run(&c, &known, (struct history){after, 30});
    cut_take(&c, &known, &out);
    EXPECT_U64(out.through, 19); /* times[18] is the last that is there */
    seqset_free(&out.above);
}

/* The clock of the server went back with it: what is new looks old. The marks know better. */
TEST(cut_does_not_believe_a_clock_that_went_back)
{
    int64_t times[100], after[100];
    for (int i = 0; i < 100; i++) {
        times[i] = 1000 + i;
        after[i] = i < 50 ? times[i] : 1000 + i - 20;
    }
    struct position known = all_of((struct history){times, 100}), out;
    struct cut c;
    run(&c, &known, (struct history){after, 100});
    cut_take(&c, &known, &out);
    EXPECT(out.through <= 50);
    EXPECT(out.through > 0); /* some mark is right */
    seqset_free(&out.above);
}

TEST(cut_of_an_empty_stream_is_nothing)
{
    int64_t times[3] = {1, 2, 3};
    struct position known = all_of((struct history){times, 3}), out;
    struct cut c;
    EXPECT_I64(run(&c, &known, (struct history){times, 0}), 0);
    cut_take(&c, &known, &out);
    EXPECT_U64(out.through, 0);
    EXPECT_U64(out.marks.count, 0);
    seqset_free(&out.above);
}

TEST(position_marks_are_few_and_many_of_the_newest)
{
    struct position_marks m = {0};
    for (uint64_t i = 1; i <= 1000000; i++)
        position_marks_add(&m, i, (int64_t)i * 2);
    position_marks_add(&m, 1000000, 7);
    EXPECT(m.count <= POSITION_MARKS_MAX);
    EXPECT_U64(m.list[m.count - 1].sequence, 1000000);
    EXPECT_I64(m.list[m.count - 1].time, 2000000);
    for (size_t i = 1; i < m.count; i++) {
        EXPECT(m.list[i].sequence > m.list[i - 1].sequence);
        uint64_t distance = 1000000 - m.list[i - 1].sequence;
        EXPECT(distance <= 4 * (1000000 - m.list[i].sequence) + 4 * POSITION_MARKS_MAX);
    }
    EXPECT_U64(m.list[0].sequence, 1);
}
