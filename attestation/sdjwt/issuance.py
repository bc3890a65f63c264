"""Issuance: an SD-JWT of a certificate, signed with its issuer's key, with all disclosures for its holder."""

from __future__ import annotations

from cocket.attestation.errors import InvalidDocument
from cocket.attestation.prove import Certificate
from cocket.attestation.sdjwt.combined import SD_JWT_BYTES_MAX, Combined
from cocket.attestation.sdjwt.issuer import Issuer
from cocket.attestation.sdjwt.jws import ALGORITHM, encode_jws
from cocket.attestation.sdjwt.layout import TYPE, claims_of
from cocket.attestation.sdjwt.p256 import PublicKey, Sign


def issue(certificate: Certificate, issuer: Issuer, sign: Sign, issued_at: int, holder: PublicKey | None) -> Combined:
    """Return the SD-JWT of a certificate. It opens everything: to be kept like the certificate's own file.

    ``sign`` signs with the issuer's key; ``issued_at`` is in Unix seconds; a ``holder`` is the key that presentations
    can be bound to. Refuses (InvalidSelection) a certificate that was changed since it was issued, and
    (InvalidDocument) one that is larger than readers take.
    """
    claims, disclosures = claims_of(certificate)
    claims["iat"] = issued_at
    if holder is not None:
        claims["cnf"] = {"jwk": holder.jwk}
    jwt = encode_jws({"alg": ALGORITHM, "typ": TYPE, **issuer.header}, claims, sign)
    combined = Combined(jwt, disclosures)
    if len(combined.text) > SD_JWT_BYTES_MAX:
        raise InvalidDocument(f"an SD-JWT of {len(combined.text)} bytes; expected at most {SD_JWT_BYTES_MAX}")
    return combined
