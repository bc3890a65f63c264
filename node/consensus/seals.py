"""Seals: signatures over digests, whose they are, and whether a header carries enough of them.

The one place of consensus that knows the curve. A signature is 65 bytes, ``r || s || recovery id``, over a 32-byte
digest without any prefix; a commit seal is one over a header's commit hash. Keys stay outside: whoever signs hands in
the means. (``qbft-interop``: keys and signatures as Besu's ``SECPSignature``.)
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from coincurve import PrivateKey, PublicKey

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, commit_hash
from cocket.node.consensus.validators import is_validator, quorum
from cocket.node.errors import InvalidBlock

SIGNATURE_BYTES: Final = 65
RECOVERED_MAX: Final = 4096
"""Signatures remembered: a Prepare comes by itself and in certificates, a seal in its Commit and in the header."""
_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_HALF_ORDER: Final = (_ORDER // 2).to_bytes(32, "big")


def sign_seal(digest: bytes, key: bytes) -> bytes:
    """Return the signature of a 32-byte digest by a private key: for tests and tools; a node signs by its Signer."""
    return PrivateKey(key).sign_recoverable(digest, hasher=None)


def address_of_key(key: bytes) -> bytes:
    """Return the 20-byte address of a private key."""
    return _address_of(PrivateKey(key).public_key)


def recover_seal(digest: bytes, seal: bytes) -> bytes:
    """Return the 20-byte address whose signature of ``digest`` ``seal`` is.

    ValueError when it is nobody's: not 65 bytes, a recovery id besides 0 and 1, r or s out of range. Any s is taken;
    where only a low one may pass, ask ``is_low_s`` too.
    """
    if len(seal) != SIGNATURE_BYTES:
        raise ValueError(f"signature: found {len(seal)} bytes, expected {SIGNATURE_BYTES}")
    if seal[64] > 1:
        raise ValueError(f"signature: found recovery id {seal[64]}, expected 0 or 1")
    try:
        return _recovered(digest, seal)
    except Exception as error:  # coincurve raises bare Exception for r or s that do not parse
        raise ValueError(f"signature 0x{seal.hex()}: recovers to no key ({error})") from None


@lru_cache(maxsize=RECOVERED_MAX)
def _recovered(digest: bytes, seal: bytes) -> bytes:
    return _address_of(PublicKey.from_signature_and_message(seal, digest, hasher=None))


def is_low_s(signature: bytes) -> bool:
    """Say whether s is in the lower half of its range: of each signature's two forms the only one taken in messages."""
    return signature[32:64] <= _HALF_ORDER


def seal_authors(digest: bytes, seals: Iterable[bytes], validators: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the distinct validators that sealed ``digest``, one per seal and in their order.

    InvalidBlock when a seal recovers to nobody, to somebody outside ``validators`` (ascending), or to one seen before.
    """
    authors: list[bytes] = []
    for index, seal in enumerate(seals):
        try:
            author = recover_seal(digest, seal)
        except ValueError as error:
            raise InvalidBlock(f"seal {index}: {error}") from None
        if not is_validator(validators, author):
            raise InvalidBlock(f"seal {index}: found the signer 0x{author.hex()}, expected one of the validators")
        if author in authors:
            raise InvalidBlock(f"seal {index}: found a second seal of 0x{author.hex()}, expected one per validator")
        authors.append(author)
    return tuple(authors)


def validate_seals(header: Header, validators: Sequence[bytes]) -> None:
    """Raise InvalidBlock unless a quorum of ``validators`` sealed ``header``, each once and nobody else.

    ``validators`` are those of the header's height, ascending, as its parent's state gives them. More seals than the
    quorum are fine.
    """
    seals = decode_extra_data(header.extra_data).seals
    needed = quorum(len(validators))
    if not validators or not needed <= len(seals) <= len(validators):
        raise InvalidBlock(
            f"block {header.number}: found {len(seals)} seals, expected {needed} to {len(validators)} "
            f"of {len(validators)} validators"
        )
    seal_authors(commit_hash(header), seals, validators)


def _address_of(key: PublicKey) -> bytes:
    return keccak256(key.format(compressed=False)[1:])[12:]
