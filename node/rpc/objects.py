"""Blocks, transactions, receipts, logs and proofs as JSON-RPC shows them (ethereum/execution-apis, Besu's for QBFT).

This part alone knows their member names. It never reads the store: what it shapes is given to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cocket.node.chain.header import Header
from cocket.node.chain.receipt import Log, Receipt
from cocket.node.chain.transaction import FEE_MARKET, LEGACY, AccessList, Transaction
from cocket.node.chain.vm import contract_address
from cocket.node.rpc.encoding import data, quantity

JsonObject = dict[str, object]


def header_object(header: Header, block_hash: bytes) -> JsonObject:
    """Give the members that a block has from its header, extraData with its seals; newHeads are these alone."""
    shaped: JsonObject = {
        "number": quantity(header.number),
        "hash": data(block_hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "mixHash": data(header.mix_hash),
        "sha3Uncles": data(header.ommers_hash),
        "logsBloom": data(header.logs_bloom),
        "transactionsRoot": data(header.transactions_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipts_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "extraData": data(header.extra_data),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
    }
    if header.base_fee_per_gas is not None:
        shaped["baseFeePerGas"] = quantity(header.base_fee_per_gas)
    if header.withdrawals_root is not None:
        shaped["withdrawalsRoot"] = data(header.withdrawals_root)
    if header.blob_gas_used is not None:
        shaped["blobGasUsed"] = quantity(header.blob_gas_used)
    if header.excess_blob_gas is not None:
        shaped["excessBlobGas"] = quantity(header.excess_blob_gas)
    if header.parent_beacon_block_root is not None:
        shaped["parentBeaconBlockRoot"] = data(header.parent_beacon_block_root)
    if header.requests_hash is not None:
        shaped["requestsHash"] = data(header.requests_hash)
    return shaped


def block_object(
    header: Header,
    block_hash: bytes,
    transactions: Sequence[object],
    size: int,
    genesis_difficulty: int,
    has_withdrawals: bool,
) -> JsonObject:
    """Give a block. ``transactions`` are hashes or transaction objects, ``size`` the bytes of its RLP.

    Each QBFT block has difficulty 1, so the total is the height more than the genesis has.
    """
    shaped = header_object(header, block_hash)
    shaped["size"] = quantity(size)
    shaped["totalDifficulty"] = quantity(genesis_difficulty + header.number)
    shaped["uncles"] = []
    shaped["transactions"] = transactions
    if header.withdrawals_root is not None or has_withdrawals:
        shaped["withdrawals"] = []
    return shaped


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction is: its block's header and hash, and its index in it."""

    header: Header
    block_hash: bytes
    index: int


def transaction_object(transaction: Transaction, place: Place | None) -> JsonObject:
    """Give a transaction; without a place it is pending, and the members that name its block are null."""
    base_fee = None if place is None else place.header.base_fee_per_gas
    legacy_v = 27 if transaction.chain_id is None else 35 + 2 * transaction.chain_id
    shaped: JsonObject = {
        "type": quantity(transaction.type),
        "hash": data(transaction.hash),
        "blockHash": None if place is None else data(place.block_hash),
        "blockNumber": None if place is None else quantity(place.header.number),
        "blockTimestamp": None if place is None else quantity(place.header.timestamp),
        "transactionIndex": None if place is None else quantity(place.index),
        "from": data(transaction.sender),
        "to": None if transaction.to is None else data(transaction.to),
        "nonce": quantity(transaction.nonce),
        "gas": quantity(transaction.gas_limit),
        "gasPrice": quantity(transaction.fee_cap if place is None else transaction.effective_gas_price(base_fee)),
        "value": quantity(transaction.value),
        "input": data(transaction.data),
        "v": quantity(transaction.y_parity + (legacy_v if transaction.type == LEGACY else 0)),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if transaction.chain_id is not None:
        shaped["chainId"] = quantity(transaction.chain_id)
    if transaction.type != LEGACY:
        shaped["yParity"] = quantity(transaction.y_parity)
        shaped["accessList"] = access_list_object(transaction.access_list)
    if transaction.type == FEE_MARKET:
        shaped["maxFeePerGas"] = quantity(transaction.fee_cap)
        shaped["maxPriorityFeePerGas"] = quantity(transaction.tip_cap)
    return shaped


def access_list_object(access_list: AccessList) -> list[JsonObject]:
    """Give an access list: addresses with their storage keys of 32 bytes."""
    return [
        {"address": data(address), "storageKeys": [data(slot.to_bytes(32, "big")) for slot in slots]}
        for address, slots in access_list
    ]


def log_object(log: Log, log_index: int, transaction_hash: bytes, place: Place) -> JsonObject:
    """Give a log; ``log_index`` counts through the whole block. Final blocks never remove one."""
    return {
        "address": data(log.address),
        "topics": [data(topic) for topic in log.topics],
        "data": data(log.data),
        "blockNumber": quantity(place.header.number),
        "blockHash": data(place.block_hash),
        "blockTimestamp": quantity(place.header.timestamp),
        "transactionHash": data(transaction_hash),
        "transactionIndex": quantity(place.index),
        "logIndex": quantity(log_index),
        "removed": False,
    }


def receipt_object(
    receipt: Receipt, transaction: Transaction, place: Place, gas_used_before: int, first_log_index: int
) -> JsonObject:
    """Give a receipt; gas and logs of the block before it make its own gas and the indexes of its logs."""
    is_create = transaction.to is None
    return {
        "type": quantity(receipt.type),
        "status": quantity(receipt.status),
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(place.index),
        "blockHash": data(place.block_hash),
        "blockNumber": quantity(place.header.number),
        "from": data(transaction.sender),
        "to": None if transaction.to is None else data(transaction.to),
        "contractAddress": data(contract_address(transaction.sender, transaction.nonce)) if is_create else None,
        "cumulativeGasUsed": quantity(receipt.cumulative_gas_used),
        "gasUsed": quantity(receipt.cumulative_gas_used - gas_used_before),
        "effectiveGasPrice": quantity(transaction.effective_gas_price(place.header.base_fee_per_gas)),
        "logs": [
            log_object(log, first_log_index + position, transaction.hash, place)
            for position, log in enumerate(receipt.logs)
        ],
        "logsBloom": data(receipt.logs_bloom),
    }
