/* SPDX-License-Identifier: MIT */
#include "nats/subject.h"

#include "test.h"

static bool valid(const char *subject)
{
    return nats_subject_valid(slice_of(subject), false);
}

static bool filter(const char *subject)
{
    return nats_subject_valid(slice_of(subject), true);
}

TEST(nats_subject_valid_to_publish)
{
    EXPECT(valid("a") && valid("logging.events.raw") && valid("$JS.API.INFO") &&
           valid("a.\xc3\xa9"));
    EXPECT(!valid("") && !valid(".a") && !valid("a.") && !valid("a..b"));
    EXPECT(!valid("a b") && !valid("a\tb") && !valid("a\r\nPUB x 0") && !valid("a\x7f"));
    EXPECT(!valid("*") && !valid("a.*") && !valid("a.>") && !valid("a*"));
    char longest[1026];
    memset(longest, 'a', sizeof(longest));
    longest[1024] = '\0';
    EXPECT(valid(longest));
    longest[1024] = 'a';
    longest[1025] = '\0';
    EXPECT(!valid(longest));
}

TEST(nats_subject_valid_as_a_filter)
{
    EXPECT(filter("*") && filter(">") && filter("a.*.c") && filter("a.>") && filter("*.*"));
    EXPECT(!filter("a.>.b") && !filter("a*") && !filter("a.b>") && !filter(">>") && !filter("**"));
}

TEST(nats_subject_names_of_streams_and_consumers)
{
    EXPECT(nats_name_valid(slice_of("LOGGING")) && nats_name_valid(slice_of("a-b_c$")));
    const char *const bad[] = {"", "a.b", "a*", "a>", "a/b", "a\\b", "a b", "a\tb", "a\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(!nats_name_valid(slice_of(bad[i])));
    char name[257];
    memset(name, 'n', sizeof(name));
    EXPECT(nats_name_valid((struct slice){(uint8_t *)name, 255}));
    EXPECT(!nats_name_valid((struct slice){(uint8_t *)name, 256}));
}

static bool matches(const char *pattern, const char *subject)
{
    return nats_subject_matches(slice_of(pattern), slice_of(subject));
}

TEST(nats_subject_matches_filters)
{
    EXPECT(matches("a.b", "a.b") && !matches("a.b", "a.c") && !matches("a", "a.b"));
    EXPECT(!matches("a.b", "a") && matches("*.b", "a.b") && !matches("*", "a.b"));
    EXPECT(matches(">", "a.b.c") && matches("a.>", "a.b.c") && !matches("a.>", "a"));
    EXPECT(matches("a.*.c", "a.b.c") && !matches("a.*.c", "a.b.d"));
}

TEST(nats_subject_last_token_is_what_follows_the_last_dot)
{
    EXPECT(slice_is(nats_subject_last_token(slice_of("_INBOX.x.p0.17")), "17"));
    EXPECT(slice_is(nats_subject_last_token(slice_of("alone")), "alone"));
    EXPECT_U64(nats_subject_last_token(slice_of("ends.")).len, 0);
    EXPECT_U64(nats_subject_last_token((struct slice){0}).len, 0);
}

static bool overlaps(const char *a, const char *b)
{
    bool found = nats_subject_overlaps(slice_of(a), slice_of(b));
    EXPECT(nats_subject_overlaps(slice_of(b), slice_of(a)) == found);
    return found;
}

TEST(nats_subject_overlaps_of_filters)
{
    EXPECT(overlaps("a.b", "a.b") && !overlaps("a.b", "a.c") && !overlaps("a", "a.b"));
    EXPECT(overlaps("a.*", "a.b") && overlaps("a.*", "*.b") && !overlaps("a.*", "b.*"));
    EXPECT(overlaps("a.>", "*.b.c") && overlaps("a.>", "a.*") && !overlaps("a.>", "a"));
    EXPECT(overlaps(">", "a") && overlaps(">", "*.>") && !overlaps("*.>", "a"));
}
