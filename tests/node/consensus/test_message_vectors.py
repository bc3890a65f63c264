"""Bodies that Besu and GoQuorum agreed on (Consensys/qbft-tests), in the legacy shape."""

import json
from pathlib import Path

import pytest

from cocket.node.chain.rlp_codec import decode
from cocket.node.consensus.justification import commit_fault
from cocket.node.consensus.messages import (
    Code,
    Commit,
    Proposal,
    RoundChange,
    Shape,
    Signed,
    UnsignedCommit,
    UnsignedPrepare,
    UnsignedRoundChange,
)
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.wire import decode_message, encode_proposal, encode_round_change, encode_signed

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "qbft_messages_besu_goquorum.json").read_text())[
    "messages"
]


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_prepare() -> None:
    vector = VECTORS["prepare"]
    said = vector["message"]["unsignedPrepare"]
    unsigned = UnsignedPrepare(said["sequence"], said["round"], raw(said["digest"]))
    signed = Signed(unsigned, raw(vector["message"]["signature"]))
    assert encode_signed(signed) == raw(vector["rlp"])
    assert decode_message(Code.PREPARE, raw(vector["rlp"])).signed == signed


def test_commit_and_its_seal() -> None:
    vector = VECTORS["commit"]
    said = vector["message"]["unsignedCommit"]
    unsigned = UnsignedCommit(said["sequence"], said["round"], raw(said["digest"]), raw(said["commitSeal"]))
    assert encode_signed(Signed(unsigned, raw(vector["message"]["signature"]))) == raw(vector["rlp"])
    block = decode(raw(VECTORS["roundChange_with_prepares"]["message"]["block"]))
    assert recover_seal(unsigned.digest, unsigned.commit_seal) == block[0][2]
    message = decode_message(Code.COMMIT, raw(vector["rlp"]))
    assert isinstance(message, Commit)
    assert message.signed.unsigned == unsigned
    # The message signature is of before the signing rule, so it is another's: and then the seal is not its author's.
    assert "expected the author's" in (commit_fault(message) or "")


@pytest.mark.parametrize("name", ["roundChange_empty_prepares", "roundChange_with_prepares"])
def test_round_change(name: str) -> None:
    vector = VECTORS[name]
    said = vector["message"]["signedRoundChange"]["unsignedRoundChange"]
    message = decode_message(Code.ROUND_CHANGE, raw(vector["rlp"]))
    assert isinstance(message, RoundChange)
    value = said["preparedValue"]
    unsigned = UnsignedRoundChange(said["sequence"], said["round"], said["preparedRound"], value and raw(value))
    assert message.signed.unsigned == unsigned
    assert message.signed.signature == raw(vector["message"]["signedRoundChange"]["signature"])
    assert len(message.prepares) == len(vector["message"]["prepares"])
    assert (message.block is None) == (vector["message"]["block"] is None)
    assert encode_round_change(message.signed, message.block, message.prepares, Shape.LEGACY) == raw(vector["rlp"])


@pytest.mark.parametrize("name", [name for name in VECTORS if name.startswith("proposal")])
def test_proposal(name: str) -> None:
    vector = VECTORS[name]
    message = decode_message(Code.PROPOSAL, raw(vector["rlp"]))
    assert isinstance(message, Proposal)
    assert message.signed.unsigned.shape is Shape.LEGACY
    assert len(message.round_changes) == len(vector["message"]["roundChanges"])
    assert len(message.prepares) == len(vector["message"]["prepares"])
    assert encode_proposal(message.signed, message.round_changes, message.prepares) == raw(vector["rlp"])
