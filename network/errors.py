"""Why a session with another node ends, in devp2p's words, and the errors that carry them.

The only place that knows the reason numbers. It never decides anything.

    NetworkError
    |-- PeerFault        the other end broke the protocol or may not be here: end its session, with `.reason`
    |-- EnodeInvalid     a node's address (enode://...) is not one
    `-- TransportFault   an address could not be reached or listened on
"""

from enum import IntEnum


class DisconnectReason(IntEnum):
    """Devp2p's reasons for ending a session (rlpx.md, "Disconnect")."""

    REQUESTED = 0x00
    TCP_ERROR = 0x01
    BREACH_OF_PROTOCOL = 0x02
    USELESS_PEER = 0x03
    TOO_MANY_PEERS = 0x04
    ALREADY_CONNECTED = 0x05
    INCOMPATIBLE_P2P_VERSION = 0x06
    NULL_NODE_IDENTITY = 0x07
    CLIENT_QUITTING = 0x08
    UNEXPECTED_IDENTITY = 0x09
    CONNECTED_TO_SELF = 0x0A
    PING_TIMEOUT = 0x0B
    SUBPROTOCOL_ERROR = 0x10

    @property
    def text(self) -> str:
        """The reason in plain words, for messages and logs."""
        return self.name.lower().replace("_", " ")


class NetworkError(Exception):
    """Root of everything this package raises on purpose."""


class PeerFault(NetworkError):
    """The other end broke the protocol, or may not be here; its session ends with `reason`."""

    def __init__(self, detail: str, reason: DisconnectReason = DisconnectReason.BREACH_OF_PROTOCOL) -> None:
        super().__init__(detail)
        self.reason = reason


class EnodeInvalid(NetworkError):
    """Text that should name a node (enode://id@host:port) does not."""


class TransportFault(NetworkError):
    """An address could not be reached, or not be listened on."""
