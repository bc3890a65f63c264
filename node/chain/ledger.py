"""The final chain and its state: what is stored, how it is read, and the one batch that makes a block part of it.

The ledger judges nothing: the importer does, and hands over executed blocks. It writes a block in a single batch
(header with this node's seals, body, receipts, places of transactions, head values, code, trie nodes, head), so the
chain ends at a whole block whatever happens. QBFT blocks are final, so there is one block a height and no way back.

One thread commits; any thread reads. The head, its hash and a store snapshot change together, as one object.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cocket.node.chain.block import Block, Body, encode_body
from cocket.node.chain.hashing import EMPTY_KECCAK, EMPTY_ROOT
from cocket.node.chain.header import Header, block_hash, encode_header
from cocket.node.chain.receipt import Receipt
from cocket.node.chain.rlp_codec import encode
from cocket.node.chain.spec import Genesis
from cocket.node.chain.state import FlatReader, StateReader, TrieReader, WriteSet, encode_account, genesis_state
from cocket.node.chain.stored import stored_body, stored_header, stored_receipts
from cocket.node.chain.transaction import Transaction
from cocket.node.chain.validator_contract import ask_validators
from cocket.node.chain.vm import BlockContext
from cocket.node.chain.votes import VoteTally
from cocket.node.errors import InvalidBlock, NodeFault
from cocket.node.store import schema
from cocket.node.store.store import Reader, Store

_BLOCK_HASHES = 256  # how far BLOCKHASH looks back
_SETS_KEPT = 64  # validator sets by block; consensus and import ask for the last few


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A block that was executed on its parent's state and found right: all that committing it writes.

    ``block`` has any seals or none, and any round: the hash is the same. ``encoded_receipts`` are the receipts as
    their root commits to them, ``write_set`` has the final storage roots, ``nodes`` are the new trie nodes by hash.
    """

    block: Block
    hash: bytes
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    encoded_receipts: tuple[bytes, ...]
    write_set: WriteSet
    nodes: dict[bytes, bytes]

    @property
    def state_root(self) -> bytes:
        """The root of the state after this block."""
        return self.block.header.state_root

    @property
    def senders(self) -> tuple[bytes, ...]:
        """Who sent each transaction."""
        return tuple(transaction.sender for transaction in self.transactions)


@dataclass(frozen=True, slots=True)
class _Head:
    header: Header
    hash: bytes
    view: Reader


class Ledger:
    """The chain of one genesis in one store."""

    def __init__(self, store: Store, genesis: Genesis, validator: bytes | None = None) -> None:
        """Open the chain in a store, and write block 0 into an empty one.

        ``validator`` is the address this node signs with, None for tools that only read. Refused when the store
        belongs to another chain, validator or format; NodeFault when it is damaged.
        """
        self.genesis = genesis
        self._store = store
        self._sets: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()
        self._sets_lock = threading.Lock()
        self._tally: tuple[bytes, VoteTally] | None = None
        schema.validate_meta(store, genesis.hash, validator)
        if store.get(schema.HEAD_KEY) is None:
            self._write_genesis(validator)
        else:
            schema.open_meta(store, genesis.hash, validator)
        self._head = self._load_head()
        self._durable = -1  # what an earlier process left may be with the operating system only

    @property
    def is_durable(self) -> bool:
        """Whether every block is on the disk."""
        return self._durable == self.head.number

    @property
    def head(self) -> Header:
        """The last final block's header, with this node's seals."""
        return self._head.header

    @property
    def head_hash(self) -> bytes:
        """The last final block's hash."""
        return self._head.hash

    def head_state(self) -> tuple[Header, StateReader]:
        """Return the head and its state; both of one moment, also while a block is being committed."""
        head = self._head
        return head.header, FlatReader(head.view.get)

    def head_storage(self) -> tuple[Header, Callable[[bytes, int], int]]:
        """Return the head, and what gives the value of a slot of its state by address and slot."""
        header, state = self.head_state()
        return header, state.storage

    def hash_by_number(self, number: int) -> bytes | None:
        """Return the hash of the block of a height, or None above the head."""
        return self._store.get(schema.number_key(number)) if 0 <= number <= self._head.header.number else None

    def header_by_hash(self, hash_: bytes) -> Header | None:
        """Return a block's header with this node's seals, or None."""
        head = self._head
        if hash_ == head.hash:
            return head.header
        data = self._store.get(schema.header_key(hash_))
        return None if data is None else stored_header(data)

    def header_by_number(self, number: int) -> Header | None:
        """Return the header of a height, or None above the head."""
        hash_ = self.hash_by_number(number)
        return None if hash_ is None else self.header_by_hash(hash_)

    def body_bytes(self, hash_: bytes) -> bytes | None:
        """Return a block's body as RLP, as peers ask for it, or None."""
        return self._store.get(schema.body_key(hash_))

    def block_by_hash(self, hash_: bytes) -> Block | None:
        """Return a block with this node's seals, or None."""
        header = self.header_by_hash(hash_)
        if header is None:
            return None
        body = stored_body(self.body_bytes(hash_))
        return Block(header, body.transactions, body.has_withdrawals)

    def block_by_number(self, number: int) -> Block | None:
        """Return the block of a height, or None above the head."""
        hash_ = self.hash_by_number(number)
        return None if hash_ is None else self.block_by_hash(hash_)

    def receipts_by_hash(self, hash_: bytes) -> tuple[Receipt, ...] | None:
        """Return a block's receipts, or None."""
        data = self._store.get(schema.receipts_key(hash_))
        return None if data is None else stored_receipts(data)

    def receipts_by_number(self, number: int) -> tuple[Receipt, ...] | None:
        """Return the receipts of a height, or None above the head."""
        hash_ = self.hash_by_number(number)
        return None if hash_ is None else self.receipts_by_hash(hash_)

    def transaction_location(self, transaction_hash: bytes) -> tuple[int, int] | None:
        """Return (block number, index in the block) of a final transaction, or None."""
        data = self._store.get(schema.location_key(transaction_hash))
        return None if data is None else schema.decode_location(data)

    def nodes(self, node_hash: bytes) -> bytes | None:
        """Return a trie node, or None: the source for proofs and history."""
        return self._store.get(schema.node_key(node_hash))

    def state(self, header: Header) -> StateReader:
        """Return the state after a final block: from the flat tables at the head, else from the trie."""
        head = self._head
        if header.state_root == head.header.state_root:
            return FlatReader(head.view.get)
        return TrieReader(self.nodes, header.state_root, self._code)

    def context(self, header: Header) -> BlockContext:
        """Return what the EVM sees of a block: for calls on the state after it, and for executing it."""
        spec = self.genesis.spec
        return BlockContext(
            number=header.number,
            timestamp=header.timestamp,
            coinbase=spec.rules_at(header.number).mining_beneficiary or header.coinbase,
            gas_limit=header.gas_limit,
            base_fee=header.base_fee_per_gas,
            fork=spec.fork_at(header.number, header.timestamp),
            chain_id=spec.chain_id,
            mix_hash=header.mix_hash,
            block_hash_of=lambda number: self._ancestor_hash(header.number, number),
            zero_base_fee=spec.zero_base_fee,
            contract_size_limit=spec.contract_size_limit,
        )

    def validators_after(self, header: Header) -> tuple[bytes, ...]:
        """Return the validators of the height after a final block, ascending.

        The next height's rules say how. In contract mode it is what ``getValidators()`` answers on the block's own
        state and context, caller zero; Refused when it reverts, or answers nothing or nonsense: the chain then waits
        for its contract's authors. Else the set in the header with the votes since the last epoch or transition.
        """
        hash_ = block_hash(header)
        with self._sets_lock:
            found = self._sets.get(hash_)
        if found is None:
            contract = self.genesis.spec.rules_at(header.number + 1).validator_contract
            found = self.tally_after(header).validators if contract is None else self.ask_contract(header, contract)
            with self._sets_lock:
                self._sets[hash_] = found
                while len(self._sets) > _SETS_KEPT:
                    self._sets.popitem(last=False)
        return found

    def ask_contract(self, header: Header, contract: bytes) -> tuple[bytes, ...]:
        """Return the validators that a contract names after a final block, ascending; Refused as said above."""
        return ask_validators(self.context(header), self.state(header), contract)

    def tally_after(self, header: Header) -> VoteTally:
        """Return the votes in headers up to a final block, going on from the block asked for last if it is the parent.

        It means something where the next height's validators stand in headers.
        """
        hash_ = block_hash(header)
        spec = self.genesis.spec
        with self._sets_lock:
            last = self._tally
        if last is not None and last[0] == hash_:
            return last[1]
        if last is not None and header.number and last[0] == header.parent_hash:
            tally = last[1]
            headers = [header]
        else:
            tally = VoteTally((), ())
            headers = self._since_beginning(header)
        for each in headers:
            tally = tally.after(each, spec.epoch_length, spec.validators_from(each.number + 1))
        with self._sets_lock:
            self._tally = (hash_, tally)
        return tally

    def commit(self, executed: ExecutedBlock, sealed: Header, *, sync: bool = True) -> None:
        """Make an executed block the head, with the seals in ``sealed``, in one batch.

        With ``sync`` it is on the disk on return. NodeFault when it is not the head's child or not the same block:
        the caller judged, so that is our own bug; and when the disk fails.
        """
        head = self._head
        if sealed.parent_hash != head.hash or sealed.number != head.header.number + 1:
            raise NodeFault(
                f"commit: block {sealed.number} on 0x{sealed.parent_hash.hex()} is not a child of the head, block "
                f"{head.header.number} 0x{head.hash.hex()}"
            )
        if block_hash(sealed) != executed.hash:
            raise NodeFault(f"commit: the sealed header is not that of the executed block 0x{executed.hash.hex()}")
        deletes: list[bytes] = []
        puts = self._block_puts(sealed, executed.hash, executed.block.body, executed.encoded_receipts)
        places = enumerate(executed.transactions)
        puts += [(schema.location_key(tx.hash), schema.encode_location(sealed.number, i)) for i, tx in places]
        puts += self._state_puts(executed.write_set, deletes)
        puts += [(schema.node_key(hash_), node) for hash_, node in executed.nodes.items()]
        self._store.write(puts, deletes, sync=sync)
        self._head = _Head(sealed, executed.hash, self._store.snapshot())
        if sync:
            self._durable = sealed.number

    def sync(self) -> None:
        """Put every block committed without ``sync`` on the disk; nothing when all are."""
        number = self.head.number  # what another thread commits meanwhile is not promised
        if self._durable < number:
            self._store.write((), sync=True)
            self._durable = max(self._durable, number)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _block_puts(
        self, header: Header, hash_: bytes, body: Body, encoded_receipts: tuple[bytes, ...]
    ) -> list[tuple[bytes, bytes]]:
        return [
            (schema.header_key(hash_), encode_header(header)),
            (schema.number_key(header.number), hash_),
            (schema.body_key(hash_), encode_body(body)),
            (schema.receipts_key(hash_), encode(encoded_receipts)),
            (schema.HEAD_KEY, hash_),
        ]

    def _state_puts(self, write_set: WriteSet, deletes: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for address in write_set.cleared:
            deletes += [key for key, _ in self._store.items(schema.slot_prefix(address))]
        for address, account in write_set.accounts.items():
            if account is None:
                deletes.append(schema.account_key(address))
            else:
                yield schema.account_key(address), encode_account(account)
        for address, slots in write_set.storage.items():
            for slot, value in slots.items():
                if value:
                    yield schema.slot_key(address, slot), schema.encode_slot(value)
                else:
                    deletes.append(schema.slot_key(address, slot))
        for code_hash, code in write_set.codes.items():
            yield schema.code_key(code_hash), code

    def _write_genesis(self, validator: bytes | None) -> None:
        genesis = self.genesis
        root, nodes, write_set = genesis_state(genesis.alloc)
        if root != genesis.header.state_root:
            raise NodeFault(f"genesis: its alloc has the root 0x{root.hex()}, not 0x{genesis.header.state_root.hex()}")
        body = Body(has_withdrawals=genesis.header.withdrawals_root is not None)
        puts = self._block_puts(genesis.header, genesis.hash, body, ())
        puts += self._state_puts(write_set, [])
        puts += [(schema.node_key(hash_), node) for hash_, node in nodes.items()]
        puts += schema.meta_puts(self._store, genesis.hash, validator)
        self._store.write(puts, sync=True)

    def _load_head(self) -> _Head:
        hash_ = self._store.get(schema.HEAD_KEY) or b""
        data = self._store.get(schema.header_key(hash_))
        if data is None:
            raise NodeFault(f"database: its head 0x{hash_.hex()} has no header: restore it from a copy")
        header = stored_header(data)
        is_whole = header.state_root == EMPTY_ROOT or self.nodes(header.state_root) is not None
        if not is_whole or self._store.get(schema.number_key(header.number)) != hash_:
            raise NodeFault(f"database: its head, block {header.number}, is not whole: restore it from a copy")
        return _Head(header, hash_, self._store.snapshot())

    def _code(self, code_hash: bytes) -> bytes | None:
        return b"" if code_hash == EMPTY_KECCAK else self._store.get(schema.code_key(code_hash))

    def _ancestor_hash(self, current: int, number: int) -> bytes | None:
        return self.hash_by_number(number) if current - _BLOCK_HASHES <= number < current else None

    def _since_beginning(self, header: Header) -> list[Header]:
        """Return the headers from where a tally begins (an epoch's first, or before a transition) to this one."""
        spec = self.genesis.spec
        headers = [header]
        while headers[-1].number % spec.epoch_length and spec.validators_from(headers[-1].number + 1) is None:
            parent = self.header_by_hash(headers[-1].parent_hash)
            if parent is None:
                raise InvalidBlock(f"block {headers[-1].number}: its parent is unknown")
            headers.append(parent)
        return headers[::-1]
