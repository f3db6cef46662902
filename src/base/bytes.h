/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_BYTES_H
#define VARVE_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

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

/* The same as far as the first of them goes, for fewer steps: the lowest bit that is set is of it,
 * and none is set if there is none. What is set above it says nothing. */
static inline uint64_t bytes_first_equal(uint64_t word, uint8_t byte)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t differ = word ^ ones * byte;
    return (differ - ones) & ~differ & (ones << 7);
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
