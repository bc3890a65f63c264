from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.players import GENESIS, Player, child, in_round, players, sealed

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import with_seals
from cocket.node.consensus.seals import (
    address_of_key,
    is_low_s,
    recover_seal,
    seal_authors,
    sign_seal,
    validate_seals,
)
from cocket.node.errors import InvalidBlock

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = bytes(range(32))
A, B, C, D = players(4)
ALL = tuple([player.address for player in (A, B, C, D)])
STRANGER = Player(9)


def high_s(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([1 - signature[64]])


def test_a_signature_recovers_its_signer() -> None:
    assert recover_seal(DIGEST, sign_seal(DIGEST, A.key)) == A.address == address_of_key(A.key)
    assert recover_seal(DIGEST, A.signer.sign_digest(DIGEST)) == A.address


def test_a_known_key_has_its_known_address() -> None:
    assert address_of_key(bytes(31) + b"\x01").hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"


def test_another_digest_is_another_signer() -> None:
    assert recover_seal(bytes(32), sign_seal(DIGEST, A.key)) != A.address


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:64],
        lambda s: s + b"\0",
        lambda s: s[:64] + b"\x02",
        lambda s: s[:64] + b"\x1b",
        lambda s: bytes(64) + s[64:],
        lambda s: b"\xff" * 32 + s[32:],
        lambda s: s[:32] + b"\xff" * 32 + s[64:],
        lambda s: s[:32] + bytes(32) + s[64:],
        lambda s: b"",
    ],
)
def test_what_is_no_signature_is_refused(spoil) -> None:
    with pytest.raises(ValueError, match="signature"):
        recover_seal(DIGEST, spoil(sign_seal(DIGEST, A.key)))


@given(st.binary(min_size=60, max_size=70))
def test_any_bytes_recover_or_are_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert len(recover_seal(DIGEST, data)) == 20


def test_low_s_is_told_from_high_s() -> None:
    signature = sign_seal(DIGEST, A.key)
    assert is_low_s(signature)
    assert not is_low_s(high_s(signature))
    assert recover_seal(DIGEST, high_s(signature)) == A.address


def test_seals_of_a_quorum_hold() -> None:
    for by in ((A, B, C), (A, B, C, D), (D, B, A)):
        validate_seals(sealed(child(GENESIS, A.address), by).header, ALL)


def test_a_seal_is_for_one_round() -> None:
    block = sealed(child(GENESIS, A.address), (A, B, C))
    seals = decode_extra_data(block.header.extra_data).seals
    with pytest.raises(InvalidBlock, match="seal 0"):
        validate_seals(with_seals(in_round(block, 1).header, seals), ALL)


@pytest.mark.parametrize("by", [(), (A,), (A, B)])
def test_too_few_seals_are_refused(by: tuple[Player, ...]) -> None:
    with pytest.raises(InvalidBlock, match="expected 3 to 4"):
        validate_seals(sealed(child(GENESIS, A.address), by).header, ALL)


def test_a_second_seal_of_one_validator_is_refused() -> None:
    with pytest.raises(InvalidBlock, match="second seal"):
        validate_seals(sealed(child(GENESIS, A.address), (A, B, B)).header, ALL)


def test_a_second_form_of_one_seal_is_a_second_seal() -> None:
    seals = decode_extra_data(sealed(child(GENESIS, A.address), (A, B)).header.extra_data).seals
    header = with_seals(child(GENESIS, A.address).header, (*seals, high_s(seals[0])))
    with pytest.raises(InvalidBlock, match="second seal"):
        validate_seals(header, ALL)


def test_a_strangers_seal_is_refused_even_beside_a_quorum() -> None:
    for by in ((A, B, STRANGER), (A, B, C, STRANGER)):
        with pytest.raises(InvalidBlock, match="one of the validators"):
            validate_seals(sealed(child(GENESIS, A.address), by).header, ALL)


def test_more_seals_than_validators_are_refused_before_any_is_recovered() -> None:
    header = with_seals(child(GENESIS, A.address).header, [bytes(65)] * 5)
    with pytest.raises(InvalidBlock, match="found 5 seals"):
        validate_seals(header, ALL)


def test_a_seal_that_is_no_signature_is_refused() -> None:
    seals = decode_extra_data(sealed(child(GENESIS, A.address), (A, B)).header.extra_data).seals
    with pytest.raises(InvalidBlock, match="seal 2"):
        validate_seals(with_seals(child(GENESIS, A.address).header, (*seals, bytes(65))), ALL)


def test_nobody_validates_nothing() -> None:
    with pytest.raises(InvalidBlock):
        validate_seals(child(GENESIS, A.address).header, ())


def test_authors_come_in_the_order_of_the_seals() -> None:
    assert seal_authors(DIGEST, [sign_seal(DIGEST, p.key) for p in (C, A)], ALL) == (C.address, A.address)
