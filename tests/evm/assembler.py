"""EVM assembly in a line: ``assemble("PUSH 1 PUSH 0 SSTORE")``. Labels are ``name:``, their place is ``@name``."""

OPCODES = {
    "STOP": 0x00,
    "ADD": 0x01,
    "MUL": 0x02,
    "SUB": 0x03,
    "DIV": 0x04,
    "SDIV": 0x05,
    "MOD": 0x06,
    "SMOD": 0x07,
    "ADDMOD": 0x08,
    "MULMOD": 0x09,
    "EXP": 0x0A,
    "SIGNEXTEND": 0x0B,
    "LT": 0x10,
    "GT": 0x11,
    "SLT": 0x12,
    "SGT": 0x13,
    "EQ": 0x14,
    "ISZERO": 0x15,
    "AND": 0x16,
    "OR": 0x17,
    "XOR": 0x18,
    "NOT": 0x19,
    "BYTE": 0x1A,
    "SHL": 0x1B,
    "SHR": 0x1C,
    "SAR": 0x1D,
    "KECCAK256": 0x20,
    "ADDRESS": 0x30,
    "BALANCE": 0x31,
    "ORIGIN": 0x32,
    "CALLER": 0x33,
    "CALLVALUE": 0x34,
    "CALLDATALOAD": 0x35,
    "CALLDATASIZE": 0x36,
    "CALLDATACOPY": 0x37,
    "CODESIZE": 0x38,
    "CODECOPY": 0x39,
    "GASPRICE": 0x3A,
    "EXTCODESIZE": 0x3B,
    "EXTCODECOPY": 0x3C,
    "RETURNDATASIZE": 0x3D,
    "RETURNDATACOPY": 0x3E,
    "EXTCODEHASH": 0x3F,
    "BLOCKHASH": 0x40,
    "COINBASE": 0x41,
    "TIMESTAMP": 0x42,
    "NUMBER": 0x43,
    "PREVRANDAO": 0x44,
    "GASLIMIT": 0x45,
    "CHAINID": 0x46,
    "SELFBALANCE": 0x47,
    "BASEFEE": 0x48,
    "BLOBHASH": 0x49,
    "BLOBBASEFEE": 0x4A,
    "POP": 0x50,
    "MLOAD": 0x51,
    "MSTORE": 0x52,
    "MSTORE8": 0x53,
    "SLOAD": 0x54,
    "SSTORE": 0x55,
    "JUMP": 0x56,
    "JUMPI": 0x57,
    "PC": 0x58,
    "MSIZE": 0x59,
    "GAS": 0x5A,
    "JUMPDEST": 0x5B,
    "TLOAD": 0x5C,
    "TSTORE": 0x5D,
    "MCOPY": 0x5E,
    "PUSH0": 0x5F,
    "CREATE": 0xF0,
    "CALL": 0xF1,
    "CALLCODE": 0xF2,
    "RETURN": 0xF3,
    "DELEGATECALL": 0xF4,
    "CREATE2": 0xF5,
    "STATICCALL": 0xFA,
    "REVERT": 0xFD,
    "INVALID": 0xFE,
    "SELFDESTRUCT": 0xFF,
}
OPCODES |= {f"DUP{n}": 0x7F + n for n in range(1, 17)}
OPCODES |= {f"SWAP{n}": 0x8F + n for n in range(1, 17)}
OPCODES |= {f"LOG{n}": 0xA0 + n for n in range(5)}


def push(value: int) -> bytes:
    """Return the shortest PUSH of a value; zero is PUSH1 0, which every fork knows."""
    size = max((value.bit_length() + 7) // 8, 1)
    return bytes([0x5F + size]) + value.to_bytes(size, "big")


def assemble(source: str) -> bytes:
    """Return the bytes of a program. ``PUSH n`` ``@label`` pushes two bytes, ``bare ``0x..`` is data."""
    code = bytearray()
    labels: dict[str, int] = {}
    uses: list[tuple[int, str]] = []
    words = iter(source.split())
    for word in words:
        if word == "PUSH":
            code += push(int(next(words), 0))
        elif word.endswith(":"):
            labels[word[:-1]] = len(code)
            code.append(OPCODES["JUMPDEST"])
        elif word.startswith("@"):
            uses.append((len(code) + 1, word[1:]))
            code += b"\x61\x00\x00"
        elif word.startswith("0x"):
            code += bytes.fromhex(word[2:])
        else:
            code.append(OPCODES[word])
    for at, label in uses:
        code[at : at + 2] = labels[label].to_bytes(2, "big")
    return bytes(code)


def deployer(runtime: bytes, first: str = "") -> bytes:
    """Return initcode that runs ``first`` and then deploys ``runtime``."""
    size = len(runtime)
    head = assemble(f"{first} PUSH {size} DUP1")
    tail = assemble("PUSH 0 CODECOPY PUSH 0 RETURN")
    start = len(head) + 3 + len(tail)
    return head + b"\x61" + start.to_bytes(2, "big") + tail + runtime


def return_top() -> str:
    """Return the source that returns the word on top of the stack."""
    return "PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"
