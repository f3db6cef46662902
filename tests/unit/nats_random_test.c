/* SPDX-License-Identifier: MIT */
#include "nats/random.h"

#include "test.h"

/* The reference vector of SipHash-2-4 for the message 00 01 .. 07 under the key 00 01 .. 0f, from
 * the table that its authors publish (vectors_sip64, row 8: 62 24 93 9a 79 f5 f5 93). */
TEST(nats_random_is_siphash_of_the_counter)
{
    struct nats_random r = {
        .key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)},
        .counter = UINT64_C(0x0706050403020100),
    };
    EXPECT_U64(nats_random_next(&r), UINT64_C(0x93f5f5799a932462));
    EXPECT_U64(r.counter, UINT64_C(0x0706050403020101));
}

TEST(nats_random_below_reaches_every_value_and_no_other)
{
    struct nats_random r = {.key = {1, 2}};
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++)
        seen[nats_random_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        EXPECT(seen[i] > 800 && seen[i] < 1200);
    EXPECT_U64(nats_random_below(&r, 1), 0);
}

TEST(nats_random_tokens_are_subject_tokens_and_differ)
{
    struct nats_random r = {.key = {3, 4}};
    char first[NATS_TOKEN_LEN + 1], second[NATS_TOKEN_LEN + 1];
    nats_random_token(&r, first);
    nats_random_token(&r, second);
    EXPECT_U64(strlen(first), 22);
    EXPECT_U64(strspn(first, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 22);
    EXPECT(strcmp(first, second) != 0);
}
