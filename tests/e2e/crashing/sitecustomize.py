"""Python imports this by itself where its folder is on PYTHONPATH: death at a write of a node's own (`e2e.crashes`)."""

import os
import signal
from collections.abc import Callable

from cocket.node.store import disk, level

_left = int(os.environ["COCKET_TEST_WRITES"])
_record = os.open(os.environ["COCKET_TEST_RECORD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _count(name: str) -> None:
    global _left
    os.write(_record, f"{name}\n".encode())
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _left -= 1


def _watch(owner: type, name: str, called: str) -> None:
    write: Callable[..., object] = getattr(owner, name)

    def counted(*arguments: object, **named: object) -> object:
        _count(called)
        return write(*arguments, **named)

    setattr(owner, name, counted)


_watch(disk._RealFile, "append", "journal append")
_watch(disk._RealFile, "sync", "journal sync")
_watch(disk._RealFile, "truncate", "journal truncate")
_watch(disk.RealDisk, "rename", "journal rename")
_watch(disk.RealDisk, "sync_folder", "folder sync")
_watch(level.LevelStore, "_write_down", "block commit")
