"""Unfolding: the one place that puts disclosures back where their digests stand (RFC 9901, section 7.1, steps 3 to 5).

Takes any SD-JWT's payload, not only ours: digests at all levels, inside disclosures and in arrays; decoys are left out.
Never judges a signature, nor what the claims mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cocket.attestation.canonical import NESTING_MAX
from cocket.attestation.errors import FalseDisclosure
from cocket.attestation.finding import shown
from cocket.attestation.members import read_json
from cocket.attestation.sdjwt.base64url import decode_base64url, encode_base64url

DIGESTS = "_sd"
ALGORITHM_NAME = "_sd_alg"
ALGORITHM = "sha-256"
ELEMENT = "..."

Path = tuple[str | int, ...]
"""Names and positions from the top to a claim."""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A payload with its disclosures in place.

    ``disclosures`` are by the place of the claim that each tells; ``digests`` are those of each object that has some.
    """

    claims: dict[str, object]
    disclosures: Mapping[Path, str]
    digests: Mapping[Path, tuple[str, ...]]


def digest_of(text: str) -> str:
    """Return the digest of a disclosure or of a presentation: SHA-256 over its text, in base64url.

    >>> digest_of("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0")
    'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0'
    """
    return encode_base64url(sha256(text.encode()).digest())


def unfold(payload: dict[str, object], disclosures: Sequence[str]) -> Unfolded:
    """Return the claims of a payload and these disclosures.

    :raises FalseDisclosure: a disclosure that no digest is of, or twice; a digest twice; a name twice.
    :raises InvalidFile: a disclosure that is no base64url of JSON.
    """
    algorithm = payload.get(ALGORITHM_NAME, ALGORITHM)
    if algorithm != ALGORITHM:
        raise FalseDisclosure(f"digests by {shown(algorithm)}; expected {ALGORITHM}")
    by_digest = {digest_of(text): text for text in disclosures}
    if len(by_digest) != len(disclosures):
        raise FalseDisclosure("a disclosure that is there twice; expected each once")
    work = _Unfolding(by_digest)
    claims = work.object_of({name: value for name, value in payload.items() if name != ALGORITHM_NAME}, (), NESTING_MAX)
    if unused := by_digest.keys() - work.seen:
        raise FalseDisclosure(f"disclosure {shown(by_digest[min(unused)])}, of which nothing signed has the digest")
    return Unfolded(claims, work.placed, work.digests)


def _content(text: str) -> list[object]:
    """Return the array in a disclosure."""
    data = decode_base64url(text)
    node = read_json(data, len(data), "disclosure")
    if not isinstance(node, list) or not node or not isinstance(node[0], str):
        raise FalseDisclosure(f"a disclosure of {shown(node)}; expected an array that begins with a salt")
    return node


class _Unfolding:
    """One run: which digests were met, which disclosures went where."""

    def __init__(self, by_digest: Mapping[str, str]) -> None:
        self.by_digest = by_digest
        self.seen: set[str] = set()
        self.placed: dict[Path, str] = {}
        self.digests: dict[Path, tuple[str, ...]] = {}

    def value_of(self, node: object, path: Path, levels: int) -> object:
        if isinstance(node, dict):
            return self.object_of(node, path, levels)
        return self.array_of(node, path, levels) if isinstance(node, list) else node

    def object_of(self, node: dict[str, object], path: Path, levels: int) -> dict[str, object]:
        """Return an object with its claims in place; ``levels`` is how much deeper it may go, disclosures included."""
        self._enter(levels)
        if ELEMENT in node or ALGORITHM_NAME in node:
            raise FalseDisclosure(f"a claim {ELEMENT} or {ALGORITHM_NAME} at {_place(path)}, where none may be")
        claims = {
            name: self.value_of(value, (*path, name), levels - 1) for name, value in node.items() if name != DIGESTS
        }
        if DIGESTS not in node:
            return claims
        digests = node[DIGESTS]
        if not isinstance(digests, list):
            raise FalseDisclosure(f"a claim {DIGESTS} at {_place(path)} that is no array of digests")
        self.digests[path] = tuple(self._met(digest, path) for digest in digests)
        for digest in self.digests[path]:
            if digest not in self.by_digest:
                continue
            content = _content(self.by_digest[digest])
            if len(content) != 3 or not isinstance(content[1], str) or content[1] in (DIGESTS, ELEMENT):
                raise FalseDisclosure(
                    f"a disclosure of {shown(content)} at {_place(path)}; expected [salt, name, value]"
                )
            if content[1] in claims:
                raise FalseDisclosure(f"two claims {shown(content[1])} at {_place(path)}")
            place = (*path, content[1])
            self.placed[place] = self.by_digest[digest]
            claims[content[1]] = self.value_of(content[2], place, levels - 1)
        return claims

    def array_of(self, node: list[object], path: Path, levels: int) -> list[object]:
        """Return an array with its elements in place; those that are not disclosed are left out."""
        self._enter(levels)
        elements: list[object] = []
        for element in node:
            place = (*path, len(elements))
            if not isinstance(element, dict) or ELEMENT not in element:
                elements.append(self.value_of(element, place, levels - 1))
                continue
            if len(element) != 1:
                raise FalseDisclosure(f"a digest at {_place(place)} with other claims beside it")
            digest = self._met(element[ELEMENT], place)
            if digest not in self.by_digest:
                continue
            content = _content(self.by_digest[digest])
            if len(content) != 2:
                raise FalseDisclosure(f"a disclosure of {shown(content)} at {_place(place)}; expected [salt, value]")
            self.placed[place] = self.by_digest[digest]
            elements.append(self.value_of(content[1], place, levels - 1))
        return elements

    def _enter(self, levels: int) -> None:
        if not levels:
            raise FalseDisclosure(f"claims nested too deep; expected at most {NESTING_MAX} levels")

    def _met(self, digest: object, path: Path) -> str:
        if not isinstance(digest, str):
            raise FalseDisclosure(f"a digest of {shown(digest)} at {_place(path)}; expected text")
        if digest in self.seen:
            raise FalseDisclosure(f"digest {shown(digest)} twice; expected each once")
        self.seen.add(digest)
        return digest


def _place(path: Path) -> str:
    return "/" + "/".join(map(str, path)) if path else "the top"
