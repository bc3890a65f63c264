"""What must hold whatever happens, checked apart from the scenarios that make it happen."""

from hashlib import sha256

from simulator.chains import ValidatorsAt

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import block_hash, commit_hash
from cocket.node.chain.rlp_codec import decode_list, encode, expect_int
from cocket.node.consensus.messages import Code, Payload, Signed
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.validators import quorum
from cocket.node.consensus.wire import decode_message, decode_signed_round_change


class Violation(AssertionError):
    """A property that must hold does not."""


class SafetyChecker:
    """Sees each block that a machine stores: one block a height, sealed by a quorum of distinct validators."""

    def __init__(self, validators_at: ValidatorsAt) -> None:
        self._validators_at = validators_at
        self._final: dict[int, bytes] = {}
        self._sealed: dict[bytes, None] = {}

    @property
    def heights(self) -> int:
        return max(self._final, default=0)

    def final_at(self, height: int) -> bytes | None:
        return self._final.get(height)

    def on_stored(self, machine: str, block: Block) -> None:
        header = block.header
        name = block_hash(header)
        known = self._final.setdefault(header.number, name)
        if known != name:
            raise Violation(f"{machine}: block {header.number} is {name.hex()}, elsewhere {known.hex()}")
        sealed = name + header.extra_data
        if sealed not in self._sealed:
            self._sealed[sealed] = None
            self._check_seals(machine, block)

    def _check_seals(self, machine: str, block: Block) -> None:
        validators = self._validators_at(block.header.number)
        digest = commit_hash(block.header)
        authors = {recover_seal(digest, seal) for seal in decode_extra_data(block.header.extra_data).seals}
        if not authors <= set(validators) or len(authors) < quorum(len(validators)):
            raise Violation(f"{machine}: block {block.header.number} is sealed by {len(authors)} of {len(validators)}")


class SignatureChecker:
    """Sees what each author makes durable and sends: one message per height, round and kind, also across restarts.

    And no vote for a round that its author has already left by a RoundChange.
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[bytes, int, int, Code], bytes] = {}
        self._known: dict[bytes, None] = {}
        self._left: dict[tuple[bytes, int], int] = {}
        self.round_max = 0

    def on_sent(self, machine: str, address: bytes, code: int, payload: bytes) -> None:
        if payload in self._known:
            return
        message = decode_message(code, payload)
        if message.author != address:
            return
        self._known[payload] = None
        vote = (address, message.height, message.round, message.code)
        if self._sent.setdefault(vote, payload) != payload:
            raise Violation(f"{machine}: sent two {message.code.name} at {message.height}.{message.round}")

    def on_durable(self, machine: str, address: bytes, record: bytes) -> None:
        kind, body = decode_list(record)[:2]
        if kind == b"":
            return
        code = Code(expect_int(kind, "kind"))
        signed: Signed[Payload] = (
            decode_signed_round_change(body) if code is Code.ROUND_CHANGE else decode_message(code, encode(body)).signed
        )
        height, round_number = signed.unsigned.height, signed.unsigned.round
        left_for = self._left.get((address, height), 0)
        if round_number < left_for:
            raise Violation(f"{machine}: {code.name} at {height}.{round_number} after leaving for round {left_for}")
        if code is Code.ROUND_CHANGE:
            self._left[address, height] = round_number
        self.round_max = max(self.round_max, round_number)


class History:
    """A running hash of everything that happens, in order: equal for equal runs."""

    def __init__(self) -> None:
        self._hash = sha256()
        self.count = 0

    def note(self, *parts: object) -> None:
        self.count += 1
        self._hash.update(repr(parts).encode())

    def hex(self) -> str:
        return self._hash.hexdigest()
