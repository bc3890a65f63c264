"""The ledger as a vault or custodian asks it: its own node, over JSON-RPC, at blocks that it names.

Connections are kept open and used again, one request at a time each. What the node answers is taken apart strictly; a
node that does not answer, or not as a node does, is Unavailable: then nothing is released.
"""

import http.client
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from cocket.contracts.abi import View
from cocket.contracts.errors import ContractError, decode_revert
from cocket.node.errors import Refused, Unavailable

ANSWER_BYTES_MAX = 1 << 20
"""Blocks are asked for without their transactions, and views answer in a few words."""
TIMEOUT_S = 10.0
URL_CHARACTERS_MAX = 256

T = TypeVar("T")
S = TypeVar("S")
Calls = Sequence[tuple[str, list[object]]]


@dataclass(frozen=True, slots=True)
class Head:
    """A block by which something is decided."""

    number: int
    hash: bytes
    time_s: int


class _Block(msgspec.Struct):
    number: str
    hash: str
    timestamp: str


class _Error(msgspec.Struct):
    message: str
    data: object = None


class _Answer(msgspec.Struct):
    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class Ledger:
    """One node, asked by several threads."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Take an ``http://host:port`` address; Refused when it is none. Nothing is asked yet."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None or len(url) > URL_CHARACTERS_MAX:
            raise Refused(f"node {url!r}: expected the JSON-RPC address of a node, like http://127.0.0.1:8545")
        self.url = url
        self._address = (parts.hostname, parts.port or 80)
        self._timeout_s = timeout_s
        self._idle: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close the connections that nobody uses; others are opened when something is asked again."""
        while self._idle:
            self._idle.pop().close()

    def chain(self) -> tuple[int, bytes]:
        """Return the chain id and the genesis hash."""
        chain_id, genesis = self._ask([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])])
        return _quantity(self._convert(chain_id, str)), self._block(genesis).hash

    def head(self) -> Head:
        """Return the last final block."""
        (found,) = self._ask([("eth_getBlockByNumber", ["latest", False])])
        return self._block(found)

    def head_beside(self, block_hash: bytes) -> tuple[Head, Head | None]:
        """Return the last final block, and the block of a hash when the node's chain has it."""
        head, other = self._ask(
            [("eth_getBlockByNumber", ["latest", False]), ("eth_getBlockByHash", [_hex(block_hash), False])]
        )
        return self._block(head), None if bytes(other) == b"null" else self._block(other)

    def view(self, address: bytes, view: View[T], number: int) -> T:
        """Return what a contract's view says at a block."""
        (found,) = self._ask([_call(address, view.data, number)])
        return self._decoded(view, found)

    def two_views(self, first: tuple[bytes, View[T]], second: tuple[bytes, View[S]], number: int) -> tuple[T, S]:
        """Return what two contracts' views say at one block, asked together."""
        calls = [_call(address, view.data, number) for address, view in (first, second)]
        one, other = self._ask(calls)
        return self._decoded(first[1], one), self._decoded(second[1], other)

    def views(self, address: bytes, asked: Sequence[View[T]], number: int) -> list[T]:
        """Return what several views of one contract say at one block, asked together."""
        if not asked:
            return []
        found = self._ask([_call(address, view.data, number) for view in asked])
        return [self._decoded(view, each) for view, each in zip(asked, found, strict=True)]

    def nonces(self, account: bytes) -> tuple[int, int]:
        """Return the next nonce of an account: by its final transactions, and with those that wait counted."""
        method = "eth_getTransactionCount"
        final, sent = self._ask([(method, [_hex(account), "latest"]), (method, [_hex(account), "pending"])])
        return _quantity(self._convert(final, str)), _quantity(self._convert(sent, str))

    def estimate_gas(self, sender: bytes, to: bytes, data: bytes) -> int:
        """Return the gas of a transaction; ContractRefusal when the contract says no."""
        request = {"from": _hex(sender), "to": _hex(to), "data": _hex(data)}
        (found,) = self._ask([("eth_estimateGas", [request])])
        return _quantity(self._convert(found, str))

    def send(self, raw: bytes) -> None:
        """Hand in a signed transaction; whether it became final is asked of the state it was to change."""
        self._ask([("eth_sendRawTransaction", [_hex(raw)])])

    def _decoded(self, view: View[T], found: msgspec.Raw) -> T:
        output = _octets(self._convert(found, str))
        if not output:
            raise Unavailable(f"node {self.url}: no contract answers there; is it on another network?")
        try:
            return view.decode(output)
        except ContractError as error:
            raise Unavailable(f"node {self.url}: {error}") from error

    def _block(self, found: msgspec.Raw) -> Head:
        block = self._convert(found, _Block)
        return Head(_quantity(block.number), _octets(block.hash, 32), _quantity(block.timestamp))

    def _convert(self, found: msgspec.Raw, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(found, type=kind)
        except msgspec.DecodeError:
            raise self._no_node() from None

    def _ask(self, calls: Calls) -> list[msgspec.Raw]:
        """Return the results of several requests, which go together; ContractRefusal when a contract refused one."""
        body = msgspec.json.encode(
            [
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                for number, (method, params) in enumerate(calls)
            ]
        )
        data = self._exchange(body)
        try:
            answers = sorted(msgspec.json.decode(data, type=list[_Answer]), key=lambda answer: answer.id)
        except (msgspec.DecodeError, RecursionError):
            raise self._no_node() from None
        if [answer.id for answer in answers] != list(range(len(calls))):
            raise self._no_node()
        for answer in answers:
            if answer.error is not None:
                raise self._refusal(answer.error)
        return [answer.result for answer in answers]

    def _exchange(self, body: bytes) -> bytes:
        """Return the answer to a body; a connection that the node closed meanwhile is opened once more."""
        for is_last in (False, True):
            connection = None if is_last else self._taken()
            if connection is None:
                connection = http.client.HTTPConnection(*self._address, timeout=self._timeout_s)
                is_last = True
            try:
                connection.request("POST", "/", body, {"content-type": "application/json"})
                response = connection.getresponse()
                data = response.read(ANSWER_BYTES_MAX + 1)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_last:
                    raise Unavailable(f"node {self.url}: it does not answer ({type(error).__name__})") from None
                continue
            if response.status != 200 or len(data) > ANSWER_BYTES_MAX:
                connection.close()
                raise self._no_node()
            self._idle.append(connection)
            return data
        raise AssertionError  # the second round answers or raises

    def _taken(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _refusal(self, error: _Error) -> Exception:
        if isinstance(error.data, str) and len(error.data) > 2:
            with suppress(ValueError):
                return decode_revert(bytes.fromhex(error.data.removeprefix("0x")))
        return Unavailable(f"node {self.url}: {error.message[:200]}")

    def _no_node(self) -> Unavailable:
        return Unavailable(f"node {self.url}: what answers there is no node")


def _call(address: bytes, data: bytes, number: int) -> tuple[str, list[object]]:
    return "eth_call", [{"to": _hex(address), "data": _hex(data)}, hex(number)]


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _quantity(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise Unavailable(f"a node that answers {text[:40]!r} where a number is expected") from None


def _octets(text: str, length: int | None = None) -> bytes:
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        found = None
    if found is None or (length is not None and len(found) != length):
        raise Unavailable(f"a node that answers {text[:40]!r} where bytes are expected")
    return found
