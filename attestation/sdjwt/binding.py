"""Key binding: a presentation signed by its holder, for one audience and one challenge (RFC 9901, section 4.3).

A holder's wallet need not be ours: claims and header parameters that we do not know are ignored, as RFC 9901 has it;
what bounds its validity (``exp``, ``nbf``) is held. Randomness and clock come in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cocket.attestation.canonical import INTEGER_MAX
from cocket.attestation.errors import InvalidFile, InvalidSelection
from cocket.attestation.finding import shown
from cocket.attestation.prove import Problem
from cocket.attestation.sdjwt.combined import Combined
from cocket.attestation.sdjwt.jws import ALGORITHM, decode_jws, encode_jws
from cocket.attestation.sdjwt.p256 import PublicKey, Sign

TYPE = "kb+jwt"
BYTES_MAX = 1 << 14
TEXT_CHARACTERS_MAX = 1024  # of an audience (a URL) and of a nonce
AHEAD_S_MAX = 60  # a holder's clock may be so far ahead of the verifier's


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a verifier asked the holder to sign, its own time in Unix seconds, and how old a binding may be."""

    audience: str
    nonce: str
    now: int
    age_s_max: int


@dataclass(frozen=True, slots=True)
class Binding:
    """What a holder signed: for whom, which nonce, when."""

    audience: str
    nonce: str
    issued_at: int
    not_before: int
    expires: int


def bind(combined: Combined, sign: Sign, audience: str, nonce: str, issued_at: int) -> Combined:
    """Return a presentation bound by its holder's key to an audience and its nonce."""
    for name, text in (("audience", audience), ("nonce", nonce)):
        if not 0 < len(text) <= TEXT_CHARACTERS_MAX:
            raise InvalidSelection(f"found {name} {shown(text)}; expected 1 to {TEXT_CHARACTERS_MAX} characters")
    claims: dict[str, object] = {"aud": audience, "iat": issued_at, "nonce": nonce, "sd_hash": combined.digest}
    return replace(combined, binding=encode_jws({"alg": ALGORITHM, "typ": TYPE}, claims, sign))


def binding_of(combined: Combined, holder: PublicKey | None) -> tuple[Binding | None, tuple[Problem, ...]]:
    """Return the binding of a presentation to its holder's key, None when it has none, and what does not hold in it.

    :raises InvalidFile: what stands in its place is no key binding.
    """
    if not combined.binding:
        return None, ()
    jws = decode_jws(combined.binding, BYTES_MAX, "key binding")
    if jws.header.get("typ") != TYPE:
        raise InvalidFile(f"a key binding of type {shown(jws.header.get('typ'))}; expected {TYPE}")
    binding = Binding(
        _text(jws.payload, "aud"),
        _text(jws.payload, "nonce"),
        _time(jws.payload, "iat"),
        _time(jws.payload, "nbf", 0),
        _time(jws.payload, "exp", INTEGER_MAX),
    )
    problems = []
    if holder is None:
        problems.append(Problem("", "a key binding", "none: no holder's key was signed"))
    elif not holder.verifies(jws.signed, jws.signature):
        problems.append(Problem("", "a key binding signed with another key", "the holder's key that was signed"))
    if _text(jws.payload, "sd_hash") != combined.digest:
        problems.append(Problem("", "a key binding of other disclosures", "one of exactly these"))
    return binding, tuple(problems)


def answers(binding: Binding | None, challenge: Challenge) -> tuple[Problem, ...]:
    """Return why a binding does not answer a challenge; nothing when it does."""
    if binding is None:
        return (Problem("", "no key binding", f"one for {shown(challenge.audience)}"),)
    problems = []
    if binding.audience != challenge.audience:
        problems.append(Problem("", f"a key binding for {shown(binding.audience)}", shown(challenge.audience)))
    if binding.nonce != challenge.nonce:
        problems.append(Problem("", f"a key binding with nonce {shown(binding.nonce)}", shown(challenge.nonce)))
    age = challenge.now - binding.issued_at
    if not -AHEAD_S_MAX <= age <= challenge.age_s_max:
        problems.append(Problem("", f"a key binding of {age} s ago", f"at most {challenge.age_s_max} s"))
    if not binding.not_before <= challenge.now + AHEAD_S_MAX or challenge.now >= binding.expires:
        problems.append(Problem("", "a key binding outside its own dates", f"one that holds at {challenge.now}"))
    return tuple(problems)


def _text(payload: dict[str, object], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS_MAX:
        raise InvalidFile(f"a key binding with {name} {shown(value)}; expected 1 to {TEXT_CHARACTERS_MAX} characters")
    return value


def _time(payload: dict[str, object], name: str, default: int | None = None) -> int:
    value = payload.get(name, default)
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise InvalidFile(f"a key binding with {name} {shown(value)}; expected whole seconds since 1970")
    return value
