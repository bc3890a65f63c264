"""HTTPS in front of a vault or custodian: its calls by POST, and two pages that tell who answers and whether it does.

Calls run in a few threads, for they wait for the disk and the node; when all are busy and as many wait as may, further
ones are turned away at once. A NodeFault is handed to who runs the server: it stops. What goes wrong is told to the
caller in few words, and to the operator's log in full.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from json import dumps

from starlette.types import Receive, Scope, Send

from cocket.attestation.errors import AttestationError
from cocket.attestation.reading.exchange import CALL_BYTES_MAX, Refusal, encode_refusal
from cocket.node.errors import Damaged, NodeError, NodeFault
from cocket.node.http_server import (
    JSON_HEADERS,
    TEXT_HEADERS,
    HttpLimits,
    HttpRefusal,
    check_json,
    headers_of,
    read_body,
    send_response,
)
from cocket.node.vault.connection import HEALTH_PATH
from cocket.node.vault.declined import Declined

THREADS = 8
WAITING_MAX = 64
"""Calls that wait for a thread: about half a second's work."""
LIMITS = HttpLimits(body_bytes_max=CALL_BYTES_MAX, connections_max=128)

ABOUT_PATH = "/v1/about"


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a call, for the operator's log; ``trouble`` is the keeper's own, not the caller's."""

    status: HTTPStatus
    text: str
    trouble: NodeError | None = None


class KeeperApp:
    """The ASGI application of one vault or custodian."""

    def __init__(
        self,
        answers: Mapping[str, Callable[[bytes], bytes]],
        about: dict[str, object],
        health: Callable[[], str | None],
        on_answered: Callable[[Answered], None],
    ) -> None:
        """Take what answers at each path; ``health`` says what keeps it from answering, None when nothing does."""
        self._answers = dict(answers)
        self._about = dumps(about).encode()
        self._health = health
        self._on_answered = on_answered
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keeper")
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            status, body = await self._respond(scope, receive)
        except HttpRefusal as refusal:
            await send_response(send, refusal.status, TEXT_HEADERS, refusal.text.encode() + b"\n")
            return
        await send_response(send, status, JSON_HEADERS, body)

    def close(self) -> None:
        """Let running calls end, and start no more."""
        self._threads.shutdown(cancel_futures=True)

    async def _respond(self, scope: Scope, receive: Receive) -> tuple[HTTPStatus, bytes]:
        method, path, headers = scope["method"], scope["path"], headers_of(scope)
        if method == "GET" and path == ABOUT_PATH:
            return HTTPStatus.OK, self._about
        if method == "GET" and path == HEALTH_PATH:
            problem = self._health()
            status = HTTPStatus.OK if problem is None else HTTPStatus.SERVICE_UNAVAILABLE
            return status, dumps({"answers": problem is None, "problem": problem}).encode()
        answer = self._answers.get(path)
        if answer is None:
            raise HttpRefusal(404, f"{' and '.join(self._answers)} are what is answered here, by POST")
        if method != "POST":
            raise HttpRefusal(405, f"{path} is called by POST")
        check_json(headers.get(b"content-type", b""))
        return await self._call(answer, await read_body(LIMITS, headers.get(b"content-length"), receive))

    async def _call(self, answer: Callable[[bytes], bytes], body: bytes) -> tuple[HTTPStatus, bytes]:
        if self._running >= THREADS + WAITING_MAX:
            return self._told(HTTPStatus.SERVICE_UNAVAILABLE, Refusal("busy: try again in a moment"))
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._outcome, answer, body)
        finally:
            self._running -= 1

    def _outcome(self, answer: Callable[[bytes], bytes], body: bytes) -> tuple[HTTPStatus, bytes]:
        try:
            answered = answer(body)
        except Declined as error:
            return self._told(error.status, error.refusal)
        except AttestationError as error:
            return self._told(HTTPStatus.BAD_REQUEST, Refusal(str(error)[:400]))
        except NodeError as error:
            text = "the record is damaged here" if isinstance(error, Damaged) else "it cannot answer now"
            return self._told(HTTPStatus.SERVICE_UNAVAILABLE, Refusal(f"{text}: its operator is told why"), error)
        except Exception as error:  # a fault of ours: nothing is answered, and the service stops
            fault = NodeFault(f"{type(error).__name__}: {error}")
            return self._told(HTTPStatus.INTERNAL_SERVER_ERROR, Refusal("a fault of the service"), fault)
        self._on_answered(Answered(HTTPStatus.OK, "given"))
        return HTTPStatus.OK, answered

    def _told(self, status: HTTPStatus, refusal: Refusal, trouble: NodeError | None = None) -> tuple[HTTPStatus, bytes]:
        self._on_answered(Answered(status, refusal.text, trouble))
        return status, encode_refusal(refusal)
