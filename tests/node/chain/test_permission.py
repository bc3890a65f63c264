from dataclasses import replace

import pytest
from evm.assembler import assemble, return_top
from ledger.chains import BOARD, RECORDER, Chain, User, set_slot

from cocket.node.chain import permission as permission_module
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.permission import MAY_DEPLOY, MAY_TRANSACT, PermissionRule
from cocket.node.chain.rules import Permission
from cocket.node.chain.spec import AllocAccount, Genesis
from cocket.node.chain.state import genesis_state
from cocket.node.chain.transaction import decode_transaction
from cocket.node.errors import Refused
from cocket.node.store.memory import MemoryStore


def ledger_with(code: bytes, permission: Permission | None = None) -> Ledger:
    """A ledger whose permission contract has this code."""
    chain = Chain(has_permission=True)
    spec = chain.genesis.spec if permission is None else replace(chain.genesis.spec, permission=permission)
    alloc = dict(chain.genesis.alloc) | {BOARD: AllocAccount(0, 1, code, {})}
    header = replace(chain.genesis.header, state_root=genesis_state(alloc)[0])
    return Ledger(MemoryStore(), Genesis(spec, header, alloc, b""))


def test_the_selectors_are_those_of_the_signatures() -> None:
    assert keccak256(b"mayTransact(address)")[:4] == MAY_TRANSACT
    assert keccak256(b"mayDeploy(address)")[:4] == MAY_DEPLOY


@pytest.mark.parametrize(
    ("bits", "transact", "deploy"), [(0, False, False), (1, True, False), (2, False, True), (3, True, True)]
)
def test_the_contract_decides(bits: int, transact: bool, deploy: bool) -> None:
    chain = Chain(has_permission=True)
    user = User("newcomer")
    chain.extend(chain.users[0].sign(BOARD, set_slot(int.from_bytes(user.address, "big"), bits)))
    rule, head = chain.permission, chain.head
    assert (rule.may_transact(user.address, head), rule.may_deploy(user.address, head)) == (transact, deploy)
    call, create = decode_transaction(user.sign(RECORDER)), decode_transaction(user.sign(None))
    for transaction, is_allowed in ((call, transact), (create, transact and deploy)):
        if is_allowed:
            rule.validate(transaction, head)
        else:
            with pytest.raises(
                Refused, match=rf"permission: 0x{user.address.hex()} may not (transact|deploy) after block 1"
            ):
                rule.validate(transaction, head)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("PUSH 1 " + return_top(), True),
        ("PUSH 0 " + return_top(), False),
        ("PUSH 2 " + return_top(), False),
        ("PUSH 1 PUSH 0 MSTORE PUSH 64 PUSH 0 RETURN", True),
        ("PUSH 1 PUSH 31 MSTORE PUSH 31 PUSH 0 RETURN", False),
        ("STOP", False),
        ("PUSH 1 PUSH 0 MSTORE PUSH 32 PUSH 0 REVERT", False),
        ("INVALID", False),
        ("again: @again JUMP", False),
        ("CALLER ISZERO " + return_top(), True),
        ("ORIGIN ISZERO " + return_top(), True),
        ("NUMBER ISZERO " + return_top(), True),
        ("TIMESTAMP PUSH 1700000000 EQ " + return_top(), True),
    ],
)
def test_anything_but_a_plain_yes_is_a_no(code: str, answer: bool) -> None:
    """Caller zero, and the parent's block context."""
    ledger = ledger_with(assemble(code))
    assert PermissionRule(ledger).may_transact(b"\x01" * 20, ledger.head) is answer


def test_a_contract_that_is_not_there_says_no() -> None:
    chain = Chain()
    genesis = replace(chain.genesis, spec=replace(chain.genesis.spec, permission=Permission(b"\x99" * 20)))
    ledger = Ledger(MemoryStore(), genesis)
    assert not PermissionRule(ledger).may_transact(chain.users[0].address, ledger.head)


def test_the_gas_is_a_constant_of_the_rule() -> None:
    """Just enough gas answers yes, whatever the block's own limit; the next step up is a no."""
    burn = "PUSH {} next: PUSH 1 SWAP1 SUB DUP1 @next JUMPI PUSH 1 " + return_top()
    assert permission_module.PERMISSION_GAS == 1_000_000
    for turns, answer in ((30_000, True), (60_000, False)):
        ledger = ledger_with(assemble(burn.format(turns)))
        assert PermissionRule(ledger).may_transact(b"\x01" * 20, ledger.head) is answer


@pytest.mark.parametrize(
    ("from_block", "to_block", "is_on"),
    [
        (1, None, [True] * 4),
        (2, None, [False, True, True, True]),
        (1, 2, [True, True, False, False]),
        (5, None, [False] * 4),
    ],
)
def test_the_rule_has_its_blocks(from_block: int, to_block: int | None, is_on: list[bool]) -> None:
    chain = Chain(permission=Permission(BOARD, from_block, to_block))
    stranger = b"\x01" * 20
    answers = []
    for _ in range(4):
        answers.append(not chain.permission.may_transact(stranger, chain.head))
        chain.extend()
    assert answers == is_on


def test_without_a_rule_everybody_may() -> None:
    chain = Chain()
    assert chain.permission.may_transact(b"\x01" * 20, chain.head)
    assert chain.permission.may_deploy(b"\x01" * 20, chain.head)


def test_answers_are_kept_per_parent_sender_and_question(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(has_permission=True)
    asked: list[bytes] = []
    real = permission_module.call

    def counting(context: object, reader: object, request: object, deadline_s: object) -> object:
        asked.append(request.data)  # type: ignore[attr-defined]
        return real(context, reader, request, deadline_s)  # type: ignore[arg-type]

    monkeypatch.setattr(permission_module, "call", counting)
    a, b = (user.address for user in chain.users[:2])
    for _ in range(3):
        chain.permission.may_transact(a, chain.head)
        chain.permission.may_transact(b, chain.head)
        chain.permission.may_deploy(a, chain.head)
    assert len(asked) == 3
    chain.extend()
    chain.permission.may_transact(a, chain.head)
    assert len(asked) == 4
    assert asked[0] == MAY_TRANSACT + bytes(12) + a


def test_few_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permission_module, "_ANSWERS_KEPT", 5)
    chain = Chain(has_permission=True)
    for n in range(9):
        chain.permission.may_transact(bytes([n]) * 20, chain.head)
    assert len(chain.permission._answers) == 5
