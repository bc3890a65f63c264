"""Vaults and custodians of an office: homes made by the commands, services run in a thread of this process."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from command import done
from founding.founders import PASSPHRASE
from office import END_DAY, Office

from cocket.node.log import Log
from cocket.node.vault.service import KeeperService
from cocket.node.vault.settings import KeeperHome


class _Lines:
    """A log that a test can read."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def debug(self, event: str, **facts: object) -> None:
        self.lines.append((event, facts))

    info = warning = error = debug


class Running:
    """A service that runs, and what it said."""

    def __init__(self, home: Path, passphrase: str = PASSPHRASE) -> None:
        self.home = home
        self.passphrase = passphrase
        self.log = _Lines()
        self.error: BaseException | None = None
        self._service: KeeperService | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_until_serving(self) -> int:
        """Return the port once it serves."""
        return int(str(self._said("serving")["port"]))

    def _said(self, wanted: str) -> dict[str, object]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._thread.is_alive():
            for event, facts in list(self.log.lines):
                if event == wanted:
                    return facts
            self._thread.join(0.01)
        raise AssertionError(f"it never said {wanted}: {self.log.lines} {self.error!r}")

    def stop(self) -> None:
        """End it, if it has not ended."""
        while self._thread.is_alive():
            if self._service is not None and self._loop is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._service.stop)
            self._thread.join(0.05)

    def _run(self) -> None:
        async def main() -> None:
            home = KeeperHome(self.home)
            log: Log = self.log
            service = KeeperService(home, home.settings(), self.passphrase, log)
            self._loop, self._service = asyncio.get_running_loop(), service
            await service.run()

        try:
            asyncio.run(main())
        except BaseException as error:
            self.error = error


@contextlib.contextmanager
def running(*homes: Path, passphrase: str = PASSPHRASE) -> Iterator[list[Running]]:
    """Run the services of these homes until the block ends; a service that failed fails the test."""
    services = [Running(home, passphrase) for home in homes]
    try:
        for service in services:
            service.wait_until_serving()
        yield services
    finally:
        for service in services:
            service.stop()
    assert [service.error for service in services] == [None] * len(services)


def by_passphrase(office: Office) -> tuple[str, ...]:
    """Return the option that names the office's passphrase."""
    return ("--passphrase-file", str(office.passphrase))


def make_vault(office: Office, name: str, port: int, *more: object) -> Path:
    """Make and accredit the vault of the chamber; the ledger is not told of it."""
    home = office.folder / name
    done(
        "vault", "init", home, "--account", office.address(office.chamber), "--port", port,
        *by_passphrase(office), "--node", office.url, *more,
    )  # fmt: skip
    return home


def make_custodian(office: Office, country: str, name: str, port: int) -> Path:
    """Make the custodian of an authority."""
    home = office.folder / name
    key = office.homes[country].encryption_key
    done(
        "custodian", "init", home, "--country", country, "--encryption-key", key, "--port", port,
        *by_passphrase(office), "--node", office.url,
    )  # fmt: skip
    return home


def accredit(office: Office, home: Path, country: str) -> int:
    """Let an authority accredit a keeper's account."""
    kind = KeeperHome(home).settings().kind
    account = done(kind, "status", home)["account"]
    out = office.folder / f"{home.name}.participant.json"
    answer = done(
        "participant", "accredit", *office.home(country), "--name", home.name, "--role", "service", "--account",
        account, "--from", "2025-10-01", "--to", END_DAY, "--out", out,
    )  # fmt: skip
    return int(str(answer["participant"]))
