"""Compile the Vyper sources into the committed artifacts: the only module that knows the compiler.

Nothing else imports this at run time: nodes and tools read ``artifacts/*.json``. A test compiles again and compares, so
that an artifact always tells what its source says.

    python -m cocket.contracts.compile [NAME...]            write contracts/artifacts/*.json
    python -m cocket.contracts.compile --check [NAME...]    compare, write nothing; exit 1 when one differs
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from sha3 import keccak_256
from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import FilesystemInputBundle

from cocket.contracts.artifact import CONTRACTS

SOURCES = Path(__file__).parent
SHARED = ("history", "names")
OUTPUTS = ("abi", "bytecode", "bytecode_runtime", "layout")


def compile_contract(name: str) -> dict[str, object]:
    """Give the artifact of one contract as JSON values: interface, code, storage layout, and what it was made from."""
    bundle = FilesystemInputBundle([SOURCES])
    output = compile_from_file_input(
        bundle.load_file(Path(f"{name}.vy")), input_bundle=bundle, output_formats=list(OUTPUTS)
    )
    initcode = bytes.fromhex(output["bytecode"].removeprefix("0x"))
    return {
        "name": name,
        "compiler": f"vyper {version('vyper')}",
        "evm_version": "london",
        "source_hash": "0x" + source_hash(name).hex(),
        "code_hash": "0x" + keccak_256(initcode).hexdigest(),
        "abi": output["abi"],
        "initcode": "0x" + initcode.hex(),
        "runtime": output["bytecode_runtime"],
        "layout": json.loads(json.dumps(output["layout"])),
    }


def source_hash(name: str) -> bytes:
    """Give keccak256 over the contract's source and the shared modules', each with its file name and length."""
    digest = keccak_256()
    for file in (name, *SHARED):
        content = (SOURCES / f"{file}.vy").read_bytes()
        digest.update(f"{file}.vy {len(content)}\n".encode())
        digest.update(content)
    return bytes(digest.digest())


def encode_artifact(artifact: dict[str, object]) -> str:
    """Give the text of an artifact file: sorted keys, one value a line, so that differences can be read."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the artifacts, all or the named ones; give the exit code."""
    differing = []
    for name in [argument for argument in arguments if argument in CONTRACTS] or CONTRACTS:
        path = SOURCES / "artifacts" / f"{name}.json"
        text = encode_artifact(compile_contract(name))
        if path.exists() and path.read_text() == text:
            continue
        differing.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    if differing:
        print(("differs: " if "--check" in arguments else "written: ") + ", ".join(differing))
    return 1 if differing and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
