"""Who may begin a handshake now: so many from one address, and in all.

The only place that knows how often strangers may knock. A handshake costs this node two to four point multiplications
before it knows who is there, so whoever knocks more often than any honest node is turned away before a byte is read.
It holds no socket and no clock.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from cocket.network.allowance import Allowance


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How many handshakes may begin, each with its reason."""

    address_burst: int = 64
    """From one address at once: a whole network started on one machine, each node dialling each."""
    address_per_s: float = 16.0
    """From one address in the long run: some one percent of a core."""
    strangers_burst: int = 256
    """From all addresses together that no known node has."""
    strangers_per_s: float = 64.0
    """Likewise in the long run; the known nodes' addresses are not counted, so that a crowd does not shut them out."""
    met_max: int = 256
    """Nodes whose address is remembered from a session, because it is listed by a name or not at all: twice the
    sessions there may be."""
    addresses_max: int = 4096
    """Addresses remembered; the one that knocked longest ago is forgotten first, and the sum above still holds."""


class Gate:
    """Counts the knocks of each address."""

    def __init__(self, limits: GateLimits, now_s: float) -> None:
        self._limits = limits
        self._strangers = Allowance(limits.strangers_per_s, limits.strangers_burst, now_s)
        self._addresses: OrderedDict[str, Allowance] = OrderedDict()
        self._listed: frozenset[str] = frozenset()
        self._met: OrderedDict[bytes, str] = OrderedDict()

    def update_known(self, hosts: Iterable[str], is_allowed: Callable[[bytes], bool]) -> None:
        """Set where known nodes are, and forget where those were that are not allowed any more.

        A host name is not looked up here and counts as no address, until its node has been met.
        """
        self._listed = frozenset([address_of(host) for host in hosts])
        self._met = OrderedDict([(node, address) for node, address in self._met.items() if is_allowed(node)])

    def meet(self, node_id: bytes, remote: str) -> None:
        """Remember where a node is that has proved its key."""
        self._met.pop(node_id, None)
        self._met[node_id] = address_of(_host_of(remote))
        while len(self._met) > self._limits.met_max:
            self._met.popitem(last=False)

    def is_known(self, remote: str) -> bool:
        """Say whether a known node is at the address of `remote` ("host:port")."""
        address = address_of(_host_of(remote))
        return address in self._listed or address in self._met.values()

    def pushed_out(self, remotes: Sequence[str]) -> int:
        """Return which of those that have not shaken hands yet, oldest first, makes room for another one.

        The oldest of the address that has most of them. Those where a known node is come last, so that a crowd of many
        addresses cannot keep it out, unless one has more than half of all.
        """
        addresses = [address_of(_host_of(remote)) for remote in remotes]
        counts = Counter(addresses)
        known = {address: self.is_known(remote) for address, remote in zip(addresses, remotes, strict=True)}
        half = len(addresses) / 2
        return addresses.index(max(counts, key=lambda each: (counts[each] > half, not known[each], counts[each])))

    def admits(self, remote: str, now_s: float) -> bool:
        """Say whether a handshake with `remote` ("host:port") may begin, and count it if so."""
        limits, address = self._limits, address_of(_host_of(remote))
        allowance = self._addresses.pop(address, None)
        if allowance is None:
            allowance = Allowance(limits.address_per_s, limits.address_burst, now_s)
        self._addresses[address] = allowance
        while len(self._addresses) > limits.addresses_max:
            self._addresses.popitem(last=False)
        if not allowance.try_take(1, now_s):
            return False
        return self.is_known(remote) or self._strangers.try_take(1, now_s)


def _host_of(remote: str) -> str:
    return remote.rpartition(":")[0] or remote


def address_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the 64 bits of an IPv6 one that name its network.

    >>> address_of("192.0.2.7"), address_of("[2001:db8:1:2:3::4]"), address_of("node.example")
    ('192.0.2.7', '2001:db8:1:2::', 'node.example')
    """
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))
