/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* FIPS 180-4, 4.2.2. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

static uint32_t load_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One round, the `r`-th of eight: a is s[-r], b is s[1 - r] and so on, modulo 8. */
static inline void one_round(uint32_t s[static 8], unsigned r, uint32_t word)
{
    uint32_t a = s[(8 - r) % 8];
    uint32_t b = s[(9 - r) % 8];
    uint32_t c = s[(10 - r) % 8];
    uint32_t e = s[(12 - r) % 8];
    uint32_t choice = (e & s[(13 - r) % 8]) ^ (~e & s[(14 - r) % 8]);
    uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
    uint32_t one = s[(15 - r) % 8] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + word;
    s[(11 - r) % 8] += one;
    s[(15 - r) % 8] = one + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
}

/* FIPS 180-4, 6.2.2. */
static void portable_blocks(uint32_t state[static 8], const uint8_t *data, size_t count)
{
    for (; count > 0; count--, data += SHA256_BLOCK) {
        uint32_t w[64];
        uint32_t s[8];
        memcpy(s, state, sizeof(s));
        for (unsigned t = 0; t < 16; t++)
            w[t] = load_big_endian(data + (size_t)4 * t);
        for (unsigned t = 16; t < 64; t++) {
            uint32_t a = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
            uint32_t b = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
            w[t] = a + w[t - 7] + b + w[t - 16];
        }
        for (unsigned t = 0; t < 64; t += 8) {
            /* The variables a to h move by one in each round: here their places do. */
            one_round(s, 0, constants[t] + w[t]);
            one_round(s, 1, constants[t + 1] + w[t + 1]);
            one_round(s, 2, constants[t + 2] + w[t + 2]);
            one_round(s, 3, constants[t + 3] + w[t + 3]);
            one_round(s, 4, constants[t + 4] + w[t + 4]);
            one_round(s, 5, constants[t + 5] + w[t + 5]);
            one_round(s, 6, constants[t + 6] + w[t + 6]);
            one_round(s, 7, constants[t + 7] + w[t + 7]);
        }
        for (unsigned i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

#if defined(__x86_64__)

/* The state is kept as the instructions have it: ABEF and CDGH, A in the highest word. */
__attribute__((target("sha,sse4.1,ssse3"))) static void fast_blocks(uint32_t state[static 8],
                                                                    const uint8_t *data,
                                                                    size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (; count > 0; count--, data += SHA256_BLOCK) {
        const __m128i old_abef = abef;
        const __m128i old_cdgh = cdgh;
        __m128i w[4]; /* the last 16 words of the schedule */
        for (unsigned i = 0; i < 4; i++) {
            const void *at = data + (size_t)16 * i;
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128(at), swap);
        }
        /* A fifth faster: the places in `w` are registers then. */
#pragma GCC unroll 16
        for (unsigned t = 0; t < 16; t++) {
            const void *k = constants + (size_t)4 * t;
            __m128i words = w[t % 4];
            if (t >= 4) {
                __m128i between = _mm_alignr_epi8(w[(t + 3) % 4], w[(t + 2) % 4], 4);
                words = _mm_sha256msg1_epu32(words, w[(t + 1) % 4]);
                words = _mm_sha256msg2_epu32(_mm_add_epi32(words, between), w[(t + 3) % 4]);
                w[t % 4] = words;
            }
            words = _mm_add_epi32(words, _mm_loadu_si128(k));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
        }
        abef = _mm_add_epi32(abef, old_abef);
        cdgh = _mm_add_epi32(cdgh, old_cdgh);
    }
    state[0] = (uint32_t)_mm_extract_epi32(abef, 3);
    state[1] = (uint32_t)_mm_extract_epi32(abef, 2);
    state[4] = (uint32_t)_mm_extract_epi32(abef, 1);
    state[5] = (uint32_t)_mm_extract_epi32(abef, 0);
    state[2] = (uint32_t)_mm_extract_epi32(cdgh, 3);
    state[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
    state[6] = (uint32_t)_mm_extract_epi32(cdgh, 1);
    state[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

/* SHA, SSE4.1 and SSSE3: every processor with the first has the others. */
static bool has_instructions(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

#else

static void fast_blocks(uint32_t state[static 8], const uint8_t *data, size_t count)
{
    portable_blocks(state, data, count);
}

static bool has_instructions(void)
{
    return false;
}

#endif

enum speed { UNKNOWN, FAST, PORTABLE };
static _Atomic int speed;

void sha256_portable_only(void)
{
    atomic_store(&speed, PORTABLE);
}

static void add_blocks(struct sha256 *h, const uint8_t *data, size_t count)
{
    int found = atomic_load_explicit(&speed, memory_order_relaxed);
    if (found == UNKNOWN) {
        found = has_instructions() ? FAST : PORTABLE;
        atomic_store(&speed, found);
    }
    if (found == FAST)
        fast_blocks(h->state, data, count);
    else
        portable_blocks(h->state, data, count);
}

void sha256_begin(struct sha256 *h)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    *h = (struct sha256){0};
    memcpy(h->state, start, sizeof(start));
}

void sha256_add(struct sha256 *h, const void *data, size_t len)
{
    const uint8_t *at = data;
    size_t filled = h->length % SHA256_BLOCK;
    if (len == 0)
        return;
    h->length += len;
    if (filled > 0) {
        size_t part = SHA256_BLOCK - filled < len ? SHA256_BLOCK - filled : len;
        memcpy(h->block + filled, at, part);
        at += part;
        len -= part;
        if (filled + part < SHA256_BLOCK)
            return;
        add_blocks(h, h->block, 1);
    }
    if (len >= SHA256_BLOCK)
        add_blocks(h, at, len / SHA256_BLOCK);
    memcpy(h->block, at + len / SHA256_BLOCK * SHA256_BLOCK, len % SHA256_BLOCK);
}

void sha256_end(struct sha256 *h, uint8_t out[static SHA256_BYTES])
{
    static const uint8_t padding[SHA256_BLOCK] = {0x80};
    uint64_t bits = h->length * 8;
    uint8_t length[8];
    size_t filled = h->length % SHA256_BLOCK;
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(h, padding, filled < 56 ? 56 - filled : 120 - filled);
    sha256_add(h, length, sizeof(length));
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        out[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

static const char digits[] = "0123456789abcdef";

void sha256_format(const uint8_t hash[static SHA256_BYTES], char out[static SHA256_TEXT_MAX])
{
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[SHA256_TEXT_MAX - 1] = '\0';
}

void sha256_text(struct slice data, char out[static SHA256_TEXT_MAX])
{
    struct sha256 h;
    uint8_t hash[SHA256_BYTES];
    sha256_begin(&h);
    sha256_add(&h, data.data, data.len);
    sha256_end(&h, hash);
    sha256_format(hash, out);
}

bool sha256_is_text(struct slice text)
{
    bool is = text.len == SHA256_TEXT_MAX - 1;
    for (size_t i = 0; i < text.len && is; i++)
        is = text.data[i] != '\0' && strchr(digits, text.data[i]) != NULL;
    return is;
}

static void begin_padded(struct sha256 *h, const uint8_t key[static SHA256_BLOCK], uint8_t pad)
{
    uint8_t block[SHA256_BLOCK];
    for (unsigned i = 0; i < SHA256_BLOCK; i++)
        block[i] = key[i] ^ pad;
    sha256_begin(h);
    sha256_add(h, block, sizeof(block));
    explicit_bzero(block, sizeof(block));
}

void sha256_hmac(struct slice key, struct slice data, uint8_t out[static SHA256_BYTES])
{
    uint8_t block[SHA256_BLOCK] = {0};
    uint8_t inner[SHA256_BYTES];
    struct sha256 h;
    if (key.len > SHA256_BLOCK) {
        sha256_begin(&h);
        sha256_add(&h, key.data, key.len);
        sha256_end(&h, block);
    } else if (key.len > 0) {
        memcpy(block, key.data, key.len);
    }
    begin_padded(&h, block, 0x36);
    sha256_add(&h, data.data, data.len);
    sha256_end(&h, inner);
    begin_padded(&h, block, 0x5c);
    sha256_add(&h, inner, sizeof(inner));
    sha256_end(&h, out);
    explicit_bzero(block, sizeof(block));
    explicit_bzero(&h, sizeof(h));
}
