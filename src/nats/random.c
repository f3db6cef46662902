/* SPDX-License-Identifier: MIT */
#include "nats/random.h"

#include "base/assert.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of the counter as 8 little-endian bytes (Aumasson and Bernstein, 2012). */
uint64_t nats_random_next(struct nats_random *r)
{
    uint64_t v[4] = {
        r->key[0] ^ UINT64_C(0x736f6d6570736575),
        r->key[1] ^ UINT64_C(0x646f72616e646f6d),
        r->key[0] ^ UINT64_C(0x6c7967656e657261),
        r->key[1] ^ UINT64_C(0x7465646279746573),
    };
    const uint64_t words[2] = {r->counter++, UINT64_C(8) << 56}; /* the message, then its length */
    for (int i = 0; i < 2; i++) {
        v[3] ^= words[i];
        mix(v);
        mix(v);
        v[0] ^= words[i];
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t nats_random_below(struct nats_random *r, uint64_t bound)
{
    ASSERT(bound > 0);
    /* Values above the last whole multiple would make the small ones likelier. */
    uint64_t rest = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value;
    do
        value = nats_random_next(r);
    while (value >= rest);
    return value % bound;
}

void nats_random_token(struct nats_random *r, char out[static NATS_TOKEN_LEN + 1])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (int i = 0; i < NATS_TOKEN_LEN; i++)
        out[i] = digits[nats_random_below(r, sizeof(digits) - 1)];
    out[NATS_TOKEN_LEN] = '\0';
}
