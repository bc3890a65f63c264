"""Files: the one place that knows how certificates and presentations look as bytes. (``docs/formats.md``.)

Canonical JSON with a ``format`` that carries the version. Decoding is strict: an unknown member, a missing one, a hash
of the wrong length, an upper-case digit are InvalidFile, which names the place. Never judges what a file says.
"""

from __future__ import annotations

from collections.abc import Mapping

from cocket.attestation.batch import DEPTH_MAX as BATCH_DEPTH_MAX
from cocket.attestation.batch import ISSUER_MAX
from cocket.attestation.canonical import encode_json
from cocket.attestation.commit import GROUP_DEPTH_MAX
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.disclose import DISCLOSURE_CHARACTERS_MAX, FIELDS_MAX, SALT_BYTES, Field, is_field_value
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hash_of, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.prove import (
    Anchor,
    Certificate,
    Group,
    HiddenGroup,
    OpenCountry,
    OpenGroup,
    PartialGroup,
    Presentation,
    ShownField,
)

CERTIFICATE_FORMAT = "cocket-certificate-1"
PRESENTATION_FORMAT = "cocket-presentation-1"
FILE_BYTES_MAX = 8 << 20  # a document of 1 MiB with a 66-character hash for each of its fields
ADDRESS_BYTES = 20


def encode_certificate(certificate: Certificate) -> bytes:
    """Return the owner's file of a certificate. It opens everything: keep it as you would a signed original."""
    return encode_json(
        {
            "format": CERTIFICATE_FORMAT,
            "dialect": certificate.dialect,
            "document": certificate.document,
            "secret": hexadecimal(certificate.secret),
            "country": certificate.country,
            "leaves": [_leaves_json(leaves) for leaves in certificate.leaves],
            "anchor": anchor_json(certificate.anchor),
        }
    )


def decode_certificate(data: bytes) -> Certificate:
    """Return the certificate in an owner's file; InvalidFile when it is none."""
    return _certificate(_opened(data, CERTIFICATE_FORMAT))


def encode_presentation(presentation: Presentation) -> bytes:
    """Return the file of a presentation."""
    country = presentation.country
    return encode_json(
        {
            "format": PRESENTATION_FORMAT,
            "dialect": presentation.dialect,
            "groups": [_group_json(group) for group in presentation.groups],
            "country": {"salt": hexadecimal(country.salt), "country": country.country}
            if isinstance(country, OpenCountry)
            else {"hash": hexadecimal(country)},
            "anchor": anchor_json(presentation.anchor),
        }
    )


def decode_presentation(data: bytes) -> Presentation:
    """Return the presentation in a file; InvalidFile when it is none."""
    return _presentation(_opened(data, PRESENTATION_FORMAT))


def decode_file(data: bytes) -> Certificate | Presentation:
    """Return what a file holds, by its ``format``."""
    members = _opened(data, CERTIFICATE_FORMAT, PRESENTATION_FORMAT)
    return _certificate(members) if members.node["format"] == CERTIFICATE_FORMAT else _presentation(members)


def _leaves_json(leaves: Mapping[str, bytes]) -> object:
    return {pointer: hexadecimal(leaf) for pointer, leaf in leaves.items()}


def anchor_json(anchor: Anchor | None) -> object:
    """Return an anchor as our files write it."""
    if anchor is None:
        return None
    return {
        "chain_id": anchor.chain_id,
        "genesis_hash": hexadecimal(anchor.genesis_hash),
        "contract": hexadecimal(anchor.contract),
        "issuer": anchor.issuer,
        "batch": hexadecimal(anchor.batch),
        "index": anchor.index,
        "path": [hexadecimal(sibling) for sibling in anchor.path],
    }


def _group_json(group: Group) -> object:
    if isinstance(group, OpenGroup):
        return {
            "seed": hexadecimal(group.seed),
            "fields": [[pointer, value] for pointer, value in group.fields],
            "leaves": _leaves_json(group.leaves),
        }
    if isinstance(group, PartialGroup):
        fields = [
            {
                "disclosure": field.disclosure,
                "index": field.index,
                "path": [hexadecimal(sibling) for sibling in field.path],
            }
            for field in group.fields
        ]
        return {"hash": hexadecimal(group.hash), "fields": fields}
    return {"hash": hexadecimal(group.hash)}


_CERTIFICATE_NAMES = ("format", "dialect", "document", "secret", "country", "leaves", "anchor")
_PRESENTATION_NAMES = ("format", "dialect", "groups", "country", "anchor")
_NAMES = {CERTIFICATE_FORMAT: _CERTIFICATE_NAMES, PRESENTATION_FORMAT: _PRESENTATION_NAMES}


def _opened(data: bytes, *formats: str) -> Members:
    """Return the members of a file of one of these formats."""
    node = read_json(data, FILE_BYTES_MAX, "certificate or presentation")
    name = node.get("format") if isinstance(node, dict) else None
    if name not in formats:
        raise InvalidFile(f"found format {shown(name)}; expected {' or '.join(formats)}")
    members = Members(node, "", _NAMES[str(name)])
    dialect_of(members)
    return members


def dialect_of(members: Members) -> str:
    """Return the name of the dialect from members with one; InvalidFile when we read none of that name."""
    dialect = members.text("dialect", 64)
    if dialect not in DIALECTS:
        raise members.refusal("dialect", f"one of {', '.join(DIALECTS)}")
    return dialect


def _certificate(members: Members) -> Certificate:
    document = members.node["document"]
    if not isinstance(document, dict):
        raise InvalidFile(f"at /document: found {shown(document)}; expected an object")
    dialect = members.text("dialect", 64)
    groups = len(DIALECTS[dialect].kind.groups)
    leaves = members.several("leaves", groups, _leaves)
    if len(leaves) != groups:
        raise InvalidFile(f"at /leaves: found {len(leaves)} groups; expected {groups}")
    country = members.country("country")
    secret = members.octets("secret", HASH_BYTES)
    return Certificate(dialect, document, secret, country, leaves, _anchor(members.node["anchor"]))


def _presentation(members: Members) -> Presentation:
    dialect = members.text("dialect", 64)
    count = len(DIALECTS[dialect].kind.groups)
    groups = members.several("groups", count, _group)
    if len(groups) != count:
        raise InvalidFile(f"at /groups: found {len(groups)}; expected {count}")
    country = _country(members.node["country"])
    return Presentation(dialect, groups, country, _anchor(members.node["anchor"]))


def _leaves(node: object, place: str) -> dict[str, bytes]:
    if not isinstance(node, dict) or len(node) > FIELDS_MAX:
        raise InvalidFile(f"at {place}: found {shown(node)}; expected leaves by pointer, at most {FIELDS_MAX}")
    return {pointer: hash_of(leaf, f"{place}{pointer}") for pointer, leaf in sorted(node.items())}


def _country(node: object) -> OpenCountry | bytes:
    if isinstance(node, dict) and "hash" in node:
        return Members(node, "/country", ("hash",)).octets("hash", HASH_BYTES)
    members = Members(node, "/country", ("salt", "country"))
    return open_country_of(members)


def open_country_of(members: Members) -> OpenCountry:
    """Return the importing country and its salt from members of these names."""
    return OpenCountry(members.octets("salt", SALT_BYTES), members.country("country"))


def _anchor(node: object) -> Anchor | None:
    return None if node is None else anchor_of(node)


def anchor_of(node: object) -> Anchor:
    """Return an anchor from its JSON; InvalidFile when it is none."""
    members = Members(node, "/anchor", ("chain_id", "genesis_hash", "contract", "issuer", "batch", "index", "path"))
    path = members.several("path", BATCH_DEPTH_MAX, hash_of)
    return Anchor(
        members.number("chain_id", 1 << 53),
        members.octets("genesis_hash", HASH_BYTES),
        members.octets("contract", ADDRESS_BYTES),
        members.number("issuer", ISSUER_MAX + 1),
        members.octets("batch", HASH_BYTES),
        members.number("index", 1 << len(path)),
        path,
    )


def _group(node: object, place: str) -> Group:
    if isinstance(node, dict) and "seed" in node:
        members = Members(node, place, ("seed", "fields", "leaves"))
        seed = members.octets("seed", HASH_BYTES)
        return OpenGroup(
            seed, members.several("fields", FIELDS_MAX, field_of), _leaves(node["leaves"], f"{place}/leaves")
        )
    if isinstance(node, dict) and "fields" in node:
        members = Members(node, place, ("hash", "fields"))
        return PartialGroup(members.octets("hash", HASH_BYTES), members.several("fields", FIELDS_MAX, _shown_field))
    return HiddenGroup(Members(node, place, ("hash",)).octets("hash", HASH_BYTES))


def field_of(node: object, place: str) -> Field:
    """Return a field from its JSON, [pointer, value]; InvalidFile when it is none."""
    if not isinstance(node, list) or len(node) != 2 or not isinstance(node[0], str):
        raise InvalidFile(f"at {place}: found {shown(node)}; expected [pointer, value]")
    if not is_field_value(node[1]):
        raise InvalidFile(f"at {place}: found {shown(node[1])}; expected the value of one field")
    return node[0], node[1]


def _shown_field(node: object, place: str) -> ShownField:
    members = Members(node, place, ("disclosure", "index", "path"))
    path = members.several("path", GROUP_DEPTH_MAX, hash_of)
    disclosure = members.text("disclosure", DISCLOSURE_CHARACTERS_MAX)
    return ShownField(disclosure, members.number("index", 1 << len(path)), path)
