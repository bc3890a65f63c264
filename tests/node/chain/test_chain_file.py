"""Chains carried in files: whole, cut, damaged, of another chain, and with planted breaches."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.chains import RECORDER, Chain, set_slot

from cocket.node.chain import chain_file
from cocket.node.chain.block import Block, encode_block
from cocket.node.chain.chain_file import CutFile, ForeignChain, export_file, import_file, read_blocks
from cocket.node.errors import InvalidBlock, NodeFault, Refused
from cocket.node.store.level import LevelStore


@pytest.fixture(scope="module")
def grown() -> Chain:
    chain = Chain(is_contract_mode=True, has_permission=True)
    for value in range(1, 8):
        chain.extend(*[user.sign(RECORDER, set_slot(value, value)) for user in chain.users[: value % 3]])
    return chain


def empty() -> Chain:
    return Chain(is_contract_mode=True, has_permission=True)


def blocks_of(chain: Chain) -> list[Block]:
    return [block for number in range(8) if (block := chain.ledger.block_by_number(number)) is not None]


def test_a_chain_goes_out_and_comes_in(grown: Chain, tmp_path: Path) -> None:
    path, node, seen = tmp_path / "chain.rlp", empty(), []
    assert export_file(grown.ledger, path) == 8
    assert [block for _, block in read_blocks(path)] == blocks_of(grown)
    assert import_file(node.importer, node.ledger, path, lambda *place: seen.append(place)) == 7
    ends = [at for at, _ in read_blocks(path)][1:]
    assert seen == list(enumerate([*ends, path.stat().st_size]))
    assert node.head == grown.head
    assert import_file(node.importer, node.ledger, path) == 0


def test_a_part_goes_out(grown: Chain, tmp_path: Path) -> None:
    node = empty()
    assert export_file(grown.ledger, tmp_path / "one", 1, 3) == 3
    assert export_file(grown.ledger, tmp_path / "two", 4) == 4
    with pytest.raises(Refused, match=r"begins with block 4, .* ends with block 0: import blocks 1 to 3 first"):
        import_file(node.importer, node.ledger, tmp_path / "two")
    assert import_file(node.importer, node.ledger, tmp_path / "one") == 3
    assert import_file(node.importer, node.ledger, tmp_path / "two") == 4
    assert node.head == grown.head


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (3, 2), (0, 99)])
def test_blocks_that_are_not_there_do_not_go_out(grown: Chain, tmp_path: Path, first: int, last: int) -> None:
    with pytest.raises(Refused, match="the chain has 0 to 7"):
        export_file(grown.ledger, tmp_path / "chain.rlp", first, last)
    assert not (tmp_path / "chain.rlp").exists()


def test_an_existing_file_is_not_overwritten(grown: Chain, tmp_path: Path) -> None:
    (tmp_path / "chain.rlp").write_bytes(b"mine")
    with pytest.raises(Refused, match="another name"):
        export_file(grown.ledger, tmp_path / "chain.rlp")
    assert (tmp_path / "chain.rlp").read_bytes() == b"mine"
    with pytest.raises(NodeFault, match="nothing was exported"):
        export_file(grown.ledger, tmp_path / "nowhere" / "chain.rlp")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        list(read_blocks(tmp_path / "none"))


def write(path: Path, blocks: list[Block]) -> Path:
    path.write_bytes(b"".join(encode_block(block) for block in blocks))
    return path


def test_a_chain_of_another_genesis_is_refused(grown: Chain, tmp_path: Path) -> None:
    path = write(tmp_path / "chain.rlp", blocks_of(grown))
    other = Chain(3)
    with pytest.raises(ForeignChain, match="another network: its block 0 is 0x"):
        import_file(other.importer, other.ledger, path)
    with pytest.raises(ForeignChain, match="another network: its first block, 1, follows on 0x"):
        import_file(other.importer, other.ledger, write(path, blocks_of(grown)[1:]))
    assert other.head.number == 0


def test_a_block_that_is_here_is_compared_whole(grown: Chain, tmp_path: Path) -> None:
    blocks = blocks_of(grown)
    resealed = grown.seal(blocks[5], grown.keys[1:])
    assert import_file(grown.importer, grown.ledger, write(tmp_path / "seals", [blocks[4], resealed])) == 0
    for planted in (replace(blocks[5], transactions=()), replace(blocks[4], transactions=blocks[5].transactions)):
        with pytest.raises(InvalidBlock, match=r"block \d at byte .* its transactions are not those of 0x"):
            import_file(grown.importer, grown.ledger, write(tmp_path / "body", [blocks[3], planted]))
    other = grown.seal(replace(blocks[5], header=replace(blocks[5].header, gas_used=1)))
    with pytest.raises(InvalidBlock, match=r"block 5 at byte .* is final here"):
        import_file(grown.importer, grown.ledger, write(tmp_path / "header", [blocks[4], other]))


def test_an_export_that_fails_leaves_no_file(grown: Chain, tmp_path: Path) -> None:
    def stop(number: int, _end: int) -> None:
        if number == 4:
            assert not (tmp_path / "chain.rlp").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_file(grown.ledger, tmp_path / "chain.rlp", progress=stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".chain.rlp.partial").write_bytes(b"what a killed export left")
    export_file(grown.ledger, tmp_path / "chain.rlp")
    assert [path.name for path in tmp_path.iterdir()] == ["chain.rlp"]
    assert (tmp_path / "chain.rlp").stat().st_mode & 0o777 == 0o600


PLANTS: dict[str, tuple[dict[str, object], str]] = {
    "state": ({"state_root": bytes(32)}, "state root"),
    "receipts": ({"receipts_root": bytes(32)}, "receipts root"),
    "bloom": ({"logs_bloom": b"\x01" * 256}, "logs bloom"),
    "gas": ({"gas_used": 1}, "gas used"),
    "transactions": ({"transactions_root": bytes(32)}, "transactionsRoot"),
    "time": ({"timestamp": 0}, "timestamp"),
    "parent": ({"parent_hash": bytes(32)}, "parent"),
    "fee": ({"base_fee_per_gas": 9}, "baseFeePerGas"),
    "proposer": ({"coinbase": b"\x01" * 20}, "coinbase"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_breach_stops_the_import_at_its_block(grown: Chain, tmp_path: Path, plant: str) -> None:
    fields, reason = PLANTS[plant]
    blocks, node = blocks_of(grown), empty()
    blocks[5] = grown.seal(replace(blocks[5], header=replace(blocks[5].header, **fields)))  # type: ignore[arg-type]
    at = sum(len(encode_block(block)) for block in blocks[:5])
    with pytest.raises(InvalidBlock, match=rf"chain.rlp: block 5 at byte {at}: .*{reason}"):
        import_file(node.importer, node.ledger, write(tmp_path / "chain.rlp", blocks))
    assert node.head.number == 4


def test_planted_seals_stop_the_import(grown: Chain, tmp_path: Path) -> None:
    blocks, node = blocks_of(grown), empty()
    blocks[2] = grown.seal(blocks[2], grown.keys[:2])
    with pytest.raises(InvalidBlock, match=r"block 2 at byte .* found 2 seals"):
        import_file(node.importer, node.ledger, write(tmp_path / "chain.rlp", blocks))
    assert node.head.number == 1


def test_a_file_that_is_cut_off_says_so(grown: Chain, tmp_path: Path) -> None:
    path = write(tmp_path / "chain.rlp", blocks_of(grown))
    whole = path.read_bytes()
    for cut in (1, 2, 100, len(encode_block(blocks_of(grown)[7])) - 1):
        node = empty()
        path.write_bytes(whole[:-cut])
        with pytest.raises(CutFile, match="after block 6: found the end of the file within a block"):
            import_file(node.importer, node.ledger, path)
        assert node.head.number == 6


def test_an_oversized_block_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "chain.rlp"
    path.write_bytes(b"\xfb\xff\xff\xff\xff")
    with pytest.raises(InvalidBlock, match=f"4294967295 bytes, expected at most {chain_file.BLOCK_BYTES_MAX}"):
        list(read_blocks(path))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_file_is_read_or_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "any").write_bytes(data)
    if data:
        with pytest.raises(InvalidBlock):
            list(read_blocks(tmp_path / "any"))
    else:
        assert list(read_blocks(tmp_path / "any")) == []


def test_syncs_come_every_so_many_blocks(grown: Chain, tmp_path: Path) -> None:
    path = write(tmp_path / "chain.rlp", blocks_of(grown))
    node = Chain(is_contract_mode=True, has_permission=True, store=LevelStore(tmp_path / "store"))
    assert import_file(node.importer, node.ledger, path, sync_every=3) == 7
    assert node.store._layers == ()  # type: ignore[attr-defined]
    node.ledger.close()
    node.open(LevelStore(tmp_path / "store"))
    assert node.head == grown.head
    node.ledger.close()


CHILD = """
import sys
from pathlib import Path
from ledger.chains import Chain
from cocket.node.chain.chain_file import import_file
from cocket.node.store.level import LevelStore
node = Chain(is_contract_mode=True, has_permission=True, store=LevelStore(Path(sys.argv[1])))
print(node.head.number, flush=True)
file, sync_every = Path(sys.argv[2]), int(sys.argv[3])
import_file(node.importer, node.ledger, file, lambda n, _: print(n, flush=True), sync_every=sync_every)
sys.stdin.read()
"""


@pytest.mark.parametrize(("sync_every", "kill_after"), [(1, 1), (1, 4), (3, 5)])
def test_a_killed_import_goes_on_where_it_was(grown: Chain, tmp_path: Path, sync_every: int, kill_after: int) -> None:
    """kill -9 in the middle of writing blocks: every block that was synced is there, whole, and the rest follows."""
    path, store = write(tmp_path / "chain.rlp", blocks_of(grown)), tmp_path / "store"
    arguments = [sys.executable, "-c", CHILD, str(store), str(path), str(sync_every)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "0\n"
        done = 0
        while done < kill_after:
            done = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
    node = Chain(is_contract_mode=True, has_permission=True, store=LevelStore(store))
    assert node.head.number >= done - done % sync_every
    assert node.head == grown.ledger.header_by_number(node.head.number)
    left = 7 - node.head.number
    assert import_file(node.importer, node.ledger, path) == left
    assert node.head == grown.head
    assert node.storage(RECORDER, 5) == grown.storage(RECORDER, 5)
    node.ledger.close()


FULL = """
import resource, signal, sys
from pathlib import Path
from ledger.chains import Chain
from cocket.node.chain.chain_file import import_file
from cocket.node.errors import NodeFault
from cocket.node.store.level import LevelStore
node = Chain(is_contract_mode=True, has_permission=True, store=LevelStore(Path(sys.argv[1])))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (14_000, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        import_file(node.importer, node.ledger, Path(sys.argv[2]), sync_every=1)
    except NodeFault as fault:
        print(node.head.number, fault, flush=True)
"""


def test_a_full_disk_stops_the_import_and_with_room_it_goes_on(grown: Chain, tmp_path: Path) -> None:
    """No file may grow further, as on a full disk: the write fails, none follows, and whole blocks stay."""
    path, store = write(tmp_path / "chain.rlp", blocks_of(grown)), tmp_path / "store"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    arguments = [sys.executable, "-c", FULL, str(store), str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=True)
    first, second = done.stdout.splitlines()
    number = int(first.split()[0])
    assert 0 < number < 7
    assert "a write failed" in first
    assert "make room on the disk" in first
    assert "no write after a failed one" in second
    node = Chain(is_contract_mode=True, has_permission=True, store=LevelStore(store))
    assert node.head.number == number
    assert import_file(node.importer, node.ledger, path) == 7 - number
    assert node.head == grown.head
    node.ledger.close()
