/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_NKEY_H
#define VARVE_NATS_NKEY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * An NKey: an Ed25519 key whose public half is the name of a user (nats-io/nkeys, README.md and
 * strkey.go). Texts of keys are base32 without padding, with a prefix that says whose key it is and
 * a checksum.
 */
enum {
    NATS_NKEY_PUBLIC_TEXT = 56, /* U... */
    NATS_NKEY_SEED_TEXT = 58,   /* SU... */
    NATS_NKEY_SIGNATURE = 64,
};

struct nats_nkey {
    uint8_t secret[64]; /* the seed and the public key, as libsodium wants them */
    char public_text[NATS_NKEY_PUBLIC_TEXT + 1];
};

/* The key of a user's seed: exactly its text. Fails if it is damaged or of somebody else than a
 * user (ERR_FORMAT); the error shows nothing of it. */
int nats_nkey_read_seed(struct nats_nkey *k, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* Sign by Ed25519 (RFC 8032). */
void nats_nkey_sign(const struct nats_nkey *k, struct slice message,
                    uint8_t signature[static NATS_NKEY_SIGNATURE]);

/* Overwrite the key, in a way that no compiler leaves out. */
void nats_nkey_wipe(struct nats_nkey *k);

#endif
