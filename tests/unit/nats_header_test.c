/* SPDX-License-Identifier: MIT */
#include "nats/header.h"

#include "test.h"

static struct nats_header parsed(const char *block)
{
    struct nats_header h;
    EXPECT(nats_header_parse(slice_of(block), &h));
    return h;
}

TEST(nats_header_without_status)
{
    struct nats_header h = parsed("NATS/1.0\r\nA: b\r\n\r\n");
    struct slice value;
    EXPECT_I64(h.status, 0);
    EXPECT_U64(h.text.len, 0);
    EXPECT(nats_header_get(&h, "A", &value) && slice_is(value, "b"));
    EXPECT(!nats_header_get(&h, "B", &value));
}

TEST(nats_header_with_status)
{
    struct nats_header h = parsed("NATS/1.0 503\r\n\r\n");
    EXPECT_I64(h.status, 503);
    EXPECT_U64(h.text.len, 0);
    h = parsed("NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Bytes: 12\r\n\r\n");
    uint64_t number = 0;
    EXPECT_I64(h.status, 409);
    EXPECT(slice_is(h.text, "Message Size Exceeds MaxBytes"));
    EXPECT(nats_header_get_u64(&h, "nats-pending-BYTES", &number));
    EXPECT_U64(number, 12);
}

TEST(nats_header_tolerates_a_missing_end)
{
    EXPECT_I64(parsed("NATS/1.0 404 No Messages").status, 404);
    struct nats_header h = parsed("NATS/1.0\r\nKey:\t value with  blanks \t");
    struct slice value;
    EXPECT(nats_header_get(&h, "Key", &value) && slice_is(value, "value with  blanks"));
}

TEST(nats_header_keeps_the_first_of_two)
{
    struct nats_header h = parsed("NATS/1.0\r\nKx: 0\r\nK: 1\r\nK: 2\r\n\r\n");
    struct slice value;
    EXPECT(nats_header_get(&h, "K", &value) && slice_is(value, "1"));
}

TEST(nats_header_values_may_be_empty_and_hold_colons)
{
    struct nats_header h = parsed("NATS/1.0\r\nEmpty:\r\nTime: 12:00:00\r\n\r\n");
    struct slice value;
    EXPECT(nats_header_get(&h, "Empty", &value) && value.len == 0);
    EXPECT(nats_header_get(&h, "Time", &value) && slice_is(value, "12:00:00"));
}

TEST(nats_header_refuses_other_blocks)
{
    struct nats_header h;
    const char *const blocks[] = {"",
                                  "NATS",
                                  "NATS/1.1\r\n\r\n",
                                  "NATS/1.00\r\n\r\n",
                                  "HTTP/1.1 200 OK\r\n\r\n",
                                  "NATS/1.0 40\r\n\r\n",
                                  "NATS/1.0 4x4 No\r\n\r\n",
                                  "NATS/1.0 4040\r\n\r\n",
                                  "NATS/1.0 099 low\r\n\r\n"};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        EXPECT(!nats_header_parse(slice_of(blocks[i]), &h));
        EXPECT_I64(h.status, 0);
    }
    EXPECT(!nats_header_parse((struct slice){0}, &h));
}

TEST(nats_header_writes_a_block)
{
    struct buf out = {0};
    nats_header_begin(&out);
    nats_header_add(&out, "Nats-Msg-Id", slice_of("a/b"));
    nats_header_add(&out, "Reason", slice_of("two\r\nInjected: lines"));
    nats_header_add_u64(&out, "Seq", UINT64_MAX);
    nats_header_end(&out);
    EXPECT_TEXT(buf_text(&out), "NATS/1.0\r\nNats-Msg-Id: a/b\r\n"
                                "Reason: two  Injected: lines\r\n"
                                "Seq: 18446744073709551615\r\n\r\n");
    buf_free(&out);
}
