"""Sealing in bulk: chunks of certificates to manifests and envelopes, one call a process.

Every argument and result pickles, so a caller may run these in as many processes as it has cores; this package starts
none. Seeds travel in them and are kept nowhere. Who signs gets the hash to sign beside each manifest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cocket.attestation.attachments import Attachment, attachments_in, group_of
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import InvalidFile
from cocket.attestation.files import decode_file
from cocket.attestation.prove import Certificate, OpenGroup, Presentation
from cocket.attestation.sealing.attachment import attachment_key
from cocket.attestation.sealing.binding import Binding
from cocket.attestation.sealing.custody import Custody, Seeds, open_seat, vault_seed
from cocket.attestation.sealing.envelope import decode_envelope, encode_envelope
from cocket.attestation.sealing.hpke import Opener
from cocket.attestation.sealing.manifest import Manifest, decode_manifest, signing_hash
from cocket.attestation.sealing.record import (
    Sealable,
    group_keys,
    open_group,
    open_vault,
    presentation_of,
    recovered_key,
    rewrap,
    seal,
    sealable,
    sealable_of,
    validate_manifest,
)


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file that a record names in one of its groups, with the key that it is sealed under."""

    attachment: Attachment
    group: int
    key: bytes

    def __repr__(self) -> str:
        return f"AttachedFile({self.attachment})"


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A record as it is to be written: its manifest, the hash (32 bytes) to sign, its envelope, and what it attaches.

    ``former`` has the same files as they were sealed before, where the record is encrypted anew.
    """

    manifest: Manifest
    digest: bytes
    envelope: bytes
    attached: tuple[AttachedFile, ...] = ()
    former: tuple[AttachedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class SealChunk:
    """Certificates' files to seal under one custody, with the randomness of each (``record.random_bytes``)."""

    files: tuple[bytes, ...]
    custody: Custody
    seeds: Seeds
    randomness: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A sealed record as it is stored: the bytes of its manifest and its envelope."""

    manifest: bytes
    envelope: bytes


@dataclass(frozen=True, slots=True)
class RewrapChunk:
    """Records of one custody to bring under another: opened by the recovery seed, closed by the new seeds.

    Where ``is_anew``, each is encrypted anew under the next key epoch; otherwise its ciphertexts stay.
    """

    records: tuple[StoredRecord, ...]
    custody: Custody
    recovery_seed: bytes
    new_custody: Custody
    new_seeds: Seeds
    randomness: tuple[bytes, ...]
    is_anew: bool


def seal_chunk(chunk: SealChunk) -> tuple[SealedFile, ...]:
    """Return the certificates of a chunk sealed; InvalidDocument when one was changed or is of another batch."""
    return tuple(
        [
            _sealed(_sealable(data), chunk.custody, chunk.seeds, randomness, 1)
            for data, randomness in zip(chunk.files, chunk.randomness, strict=True)
        ]
    )


def rewrap_chunk(chunk: RewrapChunk) -> tuple[SealedFile, ...]:
    """Return the records of a chunk under their new custody; InvalidFile when one is not what its manifest says."""
    remade = []
    for record, randomness in zip(chunk.records, chunk.randomness, strict=True):
        manifest, _ = decode_manifest(record.manifest)
        validate_manifest(manifest, chunk.custody)
        if chunk.is_anew:
            presentation = recovered(manifest, record.envelope, chunk.recovery_seed)
            epoch = manifest.binding.key_epoch + 1
            anew = _sealed(sealable_of(presentation), chunk.new_custody, chunk.new_seeds, randomness, epoch)
            former = recovered_files(presentation, manifest, chunk.recovery_seed)
            remade.append(replace(anew, former=former))
            continue
        keys = [recovered_key(manifest, group, chunk.recovery_seed) for group in range(len(manifest.groups))]
        opening = open_vault(manifest, vault_seed(chunk.recovery_seed))
        new = rewrap(manifest, keys, opening, chunk.new_custody, chunk.new_seeds, randomness)
        remade.append(SealedFile(new, signing_hash(new), record.envelope))
    return tuple(remade)


def recovery_seed_of(custody: Custody, key: Opener) -> bytes:
    """Return the seed that the recovery key opens; InvalidFile when it is another key's."""
    return open_seat(custody, custody.recovery, key)


def recovered(manifest: Manifest, envelope: bytes, recovery_seed: bytes) -> Presentation:
    """Return a whole record, opened with the recovery seed of its custody; InvalidFile when it is not as sealed."""
    ciphertexts = decode_envelope(envelope)
    if len(ciphertexts) != len(manifest.groups):
        raise InvalidFile(f"an envelope of {len(ciphertexts)} groups; its manifest has {len(manifest.groups)}")
    opened = {
        group: open_group(manifest, group, ciphertext, recovered_key(manifest, group, recovery_seed))
        for group, ciphertext in enumerate(ciphertexts)
    }
    opening = open_vault(manifest, vault_seed(recovery_seed))
    return presentation_of(manifest, opening.dialect, opening.country, opening.anchor, opened)


def recovered_files(presentation: Presentation, manifest: Manifest, recovery_seed: bytes) -> tuple[AttachedFile, ...]:
    """Return the files that a recovered record names, with the keys that they are sealed under."""
    group = group_of(DIALECTS[presentation.dialect])
    key = recovered_key(manifest, group, recovery_seed)
    return attached_files(presentation.groups[group], group, manifest.binding, key)


def attached_files(opened: object, group: int, binding: Binding, group_key: bytes) -> tuple[AttachedFile, ...]:
    """Return the files that an opened group names, each with its key; InvalidFile when what it names is none."""
    if not isinstance(opened, OpenGroup):
        return ()
    return tuple(
        [
            AttachedFile(each, group, attachment_key(group_key, binding, group, place))
            for place, each in enumerate(attachments_in(opened.fields))
        ]
    )


def _sealable(data: bytes) -> Sealable:
    found = decode_file(data)
    return sealable(found) if isinstance(found, Certificate) else sealable_of(found)


def _sealed(record: Sealable, custody: Custody, seeds: Seeds, randomness: bytes, key_epoch: int) -> SealedFile:
    sealed = seal(record, custody, seeds, randomness, key_epoch=key_epoch)
    group = group_of(DIALECTS[record.dialect])
    key = group_keys(record.kind, custody.threshold, randomness)[group]
    attached = attached_files(record.groups[group], group, sealed.manifest.binding, key)
    envelope = encode_envelope(sealed.ciphertexts)
    return SealedFile(sealed.manifest, signing_hash(sealed.manifest), envelope, attached)
