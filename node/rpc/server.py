"""HTTP and WebSocket in front of the JSON-RPC endpoint, inside an event loop that somebody else runs.

It never takes a signal, writes a log or reads a body beyond its limit.
Refused before JSON-RPC is reached: foreign ``Host`` names (DNS rebinding), any foreign ``Origin`` on a WebSocket, other
content types than JSON (so that a web page needs a CORS preflight, which is never granted), oversized or slow requests.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from cocket.node.http_server import (
    JSON_HEADERS,
    TEXT_HEADERS,
    HttpRefusal,
    check_json,
    headers_of,
    read_body,
    send_response,
)
from cocket.node.rpc.endpoint import Endpoint
from cocket.node.rpc.limits import DEFAULT_LIMITS, Limits
from cocket.node.rpc.subscriptions import Subscriber, SubscriptionHub

Page: TypeAlias = BaseRoute
"""A page beside JSON-RPC, as Starlette knows it."""

LOOPBACK_NAMES = ("localhost",)

CHECKED_HOSTS_MAX = 64
"""Allowed ``Host`` values that are remembered, so that they are not parsed again for each request."""

WEBSOCKET_POLICY_VIOLATION = 1008
WEBSOCKET_TRY_AGAIN = 1013


class RpcApp:
    """The ASGI application: POST / and WebSocket / are JSON-RPC; the rest are a few pages for people and probes."""

    def __init__(
        self,
        endpoint: Endpoint,
        hub: SubscriptionHub,
        health: Callable[[], dict[str, object]],
        metrics: Callable[[], bytes] = bytes,
        limits: Limits = DEFAULT_LIMITS,
        allowed_hosts: Iterable[str] = LOOPBACK_NAMES,
        routes: Iterable[Page] = (),
    ) -> None:
        self._endpoint = endpoint
        self._hub = hub
        self._health = health
        self._metrics = metrics
        self._limits = limits
        self._allowed_hosts = frozenset(name.lower() for name in allowed_hosts)
        self._checked_hosts: set[bytes | None] = set()
        own = [Route("/", self._about), Route("/health", self._answer_health), Route("/metrics", self._answer_metrics)]
        self._pages = Starlette(routes=[*own, *routes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request (ASGI 3)."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        headers = headers_of(scope)
        try:
            self._check_host(headers.get(b"host"))
            if scope["method"] == "POST" and scope["path"] == "/":
                check_json(headers.get(b"content-type", b""))
                body = await read_body(self._limits, headers.get(b"content-length"), receive)
            else:
                await self._pages(scope, receive, send)
                return
        except HttpRefusal as refusal:
            await send_response(send, refusal.status, TEXT_HEADERS, refusal.text.encode() + b"\n")
            return
        answer = await self._endpoint.answer(body)
        if answer is None:
            await send_response(send, 204, [], b"")
        else:
            await send_response(send, 200, JSON_HEADERS, answer)

    def _check_host(self, host: bytes | None) -> None:
        """Refuse a ``Host`` that is a name we were not told of: only names can be rebound, addresses cannot."""
        if host in self._checked_hosts:
            return
        if host is None:
            raise HttpRefusal(400, "the Host header is missing")
        name = _host_name(host.decode("latin-1").lower())
        if name not in self._allowed_hosts and not _is_ip_address(name):
            raise HttpRefusal(
                403, "this Host name is not allowed; use an address, or add the name to the configuration"
            )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = headers_of(scope)
        try:
            self._check_host(headers.get(b"host"))
            if b"origin" in headers:
                raise HttpRefusal(403, "web pages of other origins may not connect")
            if scope["path"] != "/":
                raise HttpRefusal(404, "JSON-RPC over WebSocket is at /")
        except HttpRefusal:
            await send({"type": "websocket.close", "code": WEBSOCKET_POLICY_VIOLATION})
            return
        await send({"type": "websocket.accept"})
        subscriber = self._hub.connect()
        writer = asyncio.create_task(_write_messages(subscriber, send))
        reader = asyncio.create_task(self._read_messages(subscriber, receive))
        dropped = asyncio.create_task(subscriber.dropped())
        tasks = (writer, reader, dropped)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.disconnect(subscriber)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if subscriber.is_dropped:
                with contextlib.suppress(Exception):
                    await send({"type": "websocket.close", "code": WEBSOCKET_TRY_AGAIN})

    async def _read_messages(self, subscriber: Subscriber, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            body = text.encode() if isinstance(text, str) else message.get("bytes") or b""
            answer = await self._endpoint.answer(body, subscriber.dispatcher)
            if answer is not None:
                await subscriber.send(answer)

    async def _about(self, _request: Request) -> Response:
        return PlainTextResponse(
            "A Cocket node. POST JSON-RPC 2.0 requests to this address (content-type: application/json),\n"
            "or open a WebSocket here. GET /health says how the node does; GET /metrics is for Prometheus.\n"
        )

    async def _answer_health(self, _request: Request) -> Response:
        return JSONResponse(self._health())

    async def _answer_metrics(self, _request: Request) -> Response:
        return Response(self._metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _write_messages(subscriber: Subscriber, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
    async for message in subscriber.messages():
        await send({"type": "websocket.send", "text": message.decode()})
