"""Fields and disclosures: the one place that knows how a document falls apart into fields and how one field is told.

A field is a scalar (or an empty object or array) with its JSON Pointer; the fields of a document, in any order,
give the document back (:func:`document_of`). A disclosure is RFC 9901's: base64url of the JSON array
``[salt, JSON Pointer, value]``. Which group a field belongs to is the dialect's word, given as a :class:`GroupTree`.
"""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from cocket.attestation.canonical import DEPTH_MAX, INTEGER_MAX, NAMES_EXPECTED, parse_json, segment
from cocket.attestation.errors import InvalidDocument, InvalidFile
from cocket.attestation.finding import Finding, shown

Field = tuple[str, object]
"""A JSON Pointer and the value there."""

SALT_BYTES = 16  # RFC 9901, section 9.3: 128 bits
FIELDS_MAX = 1 << 14  # 1 MiB of document cannot hold more that mean something; a group's depth stays below 15
DISCLOSURE_CHARACTERS_MAX = 2 << 20  # a field as large as the largest document, in base64

_ENCODER = msgspec.json.Encoder()
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_DISCLOSURE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_POSITION = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GroupTree:
    """Which group fields belong to: ``group`` for all below, unless a named child says otherwise.

    Positions in arrays do not count: the tree speaks of ``/items/*/price`` as items, price.
    """

    group: int
    children: Mapping[str, GroupTree] = field(default_factory=dict)
    rest: GroupTree = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rest", GroupTree(self.group) if self.children else self)

    def group_of(self, pointer: str) -> int:
        """Return the group of the field at ``pointer``."""
        node = self
        for part in pointer.split("/")[1:]:
            if part.isdigit():
                continue
            child = node.children.get(part.replace("~1", "/").replace("~0", "~"))
            if child is None:
                return node.group
            node = child
        return node.group


def _refuse(rule: str, pointer: str, found: str, expected: str) -> InvalidDocument:
    finding = Finding("error", rule, pointer, found, expected)
    return InvalidDocument(finding.text(), (finding,))


def fields_of(document: object, tree: GroupTree, group_count: int) -> tuple[list[Field], ...]:
    """Return a document's fields, one list a group, each in order of pointer.

    Refuses (InvalidDocument, with the pointer) a value outside the profile of :mod:`cocket.attestation.canonical`:
    names, integers beyond 2**53, floats, nesting; and more than ``FIELDS_MAX`` fields.
    """
    groups: tuple[list[Field], ...] = tuple([] for _ in range(group_count))
    _collect(document, "", tree, groups, DEPTH_MAX)
    if sum(map(len, groups)) > FIELDS_MAX:
        raise _refuse("fields", "", f"{sum(map(len, groups))} fields", f"at most {FIELDS_MAX}")
    for fields in groups:
        fields.sort(key=_pointer_of)
    return groups


def _pointer_of(item: Field) -> str:
    return item[0]


def _collect(node: object, pointer: str, tree: GroupTree, groups: tuple[list[Field], ...], levels: int) -> None:
    """Append the fields at and below ``node``."""
    if isinstance(node, dict | list) and node and not levels:
        raise _refuse("json-depth", pointer, "values nested too deep", f"at most {DEPTH_MAX} levels")
    if isinstance(node, dict) and node:
        children, rest = tree.children, tree.rest
        for name, child in node.items():
            try:
                place = pointer + segment(name)
            except (InvalidDocument, AttributeError, TypeError):
                raise _refuse("json-names", pointer, shown(name), NAMES_EXPECTED) from None
            branch = children.get(name, rest)
            if type(child) is str:
                groups[branch.group].append((place, child))
            else:
                _collect(child, place, branch, groups, levels - 1)
    elif isinstance(node, list) and node:
        for position, child in enumerate(node):
            if type(child) is str:
                groups[tree.group].append((f"{pointer}/{position}", child))
            else:
                _collect(child, f"{pointer}/{position}", tree, groups, levels - 1)
    elif type(node) is int and not -INTEGER_MAX <= node <= INTEGER_MAX:
        raise _refuse("json-number", pointer, shown(node), "an integer below 2**53; write larger ones as text")
    elif type(node) in SCALARS:
        groups[tree.group].append((pointer, node))
    else:
        raise _refuse("json-number", pointer, f"a value of type {type(node).__name__}", "JSON without floats")


SCALARS = frozenset({str, bool, type(None), int, Decimal, dict, list})  # the last two only when empty


def is_field_value(value: object) -> bool:
    """Return whether a parsed value is that of one field: a scalar within the profile, or an empty object or array."""
    if type(value) is int:
        return -INTEGER_MAX <= value <= INTEGER_MAX
    return type(value) in SCALARS and not (isinstance(value, dict | list) and value)


def encode_disclosure(salt: bytes, pointer: str, value: object) -> bytes:
    """Return the RFC 9901 disclosure of one field, in ASCII.

    >>> encode_disclosure(bytes(16), "/goods/0/name", "tea")
    b'WyJBQUFBQUFBQUFBQUFBQUFBQUFBQUFBIiwiL2dvb2RzLzAvbmFtZSIsInRlYSJd'
    """
    if type(value) is Decimal:
        value = msgspec.Raw(format(value, "f").encode())
    text = _ENCODER.encode((b2a_base64(salt, newline=False)[:22].translate(_URL_SAFE).decode(), pointer, value))
    return b2a_base64(text, newline=False).translate(_URL_SAFE).rstrip(b"=")


def decode_base64url(text: str) -> bytes:
    """Return the bytes of unpadded base64url text; InvalidFile when it is anything else."""
    if not _DISCLOSURE.fullmatch(text):
        raise InvalidFile(f"found {shown(text)}; expected unpadded base64url")
    try:
        return a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    except BinasciiError:
        raise InvalidFile(f"found {shown(text)}; expected unpadded base64url") from None


def decode_disclosure(text: str) -> tuple[bytes, str, object]:
    """Return (salt, pointer, value) of a disclosure; InvalidFile unless it is the one text that we would write."""
    if len(text) > DISCLOSURE_CHARACTERS_MAX:
        raise InvalidFile(f"a disclosure of {len(text)} characters; expected at most {DISCLOSURE_CHARACTERS_MAX}")
    try:
        parts = parse_json(decode_base64url(text), DISCLOSURE_CHARACTERS_MAX)
    except InvalidDocument as error:
        raise InvalidFile(f"a disclosure that is no JSON of ours: {error}") from None
    if type(parts) is not list or len(parts) != 3 or type(parts[0]) is not str or type(parts[1]) is not str:
        raise InvalidFile("a disclosure that is not [salt, JSON Pointer, value]")
    salt, pointer, value = decode_base64url(parts[0]), parts[1], parts[2]
    if not is_field_value(value):
        raise InvalidFile(f"a disclosure of {shown(pointer)} whose value is not one field")
    if len(salt) != SALT_BYTES or encode_disclosure(salt, pointer, value).decode() != text:
        raise InvalidFile(f"a disclosure of {shown(pointer)} that is not in its canonical form")
    return salt, pointer, value


class _Branch(dict[str, object]):
    """An object or array being put together; tells itself from a field whose value is an empty object."""


def document_of(fields: Iterable[Field]) -> object:
    """Return the document that these fields make, or the part of it that they are: array positions then close up.

    Refuses (InvalidFile) pointers that contradict each other: one field inside another or twice, or a position
    beside a name.

    >>> document_of([("/a/0/b", 1), ("/a/2", "x"), ("/c", {})])
    {'a': [{'b': 1}, 'x'], 'c': {}}
    """
    root = _Branch()
    for pointer, value in fields:
        names = pointer.split("/")
        if names[0] or not 2 <= len(names) <= DEPTH_MAX + 1:
            raise InvalidFile(f"found {shown(pointer)}; expected a JSON Pointer of 1 to {DEPTH_MAX} segments")
        node = root
        for name in names[1:-1]:
            child = node.setdefault(name, _Branch())
            if type(child) is not _Branch:
                raise InvalidFile(f"a field at {shown(pointer)} inside another field")
            node = child
        if names[-1] in node:
            raise InvalidFile(f"two fields at {shown(pointer)}, or one around another")
        node[names[-1]] = value
    return _closed(root)


def _closed(node: object) -> object:
    """Return a branch as the object or array that its segments say it is."""
    if type(node) is not _Branch:
        return node
    positions = [name for name in node if _POSITION.fullmatch(name)]
    if not positions:
        return {name.replace("~1", "/").replace("~0", "~"): _closed(child) for name, child in node.items()}
    if len(positions) != len(node):
        raise InvalidFile(f"positions and names side by side: {shown(sorted(node))}")
    return [_closed(node[name]) for name in sorted(positions, key=int)]
