"""Records: a certificate sealed, group by group, and opened again with what custodians answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from cocket.attestation.commit import document_root, group_hash, group_leaves
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import AttestationError, FalseShare, InvalidDocument, InvalidFile
from cocket.attestation.kinds import KINDS, Kind
from cocket.attestation.merkle import KEY, SEALED_GROUP, SEALED_OPENING, SHARE, keccak256
from cocket.attestation.prove import (
    Anchor,
    Certificate,
    HiddenGroup,
    OpenCountry,
    OpenGroup,
    Presentation,
    integrity_of,
    whole,
)
from cocket.attestation.sealing.binding import Binding
from cocket.attestation.sealing.cipher import KEY_BYTES, decrypt, encrypt
from cocket.attestation.sealing.contents import Contents, decode_contents, encode_contents
from cocket.attestation.sealing.custody import OPENING_GROUP, Custody, Seeds, mask, masked, masks, opening_key
from cocket.attestation.sealing.custody_file import custody_hash
from cocket.attestation.sealing.draws import draws_of
from cocket.attestation.sealing.manifest import Manifest, SealedGroup
from cocket.attestation.sealing.opening import Opening, decode_opening, encode_opening
from cocket.attestation.sealing.shamir import combine, split


@dataclass(frozen=True, slots=True)
class Sealable:
    """A record laid open as it was attested: what each group holds and its hash, and where it is anchored."""

    dialect: str
    kind: Kind
    document_root: bytes
    groups: tuple[OpenGroup, ...]
    group_hashes: tuple[bytes, ...]
    country: OpenCountry
    anchor: Anchor

    def binding(self, key_epoch: int) -> Binding:
        """Return to what its keys of an epoch are bound; epochs count up each time a record is encrypted anew."""
        return Binding(self.anchor.genesis_hash, self.document_root, self.kind.number, key_epoch)


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """The ciphertexts of a record's groups, in the kind's order, and the manifest to sign."""

    ciphertexts: tuple[bytes, ...]
    manifest: Manifest


def sealable(certificate: Certificate) -> Sealable:
    """Return a certificate as it can be sealed.

    Refuses (InvalidDocument) one that is not anchored, or was changed since it was issued.
    """
    return sealable_of(whole(certificate), certificate.document)


def sealable_of(everything: Presentation, document: object = None) -> Sealable:
    """Return a presentation that shows everything as it can be sealed, like :func:`sealable`."""
    integrity = integrity_of(everything, document)
    anchor, country, root = everything.anchor, everything.country, integrity.document_root
    if integrity.problems:
        raise InvalidDocument(f"the certificate was changed since it was issued: {integrity.problems[0].text()}")
    if anchor is None or root is None:
        raise InvalidDocument("the certificate is not anchored; issue it first")
    groups = tuple([group for group in everything.groups if isinstance(group, OpenGroup)])
    if len(groups) != len(everything.groups) or not isinstance(country, OpenCountry):
        raise InvalidDocument("found a presentation that hides something; expected the whole certificate")
    kind = DIALECTS[everything.dialect].kind
    return Sealable(everything.dialect, kind, root, groups, integrity.group_hashes, country, anchor)


def random_bytes(kind: Kind, threshold: int) -> int:
    """Return how many random bytes :func:`seal` takes: a key of each group and what shares them."""
    return len(kind.groups) * KEY_BYTES * threshold


def group_keys(kind: Kind, threshold: int, randomness: bytes) -> tuple[bytes, ...]:
    """Return the keys of the groups that :func:`seal` draws from its randomness."""
    count = len(kind.groups)
    return draws_of(draws_of(randomness, threshold, count * KEY_BYTES)[0], count, KEY_BYTES)


def seal(record: Sealable, custody: Custody, seeds: Seeds, randomness: bytes, *, key_epoch: int = 1) -> SealedRecord:
    """Return a record sealed under the custody of its batch; refuses (InvalidDocument) one of another batch."""
    anchor, kind = record.anchor, record.kind
    if (anchor.genesis_hash, anchor.batch) != (custody.genesis_hash, custody.batch):
        raise InvalidDocument(
            f"found batch 0x{anchor.batch.hex()}; expected 0x{custody.batch.hex()}, which the custody is for"
        )
    binding, count = record.binding(key_epoch), len(kind.groups)
    keys, *coefficients = draws_of(randomness, custody.threshold, count * KEY_BYTES)
    ciphertexts = []
    for index, (group, key) in enumerate(zip(record.groups, draws_of(keys, count, KEY_BYTES), strict=True)):
        contents = encode_contents(Contents(group.seed, group.fields), kind.sealed_bytes_min[index])
        ciphertexts.append(encrypt(key, contents, SEALED_GROUP + binding.encode(index)))
    named = [(hashed, sha256(each).digest()) for hashed, each in zip(record.group_hashes, ciphertexts, strict=True)]
    groups = _sealed_groups(named, keys, b"".join(coefficients), custody.threshold, seeds, binding)
    opening = _closed(Opening(record.dialect, record.country, anchor), seeds, binding)
    manifest = Manifest(anchor.chain_id, binding, custody_hash(custody), groups, opening)
    return SealedRecord(tuple(ciphertexts), manifest)


def rewrap_bytes(kind: Kind, threshold: int) -> int:
    """Return how many random bytes :func:`rewrap` takes: what shares the groups' keys."""
    return len(kind.groups) * KEY_BYTES * (threshold - 1)


def rewrap(
    manifest: Manifest, keys: Sequence[bytes], opening: Opening, custody: Custody, seeds: Seeds, randomness: bytes
) -> Manifest:
    """Return a manifest of the same ciphertexts under another custody; ``keys`` are those of all groups.

    It changes who can open what is stored from now on. It withdraws nothing: who had a key keeps it, and the former
    custodians still answer for whoever kept the former manifest. For that a record is sealed anew, under a new epoch.
    """
    if custody_hash(custody) == manifest.custody:
        raise AttestationError("found the custody that it is under already; expected a new one, with seeds of its own")
    if (opening.anchor.genesis_hash, opening.anchor.batch) != (custody.genesis_hash, custody.batch):
        raise AttestationError("found a custody of another batch; expected one of the record's own")
    joined = b"".join([_checked(key, old) for old, key in zip(manifest.groups, keys, strict=True)])
    named = [(old.hash, old.ciphertext) for old in manifest.groups]
    groups = _sealed_groups(named, joined, randomness, custody.threshold, seeds, manifest.binding)
    closed = _closed(opening, seeds, manifest.binding)
    return replace(manifest, custody=custody_hash(custody), groups=groups, opening=closed)


def _sealed_groups(
    named: Sequence[tuple[bytes, bytes]],
    keys: bytes,
    coefficients: bytes,
    threshold: int,
    seeds: Seeds,
    binding: Binding,
) -> tuple[SealedGroup, ...]:
    """Return what a manifest says of groups, each named by its hash and its ciphertext's.

    The keys are shared and masked all at once, one after the other in one string: that is many times as fast.
    """
    count, held = len(named), seeds.custodians
    shares = split(keys, threshold, len(held), coefficients)
    hidden = [masked(share, masks(seed, binding, count)) for share, seed in zip(shares, held, strict=True)]
    recovery = masked(keys, masks(seeds.recovery, binding, count))
    places = [slice(at * KEY_BYTES, (at + 1) * KEY_BYTES) for at in range(count)]
    return tuple(
        [
            SealedGroup(
                hash=hashed,
                ciphertext=ciphertext,
                key=keccak256(KEY + keys[place]),
                recovery=recovery[place],
                masked=tuple([each[place] for each in hidden]),
                shares=tuple([keccak256(SHARE + share[place]) for share in shares]),
            )
            for (hashed, ciphertext), place in zip(named, places, strict=True)
        ]
    )


def _closed(opening: Opening, seeds: Seeds, binding: Binding) -> bytes:
    label = SEALED_OPENING + binding.encode(OPENING_GROUP)
    return encrypt(opening_key(seeds.vault, binding), encode_opening(opening), label)


def validate_manifest(manifest: Manifest, custody: Custody) -> None:
    """Refuse (InvalidFile) a manifest whose groups are not those of its document, or which names another custody.

    Who signed it is the caller's to judge: the record's controller on the ledger.
    """
    kind = KINDS.get(manifest.binding.kind)
    if kind is None or len(manifest.groups) != len(kind.groups):
        raise InvalidFile(f"kind {manifest.binding.kind} with {len(manifest.groups)} groups, which none has")
    if document_root(kind, [group.hash for group in manifest.groups]) != manifest.binding.document_root:
        raise InvalidFile("groups that do not lead to the document root that the manifest names")
    if custody_hash(custody) != manifest.custody or custody.genesis_hash != manifest.binding.genesis_hash:
        raise InvalidFile("a custody that is not the one that the manifest names")
    if len(custody.custodians) != len(manifest.groups[0].shares):
        raise InvalidFile(
            f"shares of {len(manifest.groups[0].shares)} custodians; the custody has {len(custody.custodians)}"
        )


def group_key(manifest: Manifest, threshold: int, group: int, masks: Mapping[int, bytes]) -> bytes:
    """Return a group's key from the masks of ``threshold`` custodians or more, by their numbers.

    :raises FalseShare: a custodian's mask does not lead to its share; says whose.
    :raises InvalidFile: true shares that lead to another key: whoever sealed it made a false manifest.
    """
    sealed = manifest.groups[group]
    shares: dict[int, bytes] = {}
    if unknown := [number for number in masks if not 1 <= number <= len(sealed.masked)]:
        raise AttestationError(f"found custodian number {unknown[0]}; expected 1 to {len(sealed.masked)}")
    for number in sorted(masks)[:threshold]:
        share = masked(sealed.masked[number - 1], masks[number])
        if keccak256(SHARE + share) != sealed.shares[number - 1]:
            raise FalseShare(number)
        shares[number] = share
    if len(shares) < threshold:
        raise AttestationError(f"found answers of {len(shares)} custodians; expected {threshold}")
    return _checked(combine(shares), sealed)


def recovered_key(manifest: Manifest, group: int, seed: bytes) -> bytes:
    """Return a group's key from the recovery seed of its custody."""
    sealed = manifest.groups[group]
    return _checked(masked(sealed.recovery, mask(seed, manifest.binding, group)), sealed)


def _checked(key: bytes, sealed: SealedGroup) -> bytes:
    if keccak256(KEY + key) != sealed.key:
        raise InvalidFile("what leads to another key than the manifest names; it was not sealed as it says")
    return key


def open_vault(manifest: Manifest, seed: bytes) -> Opening:
    """Return a record's opening, with the vault's seed."""
    binding = manifest.binding
    label = SEALED_OPENING + binding.encode(OPENING_GROUP)
    return decode_opening(decrypt(opening_key(seed, binding), manifest.opening, label))


def open_group(manifest: Manifest, group: int, ciphertext: bytes, key: bytes) -> OpenGroup:
    """Return a group opened with its key, once it is what the manifest says: ciphertext, key and commitment.

    :raises InvalidFile: it is not; the words say which of them.
    """
    sealed = manifest.groups[group]
    if sha256(ciphertext).digest() != sealed.ciphertext:
        raise InvalidFile("a ciphertext that is not the one the manifest names")
    label = SEALED_GROUP + manifest.binding.encode(group)
    contents = decode_contents(decrypt(_checked(key, sealed), ciphertext, label))
    pointers = [pointer for pointer, _ in contents.fields]
    if pointers != sorted(set(pointers)):
        raise InvalidFile("fields that are not in order of pointer, each once")
    laid_open = group_leaves(contents.seed, contents.fields)
    if group_hash(group, laid_open.depth, laid_open.top) != sealed.hash:
        raise InvalidFile("fields that are not those attested: whoever sealed this group encrypted something else")
    return OpenGroup(contents.seed, contents.fields, dict(zip(pointers, laid_open.own, strict=True)))


def presentation_of(
    manifest: Manifest, dialect: str, country: OpenCountry | bytes, anchor: Anchor, opened: Mapping[int, OpenGroup]
) -> Presentation:
    """Return what was opened of a record as a presentation, to be verified like any other; the rest stays hidden."""
    groups = [opened.get(index, HiddenGroup(sealed.hash)) for index, sealed in enumerate(manifest.groups)]
    return Presentation(dialect, tuple(groups), country, anchor)
