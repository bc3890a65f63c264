"""The rules of each fork: which opcodes and precompiles it has. They are py-evm's, but for a few of ours.

This module is part of the door to py-evm. It never runs anything.

What differs from py-evm on purpose: opcodes never warn of deprecation, and some of them and of the precompiles
are our own (``opcodes``, ``calls``, ``precompiles``).
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from eth.exceptions import InvalidInstruction
from eth.vm import opcode_values
from eth.vm.computation import BaseComputation
from eth.vm.forks.berlin.computation import BerlinComputation
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.london.computation import LondonComputation
from eth.vm.forks.shanghai.computation import ShanghaiComputation

from cocket.node.chain.rules import Fork
from cocket.node.chain.transaction import INITCODE_BYTES_MAX
from cocket.node.chain.vm import calls, precompiles
from cocket.node.chain.vm.computation import Computation
from cocket.node.chain.vm.opcodes import OPCODES, sstore

_CLEAR_REFUND_BERLIN: Final = 15_000
_CLEAR_REFUND: Final = 4_800  # EIP-3529

Opcode = Callable[[Computation], object]


def _invalid(opcode: int) -> Opcode:
    def fail(computation: Computation) -> None:
        raise InvalidInstruction(f"invalid opcode {opcode:#04x}")

    return fail


def _computation_class(fork: Fork, parent: type[BaseComputation]) -> type[Computation]:
    opcodes = dict(cast(Mapping[int, Opcode], parent.opcodes))
    # What warns of deprecation is wrapped around the opcode.
    opcodes = {value: getattr(opcode, "__wrapped__", opcode) for value, opcode in opcodes.items()}
    opcodes |= OPCODES | calls.OPCODES
    opcodes[opcode_values.SSTORE] = sstore(_CLEAR_REFUND if fork >= Fork.LONDON else _CLEAR_REFUND_BERLIN)
    table = dict(cast(Mapping[bytes, Opcode], parent.get_precompiles()))
    ours: dict[int, Opcode] = {
        1: precompiles.ecrecover,
        5: precompiles.modexp,
        6: precompiles.ecadd,
        7: precompiles.ecmul,
        8: precompiles.ecpairing,
        9: precompiles.blake2f,
    }
    if fork >= Fork.CANCUN:
        ours[10] = precompiles.point_evaluation
    table |= {precompiles.address_of(number): precompile for number, precompile in ours.items()}
    members = {
        "__doc__": f"The execution of messages in the rules of {fork.name}.",
        "__slots__": (),
        "fork": fork,
        "opcode_table": tuple(opcodes.get(value, _invalid(value)) for value in range(256)),
        "precompiles": table,
        "precompile_addresses": frozenset(table),
        "initcode_bytes_max": INITCODE_BYTES_MAX if fork >= Fork.SHANGHAI else None,
    }
    return type(f"{fork.name.title()}Computation", (Computation,), members)


COMPUTATIONS: Final = {
    Fork.BERLIN: _computation_class(Fork.BERLIN, BerlinComputation),
    Fork.LONDON: _computation_class(Fork.LONDON, LondonComputation),
    Fork.SHANGHAI: _computation_class(Fork.SHANGHAI, ShanghaiComputation),
    Fork.CANCUN: _computation_class(Fork.CANCUN, CancunComputation),
}
