"""KZG proofs, verified without a trusted setup, against ckzg with the whole one."""

import random
from collections.abc import Callable
from pathlib import Path

import ckzg
import pytest
from eth.precompiles import point_evaluation

from cocket.node.chain.vm import kzg

INFINITY = b"\xc0" + bytes(47)
OUTSIDE_THE_GROUP = b"\x80" + bytes(46) + b"\x04"  # x = 4 is on the curve
SETUP = Path(point_evaluation.TRUSTED_SETUP_PATH)

Verify = Callable[[bytes, bytes, bytes, bytes], bool | None]


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def ours(*parts: bytes) -> bool | None:
    """Return whether a proof holds, or None when it is malformed."""
    try:
        return kzg.verify_proof(*parts)
    except kzg.MalformedProof:
        return None


@pytest.fixture(scope="module")
def setup() -> object:
    return ckzg.load_trusted_setup(str(SETUP), 0)


@pytest.fixture(scope="module")
def theirs(setup: object) -> Verify:
    def verify(*parts: bytes) -> bool | None:
        try:
            return bool(ckzg.verify_kzg_proof(*parts, setup))
        except RuntimeError:
            return None

    return verify


@pytest.fixture(scope="module")
def proofs(setup: object) -> list[tuple[bytes, bytes, bytes, bytes]]:
    """Return commitment, point, value and proof of some polynomials, one of them constant, at some points."""
    draw = random.Random(4844)
    found = []
    for values in (0, 1, 4096):
        numbers = [draw.randrange(kzg.FIELD) if index < values else 0 for index in range(4096)]
        blob = b"".join(map(number, numbers))
        commitment = ckzg.blob_to_kzg_commitment(blob, setup)
        for point in (0, 1, draw.randrange(kzg.FIELD)):
            proof, value = ckzg.compute_kzg_proof(blob, number(point), setup)
            found.append((commitment, number(point), value, proof))
    return found


def test_the_point_is_that_of_the_ceremony() -> None:
    words = SETUP.read_text().split()
    lagrange, second_group = int(words[0]), int(words[1])
    assert kzg.SECRET_G2.hex() == words[2 + lagrange + 1]
    assert second_group > 1


def test_the_backend_is_right() -> None:
    kzg.validate_backend()


def test_what_holds_is_proven_and_nothing_else(proofs: list[tuple[bytes, bytes, bytes, bytes]]) -> None:
    for commitment, point, value, proof in proofs:
        assert ours(commitment, point, value, proof) is True
        other = number((int.from_bytes(value, "big") + 1) % kzg.FIELD)
        assert ours(commitment, point, other, proof) is False


def test_every_answer_is_ckzg_s(proofs: list[tuple[bytes, bytes, bytes, bytes]], theirs: Verify) -> None:
    draw = random.Random(7)
    answers = set()
    for good in proofs:
        changed = [good]
        for index, part in enumerate(good):
            others = [draw.choice(proofs)[index], draw.randbytes(len(part))]
            others += [number(kzg.FIELD), number(kzg.FIELD - 1)] if len(part) == 32 else [INFINITY, OUTSIDE_THE_GROUP]
            bit = draw.randrange(8 * len(part))
            others.append((int.from_bytes(part, "big") ^ 1 << bit).to_bytes(len(part), "big"))
            changed += [(*good[:index], other, *good[index + 1 :]) for other in others]
        for parts in changed:
            answer = ours(*parts)
            assert answer is theirs(*parts), [part.hex() for part in parts]
            answers.add(answer)
    assert answers == {True, False, None}


@pytest.mark.parametrize("index", range(4))
def test_other_lengths_are_malformed(index: int) -> None:
    good = (INFINITY, number(5), number(0), INFINITY)
    assert ours(*good) is True
    for part in (b"", good[index][:-1], good[index] + b"\x00"):
        assert ours(*good[:index], part, *good[index + 1 :]) is None


def test_points_outside_the_group_are_malformed() -> None:
    assert ours(OUTSIDE_THE_GROUP, number(5), number(0), INFINITY) is None
    assert ours(INFINITY, number(5), number(0), OUTSIDE_THE_GROUP) is None
