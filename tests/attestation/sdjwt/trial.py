"""Keys, certificates and an anchored certificate of origin, for the tests here."""

import json
from datetime import UTC, datetime

from attestation.sealing.trial import anchored
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from cocket.attestation.sdjwt.base64url import decode_base64url
from cocket.attestation.sdjwt.combined import Combined
from cocket.attestation.sdjwt.issuance import issue
from cocket.attestation.sdjwt.issuer import Issuer, issuer_of_pem
from cocket.attestation.sdjwt.p256 import PrivateKey

RAW_KEYS = [ec.derive_private_key(1000 + at, ec.SECP256R1()) for at in range(3)]
SEAL, HOLDER, OTHER = map(PrivateKey, RAW_KEYS)
ISSUER = Issuer(SEAL.public)
CERTIFICATE = anchored()
NOW = 1_800_000_000


def certificate_pem(key: object = RAW_KEYS[0], name: str = "Kenya Chamber") -> bytes:
    """Return a self-signed certificate as PEM."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1000)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2028, 1, 1, tzinfo=UTC))
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


SEALED_ISSUER = issuer_of_pem(certificate_pem())


def issued(certificate=CERTIFICATE, issuer: Issuer = ISSUER, holder: PrivateKey | None = HOLDER) -> Combined:
    return issue(certificate, issuer, SEAL.sign, NOW, None if holder is None else holder.public)


def payload_of(combined: Combined) -> dict[str, object]:
    payload = content_of(combined.jwt.split(".")[1])
    assert isinstance(payload, dict)
    return payload


def content_of(text: str) -> object:
    return json.loads(decode_base64url(text))


def disclosure_of(combined: Combined, name: str) -> str:
    return next(text for text in combined.disclosures if content_of(text)[1] == name)
