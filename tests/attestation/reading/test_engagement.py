"""Audit engagements: what is signed is EIP-712 as any wallet computes it; files are strict; salts tell nothing."""

import json
from dataclasses import replace

import pytest
from attestation.reading.trial import sign
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.merkle import keccak256
from cocket.attestation.reading.engagement import (
    CONTROLLERS_MAX,
    DOMAIN,
    FILE_BYTES_MAX,
    Engagement,
    SignedEngagement,
    decode_engagement,
    encode_engagement,
    engagement_hash,
    grant_salt,
)

ENGAGEMENT = Engagement(
    chain_id=4711,
    genesis_hash=b"g" * 32,
    access=b"a" * 20,
    auditor=9,
    controllers=(1, 4),
    kinds=frozenset({1, 63}),
    anchored_from=1_700_000_000,
    anchored_to=1_800_000_000,
    groups=frozenset({0, 2, 15}),
    purposes=frozenset({4, 31}),
    valid_from=1_750_000_000,
    valid_to=1_850_000_000,
    salt=b"s" * 32,
)
TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
        {"name": "salt", "type": "bytes32"},
    ],
    "Engagement": [
        {"name": "auditor", "type": "uint32"},
        {"name": "controllers", "type": "uint32[]"},
        {"name": "kinds", "type": "uint64"},
        {"name": "anchoredFrom", "type": "uint40"},
        {"name": "anchoredTo", "type": "uint40"},
        {"name": "groups", "type": "uint16"},
        {"name": "purposes", "type": "uint32"},
        {"name": "validFrom", "type": "uint40"},
        {"name": "validTo", "type": "uint40"},
        {"name": "salt", "type": "bytes32"},
    ],
}
NUMBERS = st.frozensets(st.integers(0, 15), min_size=1)
ENGAGEMENTS = st.builds(
    replace,
    st.just(ENGAGEMENT),
    auditor=st.integers(1 << 20, (1 << 32) - 1),
    controllers=st.frozensets(st.integers(1, (1 << 20) - 1), min_size=1, max_size=5).map(lambda s: tuple(sorted(s))),
    kinds=NUMBERS,
    groups=NUMBERS,
    purposes=st.frozensets(st.integers(1, 31), min_size=1),
    salt=st.binary(min_size=32, max_size=32),
    chain_id=st.integers(0, (1 << 53) - 1),
)


def wallet_hash(engagement: Engagement) -> bytes:
    """Return what a wallet would sign."""
    bits = {name: sum(1 << each for each in getattr(engagement, name)) for name in ("kinds", "groups", "purposes")}
    message = {
        "auditor": engagement.auditor,
        "controllers": list(engagement.controllers),
        "anchoredFrom": engagement.anchored_from,
        "anchoredTo": engagement.anchored_to,
        "validFrom": engagement.valid_from,
        "validTo": engagement.valid_to,
        "salt": engagement.salt,
        **bits,
    }
    domain = {
        "name": DOMAIN,
        "version": "1",
        "chainId": engagement.chain_id,
        "verifyingContract": "0x" + engagement.access.hex(),
        "salt": engagement.genesis_hash,
    }
    data = {"types": TYPES, "primaryType": "Engagement", "domain": domain, "message": message}
    signable = encode_typed_data(full_message=data)
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def test_both_sides_sign_what_a_wallet_shows() -> None:
    assert engagement_hash(ENGAGEMENT) == wallet_hash(ENGAGEMENT)


@given(ENGAGEMENTS)
def test_any_engagement_is_signed_and_read_back(engagement: Engagement) -> None:
    assert engagement_hash(engagement) == wallet_hash(engagement)
    signed = SignedEngagement(engagement).signed(sign(engagement_hash(engagement)))
    data = encode_engagement(signed)
    assert decode_engagement(data) == signed
    assert len(signed.signers()) == 1


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("chain_id", 4712),
        ("genesis_hash", b"h" * 32),
        ("access", b"b" * 20),
        ("auditor", 8),
        ("controllers", (1,)),
        ("kinds", frozenset({1})),
        ("anchored_from", 1),
        ("anchored_to", 1_800_000_001),
        ("groups", frozenset({0, 2})),
        ("purposes", frozenset({4})),
        ("valid_from", 1),
        ("valid_to", 1_850_000_001),
        ("salt", b"t" * 32),
    ],
)
def test_all_of_it_is_signed(change: str, value: object) -> None:
    assert engagement_hash(replace(ENGAGEMENT, **{change: value})) != engagement_hash(ENGAGEMENT)


def test_salts_differ_by_controller_and_engagement() -> None:
    other = replace(ENGAGEMENT, salt=b"t" * 32)
    salts = {grant_salt(each, controller) for each in (ENGAGEMENT, other) for controller in ENGAGEMENT.controllers}
    assert len(salts) == 4
    assert all(len(salt) == 16 for salt in salts)
    assert grant_salt(ENGAGEMENT, 1) == grant_salt(replace(ENGAGEMENT, groups=frozenset({1})), 1)


def changed(path: str, value: object) -> bytes:
    signed = SignedEngagement(ENGAGEMENT).signed(sign(engagement_hash(ENGAGEMENT)))
    document = json.loads(encode_engagement(signed))
    document[path] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "cocket-engagement-2"),
        ("more", 1),
        ("auditor", 0),
        ("auditor", 4),
        ("auditor", 1 << 32),
        ("controllers", []),
        ("controllers", [4, 1]),
        ("controllers", [0]),
        ("controllers", [1, 1]),
        ("controllers", [1 << 32]),
        ("controllers", list(range(10, 11 + CONTROLLERS_MAX))),
        ("kinds", []),
        ("kinds", [64]),
        ("groups", [16]),
        ("groups", []),
        ("purposes", [0]),
        ("purposes", [True]),
        ("anchored_to", 1_700_000_000),
        ("valid_to", 1_750_000_000),
        ("valid_to", 253_402_300_800),
        ("salt", "0x" + "00" * 16),
        ("genesis_hash", "0x" + "AB" * 32),
        ("signatures", ["0x" + "00" * 65]),
        ("signatures", ["0x"]),
        ("signatures", {}),
    ],
)
def test_what_was_changed_is_refused(path: str, value: object) -> None:
    with pytest.raises(InvalidFile):
        decode_engagement(changed(path, value))


def test_one_account_signs_once() -> None:
    signature = sign(engagement_hash(ENGAGEMENT))
    twice = SignedEngagement(ENGAGEMENT, (signature, signature))
    with pytest.raises(InvalidFile, match="each of another account"):
        decode_engagement(encode_engagement(twice))


def test_the_largest_file_fits() -> None:
    controllers = tuple(range((1 << 32) - CONTROLLERS_MAX, 1 << 32))
    everything = replace(
        ENGAGEMENT,
        controllers=controllers,
        kinds=frozenset(range(64)),
        groups=frozenset(range(16)),
        purposes=frozenset(range(1, 32)),
    )
    signature = sign(engagement_hash(everything))
    assert len(encode_engagement(SignedEngagement(everything, (signature,) * 65))) < FILE_BYTES_MAX
    with pytest.raises(InvalidFile, match="at most 32768 bytes"):
        decode_engagement(changed("format", "cocket-engagement-1") + b" " * FILE_BYTES_MAX)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_file(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        decode_engagement(data)
