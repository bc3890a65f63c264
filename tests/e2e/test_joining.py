"""Who comes late: a validator whose folder is empty, and a fifth authority up to its first own block.

The network has a past that was made beforehand, so that there is something to catch up with.
"""

import shutil
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cli.command import done
from e2e.past import give_past
from e2e.trial import CHAIN_ID, Trial, free_ports, memory_mb, save_passphrase, wait_until
from founding.founders import PASSPHRASE, custodian_of, make_home

from cocket.cli.client import address_of
from cocket.cli.processes import NodeProcess, stop_all
from cocket.cli.status import plain, sentences
from cocket.genesis import ceremony
from cocket.genesis.parameters import Parameters
from cocket.genesis.record import encode_record
from cocket.node.config import Home, PeerSettings, RpcSettings, Settings, format_settings

COUNTRIES = ("BR", "KE", "NL", "SG")
PAST = 150
RSS_MAX_MB = 250.0
"""As much as a node at rest may have (scripts/bench): the bound on what is unverified is a fraction of it."""
JOURNAL_HEADER_BYTES = 68
FRAME = struct.Struct(">QIQI")


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Give a network of four, of which three have a past and go on with it; the fourth has not begun."""
    tmp_path = tmp_path_factory.mktemp("aged")
    trial = Trial(tmp_path, *COUNTRIES, age_s=PAST + 2)
    give_past(trial, tmp_path / "past", PAST, COUNTRIES[:3])
    with closing(trial):
        trial.start(*COUNTRIES[:3], options=["--trust-journal"])
        trial.wait_height(PAST + 1, COUNTRIES[:3])
        yield trial


@contextmanager
def ended(node: NodeProcess) -> Iterator[None]:
    """Stop a node whatever happens."""
    try:
        yield
    finally:
        stop_all([node])


def catch_up(trial: Trial, newcomer: NodeProcess) -> int:
    """Start a node, see it tell of its progress, and return the height that the others had when it began."""
    goal = max(trial.heights(COUNTRIES[:3]))
    newcomer.start()
    newcomer.wait_ready()
    Path(f"/proc/{newcomer.pid}/clear_refs").write_text("5")  # its peak begins anew: opening keys takes much memory
    told: dict[str, object] = {}

    def is_level() -> bool:
        syncing, status = newcomer.ask("eth_syncing"), newcomer.ask("cocket_status")
        if isinstance(syncing, dict):
            told["syncing"] = syncing
        if isinstance(status, dict) and status["syncing"]:
            told["status"] = sentences(plain(status))[0]
        return syncing is False and (newcomer.height() or 0) >= goal

    wait_until(is_level, f"{newcomer.name} is level; {newcomer.log_tail()}")
    assert set(told) == {"syncing", "status"}, told
    syncing = told["syncing"]
    assert isinstance(syncing, dict)
    assert int(syncing["highestBlock"], 16) >= PAST
    assert int(syncing["currentBlock"], 16) < int(syncing["highestBlock"], 16)
    assert "catching up to" in str(told["status"])
    line = next(line for line in newcomer.log.read_text().splitlines() if "catching up" in line)
    assert goal <= int(line.partition("highest=")[2].split()[0])
    return goal


def signed_heights(home: Home) -> list[int]:
    """Return the height of each frame of a journal that holds a signature, in order; the last may be half written."""
    data = (home.data / "journal").read_bytes()[JOURNAL_HEADER_BYTES:]
    found = []
    while len(data) >= FRAME.size:
        height, size, _, _ = FRAME.unpack_from(data)
        found += [height] if size else []
        data = data[FRAME.size + size + 4 :]
    return found


def make_newcomer(trial: Trial, folder: Path, country: str) -> tuple[NodeProcess, Path]:
    """Return the node of an authority that did not take part in the founding, not started, and its record."""
    home = make_home(folder, country)
    save_passphrase(home)
    port = free_ports(2)
    parameters = Parameters(
        ceremony="joining",
        chain_id=CHAIN_ID,
        countries=(country,),
        timestamp=trial.parameters.timestamp,
        contracts=trial.parameters.contracts,
    )
    keys = ceremony.open_keys(home, PASSPHRASE)
    record = folder / f"{country}.record.json"
    made = ceremony.record(keys, custodian_of(home), parameters, country, f"127.0.0.1:{port + 1}")
    record.write_bytes(encode_record(made))
    shutil.copyfile(trial.homes["BR"].genesis, home.genesis)
    settings = Settings(name=country, rpc=RpcSettings(port=port), peers=PeerSettings(port=port + 1))
    home.config.write_text(format_settings(settings))
    return NodeProcess(home.path), record


def test_validator_that_lost_everything_votes_on_no_height_that_is_over(aged: Trial) -> None:
    sg = aged["SG"]
    shutil.rmtree(aged.homes["SG"].data, ignore_errors=True)
    goal = catch_up(aged, sg)
    address = "0x" + address_of(aged.keys["SG"].validator).hex()

    def has_proposed() -> bool:
        block = aged["BR"].ask("eth_getBlockByNumber", "latest", False)
        return isinstance(block, dict) and block["miner"] == address

    wait_until(has_proposed, f"a block of SG; {aged.logs()}")
    assert memory_mb(sg, "VmHWM") < RSS_MAX_MB
    heights = signed_heights(aged.homes["SG"])
    assert heights
    assert min(heights) > goal


def test_fifth_authority_is_admitted_catches_up_and_proposes(aged: Trial, tmp_path: Path) -> None:
    aged.restore()
    newcomer, record = make_newcomer(aged, tmp_path, "FR")
    with ended(newcomer):
        made = done("authority", "propose", "admit", record, "--home", aged.homes["BR"].path)
        for country in ("KE", "NL"):
            assert made["standing"] == "open"
            made = done("authority", "vote", made["proposal"], "--for", "--home", aged.homes[country].path)
        assert made["standing"] == "executed"
        goal = catch_up(aged, newcomer)
        wait_until(lambda: newcomer.ask("net_peerCount") == "0x4", "FR has all four as peers")
        assert signed_heights(Home(newcomer.home)) == []
        seat = done("authority", "activate", "--home", newcomer.home)
        begins = int(str(seat["block"])) + 1
        assert begins > goal
        keys = ceremony.open_keys(Home(newcomer.home), PASSPHRASE)
        address = "0x" + address_of(keys.validator).hex()

        def own() -> list[int]:
            blocks = [aged["KE"].ask("eth_getBlockByNumber", hex(begins + n), False) for n in range(12)]
            return [int(b["number"], 16) for b in blocks if isinstance(b, dict) and b["miner"] == address]

        wait_until(lambda: bool(own()), f"a block of FR; {newcomer.log_tail()}")
        height = own()[0]
        aged.wait_height(height)
        assert len(aged.block_hashes(height)) == 1
        assert memory_mb(newcomer, "VmHWM") < RSS_MAX_MB
        heights = signed_heights(Home(newcomer.home))
        assert heights
        assert min(heights) >= begins
