"""What accounts sign for one contract: the one place that binds a message to a ledger and a contract (EIP-712)."""

from __future__ import annotations

from cocket.attestation.merkle import keccak256

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"


def typed_data_hash(name: str, chain_id: int, contract: bytes, genesis_hash: bytes, message: bytes) -> bytes:
    """Return the hash to sign of a message, given as its type's hash and words, under the domain of a name."""
    domain = keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(name.encode())
        + keccak256(b"1")
        + word(chain_id)
        + word(int.from_bytes(contract))
        + genesis_hash
    )
    return keccak256(b"\x19\x01" + domain + keccak256(message))


def word(number: int) -> bytes:
    """Return a number as 32 bytes."""
    return number.to_bytes(32)
