"""Pages: the records of one batch that a bulk read was given, and the root over them that its one receipt has.

The leaves are under the receipt's salt, so the root tells nobody which records, and who may know of one record is shown
that it was among them without being shown the others. The list is kept beside the receipt, in a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES, PAGE, PAGE_NODE, PAGE_RECORD, climb, keccak256, paths_of, top_of
from cocket.attestation.reading.request import RECORDS_MAX

FORMAT = "cocket-page-records-1"
SALT_BYTES = 16
DEPTH = RECORDS_MAX.bit_length() - 1
PAGE_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Page:
    """Records by their batch and their places in it, in order; ``salt`` is their receipt's."""

    batch: bytes
    salt: bytes
    indices: tuple[int, ...]


def records_root(page: Page) -> bytes:
    """Return the root over a page's records: as deep for one as for as many as a page can have."""
    return _root(len(page.indices), top_of(_leaves(page), PAGE_NODE))


def record_path(page: Page, place: int) -> tuple[bytes, ...]:
    """Return the path that shows the record at a place of a page to be among its records."""
    return paths_of(_leaves(page), [place], PAGE_NODE)[0]


def root_by(batch: bytes, salt: bytes, index: int, *, place: int, count: int, path: tuple[bytes, ...]) -> bytes:
    """Return the root that a record reaches by its path; InvalidFile when no page has such a path."""
    if len(path) != DEPTH or not 0 <= place < count <= RECORDS_MAX:
        raise InvalidFile(f"a path of {len(path)} hashes to place {place} of {count}, which no page has")
    return _root(count, climb(_leaf(batch, salt, index), place, path, PAGE_NODE))


def encode_page(page: Page) -> bytes:
    """Return the file of a page."""
    return encode_json(
        {
            "format": FORMAT,
            "batch": hexadecimal(page.batch),
            "salt": hexadecimal(page.salt),
            "indices": list(page.indices),
        }
    )


def decode_page(data: bytes) -> Page:
    """Return the page in a file; InvalidFile when it is none."""
    members = Members(read_json(data, PAGE_BYTES_MAX, "page"), "", ("format", "batch", "salt", "indices"))
    members.require_format(FORMAT)
    indices = members.several("indices", RECORDS_MAX, _index)
    if not indices or list(indices) != sorted(set(indices)):
        raise members.refusal("indices", "places of records, each once and in order")
    return Page(members.octets("batch", HASH_BYTES), members.octets("salt", SALT_BYTES), indices)


def _leaves(page: Page) -> list[bytes]:
    leaves = [_leaf(page.batch, page.salt, index) for index in page.indices]
    missing = range(len(leaves), RECORDS_MAX)
    return leaves + [keccak256(PAGE_RECORD + page.salt + bytes((place,))) for place in missing]


def _leaf(batch: bytes, salt: bytes, index: int) -> bytes:
    return keccak256(PAGE_RECORD + salt + batch + index.to_bytes(4))


def _root(count: int, top: bytes) -> bytes:
    return keccak256(PAGE + bytes((count,)) + top)


def _index(node: object, place: str) -> int:
    if type(node) is not int or not 0 <= node < 1 << DEPTH_MAX:
        raise InvalidFile(f"at {place}: found {shown(node)}; expected an index below {1 << DEPTH_MAX}")
    return node
