"""Checkpoints: what is signed, by whom, and that a quorum of the authorities must."""

import json
from dataclasses import replace

import pytest
from bundles.networks import FOUNDERS, Network
from eth_account import Account
from eth_account.messages import encode_typed_data

from cocket.cli.checkpointing import merge, read_statement, sign
from cocket.cli.errors import CommandError, Exit
from cocket.node.bundle.checkpoint import (
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
    signing_hash,
    validate_signers,
)
from cocket.node.bundle.errors import InvalidCheckpoint
from cocket.node.consensus.seals import sign_seal


@pytest.fixture(scope="module")
def network() -> Network:
    network = Network("checkpoints")
    network.pass_blocks(3)
    return network


@pytest.fixture(scope="module")
def signed(network: Network) -> Checkpoint:
    checkpoint = read_statement(network.client, 2)
    for country in ("SG", "BR", "KE"):
        checkpoint = sign(checkpoint, network.client, network.admin(country))
    return checkpoint


def test_a_quorum_of_the_active_authorities_makes_an_anchor(network: Network, signed: Checkpoint) -> None:
    assert [signer.country for signer in validate_signers(signed)] == ["BR", "KE", "SG"]
    assert [authority.country for authority in signed.authorities] == list(FOUNDERS)
    assert signed.block_hash == network.chain.ledger.hash_by_number(2)
    assert decode_checkpoint(encode_checkpoint(signed)) == signed
    fewer = replace(signed, signatures=signed.signatures[1:])
    assert decode_checkpoint(encode_checkpoint(fewer)) == fewer  # it is still being gathered
    with pytest.raises(InvalidCheckpoint, match="found the signatures of 2 authorities, expected 3 of 4"):
        validate_signers(fewer)


def test_what_is_signed_is_typed_data_that_any_wallet_shows(network: Network, signed: Checkpoint) -> None:
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"}, {"name": "salt", "type": "bytes32"},
            ],
            "Authority": [
                {"name": "number", "type": "uint16"}, {"name": "country", "type": "string"},
                {"name": "admin", "type": "address"}, {"name": "seal", "type": "bytes32"},
            ],
            "Checkpoint": [
                {"name": "height", "type": "uint64"}, {"name": "blockHash", "type": "bytes32"},
                {"name": "time", "type": "uint64"}, {"name": "validators", "type": "address[]"},
                {"name": "authorities", "type": "Authority[]"},
            ],
        },
        "primaryType": "Checkpoint",
        "domain": {
            "name": "Cocket checkpoint", "version": "1", "chainId": signed.chain_id, "salt": signed.genesis_hash,
        },
        "message": {
            "height": signed.height, "blockHash": signed.block_hash, "time": signed.time_s,
            "validators": ["0x" + validator.hex() for validator in signed.validators],
            "authorities": [
                {"number": a.number, "country": a.country, "admin": "0x" + a.admin.hex(), "seal": a.seal}
                for a in signed.authorities
            ],
        },
    }  # fmt: skip
    ours = sign_seal(signing_hash(signed), network.admin("NL"))
    theirs = Account.sign_message(encode_typed_data(full_message=typed), network.admin("NL")).signature
    assert (ours[:64], ours[64] + 27) == (theirs[:64], theirs[64])


def test_every_word_of_it_is_signed(signed: Checkpoint) -> None:
    first, *others = signed.authorities
    changes: dict[str, object] = {
        "chain_id": signed.chain_id + 1,
        "genesis_hash": bytes(32),
        "height": signed.height + 1,
        "block_hash": bytes(32),
        "time_s": signed.time_s + 1,
        "validators": signed.validators[1:],
        "authorities": (replace(first, country="AA"), *others),
    }
    sealed = replace(signed, authorities=(replace(first, seal=b"s" * 32), *others))
    with pytest.raises(InvalidCheckpoint, match="of none of its authorities"):
        decode_checkpoint(encode_checkpoint(sealed))
    for name, value in changes.items():
        with pytest.raises(InvalidCheckpoint, match="of none of its authorities"):
            decode_checkpoint(encode_checkpoint(replace(signed, **{name: value})))  # type: ignore[arg-type]


def test_signatures_of_nobody_twice_or_in_another_order_are_refused(network: Network, signed: Checkpoint) -> None:
    digest = signing_hash(signed)
    first, *others = signed.signatures
    high_s = first[:32] + (ORDER - int.from_bytes(first[32:64], "big")).to_bytes(32, "big") + bytes([first[64] ^ 1])
    for signatures, said in (
        ((first, first), "one each"),
        (signed.signatures[::-1], "another order"),
        ((sign_seal(digest, b"\7" * 32), *others), "none of its authorities"),
        ((high_s, *others), "none of its authorities"),
        ((bytes(65),), "signature 0"),
        ((sign_seal(digest, network.chain.genesis.hash),), "none of its authorities"),
    ):
        with pytest.raises(InvalidCheckpoint, match=said):
            decode_checkpoint(encode_checkpoint(replace(signed, signatures=signatures)))


ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def test_files_that_are_no_checkpoint_are_refused(signed: Checkpoint) -> None:
    node = json.loads(encode_checkpoint(signed))
    wrong = (
        b"", b"[]", b"{}", b"\xff", json.dumps({**node, "more": 1}).encode(),
        *(
            json.dumps({**node, name: value}).encode()
            for name, value in (
                ("format", "cocket-checkpoint-1"), ("height", -1), ("height", "2"), ("validators", []),
                ("validators", node["validators"][::-1]), ("authorities", node["authorities"][::-1]),
                ("authorities", [{**node["authorities"][0], "number": n} for n in (1, 2)]), ("authorities", []),
                ("block_hash", "0x00"), ("signatures", ["0x00"]), ("time", 1.5), ("seals", [1]), ("seals", {}),
            )
        ),
    )  # fmt: skip
    for data in wrong:
        with pytest.raises(InvalidCheckpoint):
            decode_checkpoint(data)


def test_copies_signed_apart_are_put_together_once(network: Network) -> None:
    plain = read_statement(network.client, 1)
    apart = [sign(plain, network.client, network.admin(country)) for country in ("SG", "KE", "KE", "BR")]
    whole = apart[0]
    for other in apart[1:]:
        whole = merge(whole, other)
    assert [signer.country for signer in whole.signers()] == ["BR", "KE", "SG"]
    with pytest.raises(CommandError, match="the checkpoints differ"):
        merge(whole, read_statement(network.client, 2))


def test_an_authority_signs_what_its_own_node_has_and_nothing_else(network: Network) -> None:
    plain = read_statement(network.client, 2)
    for changed in (replace(plain, block_hash=bytes(32)), replace(plain, validators=plain.validators[1:])):
        with pytest.raises(CommandError, match="not signed") as caught:
            sign(changed, network.client, network.admin("KE"))
        assert caught.value.code == Exit.VERIFICATION_NO
    with pytest.raises(CommandError, match="the admin of no active authority") as caught:
        sign(plain, network.client, b"\5" * 32)
    assert caught.value.code == Exit.REFUSED
    with pytest.raises(CommandError, match="genesis hash, is an anchor already"):
        read_statement(network.client, 0)


def test_suspended_authorities_neither_sign_nor_count() -> None:
    network = Network("suspension")
    network.suspend_authority("NL", ("BR", "KE", "SG"))
    after = read_statement(network.client, None)
    assert [authority.country for authority in after.authorities] == ["BR", "KE", "SG"]
    assert after.needed == 2
    with pytest.raises(CommandError, match="the admin of no active authority"):
        sign(after, network.client, network.admin("NL"))
