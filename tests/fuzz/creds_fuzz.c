/* SPDX-License-Identifier: MIT */
/* Files that a user logs in with: credentials, seeds, and the JWT in them. The first byte says for
 * which of them the rest is taken. */
#include "nats/creds.h"

#include <string.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TELLING = 16 }; /* as long a word is none of ours, but of a key or a token */

static bool is_part(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* Where the text has a long word, it has been copied out of the file. */
static void expect_silent(const struct err *err)
{
    const char *at = err->text;
    ASSERT(at[0] != '\0' && strchr(at, '\n') == NULL);
    for (size_t len; *at != '\0'; at += len + (at[len] != '\0')) {
        len = strcspn(at, " :'/");
        ASSERT(len < TELLING);
    }
}

static void try_seed(struct slice text)
{
    static const char message[] = "nonce";
    struct nats_nkey key;
    struct err err = {0};
    if (nats_nkey_read_seed(&key, text, &err) != 0) {
        expect_silent(&err);
        return;
    }
    uint8_t signature[NATS_NKEY_SIGNATURE], again[NATS_NKEY_SIGNATURE];
    ASSERT(strlen(key.public_text) == NATS_NKEY_PUBLIC_TEXT && key.public_text[0] == 'U');
    nats_nkey_sign(&key, slice_of(message), signature);
    nats_nkey_sign(&key, slice_of(message), again); /* RFC 8032: the same each time */
    ASSERT(memcmp(signature, again, sizeof(again)) == 0);
    nats_nkey_wipe(&key);
}

static void try_jwt(struct slice text)
{
    struct nats_jwt jwt;
    struct err err = {0};
    if (nats_jwt_parse(&jwt, text, &err) != 0) {
        expect_silent(&err);
        return;
    }
    ASSERT(strlen(jwt.subject) <= NATS_NKEY_PUBLIC_TEXT && jwt.subject[0] == 'U');
    ASSERT(jwt.issued >= 0 && jwt.not_before >= 0 && jwt.expires >= 0);
    ASSERT(jwt.expires <= INT64_MAX / 1000000000);
}

static void try_creds(struct slice file)
{
    struct nats_creds creds;
    struct err err = {0};
    if (nats_creds_parse(&creds, file, &err) != 0) {
        expect_silent(&err);
        return;
    }
    ASSERT(creds.jwt.len > 0 && is_part(creds.jwt, file) && is_part(creds.seed, file));
    ASSERT(memchr(creds.jwt.data, '\n', creds.jwt.len) == NULL);
    try_jwt(creds.jwt);
    try_seed(creds.seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {data + 1, size - 1}, seed;
    struct err err = {0};
    if (size == 0)
        return 0;
    switch (data[0] % 4) {
    case 0:
        try_creds(rest);
        break;
    case 1:
        try_jwt(rest);
        break;
    case 2:
        try_seed(rest);
        break;
    default:
        if (nats_creds_find_seed(&seed, rest, &err) != 0) {
            expect_silent(&err);
            break;
        }
        ASSERT(seed.len == NATS_NKEY_SEED_TEXT && is_part(seed, rest));
        try_seed(seed);
    }
    return 0;
}
