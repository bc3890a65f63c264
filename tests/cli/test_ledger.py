"""``cocket ledger``: a chain goes out of one home and into another; a file that is not right says where and why."""

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from command import cocket, done, refused
from e2e.trial import Trial
from office import FoundedChain

from cocket.cli.errors import Exit
from cocket.cli.ledger import make_progress
from cocket.cli.processes import stop_all
from cocket.node.chain.block import Block, encode_block
from cocket.node.chain.chain_file import export_file, read_blocks
from cocket.node.chain.header import Header
from cocket.node.chain.importer import Importer
from cocket.node.config import Home
from cocket.node.store.home import DataFolder

BLOCKS = 12


class Founded:
    """Two homes of one network that never ran, and the network's chain as a file."""

    def __init__(self, folder: Path) -> None:
        trial = Trial(folder, "KE", "NL")
        self.homes = trial.homes
        self.chain = FoundedChain(trial.founded.genesis_json, [keys.validator for keys in trial.keys.values()])
        for number in range(1, BLOCKS + 1):
            for _ in range(number % 3):
                self.chain.pool.add(trial.transfer()[0])
            self.chain.seal()
        self.file = folder / "chain.blocks"
        export_file(self.chain.ledger, self.file)
        self.blocks = [encode_block(block) for _, block in read_blocks(self.file)]
        assert any(block.transactions for _, block in read_blocks(self.file))

    def start_of(self, number: int) -> int:
        return sum(map(len, self.blocks[:number]))

    def state_root(self, number: int) -> str:
        header = self.chain.ledger.header_by_number(number)
        assert header is not None
        return "0x" + header.state_root.hex()


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    return Founded(tmp_path_factory.mktemp("founded"))


@pytest.fixture
def home(founded: Founded, tmp_path: Path) -> Home:
    """Give a home without a chain."""
    shutil.copytree(founded.homes["KE"].path, tmp_path / "KE")
    return Home(tmp_path / "KE")


def height(home: Home, tmp_path: Path) -> int:
    """Return the chain's height, from what an export of it says."""
    out = tmp_path / "height.blocks"
    last = done("ledger", "export", "--home", home.path, "--out", out)["last"]
    out.unlink()
    assert isinstance(last, int)
    return last


def test_a_chain_goes_from_a_home_to_another(founded: Founded, home: Home, tmp_path: Path) -> None:
    answer = done("ledger", "import", founded.file, "--home", home.path)
    assert (answer["imported"], answer["passed_over"], answer["height"]) == (BLOCKS, 1, BLOCKS)
    assert answer["state_root"] == founded.state_root(BLOCKS)
    out = tmp_path / "again.blocks"
    answer = done("ledger", "export", "--home", home.path, "--out", out)
    assert (answer["first"], answer["last"], answer["blocks"]) == (0, BLOCKS, BLOCKS + 1)
    assert answer["state_root"] == founded.state_root(BLOCKS)
    assert answer["bytes"] == len(out.read_bytes())
    assert out.read_bytes() == founded.file.read_bytes()
    again = done("ledger", "import", out, "--home", home.path)
    assert (again["imported"], again["passed_over"], again["height"]) == (0, BLOCKS + 1, BLOCKS)


def test_sentences_say_what_was_done(founded: Founded, home: Home, tmp_path: Path) -> None:
    answer = cocket("ledger", "import", founded.file, "--home", home.path)
    assert (answer.code, answer.err) == (0, "")
    assert f"{BLOCKS} blocks imported, 1 were there already" in answer.out
    assert f"now ends with block {BLOCKS}, 0x" in answer.out
    answer = cocket("ledger", "export", "--home", home.path, "--out", tmp_path / "out.blocks")
    assert f"{BLOCKS + 1} blocks, 0 to {BLOCKS}," in answer.out
    assert "cocket ledger import" in answer.out


def test_parts_go_out_and_come_in_one_after_the_other(founded: Founded, home: Home, tmp_path: Path) -> None:
    done("ledger", "import", founded.file, "--home", home.path)
    parts = {"a": ("--to", 4), "b": ("--from", 5, "--to", 8), "c": ("--from", 9)}
    for name, chosen in parts.items():
        answer = done("ledger", "export", "--home", home.path, "--out", tmp_path / name, *chosen)
        assert answer["state_root"] == founded.state_root({"a": 4, "b": 8, "c": BLOCKS}[name])
    assert b"".join((tmp_path / name).read_bytes() for name in parts) == founded.file.read_bytes()
    shutil.rmtree(home.data)
    said = refused(Exit.REFUSED, "ledger", "import", tmp_path / "b", "--home", home.path)
    assert "begins with block 5, the chain here ends with block 0: import blocks 1 to 4 first" in said
    for name, last in {"a": 4, "b": 8, "c": BLOCKS}.items():
        assert done("ledger", "import", tmp_path / name, "--home", home.path)["height"] == last


@pytest.mark.parametrize("chosen", [("--from", 5, "--to", 4), ("--from", BLOCKS + 1), ("--to", BLOCKS + 1)])
def test_blocks_that_are_not_there_do_not_go_out(
    founded: Founded, home: Home, tmp_path: Path, chosen: tuple[object, ...]
) -> None:
    done("ledger", "import", founded.file, "--home", home.path)
    said = refused(Exit.REFUSED, "ledger", "export", "--home", home.path, "--out", tmp_path / "x", *chosen)
    assert f"the chain has 0 to {BLOCKS}" in said
    assert not (tmp_path / "x").exists()


def test_a_negative_block_is_usage(home: Home, tmp_path: Path) -> None:
    said = refused(Exit.USAGE, "ledger", "export", "--home", home.path, "--out", tmp_path / "x", "--from", -1)
    assert "--from" in said


def test_an_existing_file_stays_as_it_is(founded: Founded, home: Home, tmp_path: Path) -> None:
    done("ledger", "import", founded.file, "--home", home.path)
    (tmp_path / "mine").write_bytes(b"mine")
    assert "another name" in refused(Exit.REFUSED, "ledger", "export", "--home", home.path, "--out", tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_a_home_without_a_chain_has_nothing_to_give(home: Home, tmp_path: Path) -> None:
    said = refused(Exit.NOT_FOUND, "ledger", "export", "--home", home.path, "--out", tmp_path / "x")
    assert "no chain there yet" in said
    assert not home.data.exists()


def test_another_network_s_file_is_refused(founded: Founded, tmp_path: Path) -> None:
    other = Trial(tmp_path / "other", "NL").homes["NL"]
    said = refused(Exit.REFUSED, "ledger", "import", founded.file, "--home", other.path)
    assert "the chain of another network: its block 0 is 0x" in said
    assert "0x" + founded.chain.ledger.genesis.hash.hex() in said
    part = tmp_path / "part"
    part.write_bytes(b"".join(founded.blocks[1:]))
    said = refused(Exit.REFUSED, "ledger", "import", part, "--home", other.path)
    assert "the chain of another network: its first block, 1, follows on 0x" in said
    assert height(other, tmp_path) == 0


def test_a_file_that_is_cut_off_gives_its_whole_blocks(founded: Founded, home: Home, tmp_path: Path) -> None:
    cut, at = tmp_path / "cut", founded.start_of(8)
    cut.write_bytes(founded.file.read_bytes()[: at + 100])
    said = refused(Exit.FAILED, "ledger", "import", cut, "--home", home.path)
    assert f"at byte {at}, after block 7: found the end of the file within a block" in said
    assert "the chain here ends with block 7" in said
    assert height(home, tmp_path) == 7
    answer = done("ledger", "import", founded.file, "--home", home.path)
    assert (answer["imported"], answer["passed_over"]) == (BLOCKS - 7, 8)


def test_a_false_block_stops_the_import_with_its_number_and_the_reason(
    founded: Founded, home: Home, tmp_path: Path
) -> None:
    data, at = bytearray(founded.file.read_bytes()), founded.start_of(6)
    data[data.index(bytes.fromhex(founded.state_root(6)[2:]), at)] ^= 1
    (tmp_path / "false").write_bytes(data)
    said = refused(Exit.VERIFICATION_NO, "ledger", "import", tmp_path / "false", "--home", home.path)
    assert f"block 6 at byte {at}: " in said
    assert "seal" in said
    assert "the chain here ends with block 5: do not trust this file" in said
    assert height(home, tmp_path) == 5


def test_what_is_no_file_of_blocks_is_usage(home: Home, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("blocks, they said\n")
    said = refused(Exit.USAGE, "ledger", "import", tmp_path / "text", "--home", home.path)
    assert "at byte 0, at the beginning: found 0x62, expected a block" in said
    (tmp_path / "empty").write_bytes(b"")
    assert "empty" in refused(Exit.USAGE, "ledger", "import", tmp_path / "empty", "--home", home.path)
    refused(Exit.USAGE, "ledger", "import", tmp_path / "nowhere", "--home", home.path)


def test_no_flipped_byte_gets_in(founded: Founded, home: Home, tmp_path: Path) -> None:
    """Wherever a byte is another, the import ends at that block with a code of a false, cut or foreign file."""
    whole, choice = founded.file.read_bytes(), random.Random(20261)
    for place in [0, 1, *(choice.randrange(len(whole)) for _ in range(40)), len(whole) - 1]:
        data = bytearray(whole)
        data[place] ^= 1 << choice.randrange(8)
        (tmp_path / "flipped").write_bytes(data)
        number = max(number for number in range(BLOCKS + 1) if founded.start_of(number) <= place)
        shutil.rmtree(home.data, ignore_errors=True)
        answer = cocket("ledger", "import", tmp_path / "flipped", "--home", home.path, "--json")
        assert answer.code in (Exit.FAILED, Exit.USAGE, Exit.REFUSED, Exit.VERIFICATION_NO), f"byte {place}: {answer}"
        assert height(home, tmp_path) == max(0, number - 1), f"byte {place}: {answer}"


def test_an_import_that_is_stopped_goes_on(
    founded: Founded, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at a block: what was imported before is on the disk, and the same command goes on."""
    whole = Importer.import_block

    def stopped_at_six(importer: Importer, block: Block, now_s: int | None = None, *, sync: bool = True) -> Header:
        if block.header.number == 6:
            signal.raise_signal(signal.SIGINT)
        return whole(importer, block, now_s, sync=sync)

    with monkeypatch.context() as patch:
        patch.setattr(Importer, "import_block", stopped_at_six)
        said = refused(Exit.FAILED, "ledger", "import", founded.file, "--home", home.path)
    assert "stopped; the chain here ends with block 5: the same command goes on from there" in said
    answer = done("ledger", "import", founded.file, "--home", home.path)
    assert (answer["imported"], answer["passed_over"]) == (BLOCKS - 5, 6)


def test_a_home_in_use_is_left_alone(founded: Founded, home: Home, tmp_path: Path) -> None:
    with DataFolder(home.data):
        for arguments in (("import", founded.file), ("export", "--out", tmp_path / "x")):
            (home.data / "chain").mkdir(exist_ok=True)
            said = refused(Exit.REFUSED, "ledger", *arguments, "--home", home.path)
            assert f"the node with process id {os.getpid()} uses it: stop that one first" in said
    assert list((home.data / "chain").iterdir()) == []
    assert not (tmp_path / "x").exists()


def test_a_running_node_s_chain_moves_when_it_has_stopped(tmp_path: Path) -> None:
    trial = Trial(tmp_path, "NL")
    node, home, out = trial["NL"], trial.homes["NL"], tmp_path / "nl.blocks"
    shutil.copytree(home.path, tmp_path / "copy")
    try:
        trial.start()
        trial.wait_height(2)
        said = refused(Exit.REFUSED, "ledger", "export", "--home", home.path, "--out", out)
        assert "uses it: stop that one first" in said
        assert not out.exists()
    finally:
        stop_all([node])
    last = done("ledger", "export", "--home", home.path, "--out", out)["last"]
    assert isinstance(last, int)
    assert last >= 2
    assert done("ledger", "import", out, "--home", tmp_path / "copy")["height"] == last


def test_long_work_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = iter([100.0, 101.0, 104.0, 110.0])
    progress = make_progress(lambda number, _: (number, 1000), "blocks", lambda: next(now_s))
    progress(50, 0)
    progress(200, 0)
    progress(500, 0)
    assert capsys.readouterr().err.splitlines() == [
        "block 200: 20 %, 50 blocks/s, 16 s left",
        "block 500: 50 %, 50 blocks/s, 10 s left",
    ]
