"""Proofs: a certificate as its owner keeps it, a presentation as others get it, and whether what it shows is whole.

The one place that knows how fields are shown with their paths and how they lead back to an anchored root. A group is
shown open (seed and all fields: nothing in it was left out), in part (some fields with their paths) or hidden (its
hash). Never asks a ledger: that a root is anchored is the verdict's business. Files: :mod:`cocket.attestation.files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cocket.attestation.batch import batch_leaf, batch_root, country_hash
from cocket.attestation.check import CheckedDocument
from cocket.attestation.commit import (
    document_root,
    field_leaf,
    group_hash,
    group_leaves,
    group_salts,
    secrets_of,
)
from cocket.attestation.dialect import Dialect
from cocket.attestation.dialects import DIALECTS, recognise
from cocket.attestation.disclose import Field, decode_disclosure, document_of, encode_disclosure, fields_of
from cocket.attestation.errors import InvalidBatch, InvalidDocument, InvalidFile, InvalidSelection
from cocket.attestation.finding import shown
from cocket.attestation.merkle import FIELD_NODE, climb, top_of

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a document is anchored: the chain (id and genesis hash), the contract, by whom, the batch, its place in it.

    ``issuer`` is the participant's number on that ledger; ``batch`` is the batch root, which binds it.
    """

    chain_id: int
    genesis_hash: bytes
    contract: bytes
    issuer: int
    batch: bytes
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The owner's certificate: document and secret, which open everything, and what was attested of each field.

    ``leaves`` has, for each group, the leaf of each field by its pointer, as at issuance: so that a document changed
    since can say which field it was. ``country`` is the importing country (``ZZ``: none stated).
    """

    dialect: str
    document: dict[str, object]
    secret: bytes
    country: str
    leaves: tuple[Mapping[str, bytes], ...]
    anchor: Anchor | None = None

    def anchored(self, anchor: Anchor) -> Certificate:
        """Return the certificate with its place on a ledger."""
        return replace(self, anchor=anchor)


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A whole group: its seed, all its fields in order of pointer, and the leaf of each as attested."""

    seed: bytes
    fields: tuple[Field, ...]
    leaves: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field: its disclosure (base64url text), its index in the group's tree and the path to its top."""

    disclosure: str
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PartialGroup:
    """Some fields of a group whose hash is ``hash``."""

    hash: bytes
    fields: tuple[ShownField, ...]


@dataclass(frozen=True, slots=True)
class HiddenGroup:
    """A group of which nothing is shown but its hash."""

    hash: bytes


Group = OpenGroup | PartialGroup | HiddenGroup


@dataclass(frozen=True, slots=True)
class OpenCountry:
    """The importing country, shown."""

    salt: bytes
    country: str


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a holder hands on: each group open, in part or hidden; the importing country or its hash; the anchor."""

    dialect: str
    groups: tuple[Group, ...]
    country: OpenCountry | bytes
    anchor: Anchor | None

    def fields(self) -> Iterator[Field]:
        """Yield the fields shown, as they claim to be; only :func:`integrity_of` says whether they are true."""
        for group in self.groups:
            if isinstance(group, OpenGroup):
                yield from group.fields
            elif isinstance(group, PartialGroup):
                for field in group.fields:
                    _, pointer, value = decode_disclosure(field.disclosure)
                    yield pointer, value


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a presentation is not whole: where (JSON Pointer), what was found, what was expected."""

    pointer: str
    found: str
    expected: str

    def text(self) -> str:
        """Return the problem as one line for people."""
        return f"{self.pointer or 'the certificate'}: found {self.found}; expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the fields lead to: the document root, the batch root (None without an anchor), and all problems.

    ``group_hashes`` are those that the document root was made of.

    ``is_anchored_item``: the proof reaches the batch root that the anchor names, so what a ledger says about that
    place is about this document, even if a field shown here was changed since.
    """

    document_root: bytes | None
    batch_root: bytes | None
    is_anchored_item: bool
    problems: tuple[Problem, ...]
    group_hashes: tuple[bytes, ...] = ()


def certificate_of(checked: CheckedDocument, secret: bytes, country: str) -> Certificate:
    """Return the owner's certificate of a checked document under its 32-byte secret."""
    country_hash(bytes(16), country)  # refuses what is no country
    seeds = secrets_of(secret, checked.dialect.kind).group_seeds
    leaves = tuple(
        {pointer: leaf for (pointer, _), leaf in zip(fields, group_leaves(seed, fields).own, strict=True)}
        for seed, fields in zip(seeds, checked.groups, strict=True)
    )
    return Certificate(checked.dialect.name, checked.document, secret, country, leaves)


def whole(certificate: Certificate) -> Presentation:
    """Return everything in a certificate as a presentation, whether or not it was changed since it was issued."""
    dialect = _dialect(certificate.dialect)
    secrets = secrets_of(certificate.secret, dialect.kind)
    groups = fields_of(certificate.document, dialect.tree, len(dialect.kind.groups))
    opened = zip(secrets.group_seeds, groups, certificate.leaves, strict=True)
    return Presentation(
        certificate.dialect,
        tuple(OpenGroup(seed, tuple(fields), leaves) for seed, fields, leaves in opened),
        OpenCountry(secrets.country_salt, certificate.country),
        certificate.anchor,
    )


def present(
    certificate: Certificate, selection: Sequence[str] = (EVERYTHING,), *, show_country: bool = True
) -> Presentation:
    """Return a presentation of some fields.

    ``selection`` holds names of groups (shown whole), JSON Pointers (that field, or all fields below) or ``*``. The
    kind's never-hidden group is always shown whole. Refuses (InvalidSelection) what names nothing, and a certificate
    that was changed since it was issued.
    """
    everything = whole(certificate)
    problems = integrity_of(everything).problems
    if problems:
        raise InvalidSelection(f"the certificate was changed since it was issued: {problems[0].text()}")
    kind = _dialect(certificate.dialect).kind
    names = {kind.never_hidden, *(name for name in selection if not name.startswith("/"))}
    pointers = [name for name in selection if name.startswith("/")]
    if unknown := sorted(names - {EVERYTHING, *kind.groups}):
        raise InvalidSelection(f"found group {unknown[0]!r}; expected one of {', '.join(kind.groups)}, or a pointer")
    known = [pointer for pointer, _ in everything.fields()]
    for wanted in pointers:
        if not any(_is_at_or_below(pointer, wanted) for pointer in known):
            raise InvalidSelection(f"found pointer {shown(wanted)}; the certificate has no field there")
    groups: list[Group] = []
    for index, (name, group) in enumerate(zip(kind.groups, everything.groups, strict=True)):
        is_whole = EVERYTHING in names or name in names
        groups.append(group if is_whole or not isinstance(group, OpenGroup) else _part_of(index, group, pointers))
    country = everything.country
    if isinstance(country, OpenCountry) and not show_country:
        country = country_hash(country.salt, country.country)
    return Presentation(certificate.dialect, tuple(groups), country, certificate.anchor)


def _is_at_or_below(pointer: str, wanted: str) -> bool:
    return pointer == wanted or pointer.startswith(wanted + "/")


def _part_of(index: int, group: OpenGroup, pointers: Sequence[str]) -> Group:
    """Return a group with only the fields at or below these pointers shown."""
    opened = group_leaves(group.seed, group.fields)
    hashed = group_hash(index, opened.depth, opened.top)
    positions = [
        at
        for at, (pointer, _) in enumerate(group.fields)
        if any(_is_at_or_below(pointer, wanted) for wanted in pointers)
    ]
    if not positions:
        return HiddenGroup(hashed)
    places = zip(positions, opened.places_of(positions), strict=True)
    return PartialGroup(
        hashed, tuple(ShownField(opened.disclosures[at].decode(), leaf, path) for at, (leaf, path) in places)
    )


def integrity_of(presentation: Presentation, document: object = None) -> Integrity:
    """Return what a presentation's fields lead to, and every problem with the field it lies in.

    ``document`` is what the fields were just taken from, where it is at hand: it then need not be put together again.
    """
    dialect = DIALECTS.get(presentation.dialect)
    if dialect is None or len(presentation.groups) != len(dialect.kind.groups):
        known = ", ".join(DIALECTS)
        problem = Problem("", f"dialect {shown(presentation.dialect)} with {len(presentation.groups)} groups", known)
        return Integrity(None, None, False, (problem,))
    problems: list[Problem] = []
    hashes = [_group_hash_of(at, group, dialect, problems) for at, group in enumerate(presentation.groups)]
    problems.extend(_shape_problems(presentation, dialect, document))
    root, hashed = document_root(dialect.kind, hashes), tuple(hashes)
    anchor = presentation.anchor
    if anchor is None:
        return Integrity(root, None, False, tuple(problems), hashed)
    try:
        country = presentation.country
        hidden = country_hash(country.salt, country.country) if isinstance(country, OpenCountry) else country
        reached = batch_root(batch_leaf(root, hidden), anchor.index, anchor.path, dialect.kind.number, anchor.issuer)
    except InvalidBatch as error:
        return Integrity(root, None, False, (*problems, Problem("", str(error), "an importing country")), hashed)
    if reached != anchor.batch:
        expected = f"0x{anchor.batch.hex()}, the batch that the certificate names"
        problems.append(Problem("", f"fields and path that lead to 0x{reached.hex()}", expected))
    return Integrity(root, reached, reached == anchor.batch, tuple(problems), hashed)


def _group_hash_of(index: int, group: Group, dialect: Dialect, problems: list[Problem]) -> bytes:
    """Return the hash of a group as it is attested, adding what in it does not hold."""
    if isinstance(group, HiddenGroup):
        return group.hash
    if isinstance(group, PartialGroup):
        for at, field in enumerate(group.fields):
            problems.extend(_shown_problems(index, at, field, group.hash, dialect))
        return group.hash
    unfolded = group_salts(group.seed, len(group.leaves))
    attested = sorted(group.leaves)
    found = dict(group.fields)
    if len(found) != len(group.fields):
        problems.append(Problem("", f"a field twice in group {dialect.kind.groups[index]}", "each field once"))
    for pointer, salt in zip(attested, unfolded.salts, strict=True):
        if dialect.tree.group_of(pointer) != index:
            problems.append(_misplaced(pointer, index, dialect))
        if pointer not in found:
            problems.append(Problem(pointer, "no such field", "the field that was attested"))
        elif field_leaf(encode_disclosure(salt, pointer, found[pointer])) != group.leaves[pointer]:
            problems.append(Problem(pointer, shown(found[pointer]), "the value that was attested"))
    problems.extend(
        Problem(pointer, shown(found[pointer]), "no field here: none was attested")
        for pointer in sorted(found.keys() - group.leaves.keys())
    )
    leaves = sorted([*group.leaves.values(), *unfolded.decoys])
    return group_hash(index, len(leaves).bit_length() - 1, top_of(leaves, FIELD_NODE))


def _shown_problems(index: int, at: int, field: ShownField, expected: bytes, dialect: Dialect) -> Iterator[Problem]:
    try:
        _, pointer, value = decode_disclosure(field.disclosure)
    except InvalidFile as error:
        yield Problem(f"/groups/{index}/fields/{at}", str(error), "a disclosure")
        return
    if dialect.tree.group_of(pointer) != index:
        yield _misplaced(pointer, index, dialect)
    top = climb(field_leaf(field.disclosure.encode()), field.index, field.path, FIELD_NODE)
    if group_hash(index, len(field.path), top) != expected:
        yield Problem(pointer, shown(value), "the value that was attested")


def _misplaced(pointer: str, index: int, dialect: Dialect) -> Problem:
    groups = dialect.kind.groups
    return Problem(pointer, f"a field in group {groups[index]}", f"group {groups[dialect.tree.group_of(pointer)]}")


def _shape_problems(presentation: Presentation, dialect: Dialect, document: object) -> Iterator[Problem]:
    """Yield what is wrong with the whole: the never-hidden group not open, another dialect, no document."""
    first = presentation.groups[0]
    if not isinstance(first, OpenGroup):
        yield Problem("", f"group {dialect.kind.never_hidden} not shown whole", "it whole: it may never be hidden")
        return
    try:
        if recognise(document_of(first.fields) if document is None else document) is not dialect:
            yield Problem("/type", "a document of another type", dialect.document_type)
        if document is None:
            document_of(presentation.fields())
    except InvalidFile as error:
        yield Problem("", str(error), "fields of one document")


def _dialect(name: str) -> Dialect:
    if name not in DIALECTS:
        raise InvalidDocument(f"found dialect {shown(name)}; expected one of {', '.join(DIALECTS)}")
    return DIALECTS[name]
