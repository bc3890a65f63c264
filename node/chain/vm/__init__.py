"""The Ethereum virtual machine: transactions and calls on a state, in the rules of a fork.

Behind this door stands py-evm (``engine``, ``opcodes``, ``calls``, ``precompiles``); nothing else in the node imports
``eth.*``, and of py-evm's chains, headers, databases and tries nothing is used. State is read through a StateReader
and comes back as a WriteSet; roots, blocks and stores are others'. A thread that executes needs a stack of 1 MiB, for
1,024 calls within calls.

====================  ==========================================================================
BlockExecution        a block's transactions, one after the other, with receipts and a write set
call, estimate_gas    tries that change nothing, for RPC, permissions and validator contracts
run_constructor       a contract of the genesis
ExecutionAborted      an execution was stopped by ``abort`` or its deadline
====================  ==========================================================================
"""

import os
import sys

# Before the first import of eth: it takes pycryptodome, which is slower, when nobody says otherwise.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

from cocket.node.chain.vm.context import BlockContext
from cocket.node.chain.vm.execution import BlockExecution, contract_address
from cocket.node.chain.vm.precompiles import validate_backends
from cocket.node.chain.vm.simulation import CallRequest, CallResult, Estimate, call, estimate_gas, run_constructor
from cocket.node.chain.vm.watch import ExecutionAborted

__all__ = [
    "BlockContext",
    "BlockExecution",
    "CallRequest",
    "CallResult",
    "Estimate",
    "ExecutionAborted",
    "call",
    "contract_address",
    "estimate_gas",
    "run_constructor",
    "validate_backends",
]

validate_backends()

# py_ecc raises Python's recursion limit to 100,000 when imported, and then a JSON text of 50,000 brackets overflows
# the C stack in any decoder. 1,024 calls within calls need some 7,000 frames.
sys.setrecursionlimit(12_288)
