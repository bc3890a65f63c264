"""How values of a contract's interface become bytes and back: the only module that knows the ABI encoding.

It takes types from the committed artifacts, knows no contract's meaning, and is strict: an answer must be exactly what
encoding its values gives, within a size. On our side an address is 20 ``bytes``, fixed bytes are ``bytes``, and tuples
are tuples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar, cast

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError, ParseError
from sha3 import keccak_256

from cocket.contracts.artifact import load_artifact
from cocket.contracts.errors import MalformedAnswer, MalformedValue

ANSWER_BYTES_MAX = 65_536
"""The longest answer is a keys record, some 2,300 bytes; more than this is no answer of ours."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """A question to a contract: ``data`` is the calldata to send, ``decode`` makes a value of the answer.

    ``decode`` raises MalformedAnswer when the bytes are not what the interface promises.
    """

    data: bytes
    decode: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value's name and type.

    ``wire`` is the ABI type with addresses as uint160, ``parts`` are a tuple's components, ``size`` is the number of
    bytes of an address or of fixed bytes.
    """

    name: str
    type: str
    wire: str
    parts: tuple["Parameter", ...]
    size: int | None
    indexed: bool


@dataclass(frozen=True, slots=True)
class Function:
    """One external function: four-byte selector, inputs and outputs."""

    name: str
    selector: bytes
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class EventType:
    """One event: its first topic and its fields, in declaration order."""

    name: str
    topic: bytes
    fields: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """What one contract offers: functions by name, events by topic, the constructor's inputs."""

    name: str
    functions: Mapping[str, Function]
    events: Mapping[bytes, EventType]
    constructor: tuple[Parameter, ...]

    def call(self, function: str, *values: object) -> bytes:
        """Give the calldata of a call; raises MalformedValue naming the argument that does not fit."""
        found = self.functions[function]
        return found.selector + encode_values(f"{self.name}.{function}", found.inputs, values)

    def view(self, function: str, *values: object, make: Callable[..., T]) -> View[T]:
        """Give the question that calls ``function``; its answer is ``make(*outputs)``."""
        outputs = self.functions[function].outputs
        where = f"{self.name}.{function}"

        def decode_answer(answer: bytes) -> T:
            found = decode_values(where, outputs, answer)
            try:
                return make(*found)
            except ValueError as error:
                raise MalformedAnswer(f"{where}: {error}") from error

        return View(self.call(function, *values), decode_answer)

    def event(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, object]] | None:
        """Give an event's name and fields from its log, or None when it is not one of this contract's."""
        found = self.events.get(topics[0]) if topics else None
        if found is None:
            return None
        where = f"{self.name}.{found.name}"
        indexed = tuple(field for field in found.fields if field.indexed)
        if len(topics) != len(indexed) + 1:
            raise MalformedAnswer(f"{where}: {len(topics)} topics, expected {len(indexed) + 1}")
        values = dict(
            zip(
                (field.name for field in indexed),
                (decode_values(where, (field,), topic)[0] for field, topic in zip(indexed, topics[1:], strict=True)),
                strict=True,
            )
        )
        plain = tuple(field for field in found.fields if not field.indexed)
        values.update(zip((field.name for field in plain), decode_values(where, plain, data), strict=True))
        return found.name, {field.name: values[field.name] for field in found.fields}


@cache
def interface(contract: str) -> Interface:
    """Give the interface of a contract by name, from its artifact."""
    functions: dict[str, Function] = {}
    events: dict[bytes, EventType] = {}
    constructor: tuple[Parameter, ...] = ()
    for entry in load_artifact(contract).abi:
        inputs = _parameters(entry.get("inputs", ()))
        name = str(entry.get("name", ""))
        digest = keccak_256(f"{name}({','.join(value.type for value in inputs)})".encode()).digest()
        if entry["type"] == "function":
            functions[name] = Function(name, digest[:4], inputs, _parameters(entry.get("outputs", ())))
        elif entry["type"] == "event":
            events[digest] = EventType(name, digest, inputs)
        elif entry["type"] == "constructor":
            constructor = inputs
    return Interface(contract, functions, events, constructor)


def encode_values(where: str, parameters: Sequence[Parameter], values: Sequence[object]) -> bytes:
    """Give the ABI encoding of ``values``; raises MalformedValue with ``where`` and the argument's name."""
    if len(values) != len(parameters):
        raise MalformedValue(f"{where}: {len(values)} arguments, expected {len(parameters)}")
    wired = [_to_wire(where, parameter, value) for parameter, value in zip(parameters, values, strict=True)]
    try:
        return bytes(encode([parameter.wire for parameter in parameters], wired))
    except (EncodingError, ParseError, OverflowError, TypeError, ValueError) as error:
        for parameter, value in zip(parameters, wired, strict=True):
            try:
                encode([parameter.wire], [value])
            except (EncodingError, OverflowError, TypeError, ValueError):
                raise MalformedValue(f"{where}: {parameter.name}: {value!r} is not a {parameter.type}") from error
        raise MalformedValue(f"{where}: {error}") from error


def decode_values(where: str, parameters: Sequence[Parameter], data: bytes) -> tuple[object, ...]:
    """Give the values in ``data``, which must be exactly their encoding; raises MalformedAnswer."""
    if len(data) > ANSWER_BYTES_MAX:
        raise MalformedAnswer(f"{where}: answer of {len(data)} bytes, expected at most {ANSWER_BYTES_MAX}")
    wires = [parameter.wire for parameter in parameters]
    try:
        values = decode(wires, data, strict=True)
        is_exact = encode(wires, values) == data
    except (DecodingError, EncodingError, OverflowError, ValueError, MemoryError) as error:
        expected = ", ".join(parameter.type for parameter in parameters)
        raise MalformedAnswer(f"{where}: {len(data)} bytes do not decode as ({expected}): {error}") from error
    if not is_exact:
        raise MalformedAnswer(f"{where}: the answer has bytes beyond its values, or values in disorder")
    return tuple(_from_wire(parameter, value) for parameter, value in zip(parameters, values, strict=True))


def _parameters(entries: object) -> tuple[Parameter, ...]:
    if not isinstance(entries, list | tuple):
        return ()
    return tuple(_parameter(entry) for entry in entries)


def _parameter(entry: Mapping[str, object]) -> Parameter:
    parts = _parameters(entry.get("components", ()))
    type_name = str(entry["type"])
    if type_name.startswith("tuple"):
        suffix = type_name.removeprefix("tuple")
        canonical = f"({','.join(part.type for part in parts)}){suffix}"
        wire = f"({','.join(part.wire for part in parts)}){suffix}"
    else:
        canonical = type_name
        wire = type_name.replace("address", "uint160")
    return Parameter(str(entry["name"]), canonical, wire, parts, _size(canonical), bool(entry.get("indexed", False)))


def _element(parameter: Parameter) -> Parameter | None:
    if not parameter.type.endswith("[]"):
        return None
    return Parameter(
        parameter.name, parameter.type[:-2], parameter.wire[:-2], parameter.parts, _size(parameter.type[:-2]), False
    )


def _size(type_name: str) -> int | None:
    if type_name == "address":
        return 20
    digits = type_name.removeprefix("bytes")
    return int(digits) if digits != type_name and digits.isdigit() else None


def _to_wire(where: str, parameter: Parameter, value: object) -> object:
    if element := _element(parameter):
        if not isinstance(value, Sequence) or isinstance(value, bytes | str):
            raise MalformedValue(f"{where}: {parameter.name}: {value!r} is not a sequence")
        return [_to_wire(where, element, item) for item in value]
    if parameter.parts:
        if not isinstance(value, Sequence) or len(value) != len(parameter.parts):
            raise MalformedValue(f"{where}: {parameter.name}: {value!r} is not a {parameter.type}")
        return tuple(_to_wire(where, part, item) for part, item in zip(parameter.parts, value, strict=True))
    if parameter.size is None:
        return value
    # The encoder would fill up what is too short, without a word.
    if not isinstance(value, bytes) or len(value) != parameter.size:
        raise MalformedValue(
            f"{where}: {parameter.name}: {value!r} is not a value of {parameter.size} bytes ({parameter.type})"
        )
    return int.from_bytes(value, "big") if parameter.type == "address" else value


def _from_wire(parameter: Parameter, value: object) -> object:
    if "address" not in parameter.type:
        return value
    if element := _element(parameter):
        return tuple(_from_wire(element, item) for item in _items(value))
    if parameter.parts:
        return tuple(_from_wire(part, item) for part, item in zip(parameter.parts, _items(value), strict=True))
    return cast(int, value).to_bytes(20, "big")


def _items(value: object) -> Sequence[object]:
    return cast(Sequence[object], value)
