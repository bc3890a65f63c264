"""Paper shares: a private key written in parts on paper, any ``threshold`` of which give it back.

One line each, to be copied by hand: the version, which share it is, the fingerprint of the public key that the parts
belong to, the share in groups of four letters (RFC 4648 base32), and a check of the whole line that finds a slip of
the pen before anything is combined.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.sealing.hpke import PRIVATE_KEY_BYTES, PrivateKey, PublicKey, Suite
from cocket.attestation.sealing.shamir import SHARES_MAX, coefficient_bytes, combine, split

VERSION = "COCKET-SHARE-1"
_FINGERPRINT_BYTES = 5
_CHECK_BYTES = 5
_LINE = re.compile(
    rf"{VERSION} (?P<number>[1-9]\d?) OF (?P<threshold>[1-9]\d?)/(?P<count>[1-9]\d?) "
    r"(?P<suite>[0-9A-F]{4}) (?P<fingerprint>[A-Z2-7]{8}) (?P<share>(?:[A-Z2-7]{4} ){13})(?P<check>[A-Z2-7]{8})",
    re.ASCII,
)
LINE_CHARACTERS_MAX = 256


@dataclass(frozen=True, slots=True)
class PaperShare:
    """One part: its number, how many are needed of how many, the key it belongs to, and the share of 32 bytes."""

    number: int
    threshold: int
    count: int
    suite: Suite
    fingerprint: bytes
    share: bytes

    def __repr__(self) -> str:
        return f"PaperShare({self.number} of {self.threshold}/{self.count})"


def fingerprint_of(key: PublicKey) -> bytes:
    """Return 5 bytes that name a public key on paper."""
    return sha256(key.suite.to_bytes(2) + key.encoded).digest()[:_FINGERPRINT_BYTES]


def paper_bytes(threshold: int) -> int:
    """Return how many random bytes :func:`paper_shares` takes."""
    return coefficient_bytes(PRIVATE_KEY_BYTES, threshold)


def paper_shares(key: PrivateKey, threshold: int, count: int, randomness: bytes) -> tuple[PaperShare, ...]:
    """Return a private key in ``count`` parts, any ``threshold`` of which give it back."""
    fingerprint = fingerprint_of(key.public)
    shares = split(key.secret, threshold, count, randomness)
    return tuple(
        [PaperShare(at, threshold, count, key.suite, fingerprint, share) for at, share in enumerate(shares, 1)]
    )


def restore(parts: Iterable[PaperShare]) -> PrivateKey:
    """Return the private key from its parts; InvalidFile when they are too few, of several keys, or lead to another."""
    shares = {part.number: part for part in parts}
    kinds = {(part.threshold, part.count, part.suite, part.fingerprint) for part in shares.values()}
    if len(kinds) != 1:
        raise InvalidFile(f"parts of {len(kinds)} keys; expected those of one")
    threshold, _, suite, fingerprint = kinds.pop()
    if len(shares) < threshold:
        raise InvalidFile(f"found {len(shares)} parts; expected {threshold}, each with another number")
    chosen = {number: shares[number].share for number in sorted(shares)[:threshold]}
    key = PrivateKey(suite, combine(chosen))
    try:
        is_it = fingerprint_of(key.public) == fingerprint
    except AttestationError:
        is_it = False
    if not is_it:
        raise InvalidFile("parts that lead to another key than they name; one of them is false")
    return key


def encode_paper_share(part: PaperShare) -> str:
    """Return the line to write down."""
    share = b32encode(part.share).decode().rstrip("=")
    letters = " ".join([share[at : at + 4] for at in range(0, len(share), 4)])
    place = f"{part.number} OF {part.threshold}/{part.count} {part.suite:04X}"
    line = f"{VERSION} {place} {b32encode(part.fingerprint).decode()} {letters}"
    return f"{line} {_check(line)}"


def decode_paper_share(line: str) -> PaperShare:
    """Return the part in a line; any spacing and either case will do. InvalidFile when it was copied wrong."""
    text = " ".join(line.upper().split())
    found = _LINE.fullmatch(text) if len(line) <= LINE_CHARACTERS_MAX else None
    if found is None:
        raise InvalidFile(f"found {shown(line[:32])}; expected a line that begins with {VERSION}")
    if _check(text[: found.start("check") - 1]) != found["check"]:
        raise InvalidFile("a line whose check does not fit; look for a letter that was copied wrong")
    try:
        suite = Suite(int(found["suite"], 16))
        share = b32decode(found["share"].replace(" ", "") + "====")
    except ValueError:
        raise InvalidFile("a share of a suite that we do not know, or of another length") from None
    number, threshold, count = (int(found[name]) for name in ("number", "threshold", "count"))
    if not 1 <= threshold <= count <= SHARES_MAX or number > count:
        raise InvalidFile(f"share {number} of {threshold}/{count}, which there cannot be")
    return PaperShare(number, threshold, count, suite, b32decode(found["fingerprint"]), share)


def _check(line: str) -> str:
    return b32encode(sha256(line.encode()).digest()[:_CHECK_BYTES]).decode()
