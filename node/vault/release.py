"""The vault: gives a reader that may read the ciphertexts that it asked for, and what custodians will want to see.

It has the key of one seat in each custody, which opens a record's opening and no group: without custodians it reads
nothing itself. The importing country is shown to nobody but the importing authority that reads by right.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_bytes

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.exchange import ANSWER_BYTES_MAX, Given, Release, decode_release_call, encode_release
from cocket.attestation.reading.item import validate_item
from cocket.attestation.reading.request import ReadRequest, groups_of
from cocket.attestation.reading.ticket import (
    MAC_BYTES,
    TICKET_S,
    Ticket,
    decode_segment_call,
    encode_segment,
    ticket_mac,
)
from cocket.attestation.sealing.hpke import Opener
from cocket.contracts.access import Evidence, Reason, Residency, Right, encode_evidence
from cocket.node.errors import Damaged
from cocket.node.vault.decision import Judge, Ruling
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined, declined
from cocket.node.vault.deposit import Deposit, open_deposit
from cocket.node.vault.entry import Version
from cocket.node.vault.holdings import Holdings

PAGE_BYTES = ANSWER_BYTES_MAX // 4
"""Ciphertexts after which a page ends: with one record more, and in base64, it is still an answer."""

Residencies = Callable[[bytes], Residency | None]
"""Gives the countries that a batch is bound to, as its controller opened them to its vault."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A record that the vault holds, opened as far as the vault can, and which version of it that is."""

    deposit: Deposit
    version: Version


class Vault:
    """What answers a release call, in several threads."""

    def __init__(
        self,
        judge: Judge,
        holdings: Holdings,
        residencies: Residencies,
        key: Opener,
        party: int,
        now_s: Callable[[], int],
    ) -> None:
        """Take what it needs; ``party`` is whose vault it is, as requests name it; ``key`` opens the vault's seats."""
        self._now_s = now_s
        self._ticket_key = token_bytes(MAC_BYTES)
        self._judge = judge
        self._holdings = holdings
        self._residencies = residencies
        self._key = key
        self._party = party

    def release(self, body: bytes) -> bytes:
        """Return the answer to a release call, its receipt on the disk; Declined with what is told instead."""
        call = decode_release_call(body)
        request = call.request
        if request.vault != self._party:
            raise declined(HTTPStatus.BAD_REQUEST, f"the request is for the vault of {request.vault}, not this one")
        ruling = self._judge.rule(request, call.signature, call.claim, b"")
        if request.count > 1:
            return encode_release(self._bulk(ruling))
        found = self._found(request, request.index)
        ruling, evidence = self._shown(ruling, None if found is None else found.deposit)
        self._judge.validate_allowed(ruling)
        self._judge.validate_kept(ruling, request.index)
        if found is None:
            raise declined(HTTPStatus.NOT_FOUND, "this vault does not hold the record: ask its controller for another")
        self._validate(found.deposit, ruling, request.index)
        given = self._given(found, request, request.index)
        return encode_release(Release(self._judge.note(ruling), found.deposit.custody, (given,), evidence))

    def _bulk(self, ruling: Ruling) -> Release:
        """Return the next records of a batch that the contract opens, of one custody, and from where to go on."""
        request = ruling.request
        ruling, evidence = self._shown(ruling, None)
        limit = min(request.count, max(self._judge.bulk_left(ruling), 1))
        places = self._holdings.indices(request.batch, request.index, limit + 1)
        rulings = self._judge.rule_each(ruling, evidence, places[:limit])
        opened = [place for place, each in zip(places, rulings, strict=False) if each.decision.may_read]
        ruling = next((each for each in rulings if each.decision.may_read), (*rulings, ruling)[0])
        self._judge.validate_allowed(ruling)
        if not opened:
            raise declined(HTTPStatus.NOT_FOUND, f"no more records of this batch from {request.index} on are held here")
        given: list[Given] = []
        custody, size, following = None, 0, places[limit] if len(places) > limit else None
        for place in opened:
            found = self._found(request, place)
            if found is None:
                continue  # erased since it was listed
            deposit = found.deposit
            if given and (deposit.custody != custody or size > PAGE_BYTES):
                following = place
                break
            self._validate(deposit, ruling, place)
            custody = deposit.custody
            given.append(self._given(found, request, place))
            size += sum(map(len, given[-1].ciphertexts.values()))
        if custody is None:
            raise declined(HTTPStatus.GONE, "the records were erased while they were looked for: ask again")
        receipt = self._judge.note_bulk(ruling, tuple([each.index for each in given]))
        return Release(receipt, custody, tuple(given), evidence, following)

    def _found(self, request: ReadRequest, index: int) -> _Found | None:
        held = self._holdings.find(request.batch, index)
        if held is None:
            return None
        try:
            return _Found(open_deposit(held.manifest, held.custody, held.envelope, self._key), held.version)
        except InvalidFile as error:
            raise Damaged(f"record 0x{request.batch.hex()} {index}: {error}") from None

    def _shown(self, ruling: Ruling, deposit: Deposit | None) -> tuple[Ruling, bytes]:
        """Return the ruling once the vault has shown what it needs, and that evidence: no more than it needs."""
        evidence = Evidence(residency=self._residencies(ruling.request.batch))
        if evidence.residency is not None and ruling.decision.reason is Reason.OUTSIDE_RESIDENCY:
            ruling = self._judge.rule_again(ruling, encode_evidence(evidence))
        is_without_grant = ruling.decision.reason is Reason.NO_GRANT and not ruling.shown.has_scope
        if is_without_grant and deposit is not None:
            country = deposit.opening.country
            root, path = deposit.manifest.binding.document_root, deposit.opening.anchor.path
            evidence = Evidence(Right(root, country.country, country.salt, path), evidence.residency)
            ruling = self._judge.rule_again(ruling, encode_evidence(evidence))
        return ruling, b"" if evidence == Evidence() else encode_evidence(evidence)

    def _validate(self, deposit: Deposit, ruling: Ruling, index: int) -> None:
        """Refuse a record that another contract decides about; Damaged when it is not at its place in the batch."""
        request = ruling.request
        contract = self._judge.contract_for(deposit.custody.access)
        if request.access != contract:
            raise declined(
                HTTPStatus.CONFLICT,
                f"contract 0x{contract.hex()} decides about this record, the request names 0x{request.access.hex()}",
            )
        try:
            validate_item(deposit.item, ruling.batch.participant, request.batch, index)
        except InvalidFile as error:
            raise Damaged(f"record 0x{request.batch.hex()} {index}: {error}") from None

    def _given(self, found: _Found, request: ReadRequest, index: int) -> Given:
        deposit = found.deposit
        ciphertexts = {group: deposit.ciphertexts[group] for group in groups_of(request.groups)}
        ticket = self._ticket(found.version, request, index)
        return Given(index, deposit.manifest, deposit.signature, ciphertexts, deposit.item, ticket)

    def _ticket(self, version: Version, request: ReadRequest, index: int) -> Ticket | None:
        """Return what lets the reader fetch the files that the groups asked for attach; None when there are none."""
        files = self._holdings.attached(version)
        if not files or not all(request.groups >> file.group & 1 for file in files):
            return None
        expires = self._now_s() + TICKET_S
        mac = ticket_mac(self._ticket_key, request.batch, index, version.attachments, expires)
        return Ticket(tuple([len(file.segments) for file in files]), version.attachments, expires, mac)

    def segment(self, body: bytes) -> bytes:
        """Return the answer to a call for a segment of an attached file; Declined without a ticket for it."""
        call = decode_segment_call(body)
        mac = ticket_mac(self._ticket_key, call.batch, call.index, call.listed, call.expires)
        if not hmac.compare_digest(call.mac, mac):
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        if self._now_s() > call.expires:
            raise declined(HTTPStatus.FORBIDDEN, "the ticket has expired: read the record again")
        held = [each for each in self._holdings.versions(call.batch, call.index) if each.attachments == call.listed]
        if not held:
            raise declined(HTTPStatus.GONE, "these files are held no longer: read the record again")
        files = self._holdings.attached(held[0])
        if call.file >= len(files) or call.segment >= len(files[call.file].segments):
            raise declined(HTTPStatus.NOT_FOUND, f"file {call.file} of {len(files)} has no segment {call.segment}")
        return encode_segment(self._holdings.get(files[call.file].segments[call.segment]))
