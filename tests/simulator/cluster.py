"""A cluster of machines in virtual time. One generator, one queue: the seed decides everything.

A transmission goes to every live machine of an address (twins share one). Sessions come up a moment after both ends
are up, and go down when one of them dies.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from random import Random

from simulator.adversaries import KINDS
from simulator.chains import Chain, StubChain, ValidatorsAt
from simulator.checkers import BoundsChecker, ConductChecker, History, SafetyChecker, SignatureChecker, Violation
from simulator.keys import KEYS, addresses
from simulator.links import Links
from simulator.machines import Machine, Times
from simulator.players import Player
from simulator.words import decode

from cocket.node.chain.block import Block
from cocket.node.chain.header import block_hash
from cocket.node.consensus.messages import Code, Message, Shape
from cocket.node.errors import PeerError

DROPPED_MS = 5_000
CODES = frozenset(Code)


class Cluster:
    """Machines m0, m1, ... each with its own chain, disk and clock.

    ``deaf`` holds pairs of a machine and a kind (COMMIT, PREPARE, ..., block) that does not reach it; ``adversaries``
    says which machine is of which kind (``adversaries.KINDS``); twins are two machines under one key.
    """

    def __init__(
        self,
        seed: int,
        count: int = 4,
        *,
        times: Times | None = None,
        twins: Sequence[int] = (),
        adversaries: Mapping[int, str] | None = None,
        validators_at: ValidatorsAt | None = None,
        chain_for: Callable[[int], Chain] | None = None,
        shape: Shape = Shape.CURRENT,
        skew_ms: int = 0,
    ) -> None:
        self.random = Random(seed)
        self.times = times or Times()
        self.shape = shape
        self.now_ms = 0
        self.steps = 0
        self.addresses = addresses(count)
        self.validators_at = validators_at or (lambda height: self.addresses)
        self.links = Links(self.random)
        self.history = History()
        self.safety = SafetyChecker(self.validators_at)
        self.signatures = SignatureChecker()
        self.conduct = ConductChecker()
        self.bounds = BoundsChecker()
        self.evidence = 0
        self._queue: list[tuple[int, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = 0
        self._sessions: dict[tuple[str, bytes], None] = {}
        self.deaf: dict[tuple[str, str], None] = {}
        kinds = dict(adversaries or {})
        self.twin_addresses = tuple([self.addresses[index] for index in twins])
        self._dishonest = (*self.twin_addresses, *[self.addresses[index] for index in kinds])
        self.machines: list[Machine] = []
        for index in (*range(count), *twins):
            name = f"m{index}" if index >= len(self.machines) else f"m{index}'"
            chain = chain_for(index) if chain_for else StubChain(self.validators_at, self.times.block_period_s)
            skew = self.random.randint(-skew_ms, skew_ms)
            if index in kinds:
                self.machines.append(KINDS[kinds[index]](self, name, Player(index), chain, self.random, skew))
            else:
                self.machines.append(Machine(self, name, KEYS[index], chain, self.random, skew))

    # --- time ----------------------------------------------------------------------------------------------------

    def later(self, after_ms: int, action: Callable[..., None], *arguments: object) -> None:
        self._order += 1
        heappush(self._queue, (self.now_ms + after_ms, self._order, action, arguments))

    def run(self, until: Callable[[], bool], limit_ms: int) -> bool:
        """Run until a condition holds; False when it does not within ``limit_ms`` of virtual time."""
        end_ms = self.now_ms + limit_ms
        while not until():
            if not self._queue or self._queue[0][0] > end_ms:
                self.now_ms = max(self.now_ms, end_ms)
                return False
            self.now_ms, _, action, arguments = heappop(self._queue)
            self.steps += 1
            action(*arguments)
        return True

    def run_for(self, duration_ms: int) -> None:
        self.run(lambda: False, duration_ms)

    # --- power and sessions --------------------------------------------------------------------------------------

    def start_all(self) -> None:
        for machine in self.machines:
            self.start(machine)

    def start(self, machine: Machine) -> None:
        if machine.is_up:
            return
        self.history.note(self.now_ms, "up", machine.name)
        machine.start()
        for other in self.machines:
            if other is not machine and other.address != machine.address:
                self.later(self.random.randint(1, 30), self._connect, machine, machine.life, other, other.life)

    def _connect(self, one: Machine, one_life: int, other: Machine, other_life: int) -> None:
        if one.is_up and other.is_up and (one.life, other.life) == (one_life, other_life):
            self._open(one, other)
            self._open(other, one)

    def _open(self, machine: Machine, peer: Machine) -> None:
        if machine.is_up and (machine.name, peer.address) not in self._sessions:
            self._sessions[machine.name, peer.address] = None
            machine.connected(peer.address)

    def on_down(self, machine: Machine) -> None:
        self.history.note(self.now_ms, "down", machine.name)
        for other in self.machines:
            self._sessions.pop((machine.name, other.address), None)
            if other.is_up and not self._is_reachable(machine.address) and other is not machine:
                self.later(self.random.randint(1, 50), self._disconnect, other, other.life, machine.address)

    def _disconnect(self, machine: Machine, life: int, address: bytes) -> None:
        if machine.is_up and machine.life == life:
            self._sessions.pop((machine.name, address), None)
            machine.disconnected(address)
            if self._is_reachable(address):  # it came back before its going was noticed
                self._sessions[machine.name, address] = None
                machine.connected(address)

    def _is_reachable(self, address: bytes) -> bool:
        return any(machine.is_up for machine in self.machines if machine.address == address)

    def cut(self, group: Sequence[int]) -> None:
        """Lose everything between a group of machines and the others; the sessions break."""
        inside = [self.machines[index] for index in group]
        for machine in inside:
            for other in self.machines:
                if other not in inside:
                    self.links.block(machine.name, other.name)
                    self.links.block(other.name, machine.name)
                    self._break(machine, other)

    def heal(self) -> None:
        """End the cuts; the sessions come up again."""
        self.links.clear()
        for machine in self.machines:
            for other in self.machines:
                if machine.name < other.name and machine.address != other.address:
                    self.later(self.random.randint(1, 30), self._connect, machine, machine.life, other, other.life)

    def _break(self, one: Machine, other: Machine) -> None:
        for machine, peer in ((one, other), (other, one)):
            if machine.is_up and self._sessions.pop((machine.name, peer.address), False) is None:
                machine.disconnected(peer.address)

    # --- links ---------------------------------------------------------------------------------------------------

    def transmit(self, source: Machine, address: bytes, kind: str, number: int, payload: bytes) -> None:
        label = Code(number).name if kind == "istanbul" and number in CODES else kind
        for target in self.machines:
            if (
                target.address == address
                and target is not source
                and target.is_up
                and (target.name, label) not in self.deaf
            ):
                for at_ms in self.links.arrivals(self.now_ms, source.name, target.name):
                    self.later(
                        at_ms - self.now_ms, self._deliver, target, target.life, source.address, kind, number, payload
                    )

    def _deliver(self, target: Machine, life: int, source: bytes, kind: str, number: int, payload: bytes) -> None:
        if not target.is_up or target.life != life or (target.name, source) not in self._sessions:
            return
        self.history.note(self.now_ms, target.name, source, kind, number, payload)
        is_judged = kind == "istanbul" and self.is_honest(target.address)
        if is_judged:
            self._note_given(target, number, payload)
        target.receive(source, kind, number, payload)
        if is_judged and target.is_up:
            self.bounds.on_state(target.name, target.validator.state)

    def drop(self, machine: Machine, address: bytes) -> None:
        """End a machine's session with a peer that broke the protocol, for a while."""
        for other in self.machines:
            if other.address == address:
                self._break(machine, other)
                self.later(DROPPED_MS, self._connect, machine, machine.life, other, other.life)

    # --- checkers ------------------------------------------------------------------------------------------------

    def is_honest(self, address: bytes) -> bool:
        return address not in self._dishonest

    def distrust(self, address: bytes) -> None:
        """From now on take this one for an adversary: what is said in its name need not be what its machine signed."""
        self._dishonest = (*self._dishonest, address)

    def _note_given(self, target: Machine, code: int, payload: bytes) -> None:
        try:
            message = decode(code, payload)
        except PeerError:
            return
        # Without a past there is nothing to hold against a stranger: whoever is not in the cluster is nobody's victim.
        is_known = message.author in self.addresses and self.is_honest(message.author)
        self.conduct.on_given(target.name, message, target.chain.head, is_author_honest=is_known)

    def on_sent(self, machine: Machine, code: int, payload: bytes) -> None:
        if self.is_honest(machine.address):
            self.signatures.on_sent(machine.name, machine.address, code, payload)
            head = machine.chain.head
            validators = machine.chain.validators_after(head)
            self.conduct.on_sent(machine.name, machine.address, decode(code, payload), head, validators)

    def on_durable(self, machine: Machine, message: Message) -> None:
        if self.is_honest(machine.address) and not self.conduct.has_signed(message):
            head = machine.chain.head
            self.signatures.on_durable(machine.name, message)
            self.conduct.on_signed(machine.name, message, head, machine.chain.validators_after(head))

    def on_stored(self, machine: Machine, block: Block) -> None:
        self.history.note(self.now_ms, machine.name, block.header.number, block_hash(block.header))
        self.safety.on_stored(machine.name, block)

    def on_equivocation(self, machine: Machine, first: Message, second: Message) -> None:
        self.evidence += 1
        if self.is_honest(first.author):
            raise Violation(f"{machine.name}: accuses the honest {first.author.hex()} of {second.code.name}")

    @property
    def lowest(self) -> int:
        return min(machine.chain.head.number for machine in self.machines)
