"""Free loopback ports for networks that are started to try something out."""

import contextlib
import socket

FIRST = 20_100
LAST = 32_000  # above it systems choose ports for outgoing connections


def free_port_block(count: int, above: int = FIRST) -> int:
    """Return the first of ``count`` consecutive loopback ports that nobody listens on.

    :raises OSError: there is no such block.
    """
    for start in range(above, LAST, count):
        with contextlib.ExitStack() as sockets, contextlib.suppress(OSError):
            for port in range(start, start + count):
                sockets.enter_context(contextlib.closing(socket.socket())).bind(("127.0.0.1", port))
            return start
    raise OSError(f"no {count} free consecutive ports on 127.0.0.1")
