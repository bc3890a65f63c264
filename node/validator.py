"""The validator: the consensus core's events made from what happens, its effects performed in order. No I/O of its own.

It is the only one to know that what we sign is on the disk before it is sent, which peers get what, and how a
validator begins again from its journal. It has no clock, no socket and no thread: the service and the simulator hand
it the same ports. One thread drives it. How to:

1. Make a ``Validator`` with its ports, then call ``start(head, validators)`` once, when the ledger is open.
2. Call ``on_peer_connected(address)`` when a session with istanbul/100 is up (the address is of the peer's node key),
   ``on_peer_disconnected(address)`` when it is gone; ``on_message(address, code, payload)`` for each istanbul message,
   code 0x12 to 0x15 without the session's offset. PeerError from it: drop that peer. NodeFault from any call: stop the
   node; the validator refuses to go on.
3. Timers: keep one of each kind, a new one replacing it; when it fires, ``on_timer(timer, height, round)``.
4. ``Executor.build`` and ``validate`` start work elsewhere and return at once (or answer within); answer each exactly
   once with ``on_built`` or ``on_validated``, also after ``abort``. Build with timestamp max(not_before_s, now).
   A block already executed is committed, not executed again: keep the executed block by its block hash.
5. ``Chain.commit(block)`` stores the sealed block, executing it first when nobody did (after a restart), and announces
   it by eth NewBlock. When it is the head (within the call or later), call ``on_new_head(header, validators)``.
   Call that for each imported block too, whoever brought it. ``validators`` are those of the next height, ascending.
   Before an imported block is made durable, call ``sync_journal()``. That may be later than the import only if the next
   block is known to be final too; ``Chain.sync`` makes it so.
6. ``Observer.peer_behind(address, height)``: announce our head to that peer. ``peer_ahead(address, height)``: that peer
   can serve blocks up to there.

Calls from within a port (an executor that answers at once) are queued and handled in order.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from cocket.node.chain.block import Block
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, round_of
from cocket.node.consensus import qbft
from cocket.node.consensus.drafts import PreparedCertificate, sign_draft
from cocket.node.consensus.effects import (
    AbortExecution,
    BuildBlock,
    CommitBlock,
    Effect,
    Equivocation,
    Gossip,
    PeerAhead,
    PeerBehind,
    Rejected,
    Send,
    Sign,
    StartBlockTimer,
    StartTimer,
    Timer,
    ValidateBlock,
)
from cocket.node.consensus.events import (
    BlockBuilt,
    BlockTimeout,
    BlockValidated,
    EarlyTimeout,
    Event,
    MessageReceived,
    NewHead,
    PeerConnected,
    PeerDisconnected,
    ResendTimeout,
    RoundTimeout,
)
from cocket.node.consensus.messages import Message, RoundChange, Shape
from cocket.node.consensus.records import encode_certificate_record, encode_message_record, restore
from cocket.node.consensus.state import Configuration, Restored, State, Times, Watch
from cocket.node.consensus.wire import decode_message
from cocket.node.errors import NodeFault
from cocket.node.observations import Observations
from cocket.node.signer import Signer
from cocket.node.validator_ports import Chain, Clock, Executor, Journal, Observer, Status, Timers, Transport

SEEN_MAX: Final = 2048
"""Messages remembered as passed on: several heights' worth for tens of validators (Besu: 1000)."""
JOURNAL_BYTES_MAX: Final = 128 * 1024 * 1024
"""One height may fill the journal so far before it is written anew with what still counts."""
WATCH_SLACK_S: Final = 5
"""A block proposed before our start has a timestamp of at most the start and the clocks' tolerance."""


class Validator:
    """One validator of one chain. See the module for how to drive it."""

    decode: Callable[[int, bytes], Message] = staticmethod(decode_message)
    """How a message's bytes are read; where many validators share a process, they may share this work."""

    def __init__(
        self,
        *,
        times: Times,
        signer: Signer,
        journal: Journal,
        clock: Clock,
        timers: Timers,
        transport: Transport,
        executor: Executor,
        chain: Chain,
        observer: Observer,
        later_times: tuple[tuple[int, Times], ...] = (),
        shape: Shape = Shape.CURRENT,
        is_journal_trusted: bool = False,
        observations: Observations | None = None,
    ) -> None:
        """Keep the ports. ``later_times`` are heights with the times from there on, ascending.

        ``is_journal_trusted`` is the operator's word that nothing was signed besides the journal. It is for a network
        in which more than f validators lost theirs at once: they would all watch for ever.
        ``observations`` are told what is heard, for a diagnosis; nothing depends on them.
        """
        self._configuration = Configuration(signer.address, times, later_times)
        self._signer = signer
        self._journal = journal
        self._clock = clock
        self._timers = timers
        self._transport = transport
        self._executor = executor
        self._chain = chain
        self._observer = observer
        self._shape = shape
        self._is_journal_trusted = is_journal_trusted
        self._observations = observations
        self._state: State | None = None
        self._events: deque[Event] = deque()
        self._own: list[Message] = []
        self._seen: dict[bytes, None] = {}
        self._votes: dict[tuple[int, int, int], None] = {}
        self.duplicate_count = 0
        self._is_running = False
        self._fault: str | None = None

    @property
    def state(self) -> State:
        """The core's state, to look at."""
        if self._state is None:
            raise NodeFault("validator: used before start()")
        return self._state

    # --- what happens --------------------------------------------------------------------------------------------

    def start(self, head: Header, validators: tuple[bytes, ...]) -> None:
        """Begin, or begin again, at the height after ``head``; ``validators`` are that height's, ascending."""
        if self._state is not None:
            raise NodeFault("validator: started twice")
        height = head.number + 1
        restored: Restored | None = None
        watch: Watch | None = None
        journal_height = self._journal.height or 0
        if journal_height > height:
            # The chain was restored from a copy older than the journal: what was signed is known, up to there.
            watch = Watch(journal_height, 0)
        elif self._journal.must_watch(head.number) and not self._is_journal_trusted:
            watch = Watch(height, self._clock.now_ms() // 1000 + WATCH_SLACK_S)
        else:
            if journal_height == height:
                restored = restore(self._journal.records(), height, self._signer.address, self._shape)
                for message in restored.own:
                    self._votes[message.height, message.round, message.code] = None
            self._journal.start_height(height, sync=True)
        self._state, effects = qbft.start(self._configuration, head, validators, restored, watch)
        self._run(effects)

    def on_message(self, peer: bytes, code: int, payload: bytes) -> None:
        """Take an istanbul message from the peer of this address; PeerError when it is malformed.

        Only validators have a say, also in passing on: what others send is not even decoded.
        """
        if not self.state.is_validator(peer):
            return
        message = None if keccak256(payload) in self._seen else self.decode(code, payload)
        if self._observations is not None:
            self._observations.heard(peer, message)
        if message is None:
            self.duplicate_count += 1
            return
        self._feed(MessageReceived(message, peer, self._clock.now_ms()))

    def on_timer(self, timer: Timer, height: int, round_number: int) -> None:
        """Say that a timer fired, with the height and round it was started for."""
        match timer:
            case Timer.BLOCK:
                self._feed(BlockTimeout(height))
            case Timer.ROUND:
                self._feed(RoundTimeout(height, round_number))
            case Timer.RESEND:
                self._feed(ResendTimeout(height))
            case Timer.EARLY:
                self._feed(EarlyTimeout(height, round_number))

    def on_built(self, height: int, round_number: int, block: Block | None) -> None:
        """Answer ``Executor.build``: the unsealed block, or None when there is none (aborted, failed)."""
        if block is not None and (block.header.number, round_of(block.header)) != (height, round_number):
            raise NodeFault(f"builder: found block {block.header.number}, expected {height} of round {round_number}")
        self._feed(BlockBuilt(height, round_number, block))

    def on_validated(
        self, height: int, round_number: int, digest: bytes, is_valid: bool | None, reason: str = ""
    ) -> None:
        """Answer ``Executor.validate``: valid or not and why; None when it was broken off."""
        self._feed(BlockValidated(height, round_number, digest, is_valid, reason))

    def on_new_head(self, header: Header, validators: tuple[bytes, ...]) -> None:
        """Say that this sealed header is the head now, and who validates the next height (ascending)."""
        self._feed(NewHead(header, validators, self._clock.now_ms()))

    def sync_journal(self) -> None:
        """Make the journal's height durable: before blocks of it are, lest it look lost beside them."""
        self._journal.sync()

    def on_peer_connected(self, address: bytes) -> None:
        """Say that the peer of this address can be sent to."""
        self._feed(PeerConnected(address))

    def on_peer_disconnected(self, address: bytes) -> None:
        """Say that the peer of this address is gone."""
        self._feed(PeerDisconnected(address))

    def status(self) -> Status:
        """Return what this validator is doing."""
        state = self.state
        return Status(
            height=state.height,
            round=state.round,
            is_validator=state.is_validator(state.address),
            is_watching=state.watch is not None,
            is_open=state.is_open,
            is_prepared=state.prepared is not None,
            proposer=state.proposer_of(state.round) if state.validators else None,
            validators=len(state.validators),
            peers=len([peer for peer in state.peers if state.is_validator(peer)]),
        )

    # --- the turn of the crank -----------------------------------------------------------------------------------

    def _feed(self, event: Event) -> None:
        self._events.append(event)
        if not self._is_running:
            self._run(())

    def _run(self, effects: tuple[Effect, ...]) -> None:
        if self._fault is not None:
            raise NodeFault(f"validator: stopped by an earlier fault ({self._fault}): restart the node")
        self._is_running = True
        try:
            self._perform_all(effects)
            while self._events:
                event = self._events.popleft()
                before = self.state
                self._state, effects = qbft.step(before, event)
                if self._state.parent is not before.parent:
                    self._begin_height()
                if self._observations is not None and _turn(self._state) != _turn(before):
                    self._observations.entered()
                self._perform_all(effects)
        except BaseException as error:
            # The state has gone ahead of what was performed: going on could break the order that safety rests on.
            self._fault = str(error) or type(error).__name__
            raise
        finally:
            self._is_running = False

    def _perform_all(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            self._perform(effect)
        if self._own:
            now_ms = self._clock.now_ms()
            self._events.extendleft([MessageReceived(message, None, now_ms) for message in reversed(self._own)])
            self._own.clear()

    def _begin_height(self) -> None:
        """Tell the journal, also while we validate nothing: one that lags behind the chain looks lost after a restart.

        It is durable with the first vote, or before the block when there is none.
        """
        self._votes.clear()
        if self.state.watch is None:
            self._journal.start_height(self.state.height)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Sign():
                self._sign(effect)
            case Gossip():
                self._gossip(effect)
            case Send():
                for message in effect.messages:
                    if effect.to is None:
                        self._multicast(message)
                    else:
                        self._transport.send(effect.to, message.code, message.raw)
            case StartTimer():
                self._timers.start_timer(effect.timer, effect.height, effect.round, effect.after_ms)
            case StartBlockTimer():
                self._timers.start_block_timer(effect.height, effect.at_s)
            case BuildBlock():
                self._executor.build(effect.height, effect.round, effect.parent, effect.not_before_s)
            case ValidateBlock():
                self._executor.validate(effect.height, effect.round, effect.digest, effect.block)
            case AbortExecution():
                self._executor.abort()
            case CommitBlock():
                self._chain.commit(effect.block)
            case PeerAhead():
                self._observer.peer_ahead(effect.source, effect.height)
            case PeerBehind():
                self._observer.peer_behind(effect.source, effect.height)
            case Rejected():
                self._observer.rejected(effect)
            case Equivocation():
                self._observer.equivocated(effect.first, effect.second)

    def _sign(self, effect: Sign) -> None:
        """Sign, make durable, send: strictly in this order; the messages come back before any other event.

        The blocks below go to the disk before the vote: a chain that a power cut throws back behind its own votes would
        have to watch until others decide without it.
        """
        messages: list[Message] = []
        for draft in effect.drafts:
            message = sign_draft(draft, self._signer.address, self._signer.sign_digest, self._shape)
            vote = (message.height, message.round, int(message.code))
            if vote in self._votes:
                raise NodeFault(f"validator: asked to sign a second {message.code.name} for {vote[:2]}")
            self._votes[vote] = None
            messages.append(message)
        records = [encode_message_record(message) for message in messages]
        if effect.certificate is not None:
            records.insert(0, encode_certificate_record(messages[0].height, effect.certificate))
        self._chain.sync()
        if self._journal.size_bytes > JOURNAL_BYTES_MAX:
            self._journal.replace(self.state.height, *self._records_that_count(), *records)
        else:
            self._journal.append_all(records)
        for message in messages:
            self._multicast(message)
        self._own += messages

    def _records_that_count(self) -> list[bytes]:
        """Return the records of this height that a restart needs: certificates first, since votes rest on them."""
        state = self.state
        certificates = [] if state.prepared is None else [state.prepared]
        for message in state.own:
            if isinstance(message, RoundChange) and message.block is not None:
                unsigned = message.signed.unsigned
                if unsigned.prepared_round is not None and unsigned.prepared_digest is not None:
                    certificates.append(
                        PreparedCertificate(
                            unsigned.prepared_round, unsigned.prepared_digest, message.block, message.prepares
                        )
                    )
        return [
            *[encode_certificate_record(state.height, certificate) for certificate in certificates],
            *[encode_message_record(message) for message in state.own],
        ]

    def _gossip(self, effect: Gossip) -> None:
        message = effect.message
        name = keccak256(message.raw)
        if name in self._seen:
            return
        if len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[name] = None
        for peer in self._validator_peers():
            if peer not in (message.author, effect.source):
                self._transport.send(peer, message.code, message.raw)

    def _multicast(self, message: Message) -> None:
        for peer in self._validator_peers():
            self._transport.send(peer, message.code, message.raw)

    def _validator_peers(self) -> list[bytes]:
        state = self.state
        return [peer for peer in state.peers if peer != state.address and state.is_validator(peer)]


def _turn(state: State) -> tuple[int, int, bool]:
    return state.height, state.round, state.is_open
