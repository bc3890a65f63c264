"""Streams: the in-memory one and the real one pass the same tests."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cocket.network.errors import TransportFault
from cocket.network.pipe import PipeTransport
from cocket.network.tcp import TcpTransport
from cocket.network.transport import WRITE_BUFFER_BYTES, Stream, Transport

Run = Callable[[Coroutine[Any, Any, None]], None]


class Ear:
    """A receiver that keeps what it hears."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.heard = bytearray()
        self.closings: list[str] = []
        self.resumptions = 0
        self._news = asyncio.Event()
        stream.start(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._news.set()

    def writing_resumed(self) -> None:
        self.resumptions += 1
        self._news.set()

    def stream_closed(self, detail: str) -> None:
        self.closings.append(detail)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._news.clear()
                await self._news.wait()


async def join(transport: Transport) -> tuple[Ear, Ear]:
    arrived: asyncio.Queue[Stream] = asyncio.Queue()
    listener = await transport.listen("127.0.0.1", 0, arrived.put_nowait)
    near = Ear(await transport.dial("127.0.0.1", listener.port))
    far = Ear(await arrived.get())
    await listener.close()
    return near, far


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, run_real: Run, run_uvloop: Run) -> Run:
    return run_real if request.param == "asyncio" else run_uvloop


@pytest.mark.parametrize("make", [PipeTransport, TcpTransport])
class TestTransport:
    def test_bytes_arrive_in_order_both_ways(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            near, far = await join(make())
            near.stream.write(b"ab")
            near.stream.write(b"cd")
            far.stream.write(b"xy")
            await far.until(lambda: len(far.heard) == 4)
            await near.until(lambda: len(near.heard) == 2)
            assert far.heard == b"abcd"
            assert near.heard == b"xy"
            near.stream.close()
            await far.until(lambda: bool(far.closings))

        run(scene())

    def test_close_delivers_what_was_written_and_tells_both_once(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            near, far = await join(make())
            near.stream.write(b"last words")
            near.stream.close()
            near.stream.close()
            near.stream.write(b"too late")
            await far.until(lambda: bool(far.closings))
            await near.until(lambda: bool(near.closings))
            assert far.heard == b"last words"
            far.stream.write(b"nobody hears")
            far.stream.close()
            far.stream.abort()
            await asyncio.sleep(0)
            assert len(near.closings) == len(far.closings) == 1

        run(scene())

    def test_abort_tells_both(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            near, far = await join(make())
            far.stream.abort()
            await near.until(lambda: bool(near.closings))
            await far.until(lambda: bool(far.closings))
            assert not near.stream.is_writable

        run(scene())

    def test_paused_reader_hears_nothing_and_the_writer_notices(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            near, far = await join(make())
            far.stream.pause_reading()
            sent = 0
            assert near.stream.is_writable
            while near.stream.is_writable:
                near.stream.write(bytes(WRITE_BUFFER_BYTES))
                sent += WRITE_BUFFER_BYTES
                await asyncio.sleep(0)
                assert sent < 1 << 28, "a writer that is never told to stop"
            assert near.resumptions == 0
            far.stream.resume_reading()
            await near.until(lambda: near.resumptions == 1)
            assert near.stream.is_writable
            await far.until(lambda: len(far.heard) == sent)
            near.stream.close()
            await far.until(lambda: bool(far.closings))

        run(scene())

    def test_nothing_is_delivered_before_start(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            arrived: asyncio.Queue[Stream] = asyncio.Queue()
            transport = make()
            listener = await transport.listen("127.0.0.1", 0, arrived.put_nowait)
            near = Ear(await transport.dial("127.0.0.1", listener.port))
            near.stream.write(b"early")
            stream = await arrived.get()
            await asyncio.sleep(0)
            far = Ear(stream)
            await far.until(lambda: far.heard == b"early")
            near.stream.abort()
            await far.until(lambda: bool(far.closings))
            await listener.close()

        run(scene())

    def test_nobody_there(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            transport = make()
            listener = await transport.listen("127.0.0.1", 0, lambda stream: stream.abort())
            port = listener.port
            await listener.close()
            with pytest.raises(TransportFault, match=f"cannot reach 127.0.0.1:{port}"):
                await transport.dial("127.0.0.1", port)

        run(scene())

    def test_taken_address(self, make: Callable[[], Transport], run: Run) -> None:
        async def scene() -> None:
            transport = make()
            listener = await transport.listen("127.0.0.1", 0, lambda stream: stream.abort())
            with pytest.raises(TransportFault, match="cannot listen"):
                await transport.listen("127.0.0.1", listener.port, lambda stream: stream.abort())
            await listener.close()

        run(scene())
