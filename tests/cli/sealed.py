"""Certificates of an office sealed for all four custodians, as files or as bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import shake_256
from pathlib import Path

from founding.founders import PASSPHRASE
from office import Office

from cocket.attestation.attachments import group_of
from cocket.attestation.canonical import encode_json
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.files import decode_certificate
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.prove import Anchor, Certificate
from cocket.attestation.sealing.attachment import seal_segments
from cocket.attestation.sealing.custody import Custody, Holder, Seeds, draw, seed_bytes
from cocket.attestation.sealing.custody_file import encode_custody
from cocket.attestation.sealing.envelope import encode_envelope
from cocket.attestation.sealing.hpke import PrivateKey, PublicKey, Suite, decode_public_key
from cocket.attestation.sealing.manifest import manifest_json, signing_hash
from cocket.attestation.sealing.record import group_keys, random_bytes, seal, sealable
from cocket.attestation.sealing.work import attached_files
from cocket.contracts import access, consortium
from cocket.node.keystore import load_key
from cocket.node.vault.signing import wallet_of

RECOVERY = PrivateKey(Suite.HYBRID, b"c" * 32)
THRESHOLD = 2


@dataclass(frozen=True)
class SealedFiles:
    """A record's three files, where it is anchored, and the sealed segments of what it attaches, by group."""

    anchor: Anchor
    manifest: bytes
    custody: bytes
    envelope: bytes
    files: tuple[tuple[int, tuple[bytes, ...]], ...] = ()


def random_of(label: str, count: int) -> bytes:
    """Return bytes that are the same for the same label."""
    return shake_256(label.encode()).digest(count)


def custody_of(office: Office, batch: bytes, vault: PublicKey, contract: bytes) -> tuple[Custody, Seeds]:
    """Draw a custody of all four authorities, two of which must answer."""
    client = office.client
    holders = []
    for number in range(1, 5):
        authority = client.view(consortium.ADDRESS, consortium.authority(number))
        keys = client.view(consortium.ADDRESS, consortium.keys(authority.keys_id))
        holders.append(Holder(number, authority.epoch, decode_public_key(keys.encryption_suite, keys.encryption_key)))
    randomness = random_of(batch.hex(), seed_bytes(4))
    return draw(client.genesis_hash(), contract, batch, THRESHOLD, holders, RECOVERY.public, vault, randomness)


def seal_all(
    office: Office,
    certificates: Sequence[Certificate],
    vault: PublicKey,
    contract: bytes = access.ADDRESS,
    contents: Mapping[str, bytes] | None = None,
) -> list[SealedFiles]:
    """Seal certificates of one batch under one custody, signed by the chamber, with what they attach by its name."""
    anchors = [certificate.anchor for certificate in certificates if certificate.anchor is not None]
    custody, seeds = custody_of(office, anchors[0].batch, vault, contract)
    sign = wallet_of(load_key(office.chamber, PASSPHRASE))
    sealed = []
    for anchor, certificate in zip(anchors, certificates, strict=True):
        randomness = random_of(f"{custody.batch.hex()} {anchor.index}", random_bytes(CERTIFICATE_OF_ORIGIN, THRESHOLD))
        laid_open = sealable(certificate)
        record = seal(laid_open, custody, seeds, randomness)
        group = group_of(DIALECTS[laid_open.dialect])
        key = group_keys(laid_open.kind, THRESHOLD, randomness)[group]
        attached = attached_files(laid_open.groups[group], group, record.manifest.binding, key)
        files = tuple(
            [(group, tuple(seal_segments(each.key, [(contents or {})[each.attachment.name]]))) for each in attached]
        )
        manifest = encode_json(manifest_json(record.manifest, sign(signing_hash(record.manifest))))
        sealed.append(
            SealedFiles(anchor, manifest, encode_custody(custody), encode_envelope(record.ciphertexts), files)
        )
    return sealed


def write_sealed(folder: Path, names: Sequence[str], sealed: Sequence[SealedFiles]) -> list[Path]:
    """Write sealed records as the vault's command takes them; return their manifests' paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, files in zip(names, sealed, strict=True):
        (folder / "custody.json").write_bytes(files.custody)
        (folder / f"{name}.envelope").write_bytes(files.envelope)
        paths.append(folder / f"{name}.manifest.json")
        paths[-1].write_bytes(files.manifest)
    return paths


def certificates_of(paths: Sequence[Path]) -> list[Certificate]:
    """Return the certificates in these files."""
    return [decode_certificate(path.read_bytes()) for path in paths]
