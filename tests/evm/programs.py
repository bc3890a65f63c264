"""Programs and transactions of every kind, drawn from a seed, for comparing two engines."""

import random
from collections.abc import Callable

from coincurve import PrivateKey
from evm.assembler import assemble, deployer
from evm.world import ETHER, KEYS, SENDERS, Allocated, transaction

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.rules import Fork
from cocket.node.chain.transaction import Transaction

WORD = 2**256 - 1
ALT_BN128_P = 21888242871839275222246405745257275088696311157297823662689037894645226208583

STORE = b"\x51" * 20  # slot := value for each pair of words
LOG = b"\x52" * 20  # one event of each kind
REVERT = b"\x53" * 20  # writes, logs, then reverts with its input
LOOP = b"\x54" * 20  # never ends
CALLS = b"\x55" * 20  # calls word 0 with value word 1, in each of the four ways; keeps what came back
DESTROY = b"\x56" * 20  # destroys itself for word 0
FACTORY = b"\x57" * 20  # CREATE2 of the input with salt 1, then CREATE; keeps both addresses
ENVIRONMENT = b"\x58" * 20  # keeps the hash of all that a contract can ask
TRANSIENT = b"\x59" * 20  # counts calls of one transaction
TWICE = b"\x5a" * 20  # calls itself to destroy itself, then destroys itself again
DEEP = b"\x5b" * 20  # calls itself as deep as gas allows and counts
RANDOM = [bytes([0x70, index]) + bytes(18) for index in range(60)]

_KEEP = "PUSH 0 MSTORE PUSH 0 SLOAD PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256 PUSH 0 SSTORE"  # slot 0 hashes all

_CALLS = f"""
    PUSH 0 CALLDATALOAD PUSH 0 MSTORE
    PUSH 64 CALLDATASIZE SUB PUSH 64 PUSH 256 CALLDATACOPY
    PUSH 32 PUSH 128 PUSH 64 CALLDATASIZE SUB PUSH 256 PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD PUSH 300000 CALL
    RETURNDATASIZE ADD GAS ADD PUSH 128 MLOAD ADD {_KEEP}
    PUSH 32 PUSH 128 PUSH 64 CALLDATASIZE SUB PUSH 256 PUSH 0 CALLDATALOAD PUSH 300000 STATICCALL
    RETURNDATASIZE PUSH 0 PUSH 512 RETURNDATACOPY RETURNDATASIZE PUSH 512 KECCAK256 ADD GAS ADD {_KEEP}
    PUSH 32 PUSH 128 PUSH 64 CALLDATASIZE SUB PUSH 256 PUSH 0 CALLDATALOAD PUSH 300000 DELEGATECALL
    RETURNDATASIZE ADD GAS ADD PUSH 128 MLOAD ADD {_KEEP}
    PUSH 32 PUSH 128 PUSH 64 CALLDATASIZE SUB PUSH 256 PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD PUSH 300000 CALLCODE
    RETURNDATASIZE ADD GAS ADD PUSH 128 MLOAD ADD {_KEEP}
"""

_QUESTIONS = [
    "ADDRESS ORIGIN CALLER CALLVALUE CALLDATASIZE CODESIZE GASPRICE COINBASE TIMESTAMP NUMBER GASLIMIT CHAINID",
    "SELFBALANCE MSIZE PC GAS RETURNDATASIZE",
    "NUMBER PUSH 1 SWAP1 SUB BLOCKHASH NUMBER BLOCKHASH PUSH 999 BLOCKHASH PUSH 0 BLOCKHASH",
    "ORIGIN BALANCE CALLER EXTCODEHASH ADDRESS EXTCODESIZE ADDRESS EXTCODEHASH PUSH 9999 EXTCODEHASH PUSH 1 BALANCE",
]


def _environment(fork: Fork) -> str:
    source = " ".join(_QUESTIONS)
    if fork >= Fork.LONDON:
        source += " BASEFEE"
    if fork >= Fork.SHANGHAI:
        source += " PREVRANDAO PUSH0"
    if fork >= Fork.CANCUN:
        source += " BLOBBASEFEE PUSH 0 BLOBHASH PUSH 64 PUSH 32 PUSH 0 MCOPY"
    return source + " loop: MSIZE MSTORE PUSH 1024 MSIZE LT @loop JUMPI MSIZE PUSH 0 KECCAK256 " + _KEEP


def fixed_contracts(fork: Fork) -> dict[bytes, Allocated]:
    """Return the contracts that transactions of ``mixed`` call."""
    sources = {
        STORE: """PUSH 0 loop: DUP1 CALLDATASIZE GT ISZERO @end JUMPI DUP1 PUSH 32 ADD CALLDATALOAD DUP2 CALLDATALOAD
            SSTORE PUSH 64 ADD @loop JUMP end: STOP""",
        LOG: """PUSH 5 PUSH 0 MSTORE PUSH 32 PUSH 0 LOG0 PUSH 1 PUSH 3 PUSH 30 LOG1 CALLER PUSH 2 PUSH 0 PUSH 0 LOG2
            PUSH 1 PUSH 2 PUSH 3 PUSH 64 PUSH 32 LOG3 PUSH 1 PUSH 2 PUSH 3 PUSH 4 PUSH 1 PUSH 31 LOG4""",
        REVERT: """PUSH 1 PUSH 7 SSTORE PUSH 0 PUSH 0 LOG0 CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY
            CALLDATASIZE PUSH 0 REVERT""",
        LOOP: "loop: PUSH 3 POP @loop JUMP",
        CALLS: _CALLS,
        DESTROY: "PUSH 1 PUSH 0 SSTORE PUSH 0 CALLDATALOAD SELFDESTRUCT",
        FACTORY: """CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY
            PUSH 1 CALLDATASIZE PUSH 0 CALLVALUE CREATE2 DUP1 PUSH 1 SSTORE
            PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 DUP6 PUSH 100000 CALL PUSH 2 SSTORE
            CALLDATASIZE PUSH 0 PUSH 0 CREATE PUSH 3 SSTORE
            PUSH 1 CALLDATASIZE PUSH 0 PUSH 0 CREATE2 PUSH 4 SSTORE RETURNDATASIZE PUSH 5 SSTORE""",
        TWICE: """CALLER ADDRESS EQ @inner JUMPI PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS PUSH 100000 CALL POP
            ORIGIN SELFDESTRUCT inner: COINBASE SELFDESTRUCT""",
        DEEP: """PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL
            PUSH 1 SLOAD ADD PUSH 1 SSTORE""",
        ENVIRONMENT: _environment(fork),
    }
    if fork >= Fork.CANCUN:
        sources[TRANSIENT] = f"""PUSH 0 TLOAD PUSH 1 ADD DUP1 PUSH 0 TSTORE DUP1 {_KEEP} PUSH 3 GT ISZERO @end JUMPI
            PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL POP
            PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS PUSH 50000 STATICCALL {_KEEP} end: STOP"""
    storage = {slot: slot + 1 for slot in range(6)}
    return {
        address: Allocated(balance=1_000, nonce=1, code=assemble(source), storage=storage if address == STORE else {})
        for address, source in sources.items()
    }


def words(*values: int | bytes) -> bytes:
    """Return values as 32-byte words, one after the other."""
    return b"".join(
        value.rjust(32, b"\x00") if isinstance(value, bytes) else value.to_bytes(32, "big") for value in values
    )


def random_word(draw: random.Random) -> int:
    """Return a word that arithmetic trips over more often than a uniform one."""
    return draw.choice(
        [
            draw.randrange(4),
            draw.randrange(300),
            WORD - draw.randrange(3),
            1 << draw.randrange(256),
            (1 << draw.randrange(256)) - 1,
            (1 << 255) + draw.randrange(-1, 2),
            draw.getrandbits(256),
            draw.getrandbits(128),
        ]
    )


_UNARY = ["ISZERO", "NOT", "CALLDATALOAD", "POP PUSH 1", "BALANCE", "EXTCODESIZE", "EXTCODEHASH", "BLOCKHASH"]
_BINARY = [
    "ADD",
    "MUL",
    "SUB",
    "DIV",
    "SDIV",
    "MOD",
    "SMOD",
    "EXP",
    "SIGNEXTEND",
    "LT",
    "GT",
    "SLT",
    "SGT",
    "EQ",
    "AND",
    "OR",
    "XOR",
    "BYTE",
    "SHL",
    "SHR",
    "SAR",
]
_CONSTANTS = [
    "ADDRESS",
    "ORIGIN",
    "CALLER",
    "CALLVALUE",
    "CALLDATASIZE",
    "CODESIZE",
    "GASPRICE",
    "NUMBER",
    "SELFBALANCE",
    "MSIZE",
    "PC",
    "GAS",
]
_CALL_KINDS = {"CALL": True, "CALLCODE": True, "DELEGATECALL": False, "STATICCALL": False}


_ENDS = {
    "STOP": 6,
    "PUSH 40 PUSH 10 RETURN": 6,
    "PUSH 40 PUSH 10 REVERT": 2,
    "INVALID": 1,
    "": 3,
    "CALLER SELFDESTRUCT": 1,
    "PUSH 3 JUMP": 1,
}


def _statement(draw: random.Random, label: int) -> str:
    """Return source that keeps the stack's height or adds one word."""
    a, b, c = (f"PUSH {random_word(draw)}" for _ in range(3))
    offset, size = draw.randrange(200), draw.choice([0, 1, 31, 32, 33, 70])
    slot = draw.randrange(4)
    kind = draw.randrange(24)
    if kind < 6:
        return f"{a} {b} {draw.choice(_BINARY)}"
    if kind < 8:
        return f"{a} {draw.choice(_UNARY)}"
    if kind == 8:
        return f"{a} {b} {c} {draw.choice(['ADDMOD', 'MULMOD'])}"
    if kind == 9:
        return draw.choice(_CONSTANTS)
    if kind == 10:
        return f"{a} PUSH {offset} {draw.choice(['MSTORE', 'MSTORE8'])} PUSH {draw.randrange(300)} MLOAD"
    if kind == 11:
        return f"PUSH {size} PUSH {offset} KECCAK256"
    if kind == 12:
        copy = draw.choice(["CALLDATACOPY", "CODECOPY"])
        return f"PUSH {size} PUSH {random_word(draw)} PUSH {offset} {copy}"
    if kind in (13, 14):
        return f"PUSH {draw.choice([0, 0, 1, 2, draw.randrange(9)])} PUSH {slot} SSTORE"
    if kind == 15:
        return f"PUSH {slot} SLOAD"
    if kind == 16:
        topics = draw.randrange(5)
        return " ".join([a] * topics) + f" PUSH {size} PUSH {offset} LOG{topics}"
    if kind == 17:
        return f"{a} @l{label} JUMPI PUSH 1 PUSH {slot} SSTORE l{label}: JUMPDEST"
    if kind == 18:
        count = draw.randrange(1, 17)
        return " ".join(f"PUSH {random_word(draw)}" for _ in range(17)) + f" DUP{count} SWAP{count} XOR" + " POP" * 16
    if kind == 19:
        address = int.from_bytes(draw.choice([*RANDOM, STORE, LOG, REVERT, DESTROY, *SENDERS]), "big")
        return f"PUSH {size} {a} PUSH {offset} PUSH {address} EXTCODECOPY"
    if kind in (20, 21):
        call = draw.choice(list(_CALL_KINDS))
        precompile = bytes(19) + bytes([draw.randrange(0, 12)])
        address = int.from_bytes(draw.choice([*RANDOM, STORE, LOG, REVERT, *SENDERS, precompile, precompile]), "big")
        value = f"PUSH {draw.choice([0, 0, 0, 1, 10**6])}" if _CALL_KINDS[call] else ""
        gas = draw.choice([0, 100, 2_300, 30_000, 200_000])
        return f"PUSH {size} PUSH {offset} PUSH {size} PUSH {offset} {value} PUSH {address} PUSH {gas} {call}"
    if kind == 22:
        if draw.random() < 0.5:
            return f"PUSH {size} PUSH {offset} PUSH {draw.choice([0, 0, 1])} CREATE"
        return f"PUSH {draw.randrange(2)} PUSH {size} PUSH {offset} PUSH 0 CREATE2"
    if draw.random() < 0.1:
        return "PUSH 1 PUSH 0 PUSH 0 RETURNDATACOPY"
    return draw.choice(["RETURNDATASIZE", "RETURNDATASIZE PUSH 0 PUSH 3 RETURNDATACOPY"])


def random_program(draw: random.Random) -> bytes:
    """Return a program of statements drawn from a seed, rarely with a wild byte, ending in one of the ways to end."""
    parts = []
    for label in range(draw.randrange(5, 40)):
        statement = _statement(draw, label)
        parts.append(statement)
        if draw.random() < 0.5:
            parts.append(f"PUSH {draw.randrange(8)} SSTORE" if draw.random() < 0.2 else "")
    if draw.random() < 0.1:
        parts.insert(draw.randrange(len(parts)), f"0x{draw.randrange(256):02x}")
    parts.append(draw.choices(list(_ENDS), list(_ENDS.values()))[0])
    return assemble(" ".join(parts))


def random_contracts(seed: int) -> dict[bytes, Allocated]:
    """Return contracts with random programs and a little money."""
    draw = random.Random(seed)
    return {
        address: Allocated(balance=draw.choice([0, 5, 10**9]), nonce=1, code=random_program(draw), storage={1: 1, 2: 2})
        for address in RANDOM
    }


def precompile_inputs(draw: random.Random) -> list[tuple[int, bytes]]:
    """Return (number, input) pairs: good, bad and odd inputs of every precompile but the point evaluation."""
    digest = keccak256(draw.randbytes(8))
    signature = PrivateKey(KEYS[0]).sign_recoverable(digest, hasher=None)
    r, s, v = signature[:32], signature[32:64], 27 + signature[64]
    good = digest + v.to_bytes(32, "big") + r + s
    generator = words(1, 2)
    pairing = words(
        1,
        ALT_BN128_P - 2,
        0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2,
        0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED,
        0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B,
        0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA,
    )
    blake = bytes.fromhex("0000000c") + draw.randbytes(64 + 128 + 16)
    return [
        (1, good),
        (1, good[:-1]),
        (1, digest + words(29) + r + s),
        (1, digest + words(27, 0, 5)),
        (1, digest + words(28, 5, 0)),
        (1, digest + words(27, WORD, 5)),
        (1, digest + words(27, 5, 5)),
        (1, b""),
        (2, draw.randbytes(draw.randrange(200))),
        (3, draw.randbytes(draw.randrange(200))),
        (4, draw.randbytes(draw.randrange(200))),
        (5, words(1, 1, 1) + bytes([draw.randrange(9), draw.randrange(9), draw.randrange(9)])),
        (5, words(0, 0, 1) + b"\x07"),
        (5, words(0, 1, 2) + b"\x00\x00\x07"),
        (5, words(0, 1, 2) + b"\x03\x00\x07"),
        (5, words(0, 0, 0)),
        (5, words(0, 2**200, 0)),
        (5, words(2, 33, 2) + draw.randbytes(20)),
        (5, words(32, 32, 32) + draw.randbytes(96)),
        (5, words(2**64, 1, 1)),
        (5, words(3, 1, 3) + b"\x01\x00\x00\x02\x00\x00\x00"),
        (5, words(1, 1)),
        (5, b""),
        (6, generator + generator),
        (6, generator + words(1, ALT_BN128_P - 2)),
        (6, generator + words(1, 3)),
        (6, generator),
        (6, words(ALT_BN128_P, 0)),
        (6, b""),
        (7, generator + words(draw.getrandbits(256))),
        (7, generator + words(0)),
        (7, words(1, 3, 2)),
        (8, b""),
        (8, pairing),
        (8, bytes(192)),
        (8, pairing[:-32] + words(5)),
        (8, pairing[:-1]),
        (9, blake + b"\x01"),
        (9, blake + b"\x00"),
        (9, blake + b"\x02"),
        (9, blake),
        (9, bytes(4) + blake[4:] + b"\x01"),
        (10, bytes(192)),
        (10, b""),
        (11, b"\x01"),
    ]


class Wallet:
    """Signs transactions and counts nonces."""

    def __init__(self, draw: random.Random, fork: Fork, base_fee: int) -> None:
        self.draw = draw
        self.fork = fork
        self.base_fee = base_fee
        self.nonces = [0] * len(KEYS)

    def send(self, to: bytes | None, data: bytes = b"", gas_limit: int = 400_000, **fields: object) -> Transaction:
        """Return a transaction of a random sender and of a random type that the fork knows."""
        sender = self.draw.randrange(len(KEYS))
        nonce = self.nonces[sender]
        self.nonces[sender] += 1
        kind = self.draw.randrange(3 if self.fork >= Fork.LONDON else 2)
        price = self.base_fee + self.draw.choice([0, 0, 1, 7])
        if kind == 2:
            tip = self.draw.randrange(price - self.base_fee + 1)
            fields |= {"max_fee_per_gas": price, "max_priority_fee_per_gas": tip, "gas_price": None}
        else:
            fields |= {"gas_price": price}
        if kind == 1 and "access_list" not in fields:
            fields["access_list"] = ()
        return transaction(sender, nonce, to, data, gas_limit=gas_limit, **fields)


def mixed(draw: random.Random, fork: Fork, base_fee: int = 0) -> list[Transaction]:
    """Return some 300 transactions of every kind, shuffled but with nonces in order."""
    wallet = Wallet(draw, fork, base_fee)
    send = wallet.send
    destroyer = assemble("PUSH 9 PUSH 9 SSTORE CALLER SELFDESTRUCT")
    simple = assemble("PUSH 1 PUSH 0 SSTORE PUSH 42 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")

    def any_sender() -> bytes:
        return draw.choice(SENDERS)

    def calls(target: bytes | int, value: int, data: bytes) -> Callable[[], Transaction]:
        return lambda: send(CALLS, words(target, value) + data, gas_limit=3_000_000)

    makers: list[Callable[[], Transaction]] = []
    makers += [lambda: send(any_sender(), value=draw.randrange(ETHER))] * 12  # transfers, some to oneself
    makers += [lambda: send(draw.randbytes(20), value=draw.randrange(3))] * 8  # new accounts, some stay empty
    makers += [
        lambda: send(STORE, words(*[draw.randrange(8) if i % 2 == 0 else draw.randrange(3) for i in range(8)]))
    ] * 40
    makers += [lambda: send(STORE, words(draw.randrange(6), 0, draw.randrange(6), 0))] * 15  # refunds
    makers += [lambda: send(STORE, words(1, 5), access_list=((STORE, (1, 2)), (LOG, ()), (STORE, (3,))))] * 8
    makers += [lambda: send(LOG)] * 12
    makers += [lambda: send(REVERT, draw.randbytes(50))] * 10
    makers += [lambda: send(LOOP, gas_limit=draw.randrange(21_100, 60_000))] * 8
    makers += [lambda: send(STORE, words(draw.randrange(6), 1), gas_limit=draw.randrange(21_600, 50_000))] * 12
    makers += [lambda: send(None, deployer(simple))] * 6
    makers += [lambda: send(None, deployer(simple), value=5, access_list=((LOG, (1,)),))] * 3
    makers += [lambda: send(None, simple)] * 3
    makers += [lambda: send(None, assemble("PUSH 0 PUSH 0 REVERT"))] * 3
    makers += [lambda: send(None, assemble("PUSH 239 PUSH 0 MSTORE8 PUSH 1 PUSH 0 RETURN"))] * 2  # 0xef (EIP-3541)
    makers += [lambda: send(None, assemble("PUSH 30000 PUSH 0 RETURN"), gas_limit=8_000_000)] * 2  # EIP-170
    makers += [lambda: send(None, assemble("PUSH 2000 PUSH 0 RETURN"), gas_limit=draw.randrange(100_000, 500_000))] * 3
    makers += [lambda: send(None, assemble("CALLER SELFDESTRUCT"), value=4)] * 3
    makers += [lambda: send(None, b"")] * 2
    makers += [lambda: send(None, random_program(draw))] * 10
    makers += [lambda: send(FACTORY, deployer(destroyer), value=draw.randrange(3))] * 5
    makers += [lambda: send(FACTORY, deployer(simple), value=draw.randrange(3), gas_limit=700_000)] * 5
    makers += [lambda: send(FACTORY, random_program(draw), gas_limit=700_000)] * 5
    makers += [lambda: send(DESTROY, words(draw.choice([DESTROY, STORE, *SENDERS, draw.randbytes(20)])))] * 6
    makers += [lambda: send(TWICE)] * 3
    makers += [lambda: send(DEEP, gas_limit=draw.choice([300_000, 3_000_000]))] * 3
    makers += [lambda: send(ENVIRONMENT, draw.randbytes(7))] * 3
    if fork >= Fork.CANCUN:
        makers += [lambda: send(TRANSIENT)] * 4
    for target in (STORE, LOG, REVERT, LOOP, DESTROY, FACTORY, TWICE, SENDERS[3], b"\x99" * 20, CALLS, DEEP):
        makers += [calls(target, draw.choice([0, 0, 1, 5, 2**200]), words(3, 4)) for _ in range(3)]
    makers += [calls(number, 0, data) for number, data in precompile_inputs(draw)]
    makers += [lambda: send(bytes(19) + bytes([draw.randrange(1, 11)]), draw.randbytes(100), value=1)] * 5
    makers += [lambda: send(draw.choice(RANDOM), draw.randbytes(40), gas_limit=1_500_000)] * 60
    draw.shuffle(makers)
    return [make() for make in makers]
