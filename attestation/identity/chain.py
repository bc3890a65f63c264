"""Certificate chains: whether a seal certificate led to somebody trusted at a moment, and was not revoked then.

The path is checked by the library (RFC 5280 as cryptography has it); revocation by the certificate revocation lists
that are supplied, for nothing is fetched here. What no list at hand covers could not be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sdjwt.issuer import CHAIN_MAX
from cocket.attestation.verdict import NO, YES, Answer, unknown

TRUSTED_MAX = 256
"""Roots in a file: a country's trusted list has some dozens."""
TRUSTED_BYTES_MAX = 1 << 20
CRL_BYTES_MAX = 32 << 20
CRLS_MAX = 32
_UNDERSTOOD = {x509.AuthorityKeyIdentifier.oid, x509.CRLNumber.oid}


def trusted_of_pem(data: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a PEM file that somebody trusts; InvalidFile when there are none or too many."""
    if len(data) > TRUSTED_BYTES_MAX:
        raise InvalidFile(f"a file of {len(data)} bytes; expected at most {TRUSTED_BYTES_MAX}")
    try:
        found = x509.load_pem_x509_certificates(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile("found no certificates in PEM; expected those that you trust") from None
    if len(found) > TRUSTED_MAX:
        raise InvalidFile(f"found {len(found)} certificates; expected at most {TRUSTED_MAX}")
    return tuple(found)


def crl_of(data: bytes) -> x509.CertificateRevocationList:
    """Return a certificate revocation list from its PEM or DER; InvalidFile when it is none."""
    if len(data) > CRL_BYTES_MAX:
        raise InvalidFile(f"a list of {len(data)} bytes; expected at most {CRL_BYTES_MAX}")
    try:
        if data.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_crl(data)
        return x509.load_der_x509_crl(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile("found no certificate revocation list; expected one in PEM or DER") from None


def end_of(certificate: bytes) -> int:
    """Return the last second (Unix) for which a certificate (DER) was made; InvalidFile when it is none."""
    return int(_loaded(certificate).not_valid_after_utc.timestamp())


def check_chain(chain: Sequence[bytes], trusted: Sequence[x509.Certificate], at_s: int) -> Answer:
    """Return whether a chain (DER, its own certificate first) led to a trusted certificate at a moment.

    :raises InvalidFile: a certificate cannot be read.
    """
    certificates = [_loaded(each) for each in chain[:CHAIN_MAX]]
    if not trusted:
        return unknown("nobody is trusted: name the certificates that you trust")
    try:
        path = _path(certificates, trusted, at_s)
    except (VerificationError, ValueError) as error:
        return Answer(NO, f"the chain does not lead to a trusted certificate as of {_text(at_s)}: {str(error)[:200]}")
    problem = _problem(path[0])
    if problem is not None:
        return Answer(NO, problem)
    return Answer(YES, f"{_name(path[0])}, by {_name(path[-1])}, as of {_text(at_s)}")


def check_revocation(
    chain: Sequence[bytes],
    trusted: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at_s: int,
) -> Answer:
    """Return ``yes`` when no certificate of the path was revoked at a moment, as the lists at hand have it.

    :raises InvalidFile: a certificate cannot be read.
    """
    try:
        path = _path([_loaded(each) for each in chain[:CHAIN_MAX]], trusted, at_s)
    except (VerificationError, ValueError):
        return unknown("the chain does not lead to a trusted certificate")
    missing: Answer | None = None
    for certificate, issuer in pairwise(path):
        answer = _revocation(certificate, issuer, crls, at_s)
        if answer.answer == NO:
            return answer
        if answer.answer != YES:
            missing = missing or answer
    return missing or Answer(YES, f"no certificate of the path was revoked as of {_text(at_s)}")


def _path(
    certificates: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate], at_s: int
) -> list[x509.Certificate]:
    policy = PolicyBuilder().store(Store(list(trusted))).time(datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None))
    policy = policy.extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
    )
    return list(policy.build_client_verifier().verify(certificates[0], list(certificates[1:])).chain)


def _problem(certificate: x509.Certificate) -> str | None:
    """Return why a certificate is not one that seals; None when it is."""
    extensions = certificate.extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature or usage.content_commitment):
            return f"{_name(certificate)}: its key is not for signatures"
    except x509.ExtensionNotFound:
        pass
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return f"{_name(certificate)}: it is a certificate authority's, not a seal's"
    except x509.ExtensionNotFound:
        pass
    return None


def _revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at_s: int,
) -> Answer:
    """Return whether a certificate stood at a moment, by the newest list of its issuer."""
    own = [crl for crl in crls if crl.issuer == issuer.subject and _is_signed_by(crl, issuer)]
    whole = [crl for crl in own if all(each.oid in _UNDERSTOOD or not each.critical for each in crl.extensions)]
    if not whole:
        what = "has only extensions that are understood" if own else "is at hand"
        return unknown(f"revocation of {_name(certificate)}: no list of {_name(issuer)} {what}")
    newest = max(whole, key=lambda crl: crl.last_update_utc)
    entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
    moment = datetime.fromtimestamp(at_s, UTC)
    if entry is not None and entry.revocation_date_utc <= moment:
        return Answer(NO, f"{_name(certificate)} was revoked at {_text(int(entry.revocation_date_utc.timestamp()))}")
    if entry is not None or newest.last_update_utc >= moment:
        return Answer(YES, f"{_name(certificate)} was not revoked as of {_text(at_s)}")
    if newest.next_update_utc is None or newest.next_update_utc < moment:
        last = _text(int(newest.last_update_utc.timestamp()))
        return unknown(
            f"revocation of {_name(certificate)}: the newest list of {_name(issuer)} is of {last}: get its next"
        )
    return Answer(YES, f"{_name(certificate)} was not revoked as of {_text(at_s)}")


def _is_signed_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _loaded(data: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile("a certificate that cannot be read") from None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:200] or f"certificate {certificate.serial_number:x}"


def _text(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
