"""The door from commands to a node: JSON-RPC through web3.py, typed calls of the contracts on top.

Everything a command asks of the ledger goes through ``NodeClient``; it holds no key longer than one transaction.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import click
from sha3 import keccak_256

from cocket.cli.errors import CommandError, Exit
from cocket.contracts.errors import ContractRefusal, decode_revert
from cocket.node.deferral import defer_curves

if TYPE_CHECKING:
    from web3.types import RPCEndpoint

DEFAULT_URL = "http://127.0.0.1:8545"
REQUEST_TIMEOUT_S = 30
FINAL_TIMEOUT_S = 120  # two round timeouts at their ceiling, twice over
POLL_FIRST_S = 0.01
POLL_S = 0.2
LOG_RANGE_BLOCKS = 5000  # what a node answers in one eth_getLogs

defer_curves()  # web3 and eth_account, which the functions below import, would bring them

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

node_option = click.option(
    "--node",
    "node_url",
    default=DEFAULT_URL,
    show_default=True,
    envvar="COCKET_NODE",
    help="JSON-RPC address of a node (also from COCKET_NODE).",
)


class View(Protocol[T_co]):
    """A contract view: what to send and how to read the answer."""

    @property
    def data(self) -> bytes:
        """Calldata."""

    def decode(self, output: bytes) -> T_co:
        """Read what the contract returned."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log of the ledger."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    transaction_hash: bytes


@dataclass(frozen=True, slots=True)
class Final:
    """A transaction that is in a final block."""

    hash: bytes
    block_number: int
    block_time_s: int
    gas_used: int
    logs: tuple[LogEntry, ...]


class NodeClient:
    """Asks one node, and sends it signed transactions. What is final is remembered."""

    def __init__(self, url: str = DEFAULT_URL) -> None:
        from web3 import HTTPProvider

        self.url = url
        self._times: dict[int, int] = {}
        self._genesis_hash: bytes | None = None
        self._provider = HTTPProvider(url, request_kwargs={"timeout": REQUEST_TIMEOUT_S})

    def ask(self, method: str, *params: object) -> object:
        """Return the result of one JSON-RPC request.

        :raises CommandError: the node cannot be reached or answers with an error.
        :raises ContractRefusal: a contract said no.
        """
        try:
            response = self._provider.make_request(cast("RPCEndpoint", method), list(params))
        except OSError as error:
            reason = "it refuses the connection" if "refused" in str(error) else type(error).__name__
            raise CommandError(f"{self.url}: no node answers there ({reason}); start it, or name another") from None
        except ValueError:
            raise self._no_node() from None
        match response:
            case {"error": Mapping() as refusal}:
                raise _as_refusal(refusal)
            case {"result": result}:
                return result
            case _:
                raise self._no_node()

    def _read(self, convert: Callable[[object], T], method: str, *params: object) -> T:
        """Return the result of one request in the form that the method promises."""
        result = self.ask(method, *params)
        try:
            return convert(result)
        except (TypeError, ValueError, KeyError, AttributeError):
            raise self._no_node() from None

    def _no_node(self) -> CommandError:
        return CommandError(f"{self.url}: what answers there is no node; name the JSON-RPC address of one")

    def chain_id(self) -> int:
        """Return the EIP-155 chain id."""
        return self._read(_quantity, "eth_chainId")

    def block_number(self) -> int:
        """Return the height of the head."""
        return self._read(_quantity, "eth_blockNumber")

    def syncing_to(self) -> int | None:
        """Return the height that the node is catching up to, None when it is level."""

        def highest(found: object) -> int | None:
            return None if found is False else _quantity(cast("Mapping[str, object]", found)["highestBlock"])

        return self._read(highest, "eth_syncing")

    def block(self, number: int | str) -> dict[str, object]:
        """Return a block's fields as JSON-RPC names them.

        :raises CommandError: no such block.
        """
        where = number if isinstance(number, str) else hex(number)
        found = self._read(_block, "eth_getBlockByNumber", where, False)
        if found is None:
            raise CommandError(f"block {number}: the node does not have it", Exit.NOT_FOUND)
        return found

    def block_time_s(self, number: int) -> int:
        """Return a block's time, seconds since 1970."""
        if number not in self._times:
            self._times[number] = _quantity(self.block(number)["timestamp"])
        return self._times[number]

    def genesis_hash(self) -> bytes:
        """Return the hash of block 0."""
        if self._genesis_hash is None:
            self._genesis_hash = _raw(self.block(0)["hash"])
        return self._genesis_hash

    def view(self, address: bytes, view: View[T], block: int | str = "latest") -> T:
        """Return what a contract's view says at a block."""
        request = {"to": _hex(address), "data": _hex(view.data)}
        output = self._read(_raw, "eth_call", request, block if isinstance(block, str) else hex(block))
        if not output:
            raise CommandError(f"{self.url}: no contract answers at {_hex(address)}; is this node on another network?")
        return view.decode(output)

    def nonce(self, address: bytes) -> int:
        """Return the next nonce of an account, pending transactions counted."""
        return self._read(_quantity, "eth_getTransactionCount", _hex(address), "pending")

    def final_nonce(self, address: bytes) -> int:
        """Return the next nonce of an account, final transactions alone counted."""
        return self._read(_quantity, "eth_getTransactionCount", _hex(address), "latest")

    def estimate_gas(self, sender: bytes, to: bytes, data: bytes) -> int:
        """Return the gas a call needs; a contract's refusal shows here, before anything is sent."""
        request = {"from": _hex(sender), "to": _hex(to), "data": _hex(data)}
        return self._read(_quantity, "eth_estimateGas", request)

    def sign(self, key: bytes, to: bytes, data: bytes, *, nonce: int, gas: int) -> bytes:
        """Return an encoded transaction signed with a private key; gas is free, so its price is 0."""
        from eth_account import Account
        from web3 import Web3

        fields = {
            "type": 2,
            "chainId": self.chain_id(),
            "nonce": nonce,
            "to": Web3.to_checksum_address(_hex(to)),
            "value": 0,
            "data": _hex(data),
            "gas": gas,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
        }
        return bytes(Account.sign_transaction(fields, key).raw_transaction)

    def prepare(self, key: bytes, to: bytes, data: bytes) -> bytes:
        """Return a signed transaction with the account's next nonce and enough gas, not sent yet.

        :raises ContractRefusal: the contract would say no.
        """
        sender = address_of(key)
        gas = self.estimate_gas(sender, to, data) * 5 // 4
        return self.sign(key, to, data, nonce=self.nonce(sender), gas=gas)

    def send(self, key: bytes, to: bytes, data: bytes) -> Final:
        """Sign, send and wait until final.

        :raises ContractRefusal: the contract said no.
        :raises CommandError: not final in time.
        """
        return self.send_until_final(self.prepare(key, to, data))

    def send_until_final(self, raw: bytes) -> Final:
        """Send a signed transaction, unless the node has it already, and wait until it is final."""
        transaction_hash = self.hash_of(raw)
        if self._standing(transaction_hash)[0] in ("unknown", "dropped"):
            self.send_raw(raw)
        return self.wait(transaction_hash)

    @staticmethod
    def hash_of(raw: bytes) -> bytes:
        """Return the hash of an encoded transaction."""
        return bytes(keccak_256(raw).digest())

    def send_raw(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the node and return its hash."""
        return self._read(_raw, "eth_sendRawTransaction", _hex(raw))

    def _standing(self, transaction_hash: bytes) -> tuple[str, object]:
        """Return where a transaction stands with the node, and why it was dropped if so."""

        def standing(found: object) -> tuple[str, object]:
            status = cast("Mapping[str, object]", found)
            return str(status["status"]), status.get("reason")

        return self._read(standing, "cocket_transactionStatus", _hex(transaction_hash))

    def find_final(self, transaction_hash: bytes) -> Final | None:
        """Return a transaction if it is in a block.

        :raises ContractRefusal: it is, and failed there.
        """
        receipt = self._read(_receipt, "eth_getTransactionReceipt", _hex(transaction_hash))
        if receipt is None:
            return None
        if not receipt.is_success:
            raise ContractRefusal(
                "ledger", f"transaction {_hex(transaction_hash)} failed in block {receipt.block_number}"
            )
        time_s = self.block_time_s(receipt.block_number)
        return Final(transaction_hash, receipt.block_number, time_s, receipt.gas_used, receipt.logs)

    def wait(self, transaction_hash: bytes, timeout_s: float = FINAL_TIMEOUT_S) -> Final:
        """Wait until a transaction is final.

        :raises CommandError: the time is over, or the pool dropped it; says why where the node knows.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = POLL_FIRST_S
        while True:
            final = self.find_final(transaction_hash)
            if final is not None:
                return final
            word, reason = self._standing(transaction_hash)
            if word == "dropped":
                raise CommandError(f"transaction {_hex(transaction_hash)} was dropped: {reason}", Exit.REFUSED)
            if time.monotonic() > deadline:
                raise CommandError(
                    f"transaction {_hex(transaction_hash)} is not final after {timeout_s:.0f} s; `cocket status` says "
                    "whether the network makes blocks"
                )
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, POLL_S)

    def logs(self, address: bytes, topics: Sequence[bytes | None], first: int, last: int) -> Iterator[LogEntry]:
        """Yield the logs of a contract in a range of blocks that match the topics (None: any), oldest first."""
        for start in range(first, last + 1, LOG_RANGE_BLOCKS):
            request = {
                "address": _hex(address),
                "topics": [None if topic is None else _hex(topic) for topic in topics],
                "fromBlock": hex(start),
                "toBlock": hex(min(last, start + LOG_RANGE_BLOCKS - 1)),
            }
            yield from self._read(_logs, "eth_getLogs", request)

    def status(self) -> dict[str, object]:
        """Return what the node says of itself."""
        return self._read(lambda found: dict(cast("Mapping[str, object]", found)), "cocket_status")


def address_of(key: bytes) -> bytes:
    """Return the address of a private key."""
    from eth_account import Account

    return bytes.fromhex(Account.from_key(key).address[2:])


def _log(entry: dict[str, object]) -> LogEntry:
    return LogEntry(
        address=_raw(entry["address"]),
        topics=tuple(_raw(topic) for topic in cast("Sequence[object]", entry["topics"])),
        data=_raw(entry["data"]),
        block_number=_quantity(entry["blockNumber"]),
        transaction_hash=_raw(entry["transactionHash"]),
    )


@dataclass(frozen=True, slots=True)
class _Receipt:
    block_number: int
    is_success: bool
    gas_used: int
    logs: tuple[LogEntry, ...]


def _receipt(found: object) -> _Receipt | None:
    if found is None:
        return None
    receipt = cast("Mapping[str, object]", found)
    return _Receipt(
        _quantity(receipt["blockNumber"]),
        _quantity(receipt["status"]) == 1,
        _quantity(receipt["gasUsed"]),
        _logs(receipt["logs"]),
    )


def _block(found: object) -> dict[str, object] | None:
    if found is None:
        return None
    block = dict(cast("Mapping[str, object]", found))
    _quantity(block["timestamp"])
    _raw(block["hash"])
    return block


def _logs(found: object) -> tuple[LogEntry, ...]:
    return tuple(_log(entry) for entry in cast("Sequence[dict[str, object]]", found))


def _as_refusal(error: "Mapping[str, object]") -> Exception:
    """Return what a JSON-RPC error means: a contract's refusal when it carries revert data."""
    data = error.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) > 2:
        with suppress(ValueError):
            return decode_revert(_raw(data))
    return CommandError(str(error.get("message")), Exit.REFUSED)


def _quantity(value: object) -> int:
    return int(cast(str, value), 16)


def _raw(value: object) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    return bytes.fromhex(cast(str, value)[2:])


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
