"""Python imports this by itself where its folder is on PYTHONPATH: a node made ill as it runs (`e2e.ailments`)."""

import json
import os
import time
from pathlib import Path

from cocket.network.errors import TransportFault
from cocket.network.tcp import TcpTransport
from cocket.network.transport import Stream
from cocket.node.chain.block import Block
from cocket.node.chain.header import Header
from cocket.node.chain.importer import Importer

_file = Path(os.environ["COCKET_TEST_AILMENT"])
_time, _time_ns, _dial, _import_block = time.time, time.time_ns, TcpTransport.dial, Importer.import_block


def _clock_s() -> int:
    return int(json.loads(_file.read_text())["clock_s"])


async def _dial_or_fail(transport: TcpTransport, host: str, port: int) -> Stream:
    if port in json.loads(_file.read_text())["cut_ports"]:
        raise TransportFault(f"cannot reach {host}:{port}: no route to host")
    return await _dial(transport, host, port)


def _import_slowly(importer: Importer, block: Block, now_s: int | None = None, *, sync: bool = True) -> Header:
    time.sleep(json.loads(_file.read_text())["import_s"])
    return _import_block(importer, block, now_s, sync=sync)


time.time = lambda: _time() + _clock_s()
time.time_ns = lambda: _time_ns() + _clock_s() * 1_000_000_000
TcpTransport.dial = _dial_or_fail  # type: ignore[method-assign]
Importer.import_block = _import_slowly  # type: ignore[method-assign]
