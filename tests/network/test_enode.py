"""enode URLs: what they give, what they refuse."""

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cocket.network.ecies import node_id_of
from cocket.network.enode import Enode, format_enode, parse_enode
from cocket.network.errors import EnodeInvalid

ID = node_id_of(PrivateKey(bytes(31) + b"\x09"))


@pytest.mark.parametrize("host", ["127.0.0.1", "node.customs.example", "::1", "2001:db8::7"])
@given(port=st.integers(1, 65535))
def test_round_trip(host: str, port: int) -> None:
    enode = Enode(ID, host, port)
    assert parse_enode(format_enode(enode)) == enode


def test_discport_is_ignored() -> None:
    assert parse_enode(f"enode://{ID.hex()}@10.0.0.1:30303?discport=0") == Enode(ID, "10.0.0.1", 30303)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not enode"),
        (f"enode://{ID.hex()}@10.0.0.1", "is not enode"),
        (f"enode://{ID.hex()[1:]}@10.0.0.1:1", "is not enode"),
        (f"enr://{ID.hex()}@10.0.0.1:1", "is not enode"),
        (f"enode://{ID.hex()}@10.0.0.1:1\n", "is not enode"),
        (f"enode://{ID.hex()}@10.0.0.1:0", "port 0"),
        (f"enode://{ID.hex()}@10.0.0.1:65536", "port 65536"),
        (f"enode://{'ff' * 64}@10.0.0.1:1", "not a point"),
    ],
)
def test_bad_enode_is_refused(text: str, says: str) -> None:
    with pytest.raises(EnodeInvalid, match=says):
        parse_enode(text)


@given(st.text())
def test_arbitrary_text_raises_only_its_own_error(text: str) -> None:
    with pytest.raises(EnodeInvalid):
        parse_enode(text)
