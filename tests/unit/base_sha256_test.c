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
