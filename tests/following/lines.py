"""Lines of blocks that link, for tests of catching up: cheap, long, and with nothing else right about them."""

from dataclasses import dataclass, replace
from functools import cached_property

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.roots import ordered_root


@dataclass(frozen=True)
class Line:
    """Blocks that link, with nothing else right: for state machines that leave verification to others."""

    blocks: tuple[Block, ...]

    def __getitem__(self, number: int) -> Block:
        return self.blocks[number]

    def hash(self, number: int) -> bytes:
        return self.hashes[number]

    @cached_property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(block_hash(block.header) for block in self.blocks)

    @cached_property
    def numbers(self) -> dict[bytes, int]:
        return {found: number for number, found in enumerate(self.hashes)}

    def header(self, number: int) -> Header:
        return self.blocks[number].header

    def headers(self, start: int, count: int) -> tuple[Header, ...]:
        return tuple(block.header for block in self.blocks[start : start + count])


def make_line(genesis: Header, template: Header, length: int, tag: int, start: tuple[Block, ...] = ()) -> Line:
    """Every third block is empty; `tag` makes lines differ from each other, `start` gives the blocks they share."""
    blocks = list(start) or [Block(genesis)]
    while len(blocks) < length:
        number = len(blocks)
        transactions = () if number % 3 == 0 else (bytes([2, tag, number % 256, number // 256]) * 10,) * (number % 3)
        header = replace(
            template,
            number=number,
            parent_hash=block_hash(blocks[-1].header),
            transactions_root=ordered_root(transactions),
            gas_used=21_000 * len(transactions) + tag,
        )
        blocks.append(Block(header, transactions, True))
    return Line(tuple(blocks))


def make_fat(line: Line, length: int) -> Line:
    """The same with one transaction of 100 kB in each block."""
    blocks = [line[0]]
    for number in range(1, length):
        transactions = (b"\x02" + number.to_bytes(2, "big") + bytes(100_000),)
        root = ordered_root(transactions)
        parent_hash = block_hash(blocks[-1].header)
        header = replace(line.header(number), parent_hash=parent_hash, transactions_root=root, gas_used=21_000)
        blocks.append(Block(header, transactions, True))
    return Line(tuple(blocks))
