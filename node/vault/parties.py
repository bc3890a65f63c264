"""Parties: for whom an account acts, as the ledger has it at a block."""

from cocket.contracts import consortium, participants
from cocket.contracts.access import authority_party, participant_party
from cocket.contracts.participants import Standing
from cocket.node.vault.ledger import Ledger


def parties_of(ledger: Ledger, account: bytes, number: int) -> tuple[int, Standing]:
    """Return the number of the authority that an account acts for (0: none), and its standing as a participant."""
    return ledger.two_views(
        (consortium.ADDRESS, consortium.authority_of(account)),
        (participants.ADDRESS, participants.standing_of(account)),
        number,
    )


def party_of(ledger: Ledger, account: bytes, number: int) -> int:
    """Return the party that an account acts for, in force or not; 0 when it is nobody's."""
    return own_party(*parties_of(ledger, account, number))


def own_party(authority: int, standing: Standing) -> int:
    """Return the party of an account by its authority and its standing; 0 when it has neither."""
    if authority:
        return authority_party(authority)
    return participant_party(standing.participant) if standing.participant else 0
