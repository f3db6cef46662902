# SPDX-License-Identifier: MIT
"""Certificates and keys for tests, made anew for each run."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
KEYS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def address_or_name(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class Certificate:
    """One that `issuer` has signed, or itself. Times are days from now."""

    def __init__(self, subject, issuer=None, names=(), kind="p256", ca=False, since=-1, until=10):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.key = KEYS[kind]()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        self.issuer = issuer
        signer = issuer or self
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since * DAY)
            .not_valid_after(now + until * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            listed = x509.SubjectAlternativeName([address_or_name(name) for name in names])
            builder = builder.add_extension(listed, critical=False)
        if not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        algorithm = None if isinstance(signer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        self.x509 = builder.sign(signer.key, algorithm)
        self.until = self.x509.not_valid_after_utc

    def pem(self):
        """With what links it to its CA, which itself is left out."""
        chain, at = [], self
        while at is not None and (at.issuer is not None or at is self):
            chain.append(at.x509.public_bytes(serialization.Encoding.PEM))
            at = at.issuer
        return b"".join(chain)

    def key_pem(self, password=None):
        encryption = (
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption()
        )
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def write(self, directory, name, password=None):
        """NAME.pem and NAME.key in the directory, as texts of their paths."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{name}.pem").write_bytes(self.pem())
        (directory / f"{name}.key").write_bytes(self.key_pem(password))
        return str(directory / f"{name}.pem"), str(directory / f"{name}.key")
