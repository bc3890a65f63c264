"""Who signs an SD-JWT: a P-256 key, and the certificates that speak for it when there are any.

Reads certificates and names keys; never judges a certificate: neither chain, dates, key usage nor revocation.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.sdjwt.p256 import PublicKey, public_key_of

PEM_BYTES_MAX = 1 << 16
CHAIN_MAX = 5  # seal certificate, two authorities, root: and one to spare
CERTIFICATE_BYTES_MAX = 8192  # qualified seal certificates have 2 to 3 kB
_CERTIFICATE_CHARACTERS_MAX = (CERTIFICATE_BYTES_MAX + 2) // 3 * 4


@dataclass(frozen=True, slots=True)
class Issuer:
    """A key, and the certificates of it as DER, its own first; none when only the key is known."""

    key: PublicKey
    chain: tuple[bytes, ...] = ()

    @property
    def subject(self) -> str | None:
        """Return whom the certificate names (RFC 4514), None without one. Whether it is true is not checked."""
        return x509.load_der_x509_certificate(self.chain[0]).subject.rfc4514_string() if self.chain else None

    @property
    def fingerprint(self) -> bytes | None:
        """Return the SHA-256 of its own certificate (DER), None without one."""
        return sha256(self.chain[0]).digest() if self.chain else None

    @property
    def header(self) -> dict[str, object]:
        """Return what a signature's header says of who signed: certificates (x5c), else the key's name (kid)."""
        if self.chain:
            return {"x5c": [b64encode(certificate).decode() for certificate in self.chain]}
        return {"kid": self.key.thumbprint}


def issuer_of_pem(data: bytes) -> Issuer:
    """Return who stands in a PEM file: certificates, the signer's first, or one public key.

    :raises InvalidFile: neither is there, or the first one's key is none of P-256.
    """
    if len(data) > PEM_BYTES_MAX:
        raise InvalidFile(f"a PEM file of {len(data)} bytes; expected at most {PEM_BYTES_MAX}")
    try:
        if b"-----BEGIN CERTIFICATE-----" not in data:
            return Issuer(public_key_of(load_pem_public_key(data)))
        certificates = x509.load_pem_x509_certificates(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile("found no certificate and no public key in PEM; expected one of them") from None
    return issuer_of_chain(tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates))


def issuer_of_chain(chain: tuple[bytes, ...]) -> Issuer:
    """Return who stands in certificates as DER; InvalidFile: too many, or the first one's key is none of P-256."""
    if not 1 <= len(chain) <= CHAIN_MAX:
        raise InvalidFile(f"found {len(chain)} certificates; expected 1 to {CHAIN_MAX}, the signer's first")
    if longest := max((len(one) for one in chain if len(one) > CERTIFICATE_BYTES_MAX), default=0):
        raise InvalidFile(f"a certificate of {longest} bytes; expected at most {CERTIFICATE_BYTES_MAX}")
    try:
        key = x509.load_der_x509_certificate(chain[0]).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile("a first certificate that cannot be read") from None
    return Issuer(public_key_of(key), chain)


def issuer_of_header(x5c: object) -> Issuer:
    """Return who stands in a header's x5c (RFC 7515, section 4.1.6); InvalidFile when nobody does."""
    if not isinstance(x5c, list):
        raise InvalidFile(f"at /x5c: found {shown(x5c)}; expected certificates")
    return issuer_of_chain(tuple(_certificate(text) for text in x5c[: CHAIN_MAX + 1]))


def _certificate(text: object) -> bytes:
    if isinstance(text, str) and len(text) <= _CERTIFICATE_CHARACTERS_MAX:
        try:
            data = b64decode(text, validate=True)
        except (BinasciiError, ValueError):
            data = b""
        if data and b64encode(data).decode() == text:
            return data
    raise InvalidFile(f"at /x5c: found {shown(text)}; expected a certificate in base64")
