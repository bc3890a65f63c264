"""What an authority writes as its endpoint must not stop a node."""

import pytest
from coincurve import PrivateKey

from cocket.contracts.consortium import Node
from cocket.node.chain.hashing import keccak256
from cocket.node.roster import Roster, _enodes

NODE_ID = PrivateKey(bytes([5]) * 32).public_key.format(compressed=False)[1:]


@pytest.mark.parametrize("endpoint", ["ke.example:30303", "127.0.0.1:1", "[::1]:30303"])
def test_an_endpoint_becomes_an_enode(endpoint: str) -> None:
    (enode,) = _enodes((Node(node_id=NODE_ID, endpoint=endpoint),))
    assert (enode.node_id, enode.port) == (NODE_ID, int(endpoint.rpartition(":")[2]))


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:5216²", "host", "host:", ":1", "host:0", "host:65536", "host:١", "a b:1", "host:1\n", "x/y:1"],
)
def test_what_cannot_be_dialled_is_passed_over(endpoint: str) -> None:
    good = Node(node_id=NODE_ID, endpoint="host:1")
    assert [enode.host for enode in _enodes((Node(node_id=NODE_ID, endpoint=endpoint), good))] == ["host"]


def test_a_node_id_that_is_no_key_is_passed_over() -> None:
    assert list(_enodes((Node(node_id=bytes(64), endpoint="host:1"),))) == []


def test_without_the_contract_a_validator_is_known_by_its_node_key() -> None:
    assert Roster().address_of(NODE_ID) == keccak256(NODE_ID)[12:]
    assert Roster(validators={NODE_ID: bytes(20)}).address_of(NODE_ID) == bytes(20)
