"""Certificates of transport: what a vault or custodian shows who connects to it. The ledger has its SHA-256.

Nobody signs such a certificate but its own key: who connects compares it with the ledger and asks no other authority.
It says nothing of a person and protects no stored byte.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cocket.attestation.errors import InvalidFile

YEARS = 10
"""It is replaced by a new entry on the ledger, not by its end."""
_SERIAL_BYTES = 16


def new_transport_certificate(name: str, now_s: int, serial: bytes) -> tuple[bytes, bytes]:
    """Return a fresh P-256 key and its certificate, both PEM; ``serial`` is 16 random bytes, ``name`` the host's."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp(now_s, UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(serial[:_SERIAL_BYTES]) >> 1 | 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
    )


def fingerprint_of(certificate: bytes) -> bytes:
    """Return the SHA-256 (32 bytes) of a certificate's DER from its PEM; InvalidFile when it is none."""
    try:
        return sha256(x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)).digest()
    except ValueError:
        raise InvalidFile("no certificate (PEM)") from None
