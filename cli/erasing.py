"""Erasing a record: each keeper is asked by itself, its vault first, and each answers with a receipt of its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_bytes

from cocket.attestation.errors import InvalidFile
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.reading.erasure import EraseRequest, signing_hash
from cocket.attestation.reading.exchange import Erased, decode_erased, encode_erase_call
from cocket.cli.account import Signatory
from cocket.cli.errors import CommandError, Exit
from cocket.cli.parties import party_text
from cocket.cli.terms import Place, anchored_batch
from cocket.contracts import access
from cocket.contracts.access import ServiceKind, participant_party
from cocket.node.errors import NodeError, Unavailable
from cocket.node.vault.connection import ERASE_PATH, call_service
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.reader import EXPIRES_AFTER_S
from cocket.node.vault.signing import wallet_of


@dataclass(frozen=True, slots=True)
class Told:
    """What one keeper said: its receipt's number, or why it did not erase."""

    who: str
    party: int
    number: int | None
    problem: str | None

    def as_json(self) -> dict[str, object]:
        """Return it as an object."""
        return {"party": self.party, "erased": self.problem is None, "receipt": self.number, "problem": self.problem}

    @property
    def sentence(self) -> str:
        """Return it as a sentence."""
        return f"{self.who}: " + (self.problem or f"erased, receipt {self.number}")


def erase(signatory: Signatory, place: Place, reason: int, vault: int | None, custodians: Sequence[int]) -> list[Told]:
    """Ask the vault and each custodian to forget a record; custodians not named are those that the vault knows.

    :raises CommandError: no single record is meant, or the ledger has none there.
    """
    if place.index == access.EVERY_INDEX:
        raise CommandError("records are erased one by one; name one with --record FILE or --index N", Exit.USAGE)
    batch = anchored_batch(signatory.client, place)
    party = participant_party(batch.participant) if vault is None else vault
    ledger = Ledger(signatory.client.url)
    try:
        told, found = _ask(ledger, signatory, place, reason, party, ServiceKind.VAULT)
        known = custodians or (found.custodians if found is not None else ())
        others = [_ask(ledger, signatory, place, reason, each, ServiceKind.CUSTODIAN)[0] for each in known]
    finally:
        ledger.close()
    return [told, *others]


def _ask(
    ledger: Ledger, signatory: Signatory, place: Place, reason: int, party: int, kind: ServiceKind
) -> tuple[Told, Erased | None]:
    who = f"the {kind.name.lower()} of {party_text(signatory.client, party)}"
    try:
        head = ledger.head()
        service = ledger.view(access.ADDRESS, access.service_of(party, kind), head.number)
        if not service.url:
            raise Unavailable("the ledger has no address of it")
        chain_id, genesis_hash = ledger.chain()
        request = EraseRequest(
            chain_id=chain_id,
            genesis_hash=genesis_hash,
            batch=place.batch,
            index=place.index,
            keeper=party,
            reason=reason,
            block_hash=head.hash,
            block_number=head.number,
            expires=int(time.time()) + EXPIRES_AFTER_S,
            nonce=token_bytes(HASH_BYTES),
        )
        signature = wallet_of(signatory.key)(signing_hash(request))
        erased = decode_erased(call_service(service, ERASE_PATH, encode_erase_call(request, signature), who))
        receipt = erased.receipt
        if (receipt.keeper, receipt.request_hash) != (service.keeper, signing_hash(request)):
            raise InvalidFile("a receipt that is not of this request")
    except (NodeError, InvalidFile) as error:
        return Told(who, party, None, str(error)), None
    return Told(who, party, receipt.number, None), erased
