"""The RLPx v4 handshake (EIP-8 form): two packets, after which both ends share secrets and know each other's key.

The only place that knows the auth and ack packets and how frame secrets come out of them. Pure: bytes in, bytes out,
no socket and no clock; randomness is the caller's `entropy`. The older, unpadded form from before EIP-8 is refused.
(devp2p rlpx.md "Initial Handshake"; EIP-8.)
"""

from dataclasses import dataclass

from coincurve import PrivateKey, PublicKey
from sha3 import keccak_256

from cocket.network import ecies
from cocket.network.ecies import Entropy
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.items import decode_list, encode_list, take_bytes, take_int

HANDSHAKE_VERSION = 4
PREFIX_BYTES = 2
PACKET_BYTES_MAX = 2048
"""Largest packet body accepted: real ones are about 450 bytes with padding; geth has the same limit."""
_PADDING_BYTES = (100, 200)
_PACKET_BODY_BYTES_MIN = ecies.OVERHEAD_BYTES + 1


@dataclass(frozen=True, slots=True)
class Secrets:
    """What both ends hold after the handshake.

    `aes` and `mac` are 32-byte keys; the two openings are what the running MACs have absorbed before the first frame.
    """

    remote_id: bytes
    aes: bytes
    mac: bytes
    egress_opening: bytes
    ingress_opening: bytes


def packet_size(prefix: bytes | bytearray) -> int:
    """Return the whole packet's size (prefix included) its first two bytes announce; PeerFault outside the limits."""
    body = int.from_bytes(prefix[:PREFIX_BYTES], "big")
    if not _PACKET_BODY_BYTES_MIN <= body <= PACKET_BYTES_MAX:
        raise PeerFault(
            f"handshake packet announces {body} bytes, expected {_PACKET_BODY_BYTES_MIN}..{PACKET_BYTES_MAX}"
            " (the form from before EIP-8 is not spoken here)"
        )
    return PREFIX_BYTES + body


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _keccak(data: bytes) -> bytes:
    return bytes(keccak_256(data).digest())


def _seal_packet(recipient: PublicKey, body: bytes, entropy: Entropy) -> bytes:
    low, high = _PADDING_BYTES
    plain = body + entropy(low + entropy(1)[0] % (high - low))
    prefix = (len(plain) + ecies.OVERHEAD_BYTES).to_bytes(PREFIX_BYTES, "big")
    return prefix + ecies.encrypt(recipient, plain, prefix, entropy)


def _open_packet(key: PrivateKey, packet: bytes) -> bytes:
    if len(packet) < PREFIX_BYTES or len(packet) != packet_size(packet):
        raise PeerFault(f"handshake packet has {len(packet)} bytes, not what its prefix announces")
    return ecies.decrypt(key, packet[PREFIX_BYTES:], packet[:PREFIX_BYTES])


@dataclass(frozen=True, slots=True)
class Auth:
    """The first packet, opened: who dials, with which nonce, and a signature by its ephemeral key."""

    signature: bytes
    initiator_id: bytes
    nonce: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Ack:
    """The second packet, opened: the responder's ephemeral key and nonce."""

    ephemeral_id: bytes
    nonce: bytes
    version: int


def open_auth(key: PrivateKey, packet: bytes) -> Auth:
    """Return the auth packet's content; further items and padding are ignored (EIP-8)."""
    items = decode_list(_open_packet(key, packet), "auth packet", is_padded=True)
    if len(items) < 4:
        raise PeerFault(f"auth packet has {len(items)} items, expected at least 4")
    return Auth(
        signature=take_bytes(items[0], 65, "auth signature"),
        initiator_id=take_bytes(items[1], 64, "auth node id"),
        nonce=take_bytes(items[2], 32, "auth nonce"),
        version=take_int(items[3], 8, "auth version"),
    )


def open_ack(key: PrivateKey, packet: bytes) -> Ack:
    """Return the ack packet's content; further items and padding are ignored (EIP-8)."""
    items = decode_list(_open_packet(key, packet), "ack packet", is_padded=True)
    if len(items) < 3:
        raise PeerFault(f"ack packet has {len(items)} items, expected at least 3")
    return Ack(
        ephemeral_id=take_bytes(items[0], 64, "ack ephemeral key"),
        nonce=take_bytes(items[1], 32, "ack nonce"),
        version=take_int(items[2], 8, "ack version"),
    )


def _derive_frame_keys(ephemeral_x: bytes, initiator_nonce: bytes, responder_nonce: bytes) -> tuple[bytes, bytes]:
    shared = _keccak(ephemeral_x + _keccak(responder_nonce + initiator_nonce))
    aes = _keccak(ephemeral_x + shared)
    return aes, _keccak(ephemeral_x + aes)


class Initiator:
    """The dialling end: send `auth`, then give the answer to `read_ack`."""

    def __init__(self, key: PrivateKey, remote_id: bytes, entropy: Entropy) -> None:
        self._key = key
        self._remote_id = remote_id
        self._ephemeral = PrivateKey(entropy(32))
        self._nonce = entropy(32)
        remote = ecies.public_key_from_id(remote_id)
        token = ecies.shared_point_x(key, remote)
        signature = self._ephemeral.sign_recoverable(_xor(token, self._nonce), hasher=None)
        body = encode_list([signature, ecies.node_id_of(key), self._nonce, HANDSHAKE_VERSION])
        self.auth: bytes = _seal_packet(remote, body, entropy)

    def read_ack(self, packet: bytes) -> Secrets:
        """Return the shared secrets; PeerFault when the packet is not an answer to our auth."""
        ack = open_ack(self._key, packet)
        ephemeral_x = ecies.shared_point_x(self._ephemeral, ecies.public_key_from_id(ack.ephemeral_id))
        aes, mac = _derive_frame_keys(ephemeral_x, self._nonce, ack.nonce)
        return Secrets(
            remote_id=self._remote_id,
            aes=aes,
            mac=mac,
            egress_opening=_xor(mac, ack.nonce) + self.auth,
            ingress_opening=_xor(mac, self._nonce) + packet,
        )


class Responder:
    """The dialled end: `read_auth` says who is there; only when that one may enter, `accept` gives ack and secrets."""

    def __init__(self, key: PrivateKey, entropy: Entropy) -> None:
        self._key = key
        self._entropy = entropy
        self._auth_packet = b""
        self._auth: Auth | None = None

    def read_auth(self, packet: bytes) -> bytes:
        """Return the dialler's 64-byte node id; it is proven only by the first frame's MAC, after `accept`."""
        self._auth = open_auth(self._key, packet)
        self._auth_packet = packet
        return self._auth.initiator_id

    def accept(self) -> tuple[bytes, Secrets]:
        """Return (ack packet to send, shared secrets)."""
        auth = self._auth
        assert auth is not None, "read_auth comes before accept"
        remote = ecies.public_key_from_id(auth.initiator_id)
        token = ecies.shared_point_x(self._key, remote)
        try:
            remote_ephemeral = PublicKey.from_signature_and_message(
                auth.signature, _xor(token, auth.nonce), hasher=None
            )
        except ValueError as error:
            raise PeerFault("auth signature recovers to no key", DisconnectReason.UNEXPECTED_IDENTITY) from error
        ephemeral = PrivateKey(self._entropy(32))
        nonce = self._entropy(32)
        body = encode_list([ecies.node_id_of(ephemeral), nonce, HANDSHAKE_VERSION])
        ack = _seal_packet(remote, body, self._entropy)
        aes, mac = _derive_frame_keys(ecies.shared_point_x(ephemeral, remote_ephemeral), auth.nonce, nonce)
        return ack, Secrets(
            remote_id=auth.initiator_id,
            aes=aes,
            mac=mac,
            egress_opening=_xor(mac, auth.nonce) + ack,
            ingress_opening=_xor(mac, nonce) + self._auth_packet,
        )
