import os
import subprocess
import sys
from pathlib import Path

import pytest

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.home import DataFolder


def test_one_node_has_the_folder(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        assert folder.chain == tmp_path / "data" / "chain"
        assert folder.journal == tmp_path / "data" / "journal"
        with pytest.raises(Refused, match=rf"process id {os.getpid()} uses it"):
            DataFolder(tmp_path / "data")
    again = DataFolder(tmp_path / "data")
    again.release()
    again.release()


def test_a_dead_process_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom cocket.node.store.home import DataFolder\n"
        "folder = DataFolder(Path(sys.argv[1]))\nprint('locked', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        with pytest.raises(Refused, match=rf"process id {child.pid}"):
            DataFolder(tmp_path)
        child.kill()
        child.wait()
    DataFolder(tmp_path).release()


def test_only_the_owner_may_enter_a_new_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    DataFolder(tmp_path / "home" / "data").release()
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "home", tmp_path / "home" / "data")] == [0o700, 0o700]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o700])
def test_a_folder_that_others_may_enter_is_closed_to_them(tmp_path: Path, mode: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    DataFolder(data).release()
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_somebody_else_s_folder_keeps_its_mode(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o770)
    os.chown(data, 12345, -1)
    DataFolder(data).release()
    assert data.stat().st_mode & 0o777 == 0o770


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NodeFault, match="writable"):
        DataFolder(tmp_path / "file" / "data")
