"""The file of a bundle: its parts, and their one encoding.

A line that names the format, then RLP. Decoding is strict: what ``encode_bundle`` would not write is InvalidBundle,
so no byte can be changed without that a part changes. What the parts prove is not looked at. (``docs/formats.md``.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from cocket.attestation.errors import AttestationError
from cocket.attestation.files import FILE_BYTES_MAX, decode_presentation, encode_presentation
from cocket.attestation.prove import Presentation
from cocket.contracts.consortium import VALIDATORS_MAX
from cocket.node.bundle.errors import InvalidBundle
from cocket.node.bundle.state import NODE_BYTES_MAX
from cocket.node.chain.header import Header, header_from_items, header_items
from cocket.node.chain.rlp_codec import (
    Decoded,
    Item,
    RlpError,
    decode,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
)
from cocket.node.errors import InvalidBlock

MAGIC: Final = b"cocket-bundle-1\n"
BUNDLE_BYTES_MAX: Final = FILE_BYTES_MAX + (8 << 20)
"""The largest presentation, and proofs: one change of the validators is some 5 KB, an item's state some 60 KB."""
CHANGES_MAX: Final = 1024
"""Changes of the set between anchor and head. No more than 255 authorities are ever admitted; a checkpoint helps."""
CONFIGURATION_BYTES_MAX: Final = 1 << 14
"""A founding configuration has some 700 bytes."""
AUTHORITIES_MAX: Final = 255
NODES_MAX: Final = 1 << 15
"""In one block's proofs; a path of a slot has some six nodes, and few hundred slots are read."""
_ITEMS_MAX: Final = 1 << 18

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Founding:
    """Where a bundle begins when the genesis is the anchor.

    ``configuration`` is the text whose hash block 0 has as vanity, ``validators`` seal block 1; ``nodes`` prove them.
    """

    header: Header
    configuration: bytes
    validators: tuple[bytes, ...]
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A block that changed the validators: its sealed header, those after it (ascending), and the proof nodes."""

    header: Header
    validators: tuple[bytes, ...]
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The block whose state is told of: its sealed header, the authorities that used a share, and the proof nodes."""

    header: Header
    users: tuple[int, ...]
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A presentation and what proves it. ``start`` is the founding, or the hash of a checkpoint's block."""

    presentation: Presentation
    start: Founding | bytes
    changes: tuple[Change, ...]
    head: Head


def is_bundle(data: bytes) -> bool:
    """Say whether a file says of itself that it is a bundle."""
    return data.startswith(MAGIC)


def encode_bundle(bundle: Bundle) -> bytes:
    """Return the file of a bundle."""
    start = bundle.start
    begin: Item = (
        [header_items(start.header), start.configuration, start.validators, start.nodes]
        if isinstance(start, Founding)
        else start
    )
    changes = [[header_items(change.header), change.validators, change.nodes] for change in bundle.changes]
    head = bundle.head
    users = [encode_int(user) for user in head.users]
    return MAGIC + encode(
        [encode_presentation(bundle.presentation), begin, changes, [header_items(head.header), users, head.nodes]]
    )


def decode_bundle(data: bytes) -> Bundle:
    """Return the bundle that a file is; InvalidBundle when it is none, or not as we would write it."""
    if not is_bundle(data):
        raise InvalidBundle("found a file that does not begin with the line cocket-bundle-1")
    if len(data) > BUNDLE_BYTES_MAX:
        raise InvalidBundle(f"found {len(data)} bytes, expected at most {BUNDLE_BYTES_MAX}")
    try:
        parts = expect_list(decode(data[len(MAGIC) :], _ITEMS_MAX), "bundle", 4)
        return Bundle(
            presentation=_presentation(expect_bytes(parts[0], "presentation")),
            start=_start(parts[1]),
            changes=_several(parts[2], "changes", CHANGES_MAX, _change),
            head=_head(parts[3]),
        )
    except RlpError as error:
        raise InvalidBundle(str(error)) from None


def _presentation(data: bytes) -> Presentation:
    try:
        presentation = decode_presentation(data)
    except AttestationError as error:
        raise InvalidBundle(f"presentation: {error}") from None
    if presentation.anchor is None:
        raise InvalidBundle("presentation: found no anchor, expected the place of an anchored certificate")
    if encode_presentation(presentation) != data:
        raise InvalidBundle("presentation: found another text of it than the canonical one")
    return presentation


def _start(item: Decoded) -> Founding | bytes:
    if isinstance(item, bytes):
        return expect_bytes(item, "start", 32)
    header, configuration, validators, nodes = expect_list(item, "start", 4)
    text = expect_bytes(configuration, "configuration")
    if len(text) > CONFIGURATION_BYTES_MAX:
        raise RlpError(f"configuration: found {len(text)} bytes, expected at most {CONFIGURATION_BYTES_MAX}")
    return Founding(_header(header), text, _validators(validators), _nodes(nodes))


def _change(item: Decoded) -> Change:
    header, validators, nodes = expect_list(item, "change", 3)
    return Change(_header(header), _validators(validators), _nodes(nodes))


def _head(item: Decoded) -> Head:
    header, users, nodes = expect_list(item, "head", 3)
    found = _several(users, "users", AUTHORITIES_MAX, lambda user: expect_int(user, "user", 8))
    if list(found) != sorted(set(found)):
        raise RlpError("users: found another order, expected authorities by number, each once")
    return Head(_header(header), found, _nodes(nodes))


def _header(item: Decoded) -> Header:
    try:
        return header_from_items(item)
    except InvalidBlock as error:
        raise RlpError(str(error)) from None


def _validators(item: Decoded) -> tuple[bytes, ...]:
    found = _several(item, "validators", VALIDATORS_MAX, lambda one: expect_bytes(one, "validator", 20))
    if not found or list(found) != sorted(set(found)):
        raise RlpError("validators: found none or another order, expected them ascending, each once")
    return found


def _nodes(item: Decoded) -> tuple[bytes, ...]:
    return _several(item, "proof nodes", NODES_MAX, _node)


def _node(item: Decoded) -> bytes:
    node = expect_bytes(item, "proof node")
    if not 0 < len(node) <= NODE_BYTES_MAX:
        raise RlpError(f"proof node: found {len(node)} bytes, expected 1 to {NODE_BYTES_MAX}")
    return node


def _several(item: Decoded, what: str, count_max: int, one: Callable[[Decoded], T]) -> tuple[T, ...]:
    items = expect_list(item, what)
    if len(items) > count_max:
        raise RlpError(f"{what}: found {len(items)}, expected at most {count_max}")
    return tuple([one(each) for each in items])
