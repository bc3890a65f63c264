"""Sealing in bulk: chunks of certificates to manifests and envelopes, one call a process.

Every argument and result pickles, so a caller may run these in as many processes as it has cores; this package starts
none. Seeds travel in them and are kept nowhere. Who signs gets the hash to sign beside each manifest.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.errors import InvalidFile
from cocket.attestation.files import decode_file
from cocket.attestation.prove import Certificate, Presentation
from cocket.attestation.sealing.custody import Custody, Seeds, open_seat, vault_seed
from cocket.attestation.sealing.envelope import decode_envelope, encode_envelope
from cocket.attestation.sealing.hpke import PrivateKey
from cocket.attestation.sealing.manifest import Manifest, decode_manifest, signing_hash
from cocket.attestation.sealing.record import (
    Sealable,
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
class SealedFile:
    """A record as it is to be written: its manifest, the hash (32 bytes) to sign, its envelope."""

    manifest: Manifest
    digest: bytes
    envelope: bytes


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
            laid_open = sealable_of(recovered(manifest, record.envelope, chunk.recovery_seed))
            epoch = manifest.binding.key_epoch + 1
            remade.append(_sealed(laid_open, chunk.new_custody, chunk.new_seeds, randomness, epoch))
            continue
        keys = [recovered_key(manifest, group, chunk.recovery_seed) for group in range(len(manifest.groups))]
        opening = open_vault(manifest, vault_seed(chunk.recovery_seed))
        new = rewrap(manifest, keys, opening, chunk.new_custody, chunk.new_seeds, randomness)
        remade.append(SealedFile(new, signing_hash(new), record.envelope))
    return tuple(remade)


def recovery_seed_of(custody: Custody, key: PrivateKey) -> bytes:
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


def _sealable(data: bytes) -> Sealable:
    found = decode_file(data)
    return sealable(found) if isinstance(found, Certificate) else sealable_of(found)


def _sealed(record: Sealable, custody: Custody, seeds: Seeds, randomness: bytes, key_epoch: int) -> SealedFile:
    sealed = seal(record, custody, seeds, randomness, key_epoch=key_epoch)
    return SealedFile(sealed.manifest, signing_hash(sealed.manifest), encode_envelope(sealed.ciphertexts))
