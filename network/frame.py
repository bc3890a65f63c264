"""RLPx frames: how one message lies on the wire once the handshake is done.

The only place that knows frame layout, cipher state and the running MACs. One writer and one reader a session, with
state that moves with every frame, so frames are written and read in order, once. Pure: it holds no socket.

    header ciphertext (16) || header mac (16) || frame ciphertext (padded to 16) || frame mac (16)

(devp2p rlpx.md, "Framing".) Chunked messages (header context ids) are neither sent nor joined; no client sends them.
"""

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sha3 import keccak_256

from cocket.network.errors import PeerFault
from cocket.network.handshake import Secrets

HEADER_BYTES = 32
FRAME_BYTES_LIMIT = 1 << 24
"""A frame's size travels in three bytes, so it is below 16 MiB."""
MESSAGE_CODE_LIMIT = 0x80
"""Message codes are one byte on the wire (Besu reads no more), and RLP gives one byte up to 0x7f."""
_HEADER_DATA = bytes.fromhex("c28080") + bytes(10)
_ZERO_CODE = b"\x80"


def _xor16(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(16, "big")


class _RunningMac:
    """The keccak state of one direction, stirred with AES of its own digest (rlpx.md, "MAC")."""

    __slots__ = ("_aes", "_keccak")

    def __init__(self, key: bytes, opening: bytes) -> None:
        self._aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - the protocol's construction
        self._keccak = keccak_256(opening)

    def stir_header(self, ciphertext: bytes) -> bytes:
        keccak = self._keccak
        keccak.update(_xor16(self._aes.update(keccak.digest()[:16]), ciphertext))
        return bytes(keccak.digest()[:16])

    def stir_frame(self, ciphertext: bytes) -> bytes:
        keccak = self._keccak
        keccak.update(ciphertext)
        seed = keccak.digest()[:16]
        keccak.update(_xor16(self._aes.update(seed), seed))
        return bytes(keccak.digest()[:16])


class FrameWriter:
    """Turns messages into frames, in order."""

    __slots__ = ("_aes", "_mac")

    def __init__(self, secrets: Secrets) -> None:
        self._aes = Cipher(algorithms.AES(secrets.aes), modes.CTR(bytes(16))).encryptor()
        self._mac = _RunningMac(secrets.mac, secrets.egress_opening)

    def encode(self, code: int, payload: bytes) -> bytes:
        """Return the frame of one message; the payload is taken as it is (compressed by the caller if at all)."""
        assert 0 <= code < MESSAGE_CODE_LIMIT, f"message code {code:#x} does not fit one byte"
        size = 1 + len(payload)
        assert size < FRAME_BYTES_LIMIT, f"frame of {size} bytes does not fit three bytes of size"
        header = self._aes.update(size.to_bytes(3, "big") + _HEADER_DATA)
        header_mac = self._mac.stir_header(header)
        code_byte = bytes((code,)) if code else _ZERO_CODE
        body = self._aes.update(code_byte + payload + bytes(-size % 16))
        return b"".join((header, header_mac, body, self._mac.stir_frame(body)))


class FrameReader:
    """Turns frames back into messages, in order: `read_header` and then `read_body` for each."""

    __slots__ = ("_aes", "_mac", "_size")

    def __init__(self, secrets: Secrets) -> None:
        self._aes = Cipher(algorithms.AES(secrets.aes), modes.CTR(bytes(16))).decryptor()
        self._mac = _RunningMac(secrets.mac, secrets.ingress_opening)
        self._size = 0

    def read_header(self, data: bytes, frame_bytes_max: int) -> int:
        """Return how many bytes follow (body, padding, mac) after the 32 of a header; PeerFault before any is read."""
        header, header_mac = data[:16], data[16:HEADER_BYTES]
        if not hmac.compare_digest(self._mac.stir_header(header), header_mac):
            raise PeerFault("frame header mac is wrong: altered on the way, or another key")
        size = int.from_bytes(self._aes.update(header)[:3], "big")
        if not 0 < size <= frame_bytes_max:
            raise PeerFault(f"frame announces {size} bytes, expected 1..{frame_bytes_max}")
        self._size = size
        return size + (-size % 16) + 16

    def read_body(self, data: bytes) -> tuple[int, bytes]:
        """Return (message code, payload) of the frame whose header was read last."""
        body, mac = data[:-16], data[-16:]
        if not hmac.compare_digest(self._mac.stir_frame(body), mac):
            raise PeerFault("frame mac is wrong: altered on the way")
        plain = self._aes.update(body)
        code = plain[0]
        if code == 0 or code > MESSAGE_CODE_LIMIT:
            raise PeerFault(f"message code byte {code:#04x} is not the RLP of a code below {MESSAGE_CODE_LIMIT:#x}")
        return code & 0x7F, plain[1 : self._size]
