"""The compiled contracts as committed: the only module that reads ``artifacts/*.json``.

It never compiles. Interface, code and storage layout come from here, so that no tool needs the compiler.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sha3 import keccak_256

from cocket.contracts.errors import MalformedArtifact

CONTRACTS = ("Directory", "Consortium", "Participants", "Certificates", "Access")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract.

    ``runtime`` lacks the immutables that a constructor appends: what lies on a chain is what the constructor returned.
    ``layout`` maps each storage variable's name (``module.variable`` for shared modules) to its slot, ``immutables``
    are the names of what is appended, 32 bytes each, in order.
    """

    name: str
    compiler: str
    source_hash: bytes
    code_hash: bytes
    abi: tuple[dict[str, object], ...]
    initcode: bytes
    runtime: bytes
    layout: dict[str, int]
    immutables: tuple[str, ...]


def deployed_code_hash(name: str, directory: bytes) -> bytes:
    """Give the Keccak-256 of a contract's code as it lies on a chain, bound to a Directory, as an account has it.

    Raises MalformedArtifact for one with other immutables than that.
    """
    artifact = load_artifact(name)
    if artifact.immutables not in ((), ("DIRECTORY",)):
        raise MalformedArtifact(f"{name}: its code depends on {', '.join(artifact.immutables)}, expected DIRECTORY")
    appended = directory.rjust(32, b"\0") if artifact.immutables else b""
    return bytes(keccak_256(artifact.runtime + appended).digest())


@cache
def load_artifact(name: str) -> Artifact:
    """Give the artifact of a contract by its name; raises MalformedArtifact with what is wrong and what to do."""
    try:
        text = files("cocket.contracts").joinpath("artifacts", f"{name}.json").read_text()
        return parse_artifact(text)
    except OSError as error:
        known = ", ".join(CONTRACTS)
        raise MalformedArtifact(f"no artifact of {name!r} is installed (there are: {known}); install again") from error


def parse_artifact(text: str) -> Artifact:
    """Give the artifact in a file's text; checks that code and hash agree."""
    try:
        value = json.loads(text)
        artifact = Artifact(
            name=value["name"],
            compiler=value["compiler"],
            source_hash=bytes.fromhex(value["source_hash"][2:]),
            code_hash=bytes.fromhex(value["code_hash"][2:]),
            abi=tuple(value["abi"]),
            initcode=bytes.fromhex(value["initcode"][2:]),
            runtime=bytes.fromhex(value["runtime"][2:]),
            layout=_flat_layout(value["layout"]["storage_layout"]),
            immutables=tuple(value["layout"].get("code_layout", {})),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedArtifact(f"the artifact does not parse ({error!r}); compile again") from error
    found = keccak_256(artifact.initcode).digest()
    if found != artifact.code_hash:
        expected = artifact.code_hash.hex()
        raise MalformedArtifact(f"{artifact.name}: code hashes to {found.hex()}, expected {expected}; compile again")
    return artifact


def _flat_layout(layout: dict[str, dict[str, object]]) -> dict[str, int]:
    slots: dict[str, int] = {}
    for name, entry in layout.items():
        slot = entry.get("slot")
        if isinstance(slot, int):
            slots[name] = slot
            continue
        for inner, inner_entry in entry.items():
            if not isinstance(inner_entry, dict):
                raise ValueError(f"{name}.{inner}: no slot")
            slots[f"{name}.{inner}"] = inner_entry["slot"]
    return slots
