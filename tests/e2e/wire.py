"""The wires between hosts: a process that owns one network namespace a host and carries every packet between them.

``python -m e2e.wire COUNT`` makes COUNT namespaces, each with a loopback and one TUN device, and is the only way from
one to another: what it drops is lost, what it holds is late. So it cuts links, one way too, and makes them slow, with
no help from the kernel's netem, which many kernels lack. Nothing it makes has a name in the system: devices are gone
with the process, namespaces with their last process.

It speaks JSON lines: first ``{"namespaces": [FD, ...], "addresses": [...]}`` (descriptors of this process, to enter by
``/proc/PID/fd/FD``); each line it reads, ``{"links": [[FROM, TO, {LINK}], ...]}``, is answered with the counts of
all links. It ends when its standard input does. Its chances come from one seed.
"""

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
DEVICE = "wire"
MTU = 1500
TURN_PACKETS = 64  # of one host, before the others have their turn
QUEUE_S = 1.0  # what a slow link holds before it drops, as a router's buffer does
SEED = 2026

_libc = ctypes.CDLL(None, use_errno=True)


def address_of(index: int) -> str:
    """Return a host's address; namespaces know nothing of each other, so all networks have the same."""
    return f"10.77.0.{index + 1}"


def enter(namespace: int) -> None:
    """Move this thread into a network namespace; OSError when it may not."""
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def _leave_for_a_new_one() -> None:
    if _libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")


@dataclass(slots=True)
class Link:
    """One direction between two hosts, and what became of its packets."""

    is_cut: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    rate_bits: float = 0.0
    free_at_s: float = 0.0
    last_s: float = 0.0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("passed", "cut", "lost", "overflowed"), 0))

    def shape(
        self, is_cut: bool = False, delay_s: float = 0, jitter_s: float = 0, loss: float = 0, rate_bits: float = 0
    ) -> None:
        """Set how it is from now on; what is not named is as on a good wire."""
        self.is_cut, self.delay_s, self.jitter_s, self.loss, self.rate_bits = is_cut, delay_s, jitter_s, loss, rate_bits

    def due(self, size: int, now_s: float, chance: random.Random) -> float | None:
        """Return when a packet of so many bytes arrives, never before an earlier one; None when it does not."""
        if self.is_cut:
            return self._drop("cut")
        if self.loss and chance.random() < self.loss:
            return self._drop("lost")
        self.free_at_s = max(self.free_at_s, now_s)
        if self.rate_bits:
            if self.free_at_s - now_s > QUEUE_S:
                return self._drop("overflowed")
            self.free_at_s += size * 8 / self.rate_bits
        arrival_s = self.free_at_s + self.delay_s + (chance.uniform(-1, 1) * self.jitter_s if self.jitter_s else 0)
        self.last_s = max(self.last_s, arrival_s)
        self.counts["passed"] += 1
        return self.last_s

    def _drop(self, why: str) -> None:
        self.counts[why] += 1


class Wires:
    """All hosts' devices and the links between them."""

    def __init__(self, count: int) -> None:
        self.namespaces: list[int] = []
        self._devices: list[int] = []
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._chance = random.Random(SEED)
        self.links = {(a, b): Link() for a in range(count) for b in range(count) if a != b}
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for index in range(count):
            _leave_for_a_new_one()
            self.namespaces.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
            self._devices.append(_open_device(address_of(index)))
            enter(home)

    def run(self) -> None:
        """Carry packets and obey until standard input ends."""
        with selectors.DefaultSelector() as selector:
            for index, device in enumerate(self._devices):
                selector.register(device, selectors.EVENT_READ, index)
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
            commands = b""
            while True:
                pause_s = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
                for key, _ in selector.select(pause_s):
                    if key.data is not None:
                        self._take(key.data)
                        continue
                    data = os.read(sys.stdin.fileno(), 1 << 16)
                    if not data:
                        return
                    *lines, commands = (commands + data).split(b"\n")
                    for line in lines:
                        self._obey(json.loads(line))
                self._deliver()

    def _obey(self, command: dict[str, list[tuple[int, int, dict[str, float]]]]) -> None:
        for source, target, link in command["links"]:
            self.links[source, target].shape(**link)  # type: ignore[arg-type]
        _say([[source, target, link.counts] for (source, target), link in self.links.items()])

    def _take(self, source: int) -> None:
        for _ in range(TURN_PACKETS):
            try:
                packet = os.read(self._devices[source], MTU + 64)
            except BlockingIOError:
                return
            target = packet[19] - 1 if len(packet) >= 20 and packet[0] >> 4 == 4 else -1  # IPv4's last address byte
            link = self.links.get((source, target))
            now_s = time.monotonic()
            due_s = None if link is None else link.due(len(packet), now_s, self._chance)
            if due_s is None:
                continue
            if due_s <= now_s:
                self._write(target, packet)
            else:
                self._number += 1
                heapq.heappush(self._waiting, (due_s, self._number, target, packet))

    def _deliver(self) -> None:
        now_s = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, target, packet = heapq.heappop(self._waiting)
            self._write(target, packet)

    def _write(self, target: int, packet: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # a full device drops, as a full buffer does
            os.write(self._devices[target], packet)


def _open_device(address: str) -> int:
    """Make the TUN device of the namespace that this thread is in, with the only route out of it."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_NO_PI))
    for command in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{address}/24", "dev", DEVICE),
        ("link", "set", DEVICE, "mtu", str(MTU), "up"),
    ):
        subprocess.run(["ip", *command], check=True)
    return device


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    wires = Wires(int(sys.argv[1]))
    _say({"namespaces": wires.namespaces, "addresses": [address_of(i) for i in range(len(wires.namespaces))]})
    wires.run()
