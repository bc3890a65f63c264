"""The layout of the database: which key holds what, and the format that a home was written in.

This module alone knows the keys. It encodes no header, block or account: values belong to the chain's codecs, except
the small ones that only the database has (slots, numbers, places of transactions).

====== =========================== =====================================================
prefix key                         value
====== =========================== =====================================================
``m``  name                        meta: format, genesis, validator, head (a block hash)
``h``  block hash                  header with this node's own seals (RLP)
``#``  number, 8 bytes             block hash of the final block
``b``  block hash                  body (RLP)
``r``  block hash                  receipts (RLP list of consensus receipts)
``t``  transaction hash            place: number, 8 bytes, and index, 4 bytes
``a``  address                     account at the head (RLP, as in the state trie)
``s``  address and slot, 32 bytes  slot at the head, big endian without leading zeros
``c``  code hash                   code
``n``  node hash                   trie node
``e``  height, round, kind, author evidence: two signed payloads that contradict each other (RLP)
====== =========================== =====================================================
"""

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.store import Reader, Store

FORMAT_VERSION = 1

_FORMAT = b"mformat"
_GENESIS = b"mgenesis"
_VALIDATOR = b"mvalidator"
HEAD_KEY = b"mhead"
EVIDENCE_PREFIX = b"e"


def header_key(block_hash: bytes) -> bytes:
    """Return where the sealed header of a block lies; by block hash, which leaves the seals out."""
    return b"h" + block_hash


def number_key(number: int) -> bytes:
    """Return where the hash of the final block of a height lies."""
    return b"#" + number.to_bytes(8, "big")


def body_key(block_hash: bytes) -> bytes:
    """Return where the transactions of a block lie."""
    return b"b" + block_hash


def receipts_key(block_hash: bytes) -> bytes:
    """Return where the receipts of a block lie."""
    return b"r" + block_hash


def location_key(transaction_hash: bytes) -> bytes:
    """Return where the place of a transaction lies."""
    return b"t" + transaction_hash


def account_key(address: bytes) -> bytes:
    """Return where the head value of an account lies."""
    return b"a" + address


def slot_key(address: bytes, slot: int) -> bytes:
    """Return where the head value of a storage slot lies."""
    return b"s" + address + slot.to_bytes(32, "big")


def slot_prefix(address: bytes) -> bytes:
    """Return what the keys of all slots of an account begin with."""
    return b"s" + address


def code_key(code_hash: bytes) -> bytes:
    """Return where a contract's code lies."""
    return b"c" + code_hash


def node_key(node_hash: bytes) -> bytes:
    """Return where a trie node lies."""
    return b"n" + node_hash


def evidence_key(height: int, round_number: int, code: int, author: bytes) -> bytes:
    """Return where the proof lies that an author signed two messages of one kind; keys ascend with the height."""
    return EVIDENCE_PREFIX + height.to_bytes(8, "big") + round_number.to_bytes(4, "big") + bytes((code,)) + author


def parse_evidence_key(key: bytes) -> tuple[int, int, int, bytes]:
    """Return (height, round, code, author) of such a key."""
    if len(key) != 34:
        raise NodeFault(f"database: an evidence key has {len(key)} bytes, expected 34: the database is damaged")
    return int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:13], "big"), key[13], key[14:]


def encode_slot(value: int) -> bytes:
    """Return the bytes of a slot's value, big endian without leading zeros; zero slots are not stored at all."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode_slot(data: bytes | None) -> int:
    """Return a slot's value; an absent one is zero."""
    return 0 if data is None else int.from_bytes(data, "big")


def encode_location(number: int, index: int) -> bytes:
    """Return the 12 bytes that say in which block, and where in it, a transaction stands."""
    return number.to_bytes(8, "big") + index.to_bytes(4, "big")


def decode_location(data: bytes) -> tuple[int, int]:
    """Return (block number, index in the block)."""
    if len(data) != 12:
        raise NodeFault(f"database: a transaction's place has {len(data)} bytes, expected 12: the database is damaged")
    return int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big")


def validate_meta(reader: Reader, genesis_hash: bytes, validator: bytes | None) -> None:
    """Refuse a database of another format, another chain or another validator; an empty one passes.

    ``validator`` is the address that this node signs with; None (a tool that only reads, a follower without a key)
    asks nothing of it.
    """
    found_format = reader.get(_FORMAT)
    if found_format is None:
        return
    if found_format != _format_bytes():
        raise Refused(
            f"database: format {int.from_bytes(found_format, 'big')} found, this program reads {FORMAT_VERSION}: "
            "run the version that wrote it, export the chain and import it here"
        )
    found_genesis = reader.get(_GENESIS) or b""
    if found_genesis != genesis_hash:
        raise Refused(
            f"database: it holds the chain of genesis 0x{found_genesis.hex()}, the genesis file hashes to "
            f"0x{genesis_hash.hex()}: use the genesis file it was made with, or another home"
        )
    found_validator = reader.get(_VALIDATOR)
    if validator is not None and found_validator is not None and found_validator != validator:
        raise Refused(
            f"database: it belongs to the validator 0x{found_validator.hex()}, this node's key is 0x{validator.hex()}: "
            "put the right key in place; for a new key use a new home and let it catch up"
        )


def meta_puts(reader: Reader, genesis_hash: bytes, validator: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return the meta records that a database still lacks, to be written with its first block or when a key comes."""
    puts = []
    if reader.get(_FORMAT) is None:
        puts += [(_FORMAT, _format_bytes()), (_GENESIS, genesis_hash)]
    if validator is not None and reader.get(_VALIDATOR) is None:
        puts.append((_VALIDATOR, validator))
    return puts


def open_meta(store: Store, genesis_hash: bytes, validator: bytes | None) -> None:
    """Check whose database this is, and say so in it when it is new; Refused on a mismatch."""
    validate_meta(store, genesis_hash, validator)
    puts = meta_puts(store, genesis_hash, validator)
    if puts:
        store.write(puts, sync=True)


def _format_bytes() -> bytes:
    return FORMAT_VERSION.to_bytes(4, "big")
