"""A transaction: its three encodings, its hash, its sender, and the rules that need no state.

Legacy (with or without EIP-155), access-list (EIP-2930) and fee-market (EIP-1559) transactions; blob transactions and
unknown types are refused. Decoding is strict and recovers the sender at once, because nobody wants a transaction
without it. Nonce, balance and the sender's code need the state: they are for the execution.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from coincurve import PrivateKey, PublicKey

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.rlp_codec import (
    Decoded,
    Item,
    RlpError,
    decode_list,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
)
from cocket.node.chain.rules import Fork, Spec
from cocket.node.errors import InvalidTransaction

AccessList: TypeAlias = tuple[tuple[bytes, tuple[int, ...]], ...]
"""Addresses (20 bytes) with the storage slots announced for each (EIP-2930)."""

LEGACY: Final = 0
ACCESS_LIST: Final = 1
FEE_MARKET: Final = 2
BLOB: Final = 3

NONCE_MAX: Final = 2**64 - 2
"""The highest nonce that a transaction may carry (EIP-2681)."""

INITCODE_BYTES_MAX: Final = 2 * 24576
"""Bound of a create's data from Shanghai on (EIP-3860); Besu keeps it whatever contractSizeLimit says."""

SECP256K1_N: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_HALF_N: Final = SECP256K1_N // 2

_BASE_GAS: Final = 21_000
_CREATE_GAS: Final = 32_000
_ZERO_BYTE_GAS: Final = 4
_NONZERO_BYTE_GAS: Final = 16  # EIP-2028
_ACCESS_ADDRESS_GAS: Final = 2_400
_ACCESS_SLOT_GAS: Final = 1_900
_INITCODE_WORD_GAS: Final = 2

_FIELD_COUNT: Final = {ACCESS_LIST: 11, FEE_MARKET: 12}


@dataclass(frozen=True, slots=True)
class Transaction:
    """A decoded transaction with its sender.

    ``type`` is 0, 1 or 2. ``chain_id`` is None only in a legacy transaction without replay protection. Prices are wei
    for a unit of gas: ``gas_price`` in types 0 and 1, the two fees in type 2. ``to`` is None in a create. ``raw`` are
    the canonical bytes that ``hash`` is taken of.
    """

    type: int
    chain_id: int | None
    nonce: int
    gas_price: int | None
    max_priority_fee_per_gas: int | None
    max_fee_per_gas: int | None
    gas_limit: int
    to: bytes | None
    value: int
    data: bytes
    access_list: AccessList
    y_parity: int
    r: int
    s: int
    raw: bytes
    hash: bytes
    sender: bytes

    @property
    def fee_cap(self) -> int:
        """The most that the sender pays for a unit of gas, in wei."""
        return self.max_fee_per_gas if self.gas_price is None else self.gas_price  # type: ignore[return-value]

    @property
    def tip_cap(self) -> int:
        """The most that the sender pays the beneficiary for a unit of gas, in wei."""
        return self.max_priority_fee_per_gas if self.gas_price is None else self.gas_price  # type: ignore[return-value]

    def effective_gas_price(self, base_fee: int | None) -> int:
        """Return the wei paid for a unit of gas at ``base_fee`` (None or 0: no base fee), which fee_cap covers."""
        base_fee = base_fee or 0
        return min(self.fee_cap, base_fee + self.tip_cap)


def decode_transaction(raw: bytes) -> Transaction:
    """Return the transaction that ``raw`` canonically encodes, with its sender; anything else is InvalidTransaction."""
    if not raw:
        raise InvalidTransaction("transaction: found no bytes, expected a type or a legacy list")
    try:
        if raw[0] >= 0xC0:
            return _decode_legacy(raw)
        return _decode_typed(raw)
    except RlpError as error:
        raise InvalidTransaction(f"transaction: {error}") from None


def intrinsic_gas(transaction: Transaction, fork: Fork) -> int:
    """Return the gas that a transaction costs before its first instruction, under the rules of ``fork``.

    Base, data (EIP-2028), access list (EIP-2930), create, and from Shanghai the words of the initcode (EIP-3860).
    """
    data = transaction.data
    zeros = data.count(0)
    gas = _BASE_GAS + zeros * _ZERO_BYTE_GAS + (len(data) - zeros) * _NONZERO_BYTE_GAS
    for _, slots in transaction.access_list:
        gas += _ACCESS_ADDRESS_GAS + len(slots) * _ACCESS_SLOT_GAS
    if transaction.to is None:
        gas += _CREATE_GAS
        if fork >= Fork.SHANGHAI:
            gas += _INITCODE_WORD_GAS * ((len(data) + 31) // 32)
    return gas


def validate_transaction(
    transaction: Transaction,
    spec: Spec,
    number: int,
    fork: Fork,
    base_fee: int | None,
    *,
    may_be_unprotected: bool = False,
) -> None:
    """Raise InvalidTransaction if a transaction breaks a rule that needs no state.

    ``number``, ``fork`` and ``base_fee`` are those of the block it would be in; no base fee before London.
    ``may_be_unprotected`` is for blocks: a legacy transaction without a chain id is valid in them, as for Besu, but we
    neither accept nor propose one.
    """
    if transaction.type == FEE_MARKET and fork < Fork.LONDON:
        raise InvalidTransaction("transaction type: found 2 (EIP-1559) before London, expected 0 or 1")
    if transaction.chain_id is None:
        if not may_be_unprotected:
            raise InvalidTransaction(
                f"chain id: found none (unprotected), expected {spec.chain_id}; sign with EIP-155 replay protection"
            )
    elif transaction.chain_id != spec.chain_id:
        raise InvalidTransaction(f"chain id: found {transaction.chain_id}, expected {spec.chain_id}")
    if transaction.nonce > NONCE_MAX:
        raise InvalidTransaction(f"nonce: found {transaction.nonce}, expected at most {NONCE_MAX}")
    needed = intrinsic_gas(transaction, fork)
    if transaction.gas_limit < needed:
        raise InvalidTransaction(f"gas limit: found {transaction.gas_limit}, expected at least {needed} (intrinsic)")
    limit = spec.rules_at(number).per_tx_gas_limit
    if limit is not None and transaction.gas_limit > limit:
        raise InvalidTransaction(f"gas limit: found {transaction.gas_limit}, expected at most {limit} (pertxgaslimit)")
    if transaction.to is None and fork >= Fork.SHANGHAI and len(transaction.data) > INITCODE_BYTES_MAX:
        raise InvalidTransaction(
            f"initcode: found {len(transaction.data)} bytes, expected at most {INITCODE_BYTES_MAX}"
        )
    if transaction.tip_cap > transaction.fee_cap:
        raise InvalidTransaction(
            f"priority fee: found {transaction.tip_cap}, expected at most the maximum fee {transaction.fee_cap}"
        )
    if base_fee is not None and transaction.fee_cap < base_fee:
        raise InvalidTransaction(f"fee: found at most {transaction.fee_cap}, expected at least the base fee {base_fee}")


def sign_transaction(
    key: bytes,
    *,
    chain_id: int | None,
    nonce: int,
    gas_limit: int,
    to: bytes | None,
    value: int = 0,
    data: bytes = b"",
    gas_price: int | None = None,
    max_fee_per_gas: int | None = None,
    max_priority_fee_per_gas: int | None = None,
    access_list: AccessList | None = None,
) -> bytes:
    """Return the canonical bytes of a transaction signed with a 32-byte secp256k1 ``key``.

    The type follows from what is given: max_fee_per_gas makes a fee-market transaction, an access list without it an
    access-list one, otherwise legacy; legacy without ``chain_id`` is unprotected, which our pool refuses.
    """
    amounts = [encode_int(gas_limit), to or b"", encode_int(value), data]
    if max_fee_per_gas is None and access_list is None:
        fields: list[Item] = [encode_int(nonce), encode_int(gas_price or 0), *amounts]
        protection: list[Item] = [] if chain_id is None else [encode_int(chain_id), b"", b""]
        y_parity, r, s = _sign(key, encode([*fields, *protection]))
        v = 27 + y_parity if chain_id is None else 35 + 2 * chain_id + y_parity
        return encode([*fields, encode_int(v), r, s])
    if chain_id is None:
        raise ValueError("chain id: found none, expected one in a typed transaction")
    if max_fee_per_gas is None:
        prefix, prices = bytes([ACCESS_LIST]), [gas_price or 0]
    else:
        prefix, prices = bytes([FEE_MARKET]), [max_priority_fee_per_gas or 0, max_fee_per_gas]
    fields = [encode_int(chain_id), encode_int(nonce), *map(encode_int, prices), *amounts]
    fields.append([(address, [slot.to_bytes(32, "big") for slot in slots]) for address, slots in access_list or ()])
    y_parity, r, s = _sign(key, prefix + encode(fields))
    return prefix + encode([*fields, encode_int(y_parity), r, s])


def _sign(key: bytes, payload: bytes) -> tuple[int, bytes, bytes]:
    signature = PrivateKey(key).sign_recoverable(keccak256(payload), hasher=None)
    return signature[64], signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")


def _decode_legacy(raw: bytes) -> Transaction:
    items = expect_list(decode_list(raw), "legacy transaction", 9)
    v = expect_int(items[6], "v", 256)
    unsigned: list[Item] = list(items[:6])
    chain_id: int | None
    if v in (27, 28):
        chain_id, y_parity = None, v - 27
    elif v >= 35:
        chain_id, y_parity = (v - 35) >> 1, (v - 35) & 1
        unsigned += (encode_int(chain_id), b"", b"")
    else:
        raise RlpError(f"v: found {v}, expected 27, 28 or 35 + 2 * chain id + 0 or 1")
    r, s = expect_int(items[7], "r"), expect_int(items[8], "s")
    return Transaction(
        type=LEGACY,
        chain_id=chain_id,
        nonce=expect_int(items[0], "nonce", 64),
        gas_price=expect_int(items[1], "gasPrice"),
        max_priority_fee_per_gas=None,
        max_fee_per_gas=None,
        gas_limit=expect_int(items[2], "gas", 64),
        to=_recipient(items[3]),
        value=expect_int(items[4], "value"),
        data=expect_bytes(items[5], "data"),
        access_list=(),
        y_parity=y_parity,
        r=r,
        s=s,
        raw=raw,
        hash=keccak256(raw),
        sender=_recover(encode(unsigned), y_parity, r, s),
    )


def _decode_typed(raw: bytes) -> Transaction:
    kind = raw[0]
    if kind == BLOB:
        raise InvalidTransaction("transaction type: found 3 (blob), expected 0, 1 or 2; this chain carries no blobs")
    if kind not in _FIELD_COUNT:
        raise InvalidTransaction(f"transaction type: found {kind:#04x}, expected a legacy list, 0x01 or 0x02")
    items = expect_list(decode_list(raw[1:]), f"transaction of type {kind}", _FIELD_COUNT[kind])
    chain_id, nonce = expect_int(items[0], "chainId"), expect_int(items[1], "nonce", 64)
    first_price = expect_int(items[2], "gasPrice" if kind == ACCESS_LIST else "maxPriorityFeePerGas")
    gas_limit, to, value, data, access_list, parity, r_item, s_item = items[-8:]
    y_parity, r, s = expect_int(parity, "yParity", 1), expect_int(r_item, "r"), expect_int(s_item, "s")
    return Transaction(
        type=kind,
        chain_id=chain_id,
        nonce=nonce,
        gas_price=first_price if kind == ACCESS_LIST else None,
        max_priority_fee_per_gas=first_price if kind == FEE_MARKET else None,
        max_fee_per_gas=expect_int(items[3], "maxFeePerGas") if kind == FEE_MARKET else None,
        gas_limit=expect_int(gas_limit, "gas", 64),
        to=_recipient(to),
        value=expect_int(value, "value"),
        data=expect_bytes(data, "data"),
        access_list=_access_list(access_list),
        y_parity=y_parity,
        r=r,
        s=s,
        raw=raw,
        hash=keccak256(raw),
        sender=_recover(raw[:1] + encode(items[:-3]), y_parity, r, s),
    )


def _recipient(item: Decoded) -> bytes | None:
    to = expect_bytes(item, "to")
    if not to:
        return None
    return expect_bytes(to, "to", 20)


def _access_list(item: Decoded) -> AccessList:
    entries = []
    for entry in expect_list(item, "accessList"):
        address, slots = expect_list(entry, "accessList entry", 2)
        entries.append(
            (
                expect_bytes(address, "accessList address", 20),
                tuple(
                    [
                        int.from_bytes(expect_bytes(slot, "accessList slot", 32), "big")
                        for slot in expect_list(slots, "accessList slots")
                    ]
                ),
            )
        )
    return tuple(entries)


def _recover(payload: bytes, y_parity: int, r: int, s: int) -> bytes:
    """Return the address whose key signed ``payload``; the signature must be in range and low (EIP-2)."""
    if not 0 < r < SECP256K1_N:
        raise InvalidTransaction(f"signature r: found {r:#x}, expected 1 to below the group order")
    if not 0 < s <= _HALF_N:
        raise InvalidTransaction(
            f"signature s: found {s:#x}, expected above 0 and at most half the group order (EIP-2)"
        )
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        public_key = PublicKey.from_signature_and_message(signature, keccak256(payload), hasher=None)
    except ValueError as error:
        raise InvalidTransaction(f"signature: found one that no key made ({error}), expected a valid one") from None
    return keccak256(public_key.format(compressed=False)[1:])[12:]
