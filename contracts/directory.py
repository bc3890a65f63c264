"""Typed calls to the Directory: where the other contracts are, and the accepted editions of code lists.

Writes give calldata, views give a View. Its setters are not here: only the Consortium may call them, by vote
(``consortium.propose_entry``, ``consortium.propose_code_list``).
"""

from typing import cast

from cocket.contracts.abi import View, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.history import mapping_slot
from cocket.contracts.values import decode_name, encode_name

ADDRESS = bytes.fromhex("00000000000000000000000000000000000c0c01")

CONSORTIUM = "Consortium"
PARTICIPANTS = "Participants"
CERTIFICATES = "Certificates"
ACCESS = "Access"

_DIRECTORY = "Directory"


def address_of(name: str) -> View[bytes]:
    """Ask for the address of the contract of that name: 20 bytes, zeros when there is none."""
    return interface(_DIRECTORY).view("addressOf", encode_name(name), make=_bytes)


def name_count() -> View[int]:
    """Ask how many names were ever given."""
    return interface(_DIRECTORY).view("nameCount", make=_int)


def name_at(position: int) -> View[str]:
    """Ask for a name by its position, from 0; empty beyond the last."""
    return interface(_DIRECTORY).view("nameAt", position, make=decode_name)


def code_list(name: str) -> View[bytes]:
    """Ask for the newest accepted edition of a code list: its hash, zeros when there is none."""
    return interface(_DIRECTORY).view("codeList", encode_name(name), make=_bytes)


def code_list_since(name: str, edition: bytes) -> View[int]:
    """Ask for the block time at which an edition was accepted; 0 when it never was."""
    return interface(_DIRECTORY).view("codeListSince", encode_name(name), edition, make=_int)


def entry_slot(name: str) -> int:
    """Give the storage slot of the address that a name means."""
    return mapping_slot(load_artifact(_DIRECTORY).layout["entries"], encode_name(name))


def version() -> View[str]:
    """Ask for the version of the contract's code and interface."""
    return interface(_DIRECTORY).view("version", make=str)


def _bytes(value: object) -> bytes:
    return cast(bytes, value)


def _int(value: object) -> int:
    return cast(int, value)
