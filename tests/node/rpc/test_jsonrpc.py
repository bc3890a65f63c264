import json
from collections.abc import Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.rpc.encoding import parse_bool, parse_quantity
from cocket.node.rpc.errors import InvalidParams, TransactionRejected
from cocket.node.rpc.jsonrpc import (
    Call,
    Dispatcher,
    Failure,
    Method,
    Parameter,
    Weight,
    batch_response,
    bind,
    error_response,
    result_response,
)

BATCH_MAX = 5


def add(left: int, right: int) -> str:
    return hex(left + right)


ADD = Method("math_add", add, (Parameter("left", parse_quantity), Parameter("right", parse_quantity, 10)))
SLOW = Method(
    "math_slow",
    add,
    (Parameter("left", parse_quantity), Parameter("right", parse_quantity, 10)),
    lambda left, right: Weight.HEAVY if left > 1 else Weight.LIGHT,
)


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher([ADD, SLOW], BATCH_MAX)


def body(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "math_add", "params": ["0x1", "0x2"], **members}).encode()


def one(dispatcher: Dispatcher, raw: bytes) -> Call | Failure:
    parsed = dispatcher.parse(raw)
    assert not parsed.is_batch
    return parsed.requests[0]


def failure(dispatcher: Dispatcher, raw: bytes) -> Failure:
    request = one(dispatcher, raw)
    assert isinstance(request, Failure)
    return request


def test_a_request_is_performed(dispatcher: Dispatcher) -> None:
    call = one(dispatcher, body())
    assert isinstance(call, Call)
    assert (call.id, call.is_notification, call.weight) == (1, False, Weight.LIGHT)
    assert json.loads(result_response(call.id, call.perform())) == {"jsonrpc": "2.0", "id": 1, "result": "0x3"}


@pytest.mark.parametrize("identity", [0, -1, 2**53, -(2**63), 2**63 - 1, "", "abc", "\u00e9\u4e2d", None])
def test_an_id_is_echoed_as_it_came(dispatcher: Dispatcher, identity: object) -> None:
    call = one(dispatcher, body(id=identity))
    assert isinstance(call, Call)
    assert not call.is_notification
    assert json.loads(result_response(call.id, call.perform()))["id"] == identity


@pytest.mark.parametrize("identity", [1.0, 1.5, True, [], {}, "x" * 257, 2**63, 10**30])
def test_any_other_id_is_an_invalid_request(dispatcher: Dispatcher, identity: object) -> None:
    refused = failure(dispatcher, body(id=identity))
    assert (refused.id, refused.error.code) == (None, -32600)


def test_a_request_without_id_is_a_notification(dispatcher: Dispatcher) -> None:
    raw = b'{"jsonrpc":"2.0","method":"math_add","params":["0x1"]}'
    call = one(dispatcher, raw)
    assert isinstance(call, Call)
    assert call.is_notification
    unknown = failure(dispatcher, b'{"jsonrpc":"2.0","method":"math_none"}')
    assert unknown.is_notification


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"jsonrpc":"2.0"',
        b"\xff\xfe",
        b'["a"',
        b"[1,",
        b"[\xff]",
        b'{"jsonrpc":"2.0","method":"\\ud800"}',
    ],
)
def test_what_is_not_json_is_a_parse_error(dispatcher: Dispatcher, raw: bytes) -> None:
    refused = failure(dispatcher, raw)
    assert (refused.id, refused.error.code) == (None, -32700)


@pytest.mark.parametrize("raw", [body(method="a?b"), body(jsonrpc="?"), body(params=["?"]), body(id="?")])
def test_a_string_that_is_not_utf8_is_a_parse_error(dispatcher: Dispatcher, raw: bytes) -> None:
    broken = raw.replace(b"?", b"\xcf")
    assert failure(dispatcher, broken).error.code == -32700
    inside = dispatcher.parse(b"[" + body() + b"," + broken + b"]").requests
    assert [type(request) for request in inside] == [Call, Failure]


@pytest.mark.parametrize(
    ("raw", "identity"),
    [
        (b"1", None), (b"null", None), (b'"text"', None), (b"{}", None),
        (b'{"id":7,"method":"math_add"}', 7), (b'{"jsonrpc":"1.0","id":7,"method":"math_add"}', 7),
        (b'{"jsonrpc":2.0,"id":"a","method":"math_add"}', "a"), (b'{"jsonrpc":"2.0","id":7,"method":1}', 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"math_add","params":"0x1"}', 7),
    ],
)  # fmt: skip
def test_json_that_is_no_request_is_an_invalid_request(dispatcher: Dispatcher, raw: bytes, identity: object) -> None:
    refused = failure(dispatcher, raw)
    assert (refused.id, refused.error.code) == (identity, -32600)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"jsonrpc":"2.0","id":1,"method":"m","params":['])
def test_deep_nesting_is_refused_without_a_crash(dispatcher: Dispatcher, opening: bytes) -> None:
    nested = failure(dispatcher, b'{"jsonrpc":"2.0","id":1,"method":"m","params":' + b"[" * 200_000)
    assert nested.error.code in (-32600, -32700)
    assert failure(dispatcher, opening * 100_000).error.code in (-32600, -32700)


def test_an_unknown_method_is_named_but_not_amplified(dispatcher: Dispatcher) -> None:
    refused = failure(dispatcher, body(method="math_" + "x" * 10_000))
    assert (refused.id, refused.error.code) == (1, -32601)
    assert "math_x" in refused.error.message
    assert len(refused.error.message) < 200


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([], "parameter 1 .left. is missing"),
        ([None], "parameter 1 .left. is missing"),
        (["0x1", "0x2", "0x3"], "takes at most 2 parameters, found 3"),
        (["0x01"], "parameter 1 .left.: expected a quantity"),
        (["0x1", "2"], "parameter 2 .right.: expected a quantity .* found '2'"),
        ({"left": "0x1"}, "takes its parameters as an array"),
    ],
)
def test_wrong_parameters_are_named(dispatcher: Dispatcher, params: object, message: str) -> None:
    with pytest.raises(InvalidParams, match=message):
        bind(ADD, params)
    assert failure(dispatcher, body(params=params)).error.code == -32602


def test_a_parameter_left_out_or_null_takes_its_default() -> None:
    assert bind(ADD, ["0x1"]) == bind(ADD, ["0x1", None]) == (1, 10)
    assert bind(Method("m", bool, (Parameter("flag", parse_bool, False),)), None) == (False,)


def test_weight_may_depend_on_the_parameters(dispatcher: Dispatcher) -> None:
    light = one(dispatcher, body(method="math_slow", params=["0x1"]))
    heavy = one(dispatcher, body(method="math_slow", params=["0x2"]))
    assert isinstance(light, Call)
    assert isinstance(heavy, Call)
    assert (light.weight, heavy.weight) == (Weight.LIGHT, Weight.HEAVY)


def test_a_batch_keeps_its_order_and_its_failures_apart(dispatcher: Dispatcher) -> None:
    raw = b"[" + b",".join([body(id=1), b"17", body(id=2, method="math_none"), body(id=3)]) + b"]"
    parsed = dispatcher.parse(b" \n" + raw)
    assert parsed.is_batch
    kinds = [(type(request), request.id) for request in parsed.requests]
    assert kinds == [(Call, 1), (Failure, None), (Failure, 2), (Call, 3)]


def test_an_empty_or_overlong_batch_is_one_error(dispatcher: Dispatcher) -> None:
    assert failure(dispatcher, b"[]").error.code == -32600
    full = b"[" + b",".join([body()] * BATCH_MAX) + b"]"
    assert len(dispatcher.parse(full).requests) == BATCH_MAX
    overlong = b"[" + b",".join([body()] * (BATCH_MAX + 1)) + b"]"
    refused = failure(dispatcher, overlong)
    assert refused.error.code == -32005
    assert "at most 5" in refused.error.message


def test_answers_have_their_shapes() -> None:
    error = TransactionRejected("nonce 3 is used, expected 4", {"nonce": "0x4"})
    shaped = json.loads(batch_response([result_response("a", b"null"), error_response(7, error)]))
    assert shaped == [
        {"jsonrpc": "2.0", "id": "a", "result": None},
        {
            "jsonrpc": "2.0",
            "id": 7,
            "error": {"code": -32003, "message": "nonce 3 is used, expected 4", "data": {"nonce": "0x4"}},
        },
    ]


def test_more_methods_replace_those_of_the_same_name(dispatcher: Dispatcher) -> None:
    extended = dispatcher.with_methods([Method("math_add", lambda: "own"), Method("math_new", lambda: "new")])
    assert set(extended.methods) == {"math_add", "math_slow", "math_new"}
    own = one(extended, body(params=[]))
    assert isinstance(own, Call)
    assert own.perform() == b'"own"'


def test_a_deferred_call_gives_its_awaitable() -> None:
    async def later() -> str:
        return "done"

    call = one(Dispatcher([Method("math_later", later, (), Weight.DEFERRED)], 1), body(method="math_later", params=[]))
    assert isinstance(call, Call)
    awaitable = call.start()
    assert isinstance(awaitable, Awaitable)
    awaitable.close()  # type: ignore[attr-defined]


@given(st.binary(max_size=6), st.integers(0, 60), st.integers(0, 6))
def test_any_damaged_request_is_answered(damage: bytes, at: int, gone: int) -> None:
    raw = body(id="x")
    for damaged in (raw[:at] + damage + raw[at + gone :], b"[" + raw[:at] + damage + raw[at + gone :] + b"]"):
        for request in Dispatcher([ADD], BATCH_MAX).parse(damaged).requests:
            assert isinstance(request, Call | Failure)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    for request in Dispatcher([ADD], BATCH_MAX).parse(raw).requests:
        assert isinstance(request, Call | Failure)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "x"]), inner, max_size=5)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_answered(value: object) -> None:
    for request in Dispatcher([ADD], BATCH_MAX).parse(json.dumps(value).encode()).requests:
        assert isinstance(request, Call | Failure)
        error_response(request.id, InvalidParams("x"))
