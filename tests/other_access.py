"""Other Access contracts for tests: one that refuses every read, one that allows every read, all else as the real one.

Compiled from the real source with its decision taken out, so that services, receipts, grants and freezes go on as
before: what then is still released was never asked of the contract.
"""

import json
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from contract_ledger import ContractLedger
from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import FilesystemInputBundle

from cocket.contracts import access, directory
from cocket.contracts.access import Reason
from cocket.contracts.compile import SHARED, SOURCES
from cocket.node.chain.account import Account, WriteSet
from cocket.node.chain.hashing import keccak256

_DECISION = "    reason: uint8 = self._decide(question, claim, evidence)\n"


@cache
def deciding(reason: Reason) -> bytes:
    """Return the code, as it lies on a chain, of an Access that answers each question so."""
    source = (SOURCES / "Access.vy").read_text()
    assert source.count(_DECISION) == 1, "Access.mayRead decides otherwise now; say here how"
    answer = f"    reason: uint8 = {int(reason)}\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shared in SHARED:
            shutil.copy(SOURCES / f"{shared}.vy", folder)
        (folder / "Access.vy").write_text(source.replace(_DECISION, answer))
        bundle = FilesystemInputBundle([folder])
        output = compile_from_file_input(
            bundle.load_file(Path("Access.vy")), input_bundle=bundle, output_formats=["bytecode_runtime"]
        )
    return bytes.fromhex(output["bytecode_runtime"].removeprefix("0x")) + directory.ADDRESS.rjust(32, b"\0")


def refusing() -> bytes:
    """Return the code of an Access that says no to everybody."""
    return deciding(Reason.NO_GRANT)


def allowing() -> bytes:
    """Return the code of an Access that says yes to everybody."""
    return deciding(Reason.BY_GRANT)


def lay(ledger: ContractLedger, code: bytes, address: bytes = access.ADDRESS) -> None:
    """Put code at an address of a ledger; what is stored there stays."""
    held = replace(ledger.state.account(address) or Account(nonce=1), code_hash=keccak256(code))
    ledger.state.lay(WriteSet({address: held}, codes={held.code_hash: code}))


def in_genesis(genesis_json: bytes, code: bytes) -> bytes:
    """Return a genesis with other code for Access: another network, whose hash is another."""
    document = json.loads(genesis_json)
    document["alloc"][access.ADDRESS.hex()]["code"] = "0x" + code.hex()
    return json.dumps(document).encode()
