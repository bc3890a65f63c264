"""Contents: a presentation of ours out of an SD-JWT's claims, and what in it does not hold.

The way back of :mod:`cocket.attestation.sdjwt.layout`. Takes what :mod:`cocket.attestation.sdjwt.unfolding` put in
place; the presentation then leads to the document root and the batch like any other. Never judges a signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import country_hash
from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.commit import GROUP_DEPTH_MAX, GROUP_SIZE_MIN, field_leaf, group_hash, group_salts
from cocket.attestation.dialect import Dialect
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.disclose import FIELDS_MAX, decode_disclosure, encode_disclosure, is_field_value
from cocket.attestation.errors import InvalidFile
from cocket.attestation.files import anchor_of, dialect_of
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hash_of
from cocket.attestation.merkle import FIELD_NODE, HASH_BYTES, paths_of, top_of
from cocket.attestation.prove import (
    Anchor,
    Group,
    HiddenGroup,
    Integrity,
    OpenCountry,
    OpenGroup,
    PartialGroup,
    Presentation,
    Problem,
    ShownField,
    integrity_of,
)
from cocket.attestation.sdjwt.layout import (
    COUNTRY,
    DOCUMENT,
    FORMAT,
    LEAVES,
    MIRRORED,
    SEED,
    group_digests,
    mirrored_claims,
)
from cocket.attestation.sdjwt.p256 import PublicKey, public_key_of_jwk
from cocket.attestation.sdjwt.unfolding import DIGESTS, Path, Unfolded

_REQUIRED = ("anchor", "country_hash", "dialect", DOCUMENT, "document_root", "format", "group_hashes", "iat")
_OPTIONAL = ("cnf", *MIRRORED)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an SD-JWT of ours shows, where that leads, and what does not hold; who is its holder, and its time."""

    presentation: Presentation
    integrity: Integrity
    problems: tuple[Problem, ...]
    holder: PublicKey | None
    issued_at: int


def contents_of(unfolded: Unfolded) -> Contents:
    """Return what claims of ours say; InvalidFile when they are none of ours."""
    optional = [name for name in (*_OPTIONAL, COUNTRY) if name in unfolded.claims]
    members = Members(unfolded.claims, "", (*_REQUIRED, *optional))
    members.require_format(FORMAT)
    dialect = DIALECTS[dialect_of(members)]
    hashes = members.several("group_hashes", len(dialect.kind.groups), hash_of)
    if len(hashes) != len(dialect.kind.groups):
        raise members.refusal("group_hashes", f"{len(dialect.kind.groups)} hashes")
    work = _Contents(unfolded, dialect, hashes)
    presentation = Presentation(dialect.name, work.groups(), work.country(members), _anchor(members))
    integrity = integrity_of(presentation)
    root = members.octets("document_root", HASH_BYTES)
    if (integrity.document_root, integrity.group_hashes) != (root, hashes):
        work.problem("", "groups that lead to another root", f"0x{root.hex()}, the document root that was signed")
    found = {name: unfolded.claims[name] for name in MIRRORED if name in unfolded.claims}
    expected = mirrored_claims(dialect, dict(work.never_hidden.fields))
    if encode_json(found) != encode_json(expected):
        work.problem("", f"claims {shown(found)}", f"{shown(expected)}, as the document has it")
    return Contents(
        presentation,
        integrity,
        (*work.problems, *integrity.problems),
        _holder(members),
        members.number("iat", INTEGER_MAX),
    )


def _anchor(members: Members) -> Anchor | None:
    node = members.node["anchor"]
    return None if node is None else anchor_of(node)


def _holder(members: Members) -> PublicKey | None:
    if "cnf" not in members.node:
        return None
    return public_key_of_jwk(Members(members.node["cnf"], "/cnf", ("jwk",)).node["jwk"], "/cnf/jwk")


class _Contents:
    """One reading: collects what does not hold."""

    def __init__(self, unfolded: Unfolded, dialect: Dialect, hashes: tuple[bytes, ...]) -> None:
        self.unfolded, self.dialect, self.hashes = unfolded, dialect, hashes
        self.problems: list[Problem] = []
        self.never_hidden = OpenGroup(b"", (), {})
        self.unread: set[Path] = set(unfolded.disclosures) | {(*path, DIGESTS) for path in unfolded.digests}

    def problem(self, pointer: str, found: str, expected: str) -> None:
        self.problems.append(Problem(pointer, found, expected))

    def disclosure(self, *path: str) -> str:
        """Return the disclosure of a claim; InvalidFile when the claim stands there without one."""
        self.unread.discard(path)
        if path not in self.unfolded.disclosures:
            raise InvalidFile(f"at {_place(path)}: found a claim that is not disclosed; expected its disclosure")
        return self.unfolded.disclosures[path]

    def digests(self, path: Path, count: int) -> tuple[str, ...]:
        """Return the digests of an object, which must be so many and in their order, which tells nothing."""
        self.unread.discard((*path, DIGESTS))
        digests = self.unfolded.digests.get(path, ())
        if len(digests) != count or list(digests) != sorted(digests):
            raise InvalidFile(f"at {_place(path)}/_sd: found {len(digests)} digests; expected {count}, in order")
        return digests

    def groups(self) -> tuple[Group, ...]:
        names = self.dialect.kind.groups
        document = self.unfolded.claims[DOCUMENT]
        if not isinstance(document, dict) or names[0] not in document or document.keys() - set(names):
            raise InvalidFile(f"at /{DOCUMENT}: found {shown(document)}; expected groups, {names[0]} among them")
        self.digests((DOCUMENT,), len(names) - 1)
        self.never_hidden = _in_the_clear(document[names[0]], f"/{DOCUMENT}/{names[0]}")
        groups: list[Group] = [self.never_hidden]
        for index, name in enumerate(names[1:], 1):
            groups.append(self.group(index, document[name]) if name in document else HiddenGroup(self.hashes[index]))
        return tuple(groups)

    def group(self, index: int, claims: object) -> Group:
        """Return a group that is disclosed: open when its seed is, in part, or hidden when nothing in it holds."""
        path = (DOCUMENT, self.dialect.kind.groups[index])
        hidden = HiddenGroup(self.hashes[index])
        self.disclosure(*path)
        shown_fields, others = _apart(claims)
        has_seed = isinstance(others, dict) and SEED in others
        members = Members(others, _place(path), (LEAVES, SEED) if has_seed else (LEAVES,))
        leaves = self.leaves(members)
        digests = self.digests(path, len(leaves) + 1)
        texts = {pointer: self.disclosure(*path, pointer) for pointer in sorted(shown_fields)}
        fields = tuple((pointer, decode_disclosure(text)[2]) for pointer, text in texts.items())
        seed = None
        if has_seed:
            self.disclosure(*path, SEED)
            seed = members.octets(SEED, HASH_BYTES)
        if group_hash(index, len(leaves).bit_length() - 1, top_of(leaves, FIELD_NODE)) != hidden.hash:
            self.problem("", f"leaves of group {path[1]} that lead to another hash", f"0x{hidden.hash.hex()}")
            return hidden
        own = {pointer: field_leaf(text.encode()) for pointer, text in texts.items()}
        known = set(leaves)
        strangers = [pointer for pointer, leaf in own.items() if leaf not in known]
        for pointer in strangers:
            self.problem(pointer, shown(shown_fields[pointer]), "a field that was attested")
        if seed is None:
            return hidden if strangers or not own else _part(hidden.hash, leaves, tuple(texts.values()))
        if sorted([*own.values(), *group_salts(seed, len(own)).decoys]) != list(leaves):
            self.problem("", f"the seed of group {path[1]} with {len(own)} fields", "all fields that were attested")
        elif group_digests(seed, tuple(texts.values()), len(leaves)) != digests:
            self.problem("", f"digests of group {path[1]} that are none of its fields", "its fields and its decoys")
        return OpenGroup(seed, fields, own)

    def leaves(self, members: Members) -> tuple[bytes, ...]:
        leaves = members.several(LEAVES, 1 << GROUP_DEPTH_MAX, hash_of)
        count = len(leaves)
        if count < GROUP_SIZE_MIN or count & (count - 1) or list(leaves) != sorted(set(leaves)):
            expected = f"a power of two from {GROUP_SIZE_MIN}, ascending"
            raise InvalidFile(f"at {members.place}/{LEAVES}: found {count} leaves; expected {expected}")
        return leaves

    def country(self, members: Members) -> OpenCountry | bytes:
        """Return the importing country; then nothing else may be left that is disclosed."""
        self.digests((), 1)
        hidden = members.octets("country_hash", HASH_BYTES)
        shown_country: OpenCountry | bytes = hidden
        if COUNTRY in members.node:
            salt, _, _ = decode_disclosure(self.disclosure(COUNTRY))
            shown_country = OpenCountry(salt, members.country(COUNTRY))
            if country_hash(salt, shown_country.country) != hidden:
                self.problem("", f"country {shown_country.country}", "the importing country that was attested")
        if self.unread:
            raise InvalidFile(f"at {_place(min(self.unread, key=str))}: found a claim that is none of ours to disclose")
        return shown_country


def _in_the_clear(claims: object, place: str) -> OpenGroup:
    """Return the group that is never hidden, from its fields and its seed."""
    found, others = _apart(claims)
    members = Members(others, place, (SEED,))
    fields = tuple(sorted(found.items()))
    if len(fields) > FIELDS_MAX or not all(is_field_value(value) for _, value in fields):
        raise InvalidFile(f"at {place}: found {len(fields)} claims; expected at most {FIELDS_MAX} fields")
    seed = members.octets(SEED, HASH_BYTES)
    salts = group_salts(seed, len(fields)).salts
    texts = [encode_disclosure(salt, *field) for salt, field in zip(salts, fields, strict=True)]
    leaves = {pointer: field_leaf(text) for (pointer, _), text in zip(fields, texts, strict=True)}
    return OpenGroup(seed, fields, leaves)


def _apart(claims: object) -> tuple[dict[str, object], object]:
    """Return the fields in a group's claims, by pointer, and the other claims; no fields when it is no object."""
    if not isinstance(claims, dict):
        return {}, claims
    fields = {name: value for name, value in claims.items() if name.startswith("/")}
    return fields, {name: value for name, value in claims.items() if name not in fields}


def _part(expected: bytes, leaves: tuple[bytes, ...], texts: tuple[str, ...]) -> PartialGroup:
    """Return a group of which some fields are shown, with the path of each."""
    place_of = {leaf: index for index, leaf in enumerate(leaves)}
    indices = [place_of[field_leaf(text.encode())] for text in texts]
    paths = paths_of(leaves, indices, FIELD_NODE)
    return PartialGroup(expected, tuple(map(ShownField, texts, indices, paths)))


def _place(path: Path) -> str:
    return "/" + "/".join(map(str, path))
