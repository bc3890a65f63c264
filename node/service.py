"""The shell: one node. It owns clock, store, peers and keys; feeds the cores what happens and performs what they ask.

The only module that logs. Everything runs on one event loop beside the block worker and RPC's own threads. A NodeFault,
wherever it appears, stops the node: going on after a failed disk or a broken invariant could sign something false.
"""

import asyncio
import signal
import time
import traceback
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cocket.network.allowance import Allowance
from cocket.network.enode import Enode, parse_enode
from cocket.network.errors import EnodeInvalid, NetworkError, PeerFault
from cocket.network.peers import EventKind, NetworkEvent, PeerNetwork
from cocket.network.session import Ending, Session
from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.header import Header, round_of
from cocket.node.chain.importer import Importer, UnknownParent
from cocket.node.chain.ledger import ExecutedBlock, Ledger
from cocket.node.chain.pending_votes import PendingVotes
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool, PoolLimits
from cocket.node.chain.rules import Rules
from cocket.node.chain.spec import Genesis
from cocket.node.chain.transaction import Transaction
from cocket.node.config import Home, PoolSettings, Settings
from cocket.node.consensus.effects import Rejected
from cocket.node.consensus.messages import Message
from cocket.node.consensus.state import Times
from cocket.node.diagnosis import patience_s
from cocket.node.errors import InvalidBlock, NodeFault, PeerError, Refused
from cocket.node.evidence import EvidenceBook, evidence_of
from cocket.node.expiry import ExpiryWatch
from cocket.node.facts import NodeFacts, client_version
from cocket.node.genesis_file import read_genesis
from cocket.node.joining import is_old
from cocket.node.judgement import call_roll, headline, judge
from cocket.node.keystore import load_key, read_passphrase
from cocket.node.log import Log, open_log
from cocket.node.metrics import Figures, Metrics, PeerLoad
from cocket.node.neighbours import Neighbours, fault_reason, goodbye_reason
from cocket.node.observations import Observations
from cocket.node.ports import LedgerExecutor, LoopTimers, WallClock
from cocket.node.protocols import eth, istanbul
from cocket.node.roster import Roster, read_roster
from cocket.node.rpc.gateway import RpcGateway
from cocket.node.signer import KeySigner, Signer
from cocket.node.standing import Standing
from cocket.node.store.home import DataFolder
from cocket.node.store.journal import SigningJournal
from cocket.node.store.level import LevelStore
from cocket.node.validator import Validator
from cocket.node.voters import Voters
from cocket.node.worker import BlockWorker

BUILD_SHARE = 0.25  # of the base round timeout: the proposer's time to make a block
UNKEPT_AGAIN_S = 60.0  # equivocations for which there is no more room are told of so seldom
HOLD_OFF_S = 30.0  # a peer that broke the protocol is not let in again for so long
SYNC_EVERY = 64  # blocks caught up with for each fsync of the chain; a crash costs that many, which peers have
PROGRESS_S = 5.0  # between two lines that say how far catching up is
STALL_REMINDER_S = 60.0  # at most so long between two lines that say that no block comes
USELESS_HOLD_OFF_S = 5.0  # nor one that claims what it does not serve


class Node:
    """One node of a network."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        static: tuple[Enode, ...],
        genesis: Genesis,
        node_key: bytes,
        signer: Signer | None,
        log: Log,
        *,
        is_journal_trusted: bool = False,
    ) -> None:
        """Open the home's data; nothing listens yet.

        :raises Refused: another process uses the home, or its data belong to another network or validator.
        :raises NodeFault: the disk fails or the data are damaged.
        """
        self._log = log
        self._settings = settings
        self._signer = signer
        self._loop = asyncio.get_running_loop()
        self._folder = DataFolder(home.data)
        self._store = LevelStore(self._folder.chain)
        self.ledger = Ledger(self._store, genesis, None if signer is None else signer.address)
        permission = PermissionRule(self.ledger)
        self.pool = Pool(self.ledger, permission, _pool_limits(settings.pool))
        self._importer = Importer(self.ledger, permission, known=self.pool.get, on_commit=self._settle)
        votes = PendingVotes()
        builder = Builder(self.ledger, permission, self.pool, time.monotonic, votes)
        self._worker = BlockWorker(self._loop)
        self._evidence = EvidenceBook(self._store)
        self._unkept_told = Allowance(1 / UNKEPT_AGAIN_S, 1, self._loop.time())
        self._roster = Roster()
        self._ready: set[bytes] = set()
        self._told = self.ledger.head.number
        self._stopping = asyncio.Event()
        self._stall: asyncio.TimerHandle | None = None
        self._observations = Observations(time.monotonic, WallClock().now_ms)
        self._fault: NodeFault | None = None
        self._validator: Validator | None = None
        self._timers: LoopTimers | None = None
        self._static = static
        self._neighbours = Neighbours(self.ledger, self.pool, self)
        self._standing = Standing(self.ledger, self._neighbours, self._loop.time())
        self._progress_told = Allowance(1 / PROGRESS_S, 1, self._loop.time())
        self._voters = Voters(
            lambda address: self._duty().on_peer_connected(address),
            lambda address: self._duty().on_peer_disconnected(address),
        )
        self._network = PeerNetwork(
            node_key,
            client_version(),
            [eth.CAPABILITY, *([] if signer is None else [istanbul.CAPABILITY])],
            (settings.peers.host, settings.peers.port),
            self._may_connect,
            on_session=self._upon_session,
            on_message=self._upon_message,
            on_closed=self._upon_closed,
            on_event=self._upon_network_event,
        )
        address = None if signer is None else signer.address
        self._facts = NodeFacts(
            self._network,
            self._neighbours,
            lambda: self._validator,
            address,
            settings.peers.host,
            self._evidence,
            name=settings.name,
            ledger=self.ledger,
            observations=self._observations,
            roster=lambda: self._roster,
            is_ready=self._ready.__contains__,
            data=home.data,
        )
        self._expiry = ExpiryWatch(self.ledger.head_storage)
        self._metrics = Metrics(self._figures)
        self._rpc = RpcGateway(
            self.ledger,
            self.pool,
            self._facts,
            host=settings.rpc.host,
            port=settings.rpc.port,
            allowed_hosts=settings.rpc.allowed_hosts,
            votes=votes,
            metrics=self._metrics.render,
            on_transaction=self._neighbours.announce_transaction,
            on_fault=lambda method, error: log.error("rpc fault", method=method, error=repr(error)),
            on_vote=self._upon_vote,
        )
        if signer is not None:
            self._validator = self._make_validator(signer, builder, is_journal_trusted)

    def _make_validator(self, signer: Signer, builder: Builder, is_journal_trusted: bool) -> Validator:
        spec = self.ledger.genesis.spec
        self._journal = SigningJournal(self._folder.journal, self.ledger.genesis.hash, signer.address)
        self._timers = LoopTimers(
            self._loop,
            lambda timer, height, turn: self._duty().on_timer(timer, height, turn),
            lambda height: self._standing.is_early(height, len(self._duty().state.validators), self._loop.time()),
        )
        executor = LedgerExecutor(
            self._worker,
            self.ledger,
            self._importer,
            builder,
            signer.address,
            lambda height: spec.rules_at(height).request_timeout_s * BUILD_SHARE,
            self._duty,
        )
        return Validator(
            times=_times(spec.rules_at(0)),
            later_times=tuple([(each.block, _times(each.rules)) for each in spec.transitions]),
            signer=signer,
            journal=self._journal,
            clock=WallClock(),
            timers=self._timers,
            transport=self._voters,
            executor=executor,
            chain=self,
            observer=self,
            is_journal_trusted=is_journal_trusted,
            observations=self._observations,
        )

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until ``stop``; return after everything is closed.

        :raises NodeFault: what stopped the node against its will.
        """
        self._loop.set_exception_handler(self._upon_exception)
        try:
            self._observe_start()
            self._refresh_roster()
            self._network.update_known(self._known_enodes())
            self._start_validator()
            await self._network.start()
            if self._settings.rpc.enabled:
                await self._rpc.start()  # last: a node that answers is one that runs
            head = self.ledger.head
            self._log.info(
                "node started",
                version=client_version(),
                genesis=_short(self.ledger.genesis.hash),
                height=head.number,
                validator=None if self._signer is None else "0x" + self._signer.address.hex(),
                rpc=f"http://{self._settings.rpc.host}:{self._rpc.port}" if self._settings.rpc.enabled else None,
                enode=self._facts.enode(),
            )
            self._watch_for_stall()
            await self._stopping.wait()
        finally:
            await self._close()
        if self._fault is not None:
            raise self._fault

    def _figures(self) -> Figures:
        head, spec = self.ledger.head, self.ledger.genesis.spec
        pending, queued = self.pool.status()
        status = None if self._validator is None else self._validator.status()
        network = self._network.status()
        return Figures(
            height=head.number,
            head_timestamp_s=head.timestamp,
            highest=max(head.number, self._facts.highest()),
            peers=len(network.peers),
            pool_pending=pending,
            pool_queued=queued,
            pool_bytes=self.pool.size_bytes(),
            chain_id=spec.chain_id,
            version=client_version(),
            validator=status,
            duplicates=0 if self._validator is None else self._validator.duplicate_count,
            network_events={kind.value: count for kind, count in network.counts.items()},
            peer_loads=tuple(PeerLoad(self._name(peer.node_id), peer.loop_s, peer.waits) for peer in network.peers),
            expiring=self._expiry.expiring(),
        )

    def _observe_start(self) -> None:
        head = self.ledger.head
        try:
            self._observations.begin(head, self.ledger.validators_after(head))
        except Refused as error:
            self._observations.begin(head, ())
            self._log.error("validators not read", height=head.number, reason=str(error))

    def _start_validator(self) -> None:
        """Begin at the height after our head: before peers are let in, so that no vote comes too soon."""
        if self._validator is None:
            return
        head = self.ledger.head
        self._validator.start(head, self.ledger.validators_after(head))
        if self._validator.status().is_watching:
            self._log.warning(
                "watching only: the signing journal is missing or not as old as the chain; this node votes again once "
                "the others have made new blocks"
            )

    def stop(self) -> None:
        """End ``run``; may be called more than once."""
        self._stopping.set()

    async def _close(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
        if self._timers is not None:
            self._timers.cancel_all()
        await self._rpc.stop()
        await self._network.close()
        self._neighbours.close()
        await asyncio.to_thread(self._worker.close)
        if self._validator is not None:
            self._journal.close()
        self.ledger.close()
        self._folder.release()
        self._log.info("node stopped", height=self.ledger.head.number)

    def _fail(self, fault: NodeFault) -> None:
        if self._fault is None:
            self._fault = fault
            self._log.error("node fault", reason=str(fault))
        self.stop()

    def _upon_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Whatever a callback raised: a NodeFault stops the node, anything else is a fault of ours to report."""
        error = context.get("exception")
        if isinstance(error, NodeFault):
            self._fail(error)
        elif isinstance(error, BaseException):
            self._log.error("unexpected", error=repr(error), trace="".join(traceback.format_exception(error)))
        else:
            self._log.warning("event loop", message=str(context.get("message")))

    def _duty(self) -> Validator:
        assert self._validator is not None
        return self._validator

    # -- the head ----------------------------------------------------------------------------------------------------

    def commit(self, block: Block) -> None:
        """Store a block that consensus decided (``Validator``'s port)."""

        def done(header: Header | None, error: BaseException | None) -> None:
            if isinstance(error, NodeFault):
                raise error
            if header is None:
                # A quorum sealed what we hold to be invalid: one of us is broken, and going on could fork.
                raise NodeFault(f"block {block.header.number} is sealed but does not import: {error}") from error
            self._upon_head(header)

        self._worker.run(lambda: self._importer.import_block(block), done)

    def sync(self) -> None:
        """Put every block on the disk (``Validator``'s port)."""
        self.ledger.sync()

    def import_block(self, block: Block, block_hash: bytes) -> None:
        """Store a block that a peer brought, if it is right (``Neighbours``' port).

        One caught up with is durable with the ``SYNC_EVERY``-th or the last of its run. A crash takes it only while the
        next one is known to be final too: then a quorum has it on its disks.
        """
        number = block.header.number
        is_late = is_old(time.time() - block.header.timestamp)
        is_synced = not is_late or number % SYNC_EVERY == 0
        if is_synced:
            self._sync_journal()

        def stored(_nothing: None = None, error: BaseException | None = None) -> None:
            if error is not None:
                raise error
            if is_late:
                self._standing.upon_old_block(self._loop.time())
            self._upon_head(block.header, is_late=is_late)
            self._neighbours.upon_imported(block_hash, block.header)

        def done(header: Header | None, error: BaseException | None) -> None:
            match error:
                case None if self.ledger.is_durable or self._standing.is_decided(number + 1):
                    stored()
                case None:
                    self._sync_journal()
                    self._worker.run(self.ledger.sync, stored)
                case UnknownParent() | Refused():
                    self._log.warning("import postponed", height=block.header.number, reason=str(error))
                    self._neighbours.upon_postponed(block_hash)
                case InvalidBlock():
                    self._observations.refused(block.header.number, str(error))
                    self._log.warning("block refused", height=block.header.number, reason=str(error))
                    self._neighbours.upon_rejected(block_hash, str(error))
                case NodeFault():
                    raise error
                case _:  # an engine that fails on what a quorum could run must not go on beside it
                    raise NodeFault(f"block {block.header.number} does not import: {error!r}") from error

        # Without the clock rule: what a quorum has sealed is final, however slow our own clock is.
        self._worker.run(lambda: self._importer.import_block(block, sync=is_synced), done)

    def _sync_journal(self) -> None:
        """Have the journal not look lost beside a block that is about to be durable."""
        if self._validator is not None:
            self._validator.sync_journal()

    def _settle(self, executed: ExecutedBlock) -> None:
        self.pool.on_block(executed.transactions)

    def _upon_head(self, header: Header, *, is_late: bool = False) -> None:
        """Tell everybody of a new head, once: consensus first, and whoever fails keeps no other from hearing."""
        head = self.ledger.head
        if header.number <= self._told or header.number != head.number:
            return
        self._told = header.number
        self._watch_for_stall()
        head_hash = self.ledger.head_hash
        if is_late:
            self._tell_progress(header)
        else:
            self._log.info(
                "block",
                height=header.number,
                hash=_short(head_hash),
                round=round_of(header),
                gas=header.gas_used,
                pool=sum(self.pool.status()),
                peers=len(self._network.sessions),
                behind=max(0, self._facts.highest() - header.number),
            )
        validators: tuple[bytes, ...] | None = None
        try:
            validators = self.ledger.validators_after(header)
        except Refused as error:  # the contract does not say who validates: no block can follow until it does
            self._log.error("validators not read", height=header.number, reason=str(error))
        self._observations.head(header, validators, is_level=self._facts.sync_progress() is None)
        if self._validator is not None and validators is not None:
            self._validator.on_new_head(header, validators)
        self._refresh_roster()
        self._neighbours.upon_head(header, head_hash)
        self._rpc.on_block(header)

    def _tell_progress(self, header: Header) -> None:
        """Say once in a while how far catching up is."""
        if not self._progress_told.try_take(1, self._loop.time()):
            return
        highest = self._facts.highest()
        self._log.info(
            "catching up",
            height=header.number,
            highest=highest,
            behind=max(0, highest - header.number),
            made=_utc(header.timestamp),
            peers=len(self._network.sessions),
        )

    def _watch_for_stall(self) -> None:
        """Begin to wait for the next block; an operator hears when it does not come."""
        if self._stall is not None:
            self._stall.cancel()
        rules = self.ledger.genesis.spec.rules_at(self.ledger.head.number + 1)
        self._stall = self._loop.call_later(patience_s(rules.block_period_s, rules.request_timeout_s), self._upon_stall)

    def _upon_stall(self) -> None:
        diagnosis = self._facts.diagnosis()
        self._log.warning(
            "no block comes",
            seconds=round(diagnosis.since_block_s),
            height=diagnosis.height,
            round=self._facts.round(),
            missing=list(call_roll(diagnosis).missing),
            finding=headline(diagnosis, judge(diagnosis)),
        )
        self._stall = self._loop.call_later(min(diagnosis.since_block_s, STALL_REMINDER_S), self._upon_stall)

    # -- peers -------------------------------------------------------------------------------------------------------

    def _may_connect(self, node_id: bytes) -> bool:
        return node_id in self._roster.enodes or any(enode.node_id == node_id for enode in self._static)

    def _known_enodes(self) -> list[Enode]:
        return [*self._roster.enodes.values(), *self._static]

    def _refresh_roster(self) -> None:
        try:
            roster = read_roster(self.ledger, self._roster)
        except Refused as error:
            self._log.warning("roster not read", reason=str(error))
            return
        if roster is self._roster:
            return
        self._voters.remove_moved(roster.address_of)
        self._roster = roster
        self._network.update_known(self._known_enodes())
        for session in self._network.sessions.values():
            self._add_voter(session)

    def upon_ready(self, session: Session) -> None:
        """A peer's Status fits ours (``Neighbours``' port)."""
        self._ready.add(session.node_id)
        self._observations.joined(self._roster.address_of(session.node_id))
        self._add_voter(session)

    def upon_admitted(self, transaction: Transaction) -> None:
        """A peer brought a transaction that is now in the pool (``Neighbours``' port)."""
        self._rpc.on_transaction(transaction.hash)

    def upon_caught_up(self, number: int) -> None:
        """No peer claims a block that we lack (``Neighbours``' port)."""
        self._log.info("level with all peers", height=number)

    def drop_peer(self, node_id: bytes, reason: str, *, is_fault: bool) -> None:
        """End the session with a peer (``Neighbours``' port)."""
        self._log.warning("peer dropped", peer=self._name(node_id), reason=reason)
        self._network.disconnect(
            node_id, goodbye_reason(is_fault), reason, HOLD_OFF_S if is_fault else USELESS_HOLD_OFF_S
        )

    def _upon_session(self, session: Session) -> None:
        self._neighbours.upon_session(session)

    def _upon_closed(self, session: Session, _ending: Ending) -> None:
        self._ready.discard(session.node_id)
        self._voters.remove(session)
        self._neighbours.upon_closed(session)

    def _upon_message(self, session: Session, capability: str, code: int, payload: bytes) -> None:
        try:
            if capability == eth.NAME:
                self._neighbours.upon_message(session, code, payload)
            elif self._validator is not None and session.node_id in self._ready:
                kind = istanbul.parse_code(code, payload)
                self._validator.on_message(self._roster.address_of(session.node_id), kind, payload)
        except PeerError as error:
            reason = fault_reason(error)
            self._network.disconnect(session.node_id, reason, str(error), HOLD_OFF_S)
            raise PeerFault(str(error), reason) from error

    def _add_voter(self, session: Session) -> None:
        if self._validator is not None and session.node_id in self._ready:
            self._voters.add(self._roster.address_of(session.node_id), session)

    def peer_ahead(self, address: bytes, height: int) -> None:
        """A validator votes on a later height (``Validator``'s port): the follower hears of it by announcement."""
        self._log.debug("peer ahead", peer=self._country(address), height=height)

    def peer_behind(self, address: bytes, height: int) -> None:
        """A validator still votes on a height that is final here (``Validator``'s port)."""
        self._log.debug("peer behind", peer=self._country(address), height=height)
        for node_id in self._voters.node_ids(address):
            self._neighbours.send_head(node_id)

    def rejected(self, note: Rejected) -> None:
        """A consensus message broke a rule of the present state (``Validator``'s port)."""
        self._metrics.rejected(note.code)
        self._observations.rejected(note)
        self._log.debug(
            "vote rejected",
            kind=note.code.name,
            height=note.height,
            round=note.round,
            author=self._country(note.author),
            reason=note.reason,
        )

    def equivocated(self, first: Message, second: Message) -> None:
        """A validator signed two different messages for one height, round and kind (``Validator``'s port)."""
        evidence = evidence_of(first, second, time.time_ns() // 1_000_000)
        if self._evidence.has(evidence):
            return
        self._metrics.equivocated(self._country(first.author), first.code)
        self._observations.equivocated(second)
        if self._evidence.has_room(evidence):
            self._evidence.keep(evidence)
        elif not self._unkept_told.try_take(1, self._loop.time()):
            return  # who cheats all the time must not fill the disk with lines either; the metric counts
        self._log.warning(
            "equivocation",
            validator=self._country(first.author),
            kind=first.code.name,
            height=first.height,
            round=first.round,
            kept=self._evidence.has(evidence),
        )

    def _upon_vote(self, address: bytes, is_add: bool | None) -> None:
        action = "discard" if is_add is None else "add" if is_add else "drop"
        self._log.info("operator's vote", action=action, validator=self._country(address))

    def _upon_network_event(self, event: NetworkEvent) -> None:
        if event.node_id and event.kind in (EventKind.CLOSED, EventKind.DIAL_FAILED):
            self._observations.parted(self._roster.address_of(event.node_id), event.detail)
        write = self._log.info if event.kind in (EventKind.OPENED, EventKind.CLOSED) else self._log.debug
        write(event.kind.value, peer=self._name(event.node_id) or event.remote, detail=event.detail)

    def _name(self, node_id: bytes) -> str:
        return self._country(self._roster.address_of(node_id)) if node_id else ""

    def _country(self, address: bytes) -> str:
        return self._roster.countries.get(address) or "0x" + address.hex()


def run_node(path: Path, *, json_log: bool = False, is_journal_trusted: bool = False) -> None:
    """Run the node of a home until SIGINT or SIGTERM.

    ``is_journal_trusted`` is the operator's word that nothing was signed besides the journal, so that the node need not
    watch first.

    :raises Refused: the home belongs to another network, validator or process.
    :raises NodeFault: settings, keys, disk or data are unusable.
    """
    home = Home(path)
    settings = home.settings()
    log = open_log(settings.log_level, as_json=json_log, node=settings.name or path.name)
    static = _static_peers(settings, str(home.config))
    genesis = read_genesis(home, settings)
    passphrase = read_passphrase(path / settings.keys.passphrase_file)
    names = [settings.keys.node, *([settings.keys.validator] if settings.validates else [])]
    with ThreadPoolExecutor() as threads:  # scrypt works outside the interpreter's lock
        node_key, *validator_keys = threads.map(lambda name: load_key(path / name, passphrase), names)
    signer = KeySigner(validator_keys[0]) if validator_keys else None

    async def main() -> None:
        node = Node(home, settings, static, genesis, node_key, signer, log, is_journal_trusted=is_journal_trusted)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, node.stop)
        try:
            await node.run()
        except NetworkError as error:
            raise NodeFault(str(error)) from error

    _run(main())


def _times(rules: Rules) -> Times:
    return Times(rules.block_period_s, rules.request_timeout_s * 1000, rules.request_timeout_max_s * 1000)


def _pool_limits(settings: PoolSettings) -> PoolLimits:
    return PoolLimits(bytes_max=settings.bytes_max, sender_count_max=settings.transactions_per_sender_max)


def _static_peers(settings: Settings, where: str) -> tuple[Enode, ...]:
    try:
        return tuple(parse_enode(text) for text in settings.peers.static)
    except EnodeInvalid as error:
        raise NodeFault(f"{where}: peers.static: {error}") from error


def _run(main: Coroutine[object, object, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def _utc(timestamp: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp))


def _short(hash_: bytes) -> str:
    return "0x" + hash_.hex()[:16]
