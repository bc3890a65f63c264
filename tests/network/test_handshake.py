"""The RLPx handshake against geth's vectors, between two of our own ends, and against altered packets."""

from collections.abc import Callable
from typing import Any

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sha3 import keccak_256

from cocket.network import ecies, handshake
from cocket.network.ecies import node_id_of
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.handshake import Initiator, Responder, open_ack, open_auth, packet_size

Vectors = dict[str, Any]
KEY = PrivateKey(bytes(31) + b"\x09")


def key(vectors: Vectors, name: str) -> PrivateKey:
    return PrivateKey(bytes.fromhex(vectors[name]))


def scripted(*parts: bytes) -> Callable[[int], bytes]:
    """Entropy that gives these parts in order, then zero bytes."""
    waiting = list(parts)
    return lambda count: waiting.pop(0) if waiting and len(waiting[0]) == count else b"\x01" * count


@pytest.mark.parametrize("which", [0, 1])
def test_geth_auth_packets_open(eip8: Vectors, which: int) -> None:
    auth = open_auth(key(eip8, "static_key_b"), bytes.fromhex(eip8["auth"][which]["packet"]))
    assert auth.signature.hex() == eip8["auth_signature"]
    assert auth.initiator_id == node_id_of(key(eip8, "static_key_a"))
    assert auth.nonce.hex() == eip8["nonce_a"]
    assert auth.version == eip8["auth"][which]["version"]


@pytest.mark.parametrize("which", [0, 1])
def test_geth_ack_packets_open(eip8: Vectors, which: int) -> None:
    ack = open_ack(key(eip8, "static_key_a"), bytes.fromhex(eip8["ack"][which]["packet"]))
    assert ack.ephemeral_id == node_id_of(key(eip8, "ephemeral_key_b"))
    assert ack.nonce.hex() == eip8["nonce_b"]
    assert ack.version == eip8["ack"][which]["version"]


def test_geth_secrets_at_the_initiator(eip8: Vectors) -> None:
    """Keys do not depend on the packets' bytes: our auth, signed otherwise, gives the responder the same."""
    remote_id = node_id_of(key(eip8, "static_key_b"))
    entropy = scripted(bytes.fromhex(eip8["ephemeral_key_a"]), bytes.fromhex(eip8["nonce_a"]))
    initiator = Initiator(key(eip8, "static_key_a"), remote_id, entropy)
    secrets = initiator.read_ack(bytes.fromhex(eip8["ack"][0]["packet"]))
    assert secrets.aes.hex() == eip8["derived_from_auth2_ack2"]["aes"]
    assert secrets.mac.hex() == eip8["derived_from_auth2_ack2"]["mac"]
    responder_entropy = scripted(bytes.fromhex(eip8["ephemeral_key_b"]), bytes.fromhex(eip8["nonce_b"]))
    responder = Responder(key(eip8, "static_key_b"), responder_entropy)
    responder.read_auth(initiator.auth)
    assert responder.accept()[1].aes == secrets.aes


def test_geth_secrets_at_the_responder(eip8: Vectors) -> None:
    entropy = scripted(bytes.fromhex(eip8["ephemeral_key_b"]), bytes.fromhex(eip8["nonce_b"]))
    responder = Responder(key(eip8, "static_key_b"), entropy)
    responder.read_auth(bytes.fromhex(eip8["auth"][0]["packet"]))
    _, secrets = responder.accept()
    derived = eip8["derived_from_auth2_ack2"]
    assert secrets.aes.hex() == derived["aes"]
    assert secrets.mac.hex() == derived["mac"]
    assert keccak_256(secrets.ingress_opening + b"foo").hexdigest() == derived["responder_ingress_mac_after_foo"]


def test_two_ends_agree(net: Any) -> None:
    dialler, listener = net.key_of("a"), net.key_of("b")
    initiator = Initiator(dialler, node_id_of(listener), net.Entropy("i"))
    responder = Responder(listener, net.Entropy("r"))
    assert responder.read_auth(initiator.auth) == node_id_of(dialler)
    ack, theirs = responder.accept()
    ours = initiator.read_ack(ack)
    assert (ours.aes, ours.mac) == (theirs.aes, theirs.mac)
    assert ours.egress_opening == theirs.ingress_opening
    assert ours.ingress_opening == theirs.egress_opening
    assert ours.remote_id == node_id_of(listener)
    assert theirs.remote_id == node_id_of(dialler)


def test_packets_have_varying_padding_within_the_limit(net: Any) -> None:
    sizes = {len(Initiator(net.key_of("a"), node_id_of(KEY), net.Entropy(str(n))).auth) for n in range(20)}
    assert len(sizes) > 5
    assert max(sizes) < handshake.PACKET_BYTES_MAX


def test_auth_for_another_node_is_refused(net: Any) -> None:
    initiator = Initiator(net.key_of("a"), node_id_of(net.key_of("b")), net.Entropy("i"))
    with pytest.raises(PeerFault, match="wrong node id dialled"):
        Responder(KEY, net.Entropy("r")).read_auth(initiator.auth)


@pytest.mark.parametrize("place", [0, 2, 40, 80, 300, -1])
def test_altered_auth_is_refused(net: Any, place: int) -> None:
    packet = bytearray(Initiator(net.key_of("a"), node_id_of(KEY), net.Entropy("i")).auth)
    packet[place] ^= 1
    with pytest.raises(PeerFault):
        Responder(KEY, net.Entropy("r")).read_auth(bytes(packet))


def test_altered_ack_is_refused(net: Any) -> None:
    initiator = Initiator(net.key_of("a"), node_id_of(KEY), net.Entropy("i"))
    responder = Responder(KEY, net.Entropy("r"))
    responder.read_auth(initiator.auth)
    ack = bytearray(responder.accept()[0])
    ack[100] ^= 1
    with pytest.raises(PeerFault):
        initiator.read_ack(bytes(ack))


def sealed(body: bytes) -> bytes:
    prefix = (len(body) + ecies.OVERHEAD_BYTES).to_bytes(2, "big")
    return prefix + ecies.encrypt(KEY.public_key, body, prefix, lambda count: b"\x03" * count)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\x83abc" + bytes(100), "expected a list"),
        (b"\xc3\x01\x02\x03" + bytes(100), "at least 4"),
        (b"\xc4\x01\x02\x03\x04" + bytes(100), "auth signature has 1 bytes"),
        (b"\xf9\xff\xff" + bytes(100), "not RLP"),
        (b"\xc4\xc0\x02\x03\x04" + bytes(100), "is a list"),
    ],
)
def test_auth_with_bad_rlp_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(PeerFault, match=says):
        open_auth(KEY, sealed(body))


def test_signature_that_recovers_to_nothing_is_refused(net: Any) -> None:
    body = handshake.encode_list([b"\xff" * 65, node_id_of(net.key_of("a")), bytes(32), 4])
    responder = Responder(KEY, net.Entropy("r"))
    responder.read_auth(sealed(body))
    with pytest.raises(PeerFault, match="recovers to no key") as caught:
        responder.accept()
    assert caught.value.reason is DisconnectReason.UNEXPECTED_IDENTITY


def test_node_id_off_the_curve_is_refused(net: Any) -> None:
    body = handshake.encode_list([b"\x01" * 65, b"\xff" * 64, bytes(32), 4])
    responder = Responder(KEY, net.Entropy("r"))
    responder.read_auth(sealed(body))
    with pytest.raises(PeerFault, match="not a point"):
        responder.accept()


@pytest.mark.parametrize("size", [0, 113, 2049, 0xFFFF])
def test_packet_size_outside_the_limits_is_refused(size: int) -> None:
    with pytest.raises(PeerFault, match="before EIP-8"):
        packet_size(size.to_bytes(2, "big"))


def test_packet_size_within_the_limits_counts_its_prefix() -> None:
    assert packet_size((435).to_bytes(2, "big")) == 437


@given(st.binary(max_size=600))
def test_arbitrary_packets_raise_only_peer_fault(data: bytes) -> None:
    with pytest.raises(PeerFault):
        open_auth(KEY, data)
    with pytest.raises(PeerFault):
        open_ack(KEY, data)


@given(st.binary(max_size=300))
def test_arbitrary_sealed_bodies_raise_only_peer_fault(body: bytes) -> None:
    with pytest.raises(PeerFault):
        open_auth(KEY, sealed(body + b"\x00"))
