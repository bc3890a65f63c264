"""Printed certificates: what a QR code beside the printed text holds, so that paper proves what is printed on it.

Values and seeds of the groups that are shown whole, hashes of the others, the place on the ledger, the path to the
batch where it fits, and the issuer's signature over document root, country, batch and index
(EIP-712). Without the path the
signature alone ties the fields to the place: a ledger has to say whose key it is. Never judges: see
:mod:`cocket.attestation.verdict`. The layout is in ``docs/formats.md``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from struct import Struct

from cocket.attestation.base45 import decode_base45, encode_base45
from cocket.attestation.batch import DEPTH_MAX, DEPTH_MIN, ISSUER_MAX, country_hash
from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.commit import group_leaves
from cocket.attestation.dialect import Dialect
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.disclose import SALT_BYTES, Field, is_field_value
from cocket.attestation.errors import InvalidBatch, InvalidFile, InvalidSelection
from cocket.attestation.finding import shown
from cocket.attestation.members import read_json
from cocket.attestation.merkle import HASH_BYTES, keccak256
from cocket.attestation.printed_words import WORDS
from cocket.attestation.prove import (
    Anchor,
    Group,
    HiddenGroup,
    Integrity,
    OpenCountry,
    OpenGroup,
    Presentation,
    integrity_of,
)
from cocket.attestation.signature import SIGNATURE_BYTES, recover
from cocket.attestation.typed_data import typed_data_hash, word

PREFIX = "COCKET1:"
CHARACTERS_MAX = 1451
"""What a QR code of version 25 holds at error correction M in its alphanumeric mode: 117 modules a side."""
BYTES_MAX = (CHARACTERS_MAX - len(PREFIX)) // 3 * 2
DOMAIN = "Cocket printed certificate"

_TYPE = b"PrintedCertificate(bytes32 documentRoot,bytes32 destination,bytes32 batch,uint32 index)"
_HEAD = Struct(f">BQ{HASH_BYTES}s20sI{HASH_BYTES}sIBH")
_HAS_COUNTRY, _IS_SIGNED = 1, 2
_VALUES_BYTES_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class Printed:
    """A presentation of whole groups, and its issuer's signature, None when nobody signed.

    Its anchor's path is empty where it did not fit: then the fields lead to no batch by themselves.
    """

    presentation: Presentation
    signature: bytes | None = None

    @property
    def anchor(self) -> Anchor:
        """Where the certificate is anchored, by what is printed."""
        anchor = self.presentation.anchor
        if anchor is None:
            raise InvalidSelection("the certificate is not anchored: there is nothing that a code could prove")
        return anchor

    @property
    def has_path(self) -> bool:
        """Whether the fields lead to the batch by themselves."""
        return bool(self.anchor.path)

    @property
    def integrity(self) -> Integrity:
        """What the fields lead to: without a path to the document root and no further."""
        return integrity_of(self.presentation if self.has_path else replace(self.presentation, anchor=None))

    def signer(self) -> bytes | None:
        """Return the address that signed these fields at this place; None when nobody did.

        :raises InvalidFile: the signature is none that a key can have made.
        """
        return None if self.signature is None else recover(self.signing_hash(), self.signature)

    def signing_hash(self) -> bytes:
        """Return the hash that an issuer signs (EIP-712): this document, for this country, is at this place.

        :raises InvalidFile: what is shown is no document of any dialect.
        """
        anchor, country = self.anchor, self.presentation.country
        root = self.integrity.document_root
        if root is None:
            raise InvalidFile("fields that lead to no document root")
        try:
            destination = country_hash(country.salt, country.country) if isinstance(country, OpenCountry) else country
        except InvalidBatch as error:
            raise InvalidFile(str(error)) from None
        message = keccak256(_TYPE) + root + destination + anchor.batch + word(anchor.index)
        return typed_data_hash(DOMAIN, anchor.chain_id, anchor.contract, anchor.genesis_hash, message)


def encode_printed(printed: Printed) -> str:
    """Return the text of the code, without the path when it does not fit.

    :raises InvalidSelection: a group is shown in part, or what is shown does not fit at all.
    """
    data = _encode(printed)
    if len(data) > BYTES_MAX and printed.has_path:
        anchor = replace(printed.anchor, path=())
        data = _encode(replace(printed, presentation=replace(printed.presentation, anchor=anchor)))
    if len(data) > BYTES_MAX:
        raise InvalidSelection(
            f"what is shown takes {len(data)} bytes and a code holds {BYTES_MAX}: show fewer groups in it"
        )
    return PREFIX + encode_base45(data)


def is_printed(text: bytes) -> bool:
    """Return whether a file's bytes begin as the text of a code does."""
    return text.startswith(PREFIX.encode())


def decode_printed(text: bytes) -> Printed:
    """Return what the text of a code holds; InvalidFile when it is none of ours. What it says is not judged."""
    if not is_printed(text) or len(text) > CHARACTERS_MAX + 2:
        raise InvalidFile(f"a text of {len(text)} characters; expected {PREFIX} and at most {CHARACTERS_MAX} in all")
    data = decode_base45(text[len(PREFIX) :].decode("ascii", "replace").rstrip("\r\n"))
    try:
        return _decode(data)
    except (IndexError, zlib.error):
        raise InvalidFile("a code that is cut off or damaged: scan it again") from None


def _encode(printed: Printed) -> bytes:
    presentation, anchor = printed.presentation, printed.anchor
    dialect = DIALECTS[presentation.dialect]
    country, mask, groups = presentation.country, 0, b""
    values: list[list[list[object]]] = []
    for at, group in enumerate(presentation.groups):
        if isinstance(group, OpenGroup):
            mask |= 1 << at
            groups += group.seed
            values.append([[pointer, value] for pointer, value in group.fields])
        elif isinstance(group, HiddenGroup):
            groups += group.hash
        else:
            name = dialect.kind.groups[at]
            raise InvalidSelection(
                f"group {name} shown in part; a code shows whole groups: name {name} or nothing of it"
            )
    has_country = isinstance(country, OpenCountry)
    flags = (_HAS_COUNTRY if has_country else 0) | (_IS_SIGNED if printed.signature else 0)
    head = _HEAD.pack(
        flags,
        anchor.chain_id,
        anchor.genesis_hash,
        anchor.contract,
        anchor.issuer,
        anchor.batch,
        anchor.index,
        len(anchor.path),
        mask,
    )
    shown_country = country.salt + country.country.encode() if isinstance(country, OpenCountry) else country
    packed = _packed(encode_json([dialect.name, *values]))
    ends = b"".join(anchor.path) + groups + shown_country + (printed.signature or b"")
    return head + len(packed).to_bytes(2) + packed + ends


class _Bytes:
    """Bytes that are taken from the front."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        if len(self.rest) < count:
            raise IndexError
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken


def _decode(data: bytes) -> Printed:
    source = _Bytes(data)
    flags, chain_id, genesis_hash, contract, issuer, batch, index, depth, mask = _HEAD.unpack(source.take(_HEAD.size))
    if flags & ~(_HAS_COUNTRY | _IS_SIGNED) or (depth and not DEPTH_MIN <= depth <= DEPTH_MAX):
        raise InvalidFile(f"a code with flags {flags} and a path of {depth} hashes, which none of ours has")
    if not 0 < issuer <= ISSUER_MAX or index >= 1 << (depth or DEPTH_MAX) or chain_id > INTEGER_MAX:
        raise InvalidFile(f"a code of chain {chain_id}, issuer {issuer} and index {index}, which no ledger has")
    dialect, values = _values(source.take(int.from_bytes(source.take(2))))
    path = tuple([source.take(HASH_BYTES) for _ in range(depth)])
    count = len(dialect.kind.groups)
    if mask >> count or mask.bit_count() != len(values):
        raise InvalidFile(f"a code with groups {mask:b} and values of {len(values)}; a {dialect.kind.name} has {count}")
    waiting = iter(values)
    groups: list[Group] = []
    for at in range(count):
        thirty_two = source.take(HASH_BYTES)
        groups.append(_open(thirty_two, next(waiting)) if mask >> at & 1 else HiddenGroup(thirty_two))
    country: OpenCountry | bytes = source.take(SALT_BYTES + 2 if flags & _HAS_COUNTRY else HASH_BYTES)
    if isinstance(country, bytes) and flags & _HAS_COUNTRY:
        country = OpenCountry(country[:SALT_BYTES], country[SALT_BYTES:].decode("ascii", "replace"))
    signature = source.take(SIGNATURE_BYTES) if flags & _IS_SIGNED else None
    if source.rest:
        raise InvalidFile(f"a code with {len(source.rest)} bytes more than it says: scan it again")
    anchor = Anchor(chain_id, genesis_hash, contract, issuer, batch, index, path)
    return Printed(Presentation(dialect.name, tuple(groups), country, anchor), signature)


def _open(seed: bytes, fields: tuple[Field, ...]) -> OpenGroup:
    own = group_leaves(seed, fields).own
    return OpenGroup(seed, fields, {pointer: leaf for (pointer, _), leaf in zip(fields, own, strict=True)})


def _packed(values: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15, zdict=WORDS)
    return packer.compress(values) + packer.flush()


def _values(packed: bytes) -> tuple[Dialect, list[tuple[Field, ...]]]:
    """Return the dialect, and the fields of each group that is shown."""
    opener = zlib.decompressobj(wbits=-15, zdict=WORDS)
    data = opener.decompress(packed, _VALUES_BYTES_MAX)
    if not opener.eof or opener.unused_data:
        raise InvalidFile(f"a code whose values are cut off, or more than {_VALUES_BYTES_MAX} bytes")
    node = read_json(data, _VALUES_BYTES_MAX, "code of a certificate")
    if not isinstance(node, list) or not node or not isinstance(node[0], str) or node[0] not in DIALECTS:
        known = ", ".join(DIALECTS)
        raise InvalidFile(f"found {shown(node)}; expected values of a dialect that this program knows: {known}")
    return DIALECTS[node[0]], [_fields(group, f"/{at}") for at, group in enumerate(node[1:], 1)]


def _fields(node: object, place: str) -> tuple[Field, ...]:
    if not isinstance(node, list):
        raise InvalidFile(f"at {place}: found {shown(node)}; expected the fields of a group")
    fields: list[Field] = []
    for at, each in enumerate(node):
        if not isinstance(each, list) or len(each) != 2 or not isinstance(each[0], str) or not is_field_value(each[1]):
            raise InvalidFile(f"at {place}/{at}: found {shown(each)}; expected a field's pointer and value")
        if fields and each[0] <= fields[-1][0]:
            raise InvalidFile(f"at {place}/{at}: found {shown(each[0])}; expected pointers in order, each once")
        fields.append((each[0], each[1]))
    return tuple(fields)
