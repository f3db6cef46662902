/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static void expect_hash(const char *text, const char *expected)
{
    char out[SHA256_TEXT_MAX];
    sha256_text(slice_of(text), out);
    EXPECT_TEXT(out, expected);
}

/* The examples of NIST (FIPS 180-4, "SHA256.pdf") and, for lengths around a block, sha256sum. */
static void expect_examples(void)
{
    expect_hash("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hash("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000001);
    EXPECT(million != NULL);
    memset(million, 'a', 1000000);
    million[1000000] = '\0';
    expect_hash(million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    million[64] = '\0';
    expect_hash(million, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    million[63] = '\0';
    expect_hash(million, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
    free(million);
}

TEST(sha256_has_the_published_hashes)
{
    expect_examples();
    sha256_portable_only();
    expect_examples();
}

TEST(sha256_does_not_depend_on_the_pieces)
{
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t out[SHA256_BYTES];
    char hex[SHA256_TEXT_MAX];
    char whole[SHA256_TEXT_MAX];
    uint8_t data[300];
    memset(data, 0x5a, sizeof(data));
    sha256_text((struct slice){data, sizeof(data)}, whole);
    for (size_t piece = 1; piece < sizeof(data); piece += 7) {
        struct sha256 h;
        sha256_begin(&h);
        for (size_t at = 0; at < sizeof(data); at += piece)
            sha256_add(&h, data + at, sizeof(data) - at < piece ? sizeof(data) - at : piece);
        sha256_end(&h, out);
        sha256_format(out, hex);
        EXPECT_TEXT(hex, whole);
    }
    sha256_text(slice_of(text), hex);
    EXPECT(strlen(hex) == 64);
}

/* Cases 1, 2, 4 and 6 of RFC 4231, section 4, and one with an empty key and no data. */
TEST(sha256_hmac_of_rfc_4231)
{
    static const struct {
        const char *key, *data, *mac;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdc"
         "dcd"
         "cdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t key_len, data_len;
        uint8_t mac[SHA256_BYTES];
        char text[SHA256_TEXT_MAX];
        uint8_t *key = test_hex(cases[i].key, &key_len);
        uint8_t *data = test_hex(cases[i].data, &data_len);
        sha256_hmac((struct slice){key, key_len}, (struct slice){data, data_len}, mac);
        sha256_format(mac, text);
        EXPECT_TEXT(text, cases[i].mac);
    }
}

TEST(sha256_hmac_with_a_long_key)
{
    static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    uint8_t key[131], mac[SHA256_BYTES];
    char text[SHA256_TEXT_MAX];
    memset(key, 0xaa, sizeof(key));
    sha256_hmac((struct slice){key, sizeof(key)}, slice_of(data), mac);
    sha256_format(mac, text);
    EXPECT_TEXT(text, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* What another writer calls a hash may be any text: its line of a list would be read as two. */
TEST(sha256_in_a_text_from_outside)
{
    static const char good[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char text[sizeof(good)];
    EXPECT(sha256_is_text(slice_of(good)));
    EXPECT(!sha256_is_text(slice_of("")));
    EXPECT(!sha256_is_text((struct slice){(const uint8_t *)good, sizeof(good) - 2}));
    EXPECT(!sha256_is_text((struct slice){(const uint8_t *)good, sizeof(good)}));
    for (unsigned byte = 0; byte < 256; byte++) {
        bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
        memcpy(text, good, sizeof(good));
        text[byte % 64] = (char)byte;
        EXPECT(sha256_is_text((struct slice){(const uint8_t *)text, 64}) == digit);
    }
}
