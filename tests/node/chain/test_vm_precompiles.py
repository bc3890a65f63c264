"""Our precompiles against other implementations: hashlib, py_ecc, py-evm's own, and the EIPs' vectors."""

import hashlib
import random

import pytest
from eth._utils.blake2.coders import extract_blake2b_parameters
from eth._utils.blake2.compression import blake2b_compress
from eth.vm.forks.cancun.computation import CANCUN_PRECOMPILES
from evm.programs import words
from evm.world import KEYS, SENDERS, block_context, funded
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc import optimized_bn128 as bn128

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.vm import (
    CallRequest,
    ExecutionAborted,
    alt_bn128,
    call,
    precompiles,
    validate_backends,
)
from cocket.node.chain.vm.precompiles import address_of

CONTEXT, READER = block_context(gas_limit=10**9), funded().reader


def run(number: int, data: bytes, gas: int = 50_000_000) -> tuple[bytes, int, str | None]:
    """Return a precompile's output, its gas without the call's, and its error."""
    request = CallRequest(to=address_of(number), data=data, gas=gas)
    result = call(CONTEXT, READER, request, None)
    intrinsic = 21_000 + 4 * data.count(0) + 16 * (len(data) - data.count(0))
    return result.output, result.gas_used - intrinsic, result.error


def test_the_backends_are_there() -> None:
    validate_backends()


def test_every_precompile_of_py_evm_is_there() -> None:
    for address in CANCUN_PRECOMPILES:
        assert run(int.from_bytes(address, "big"), b"")[1] > 0


def test_ecrecover_names_the_signer() -> None:
    from coincurve import PrivateKey

    digest = keccak256(b"message")
    signature = PrivateKey(KEYS[0]).sign_recoverable(digest, hasher=None)
    data = digest + words(27 + signature[64]) + signature[:64]
    assert run(1, data) == (SENDERS[0].rjust(32, b"\x00"), 3_000, None)
    assert run(1, data + b"more")[0] == SENDERS[0].rjust(32, b"\x00")
    assert run(1, keccak256(b"other") + data[32:])[0] != SENDERS[0].rjust(32, b"\x00")


@pytest.mark.parametrize(
    "tail", [words(26, 5, 5), words(29, 5, 5), words(27, 0, 5), words(27, 5, 0), words(2**255, 5, 5)]
)
def test_ecrecover_gives_nothing_for_a_bad_signature(tail: bytes) -> None:
    assert run(1, keccak256(b"") + tail) == (b"", 3_000, None)


@given(st.binary(max_size=300))
@settings(max_examples=20)
def test_hashes_and_identity(data: bytes) -> None:
    number_of_words = (len(data) + 31) // 32
    assert run(2, data) == (hashlib.sha256(data).digest(), 60 + 12 * number_of_words, None)
    ripemd = hashlib.new("ripemd160", data).digest().rjust(32, b"\x00")
    assert run(3, data) == (ripemd, 600 + 120 * number_of_words, None)
    assert run(4, data) == (data, 15 + 3 * number_of_words, None)


# EIP-2565's table: name in the EIP, base, exponent, modulus bytes, gas.
def test_modexp_computes_and_charges() -> None:
    fermat = words(1, 32, 32) + b"\x03" + words(2**256 - 2**32 - 978) + words(2**256 - 2**32 - 977)
    assert run(5, fermat) == (words(1), 1_360, None)
    fermat_without_base = words(0, 32, 32) + words(2**256 - 2**32 - 978) + words(2**256 - 2**32 - 977)
    assert run(5, fermat_without_base) == (words(0), 1_360, None)


@pytest.mark.parametrize(
    ("data", "output"),
    [
        (b"", b""),
        (words(1, 1, 0) + b"\x02\x03", b""),
        (words(1, 1, 1) + b"\x02\x05\x00", b"\x00"),  # modulo zero
        (words(1, 1, 1) + b"\x02\x05\x07", b"\x04"),
        (words(0, 0, 1) + b"\x07", b"\x01"),  # 0 ** 0
        (words(0, 1, 1) + b"\x00\x07", b"\x01"),  # 0 ** 0 with the zero spelled
        (words(0, 1, 1) + b"\x03\x07", b"\x00"),
        (words(1, 0, 1) + b"\x05\x01", b"\x00"),  # modulo one
        (words(1, 1, 2) + b"\x02\x05\x01", b"\x00\x20"),  # a missing byte is zero: modulo 256
        (words(0, 2**255, 0), b""),
    ],
)
def test_modexp_at_its_edges(data: bytes, output: bytes) -> None:
    assert run(5, data) == (output, 200, None)


@pytest.mark.parametrize("header", [(2**256 - 1, 0, 0), (1, 2**255, 1), (1, 1, 2**200), (10**9, 1, 1)])
def test_modexp_of_absurd_lengths_is_out_of_gas(header: tuple[int, int, int]) -> None:
    assert run(5, words(*header))[2] == "out of gas"


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_modexp_is_pow(base: int, exponent: int, modulus: int) -> None:
    output, _, error = run(5, words(32, 32, 32, base, exponent, modulus))
    assert error is None
    assert int.from_bytes(output, "big") == (pow(base, exponent, modulus) if modulus else 0)


@given(st.integers(0, 2**500), st.integers(0, 2**700), st.integers(1, 2**1000), st.integers(50, 40_000))
@settings(max_examples=50)
def test_long_powers_are_done_in_steps(base: int, exponent: int, modulus: int, step: int) -> None:
    steps: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precompiles, "_MODEXP_STEP", step)
        found = precompiles._power(base, exponent, modulus, lambda: steps.append(1))
    assert found == pow(base, exponent, modulus)
    words_of_modulus = (modulus.bit_length() + 63) // 64
    step_bits = max(step // (16 + words_of_modulus**2), 1)
    bits = exponent.bit_length()
    assert len(steps) == (0 if bits <= step_bits else -(-bits // step_bits))


factors = st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, 2, bn128.curve_order, bn128.curve_order - 1])


def py_ecc_multiple(factor: int) -> tuple[int, int]:
    x, y = bn128.normalize(bn128.multiply(bn128.G1, factor))
    return int(x), int(y)


@given(factors, factors)
@settings(max_examples=15)
def test_points_add_and_multiply_as_in_py_ecc(first: int, second: int) -> None:
    one, other = py_ecc_multiple(first), py_ecc_multiple(second)
    total = py_ecc_multiple(first + second)
    assert alt_bn128.multiply((1, 2), first) == one
    assert alt_bn128.add(one, other) == total
    assert run(6, words(*one, *other)) == (words(*total), 150, None)
    assert run(7, words(*one, second)) == (words(*py_ecc_multiple(first * second)), 6_000, None)


@pytest.mark.parametrize("number", [6, 7])
@pytest.mark.parametrize("point", [(1, 3), (alt_bn128.FIELD, 0), (0, alt_bn128.FIELD), (2**256 - 1, 2)])
def test_points_off_the_curve_burn_the_gas(number: int, point: tuple[int, int]) -> None:
    output, _, error = run(number, words(*point, 1), 100_000)
    assert output == b""
    assert error is not None


# The generator of the second group (EIP-197), imaginary parts first.
G2 = words(
    0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2,
    0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED,
    0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B,
    0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA,
)


def test_pairing_knows_opposites() -> None:
    q = G2  # e(P, Q) * e(-P, Q) = 1
    p, minus_p = words(1, 2), words(1, alt_bn128.FIELD - 2)
    assert run(8, p + q + minus_p + q) == (words(1), 45_000 + 2 * 34_000, None)
    assert run(8, p + q)[0] == words(0)
    assert run(8, b"") == (words(1), 45_000, None)
    assert run(8, (p + q)[:-1])[2] is not None


BLAKE_STATE = bytes.fromhex(
    "48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
    "d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b"
    "6162630000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0300000000000000" + "0000000000000000"
)


@pytest.mark.parametrize(
    ("rounds", "final", "output"),
    [
        (
            0,
            1,
            "08c9bcf367e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
            "d282e6ad7f520e511f6c3e2b8c68059b9442be0454267ce079217e1319cde05b",
        ),
        (
            12,
            1,
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
        ),
        (
            12,
            0,
            "75ab69d3190a562c51aef8d88f1c2775876944407270c42c9844252c26d28752"
            "98743e7f6d5ea2f2d3e8d226039cd31b4e426ac4f2d3d666a610c2116fde4735",
        ),
        (
            1,
            1,
            "b63a380cb2897d521994a85234ee2c181b5f844d2c624c002677e9703449d2fb"
            "a551b3a8333bcdf5f2f7e08993d53923de3d64fcc68c034e717b9293fed7a421",
        ),
    ],
)
def test_blake2f_gives_the_vectors_of_eip_152(rounds: int, final: int, output: str) -> None:
    data = rounds.to_bytes(4, "big") + BLAKE_STATE + bytes([final])
    assert run(9, data) == (bytes.fromhex(output), rounds, None)


def test_blake2f_of_twelve_rounds_is_blake2b() -> None:
    message = b"abc"
    output = run(9, (12).to_bytes(4, "big") + BLAKE_STATE + b"\x01")[0]
    assert output == hashlib.blake2b(message).digest()


@pytest.mark.parametrize("data", [b"", bytes(212), bytes(214), bytes(212) + b"\x02"])
def test_blake2f_refuses_other_inputs(data: bytes) -> None:
    assert run(9, data, 100_000)[2] is not None


def test_long_precompiles_can_be_stopped() -> None:
    endless = (2**32 - 1).to_bytes(4, "big") + BLAKE_STATE + b"\x01"
    power = words(8, 1_000_000, 8) + b"\xff" * 1_000_016
    for number, data in ((9, endless), (8, (words(1, 2) + G2) * 200), (5, power)):
        with pytest.raises(ExecutionAborted, match="deadline"):
            call(CONTEXT, READER, CallRequest(to=address_of(number), data=data, gas=2**40), 0.02)


def test_point_evaluation_verifies_a_proof() -> None:
    # A constant polynomial 0: commitment, value and proof are zero (EIP-4844).
    infinity = b"\xc0" + bytes(47)
    versioned = b"\x01" + hashlib.sha256(infinity).digest()[1:]
    good = versioned + words(5, 0) + infinity + infinity
    modulus = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
    assert run(10, good) == (words(4096, modulus), 50_000, None)
    for bad in (
        good[:-1],
        bytes(32) + good[32:],
        versioned + words(5, 1) + infinity + infinity,
        versioned + words(modulus, 0) + infinity + infinity,
        versioned + words(5, 0) + infinity + b"\xff" * 48,
    ):
        output, _, error = run(10, bad, 200_000)
        assert output == b""
        assert error is not None


def test_random_inputs_raise_nothing() -> None:
    draw = random.Random(5)
    for number in range(1, 11):
        for _ in range(20):
            run(number, draw.randbytes(draw.choice([0, 1, 32, 96, 128, 192, 213])), 100_000)


@given(st.integers(0, 40), st.binary(min_size=208, max_size=208), st.booleans())
@settings(max_examples=50)
def test_blake2f_compresses_as_py_evm_does(rounds: int, state: bytes, is_final: bool) -> None:
    data = rounds.to_bytes(4, "big") + state + bytes([is_final])
    assert run(9, data)[0] == blake2b_compress(*extract_blake2b_parameters(data))
