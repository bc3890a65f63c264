"""The vault: gives a reader that may read the ciphertexts that it asked for, and what custodians will want to see.

It has the key of one seat in each custody, which opens a record's opening and no group: without custodians it reads
nothing itself. The importing country is shown to nobody but the importing authority that reads by right.
"""

from collections.abc import Callable
from http import HTTPStatus

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.exchange import Release, decode_release_call, encode_release
from cocket.attestation.reading.item import validate_item
from cocket.attestation.reading.request import ReadRequest, groups_of
from cocket.attestation.sealing.hpke import PrivateKey
from cocket.contracts.access import Evidence, Reason, Residency, Right, encode_evidence, shows_scope
from cocket.node.errors import Damaged
from cocket.node.vault.decision import Judge, Ruling
from cocket.node.vault.declined import declined
from cocket.node.vault.deposit import Deposit, open_deposit
from cocket.node.vault.holdings import Holdings

Residencies = Callable[[bytes], Residency | None]
"""Gives the countries that a batch is bound to, as its controller opened them to its vault."""


class Vault:
    """What answers a release call, in several threads."""

    def __init__(self, judge: Judge, holdings: Holdings, residencies: Residencies, key: PrivateKey, party: int) -> None:
        """Take what it needs; ``party`` is whose vault it is, as requests name it; ``key`` opens the vault's seats."""
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
        deposit = self._deposit(request)
        ruling, evidence = self._shown(ruling, deposit)
        self._judge.validate_allowed(ruling)
        if deposit is None:
            raise declined(HTTPStatus.NOT_FOUND, "this vault does not hold the record: ask its controller for another")
        self._validate(deposit, ruling)
        return encode_release(
            Release(
                receipt=self._judge.note(ruling),
                manifest=deposit.manifest,
                manifest_signature=deposit.signature,
                custody=deposit.custody,
                ciphertexts={group: deposit.ciphertexts[group] for group in groups_of(request.groups)},
                item=deposit.item,
                evidence=evidence,
            )
        )

    def _deposit(self, request: ReadRequest) -> Deposit | None:
        held = self._holdings.find(request.batch, request.index)
        if held is None:
            return None
        try:
            return open_deposit(held.manifest, held.custody, held.envelope, self._key)
        except InvalidFile as error:
            raise Damaged(f"record 0x{request.batch.hex()} {request.index}: {error}") from None

    def _shown(self, ruling: Ruling, deposit: Deposit | None) -> tuple[Ruling, bytes]:
        """Return the ruling once the vault has shown what it needs, and that evidence: no more than it needs."""
        evidence = Evidence(residency=self._residencies(ruling.request.batch))
        if evidence.residency is not None and ruling.decision.reason is Reason.OUTSIDE_RESIDENCY:
            ruling = self._judge.rule_again(ruling, encode_evidence(evidence))
        is_without_grant = ruling.decision.reason is Reason.NO_GRANT and not _claims(ruling)
        if is_without_grant and deposit is not None:
            country = deposit.opening.country
            root, path = deposit.manifest.binding.document_root, deposit.opening.anchor.path
            evidence = Evidence(Right(root, country.country, country.salt, path), evidence.residency)
            ruling = self._judge.rule_again(ruling, encode_evidence(evidence))
        return ruling, b"" if evidence == Evidence() else encode_evidence(evidence)

    def _validate(self, deposit: Deposit, ruling: Ruling) -> None:
        """Refuse a record that another contract decides about; Damaged when it is not at its place in the batch."""
        request = ruling.request
        contract = self._judge.contract_for(deposit.custody.access)
        if request.access != contract:
            raise declined(
                HTTPStatus.CONFLICT,
                f"contract 0x{contract.hex()} decides about this record, the request names 0x{request.access.hex()}",
            )
        try:
            validate_item(deposit.item, ruling.batch.participant, request.batch, request.index)
        except InvalidFile as error:
            raise Damaged(f"record 0x{request.batch.hex()} {request.index}: {error}") from None


def _claims(ruling: Ruling) -> bool:
    return bool(ruling.claim) and shows_scope(ruling.claim)
