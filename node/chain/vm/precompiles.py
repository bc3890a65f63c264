"""Precompiled contracts: py-evm's, and our own where its are wrong, slow, or cannot be stopped.

- ``ecrecover``: straight to coincurve.
- ``modexp`` (EIP-198, EIP-2565): py-evm answers 0 for an empty base even when the exponent is zero, where 0**0 is 1,
  and measures lengths in floating point; long ones are done in steps.
- ``ecadd``, ``ecmul`` (EIP-196), ``ecpairing`` (EIP-197): on integers instead of field objects, ten times as quick.
- ``blake2f`` (EIP-152): four columns at once, five times as quick. It and ``ecpairing`` are still what gas buys the
  most time with, so they ask the watch between rounds and pairs.
- ``point_evaluation`` (EIP-4844): py-evm reads the trusted setup, 1.8 s, at every call; here never (``kzg``).

This module is part of the door to py-evm. It never knows gas outside of a precompile.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from coincurve import PublicKey
from eth.exceptions import VMError
from eth.vm.forks.cancun.constants import FIELD_ELEMENTS_PER_BLOB

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.vm import alt_bn128, kzg, pairing
from cocket.node.chain.vm.computation import Computation
from cocket.node.errors import NodeFault

_SECP256K1_N: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_ECRECOVER_GAS: Final = 3_000
_MODEXP_GAS_MIN: Final = 200
_MODEXP_STEP: Final = 2_000_000  # squarings of a word; those of larger numbers count by the square of their words
_ECADD_GAS: Final = 150  # EIP-1108
_ECMUL_GAS: Final = 6_000  # EIP-1108
_PAIRING_BASE_GAS: Final = 45_000  # EIP-1108
_PAIRING_GAS: Final = 34_000  # EIP-1108
_PAIR_BYTES: Final = 192
_POINT_EVALUATION_GAS: Final = 50_000
_POINT_EVALUATION_BYTES: Final = 192
_KZG_VERSION: Final = b"\x01"  # how a commitment's versioned hash begins
_BLAKE2F_BYTES: Final = 213
_ROUNDS_BETWEEN_CHECKS: Final = 256  # a millisecond


def address_of(number: int) -> bytes:
    """Return the address of the precompile with this number."""
    return number.to_bytes(20, "big")


def ecrecover(computation: Computation) -> None:
    """Give the address that signed a hash, 32 bytes padded, or nothing."""
    computation.consume_gas(_ECRECOVER_GAS)
    data = computation.msg.data_as_bytes[:128].ljust(128, b"\x00")
    v = int.from_bytes(data[32:64], "big")
    r = int.from_bytes(data[64:96], "big")
    s = int.from_bytes(data[96:128], "big")
    if v not in (27, 28) or not 0 < r < _SECP256K1_N or not 0 < s < _SECP256K1_N:
        return
    try:
        key = PublicKey.from_signature_and_message(data[64:128] + bytes([v - 27]), data[:32], hasher=None)
    except Exception:  # coincurve raises a bare Exception for an r that is on no curve point
        return
    computation.output = bytes(12) + keccak256(key.format(compressed=False)[1:])[12:]


def modexp(computation: Computation) -> None:
    """Give base ** exponent % modulus for numbers of given lengths, at the price of EIP-2565."""
    data = computation.msg.data_as_bytes
    base_bytes, exponent_bytes, modulus_bytes = _words(data, 3)
    head = _word(data, 96 + base_bytes, min(exponent_bytes, 32))
    iterations = max(head.bit_length() - 1, 0) + 8 * max(exponent_bytes - 32, 0)
    words = (max(base_bytes, modulus_bytes) + 7) // 8
    computation.consume_gas(max(_MODEXP_GAS_MIN, words * words * max(iterations, 1) // 3))
    if not modulus_bytes:
        computation.output = b""
        return
    base = _word(data, 96, base_bytes)
    exponent = _word(data, 96 + base_bytes, exponent_bytes)
    modulus = _word(data, 96 + base_bytes + exponent_bytes, modulus_bytes)
    result = _power(base, exponent, modulus, computation.state.watch.check) if modulus else 0
    computation.output = result.to_bytes(modulus_bytes, "big")


def _power(base: int, exponent: int, modulus: int, on_step: Callable[[], None]) -> int:
    """Return base ** exponent % modulus; where that takes long, in steps of some 20 ms.

    Python's own pow cannot be stopped and holds all other threads up, seconds for what one block's gas buys. Steps
    cost about twice the multiplications.
    """
    words = (modulus.bit_length() + 63) // 64
    step_bits = max(_MODEXP_STEP // (16 + words * words), 1)
    if exponent.bit_length() <= step_bits:
        return pow(base, exponent, modulus)
    result = 1
    for start in reversed(range(0, exponent.bit_length(), step_bits)):
        on_step()
        part = exponent >> start & ((1 << step_bits) - 1)
        result = pow(result, 1 << step_bits, modulus) * pow(base, part, modulus) % modulus
    return result


def _word(data: bytes, start: int, size: int) -> int:
    """Return the number in ``size`` bytes from ``start``; bytes behind the end are zero."""
    found = data[start : start + size]
    return int.from_bytes(found, "big") << (8 * (size - len(found))) if found else 0


def ecadd(computation: Computation) -> None:
    """Give the sum of two points on alt_bn128."""
    computation.consume_gas(_ECADD_GAS)
    x1, y1, x2, y2 = _words(computation.msg.data_as_bytes, 4)
    try:
        total = alt_bn128.add(alt_bn128.validate_point(x1, y1), alt_bn128.validate_point(x2, y2))
    except alt_bn128.NotOnCurve as error:
        raise VMError("ecadd input is not on the curve") from error
    computation.output = b"".join(coordinate.to_bytes(32, "big") for coordinate in total)


def ecmul(computation: Computation) -> None:
    """Give a multiple of a point on alt_bn128."""
    computation.consume_gas(_ECMUL_GAS)
    x, y, factor = _words(computation.msg.data_as_bytes, 3)
    try:
        product = alt_bn128.multiply(alt_bn128.validate_point(x, y), factor)
    except alt_bn128.NotOnCurve as error:
        raise VMError("ecmul input is not on the curve") from error
    computation.output = b"".join(coordinate.to_bytes(32, "big") for coordinate in product)


def _words(data: bytes, count: int) -> list[int]:
    """Return the first words of an input; bytes behind its end are zero."""
    return [_word(data, 32 * i, 32) for i in range(count)]


def ecpairing(computation: Computation) -> None:
    """Say whether the product of pairings of points on alt_bn128 is one."""
    data = computation.msg.data_as_bytes
    if len(data) % _PAIR_BYTES:
        raise VMError("pairing input is not a number of pairs")
    pairs = len(data) // _PAIR_BYTES
    computation.consume_gas(_PAIRING_BASE_GAS + pairs * _PAIRING_GAS)
    try:
        points = []
        for start in range(0, len(data), _PAIR_BYTES):
            computation.state.watch.check()
            # The second group's numbers come with their imaginary part first.
            x, y, b, a, d, c = _words(data[start : start + _PAIR_BYTES], 6)
            points.append((alt_bn128.validate_point(x, y), pairing.validate_twisted((a, b), (c, d))))
    except alt_bn128.NotOnCurve as error:
        raise VMError("pairing input is not on the curve") from error
    computation.output = pairing.is_product_one(points, computation.state.watch.check).to_bytes(32, "big")


def point_evaluation(computation: Computation) -> None:
    """Verify a KZG proof that a committed polynomial has a value at a point."""
    computation.consume_gas(_POINT_EVALUATION_GAS)
    data = computation.msg.data_as_bytes
    if len(data) != _POINT_EVALUATION_BYTES:
        raise VMError(f"point evaluation input has {len(data)} bytes")
    commitment = data[96:144]
    if _KZG_VERSION + hashlib.sha256(commitment).digest()[1:] != data[:32]:
        raise VMError("point evaluation commitment does not match its hash")
    try:
        is_proven = kzg.verify_proof(commitment, data[32:64], data[64:96], data[144:])
    except kzg.MalformedProof as error:
        raise VMError("point evaluation input is malformed") from error
    if not is_proven:
        raise VMError("point evaluation proof is wrong")
    computation.output = FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + kzg.FIELD.to_bytes(32, "big")


_BLAKE2B_IV: Final = (
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
)
_SIGMA: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
_LANE: Final = 128  # four words side by side in one integer, each with as much room above it for carries
_WORDS: Final = sum((2**64 - 1) << (_LANE * i) for i in range(4))


def blake2f(computation: Computation) -> None:
    """Apply the compression function of BLAKE2b a given number of rounds, one gas each (RFC 7693, 3.2)."""
    data = computation.msg.data_as_bytes
    if len(data) != _BLAKE2F_BYTES or data[212] > 1:
        raise VMError("blake2f input has a wrong size or final flag")
    rounds = int.from_bytes(data[:4], "big")
    computation.consume_gas(rounds)
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(4, 212, 8)]
    state, message, counters = words[:8], words[8:24], words[24:]
    final = 2**64 - 1 if data[212] else 0
    mixed = [word ^ extra for word, extra in zip(_BLAKE2B_IV[4:], (*counters, final, 0), strict=True)]
    a, b, c, d = _pack(state[:4]), _pack(state[4:]), _pack(_BLAKE2B_IV[:4]), _pack(mixed)
    schedule = [
        [_pack([message[i] for i in sigma[start : start + 8 : 2]]) for start in (0, 1, 8, 9)]
        for sigma in _SIGMA[:rounds]
    ]
    for index in range(rounds):
        if index % _ROUNDS_BETWEEN_CHECKS == 0:
            computation.state.watch.check()
        x1, y1, x2, y2 = schedule[index % 10]
        a, b, c, d = _mix(a, b, c, d, x1, y1)
        # The diagonals become columns for the second half, and columns again after it.
        a, b, c, d = _mix(a, _turn(b, 1), _turn(c, 2), _turn(d, 3), x2, y2)
        b, c, d = _turn(b, 3), _turn(c, 2), _turn(d, 1)
    low, high = a ^ c ^ _pack(state[:4]), b ^ d ^ _pack(state[4:])
    computation.output = _unpack(low) + _unpack(high)


def _pack(words: Sequence[int]) -> int:
    return sum(word << (_LANE * i) for i, word in enumerate(words))


def _unpack(packed: int) -> bytes:
    return b"".join((packed >> (_LANE * i) & (2**64 - 1)).to_bytes(8, "little") for i in range(4))


def _turn(row: int, lanes: int) -> int:
    """Return a row with its words moved ``lanes`` places down, the lowest ones coming back at the top."""
    return row >> (_LANE * lanes) | (row << (_LANE * (4 - lanes))) & _WORDS


def _mix(a: int, b: int, c: int, d: int, x: int, y: int) -> tuple[int, int, int, int]:
    """Apply the mixing function G to four columns at once."""
    a = (a + b + x) & _WORDS
    d ^= a
    d = (d >> 32 | d << 32) & _WORDS
    c = (c + d) & _WORDS
    b ^= c
    b = (b >> 24 | b << 40) & _WORDS
    a = (a + b + y) & _WORDS
    d ^= a
    d = (d >> 16 | d << 48) & _WORDS
    c = (c + d) & _WORDS
    b ^= c
    return a, (b >> 63 | b << 1) & _WORDS, c, d


def validate_backends() -> None:
    """Raise NodeFault unless the native parts that executions need are there and right."""
    if not PublicKey.__module__.startswith("coincurve"):
        raise NodeFault("coincurve is not what recovers senders: install coincurve")
    try:
        digest = hashlib.new("ripemd160", b"").hexdigest()
    except ValueError as error:
        raise NodeFault("OpenSSL lacks RIPEMD-160: enable its legacy provider, blocks may need it") from error
    if digest != "9c1185a5c5e9fc54612808977ee8f548b2258d31":
        raise NodeFault("RIPEMD-160 gives a wrong hash: repair OpenSSL")
    kzg.validate_backend()
