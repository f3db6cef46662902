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
