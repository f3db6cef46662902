/* SPDX-License-Identifier: MIT */
#include "parquet/write/bloom.h"

#include "base/bytes.h"
#include "parquet/format.h"
#include "parquet/write/metadata.h"

enum {
    BLOCK_BYTES = 32, /* eight words, one bit set in each */
    BLOCK_WORDS = 8,
    /* Bits a value: 10.5 give 1 % false positives; sizes are powers of two, so mostly it is more.
     */
    TENTHS_OF_BITS = 105,
};

/* ---- XXH64 (the xxHash specification) ---- */

static const uint64_t prime1 = UINT64_C(0x9E3779B185EBCA87);
static const uint64_t prime2 = UINT64_C(0xC2B2AE3D27D4EB4F);
static const uint64_t prime3 = UINT64_C(0x165667B19E3779F9);
static const uint64_t prime4 = UINT64_C(0x85EBCA77C2B2AE63);
static const uint64_t prime5 = UINT64_C(0x27D4EB2F165667C5);

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t round_of(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * prime2, 31) * prime1;
}

static uint64_t merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ round_of(0, lane)) * prime1 + prime4;
}

static uint64_t finish(uint64_t hash, const uint8_t *at, size_t left)
{
    for (; left >= 8; at += 8, left -= 8)
        hash = rotate(hash ^ round_of(0, load_u64le(at)), 27) * prime1 + prime4;
    if (left >= 4) {
        hash = rotate(hash ^ load_u32le(at) * prime1, 23) * prime2 + prime3;
        at += 4;
        left -= 4;
    }
    for (; left > 0; at++, left--)
        hash = rotate(hash ^ *at * prime5, 11) * prime1;
    hash = (hash ^ hash >> 33) * prime2;
    hash = (hash ^ hash >> 29) * prime3;
    return hash ^ hash >> 32;
}

uint64_t bloom_xxh64(struct slice data)
{
    const uint8_t *at = data.data;
    size_t left = data.len;
    uint64_t hash = prime5;

    if (left >= 32) {
        uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
        for (; left >= 32; at += 32, left -= 32)
            for (unsigned i = 0; i < 4; i++)
                lanes[i] = round_of(lanes[i], load_u64le(at + (size_t)i * 8));
        hash =
            rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
        for (unsigned i = 0; i < 4; i++)
            hash = merge(hash, lanes[i]);
    }
    return finish(hash + data.len, at, left);
}

/* ---- the filter ---- */

static const uint32_t salts[BLOCK_WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                            0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

void bloom_append_hash(struct buf *hashes, struct slice value)
{
    uint64_t hash = bloom_xxh64(value);

    buf_append(hashes, &hash, sizeof(hash));
}

static uint32_t filter_bytes(uint64_t hashes)
{
    uint64_t wanted = hashes * TENTHS_OF_BITS / 80;
    uint32_t bytes = BLOCK_BYTES;

    while (bytes < wanted && bytes < BLOOM_BYTES_MAX)
        bytes *= 2;
    return bytes;
}

static void insert(uint8_t *bits, uint64_t blocks, uint64_t hash)
{
    uint8_t *block = bits + ((hash >> 32) * blocks >> 32) * BLOCK_BYTES;

    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        uint8_t *word = block + (size_t)i * 4;
        store_u32le(word, load_u32le(word) | UINT32_C(1) << ((uint32_t)hash * salts[i] >> 27));
    }
}

void bloom_write(struct buf *out, const struct buf *hashes)
{
    uint64_t count = hashes->len / sizeof(uint64_t);
    uint32_t bytes = filter_bytes(count);
    struct parquet_bloom_header header = {.num_bytes = (int32_t)bytes};

    parquet_write_bloom_header(out, &header);
    buf_reserve(out, bytes);
    uint8_t *bits = out->data + out->len;
    memset(bits, 0, bytes);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t hash;
        memcpy(&hash, hashes->data + i * sizeof(hash), sizeof(hash));
        insert(bits, bytes / BLOCK_BYTES, hash);
    }
    out->len += bytes;
}
