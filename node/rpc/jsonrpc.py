"""JSON-RPC 2.0 without input or output: bytes of a body to calls, calls to bytes of an answer.

This part alone knows the shape of requests, batches and answers. It never opens a socket, waits, or starts a thread:
it says of each call whether it is light (done at once), a read or heavy (each has its thread) or deferred (await its
result), and the endpoint does so.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from cocket.node.rpc.encoding import shown
from cocket.node.rpc.errors import InvalidParams, InvalidRequest, LimitExceeded, MethodNotFound, ParseError, RpcError
from cocket.node.rpc.nesting import is_nested_deeper

RequestId = int | str | None

ID_CHARACTERS_MAX: Final = 256
"""A request's id is echoed, so it may not be a second body."""


class Weight(Enum):
    """Where a call may run."""

    LIGHT = "light"
    """Microseconds: performed at once, on the event loop."""
    READ = "read"
    """Milliseconds of reading and decoding: performed on the reader thread."""
    HEAVY = "heavy"
    """May take seconds: performed on the worker thread, under a deadline."""
    DEFERRED = "deferred"
    """The handler returns an awaitable of the result."""


class Required(Enum):
    """The default of a parameter that has none."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


@dataclass(frozen=True, slots=True)
class Parameter:
    """One positional parameter: its name, how it is read, and its value when it is left out or null."""

    name: str
    parse: Callable[[object], object]
    default: object = REQUIRED


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its name, its parameters and its handler, which takes them in order.

    ``weight`` is a ``Weight``, or a function of the parsed parameters that gives one (a balance at the head is light,
    one of history is heavy).
    """

    name: str
    handler: Callable[..., object]
    parameters: tuple[Parameter, ...] = ()
    weight: Weight | Callable[..., Weight] = Weight.LIGHT


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be performed: its method is known and its parameters are read."""

    id: RequestId
    is_notification: bool
    method: Method
    arguments: tuple[object, ...]

    @property
    def weight(self) -> Weight:
        """Where this call may run."""
        weight = self.method.weight
        return weight if isinstance(weight, Weight) else weight(*self.arguments)

    def perform(self) -> bytes:
        """Return the result as JSON. Raises whatever the handler raises."""
        return msgspec.json.encode(self.method.handler(*self.arguments))

    def start(self) -> Awaitable[object]:
        """Start a deferred call and return what to await."""
        started = self.method.handler(*self.arguments)
        assert isinstance(started, Awaitable), f"{self.method.name} is deferred but returned no awaitable"
        return started


class Failure(NamedTuple):
    """A request that cannot be performed: answered with its error, unless it is a notification."""

    id: RequestId
    is_notification: bool
    error: RpcError


class Parsed(NamedTuple):
    """A body: its requests in order, and whether they came as a batch (and so are answered as one)."""

    requests: tuple[Call | Failure, ...]
    is_batch: bool


_WireId = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | Annotated[str, msgspec.Meta(max_length=ID_CHARACTERS_MAX)]
)


class _Request(msgspec.Struct, frozen=True):
    method: str
    jsonrpc: Literal["2.0"]
    id: _WireId | msgspec.UnsetType | None = msgspec.UNSET
    params: list[object] | dict[str, object] | None = None


class _OnlyId(msgspec.Struct, frozen=True):
    id: _WireId | None = None


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what it cannot read; UnicodeDecodeError for bytes in a string that are not UTF-8."""

_decode_request = msgspec.json.Decoder(_Request).decode
_decode_only_id = msgspec.json.Decoder(_OnlyId).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.encode


class Dispatcher:
    """The methods by name; reads bodies into calls."""

    def __init__(self, methods: Iterable[Method], batch_length_max: int) -> None:
        self._methods: dict[str, Method] = {}
        for method in methods:
            assert method.name not in self._methods, f"two methods are named {method.name}"
            self._methods[method.name] = method
        self._batch_length_max = batch_length_max

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods by name."""
        return self._methods

    def with_methods(self, methods: Iterable[Method]) -> "Dispatcher":
        """Return a dispatcher with more methods; a method of the same name gives way."""
        more = tuple(methods)
        names = {method.name for method in more}
        kept = (method for method in self._methods.values() if method.name not in names)
        return Dispatcher((*kept, *more), self._batch_length_max)

    def parse(self, body: bytes) -> Parsed:
        """Return the requests of a body. Never raises: what is wrong becomes a ``Failure`` in its place."""
        if is_nested_deeper(body):
            return Parsed((Failure(None, False, InvalidRequest("the request is nested too deeply")),), False)
        if body.lstrip(b" \t\r\n")[:1] != b"[":
            return Parsed((self._parse_one(body),), False)
        try:
            items = _decode_batch(body)
        except _UNREADABLE as error:
            return Parsed((Failure(None, False, _malformed(error)),), False)
        if not items:
            return Parsed((Failure(None, False, InvalidRequest("the batch is empty")),), False)
        if len(items) > self._batch_length_max:
            message = f"the batch has {len(items)} requests; at most {self._batch_length_max} are answered at a time"
            return Parsed((Failure(None, False, LimitExceeded(message)),), False)
        return Parsed(tuple(self._parse_one(item) for item in items), True)

    def _parse_one(self, raw: bytes | msgspec.Raw) -> Call | Failure:
        try:
            request = _decode_request(raw)
        except _UNREADABLE as error:
            return Failure(_id_of(raw), False, _malformed(error))
        is_notification = request.id is msgspec.UNSET
        request_id = None if isinstance(request.id, msgspec.UnsetType) else request.id
        try:
            method = self._methods.get(request.method)
            if method is None:
                raise MethodNotFound(f"there is no method {shown(request.method)}")
            return Call(request_id, is_notification, method, bind(method, request.params))
        except RpcError as error:
            return Failure(request_id, is_notification, error)


def bind(method: Method, params: object) -> tuple[object, ...]:
    """Return a method's arguments, read and in order.

    Raises ``InvalidParams`` that names the parameter, what was found and what was expected.
    """
    if params is None:
        params = []
    if not isinstance(params, list):
        raise InvalidParams(f"{method.name} takes its parameters as an array, found an object")
    parameters = method.parameters
    if len(params) > len(parameters):
        raise InvalidParams(f"{method.name} takes at most {len(parameters)} parameters, found {len(params)}")
    arguments: list[object] = []
    for position, parameter in enumerate(parameters):
        value = params[position] if position < len(params) else None
        if value is None:
            if parameter.default is REQUIRED:
                raise InvalidParams(f"{method.name}: parameter {position + 1} ({parameter.name}) is missing")
            arguments.append(parameter.default)
            continue
        try:
            arguments.append(parameter.parse(value))
        except InvalidParams as error:
            message = f"{method.name}: parameter {position + 1} ({parameter.name}): {error.message}"
            raise InvalidParams(message) from None
    return tuple(arguments)


def result_response(request_id: RequestId, result: bytes) -> bytes:
    """Give the answer with a result that is already JSON."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_encode(request_id), result)


def error_response(request_id: RequestId, error: RpcError) -> bytes:
    """Give the answer with an error object."""
    members: dict[str, object] = {"code": error.code, "message": error.message}
    if error.data is not None:
        members["data"] = error.data
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_encode(request_id), _encode(members))


def batch_response(responses: Iterable[bytes]) -> bytes:
    """Give the answer to a batch: the answers in the order of the requests."""
    return b"[" + b",".join(responses) + b"]"


def notification(subscription: str, result: bytes) -> bytes:
    """Give the message that brings a subscriber one result, already JSON (``eth_subscription``)."""
    return b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":%b,"result":%b}}' % (
        _encode(subscription),
        result,
    )


def _malformed(error: Exception) -> RpcError:
    if isinstance(error, RecursionError):
        return InvalidRequest("the request is nested too deeply")
    if isinstance(error, msgspec.ValidationError):
        return InvalidRequest(f"not a JSON-RPC 2.0 request: {error}")
    return ParseError(f"not JSON: {error}")


def _id_of(raw: bytes | msgspec.Raw) -> RequestId:
    try:
        return _decode_only_id(raw).id
    except _UNREADABLE:
        return None
