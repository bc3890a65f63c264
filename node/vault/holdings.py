"""Holdings: what a vault has, by content and by record. What it gives is what was put there, or it says what is not.

Envelopes, manifests, custodies and segments of attached files are objects named by their SHA-256; an entry for each
record (batch and index) names those that belong together, newest key epoch first. What is damaged is never given. It
knows no key and opens nothing.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from heapq import nsmallest
from typing import NamedTuple

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.sealing.binding import KEY_EPOCH_MAX
from cocket.attestation.sealing.envelope import ENVELOPE_BYTES_MAX
from cocket.node.errors import Damaged, NodeFault, Refused
from cocket.node.vault.attached import Attached, decode_attached, encode_attached
from cocket.node.vault.entry import NONE, VERSIONS_MAX, Version, decode_entry, encode_entry
from cocket.node.vault.shelf import Shelf


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """What is given of a record: the version, and its objects' bytes."""

    version: Version
    manifest: bytes
    custody: bytes
    envelope: bytes


class Scrubbed(NamedTuple):
    """One step of a scrub: how many bytes of how many were looked at, the object, what is wrong with it, if it is."""

    done_bytes: int
    total_bytes: int
    name: str
    problem: str | None


class Holdings:
    """Records on a shelf, within a quota of bytes; ``used_bytes`` says how much they take."""

    def __init__(self, shelf: Shelf, quota_bytes: int) -> None:
        """Take a shelf into use; looks through all names on it once."""
        self._shelf = shelf
        self._quota_bytes = quota_bytes
        self._lock = threading.RLock()
        self.used_bytes = sum(size for _, size in shelf.sizes())

    def put(self, data: bytes) -> bytes:
        """Keep an object and return its address; nothing is written when it is there, and whole.

        Refused when it is too large or over the quota. An object that no record names goes at the next ``sweep``.
        """
        address = sha256(data).digest()
        name = _object_name(address)
        if len(data) > ENVELOPE_BYTES_MAX:
            raise Refused(f"an object of {len(data)} bytes; expected at most {ENVELOPE_BYTES_MAX}")
        with self._lock:
            if self._shelf.get(name) != data:
                self._write(name, data)
        return address

    def get(self, address: bytes) -> bytes:
        """Return the object of an address; Damaged when it is not there, or not what was put there."""
        data = self._shelf.get(_object_name(address))
        if data is None:
            raise Damaged(f"object {address.hex()} is not there; put it back from a copy")
        if sha256(data).digest() != address:
            raise Damaged(f"object {address.hex()} is not what was put there; put it back from a copy")
        return data

    def store(
        self,
        batch: bytes,
        index: int,
        key_epoch: int,
        *,
        manifest: bytes,
        custody: bytes,
        envelope: bytes,
        files: Iterable[tuple[int, Iterable[bytes]]] = (),
    ) -> Version:
        """Keep a record's objects and name them as its newest version, whole or not at all.

        ``files`` are its attached files: the group that names each, and its segments, which are kept as they come;
        without any, those of the version before stay while its keys do. The same once more changes nothing. Refused: a
        key epoch before the newest one, another envelope under the same epoch (its masks would be used twice), a later
        one without the files that the record has, too many versions, or no room.
        """
        _validate_place(batch, index, key_epoch)
        with self._lock:
            versions = self.versions(batch, index)
            addresses = [sha256(each).digest() for each in (manifest, custody, envelope)]
            attachments = self._attachments(versions, key_epoch, files)
            version = replace(Version(key_epoch, *addresses), attachments=attachments)
            is_newest = versions[:1] == (version,)
            if not is_newest:
                _validate_next(versions, version)
            self._validate_room([manifest, custody, envelope], addresses)
            for each in (envelope, custody, manifest):
                self.put(each)
            if not is_newest:
                self._write_entry(batch, index, (version, *versions))
        return version

    def _attachments(
        self, versions: tuple[Version, ...], key_epoch: int, files: Iterable[tuple[int, Iterable[bytes]]]
    ) -> bytes:
        """Keep attached files and return the address of their list; without any, of those that there are."""
        attached = tuple([Attached(group, tuple([self.put(each) for each in segments])) for group, segments in files])
        if attached:
            return self.put(encode_attached(attached))
        before = versions[0] if versions else None
        if before is None or before.attachments == NONE:
            return NONE
        if before.key_epoch != key_epoch:
            raise Refused("the record has attached files; those encrypted anew must lie beside it (NAME.1.attachment)")
        return before.attachments

    def attached(self, version: Version) -> tuple[Attached, ...]:
        """Return the attached files of a version, by their segments; Damaged when their list is."""
        return () if version.attachments == NONE else decode_attached(self.get(version.attachments))

    def versions(self, batch: bytes, index: int) -> tuple[Version, ...]:
        """Return a record's versions, the newest first; none when it is not held. Damaged when its entry is."""
        name = _record_name(batch, index)
        data = self._shelf.get(name)
        return () if data is None else decode_entry(data, name, batch, index)

    def indices(self, batch: bytes, first: int, count: int) -> list[int]:
        """Return the first so many places, from one on, at which records of a batch are held; in order."""
        listed = self._shelf.sizes(f"records/{batch.hex()}-")
        places = (int(name.rpartition("-")[2]) for name, _ in listed)
        return nsmallest(count, [place for place in places if place >= first])

    def find(self, batch: bytes, index: int) -> HeldRecord | None:
        """Return a record as sealed last, None when it is not held. Damaged when a part of it is: it names the part."""
        try:
            return self._found(batch, index)
        except Damaged:
            with self._lock:  # it may have been replaced and swept while we looked
                return self._found(batch, index)

    def _found(self, batch: bytes, index: int) -> HeldRecord | None:
        versions = self.versions(batch, index)
        if not versions:
            return None
        newest = versions[0]
        return HeldRecord(newest, self.get(newest.manifest), self.get(newest.custody), self.get(newest.envelope))

    def forget_older(self, batch: bytes, index: int) -> int:
        """Forget all but the newest version of a record, if that is whole; return how many. ``sweep`` makes room."""
        with self._lock:
            versions = self.versions(batch, index)
            if len(versions) < 2:
                return 0
            self.find(batch, index)
            self._write_entry(batch, index, versions[:1])
            return len(versions) - 1

    def drop(self, batch: bytes, index: int) -> bool:
        """Take a record out, also one with a damaged entry; return whether there was one. ``sweep`` makes room."""
        with self._lock:
            name = _record_name(batch, index)
            data = self._shelf.get(name)
            if data is None:
                return False
            self._shelf.remove(name)
            self.used_bytes -= len(data)
            return True

    def erase(self, batch: bytes, index: int) -> bool:
        """Take a record out with its manifests and envelopes, which no other record has; return whether it was held.

        Its custody stays, for it is its batch's. Of a damaged entry the objects stay until the next ``sweep``.
        """
        with self._lock:
            try:
                versions = self.versions(batch, index)
            except Damaged:
                versions = ()
            was_held = self.drop(batch, index)
            for version in versions:
                try:
                    attached = self._attached_addresses(version)
                except Damaged:
                    attached = []
                for address in (version.manifest, version.envelope, *attached):
                    data = self._shelf.get(_object_name(address))
                    if data is not None:
                        self._shelf.remove(_object_name(address))
                        self.used_bytes -= len(data)
            return was_held

    def sweep(self) -> int:
        """Take away the objects that no record names; return how many bytes that freed.

        Damaged, and nothing is taken away, when an entry cannot be read: nobody knows what it names.
        """
        with self._lock:
            listed = list(self._shelf.sizes())
            named = {
                _object_name(address)
                for name, _ in listed
                if name.startswith("records/")
                for version in self._entry_at(name)
                for address in (version.manifest, version.custody, version.envelope, *self._attached_addresses(version))
            }
            freed = 0
            for name, size in listed:
                if name.startswith("objects/") and name not in named:
                    self._shelf.remove(name)
                    freed += size
            self.used_bytes -= freed
            return freed

    def scrub(self) -> Iterator[Scrubbed]:
        """Yield each object and entry with what is wrong with it: damaged, or naming objects that are not there.

        It reads everything, and may run beside all else; what is taken away meanwhile is no problem.
        """
        listed = dict(self._shelf.sizes())
        total, done = sum(listed.values()), 0
        for name, size in listed.items():
            done += size
            problem = self._object_problem(name) if name.startswith("objects/") else self._entry_problem(name, listed)
            yield Scrubbed(done, total, name, problem)

    def _object_problem(self, name: str) -> str | None:
        data = self._shelf.get(name)
        if data is None or name == _object_name(sha256(data).digest()):
            return None
        return "it is not what was put there; put it back from a copy"

    def _entry_problem(self, name: str, listed: dict[str, int]) -> str | None:
        try:
            versions = self._entry_at(name)
        except Damaged as error:
            return str(error)
        for version in versions:
            try:
                attached = self._attached_addresses(version)
            except Damaged as error:
                return str(error)
            for address in (version.manifest, version.custody, version.envelope, *attached):
                wanted = _object_name(address)
                if wanted not in listed and self._shelf.get(wanted) is None:
                    return (
                        f"object {address.hex()} of key epoch {version.key_epoch} is not there; put it back from a copy"
                    )
        return None

    def _attached_addresses(self, version: Version) -> list[bytes]:
        """Return the addresses of all objects of a version's attached files; Damaged when their list is."""
        if version.attachments == NONE:
            return []
        return [version.attachments, *[each for file in self.attached(version) for each in file.segments]]

    def _entry_at(self, name: str) -> tuple[Version, ...]:
        data = self._shelf.get(name)
        if data is None:
            return ()
        batch, _, index = name.removeprefix("records/").partition("-")
        return decode_entry(data, name, bytes.fromhex(batch), int(index or 0))

    def _validate_room(self, parts: list[bytes], addresses: list[bytes]) -> None:
        missing = {
            address: len(part)
            for part, address in zip(parts, addresses, strict=True)
            if self._shelf.get(_object_name(address)) is None
        }
        self._validate_quota(sum(missing.values()))

    def _validate_quota(self, more_bytes: int) -> None:
        if more_bytes > 0 and self.used_bytes + more_bytes > self._quota_bytes:
            raise Refused(
                f"{more_bytes} bytes more than the {self.used_bytes} held are over the vault's quota of "
                f"{self._quota_bytes}: forget older versions and sweep, or give it a larger quota"
            )

    def _write(self, name: str, data: bytes) -> None:
        before = len(self._shelf.get(name) or b"")
        self._validate_quota(len(data) - before)
        self._shelf.put(name, data)
        self.used_bytes += len(data) - before

    def _write_entry(self, batch: bytes, index: int, versions: tuple[Version, ...]) -> None:
        self._write(_record_name(batch, index), encode_entry(batch, index, versions))


def _validate_place(batch: bytes, index: int, key_epoch: int) -> None:
    if len(batch) != HASH_BYTES or not 0 <= index < 1 << DEPTH_MAX or not 0 <= key_epoch <= KEY_EPOCH_MAX:
        raise NodeFault(f"holdings: no record has a batch of {len(batch)} bytes, index {index}, key epoch {key_epoch}")


def _validate_next(versions: tuple[Version, ...], version: Version) -> None:
    """Refuse what cannot follow the newest version."""
    if not versions:
        return
    newest = versions[0]
    if version.key_epoch < newest.key_epoch:
        raise Refused(f"key epoch {version.key_epoch}; expected {newest.key_epoch}, the newest held, or a later one")
    if version.key_epoch == newest.key_epoch and version.envelope != newest.envelope:
        raise Refused(
            f"another envelope under key epoch {version.key_epoch}; expected a later epoch for what is sealed anew"
        )
    if len(versions) >= VERSIONS_MAX:
        raise Refused(
            f"{len(versions)} versions of this record are held, as many as can be: forget the older ones first"
        )


def _object_name(address: bytes) -> str:
    return f"objects/{address.hex()}"


def _record_name(batch: bytes, index: int) -> str:
    return f"records/{batch.hex()}-{index}"
