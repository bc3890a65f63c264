"""The operator's votes over RPC: from a call to the header to the set, and who may not vote, where and when."""

import asyncio
import json

import pytest
from single_node import USERS, VALIDATOR, SingleChain, genesis_json

from cocket.node.chain.extra_data import Vote, decode_extra_data
from cocket.node.chain.pending_votes import VOTES_MAX
from cocket.node.rpc.gateway import RpcGateway
from cocket.node.rpc.status import StandaloneStatus

NEWCOMER = "0x" + USERS[0].hex()
CONTRACT = "0x" + "88" * 20
VALIDATORS = ["0x" + address.hex() for address in sorted((VALIDATOR, USERS[0]))]


class Operator:
    """One who asks a node of a chain over JSON-RPC that listens on ``host``."""

    def __init__(self, chain: SingleChain, host: str = "127.0.0.1", validator: bytes | None = VALIDATOR) -> None:
        self.chain = chain
        self.told: list[tuple[bytes, bool | None]] = []
        self._status = StandaloneStatus("Cocket/test", validator)
        self._host = host

    def answer(self, method: str, *params: object) -> dict[str, object]:
        async def main() -> bytes | None:
            gateway = RpcGateway(
                self.chain.ledger,
                self.chain.pool,
                self._status,
                host=self._host,
                votes=self.chain.votes,
                on_vote=lambda address, is_add: self.told.append((address, is_add)),
            )
            try:
                body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                return await gateway.endpoint.answer(json.dumps(body).encode())
            finally:
                await gateway.stop()

        answer: dict[str, object] = json.loads(asyncio.run(main()) or b"")
        return answer

    def ask(self, method: str, *params: object) -> object:
        answer = self.answer(method, *params)
        assert "result" in answer, answer
        return answer["result"]

    def refused(self, method: str, *params: object) -> tuple[int, str]:
        error = self.answer(method, *params)["error"]
        assert isinstance(error, dict)
        return error["code"], error["message"]


def test_a_vote_goes_into_the_next_own_block_and_counts() -> None:
    operator = Operator(SingleChain())
    assert operator.ask("qbft_getPendingVotes") == {}
    assert operator.ask("qbft_proposeValidatorVote", NEWCOMER, True) is True
    assert operator.ask("qbft_getPendingVotes") == {NEWCOMER: True}
    header = operator.chain.seal()
    assert decode_extra_data(header.extra_data).vote == Vote(USERS[0], is_add=True)
    assert operator.ask("qbft_getValidatorsByBlockNumber", "pending") == VALIDATORS
    assert operator.ask("qbft_getPendingVotes") == {NEWCOMER: True}, "as in Besu it stays until it is taken back"
    assert operator.told == [(USERS[0], True)]


def test_a_vote_is_replaced_and_taken_back() -> None:
    operator = Operator(SingleChain())
    operator.ask("qbft_proposeValidatorVote", NEWCOMER, True)
    operator.ask("qbft_proposeValidatorVote", NEWCOMER, False)
    assert operator.ask("qbft_getPendingVotes") == {NEWCOMER: False}
    assert operator.ask("qbft_discardValidatorVote", NEWCOMER) is True
    assert operator.ask("qbft_discardValidatorVote", NEWCOMER) is True
    assert operator.ask("qbft_getPendingVotes") == {}
    assert decode_extra_data(operator.chain.seal().extra_data).vote is None
    assert operator.told == [(USERS[0], True), (USERS[0], False), (USERS[0], None), (USERS[0], None)]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("qbft_proposeValidatorVote", (NEWCOMER, True)),
        ("qbft_discardValidatorVote", (NEWCOMER,)),
        ("qbft_getPendingVotes", ()),
    ],
)
def test_where_a_contract_decides_there_are_no_votes(method: str, params: tuple[object, ...]) -> None:
    change = {"block": 2, "validatorSelectionMode": "contract", "validatorContractAddress": CONTRACT}
    alloc = {CONTRACT[2:]: {"balance": "0x0", "code": f"0x6020600052600160205273{VALIDATOR.hex()}60405260606000f3"}}
    forks = {"shanghaiTime": None, "cancunTime": None}  # beside them a foreign file may have no transitions
    genesis = genesis_json(alloc=alloc, transitions={"qbft": [change]}, **forks)
    operator = Operator(SingleChain(genesis))
    operator.ask(method, *params)
    operator.told.clear()
    operator.chain.seal()
    assert operator.ask("qbft_getValidatorsByBlockNumber", "pending") == ["0x" + VALIDATOR.hex()]
    code, message = operator.refused(method, *params)
    assert code == -32004
    assert message == (
        f"the contract {CONTRACT} decides the validators of block 2, not votes in headers: see cocket authority propose"
    )
    assert operator.told == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "node.example"])
def test_only_the_operator_votes(host: str) -> None:
    operator = Operator(SingleChain(), host)
    for method, params in (
        ("qbft_proposeValidatorVote", (NEWCOMER, True)),
        ("qbft_discardValidatorVote", (NEWCOMER,)),
    ):
        code, message = operator.refused(method, *params)
        assert code == -32004
        assert f"JSON-RPC listens on {host}, where others may reach it" in message
    assert operator.ask("qbft_getPendingVotes") == {}
    assert operator.told == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_every_loopback_address_is_the_operators(host: str) -> None:
    assert Operator(SingleChain(), host).ask("qbft_proposeValidatorVote", NEWCOMER, False) is True


def test_a_node_without_a_validators_key_casts_no_vote() -> None:
    operator = Operator(SingleChain(), validator=None)
    code, message = operator.refused("qbft_proposeValidatorVote", NEWCOMER, True)
    assert (code, "this node has no validator's key" in message) == (-32004, True)
    assert operator.ask("qbft_discardValidatorVote", NEWCOMER) is True
    assert operator.ask("qbft_getPendingVotes") == {}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ((), "parameter 1 (validator) is missing"),
        ((NEWCOMER,), "parameter 2 (add) is missing"),
        ((NEWCOMER[:-2], True), "parameter 1 (validator): expected 20 bytes"),
        ((NEWCOMER, "true"), "parameter 2 (add): expected true or false, found 'true'"),
        ((NEWCOMER, 1), "parameter 2 (add): expected true or false, found 1"),
        (("0x" + "00" * 20, True), "validator: found the zero address, whose key nobody has"),
        ((NEWCOMER, True, 1), "takes at most 2 parameters, found 3"),
    ],
)
def test_parameters_are_strict(params: tuple[object, ...], message: str) -> None:
    operator = Operator(SingleChain())
    code, found = operator.refused("qbft_proposeValidatorVote", *params)
    assert code == -32602
    assert message in found
    assert operator.ask("qbft_getPendingVotes") == {}


def test_pending_votes_are_bounded() -> None:
    operator = Operator(SingleChain())
    for number in range(1, VOTES_MAX + 1):
        operator.chain.votes.propose(number.to_bytes(20, "big"), True)
    code, message = operator.refused("qbft_proposeValidatorVote", NEWCOMER, True)
    assert (code, message) == (-32000, "pending votes: there are 1000, no more may be: discard some")
    operator.ask("qbft_discardValidatorVote", "0x" + (1).to_bytes(20, "big").hex())
    assert operator.ask("qbft_proposeValidatorVote", NEWCOMER, True) is True
