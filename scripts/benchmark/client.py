"""A light JSON-RPC client: one kept-alive connection, one request at a time, so that it takes little of the cores."""

import asyncio
import json
from urllib.parse import urlsplit

ANSWER_TIMEOUT_S = 30


class RpcError(Exception):
    """The node answered with an error."""


class Connection:
    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        assert where.hostname
        assert where.port
        self._address = (where.hostname, where.port)
        self._head = f"POST / HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n".encode()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection(*self._address, limit=1 << 26)
        return self

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def request(self, method: str, *params: object) -> bytes:
        """Return the bytes of a request, to be made before the clock runs."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        return b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)

    async def ask(self, method: str, *params: object) -> object:
        return await self.exchange(self.request(method, *params))

    async def exchange(self, request: bytes) -> object:
        """Send a request and return its result. Raises RpcError, OSError, TimeoutError."""
        assert self._reader is not None
        assert self._writer is not None
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
            body = await self._reader.readexactly(lengths[0])
        if b" 200 " not in lines[0]:
            raise RpcError(f"{lines[0].decode()}: {body[:200].decode(errors='replace')}")
        answer = json.loads(body)
        if "error" in answer:
            raise RpcError(str(answer["error"]))
        return answer["result"]
