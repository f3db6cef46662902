/* SPDX-License-Identifier: MIT */
#include "drain/denied.h"

#include "test.h"

static struct denied denied;

static void note(const char *text, int64_t now)
{
    struct nats_server_error error = nats_error_classify(slice_of(text));
    denied_note(&denied, &error, now);
}

static void expect_lines(int64_t now, const char *expected)
{
    struct buf out = {0};
    denied_append(&denied, now, &out);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

#define LINE(what)                                                              \
    "the server does not let this user " what ": give it the permissions that " \
    "varve check --permissions prints\n"

TEST(denied_subjects_as_a_permission_has_them)
{
    note("Permissions Violation for Publish to \"$JS.ACK.S.varve.1.5.5.1795745693473858466.0\"", 1);
    note("Permissions Violation for Publish to \"$JS.API.STREAM.INFO.S\"", 2);
    note("Permissions Violation for Publish to "
         "\"$JS.API.CONSUMER.CREATE.S.varve_AcpOt0UjCjiVeZ1ptt41O9.a.b\"",
         3);
    note("Permissions Violation for Subscription to \"_INBOX.3kCC0WRHB29ljEY2Jr33B7.r.*\"", 4);
    note("Permissions Violation for Publish to \"a.<b>\x01\xff\"", 5);
    expect_lines(6, LINE("publish to $JS.ACK.S.varve.>") LINE("publish to $JS.API.STREAM.INFO.S")
                        LINE("publish to $JS.API.CONSUMER.CREATE.S.*.a.b")
                            LINE("subscribe to _INBOX.>") LINE("publish to a.<b>??"));
}

TEST(denied_stands_while_it_is_told)
{
    note("Authorization Violation", 1);
    note("Permissions Violation for Publish to \"a\"", 1);
    note("Permissions Violation for Publish to \"b\"", 1);
    note("Permissions Violation for Publish to \"a\"", DENIED_STANDS);
    expect_lines(DENIED_STANDS, LINE("publish to a") LINE("publish to b"));
    expect_lines(DENIED_STANDS + 1, LINE("publish to a"));
    expect_lines(2 * DENIED_STANDS, "");
}

/* Whatever a server says, there are so many, and the oldest goes first. */
TEST(denied_many)
{
    for (int i = 0; i < DENIED_MAX + 1; i++) {
        char text[] = "Permissions Violation for Publish to \"s.0\"";
        text[sizeof(text) - 3] = (char)('0' + i);
        note(text, i);
    }
    struct buf out = {0};
    denied_append(&denied, DENIED_MAX, &out);
    EXPECT(strstr(buf_text(&out), "to s.0:") == NULL);
    EXPECT(strstr(buf_text(&out), "to s.1:") != NULL);
    EXPECT(strstr(buf_text(&out), "to s.8:") != NULL);
    buf_free(&out);
}

TEST(denied_long_subject_is_cut)
{
    struct buf text = {0};
    buf_append_text(&text, "Permissions Violation for Publish to \"");
    for (int i = 0; i < 1000; i++)
        buf_append_byte(&text, 'x');
    buf_append_byte(&text, '"');
    note(buf_text(&text), 1);
    EXPECT_U64(strlen(denied.list[0].text), DENIED_SUBJECT_MAX);
    buf_free(&text);
}
