import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.rpc.nesting import is_nested_deeper


def depth_of(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 0


@given(
    st.recursive(
        st.integers() | st.text(alphabet='[]{}"\\a\u00e9', max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"', max_size=3), inner, max_size=3),
        max_leaves=40,
    )
)
def test_shallow_json_passes_and_what_passes_is_at_most_twice_as_deep(value: object) -> None:
    text = json.dumps(value).encode()
    for limit in (2, 4, 8):
        is_deeper = is_nested_deeper(text, limit)
        if depth_of(value) <= limit // 2:
            assert not is_deeper
        if not is_deeper:
            assert depth_of(value) <= 2 * limit


@pytest.mark.parametrize("opening", [b"[", b"{", b'{"a":', b"[[{", b'["x",', b'["\\"",'])
def test_deep_nesting_is_seen_whether_closed_or_not(opening: bytes) -> None:
    assert not is_nested_deeper(opening * 15)
    assert is_nested_deeper(opening * 10_000)
    closing = {b"[": b"]", b"{": b"}", b'{"a":': b"}"}.get(opening)
    if closing is not None:
        assert is_nested_deeper(opening * 10_000 + closing * 10_000)
        assert is_nested_deeper(opening * 10_000 + b'"' + closing * 10_000)


def test_many_shallow_values_are_not_deep() -> None:
    assert not is_nested_deeper(b"[" + b'{"a":[1,{"b":"[[["}]},' * 10_000 + b"1]")
    assert not is_nested_deeper(b'["' + b"[" * 10_000 + b'"]')


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b'\\"' * 500_000 + b"[" * 100,
        b'"' * 1_000_000 + b"[" * 100,
        b'["' + b"\\" * 1_000_001 + b"[" * 100,
        b"[]" * 500_000,
        b"[{" * 250_000 + b"}]" * 250_000,
        b"][" * 500_000,
    ],
)
def test_hostile_text_takes_linear_time(text: bytes) -> None:
    start_s = time.process_time()
    is_nested_deeper(text)
    assert time.process_time() - start_s < 2
