"""Verification: what an SD-JWT of ours proves to who has its issuer's key. (RFC 9901, section 7.)

In this order: form and algorithm, the issuer's signature, digests, document root and batch, the holder's signature.
What does not hold is a problem with its place, no error; what is no SD-JWT of ours is InvalidFile. Never judges whether
the key is the issuer's (its certificate's chain, dates, usage, revocation), nor what a ledger says.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.errors import FalseDisclosure, InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.prove import Problem
from cocket.attestation.sdjwt.binding import Binding, Challenge, answers, binding_of
from cocket.attestation.sdjwt.combined import SD_JWT_BYTES_MAX, Combined
from cocket.attestation.sdjwt.contents import Contents, contents_of
from cocket.attestation.sdjwt.issuer import Issuer, issuer_of_header
from cocket.attestation.sdjwt.jws import Jws, decode_jws
from cocket.attestation.sdjwt.layout import TYPE
from cocket.attestation.sdjwt.unfolding import unfold


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: contents (None when the signature or a digest does not hold), the holder's binding, problems."""

    contents: Contents | None
    binding: Binding | None
    problems: tuple[Problem, ...]


def signed_of(combined: Combined) -> Jws:
    """Return the issuer's part of an SD-JWT of ours; InvalidFile when it is none. The signature is not judged."""
    jws = decode_jws(combined.jwt, SD_JWT_BYTES_MAX, "SD-JWT")
    names = set(jws.header)
    if jws.header.get("typ") != TYPE:
        raise InvalidFile(f"an SD-JWT of type {shown(jws.header.get('typ'))}; expected {TYPE}")
    if names not in ({"alg", "typ", "kid"}, {"alg", "typ", "x5c"}):
        raise InvalidFile(f"an SD-JWT whose header has {', '.join(sorted(names))}; expected alg, typ and kid or x5c")
    if not jws.is_canonical:
        raise InvalidFile("an SD-JWT whose header or claims are not in their canonical text")
    return jws


def verify(combined: Combined, issuer: Issuer, challenge: Challenge | None = None) -> Verified:
    """Return what an SD-JWT proves under its issuer's key, to a verifier that may have set its holder a challenge.

    Without a challenge the holder's signature is checked where there is one, but not for whom and when it was made.
    """
    jws = signed_of(combined)
    if not issuer.key.verifies(jws.signed, jws.signature):
        return _false("a signature of another key, or of other claims", f"one of key {issuer.key.thumbprint}")
    named = issuer_of_header(jws.header["x5c"]).key.thumbprint if "x5c" in jws.header else jws.header["kid"]
    if named != issuer.key.thumbprint:
        return _false(f"a header that names key {shown(named)}", f"{issuer.key.thumbprint}, which signed it")
    try:
        unfolded = unfold(jws.payload, combined.disclosures)
    except FalseDisclosure as error:
        return _false(str(error), "the disclosures that were signed")
    contents = contents_of(unfolded)
    binding, problems = binding_of(combined, contents.holder)
    asked = () if challenge is None else answers(binding, challenge)
    return Verified(contents, binding, (*contents.problems, *problems, *asked))


def _false(found: str, expected: str) -> Verified:
    return Verified(None, None, (Problem("", found, expected),))
