/* SPDX-License-Identifier: MIT */
#include "parquet/write/bloom.h"

#include "base/bytes.h"
#include "test.h"

/* Expected values: the Python package xxhash. */
TEST(bloom_xxh64_known_values)
{
    uint8_t bytes[101];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    EXPECT_U64(bloom_xxh64(slice_of("")), 0xef46db3751d8e999);
    EXPECT_U64(bloom_xxh64(slice_of("a")), 0xd24ec4f1a98c6e5b);
    EXPECT_U64(bloom_xxh64(slice_of("abc")), 0x44bc2cf5ad770999);
    EXPECT_U64(bloom_xxh64(slice_of("abcdefgh")), 0x3ad351775b4634b7);
    EXPECT_U64(bloom_xxh64(slice_of("abcdefghijkl")), 0x4b09b7d3a233d4b3);
    EXPECT_U64(bloom_xxh64((struct slice){bytes, 31}), 0xc346d2b59b4d8ee1);
    EXPECT_U64(bloom_xxh64((struct slice){bytes, 32}), 0xcbf59c5116ff32b4);
    EXPECT_U64(bloom_xxh64((struct slice){bytes, 33}), 0x0c535d1acafb8ead);
    EXPECT_U64(bloom_xxh64((struct slice){bytes, 101}), 0xe99038495f85381e);
}

/* One value, bit by bit from BloomFilter.md: hash d24ec4f1a98c6e5b, one block, so of each word one
 * bit, (a98c6e5b * salt) >> 27. */
TEST(bloom_one_value)
{
    static const uint32_t salts[] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                     0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
    struct buf hashes = {0}, out = {0};
    size_t len;
    const uint8_t *header = test_hex("15 40 1c 1c 00 00 1c 1c 00 00 1c 1c 00 00 00", &len);

    bloom_append_hash(&hashes, slice_of("a"));
    bloom_write(&out, &hashes);
    EXPECT_U64(out.len, len + 32);
    EXPECT_BYTES(out.data, len, header, len);
    for (size_t i = 0; i < 8; i++) {
        uint32_t bit = (UINT32_C(0xa98c6e5b) * salts[i]) >> 27;
        EXPECT_U64(load_u32le(out.data + len + i * 4), UINT32_C(1) << bit);
    }
    buf_free(&hashes);
    buf_free(&out);
}

static bool may_hold(const struct buf *out, size_t header, uint64_t hash)
{
    static const uint32_t salts[] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                     0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
    uint64_t blocks = (out->len - header) / 32;
    const uint8_t *block = out->data + header + ((hash >> 32) * blocks >> 32) * 32;

    for (size_t i = 0; i < 8; i++)
        if (!(load_u32le(block + i * 4) >> ((uint32_t)hash * salts[i] >> 27) & 1))
            return false;
    return true;
}

TEST(bloom_holds_all_and_little_else)
{
    struct buf hashes = {0}, out = {0};
    uint8_t value[8];
    unsigned wrong = 0;

    for (uint64_t i = 0; i < 10000; i++) {
        store_u64le(value, i);
        bloom_append_hash(&hashes, (struct slice){value, 8});
    }
    bloom_write(&out, &hashes);
    size_t header = out.len % 32 == 0 ? 32 : out.len % 32;
    EXPECT_U64(out.len - header, 16384); /* 10.5 bits a value, the next power of two */
    for (uint64_t i = 0; i < 20000; i++) {
        store_u64le(value, i);
        bool holds = may_hold(&out, header, bloom_xxh64((struct slice){value, 8}));
        if (i < 10000)
            EXPECT(holds);
        else
            wrong += holds;
    }
    EXPECT(wrong < 100);
    buf_free(&hashes);
    buf_free(&out);
}

TEST(bloom_without_values_holds_nothing)
{
    struct buf hashes = {0}, out = {0};

    bloom_write(&out, &hashes);
    EXPECT_U64(out.len, 15 + 32);
    for (size_t i = 15; i < out.len; i++)
        EXPECT_U64(out.data[i], 0);
    buf_free(&out);
}
