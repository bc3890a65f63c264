"""What ends soon: read from real contracts' slots, six weeks ahead, a bounded number of participants at a time."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from contract_ledger import KE, address, founded

from cocket.contracts import participants
from cocket.contracts.participants import Role
from cocket.node import expiry
from cocket.node.chain.header import Header
from cocket.node.expiry import AHEAD_S, BEHIND_S, Expiring, ExpiryWatch

DAY_S = 86400


class Chain:
    """A ledger of contracts, its state as a node reads it."""

    def __init__(self) -> None:
        self.ledger = founded()
        self.reads = 0

    def accredit(self, number: int, valid_to: int) -> None:
        data = participants.accredit(
            identity=bytes((number,)) * 32, roles=Role.CHAMBER, kinds={1}, valid_from=0, valid_to=valid_to,
            keys=[self.key(number)],
        )  # fmt: skip
        self.ledger.participants(KE, data)

    def key(self, number: int) -> bytes:
        return address(f"participant {number}")

    def bind(self, number: int, expires: int, label: int = 1) -> None:
        data = participants.bind_seal(participant=number, binding=bytes((label,)) * 32, expires=expires)
        self.ledger.participants(self.key(number), data)

    def storage(self, contract: bytes, slot: int) -> int:
        self.reads += 1
        return self.ledger.state.storage(contract, slot)

    def state(self) -> tuple[Header, Callable[[bytes, int], int]]:
        return replace(HEADER, timestamp=self.ledger.time), self.storage


HEADER = Header(
    parent_hash=bytes(32), ommers_hash=bytes(32), coinbase=bytes(20), state_root=bytes(32), transactions_root=bytes(32),
    receipts_root=bytes(32), logs_bloom=bytes(256), difficulty=1, number=1, gas_limit=1, gas_used=0, timestamp=0,
    extra_data=b"", mix_hash=bytes(32), nonce=bytes(8),
)  # fmt: skip


def test_mandates_and_seals_are_told_six_weeks_ahead() -> None:
    chain = Chain()
    now = chain.ledger.time
    chain.accredit(1, now + 10 * DAY_S)
    chain.accredit(2, now + AHEAD_S + DAY_S)
    chain.accredit(3, now + 400 * DAY_S)
    chain.bind(3, now + 41 * DAY_S)
    watch = ExpiryWatch(chain.state)
    mandate, seal = Expiring("mandate", 1, 2, now + 10 * DAY_S), Expiring("seal certificate", 3, 2, now + 41 * DAY_S)
    assert watch.expiring() == (mandate, seal)
    chain.ledger.time += 2 * DAY_S
    assert watch.expiring() == (mandate, seal, Expiring("mandate", 2, 2, now + AHEAD_S + DAY_S))
    chain.ledger.time = now + 10 * DAY_S + BEHIND_S
    assert mandate in watch.expiring(), "what is over is told for a week"
    chain.ledger.time += 1
    assert mandate not in watch.expiring()


def test_what_was_renewed_replaced_or_ended_is_told_no_more() -> None:
    chain = Chain()
    now = chain.ledger.time
    for number in (1, 2, 3):
        chain.accredit(number, now + 300 * DAY_S)
        chain.bind(number, now + 9 * DAY_S)
    watch = ExpiryWatch(chain.state)
    assert [each.participant for each in watch.expiring()] == [1, 2, 3]
    chain.bind(1, now + 300 * DAY_S, label=2)
    chain.ledger.participants(KE, participants.unbind_seal(participant=2, reason=4))
    chain.ledger.participants(KE, participants.end(participant=3, reason=4))
    chain.ledger.time += expiry.PAUSE_S
    assert watch.expiring() == ()


def test_it_looks_at_so_many_at_a_time_and_not_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "LOOKED_AT_MAX", 2)
    chain = Chain()
    now = chain.ledger.time
    for number in range(1, 6):
        chain.accredit(number, now + 5 * DAY_S)
    watch = ExpiryWatch(chain.state)
    assert [len(watch.expiring()) for _ in range(3)] == [2, 4, 5]
    reads = chain.reads
    assert len(watch.expiring()) == 5
    assert chain.reads == reads, "all are known, and it is not yet time again"
    chain.ledger.time += expiry.PAUSE_S
    assert len(watch.expiring()) == 5
    assert chain.reads > reads


def test_a_chain_without_participants_has_nothing_to_tell() -> None:
    watch = ExpiryWatch(lambda: (replace(HEADER, timestamp=9), lambda contract, slot: 0))
    assert watch.expiring() == ()
