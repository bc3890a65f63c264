"""Somebody who has everything on the disks of vaults, custodians and nodes, and perhaps some passphrases.

It looks for words that are known to be in sealed documents, takes every window of 32 bytes, and every such in
hexadecimal or base64, for a group's key and for a custodian's seed, and opens key files with the passphrases that it
was given. With as many as must answer it reads; with fewer it reads nothing.
"""

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cocket.attestation.errors import AttestationError
from cocket.attestation.merkle import KEY, SHARE, keccak256
from cocket.attestation.sealing.custody import Custody, mask, masked, open_seat
from cocket.attestation.sealing.custody_file import custody_hash, decode_custody
from cocket.attestation.sealing.envelope import decode_envelope
from cocket.attestation.sealing.hpke import PrivateKey
from cocket.attestation.sealing.manifest import Manifest, decode_manifest
from cocket.attestation.sealing.record import group_key, open_group
from cocket.node.encryption_key import load_encryption_key
from cocket.node.errors import NodeError

WINDOW = 32
SECRET_NAMES = ("passphrase",)
"""Files that are not on a disk: an operator gives them at the start, or by a folder in memory."""
_HEX = re.compile(rb"(?:[0-9a-f]{2}){32,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{43,}={0,2}")


@dataclass
class Loot:
    """What was read: words in the clear, group keys by window, keys opened, and words in what they open."""

    files: int = 0
    bytes: int = 0
    windows: int = 0
    records: int = 0
    keys_opened: int = 0
    groups_opened: int = 0
    words: list[str] = field(default_factory=list)

    def is_nothing(self) -> bool:
        """Whether nothing of a document was read."""
        return not self.words and not self.groups_opened


@dataclass(frozen=True)
class _Record:
    manifest: Manifest
    ciphertexts: tuple[bytes, ...]
    custody: Custody


def attack(folders: Sequence[Path], words: Sequence[str], passphrases: Iterable[str] = ()) -> Loot:
    """Return what can be read of all files in folders, but for passphrases that are not given."""
    files = {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if _is_loot(path)}
    loot = Loot(files=len(files), bytes=sum(map(len, files.values())))
    records = list(_records(files.values()))
    loot.records = len(records)
    for data in files.values():
        loot.words += [word for word in words if _forms(word, data)]
    windows = _windows(files.values())
    loot.windows = len(windows)
    loot.groups_opened += _by_windows(records, windows)
    keys = list(set(_opened_keys(files, list(passphrases))))
    loot.keys_opened = len(keys)
    for record in records:
        for group in _by_keys(record, keys):
            loot.groups_opened += 1
            text = repr(group.fields)
            loot.words += [word for word in words if word in text]
    return loot


def _is_loot(path: Path) -> bool:
    return path.is_file() and path.name not in SECRET_NAMES


def _forms(word: str, data: bytes) -> bool:
    raw = word.encode()
    return raw in data or word.encode("utf-16-le") in data or raw.hex().encode() in data


def _records(datas: Iterable[bytes]) -> Iterator[_Record]:
    """Yield the sealed records among files: manifests, with envelope and custody wherever they lie."""
    manifests, envelopes, custodies = [], [], {}
    for data in datas:
        with contextlib.suppress(AttestationError):
            manifests.append(decode_manifest(data)[0])
        with contextlib.suppress(AttestationError):
            envelopes.append(decode_envelope(data))
        with contextlib.suppress(AttestationError):
            custody = decode_custody(data)
            custodies[custody_hash(custody)] = custody
    for manifest in manifests:
        for ciphertexts in envelopes:
            if len(ciphertexts) == len(manifest.groups) and _belongs(manifest, ciphertexts):
                yield _Record(manifest, ciphertexts, custodies[manifest.custody])


def _belongs(manifest: Manifest, ciphertexts: tuple[bytes, ...]) -> bool:
    from hashlib import sha256

    hashes = [sha256(each).digest() for each in ciphertexts]
    return hashes == [group.ciphertext for group in manifest.groups]


def _windows(datas: Iterable[bytes]) -> set[bytes]:
    """Return every 32 bytes in files, and in what is written in them in hexadecimal or base64."""
    found: set[bytes] = set()
    for data in datas:
        for whole in (data, *_decoded(data)):
            found.update([whole[at : at + WINDOW] for at in range(len(whole) - WINDOW + 1)])
    return found


def _decoded(data: bytes) -> Iterator[bytes]:
    for match in _HEX.finditer(data):
        yield bytes.fromhex(match[0].decode())
    for match in _BASE64.finditer(data):
        with contextlib.suppress(ValueError):
            yield base64.b64decode(match[0] + b"=" * (-len(match[0]) % 4))


def _by_windows(records: list[_Record], windows: set[bytes]) -> int:
    """Return how many groups some window opens: as their key, or as the seed of a custodian."""
    keys = {group.key for record in records for group in record.manifest.groups}
    opened = sum(keccak256(KEY + window) in keys for window in windows)
    for record in records[:1]:  # a seed is of a custody: one record of it tells
        first = record.manifest.groups[0]
        for masked_share, share in zip(first.masked, first.shares, strict=True):
            opened += sum(
                keccak256(SHARE + masked(masked_share, mask(window, record.manifest.binding, 0))) == share
                for window in windows
            )
    return opened


def _opened_keys(files: dict[Path, bytes], passphrases: list[str]) -> Iterator[PrivateKey]:
    """Yield the keys that passphrases open; some lie on two disks."""
    for path, data in files.items():
        if path.suffix != ".json" or b'"crypto"' not in data or b'"suite"' not in data:
            continue
        for passphrase in passphrases:
            with contextlib.suppress(NodeError):
                yield load_encryption_key(path, passphrase)
                break


def _by_keys(record: _Record, keys: list[PrivateKey]):
    """Yield the groups that keys open: enough custodians' seats, or the recovery's."""
    seeds: dict[int, bytes] = {}
    for number, seat in enumerate(record.custody.custodians, 1):
        for key in keys:
            with contextlib.suppress(AttestationError):
                seeds[number] = open_seat(record.custody, seat, key)
    for at, ciphertext in enumerate(record.ciphertexts):
        masks = {number: mask(seed, record.manifest.binding, at) for number, seed in seeds.items()}
        for threshold in range(1, len(masks) + 1):  # whatever the custody says must answer
            with contextlib.suppress(AttestationError):
                key = group_key(record.manifest, threshold, at, masks)
                yield open_group(record.manifest, at, ciphertext, key)
                break
