"""Fetching receipts by an engagement: an auditor asks a controller's vault for its closed periods, one by one."""

import time
from pathlib import Path
from secrets import token_bytes

from cocket.attestation.errors import InvalidFile
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.reading.exchange import ANSWER_BYTES_MAX
from cocket.attestation.reading.periods import (
    PeriodsCall,
    PeriodsRequest,
    decode_period_given,
    encode_periods_call,
    signing_hash,
)
from cocket.cli.access_options import PURPOSES
from cocket.cli.account import Signatory
from cocket.cli.auditing import PERIOD_SUFFIX, save_period
from cocket.cli.errors import CommandError, Exit
from cocket.cli.granting import load_claim, network_of
from cocket.cli.terms import Place, anchored_batch
from cocket.contracts import access
from cocket.contracts.access import Service, ServiceKind, participant_party
from cocket.node.errors import Unavailable
from cocket.node.vault.connection import PERIODS_PATH, ReadRefused, call_service
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.reader import EXPIRES_AFTER_S
from cocket.node.vault.signing import wallet_of


def fetch_periods(signatory: Signatory, engagement: Path, place: Place, purpose: str, out: Path) -> tuple[int, int]:
    """Write the closed periods of a controller's vault into a folder; return how many are new, and the last one.

    Goes on after those that are there.

    :raises CommandError: the vault says no, the engagement is no such file, or the ledger has no vault.
    """
    client = signatory.client
    batch = anchored_batch(client, place)
    party = participant_party(batch.participant)
    claim = load_claim(engagement, network=network_of(client))
    ledger = Ledger(client.url)
    try:
        head = ledger.head()
        service = ledger.view(access.ADDRESS, access.service_of(party, ServiceKind.VAULT), head.number)
        if not service.url:
            raise Unavailable(f"the ledger has no vault of party {party}: ask it to announce one")
        first = 1 + _last(out, service.keeper)
        sequence = first
        while _fetch(ledger, signatory, service, party, claim, place, purpose, sequence, out):
            sequence += 1
    except ReadRefused as error:
        raise CommandError(str(error), Exit.REFUSED) from None
    finally:
        ledger.close()
    return sequence - first, sequence - 1


def _fetch(
    ledger: Ledger,
    signatory: Signatory,
    service: Service,
    party: int,
    claim: bytes,
    place: Place,
    purpose: str,
    sequence: int,
    out: Path,
) -> bool:
    """Write a period with the lists of its bulk reads; return whether it is closed."""
    head = ledger.head()
    chain_id, genesis_hash = ledger.chain()
    request = PeriodsRequest(
        chain_id=chain_id,
        genesis_hash=genesis_hash,
        access=access.ADDRESS,
        batch=place.batch,
        vault=party,
        purpose=1 + PURPOSES.index(purpose),
        sequence=sequence,
        block_hash=head.hash,
        block_number=head.number,
        expires=int(time.time()) + EXPIRES_AFTER_S,
        nonce=token_bytes(HASH_BYTES),
    )
    call = PeriodsCall(request, wallet_of(signatory.key)(signing_hash(request)), claim)
    who = f"the vault of party {party}"
    answer = call_service(service, PERIODS_PATH, encode_periods_call(call), who)
    try:
        given = decode_period_given(answer, ANSWER_BYTES_MAX)
    except InvalidFile as error:
        raise CommandError(f"{who} answers something else: {error}", Exit.FAILED) from None
    period = given.period
    if period is None:
        return False
    if (period.keeper, period.sequence) != (service.keeper, sequence):
        raise CommandError(f"{who} gave another period than number {sequence}", Exit.FAILED)
    save_period(out, period, given.pages)
    return True


def _last(out: Path, keeper: int) -> int:
    """Return the number of the last of a keeper's periods in a folder, 0 when there is none."""
    names = out.glob(f"{keeper}-*{PERIOD_SUFFIX}") if out.is_dir() else ()
    return max((int(path.name.removesuffix(PERIOD_SUFFIX).rpartition("-")[2]) for path in names), default=0)
