"""A call or a creation inside a transaction, as values.

This module imports nothing and validates nothing: who makes a message answers for its values.
"""


class Message:
    """What one execution is started with, under the names that opcodes of py-evm read.

    ``to`` is empty in a creation. ``code_address`` is whose code runs (another's in DELEGATECALL), ``storage_address``
    whose storage it works on. ``depth`` is 0 for the transaction's own message.
    """

    __slots__ = (
        "code",
        "code_address",
        "data",
        "data_as_bytes",
        "depth",
        "gas",
        "is_create",
        "is_delegation",
        "is_static",
        "sender",
        "should_transfer_value",
        "storage_address",
        "to",
        "value",
    )

    def __init__(
        self,
        gas: int,
        to: bytes,
        sender: bytes,
        value: int,
        data: bytes,
        code: bytes,
        depth: int = 0,
        create_address: bytes | None = None,
        code_address: bytes | None = None,
        should_transfer_value: bool = True,
        is_static: bool = False,
        is_delegation: bool = False,
    ) -> None:
        self.gas = gas
        self.to = to
        self.sender = sender
        self.value = value
        self.data = self.data_as_bytes = data
        self.code = code
        self.depth = depth
        self.storage_address = to if create_address is None else create_address
        self.code_address = to if code_address is None else code_address
        self.should_transfer_value = should_transfer_value
        self.is_static = is_static
        self.is_delegation = is_delegation
        self.is_create = not to


class TransactionContext:
    """What a transaction's messages share: who pays, at what price, and the contracts that it has made."""

    __slots__ = ("blob_versioned_hashes", "contracts_created", "gas_price", "origin")

    def __init__(self, origin: bytes, gas_price: int) -> None:
        self.origin = origin
        self.gas_price = gas_price
        self.blob_versioned_hashes = ()
        self.contracts_created: set[bytes] = set()
