"""Attached files at the vault: given by a ticket of a release that reached their group, and by nothing else."""

from dataclasses import replace
from http import HTTPStatus

import pytest
from reads import Reads, wanted

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.exchange import decode_release, encode_release
from cocket.attestation.reading.ticket import (
    TICKET_S,
    SegmentCall,
    Ticket,
    decode_segment,
    decode_segment_call,
    encode_segment,
    encode_segment_call,
    ticket_json,
    ticket_of,
)
from cocket.attestation.sealing.attachment import SEALED_SEGMENT_BYTES, SEGMENT_BYTES, open_segments
from cocket.contracts.access import Purpose, authority_party
from cocket.node.errors import Damaged, Refused
from cocket.node.vault.connection import RELEASE_PATH, SEGMENT_PATH, ReadRefused
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined
from cocket.node.vault.reader import AttachedRead, Reader
from cocket.node.vault.signing import wallet_of

FILES = {"scan.pdf": b"s" * (SEGMENT_BYTES + 5), "note.pdf": b"a note"}
COMMERCIAL = 5


def read(reads: Reads, *groups: int, reader: Reader | None = None) -> tuple[AttachedRead, ...]:
    anchor = reads.issue_attached("SG", FILES)
    own = reader or reads.reader(reads.chamber)
    return own.read(wanted(anchor, *groups, purpose=Purpose.OWN_RECORDS)).files[0]


def call_of(attached: AttachedRead, **changes: object) -> bytes:
    ticket = attached.ticket
    call = SegmentCall(attached.batch, attached.index, ticket.listed, ticket.expires, ticket.mac, attached.place, 0)
    return encode_segment_call(replace(call, **changes))  # type: ignore[arg-type]


def declined(reads: Reads, body: bytes) -> Declined:
    with pytest.raises(Declined) as refused:
        reads.keepers["vault"].segment(body)
    return refused.value


def test_files_come_with_the_group_that_names_them(reads: Reads) -> None:
    scan, note = read(reads, COMMERCIAL)
    reader = reads.reader(reads.chamber)
    for each, data in ((scan, FILES["scan.pdf"]), (note, FILES["note.pdf"])):
        file = each.file
        assert b"".join(open_segments(file.key, reader.fetch(each), file.attachment.digest)) == data
    assert scan.ticket.segments == (2, 1)
    assert reads.receipts()["vault"] == 1, "the release's receipt is theirs too"
    assert read(reads, 2) == ()


def test_a_grant_of_other_groups_gives_no_ticket(reads: Reads) -> None:
    anchor = reads.issue_attached("SG", FILES)
    claim, _ = reads.grant(authority_party(1), anchor, {0, 2}, Purpose.AUDIT, "goods only")
    brazil = reads.reader(reads.admin("BR"))
    assert brazil.read(wanted(anchor, 2, purpose=Purpose.AUDIT, claim=claim)).files == ((),)
    with pytest.raises(ReadRefused):
        brazil.read(wanted(anchor, COMMERCIAL, purpose=Purpose.AUDIT, claim=claim))


def test_nothing_is_given_without_a_ticket_for_it(reads: Reads) -> None:
    scan, note = read(reads, COMMERCIAL)
    other = read(reads, COMMERCIAL)[0]
    for changes in (
        {"mac": bytes(32)},
        {"index": scan.index ^ 1},
        {"batch": other.batch},
        {"listed": other.ticket.listed},
        {"expires": scan.ticket.expires + 1},
    ):
        refused = declined(reads, call_of(scan, **changes))
        assert (refused.status, refused.refusal) == (HTTPStatus.FORBIDDEN, NO_SUCH_RECORD), changes
    assert declined(reads, call_of(scan, segment=2)).status == HTTPStatus.NOT_FOUND
    assert declined(reads, call_of(note, file=2)).status == HTTPStatus.NOT_FOUND
    assert len(decode_segment(reads.keepers["vault"].segment(call_of(scan)))) == SEALED_SEGMENT_BYTES
    reads.late_s = TICKET_S + 1
    assert "has expired" in str(declined(reads, call_of(scan)))
    reads.late_s = 0
    reads.begin()
    assert declined(reads, call_of(scan)).refusal == NO_SUCH_RECORD, "its key is of one run"


def test_what_was_erased_or_sealed_anew_is_given_no_more(reads: Reads) -> None:
    scan, _ = read(reads, COMMERCIAL)
    reads.holdings.erase(scan.batch, scan.index)
    assert declined(reads, call_of(scan)).status == HTTPStatus.GONE


def test_a_damaged_segment_is_never_given(reads: Reads) -> None:
    scan, _ = read(reads, COMMERCIAL)
    (version,) = reads.holdings.versions(scan.batch, scan.index)
    first = reads.holdings.attached(version)[0].segments[0]
    shelf = reads.holdings._shelf
    shelf.put(f"objects/{first.hex()}", b"x" * SEALED_SEGMENT_BYTES)
    with pytest.raises(Damaged):
        reads.keepers["vault"].segment(call_of(scan))
    shelf.remove(f"objects/{first.hex()}")


def test_a_vault_that_gives_other_files_is_found_out(reads: Reads) -> None:
    scan, note = read(reads, COMMERCIAL)
    reader = reads.reader(reads.chamber)
    swapped = replace(scan, place=1)
    with pytest.raises(InvalidFile, match="does not open"):
        list(open_segments(scan.file.key, reader.fetch(swapped), scan.file.attachment.digest))
    with pytest.raises(InvalidFile, match="another hash"):
        list(open_segments(note.file.key, reader.fetch(note), scan.file.attachment.digest))

    def lying(service: object, path: str, body: bytes, who: str) -> bytes:
        return encode_segment(bytes(9)) if path == SEGMENT_PATH else reads.call(service, path, body, who)  # type: ignore[arg-type]

    liar = Reader(reads.announced, wallet_of(reads.chamber), reads.now_s, lying)
    with pytest.raises(Refused, match="gave something false"):
        list(liar.fetch(scan))


def test_a_vault_that_keeps_files_back_is_found_out(reads: Reads) -> None:
    def keeping_back(service: object, path: str, body: bytes, who: str) -> bytes:
        answer = reads.call(service, path, body, who)  # type: ignore[arg-type]
        if path != RELEASE_PATH:
            return answer
        from cocket.attestation.reading.exchange import decode_release_call

        release = decode_release(answer, decode_release_call(body).request)
        return encode_release(replace(release, records=tuple(replace(each, ticket=None) for each in release.records)))

    reader = Reader(reads.announced, wallet_of(reads.chamber), reads.now_s, keeping_back)
    with pytest.raises(Refused, match="gave 0 attached files; the record names 2"):
        read(reads, COMMERCIAL, reader=reader)


def test_tickets_and_calls_have_one_form() -> None:
    ticket = Ticket((2, 1), b"l" * 32, 9, b"m" * 32)
    node = ticket_json(ticket)
    assert ticket_of(node, "") == ticket
    assert ticket_of(None, "") is None
    assert node is not None
    assert "6d6d" not in repr(ticket)
    for name, value in (("segments", []), ("segments", [0]), ("segments", [4097]), ("listed", ""), ("mac", None)):
        with pytest.raises(InvalidFile):
            ticket_of({**node, name: value}, "")
    call = SegmentCall(b"b" * 32, 1, b"l" * 32, 9, b"m" * 32, 0, 4095)
    assert decode_segment_call(encode_segment_call(call)) == call
    for changed in (b"{}", encode_segment_call(call).replace(b"4095", b"4096"), b"[" * 9):
        with pytest.raises(InvalidFile):
            decode_segment_call(changed)
    for answer in (b"{}", encode_segment(b"short"), b'{"format":"cocket-segment-1","segment":"?"}'):
        with pytest.raises(InvalidFile):
            decode_segment(answer)
