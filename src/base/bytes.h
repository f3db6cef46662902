/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_BYTES_H
#define VARVE_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Little-endian loads and stores at any alignment, on any host. Compilers make one move of each. */

static inline uint32_t load_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_u64le(const uint8_t *p)
{
    return (uint64_t)load_u32le(p) | (uint64_t)load_u32le(p + 4) << 32;
}

static inline void store_u32le(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static inline void store_u64le(uint8_t *p, uint64_t value)
{
    store_u32le(p, (uint32_t)value);
    store_u32le(p + 4, (uint32_t)(value >> 32));
}

/* Each byte of `word` that equals `byte` has its top bit set in the result; nothing else has. */
static inline uint64_t bytes_equal(uint64_t word, uint8_t byte)
{
    const uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t differ = word ^ UINT64_C(0x0101010101010101) * byte;
    return ~(((differ & low) + low) | differ | low);
}

/* Which of BYTES_WIDE bytes at `p` equal `byte`: bit n for the n-th. */
enum { BYTES_WIDE = 16 };

static inline uint32_t bytes_where_portable(const uint8_t *p, uint8_t byte)
{
    const uint64_t gather =
        UINT64_C(0x0102040810204080); /* the lowest bit of each of eight bytes */
    uint64_t low = bytes_equal(load_u64le(p), byte) >> 7;
    uint64_t high = bytes_equal(load_u64le(p + 8), byte) >> 7;
    return (uint32_t)(low * gather >> 56 | high * gather >> 56 << 8);
}

static inline uint32_t bytes_where(const uint8_t *p, uint8_t byte)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)byte)));
#else
    return bytes_where_portable(p, byte);
#endif
}

/* ZigZag, as in protobuf and Thrift: small magnitudes of either sign become small numbers. */

static inline uint64_t zigzag_encode(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t zigzag_decode(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

#endif
