"""The flat tables and the trie tell the same state, whatever blocks do to accounts and slots."""

from evm.assembler import assemble, deployer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledger.chains import RECORDER, Chain, set_slot

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.rules import Fork
from cocket.node.chain.spec import AllocAccount
from cocket.node.chain.state import TrieReader, genesis_state
from cocket.node.chain.vm import contract_address
from cocket.node.store.memory import MemoryStore

# 64 bytes of calldata: slot := value. None: the contract ends itself, with all its slots.
CHILD = assemble(
    "CALLDATASIZE ISZERO @end JUMPI PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD SSTORE STOP end: CALLER SELFDESTRUCT"
)
INITCODE = deployer(CHILD)
# Makes the child anew, always at the same address.
FACTORY = assemble(
    f"PUSH {int.from_bytes(INITCODE, 'big')} PUSH 0 MSTORE "
    f"PUSH 0 PUSH {len(INITCODE)} PUSH {32 - len(INITCODE)} PUSH 0 CREATE2 STOP"
)

operation = st.one_of(
    st.tuples(st.just("make")),
    st.tuples(st.just("end")),
    st.tuples(st.just("write"), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("record"), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("pay"), st.integers(0, 1)),
    st.tuples(st.just("block")),
)


def flat_root(chain: Chain) -> bytes:
    """The root of what the tables hold, and only of that."""
    alloc = {}
    state = chain.ledger.head_state()[1]
    addresses = {key[1:] for key, _ in chain.store.items(b"a")}
    assert {key[1:21] for key, _ in chain.store.items(b"s")} <= addresses
    for address in addresses:
        account = state.account(address)
        assert account is not None
        slots = {
            int.from_bytes(key[21:], "big"): state.storage(address, int.from_bytes(key[21:], "big"))
            for key, _ in chain.store.items(b"s" + address)
        }
        assert all(slots.values())
        alloc[address] = AllocAccount(account.balance, account.nonce, state.code(account.code_hash), slots)
    root = genesis_state(alloc)[0]
    for address in addresses:
        trie = TrieReader(chain.ledger.nodes, chain.head.state_root, chain.ledger._code)
        assert trie.account(address) == state.account(address)
    return root


@settings(max_examples=60, deadline=None)
@given(operations=st.lists(operation, max_size=14), fork=st.sampled_from([Fork.LONDON, Fork.SHANGHAI, Fork.CANCUN]))
@example([("make",), ("write", 1, 1), ("block",), ("end",), ("make",), ("write", 2, 2), ("block",)], Fork.SHANGHAI)
@example([("make",), ("write", 1, 1), ("end",), ("make",), ("write", 1, 2), ("end",), ("block",)], Fork.SHANGHAI)
@example([("make",), ("write", 1, 1), ("block",), ("end",), ("block",), ("make",), ("block",)], Fork.SHANGHAI)
def test_tables_and_trie_agree(operations: list[tuple[object, ...]], fork: Fork) -> None:
    chain = Chain(1, fork=fork)
    user = chain.users[0]
    factory = contract_address(user.address, 0)
    child = keccak256(b"\xff" + factory + bytes(32) + keccak256(INITCODE))[12:]
    waiting = [user.sign(None, deployer(FACTORY), gas_limit=400_000)]
    for what, *arguments in [*operations, ("block",)]:
        if what == "make":
            waiting.append(user.sign(factory, gas_limit=400_000))
        elif what == "end":
            waiting.append(user.sign(child))
        elif what in ("write", "record"):
            slot, value = arguments
            assert isinstance(slot, int)
            assert isinstance(value, int)
            waiting.append(user.sign(child if what == "write" else RECORDER, set_slot(slot, value)))
        elif what == "pay":
            waiting.append(user.sign(b"\x77" * 20, value=arguments[0]))
        else:
            block = chain.extend(*waiting)
            assert len(block.transactions) == len(waiting)
            waiting = []
            assert flat_root(chain) == chain.head.state_root
    other = Ledger(MemoryStore(), chain.genesis)
    importer = Importer(other, PermissionRule(other))
    for number in range(1, chain.head.number + 1):
        importer.import_block(chain.ledger.block_by_number(number) or chain.make())
    assert other.head == chain.head


def test_the_child_is_made_ended_and_made_again() -> None:
    """The example above does what it says: the slots of the first life are gone in the second."""
    chain = Chain(1, fork=Fork.SHANGHAI)
    user = chain.users[0]
    factory = contract_address(user.address, 0)
    child = keccak256(b"\xff" + factory + bytes(32) + keccak256(INITCODE))[12:]
    chain.extend(
        user.sign(None, deployer(FACTORY), gas_limit=400_000),
        user.sign(factory, gas_limit=400_000),
        user.sign(child, set_slot(1, 11)),
    )
    assert chain.storage(child, 1) == 11
    chain.extend(user.sign(child), user.sign(factory, gas_limit=400_000), user.sign(child, set_slot(2, 22)))
    assert (chain.storage(child, 1), chain.storage(child, 2)) == (0, 22)
    assert len(list(chain.store.items(b"s" + child))) == 1
