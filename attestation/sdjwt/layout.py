"""Layout: the one place that knows how a certificate lies in an SD-JWT's claims. (``docs/formats.md``, ADR 19.)

Never hidden: root and hash of each group, country's hash, anchor, and the whole group that its kind never hides. Each
other group is one disclosure that holds the leaves of its tree and a digest for each of its fields and decoys, and one
for its seed; a field's disclosure is the one whose leaf is in the tree. So digests and root are over the same texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cocket.attestation.batch import country_hash
from cocket.attestation.canonical import encode_json
from cocket.attestation.commit import GroupLeaves, group_leaves, secrets_of
from cocket.attestation.dialect import Dialect, Unreadable, moment
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.disclose import SALT_BYTES, encode_disclosure
from cocket.attestation.errors import InvalidSelection
from cocket.attestation.files import anchor_json
from cocket.attestation.members import hexadecimal
from cocket.attestation.merkle import FROM_GROUP_SEED_SD_JWT, HASH_BYTES, spread
from cocket.attestation.prove import Certificate, OpenGroup, integrity_of, whole
from cocket.attestation.sdjwt.base64url import encode_base64url
from cocket.attestation.sdjwt.unfolding import ALGORITHM, ALGORITHM_NAME, DIGESTS, digest_of

FORMAT = "cocket-sd-jwt-1"
TYPE = "cocket+sd-jwt"
DOCUMENT = "document"
COUNTRY = "country"
LEAVES = "leaves"
SEED = "seed"
MIRRORED = ("exp", "iss", "nbf")
"""Claims of RFC 7519 that repeat fields which are never hidden, for readers that know nothing of ours."""


@dataclass(frozen=True, slots=True)
class GroupDisclosures:
    """What can be disclosed of a group: itself, its seed, and its fields in order of pointer."""

    group: str
    seed: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupDraws:
    """What a group's seed unfolds to beside :class:`commit.GroupSalts`: two salts and the digests without a field."""

    group_salt: bytes
    seed_salt: bytes
    decoys: tuple[str, ...]


def group_draws(seed: bytes, decoy_count: int) -> GroupDraws:
    """Return the salts of a group's own disclosure and of its seed's, and its decoy digests.

    The decoys are others than the tree's: from one and the same, everybody could tell which leaves are decoys.
    """
    end = 2 * SALT_BYTES
    stream = spread(FROM_GROUP_SEED_SD_JWT, seed, end + HASH_BYTES * decoy_count)
    decoys = (encode_base64url(stream[at : at + HASH_BYTES]) for at in range(end, len(stream), HASH_BYTES))
    return GroupDraws(stream[:SALT_BYTES], stream[SALT_BYTES:end], tuple(decoys))


def group_digests(seed: bytes, fields: Sequence[str], leaf_count: int) -> tuple[str, ...]:
    """Return the digests of a group whose seed and fields are known: one more than its tree has leaves."""
    draws = group_draws(seed, leaf_count - len(fields))
    return tuple(sorted([*map(digest_of, fields), *draws.decoys, digest_of(seed_disclosure(draws.seed_salt, seed))]))


def seed_disclosure(salt: bytes, seed: bytes) -> str:
    """Return the disclosure of a group's seed, which proves that no field of the group is withheld."""
    return _disclosure(salt, SEED, hexadecimal(seed))


def disclose_group(name: str, seed: bytes, group: GroupLeaves) -> GroupDisclosures:
    """Return all disclosures of a group."""
    fields = tuple(disclosure.decode() for disclosure in group.disclosures)
    draws = group_draws(seed, len(group.leaves) - len(fields))
    claims = {
        DIGESTS: list(group_digests(seed, fields, len(group.leaves))),
        LEAVES: [hexadecimal(leaf) for leaf in group.leaves],
    }
    return GroupDisclosures(_disclosure(draws.group_salt, name, claims), seed_disclosure(draws.seed_salt, seed), fields)


def _disclosure(salt: bytes, name: str, value: object) -> str:
    return encode_base64url(encode_json([encode_base64url(salt), name, value]))


def mirrored_claims(dialect: Dialect, fields: Mapping[str, object]) -> dict[str, object]:
    """Return ``iss``, ``nbf`` and ``exp`` as the never-hidden fields have them; what they do not have is left out."""
    claims: dict[str, object] = {}
    issuer = fields.get("/issuer/id", fields.get("/issuer"))
    if isinstance(issuer, str):
        claims["iss"] = issuer
    for name, pointer in (("nbf", dialect.valid_from_pointer), ("exp", dialect.valid_until_pointer)):
        try:
            claims[name] = int(moment(fields.get(pointer), pointer).timestamp())
        except Unreadable:
            continue
    return claims


def claims_of(certificate: Certificate) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what an issuer signs of a certificate, without the time and the holder, and all its disclosures.

    Refuses (InvalidSelection) a certificate that was changed since it was issued.
    """
    everything = whole(certificate)
    integrity = integrity_of(everything)
    if integrity.problems or integrity.document_root is None:
        raise InvalidSelection(f"the certificate was changed since it was issued: {integrity.problems[0].text()}")
    dialect = DIALECTS[certificate.dialect]
    first, *others = everything.groups
    assert isinstance(first, OpenGroup), "a whole certificate has open groups"
    disclosed = [
        disclose_group(name, group.seed, group_leaves(group.seed, group.fields))
        for name, group in zip(dialect.kind.groups[1:], others, strict=True)
        if isinstance(group, OpenGroup)
    ]
    salt = secrets_of(certificate.secret, dialect.kind).country_salt
    country = encode_disclosure(salt, COUNTRY, certificate.country).decode()
    never_hidden: dict[str, object] = {**dict(first.fields), SEED: hexadecimal(first.seed)}
    claims: dict[str, object] = {
        DIGESTS: [digest_of(country)],
        ALGORITHM_NAME: ALGORITHM,
        "anchor": anchor_json(certificate.anchor),
        "country_hash": hexadecimal(country_hash(salt, certificate.country)),
        "dialect": certificate.dialect,
        DOCUMENT: {
            DIGESTS: sorted(digest_of(group.group) for group in disclosed),
            dialect.kind.never_hidden: never_hidden,
        },
        "document_root": hexadecimal(integrity.document_root),
        "format": FORMAT,
        "group_hashes": [hexadecimal(one) for one in integrity.group_hashes],
        **mirrored_claims(dialect, dict(first.fields)),
    }
    texts = [text for group in disclosed for text in (group.group, group.seed, *group.fields)]
    return claims, (country, *texts)
