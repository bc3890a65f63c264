"""Custodies as a user names them: which authorities' custodians, how many must answer, whose vault, what recovers."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.errors import AttestationError
from cocket.attestation.sealing.custody import Custody, Holder, Seeds, draw, seed_bytes, validate_threshold
from cocket.attestation.sealing.hpke import decode_public_key
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.parties import find_authority
from cocket.contracts import access, consortium, participants
from cocket.contracts.consortium import Status
from cocket.node.encryption_key import load_public_key


@dataclass(frozen=True, slots=True)
class Terms:
    """Options of a custody. No countries: the authority over who seals, alone; no threshold: more than half."""

    countries: tuple[str, ...]
    threshold: int | None
    vault_key: Path
    recovery_key: Path


@dataclass(frozen=True, slots=True)
class Drawn:
    """A custody with its seeds, and the countries of its custodians."""

    custody: Custody
    seeds: Seeds
    countries: tuple[str, ...]

    @property
    def note(self) -> str:
        """Return what a person should know of it."""
        count, threshold = len(self.countries), self.custody.threshold
        if count == 1:
            return (
                f'NOTE: one custodian, {self.countries[0]}: "the contract decides" then means "one honest custodian '
                'decides"; name several with --custodian'
            )
        return f"{threshold} of {count} custodians must answer: {', '.join(self.countries)}"


def draw_custody(client: NodeClient, batch: bytes, participant: int, terms: Terms) -> Drawn:
    """Draw a custody for a participant's batch, from the keys that the custodians have on the ledger now.

    :raises CommandError: a custodian is not in force, or the threshold could be reached by faulty ones, or kept shut.
    """
    numbers = [find_authority(client, country) for country in terms.countries]
    if not numbers:
        numbers = [client.view(participants.ADDRESS, participants.authority_over(participant))]
    if len(set(numbers)) != len(numbers):
        raise CommandError("--custodian names an authority twice; expected each once", Exit.USAGE)
    threshold = terms.threshold or len(numbers) // 2 + 1
    try:
        validate_threshold(threshold, len(numbers))
    except AttestationError as error:
        raise CommandError(str(error), Exit.REFUSED) from None
    holders, countries = [], []
    for number in numbers:
        holder, country = _holder(client, number)
        holders.append(holder)
        countries.append(country)
    custody, seeds = draw(
        client.genesis_hash(),
        access.ADDRESS,
        batch,
        threshold,
        holders,
        load_public_key(terms.recovery_key),
        load_public_key(terms.vault_key),
        secrets.token_bytes(seed_bytes(len(holders))),
    )
    return Drawn(custody, seeds, tuple(countries))


def _holder(client: NodeClient, number: int) -> tuple[Holder, str]:
    authority = client.view(consortium.ADDRESS, consortium.authority(number))
    if authority.status is not Status.ACTIVE:
        raise CommandError(
            f"the authority of {authority.country} is {authority.status.name.lower()}; a custodian must be in force",
            Exit.REFUSED,
        )
    keys = client.view(consortium.ADDRESS, consortium.keys(authority.keys_id))
    public = decode_public_key(keys.encryption_suite, keys.encryption_key)
    return Holder(number, authority.epoch, public), authority.country
