/* SPDX-License-Identifier: MIT */
#include "nats/nkey.h"

#include <string.h>

#include <sodium/crypto_sign_ed25519.h>
#include <sodium/utils.h>

#include "base/assert.h"

enum {
    PREFIX_SEED = 18 << 3, /* S */
    PREFIX_USER = 20 << 3, /* U */
    SEED_BYTES = 32,
    SEED_TEXT_BYTES = 2 + SEED_BYTES + 2, /* prefixes, seed, checksum */
    PUBLIC_TEXT_BYTES = 1 + 32 + 2,       /* prefix, public key, checksum */
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* What libsodium calls where it was called wrongly, and for keys made by chance: we do neither. */
void sodium_misuse(void);
void sodium_misuse(void)
{
    ASSERT(false);
}

void randombytes_buf(void *const buf, const size_t size);
void randombytes_buf(void *const buf, const size_t size)
{
    (void)buf;
    ASSERT(size == 0);
}

/* CRC-16/XMODEM (crc16.go). */
static uint16_t checksum(const uint8_t *data, size_t len)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint32_t)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

/* RFC 4648 section 6, without padding. What is left over of the last character has to be zero. */
static bool decode_base32(struct slice text, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned pending = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.data[i] != '\0' ? strchr(alphabet, text.data[i]) : NULL;
        if (at == NULL)
            return false;
        bits = (bits & 0xFF) << 5 | (uint32_t)(at - alphabet);
        pending += 5;
        if (pending >= 8) {
            pending -= 8;
            *out++ = (uint8_t)(bits >> pending);
        }
    }
    return (bits & ((1u << pending) - 1)) == 0;
}

/* `len` is a multiple of 5. */
static void encode_base32(const uint8_t *data, size_t len, char *out)
{
    uint32_t bits = 0;
    unsigned pending = 0;
    for (size_t i = 0; i < len; i++) {
        bits = (bits & 0xFF) << 8 | data[i];
        for (pending += 8; pending >= 5; pending -= 5)
            *out++ = alphabet[bits >> (pending - 5) & 31];
    }
    *out = '\0';
}

static const char *role_name(uint8_t prefix)
{
    switch (prefix) {
    case 14 << 3:
        return "an operator";
    case 0:
        return "an account";
    case 13 << 3:
        return "a server";
    case 2 << 3:
        return "a cluster";
    case 23 << 3:
        return "encryption";
    }
    return "somebody else";
}

static void write_public(struct nats_nkey *k)
{
    uint8_t bytes[PUBLIC_TEXT_BYTES] = {PREFIX_USER};
    memcpy(bytes + 1, k->secret + SEED_BYTES, 32);
    uint16_t sum = checksum(bytes, sizeof(bytes) - 2);
    bytes[sizeof(bytes) - 2] = (uint8_t)sum;
    bytes[sizeof(bytes) - 1] = (uint8_t)(sum >> 8);
    encode_base32(bytes, sizeof(bytes), k->public_text);
}

int nats_nkey_read_seed(struct nats_nkey *k, struct slice text, struct err *err)
{
    uint8_t bytes[SEED_TEXT_BYTES] = {0}, public_key[32];
    int result = -1;
    if (text.len != NATS_NKEY_SEED_TEXT || !decode_base32(text, bytes)) {
        err_set(err, ERR_FORMAT, "it is not a seed: SU and 56 more of the characters A-Z and 2-7");
        goto wipe;
    }
    uint16_t sum = checksum(bytes, sizeof(bytes) - 2);
    if (bytes[sizeof(bytes) - 2] != (sum & 0xFF) || bytes[sizeof(bytes) - 1] != sum >> 8) {
        err_set(err, ERR_FORMAT, "the seed is damaged: its checksum is wrong");
        goto wipe;
    }
    uint8_t role = (uint8_t)((bytes[0] & 7) << 5 | bytes[1] >> 3);
    if ((bytes[0] & 0xF8) != PREFIX_SEED || role != PREFIX_USER) {
        if ((bytes[0] & 0xF8) != PREFIX_SEED)
            err_set(err, ERR_FORMAT, "it is a key, but no seed: a user's seed begins with SU");
        else
            err_set(err, ERR_FORMAT,
                    "it is the seed of %s: keep it away from here, and use that of a user, which "
                    "begins with SU",
                    role_name(role));
        goto wipe;
    }
    (void)crypto_sign_ed25519_seed_keypair(public_key, k->secret, bytes + 2); /* always 0 */
    write_public(k);
    result = 0;
wipe:
    sodium_memzero(bytes, sizeof(bytes));
    return result;
}

void nats_nkey_sign(const struct nats_nkey *k, struct slice message,
                    uint8_t signature[static NATS_NKEY_SIGNATURE])
{
    (void)crypto_sign_ed25519_detached(signature, NULL, message.data, message.len, k->secret);
}

void nats_nkey_wipe(struct nats_nkey *k)
{
    sodium_memzero(k, sizeof(*k));
}
