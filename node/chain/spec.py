"""The rules of one chain, as its genesis.json sets them, and its block 0. The same file gives Besu's genesis hash.

Keys are Besu's, compared without case; ``genesis_config`` and ``genesis_block`` know them, ``rules`` what they mean.
Our own rules stand under ``config.cocket``, which Besu ignores: the permission rule, the ceiling of the round timeout,
and the ceremony's name. A file that has them must carry the hash of its ``config`` as vanity. ``config.transitions``
stands outside of that hash: members add to it by agreement, and the chain stays the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import msgspec

from cocket.node.chain.extra_data import ExtraData, decode_extra_data
from cocket.node.chain.fork_id import ForkId, ForkSchedule, fork_id_at, is_compatible
from cocket.node.chain.genesis_block import AllocAccount, parse_block
from cocket.node.chain.genesis_config import FORKS_AFTER_CANCUN, parse_config, parse_forks, parse_own, validate_start
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.json_section import parse_json
from cocket.node.chain.rules import Fork, Permission, Rules, Spec, Transition
from cocket.node.chain.transitions import parse_transitions
from cocket.node.errors import InvalidBlock, InvalidGenesis

__all__ = [
    "AllocAccount",
    "Fork",
    "ForkId",
    "Genesis",
    "Permission",
    "Rules",
    "Spec",
    "Transition",
    "configuration_hash",
    "fork_id",
    "founding_configuration",
    "is_fork_compatible",
    "parse_genesis",
]

GENESIS_BYTES_MAX: Final = 1 << 26
"""A public network's allocation is some megabytes; more is refused before it is parsed."""


@dataclass(frozen=True)
class Genesis:
    """A chain's beginning: its rules, its block 0, the accounts of its state (20-byte keys), and the file's bytes."""

    spec: Spec
    header: Header
    alloc: Mapping[bytes, AllocAccount]
    raw: bytes

    @cached_property
    def hash(self) -> bytes:
        """The hash of block 0: the chain's identity."""
        return block_hash(self.header)

    @cached_property
    def extra_data(self) -> ExtraData:
        """What block 0 says of vanity and validators."""
        return decode_extra_data(self.header.extra_data)

    @cached_property
    def founding_configuration(self) -> bytes | None:
        """The text whose hash block 0 has as vanity; None where it has none, as in a file of Besu's."""
        config = parse_json(self.raw, GENESIS_BYTES_MAX).section("config") if self.raw else None
        text = None if config is None else founding_configuration(config.plain())
        return text if text is not None and keccak256(text) == self.extra_data.vanity else None

    @cached_property
    def forks(self) -> ForkSchedule:
        """When the rules change, for fork ids."""
        spec = self.spec
        times = (spec.shanghai_time, spec.cancun_time)
        return ForkSchedule.of(self.hash, self.header.timestamp, (spec.london_block,), times)


def fork_id(genesis: Genesis, number: int = 0, timestamp: int = 0) -> ForkId:
    """Return (checksum, next fork) of a node whose head has this height and time (EIP-2124)."""
    return fork_id_at(genesis.forks, number, timestamp)


def is_fork_compatible(genesis: Genesis, number: int, timestamp: int, remote: ForkId) -> bool:
    """Say whether a peer with the fork id ``remote`` may follow our chain, whose head has this height and time."""
    return is_compatible(genesis.forks, number, timestamp, remote)


def configuration_hash(config: Mapping[str, object]) -> bytes:
    """Return the keccak256 of a founding configuration, which stands as vanity in the extraData of block 0."""
    return keccak256(founding_configuration(config))


def founding_configuration(config: Mapping[str, object]) -> bytes:
    """Return the text of a founding configuration, whose keccak256 is inside the genesis hash.

    So block period, validator contract and permission rule are inside it too. Left out is what members may
    add later by agreement: forks after Cancun with their blob schedule, and transitions. The bytes are JSON with
    sorted keys and no spaces.
    """
    later = {key.lower() for key in (*FORKS_AFTER_CANCUN, "blobSchedule", "transitions")}
    founding = {key: value for key, value in config.items() if key.lower() not in later}
    try:
        return msgspec.json.encode(founding, order="sorted")
    except UnicodeEncodeError:
        raise InvalidGenesis("genesis.config: found half a surrogate pair in a string, expected Unicode text") from None


def parse_genesis(data: bytes, *, is_foreign: bool = False) -> Genesis:
    """Return the chain that a genesis.json begins; InvalidGenesis names the key, what was found and expected.

    ``is_foreign`` reads a file of a chain with another consensus, to hash its block 0: consensus keys, forks that we
    do not run and keys that we do not know are passed over, and ``spec`` then says nothing about its consensus.
    """
    root = parse_json(data, GENESIS_BYTES_MAX)
    config = root.section("config")
    if config is None:
        raise InvalidGenesis("genesis.config: found none, expected an object with chainId and qbft")
    spec = parse_forks(config)
    timestamp = root.integer("timestamp", 0)
    if is_foreign:
        return Genesis(spec, *parse_block(root, spec, timestamp), bytes(data))
    spec = parse_config(config, spec)
    own = config.section("cocket")
    vanity = None if own is None else configuration_hash(config.plain())
    if own is not None:
        spec = parse_own(own, spec)
    transitions = config.section("transitions")
    if transitions is not None:
        spec = replace(spec, transitions=parse_transitions(transitions, spec, is_ours=own is not None))
    config.close()
    validate_start(config, spec, timestamp)
    header, alloc = parse_block(root, spec, timestamp)
    root.close()
    _validate_extra_data(header, spec, vanity)
    return Genesis(spec, header, alloc, bytes(data))


def _validate_extra_data(header: Header, spec: Spec, vanity: bytes | None) -> None:
    """Refuse extraData in block 0 that is not QBFT's, or that does not fit the way validators are chosen."""
    try:
        extra = decode_extra_data(header.extra_data)
    except InvalidBlock as error:
        raise InvalidGenesis(f"genesis.extraData: {error}") from None
    if extra.vote is not None or extra.round or extra.seals:
        raise InvalidGenesis("genesis.extraData: found a vote, a round or seals, expected none in block 0")
    if len(set(extra.validators)) != len(extra.validators):
        raise InvalidGenesis("genesis.extraData: found a validator twice, expected each once")
    if spec.validator_contract is None and not extra.validators:
        raise InvalidGenesis("genesis.extraData: found no validators, expected some (or a validatorContractAddress)")
    if vanity is not None and extra.vanity != vanity:
        raise InvalidGenesis(
            f"genesis.extraData: found vanity 0x{extra.vanity.hex()}, expected 0x{vanity.hex()}, the hash of config; "
            "one of them was changed after the founding"
        )
