"""Manifests: what is signed is EIP-712 as any wallet computes it; what is written reads back; all else is refused."""

import json

import pytest
from attestation.sealing.test_record import MANIFEST
from eth_account import Account
from eth_account.messages import encode_typed_data

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.merkle import keccak256
from cocket.attestation.sealing.manifest import DOMAIN, manifest_json, manifest_of, signing_hash

SIGNATURE = b"s" * 65
TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "salt", "type": "bytes32"},
    ],
    "Manifest": [
        {"name": "documentRoot", "type": "bytes32"},
        {"name": "kind", "type": "uint16"},
        {"name": "keyEpoch", "type": "uint32"},
        {"name": "custody", "type": "bytes32"},
        {"name": "groups", "type": "Group[]"},
        {"name": "opening", "type": "bytes"},
    ],
    "Group": [
        {"name": "hash", "type": "bytes32"},
        {"name": "ciphertext", "type": "bytes32"},
        {"name": "key", "type": "bytes32"},
        {"name": "recovery", "type": "bytes32"},
        {"name": "masked", "type": "bytes32[]"},
        {"name": "shares", "type": "bytes32[]"},
    ],
}


def typed(manifest):
    binding = manifest.binding
    return {
        "types": TYPES,
        "primaryType": "Manifest",
        "domain": {
            "name": DOMAIN,
            "version": "1",
            "chainId": manifest.chain_id,
            "salt": binding.genesis_hash,
        },
        "message": {
            "documentRoot": binding.document_root,
            "kind": binding.kind,
            "keyEpoch": binding.key_epoch,
            "custody": manifest.custody,
            "groups": [
                {
                    "hash": group.hash,
                    "ciphertext": group.ciphertext,
                    "key": group.key,
                    "recovery": group.recovery,
                    "masked": list(group.masked),
                    "shares": list(group.shares),
                }
                for group in manifest.groups
            ],
            "opening": manifest.opening,
        },
    }


def test_eth_account_signs_the_same_and_finds_the_signer():
    message = encode_typed_data(full_message=typed(MANIFEST))
    digest = signing_hash(MANIFEST)
    assert keccak256(b"\x19" + message.version + message.header + message.body) == digest
    account = Account.from_key(b"k" * 32)
    signed = account.unsafe_sign_hash(digest)
    assert Account.recover_message(message, signature=signed.signature) == account.address


def test_a_manifest_reads_back():
    node = json.loads(encode_json(manifest_json(MANIFEST, SIGNATURE)))
    assert manifest_of(node) == (MANIFEST, SIGNATURE)


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (["format"], "cocket-manifest-2", "expected cocket-manifest-1"),
        (["chain_id"], 1 << 53, "an integer below"),
        (["kind"], 1 << 16, "an integer below"),
        (["key_epoch"], -1, "an integer below"),
        (["document_root"], "0x" + "AB" * 32, "hexadecimal digits"),
        (["groups"], [], "different numbers of shares"),
        (["groups"], [{}] * 17, "an array of at most 16"),
        (["groups", 0, "masked"], [], "different numbers of shares"),
        (["groups", 0, "shares"], ["0x" + "00" * 32] * 17, "an array of at most 16"),
        (["groups", 0, "key"], "0x00", "hexadecimal digits"),
        (["groups", 0, "more"], 1, "expected an object of"),
        (["opening"], "0x", "hexadecimal digits"),
        (["signature"], "0x" + "00" * 64, "130 hexadecimal digits"),
        (["more"], 1, "expected an object of"),
    ],
)
def test_another_manifest_is_refused(place, value, why):
    node = json.loads(encode_json(manifest_json(MANIFEST, SIGNATURE)))
    inner = node
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(InvalidFile, match=why):
        manifest_of(node)
