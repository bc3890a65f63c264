"""The shell of a vault or custodian: one process with keys of its own, beside any node.

It owns the clock, the keys, the register and the server, and is the only module here that logs. It answers when its
register agrees with the ledger, and not before. A NodeFault, wherever it appears, stops it; so does a ledger that has
another history of its receipts.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cocket.attestation.errors import InvalidFile
from cocket.attestation.transport import fingerprint_of
from cocket.contracts import access
from cocket.contracts.access import ServiceKind
from cocket.node.encryption_key import close_encryption_key, open_encryption_key
from cocket.node.errors import NodeError, NodeFault, Refused, Unavailable
from cocket.node.http_server import HttpServer, Tls
from cocket.node.keystore import key_address, load_key
from cocket.node.log import Log, open_log
from cocket.node.store.home import DataFolder
from cocket.node.vault.anchoring import Anchoring
from cocket.node.vault.bulk import load_bulk
from cocket.node.vault.connection import ERASE_PATH, LISTING_PATH, PERIODS_PATH, RELEASE_PATH, SEGMENT_PATH, SHARE_PATH
from cocket.node.vault.decision import Judge
from cocket.node.vault.eraser import Eraser
from cocket.node.vault.gate import Gate
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.lister import Lister, load_listing_key
from cocket.node.vault.parties import party_of
from cocket.node.vault.register import Register
from cocket.node.vault.release import Vault
from cocket.node.vault.residency import load_residency
from cocket.node.vault.rules import Rules
from cocket.node.vault.server import LIMITS, Answered, KeeperApp
from cocket.node.vault.settings import VAULT, KeeperHome, KeeperSettings, octets_of, retention_by_kind
from cocket.node.vault.share import Custodian
from cocket.node.vault.shelves import open_shelf
from cocket.node.vault.showing import Showing
from cocket.node.vault.tombstones import Tombstones, load_tombstones

STEP_S = 2.0
"""Between two looks at the ledger: whether it answers, and whether it is time to anchor."""
AGAIN_S = 1.0
SAID_AGAIN_S = 60.0
"""Between two lines of the log that say that the same is still so."""

T = TypeVar("T")


class KeeperService:
    """One vault or custodian, from its start to its end."""

    def __init__(self, home: KeeperHome, settings: KeeperSettings, passphrase: str, log: Log) -> None:
        """Open the keys; nothing is asked or served yet. NodeFault and Refused say what is wrong with the home."""
        self._home = home
        self._settings = settings
        self._log = log
        self._account_key = load_key(home.account, passphrase)
        self._encryption_key = open_encryption_key(home.encryption_key, passphrase)
        self._account = key_address(home.account)
        self._genesis_hash = octets_of(settings.genesis_hash, 32)
        self._ledger = Ledger(settings.node)
        self._problem: str | None = "it is starting"
        self._said: tuple[str, float] = ("", 0.0)
        self._fault: NodeError | None = None
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Let ``run`` end."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until ``stop``, once; NodeFault or Refused when it cannot go on."""
        try:
            await self._run()
        finally:
            close_encryption_key(self._encryption_key)

    async def _run(self) -> None:
        with DataFolder(self._home.receipts):
            keeper = await self._when_available(self._keeper)
            if keeper is None:
                return
            register = Register(self._home.receipts, self._genesis_hash, keeper, _now_s())
            try:
                await self._serve(register, keeper)
            finally:
                register.close()
                self._ledger.close()

    async def _serve(self, register: Register, keeper: int) -> None:
        settings = self._settings
        anchoring = Anchoring(
            self._ledger,
            register,
            key=self._account_key,
            account=self._account,
            keeper=keeper,
            chain_id=settings.chain_id,
            anchor_s=settings.anchor_s,
            now_s=_now_s,
        )
        anchored = await self._when_available(lambda: anchoring.agree(settings.head_age_s))
        if anchored is None:
            return
        answers = self._answers(register, keeper)
        about = {"kind": settings.kind, "party": settings.party, "keeper": keeper, "chain_id": settings.chain_id}
        app = KeeperApp(answers, about, lambda: self._problem, self._upon_answered)
        tls = Tls(str(self._home.certificate), str(self._home.certificate_key))
        server = HttpServer(app, settings.host, settings.port, LIMITS, name=settings.kind, tls=tls)
        await server.start()
        self._problem = None
        self._log.info("serving", host=settings.host, port=server.port, party=settings.party, keeper=keeper)
        self._log.info("receipts", anchored=anchored, open=register.open_count, torn_bytes=register.torn_bytes)
        try:
            await self._keep_anchoring(anchoring)
        finally:
            await server.stop()
            app.close()
        if self._fault is not None:
            raise self._fault

    def _answers(self, register: Register, keeper: int) -> dict[str, Callable[[bytes], bytes]]:
        settings = self._settings
        replacements = {octets_of(old, 20): octets_of(new, 20) for old, new in settings.replacements.items()}
        rules = Rules(
            settings.chain_id,
            self._genesis_hash,
            keeper,
            replacements,
            settings.head_age_s,
            settings.retention_days,
            retention_by_kind(settings),
        )
        gate = Gate(self._ledger, register, rules, _now_s)
        tombstones = load_tombstones(self._home.receipts, self._genesis_hash, keeper)
        bulk = load_bulk(self._home.receipts, self._genesis_hash, keeper)
        judge = Judge(self._ledger, register, rules, gate, tombstones, bulk, _now_s)
        holdings: Holdings | None = None
        if settings.kind == VAULT:
            holdings = Holdings(open_shelf(self._home, settings, is_reader=True), settings.quota_bytes)
            self._bury(holdings, tombstones)
        eraser = Eraser(
            self._ledger, register, rules, gate, tombstones, _now_s, party=settings.party, holdings=holdings
        )
        if holdings is None:
            custodian = Custodian(judge, self._encryption_key, settings.party, self._genesis_hash)
            return {SHARE_PATH: custodian.share, ERASE_PATH: eraser.erase}
        home = self._home
        vault = Vault(
            judge,
            holdings,
            lambda batch: load_residency(home.residency(batch), batch),
            self._encryption_key,
            settings.party,
            _now_s,
        )
        key = load_listing_key(home.listing_key)
        lister = Lister(self._ledger, rules, gate, bulk, home.receipts, key)
        return {
            RELEASE_PATH: vault.release,
            SEGMENT_PATH: vault.segment,
            ERASE_PATH: eraser.erase,
            LISTING_PATH: lister.answer,
            PERIODS_PATH: Showing(self._ledger, register, gate, bulk, settings.party).period,
        }

    def _bury(self, holdings: Holdings, tombstones: Tombstones) -> None:
        """Take away what was erased and came back with a copy of the shelf."""
        again = [place for place in tombstones.places() if holdings.erase(*place)]
        if again:
            self._log.warning("erased again", records=len(again), because="a restored shelf had them")

    async def _keep_anchoring(self, anchoring: Anchoring) -> None:
        while not await self._stopped_within(STEP_S):
            try:
                for period in await asyncio.to_thread(anchoring.step):
                    self._log.info("anchoring", period=period.sequence, root="0x" + period.root.hex())
            except Unavailable as error:
                self._say("ledger", str(error))
            except NodeFault:
                raise
            except NodeError as error:
                self._problem = str(error)
                raise
            else:
                self._problem = None

    def _keeper(self) -> int:
        """Return the party of this keeper's account, once the node is one of this network."""
        settings, ledger = self._settings, self._ledger
        chain = ledger.chain()
        if chain != (settings.chain_id, self._genesis_hash):
            raise Refused(
                f"node {ledger.url}: chain {chain[0]} with genesis 0x{chain[1].hex()}; {self._home.config} names "
                f"{settings.chain_id} with {settings.genesis_hash}: name a node of that network"
            )
        keeper = party_of(ledger, self._account, ledger.head().number)
        if not keeper:
            raise Unavailable(
                f"account 0x{self._account.hex()} is nobody's on the ledger yet; an authority accredits it: "
                f"cocket participant accredit --role service --account 0x{self._account.hex()} ..."
            )
        self._tell_announcement(keeper)
        return keeper

    def _tell_announcement(self, keeper: int) -> None:
        """Warn when readers are not told of this service, or of another."""
        settings, ledger = self._settings, self._ledger
        kind = ServiceKind.VAULT if settings.kind == VAULT else ServiceKind.CUSTODIAN
        found = ledger.view(access.ADDRESS, access.service_of(settings.party, kind), ledger.head().number)
        try:
            certificate = fingerprint_of(self._home.certificate.read_bytes())
        except (InvalidFile, OSError) as error:
            raise NodeFault(f"{self._home.certificate}: {error}") from error
        if (found.keeper, found.certificate) != (keeper, certificate):
            what = "none" if not found.url else f"another one, at {found.url}"
            self._log.warning(
                "not announced",
                ledger=f"it has {what}",
                do=f"cocket {settings.kind} announce --home {self._home.path} --url https://...",
            )

    async def _when_available(self, ask: Callable[[], T]) -> T | None:
        """Return what a question to the ledger gives, asked until it can be answered; None when stopped before."""
        while True:
            try:
                return await asyncio.to_thread(ask)
            except Unavailable as error:
                self._say("waiting", str(error))
            if await self._stopped_within(AGAIN_S):
                return None

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _say(self, event: str, problem: str) -> None:
        """Write a problem that lasts, and from time to time that it does."""
        self._problem = problem
        said, at = self._said
        if said != problem or self._loop.time() >= at + SAID_AGAIN_S:
            self._said = (problem, self._loop.time())
            self._log.warning(event, problem=problem)

    def _upon_answered(self, answered: Answered) -> None:
        """Write down what became of a call; in the thread that answered it. Never who asked for what."""
        if answered.trouble is None:
            self._log.info("answered", status=int(answered.status), outcome=answered.text)
            return
        self._log.error("not answered", status=int(answered.status), problem=str(answered.trouble))
        if isinstance(answered.trouble, NodeFault):
            self._fault = answered.trouble
            self._loop.call_soon_threadsafe(self.stop)


def run_keeper(path: Path, passphrase: str, *, kind: str, json_log: bool = False) -> None:
    """Run the vault or custodian of a home until SIGINT or SIGTERM.

    :raises Refused: another process uses the home, it is of another kind or network, or its register is an old copy.
    :raises NodeFault: settings, keys, disk or register are unusable.
    """
    home = KeeperHome(path)
    settings = home.settings()
    if settings.kind != kind:
        raise Refused(f"{home.config}: it is a {settings.kind}'s: cocket {settings.kind} run --home {path}")
    log = open_log(settings.log_level, as_json=json_log, service=settings.kind)

    async def main() -> None:
        service = KeeperService(home, settings, passphrase, log)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, service.stop)
        await service.run()
        log.info("stopped")

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _now_s() -> int:
    return int(time.time())
