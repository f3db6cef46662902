/* SPDX-License-Identifier: MIT */
#include "nats/client.h"

#include "test.h"

static void fill(struct nats_input *in, size_t need, size_t len, uint8_t byte)
{
    struct nats_space space = nats_input_space(in, need);
    EXPECT(space.len >= len);
    memset(space.data, byte, len);
    nats_input_filled(in, len);
}

TEST(nats_input_starts_with_one_mib)
{
    struct nats_input in = {0};
    EXPECT_U64(nats_input_bytes(&in).len, 0);
    EXPECT_U64(nats_input_space(&in, 0).len, 1024 * 1024);
    nats_input_free(&in);
}

TEST(nats_input_appends_and_consumes_in_place)
{
    struct nats_input in = {0};
    fill(&in, 0, 100, 'a');
    const uint8_t *start = nats_input_bytes(&in).data;
    nats_input_consume(&in, 60);
    fill(&in, 0, 10, 'b');
    struct slice bytes = nats_input_bytes(&in);
    EXPECT_U64(bytes.len, 50);
    EXPECT(bytes.data == start + 60); /* nothing was moved */
    EXPECT(bytes.data[39] == 'a' && bytes.data[40] == 'b');
    nats_input_free(&in);
}

TEST(nats_input_starts_over_when_all_is_consumed)
{
    struct nats_input in = {0};
    fill(&in, 0, 1000, 'a');
    nats_input_consume(&in, 1000);
    EXPECT_U64(nats_input_space(&in, 0).len, 1024 * 1024);
    nats_input_free(&in);
}

TEST(nats_input_moves_the_rest_when_a_quarter_is_left)
{
    struct nats_input in = {0};
    fill(&in, 0, 800 * 1024, 'a');
    nats_input_consume(&in, 800 * 1024 - 7);
    struct nats_space space = nats_input_space(&in, 0);
    EXPECT_U64(space.len, 1024 * 1024 - 7);
    EXPECT_U64(nats_input_bytes(&in).len, 7);
    EXPECT(nats_input_bytes(&in).data[6] == 'a');
    nats_input_free(&in);
}

TEST(nats_input_moves_the_rest_when_the_frame_would_not_fit)
{
    struct nats_input in = {0};
    fill(&in, 0, 300 * 1024, 'a');
    nats_input_consume(&in, 300 * 1024 - 5);
    EXPECT_U64(nats_input_space(&in, 900 * 1024).len, 1024 * 1024 - 5);
    nats_input_free(&in);
}

TEST(nats_input_stays_in_place_up_to_the_last_byte_that_fits)
{
    struct nats_input in = {0};
    fill(&in, 0, 300 * 1024, 'a');
    nats_input_consume(&in, 300 * 1024 - 5);
    size_t fits = 1024 * 1024 - (300 * 1024 - 5);
    EXPECT_U64(nats_input_space(&in, fits).len, fits - 5);
    EXPECT_U64(nats_input_space(&in, fits + 1).len, 1024 * 1024 - 5);
    nats_input_free(&in);
}

TEST(nats_input_grows_to_the_frame_and_keeps_what_is_there)
{
    struct nats_input in = {0};
    fill(&in, 0, 10, 'x');
    nats_input_consume(&in, 3);
    struct nats_space space = nats_input_space(&in, 8 * 1024 * 1024);
    EXPECT_U64(space.len, 8 * 1024 * 1024 - 7);
    EXPECT_U64(nats_input_bytes(&in).len, 7);
    EXPECT(nats_input_bytes(&in).data[0] == 'x');
    nats_input_free(&in);
}

TEST(nats_input_always_has_space)
{
    struct nats_input in = {0};
    fill(&in, 0, 1024 * 1024, 'x'); /* full, and nothing can be consumed */
    EXPECT(nats_input_space(&in, 0).len >= 1);
    EXPECT_U64(nats_input_bytes(&in).len, 1024 * 1024);
    nats_input_free(&in);
}

TEST(nats_input_gives_back_what_a_large_frame_took)
{
    struct nats_input in = {0};
    fill(&in, 8 << 20, 8 << 20, 'x');
    nats_input_trim(&in, 0); /* it is still there */
    EXPECT_U64(in.cap, 8 << 20);
    nats_input_consume(&in, (8 << 20) - 5);
    nats_input_trim(&in, 2 << 20); /* the next one is large, too */
    EXPECT_U64(in.cap, 8 << 20);
    nats_input_trim(&in, 100);
    EXPECT_U64(in.cap, 1 << 20);
    EXPECT_U64(nats_input_bytes(&in).len, 5);
    EXPECT(nats_input_bytes(&in).data[4] == 'x');
    nats_input_free(&in);
}
