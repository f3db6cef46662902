/* SPDX-License-Identifier: MIT */
#include "nats/ack.h"

#include "test.h"

static void expect_same_again(const char *subject)
{
    struct nats_ack ack;
    struct buf out = {0};
    EXPECT(nats_ack_parse(slice_of(subject), &ack));
    nats_ack_append_subject(&out, &ack);
    EXPECT_TEXT(buf_text(&out), subject);
    buf_free(&out);
}

TEST(nats_ack_reads_nine_tokens)
{
    struct nats_ack ack;
    EXPECT(nats_ack_parse(
        slice_of("$JS.ACK.LOGGING.varve.1.7001234.7001300.1700000000123456789.42"), &ack));
    EXPECT(slice_is(ack.prefix, "$JS.ACK.LOGGING.varve."));
    EXPECT_U64(ack.delivered, 1);
    EXPECT_U64(ack.stream_seq, 7001234);
    EXPECT_U64(ack.consumer_seq, 7001300);
    EXPECT_I64(ack.timestamp_ns, INT64_C(1700000000123456789));
    EXPECT_U64(ack.pending, 42);
    EXPECT_U64(ack.suffix.len, 0);
}

TEST(nats_ack_reads_eleven_tokens)
{
    struct nats_ack ack;
    EXPECT(nats_ack_parse(slice_of("$JS.ACK._.h4Sh.LOGGING.varve.3.10.20.30.40"), &ack));
    EXPECT(slice_is(ack.prefix, "$JS.ACK._.h4Sh.LOGGING.varve."));
    EXPECT_U64(ack.delivered, 3);
    EXPECT_U64(ack.stream_seq, 10);
    EXPECT_U64(ack.consumer_seq, 20);
    EXPECT_I64(ack.timestamp_ns, 30);
    EXPECT_U64(ack.pending, 40);
    EXPECT_U64(ack.suffix.len, 0);
}

TEST(nats_ack_reads_more_than_eleven_tokens)
{
    struct nats_ack ack;
    EXPECT(nats_ack_parse(slice_of("$JS.ACK.hub.h4Sh.S.C.1.10.20.30.40.extra"), &ack));
    EXPECT_U64(ack.stream_seq, 10);
    EXPECT_U64(ack.pending, 40);
    EXPECT(slice_is(ack.suffix, ".extra"));
    /* the extra tokens may look like numbers */
    EXPECT(nats_ack_parse(slice_of("$JS.ACK.hub.h4Sh.S.C.1.10.20.30.40.50.60"), &ack));
    EXPECT(slice_is(ack.prefix, "$JS.ACK.hub.h4Sh.S.C."));
    EXPECT_U64(ack.stream_seq, 10);
    EXPECT(slice_is(ack.suffix, ".50.60"));
}

TEST(nats_ack_puts_every_form_together_again)
{
    expect_same_again("$JS.ACK.S.C.1.2.3.4.5");
    expect_same_again("$JS.ACK.S.C.18446744073709551615.18446744073709551615."
                      "18446744073709551615.9223372036854775807.18446744073709551615");
    expect_same_again("$JS.ACK.S.C.0.0.0.0.0");
    expect_same_again("$JS.ACK._.acc.S.C.1.2.3.4.5");
    expect_same_again("$JS.ACK._.acc.S.C.1.2.3.4.5.random");
    expect_same_again("$JS.ACK._.acc.S.C.1.2.3.4.5.007.x");
}

TEST(nats_ack_finds_its_dots_wherever_they_are)
{
    char names[80];
    memset(names, 's', sizeof(names));
    for (int stream = 1; stream < 40; stream++) {
        for (int consumer = 1; consumer < 40; consumer++) {
            struct buf text = {0};
            struct nats_ack ack;
            buf_printf(&text, "$JS.ACK.%.*s.%.*s.", stream, names, consumer, names);
            size_t prefix = text.len;
            buf_printf(&text, "1.22.333.1700000000000000000.%d", stream * consumer);
            EXPECT(nats_ack_parse(buf_slice(&text), &ack));
            EXPECT_U64(ack.prefix.len, prefix);
            EXPECT_U64(ack.delivered, 1);
            EXPECT_U64(ack.stream_seq, 22);
            EXPECT_U64(ack.consumer_seq, 333);
            EXPECT_I64(ack.timestamp_ns, INT64_C(1700000000000000000));
            EXPECT_U64(ack.pending, stream * consumer);
            EXPECT_U64(ack.suffix.len, 0);
            buf_free(&text);
        }
    }
}

TEST(nats_ack_refuses_other_numbers_of_tokens)
{
    struct nats_ack ack;
    EXPECT(!nats_ack_parse((struct slice){0}, &ack));
    EXPECT(!nats_ack_parse(slice_of("$JS.ACK."), &ack));
    EXPECT(!nats_ack_parse(slice_of("$JS.ACK.S.C.1.2.3.4"), &ack));       /* 8 */
    EXPECT(!nats_ack_parse(slice_of("$JS.ACK.acc.S.C.1.2.3.4.5"), &ack)); /* 10 */
    EXPECT(!nats_ack_parse(slice_of("$JS.ACK.S.C.1.2.3.4.5.6"), &ack));   /* 10 */
    EXPECT(!nats_ack_parse(slice_of("$JS.ACK.S.C.1.2.3.4.5.6.7"), &ack) ||
           slice_is(ack.prefix, "$JS.ACK.S.C.1.2.")); /* 11: S is the domain then */
}

TEST(nats_ack_refuses_other_subjects)
{
    struct nats_ack ack;
    EXPECT(!nats_ack_parse(slice_of("$JS.FC.S.C.1.2.3.4.5"), &ack));
    EXPECT(!nats_ack_parse(slice_of("$js.ack.S.C.1.2.3.4.5"), &ack));
    EXPECT(!nats_ack_parse(slice_of("_INBOX.a.b.c.1.2.3.4.5"), &ack));
    EXPECT(!nats_ack_is(slice_of("_INBOX.abc")));
    EXPECT(!nats_ack_is((struct slice){0}));
    EXPECT(nats_ack_is(slice_of("$JS.ACK.S")));
}

TEST(nats_ack_refuses_numbers_that_are_not_plain_decimals)
{
    struct nats_ack ack;
    const char *const subjects[] = {
        "$JS.ACK.S.C.x.2.3.4.5",
        "$JS.ACK.S.C.1..3.4.5",
        "$JS.ACK.S.C.1.2.3.4.",
        "$JS.ACK.S.C.1.2.3.4.5 ",
        "$JS.ACK.S.C.-1.2.3.4.5",
        "$JS.ACK.S.C.+1.2.3.4.5",
        "$JS.ACK.S.C.01.2.3.4.5",
        "$JS.ACK.S.C.1.00.3.4.5",
        "$JS.ACK.S.C.1.2.3.4.18446744073709551616",
        "$JS.ACK.S.C.1.2.3.4.28446744073709551615",
        "$JS.ACK.S.C.1.2.3.4.100000000000000000000",
        "$JS.ACK.S.C.1.2.3.9223372036854775808.5",
        "$JS.ACK._.a.S.C.1.2.3.x.5",
        "$JS.ACK._.a.S.C.1.2.3.x.5.6.7.8",
    };
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
        EXPECT(!nats_ack_parse(slice_of(subjects[i]), &ack));
}

TEST(nats_ack_publishes_nothing_to_the_subject)
{
    struct nats_ack ack;
    struct buf out = {0};
    EXPECT(nats_ack_parse(slice_of("$JS.ACK.S.C.1.22.333.4444.0"), &ack));
    nats_ack_append_publish(&out, &ack);
    EXPECT_TEXT(buf_text(&out), "PUB $JS.ACK.S.C.1.22.333.4444.0 0\r\n\r\n");
    buf_free(&out);
}

TEST(nats_ack_names_stream_and_consumer)
{
    struct slice stream, consumer;
    EXPECT(nats_ack_names(slice_of("$JS.ACK.LOGGING.varve."), &stream, &consumer));
    EXPECT(slice_is(stream, "LOGGING") && slice_is(consumer, "varve"));
    EXPECT(nats_ack_names(slice_of("$JS.ACK.hub.acc.LOGGING.varve."), &stream, &consumer));
    EXPECT(slice_is(stream, "LOGGING") && slice_is(consumer, "varve"));
    EXPECT(!nats_ack_names(slice_of("$JS.ACK.LOGGING."), &stream, &consumer));
    EXPECT(!nats_ack_names(slice_of("$JS.ACK.a.b.c"), &stream, &consumer));
}
