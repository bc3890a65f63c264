"""How much one caller may ask of the node: every bound of the RPC room in one place, each with its reason.

It never enforces anything; the parts that do name the limit in their refusal.
"""

from dataclasses import dataclass

from cocket.node.http_server import HttpLimits


@dataclass(frozen=True, slots=True)
class Limits(HttpLimits):
    """The bounds of one node's RPC. The defaults suit loopback clients beside a validator."""

    batch_length_max: int = 1000
    """Requests in a batch; a thousand light ones are about 20 ms."""
    batch_s: float = 30.0
    """Time of a batch; what is left then is refused, for its caller has likely gone."""
    response_bytes_max: int = 16 << 20
    """An answer, batches included; the largest block with its transactions fits."""

    call_gas_max: int = 50_000_000
    """Gas of eth_call and eth_estimateGas; more than a block has, so that reading is not tighter than writing."""
    call_s: float = 5.0
    """Time of one heavy request on the worker; gas alone does not bound Python."""
    read_queue_max: int = 1024
    """Reads waiting for the reader thread; each takes milliseconds."""
    heavy_queue_max: int = 64
    """Heavy requests waiting for the worker; the next one is told that the node is busy."""
    wait_s: float = 10.0
    """A request that waited longer for its thread is not begun: its caller has likely gone."""
    submission_queue_max: int = 8192
    """Raw transactions waiting to be checked; some two seconds of work."""

    logs_max: int = 10_000
    """Logs in one answer."""
    log_blocks_max: int = 100_000
    """Blocks that one log search may span; blooms skip most, the deadline ends the rest."""
    log_addresses_max: int = 256
    """Addresses in one log filter."""
    log_topics_max: int = 256
    """Alternatives at one topic position of a log filter."""
    fee_history_blocks_max: int = 1024
    """Blocks of eth_feeHistory, as other clients have it."""
    percentiles_max: int = 100
    """Reward percentiles of eth_feeHistory."""
    proof_slots_max: int = 256
    """Storage keys of one eth_getProof; each is a walk of the trie."""

    filters_max: int = 256
    """Filters installed in the node at a time."""
    filter_expiry_s: float = 300.0
    """A filter that nobody asks for this long is removed."""
    filter_changes_max: int = 10_000
    """Pending transaction hashes that a filter may lag behind; older ones are forgotten."""
    subscriptions_max: int = 32
    """Subscriptions of one WebSocket connection."""
    subscriber_queue_max: int = 1024
    """Messages waiting for one WebSocket connection; a slower reader is dropped."""
    subscriber_bytes_max: int = 4 << 20
    """Bytes of them; an answer waits for room, a subscription's news does not."""


DEFAULT_LIMITS = Limits()
