/* SPDX-License-Identifier: MIT */
#include "nats/nkey.h"

#include "test.h"

/* Made with the Ed25519 of python's cryptography; the last one is test 2 of RFC 8032, 7.1. */
static const struct {
    const char *seed, *public_text, *message, *signature;
} known[] = {
    {"SUAJUZC2GOWLFRMCWBYXN3U5BDCURGHFTQ55BU7APHHPYBY4JW2BIL4EKY",
     "UC76L2T72GJWH747IYN7JJCRVSKSB3RBFYG74SDHP6MVJRQG6CUK3DZX", "jx3_0Y8fGAbN2aQ",
     "6032d6e9b9a7165fd32ad1289c23cf4016f21d73b6e61717b5e1c05ebea28de5"
     "4fded301d273396dd161aff028970951cce9725c913e0427c553722e7ec4f006"},
    {"SUAOQ6B7YCGAZNO67REKMGX5PN4TEM2W42MIA4MWCZV4BRNJJD764LNDQU",
     "UCBZD6HLR4AT5MPYTG4OETGS7XLWHY4PPBMJDGX7Q625LO3H3V7OFFRW", "jx3_0Y8fGAbN2aQ",
     "f960b187b823cf78ce19092590f24c7527653ac5f1ec4476286506e2a4180dc5"
     "1d8f3e87f6d386e17b9b89199ee68bb82408b1ccc96bf5701a9a129ccff5f60e"},
    {"SUAEZTIITMUP7FW2TW3MGRXMCFHA6W4KGGPTLK5GETNIZ5XNJ64KN63OVI",
     "UA6UAF6D5BBYSWUSW4FKOTI3P26JZGBMZ4XMJFUMYDGVL4JK6RTAYUDN", "\x72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
};

TEST(nats_nkey_known_ones)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct nats_nkey key;
        struct err err = {0};
        uint8_t signature[NATS_NKEY_SIGNATURE];
        size_t len;
        EXPECT(nats_nkey_read_seed(&key, slice_of(known[i].seed), &err) == 0);
        EXPECT_TEXT(key.public_text, known[i].public_text);
        nats_nkey_sign(&key, slice_of(known[i].message), signature);
        const uint8_t *expected = test_hex(known[i].signature, &len);
        EXPECT_BYTES(signature, sizeof(signature), expected, len);
        nats_nkey_wipe(&key);
        for (size_t j = 0; j < sizeof(key); j++)
            EXPECT(((const uint8_t *)&key)[j] == 0);
    }
}

static void expect_refused(const char *seed, const char *text)
{
    struct nats_nkey key;
    struct err err = {0};
    EXPECT(nats_nkey_read_seed(&key, slice_of(seed), &err) == -1);
    EXPECT_U64(err.code, ERR_FORMAT);
    EXPECT_TEXT(err.text, text);
}

TEST(nats_nkey_refuses_what_is_no_seed_of_a_user)
{
    const char *no_seed = "it is not a seed: SU and 56 more of the characters A-Z and 2-7";
    expect_refused("", no_seed);
    expect_refused("SUAJUZC2GOWLFRMCWBYXN3U5BDCURGHFTQ55BU7APHHPYBY4JW2BIL4EK", no_seed);
    expect_refused("SUAJUZC2GOWLFRMCWBYXN3U5BDCURGHFTQ55BU7APHHPYBY4JW2BIL4EKYA", no_seed);
    expect_refused("SUAJUZC2GOWLFRMCWBYXN3U5BDCURGHFTQ55BU7APHHPYBY4JW2BIL4EK1", no_seed);
    expect_refused("suajuzc2gowlfrmcwbyxn3u5bdcurghftq55bu7aphhpyby4jw2bil4eky", no_seed);
    expect_refused("SUAJUZC2GOWLFRMCWBYXN3U5BDCURGHFTQ55BU7APHHPYBY4JW2BIL4EKZ", no_seed);
    expect_refused("SOAEZTIITMUP7FW2TW3MGRXMCFHA6W4KGGPTLK5GETNIZ5XNJ64KN66RCQ",
                   "it is the seed of an operator: keep it away from here, and use that of a user, "
                   "which begins with SU");
    expect_refused("SAAEZTIITMUP7FW2TW3MGRXMCFHA6W4KGGPTLK5GETNIZ5XNJ64KN645MY",
                   "it is the seed of an account: keep it away from here, and use that of a user, "
                   "which begins with SU");
}

/* Whatever is mistyped is found: CRC-16 sees any change within 16 bits, so any of one character. */
TEST(nats_nkey_finds_a_mistyped_character)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for (size_t at = 0; at < NATS_NKEY_SEED_TEXT; at++)
        for (size_t i = 0; i < sizeof(alphabet) - 1; i++) {
            char seed[NATS_NKEY_SEED_TEXT + 1];
            struct nats_nkey key;
            struct err err = {0};
            memcpy(seed, known[0].seed, sizeof(seed));
            seed[at] = alphabet[i];
            bool same = strcmp(seed, known[0].seed) == 0;
            EXPECT((nats_nkey_read_seed(&key, slice_of(seed), &err) == 0) == same);
            EXPECT(strstr(err.text, "AJUZC2GOW") == NULL);
        }
}
