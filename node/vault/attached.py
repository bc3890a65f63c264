"""The list of a record's attached files, as a vault keeps it: for each the group that names it, and its segments."""

from dataclasses import dataclass

from cocket.attestation.attachments import ATTACHMENTS_MAX
from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hash_of, hexadecimal, read_json
from cocket.attestation.sealing.attachment import SEGMENTS_MAX
from cocket.attestation.sealing.envelope import GROUPS_MAX
from cocket.node.errors import Damaged

FORMAT = "cocket-attached-1"
_LIST_BYTES_MAX = 8 << 20


@dataclass(frozen=True, slots=True)
class Attached:
    """One sealed file: the group that names it, and the addresses (SHA-256) of its segments, in order."""

    group: int
    segments: tuple[bytes, ...]


def encode_attached(files: tuple[Attached, ...]) -> bytes:
    """Return the object that lists a record's files, in the document's order."""
    listed = [{"group": each.group, "segments": [hexadecimal(address) for address in each.segments]} for each in files]
    return encode_json({"format": FORMAT, "files": listed})


def decode_attached(data: bytes) -> tuple[Attached, ...]:
    """Return the files that an object lists; Damaged when it is no list of files."""
    try:
        members = Members(read_json(data, _LIST_BYTES_MAX, "list of attached files"), "", ("format", "files"))
        members.require_format(FORMAT)
        return members.several("files", ATTACHMENTS_MAX, _attached)
    except InvalidFile as error:
        raise Damaged(f"a list of attached files: {error}; put it back from a copy") from None


def _attached(node: object, place: str) -> Attached:
    members = Members(node, place, ("group", "segments"))
    segments = members.several("segments", SEGMENTS_MAX, hash_of)
    if not segments:
        raise members.refusal("segments", "at least one")
    return Attached(members.number("group", GROUPS_MAX), segments)
