/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/bytes.h"

/* The ranges that the second byte must be in, by first byte, keep out overlong forms, surrogates
 * and what lies above U+10FFFF (RFC 3629 section 4). */
static bool second_byte_ok(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return second >= 0x80 && second <= 0xBF;
    }
}

size_t utf8_decode(struct slice text, uint32_t *code)
{
    if (text.len == 0)
        return 0;
    const uint8_t *p = text.data;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : p[0] >= 0xE0 && p[0] <= 0xEF ? 3 : 4;
    if (p[0] < 0xC2 || p[0] > 0xF4 || text.len < len || !second_byte_ok(p[0], p[1]))
        return 0;
    uint32_t value = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3Fu);
    }
    *code = value;
    return len;
}

/* Eight bytes at a time, the last of them twice if need be: nearly all text that comes here is
 * ASCII, and short. */
static bool is_ascii(struct slice text)
{
    uint64_t all = 0;
    size_t at = 0;
    for (; text.len - at >= 8; at += 8)
        all |= load_u64le(text.data + at);
    if (at > 0 && at < text.len)
        all |= load_u64le(text.data + text.len - 8);
    else
        for (; at < text.len; at++)
            all |= text.data[at];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* Character by character. */
static bool is_valid(struct slice text)
{
    size_t at = 0;
    while (at < text.len) {
        if (text.data[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t code;
        size_t len = utf8_decode((struct slice){text.data + at, text.len - at}, &code);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

#if defined(__x86_64__) || defined(__aarch64__)

/*
 * Many bytes at a time. J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One Instruction Per
 * Byte" (Software: Practice and Experience 51, 2021): whatever can be wrong with two bytes side by
 * side shows in the halves of the first and the high half of the second. Each half says which
 * faults it allows; the pair has those that all three allow. PAIR is none by itself: a third or
 * fourth byte is one, and must be.
 */
enum {
    SHORT = 1,       /* a first byte without its second */
    LONG = 2,        /* a second byte without its first */
    OVERLONG_3 = 4,  /* below U+0800 in three bytes */
    LARGE = 8,       /* above U+10FFFF */
    SURROGATE = 16,  /* U+D800 to U+DFFF */
    OVERLONG_2 = 32, /* below U+0080 in two bytes */
    OVERLONG_4 = 64, /* below U+10000 in four bytes */
    LARGE_1000 = 64, /* above U+13FFFF, where the second byte is below 0x90 */
    PAIR = 128,      /* two bytes, neither of which is a first one */
    ANY = SHORT | LONG | PAIR,
    TOO_LARGE = ANY | LARGE | LARGE_1000,
    FOLLOWS = LONG | OVERLONG_2 | PAIR,
    WIDE_MIN = 32, /* bytes; below, it does not pay */
};

static const uint8_t first_high[16] = {
    LONG,
    LONG,
    LONG,
    LONG,
    LONG,
    LONG,
    LONG,
    LONG,
    PAIR,
    PAIR,
    PAIR,
    PAIR,
    SHORT | OVERLONG_2,
    SHORT,
    SHORT | OVERLONG_3 | SURROGATE,
    SHORT | LARGE | OVERLONG_4,
};
static const uint8_t first_low[16] = {
    ANY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
    ANY | OVERLONG_2,
    ANY,
    ANY,
    ANY | LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE,
    TOO_LARGE | SURROGATE,
    TOO_LARGE,
    TOO_LARGE,
};
static const uint8_t second_high[16] = {
    SHORT,
    SHORT,
    SHORT,
    SHORT,
    SHORT,
    SHORT,
    SHORT,
    SHORT,
    FOLLOWS | OVERLONG_3 | OVERLONG_4,
    FOLLOWS | OVERLONG_3 | LARGE,
    FOLLOWS | SURROGATE | LARGE,
    FOLLOWS | SURROGATE | LARGE,
    SHORT,
    SHORT,
    SHORT,
    SHORT,
};
/* What a third (fourth) byte's first one exceeds by 128 or more. */
enum { BELOW_THREE = 0xE0 - 0x80, BELOW_FOUR = 0xF0 - 0x80 };

#endif

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

enum { WIDTH = sizeof(__m256i) };

__attribute__((target("avx2"))) static inline __m256i look_up(const uint8_t table[static 16],
                                                              __m256i halves)
{
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), halves);
}

/* Faults of the bytes, those behind which are `before`. */
__attribute__((target("avx2"))) static inline __m256i faults(__m256i bytes, __m256i before)
{
    const __m256i low = _mm256_set1_epi8(0x0F);
    __m256i across = _mm256_permute2x128_si256(before, bytes, 0x21);
    __m256i one = _mm256_alignr_epi8(bytes, across, 15);
    __m256i two = _mm256_alignr_epi8(bytes, across, 14);
    __m256i three = _mm256_alignr_epi8(bytes, across, 13);
    __m256i pair = _mm256_and_si256(
        _mm256_and_si256(look_up(first_high, _mm256_and_si256(_mm256_srli_epi16(one, 4), low)),
                         look_up(first_low, _mm256_and_si256(one, low))),
        look_up(second_high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)));
    __m256i must = _mm256_or_si256(_mm256_subs_epu8(two, _mm256_set1_epi8(BELOW_THREE)),
                                   _mm256_subs_epu8(three, _mm256_set1_epi8(BELOW_FOUR)));
    return _mm256_xor_si256(_mm256_and_si256(must, _mm256_set1_epi8((char)PAIR)), pair);
}

__attribute__((target("avx2"))) static bool is_valid_wide(struct slice text)
{
    __m256i before = _mm256_setzero_si256(), wrong = before;
    uint8_t rest[WIDTH] = {0}; /* and a zero more, where nothing may be missing any more */
    size_t at = 0;
    for (; text.len - at >= WIDTH; at += WIDTH) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text.data + at));
        if (_mm256_movemask_epi8(_mm256_or_si256(bytes, before)) != 0)
            wrong = _mm256_or_si256(wrong, faults(bytes, before));
        before = bytes;
    }
    memcpy(rest, text.data + at, text.len - at);
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)rest);
    wrong = _mm256_or_si256(wrong, faults(bytes, before));
    return _mm256_testz_si256(wrong, wrong) != 0;
}

static bool has_wide(void)
{
    return __builtin_cpu_supports("avx2");
}

#elif defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

enum { WIDTH = sizeof(uint8x16_t) };

static inline uint8x16_t faults(uint8x16_t bytes, uint8x16_t before)
{
    uint8x16_t one = vextq_u8(before, bytes, 15), low = vdupq_n_u8(0x0F);
    uint8x16_t pair = vandq_u8(vandq_u8(vqtbl1q_u8(vld1q_u8(first_high), vshrq_n_u8(one, 4)),
                                        vqtbl1q_u8(vld1q_u8(first_low), vandq_u8(one, low))),
                               vqtbl1q_u8(vld1q_u8(second_high), vshrq_n_u8(bytes, 4)));
    uint8x16_t must = vorrq_u8(vqsubq_u8(vextq_u8(before, bytes, 14), vdupq_n_u8(BELOW_THREE)),
                               vqsubq_u8(vextq_u8(before, bytes, 13), vdupq_n_u8(BELOW_FOUR)));
    return veorq_u8(vandq_u8(must, vdupq_n_u8(PAIR)), pair);
}

static bool is_valid_wide(struct slice text)
{
    uint8x16_t before = vdupq_n_u8(0), wrong = before;
    uint8_t rest[WIDTH] = {0}; /* and a zero more, where nothing may be missing any more */
    size_t at = 0;
    for (; text.len - at >= WIDTH; at += WIDTH) {
        uint8x16_t bytes = vld1q_u8(text.data + at);
        if (vmaxvq_u8(vorrq_u8(bytes, before)) >= 0x80)
            wrong = vorrq_u8(wrong, faults(bytes, before));
        before = bytes;
    }
    memcpy(rest, text.data + at, text.len - at);
    wrong = vorrq_u8(wrong, faults(vld1q_u8(rest), before));
    return vmaxvq_u8(wrong) == 0;
}

static bool has_wide(void)
{
    return true; /* each of these processors has it */
}

#else

enum { WIDE_MIN = 0 };

static bool has_wide(void)
{
    return false;
}

static bool is_valid_wide(struct slice text)
{
    return is_valid(text);
}

#endif

bool utf8_valid(struct slice text)
{
    if (is_ascii(text))
        return true;
    return text.len >= WIDE_MIN && has_wide() ? is_valid_wide(text) : is_valid(text);
}

bool utf8_valid_portable(struct slice text)
{
    return is_valid(text);
}

size_t utf8_prefix(struct slice text, size_t max)
{
    if (text.len <= max)
        return text.len;
    while (max > 0 && (text.data[max] & 0xC0) == 0x80)
        max--;
    return max;
}

size_t utf8_encode(uint32_t code, uint8_t out[static 4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}
