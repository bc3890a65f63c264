"""A ledger of the five contracts for tests: real EVM, one transaction a block, state in dictionaries, settable time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from coincurve import PrivateKey
from sha3 import keccak_256

from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.abi import View
from cocket.contracts.consortium import Keys, Node
from cocket.contracts.errors import decode_revert
from cocket.contracts.events import Event, decode_log
from cocket.contracts.founding import Founder, Founding, founding_initcodes
from cocket.node.chain.account import Account, WriteSet
from cocket.node.chain.hashing import EMPTY_KECCAK
from cocket.node.chain.rules import Fork
from cocket.node.chain.transaction import Transaction
from cocket.node.chain.vm import BlockContext, BlockExecution, CallRequest, call, run_constructor

T = TypeVar("T")

FOUNDED_AT = 1_800_000_000
SPACING_BLOCKS = 10
PERIOD_S = 86_400
STRANGER = bytes([0xEE]) * 20
KIND = 1
GAS = 15_000_000
CONTRACTS = (directory.ADDRESS, consortium.ADDRESS, participants.ADDRESS, certificates.ADDRESS, access.ADDRESS)


class DictionaryState:
    """A StateReader over dictionaries that write sets are laid on."""

    def __init__(self) -> None:
        self.accounts: dict[bytes, Account] = {}
        self.slots: dict[tuple[bytes, int], int] = {}
        self.codes: dict[bytes, bytes] = {EMPTY_KECCAK: b""}

    def copy(self) -> "DictionaryState":
        copied = DictionaryState()
        copied.accounts, copied.slots, copied.codes = dict(self.accounts), dict(self.slots), self.codes
        return copied

    def account(self, address: bytes) -> Account | None:
        return self.accounts.get(address)

    def storage(self, address: bytes, slot: int) -> int:
        return self.slots.get((address, slot), 0)

    def code(self, code_hash: bytes) -> bytes:
        return self.codes[code_hash]

    def lay(self, write_set: WriteSet) -> None:
        for address, account in write_set.accounts.items():
            if account is None:
                self.accounts.pop(address, None)
            else:
                self.accounts[address] = account
        for address, slots in write_set.storage.items():
            self.slots.update({(address, slot): value for slot, value in slots.items()})
        self.codes.update(write_set.codes)


@dataclass(frozen=True)
class Sent:
    """What a transaction that was not refused did."""

    gas: int
    events: tuple[Event, ...]


class ContractLedger:
    """The contracts as founded, and what was sent to them since; ``copy`` gives one to go on with elsewhere."""

    def __init__(self, state: DictionaryState, fork: Fork = Fork.CANCUN) -> None:
        self.state = state
        self.fork = fork
        self.time = FOUNDED_AT
        self.number = 0

    def copy(self) -> "ContractLedger":
        copied = ContractLedger(self.state.copy(), self.fork)
        copied.time, copied.number = self.time, self.number
        return copied

    def context(self) -> BlockContext:
        return BlockContext(
            number=self.number,
            timestamp=self.time,
            coinbase=bytes(20),
            gas_limit=100_000_000,
            base_fee=0,
            fork=self.fork,
            chain_id=1,
            mix_hash=bytes(32),
            block_hash_of=lambda _: None,
            zero_base_fee=True,
        )

    def pass_blocks(self, count: int) -> None:
        self.number += count
        self.time += 2 * count

    def send(self, sender: bytes, to: bytes, data: bytes) -> Sent:
        """Send a transaction in a block of its own; a revert is raised as ContractRefusal."""
        self.pass_blocks(1)
        account = self.state.account(sender)
        execution = BlockExecution(self.context(), self.state)
        receipt = execution.apply(transaction(sender, account.nonce if account else 0, to, data))
        if not receipt.status:
            request = CallRequest(sender=sender, to=to, data=data, gas=GAS)
            result = call(self.context(), self.state, request, None)
            assert result.error == "revert", result.error
            raise decode_revert(result.output)
        self.state.lay(execution.finish())
        events = [decode_log(log.address, log.topics, log.data) for log in receipt.logs]
        assert None not in [event for event, log in zip(events, receipt.logs, strict=True) if log.address in CONTRACTS]
        return Sent(execution.gas_used, tuple(event for event in events if event is not None))

    def ask(self, to: bytes, view: View[T], sender: bytes = bytes(20)) -> T:
        """Call a view in the present block; a revert is raised as ContractRefusal."""
        return view.decode(self.ask_bytes(to, view.data, sender)[0])

    def ask_bytes(self, to: bytes, data: bytes, sender: bytes = bytes(20)) -> tuple[bytes, int]:
        """Give the answer to a call, and the gas it took beyond a transaction's own."""
        result = call(self.context(), self.state, CallRequest(sender=sender, to=to, data=data, gas=GAS), None)
        if result.error is not None:
            assert result.error == "revert", result.error
            raise decode_revert(result.output)
        zeros = data.count(0)
        return result.output, result.gas_used - 21_000 - 4 * zeros - 16 * (len(data) - zeros)

    # One short line for each contract, so that tests read as what happens.

    def consortium(self, sender: bytes, data: bytes) -> Sent:
        return self.send(sender, consortium.ADDRESS, data)

    def participants(self, sender: bytes, data: bytes) -> Sent:
        return self.send(sender, participants.ADDRESS, data)

    def certificates(self, sender: bytes, data: bytes) -> Sent:
        return self.send(sender, certificates.ADDRESS, data)

    def access(self, sender: bytes, data: bytes) -> Sent:
        return self.send(sender, access.ADDRESS, data)

    def ask_directory(self, view: View[T]) -> T:
        return self.ask(directory.ADDRESS, view)

    def ask_consortium(self, view: View[T]) -> T:
        return self.ask(consortium.ADDRESS, view)

    def ask_participants(self, view: View[T]) -> T:
        return self.ask(participants.ADDRESS, view)

    def ask_certificates(self, view: View[T]) -> T:
        return self.ask(certificates.ADDRESS, view)

    def ask_access(self, view: View[T]) -> T:
        return self.ask(access.ADDRESS, view)


def transaction(sender: bytes, nonce: int, to: bytes | None, data: bytes) -> Transaction:
    """Give an unsigned transaction of a sender: signatures are not the contracts' matter."""
    return Transaction(
        type=2,
        chain_id=1,
        nonce=nonce,
        gas_price=None,
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas_limit=GAS,
        to=to,
        value=0,
        data=data,
        access_list=(),
        y_parity=0,
        r=1,
        s=1,
        raw=b"",
        hash=bytes(32),
        sender=sender,
    )


@cache
def public_key(label: str) -> bytes:
    """Give the 64-byte public key of a private key made from a label."""
    return PrivateKey(keccak_256(label.encode()).digest()).public_key.format(compressed=False)[1:]


def address(label: str) -> bytes:
    """Give the address of that key."""
    return bytes(keccak_256(public_key(label)).digest()[12:])


def keys_of(label: str, *, node_count: int = 2, **changes: object) -> Keys:
    """Give a keys record whose keys all come from a label."""
    name = label.lower().replace(" ", "-")
    record: dict[str, object] = {
        "admin": address(f"{label} admin"),
        "validator": address(f"{label} validator"),
        "seal_certificate": bytes(keccak_256(f"{label} seal".encode()).digest()),
        "encryption_suite": 1,
        "encryption_key": keccak_256(f"{label} encryption".encode()).digest() * 38,
        "nodes": tuple(Node(public_key(f"{label} node {i}"), f"{i}.{name}.example:30303") for i in range(node_count)),
    }
    return Keys(**(record | changes))  # type: ignore[arg-type]


COUNTRIES = ("NL", "KE", "SG", "BR")
ADMINS = tuple(address(f"{country} admin") for country in COUNTRIES)
NL, KE, SG, BR = ADMINS


def founding(countries: Iterable[str] = COUNTRIES, **changes: object) -> Founding:
    """Give founding parameters with one founder for each country."""
    founders = tuple(Founder(country, keys_of(country)) for country in countries)
    values: dict[str, object] = {
        "founded_at": FOUNDED_AT,
        "founders": founders,
        "spacing_blocks": SPACING_BLOCKS,
        "proposal_period_s": PERIOD_S,
    }
    return Founding(**(values | changes))  # type: ignore[arg-type]


def found(parameters: Founding, fork: Fork = Fork.CANCUN) -> ContractLedger:
    """Run the constructors and give the ledger at block 0."""
    ledger = ContractLedger(DictionaryState(), fork)
    for contract, initcode in founding_initcodes(parameters):
        ledger.state.lay(run_constructor(ledger.context(), ledger.state, contract, initcode))
    return ledger


@cache
def _founded() -> ContractLedger:
    return found(founding())


def founded() -> ContractLedger:
    """Give a fresh ledger founded by NL, KE, SG and BR, authorities 1 to 4, past the first spacing of set changes."""
    ledger = _founded().copy()
    ledger.pass_blocks(SPACING_BLOCKS)
    return ledger


def decide(ledger: ContractLedger, voters: Iterable[bytes], data: bytes) -> Sent:
    """Let the first voter propose and the others approve; give what the last one's transaction did."""
    first, *others = voters
    sent = ledger.consortium(first, data)
    number = ledger.ask_consortium(consortium.proposal_count())
    for voter in others:
        sent = ledger.consortium(voter, consortium.vote(proposal=number, approve=True))
    return sent


def last_event(sent: Sent, kind: Callable[..., T]) -> T:
    """Give the last event of a kind in what a transaction did."""
    return [event for event in sent.events if isinstance(event, kind)][-1]  # type: ignore[arg-type]
