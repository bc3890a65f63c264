"""Read requests: what is signed is EIP-712 as any wallet computes it; one signature form; all else is refused."""

import contextlib
import json
from dataclasses import replace

import pytest
from attestation.reading.trial import FRESH_KEYS, READER, READER_KEY, REQUEST, sign
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.canonical import encode_json, parse_json
from cocket.attestation.errors import AttestationError, InvalidDocument, InvalidFile
from cocket.attestation.merkle import keccak256
from cocket.attestation.reading.request import (
    DOMAIN,
    groups_of,
    is_party,
    request_json,
    request_of,
    signer_of,
    signing_hash,
)
from cocket.attestation.sealing.hpke import PublicKey, Suite
from cocket.attestation.signature import recover

SIGNATURE = sign(signing_hash(REQUEST))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
        {"name": "salt", "type": "bytes32"},
    ],
    "ReadRequest": [
        {"name": "batch", "type": "bytes32"},
        {"name": "index", "type": "uint32"},
        {"name": "count", "type": "uint32"},
        {"name": "groups", "type": "uint32"},
        {"name": "purpose", "type": "uint8"},
        {"name": "vault", "type": "uint64"},
        {"name": "blockHash", "type": "bytes32"},
        {"name": "blockNumber", "type": "uint64"},
        {"name": "expires", "type": "uint64"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "suite", "type": "uint16"},
        {"name": "freshKey", "type": "bytes"},
    ],
}
NUMBERS = st.integers(0, (1 << 53) - 1)
HASHES = st.binary(min_size=32, max_size=32)
REQUESTS = st.builds(
    replace,
    st.just(REQUEST),
    chain_id=NUMBERS,
    genesis_hash=HASHES,
    access=st.binary(min_size=20, max_size=20),
    batch=HASHES,
    index=st.integers(0, (1 << 20) - 1),
    groups=st.integers(1, (1 << 16) - 1),
    purpose=st.integers(0, 31),
    vault=st.integers(1, 255) | st.integers((1 << 32) + 1, (1 << 33) - 1),
    block_hash=HASHES,
    block_number=NUMBERS,
    expires=NUMBERS,
    nonce=HASHES,
    fresh_key=st.sampled_from([key.public for key in FRESH_KEYS.values()]),
)


def typed(request):
    return {
        "types": TYPES,
        "primaryType": "ReadRequest",
        "domain": {
            "name": DOMAIN,
            "version": "1",
            "chainId": request.chain_id,
            "verifyingContract": "0x" + request.access.hex(),
            "salt": request.genesis_hash,
        },
        "message": {
            "batch": request.batch,
            "index": request.index,
            "count": request.count,
            "groups": request.groups,
            "purpose": request.purpose,
            "vault": request.vault,
            "blockHash": request.block_hash,
            "blockNumber": request.block_number,
            "expires": request.expires,
            "nonce": request.nonce,
            "suite": request.fresh_key.suite.value,
            "freshKey": request.fresh_key.encoded,
        },
    }


@pytest.mark.parametrize("suite", Suite)
def test_eth_account_signs_the_same_and_its_signature_is_taken(suite):
    request = replace(REQUEST, fresh_key=FRESH_KEYS[suite].public)
    message = encode_typed_data(full_message=typed(request))
    assert keccak256(b"\x19" + message.version + message.header + message.body) == signing_hash(request)
    account = Account.from_key(b"k" * 32)
    signature = bytes(account.sign_message(message).signature)
    assert signer_of(request, signature) == bytes.fromhex(account.address[2:])
    assert Account.recover_message(message, signature=signature) == account.address


def test_the_signature_is_of_the_whole_request():
    """Another value in any place has another signer, whoever that is."""
    assert signer_of(REQUEST, SIGNATURE) == READER
    changed = {
        "chain_id": 1,
        "genesis_hash": bytes(32),
        "access": bytes(20),
        "batch": bytes(32),
        "index": 6,
        "count": 2,
        "groups": 1,
        "purpose": 4,
        "vault": 1,
        "block_hash": bytes(32),
        "block_number": 78,
        "expires": 1_800_000_301,
        "nonce": bytes(32),
        "fresh_key": FRESH_KEYS[Suite.HYBRID].public,
    }
    assert set(changed) == set(type(REQUEST).__slots__)
    for name, value in changed.items():
        assert recovered(replace(REQUEST, **{name: value})) != READER, name


def recovered(request):
    try:
        return signer_of(request, SIGNATURE)
    except InvalidFile:
        return None


def test_one_signature_form_is_taken_and_no_other():
    digest = signing_hash(REQUEST)
    assert recover(digest, SIGNATURE) == READER
    r, s, v = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:64]), SIGNATURE[64]
    flipped = r + (ORDER - s).to_bytes(32) + bytes((55 - v,))  # of the same key over the same hash
    for signature, why in (
        (flipped, "upper half"),
        (SIGNATURE[:64] + bytes((v - 27,)), "expected 27 or 28"),
        (SIGNATURE[:64] + bytes((v + 2,)), "expected 27 or 28"),
        (SIGNATURE[:64], "of 64 bytes; expected 65"),
        (SIGNATURE + b"\0", "of 66 bytes; expected 65"),
        (bytes(64) + b"\x1b", "no key can have made"),
        (b"\xff" * 32 + SIGNATURE[32:], "no key can have made"),
    ):
        with pytest.raises(InvalidFile, match=why):
            recover(digest, signature)
    with pytest.raises(AttestationError, match="a hash of 31 bytes"):
        recover(digest[1:], SIGNATURE)
    raw = READER_KEY.sign_recoverable(digest, hasher=None)
    with pytest.raises(InvalidFile, match="expected 27 or 28"):
        recover(digest, raw)


@given(st.binary(max_size=70))
@settings(max_examples=50)
def test_recovering_raises_nothing_else(signature):
    with contextlib.suppress(InvalidFile):
        recover(b"d" * 32, signature)


@given(REQUESTS)
@settings(max_examples=30)
def test_a_request_reads_back(request):
    node = json.loads(encode_json(request_json(request, SIGNATURE)))
    assert request_of(node) == (request, SIGNATURE)


def test_both_suites_read_back():
    for key in FRESH_KEYS.values():
        request = replace(REQUEST, fresh_key=key.public)
        assert request_of(request_json(request, SIGNATURE))[0].fresh_key == key.public


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("format", "cocket-read-request-2", "expected cocket-read-request-1"),
        ("chain_id", 1 << 53, "an integer below"),
        ("chain_id", True, "an integer below"),
        ("genesis_hash", "0x" + "AB" * 32, "hexadecimal digits"),
        ("access", "0x" + "00" * 32, "40 hexadecimal digits"),
        ("batch", None, "hexadecimal digits"),
        ("index", 1 << 20, "an integer below 1048576"),
        ("count", 0, "how many records, 1 to 64"),
        ("count", 65, "an integer below 65"),
        ("groups", 0, "at least one"),
        ("groups", 1 << 16, "an integer below 65536"),
        ("purpose", 32, "an integer below 32"),
        ("vault", 0, "a party"),
        ("vault", 256, "a party"),
        ("vault", 1 << 32, "a party"),
        ("vault", 1 << 33, "a party"),
        ("block_hash", "", "hexadecimal digits"),
        ("block_number", -1, "an integer below"),
        ("expires", "1", "an integer below"),
        ("nonce", "0x", "hexadecimal digits"),
        ("suite", 17, "16 .P256., 25722 .HYBRID."),
        ("suite", 25722, "2432 hexadecimal digits"),
        ("fresh_key", "0x" + "04" * 65, "no public key of P256"),
        ("signature", "0x" + "00" * 64, "130 hexadecimal digits"),
        ("more", 1, "expected an object of"),
    ],
)
def test_another_request_is_refused(name, value, why):
    node = request_json(REQUEST, SIGNATURE)
    node[name] = value
    with pytest.raises(InvalidFile, match=why):
        request_of(node)


def test_a_request_without_a_member_is_refused():
    for name in request_json(REQUEST, SIGNATURE):
        node = request_json(REQUEST, SIGNATURE)
        del node[name]
        with pytest.raises(InvalidFile, match="expected an object of"):
            request_of(node)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_decoding_raises_nothing_else(data):
    with contextlib.suppress(InvalidFile, InvalidDocument):
        request_of(parse_json(data))


def test_a_fresh_key_of_another_suite_is_refused():
    wrong = replace(REQUEST, fresh_key=PublicKey(Suite.HYBRID, FRESH_KEYS[Suite.P256].public.encoded))
    with pytest.raises(InvalidFile, match="2432 hexadecimal digits"):
        request_of(request_json(wrong, SIGNATURE))


@given(st.integers(0, (1 << 16) - 1))
@settings(max_examples=50)
def test_groups_are_the_bits_of_the_mask(mask):
    assert sum(1 << group for group in groups_of(mask)) == mask
    assert list(groups_of(mask)) == sorted(set(groups_of(mask)))


def test_parties_are_authorities_and_participants():
    assert [is_party(number) for number in (1, 255, (1 << 32) + 1, (1 << 33) - 1)] == [True] * 4
    assert [is_party(number) for number in (0, 256, 1 << 32, 1 << 33, -1)] == [False] * 5
