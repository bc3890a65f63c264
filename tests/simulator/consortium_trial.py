"""Authorities on simulated machines: the Consortium of the founding says who seals, and its members vote.

Machine i is authority COUNTRIES[i]'s. Who validates which height is read from what the contract logged in the blocks
before, by the trial itself: neither from ``getValidators()`` nor from any node's idea of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from contract_ledger import found, keys_of
from ledger.chains import User
from simulator.cluster import Cluster
from simulator.keys import addresses
from simulator.ledger_chain import LedgerChain, trial_genesis
from simulator.machines import Machine

from cocket.contracts import consortium
from cocket.contracts.abi import View
from cocket.contracts.events import ValidatorActivated, ValidatorStoodDown, decode_log
from cocket.contracts.founding import Founder, Founding
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header
from cocket.node.chain.rules import Permission
from cocket.node.chain.spec import AllocAccount, Genesis
from cocket.node.chain.vm import CallRequest, call
from cocket.node.errors import InvalidTransaction, Refused

COUNTRIES = ("BR", "IN", "KE", "NL", "SG", "UY", "ZA")
FOUNDERS = (0, 2, 4, 6)
NEWCOMERS = (1, 3, 5)
"""Between the founders in the circle of proposers, so that each change of the set moves somebody's turn."""
SPACING_BLOCKS = 3
GAS = 4_000_000
LIMIT_MS = 120_000

Sets = tuple[bytes, ...]


def consortium_genesis(admins: Sequence[User], seats: Sequence[bytes]) -> Genesis:
    """Return a genesis with the five contracts as their constructors leave them, founded by FOUNDERS."""
    founders = [Founder(COUNTRIES[index], keys(index, admins[index], seats[index])) for index in FOUNDERS]
    state = found(Founding(1_700_000_000, tuple(founders), SPACING_BLOCKS)).state
    alloc = {
        address: AllocAccount(
            account.balance,
            account.nonce,
            state.code(account.code_hash),
            {slot: value for (owner, slot), value in state.slots.items() if owner == address},
        )
        for address, account in state.accounts.items()
    }
    return trial_genesis(
        len(FOUNDERS), list(admins), consortium.ADDRESS, more=alloc, permission=Permission(consortium.ADDRESS)
    )


def keys(index: int, admin: User, seat: bytes) -> consortium.Keys:
    return keys_of(COUNTRIES[index], node_count=1, admin=admin.address, validator=seat)


class ConsortiumTrial:
    """Seven machines, of which the founders' run; ``admit`` and ``withdraw`` are decided by votes in blocks."""

    def __init__(self, seed: int) -> None:
        self.admins = [User(f"admin of {country}") for country in COUNTRIES]
        self.seats = addresses(len(COUNTRIES))
        genesis = consortium_genesis(self.admins, self.seats)
        self.members = list(FOUNDERS)
        self._sets: list[Sets] = [tuple([self.seats[index] for index in FOUNDERS])] * 2
        self._chains = [LedgerChain(genesis) for _ in COUNTRIES]
        self.genesis = genesis
        self.cluster = Cluster(
            seed, len(COUNTRIES), chain_for=self._chains.__getitem__, validators_at=self.validators_at
        )
        for index in FOUNDERS:
            self.cluster.start(self.machine(index))

    # --- what is to be seen --------------------------------------------------------------------------------------

    def machine(self, index: int) -> Machine:
        return self.cluster.machines[index]

    def chain(self, index: int) -> LedgerChain:
        return self._chains[index]

    @property
    def longest(self) -> LedgerChain:
        return max(self._chains, key=lambda chain: chain.head.number)

    @property
    def height(self) -> int:
        return self.longest.head.number

    def header(self, height: int) -> Header:
        header = self.longest.ledger.header_by_number(height)
        assert header is not None
        return header

    def validators_at(self, height: int) -> Sets:
        """Return who may seal a height, by what the blocks before it logged."""
        while len(self._sets) <= height:
            self._sets.append(self._after(len(self._sets) - 1, self._sets[-1]))
        return self._sets[height]

    def _after(self, number: int, before: Sets) -> Sets:
        seats = set(before)
        receipts = self.longest.ledger.receipts_by_number(number)
        assert receipts is not None, f"block {number} is nobody's yet"
        for log in [log for receipt in receipts for log in receipt.logs]:
            match decode_log(log.address, log.topics, log.data):
                case ValidatorActivated(validator=seat):
                    assert seat not in seats
                    seats.add(seat)
                case ValidatorStoodDown(validator=seat):
                    seats.remove(seat)
        return tuple(sorted(seats))

    def ask(self, view: View[int]) -> int:
        ledger = self.longest.ledger
        head, state = ledger.head_state()
        request = CallRequest(sender=bytes(20), to=consortium.ADDRESS, data=view.data, gas=GAS)
        result = call(ledger.context(head), state, request, None)
        assert result.error is None, result.error
        return view.decode(result.output)

    # --- what happens --------------------------------------------------------------------------------------------

    def sign(self, member: int, data: bytes) -> bytes:
        """Return a member's transaction to the Consortium."""
        return self.admins[member].sign(consortium.ADDRESS, data, gas_limit=GAS)

    def offer(self, raw: bytes, to: Sequence[int] = range(len(COUNTRIES))) -> None:
        """Put a transaction into the pools of these machines that are up."""
        for index in to:
            if self.machine(index).is_up:
                with suppress(InvalidTransaction, Refused):
                    self.chain(index).pool.add(raw)

    def block_of(self, raw: bytes) -> int | None:
        """Return the height in which a transaction is final."""
        place = self.longest.ledger.transaction_location(keccak256(raw))
        return None if place is None else place[0]

    def finish(self, *raws: bytes, to: Sequence[int] = range(len(COUNTRIES))) -> int:
        """Offer transactions until all are final, each with success; return the height of the last."""
        end_ms = self.cluster.now_ms + LIMIT_MS
        while None in [self.block_of(raw) for raw in raws]:
            assert self.cluster.now_ms < end_ms, "a transaction does not become final"
            for raw in raws:
                self.offer(raw, to)
            self.cluster.run(lambda: None not in [self.block_of(raw) for raw in raws], 2_000)
        for raw in raws:
            assert self.succeeded(raw)
        return max(height for height in [self.block_of(raw) for raw in raws] if height is not None)

    def succeeded(self, raw: bytes) -> bool:
        place = self.longest.ledger.transaction_location(keccak256(raw))
        assert place is not None
        receipts = self.longest.ledger.receipts_by_number(place[0])
        assert receipts is not None
        return receipts[place[1]].status == 1

    def run_to(self, height: int) -> None:
        """Run until everybody who is up has a height."""
        assert self.cluster.run(lambda: min(self.heights_up()) >= height, LIMIT_MS), f"stalled before {height}"

    def heights_up(self) -> list[int]:
        return [machine.chain.head.number for machine in self.cluster.machines if machine.is_up]

    def needed(self) -> int:
        """Return how many votes decide on a membership: two thirds of the members."""
        return (2 * len(self.members) + 2) // 3

    def voters(self, but: int | None = None) -> Iterator[int]:
        return iter([member for member in self.members if member != but][: self.needed()])

    def wait_spacing(self) -> None:
        """Run until the next block may change the set."""
        self.run_to(self.ask(consortium.last_set_change()) + SPACING_BLOCKS)

    def admit(self, newcomer: int) -> None:
        """Vote a country in, all votes but the proposer's in one go; its machine starts from nothing."""
        seat = keys(newcomer, self.admins[newcomer], self.seats[newcomer])
        first, *others = self.voters()
        self.finish(self.sign(first, consortium.propose_admission(country=COUNTRIES[newcomer], keys=seat)))
        number = self.ask(consortium.proposal_count())
        self.finish(*[self.sign(voter, consortium.vote(proposal=number, approve=True)) for voter in others])
        self.members.append(newcomer)
        assert self.ask(consortium.authority_of_country(COUNTRIES[newcomer])) == len(self.members)
        self.cluster.start(self.machine(newcomer))

    def activate(self, newcomer: int) -> int:
        """Let a member that is level take its seat; return the height that says so."""
        self.wait_spacing()
        return self.finish(self.sign(newcomer, consortium.activate()))

    def prepare_withdrawal(self, leaver: int) -> bytes:
        """Let all vote but one whose voice decides; return that one's vote, not yet sent."""
        first, *others, last = self.voters(but=leaver)
        number = self.ask(consortium.authority_of_country(COUNTRIES[leaver]))
        self.finish(self.sign(first, consortium.propose_withdrawal(authority=number, reason=1)))
        proposal = self.ask(consortium.proposal_count())
        self.finish(*[self.sign(voter, consortium.vote(proposal=proposal, approve=True)) for voter in others])
        self.members.remove(leaver)
        self.wait_spacing()
        return self.sign(last, consortium.vote(proposal=proposal, approve=True))
