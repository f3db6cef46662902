# SPDX-License-Identifier: MIT
"""NKeys, JWTs and credentials as nsc makes them, by another implementation of Ed25519 than varve's:
the operator, the accounts and the users of a nats-server."""

import base64
import json
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIXES = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
UNLIMITED = {
    **{key: -1 for key in ("subs", "data", "payload", "imports", "exports", "conn", "leaf")},
    **{key: -1 for key in ("mem_storage", "disk_storage", "streams", "consumer")},
    "wildcards": True,
}


def url_safe(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def checksum(data):
    """CRC-16/XMODEM."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def text(data):
    """A key as people see it: base32 of it and its checksum."""
    return base64.b32encode(data + checksum(data).to_bytes(2, "little")).decode().rstrip("=")


class Key:
    """An NKey of an operator, an account or a user."""

    def __init__(self, role="user"):
        self.role = role
        self.private = Ed25519PrivateKey.generate()
        prefix = PREFIXES[role]
        seed = bytes([18 << 3 | prefix >> 5, (prefix & 31) << 3]) + self.private.private_bytes_raw()
        self.seed = text(seed)
        self.public = text(bytes([prefix]) + self.private.public_key().public_bytes_raw())

    def sign(self, data):
        return self.private.sign(data)

    def verifies(self, signature, data):
        self.private.public_key().verify(signature, data)

    def claim(self, subject, nats, **claims):
        """A JWT by this key about the other one."""
        header = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {
            "jti": url_safe(subject.public.encode()),
            "iat": int(time.time()),
            "iss": self.public,
            "name": subject.role,
            "sub": subject.public,
            **claims,
            "nats": {"type": subject.role, "version": 2, **nats},
        }
        parts = ".".join(url_safe(json.dumps(part).encode()) for part in (header, body))
        return f"{parts}.{url_safe(self.sign(parts.encode()))}"


def credentials(jwt, seed):
    """The text of a .creds file."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n"
        "NKEY Seed printed below can be used to sign and prove identity.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


class Operator:
    """An operator with a system account and one for the tests: what goes into a server's
    configuration (MEMORY resolver), and the users' credentials."""

    def __init__(self):
        self.key = Key("operator")
        self.system = Key("account")
        self.account = Key("account")
        self.limits = {}
        self.claims = {}
        self.revoked = {}
        # A server that is reloaded wants the same one.
        self.jwt = self.key.claim(self.key, {"system_account": self.system.public})

    def config(self):
        accounts = {
            self.system: {"limits": {**UNLIMITED, "mem_storage": 0, "disk_storage": 0}},
            self.account: {"limits": {**UNLIMITED, **self.limits}, "revocations": self.revoked},
        }
        preload = {
            key.public: self.key.claim(key, nats, **(self.claims if key is self.account else {}))
            for key, nats in accounts.items()
        }
        return (
            f"operator: {self.jwt}\nsystem_account: {self.system.public}\nresolver: MEMORY\n"
            f"resolver_preload: {json.dumps(preload)}\n"
        )

    def user(self, key=None, account=None, nats=None, **claims):
        """(JWT, seed) of a user, who may do everything."""
        key = key or Key()
        free = {"subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}, **(nats or {})}
        return (account or self.account).claim(key, free, **claims), key.seed

    def client(self):
        """For nats-py: how one of them logs in."""
        key = Key()
        jwt, _ = self.user(key)
        return {
            "user_jwt_cb": jwt.encode,
            "signature_cb": lambda nonce: base64.b64encode(key.sign(nonce.encode())),
        }
