"""Who is meant by an account, a participant's number or a country; and how a party is called."""

from collections.abc import Iterator

from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.participant import parse_address
from cocket.contracts import access, consortium, participants
from cocket.contracts.access import FIRST_PARTICIPANT
from cocket.contracts.events import KeyAdded, decode_log, event_topic


def find_party(client: NodeClient, text: str, block: int | str = "latest") -> int:
    """Return the party that a user names: an account of it, a participant's number, or an authority's country.

    :raises CommandError: the ledger knows nobody of that name.
    """
    if text.startswith("0x"):
        party = party_of(client, parse_address(text), block)
        if party:
            return party
        raise CommandError(f"{text} is the account of no authority and no participant", Exit.NOT_FOUND)
    if text.isascii() and text.isdigit():
        number = _participant(client, int(text), block)
        return access.participant_party(number)
    return access.authority_party(find_authority(client, text, block))


def find_authority(client: NodeClient, country: str, block: int | str = "latest") -> int:
    """Return the number of a country's authority.

    :raises CommandError: there is none, or that is no country.
    """
    if not (country.isascii() and country.isalpha() and len(country) == 2):
        raise CommandError(
            f"{country[:80]!r} names nobody; expected an account (0x...), a participant's number, or an authority's "
            "country like KE",
            Exit.USAGE,
        )
    number = client.view(consortium.ADDRESS, consortium.authority_of_country(country.upper()), block)
    if not number:
        raise CommandError(
            f"{country.upper()} has no authority here; `cocket authority list` shows all", Exit.NOT_FOUND
        )
    return number


def party_of(client: NodeClient, account: bytes, block: int | str = "latest") -> int:
    """Return the party that an account acts for, 0 when for none."""
    authority = client.view(consortium.ADDRESS, consortium.authority_of(account), block)
    if authority:
        return access.authority_party(authority)
    number = client.view(participants.ADDRESS, participants.participant_of(account), block)
    return access.participant_party(number) if number else 0


def participant_behind(client: NodeClient, account: bytes) -> int:
    """Return the participant that an account acts for.

    :raises CommandError: it acts for none.
    """
    number = client.view(participants.ADDRESS, participants.participant_of(account))
    if not number:
        raise CommandError(
            f"the key of 0x{account.hex()} belongs to no participant; records and grants are participants'",
            Exit.REFUSED,
        )
    return number


def party_text(client: NodeClient, party: int) -> str:
    """Return what people call a party."""
    if party >= FIRST_PARTICIPANT:
        return f"participant {party - FIRST_PARTICIPANT}"
    authority = client.view(consortium.ADDRESS, consortium.authority(party))
    return f"the authority of {authority.country}" if authority.country else f"authority {party}"


def account_of(client: NodeClient, text: str, block: int) -> bytes:
    """Return an account that acts, as of a block, for whom a user names.

    :raises CommandError: nobody is named, or a participant without any account then.
    """
    if text.startswith("0x"):
        return parse_address(text)
    party = find_party(client, text, block)
    if party < FIRST_PARTICIPANT:
        held = client.view(consortium.ADDRESS, consortium.authority(party), block)
        return client.view(consortium.ADDRESS, consortium.keys(held.keys_id), block).admin
    number = party - FIRST_PARTICIPANT
    account = next(iter(accounts_of(client, number, block)), None)
    if account is None:
        raise CommandError(f"participant {number} has no account as of block {block}", Exit.NOT_FOUND)
    return account


def accounts_of(client: NodeClient, number: int, block: int) -> Iterator[bytes]:
    """Yield the accounts that act for a participant as of a block, the oldest first."""
    for account in all_accounts_of(client, number, block):
        if client.view(participants.ADDRESS, participants.participant_of(account), block) == number:
            yield account


def all_accounts_of(client: NodeClient, number: int, block: int) -> Iterator[bytes]:
    """Yield the accounts that ever acted for a participant until a block, the oldest first."""
    topics = [event_topic(KeyAdded), number.to_bytes(32)]
    for entry in client.logs(participants.ADDRESS, topics, 0, block):
        event = decode_log(entry.address, entry.topics, entry.data)
        if isinstance(event, KeyAdded):
            yield event.key


def _participant(client: NodeClient, number: int, block: int | str) -> int:
    count = client.view(participants.ADDRESS, participants.participant_count(), block)
    if not 1 <= number <= count:
        raise CommandError(f"there is no participant {number}; `cocket participant list` shows all", Exit.NOT_FOUND)
    return number
