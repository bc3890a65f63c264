"""The last step of the founding: each authority's admin key signs the genesis hash that it computed itself."""

import msgspec

from cocket.genesis.canonical import decode_strict, digest_of, encode_canonical, parse_hex
from cocket.genesis.errors import CeremonyRefused
from cocket.genesis.record import DigestSigner, Founder, recover_signer


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One authority's signature over the genesis hash (``0x`` hex of 32 and 65 bytes)."""

    country: str
    genesis_hash: str
    signature: str


def make_confirmation(country: str, genesis_hash: bytes, admin: DigestSigner) -> Confirmation:
    """Return the confirmation of one authority."""
    signature = admin.sign_digest(digest_of("confirmation", genesis_hash))
    return Confirmation(country=country, genesis_hash="0x" + genesis_hash.hex(), signature="0x" + signature.hex())


def verify_confirmation(confirmation: Confirmation, genesis_hash: bytes, founders: tuple[Founder, ...]) -> Founder:
    """Return the authority that confirmed.

    :raises CeremonyRefused: another genesis, a country that does not take part, or another key.
    """
    what = f"confirmation of {confirmation.country[:2]!r}"
    named = parse_hex(confirmation.genesis_hash, 32, f"{what}: genesisHash")
    if named != genesis_hash:
        raise CeremonyRefused(f"{what}: it confirms genesis 0x{named.hex()}, this one is 0x{genesis_hash.hex()}")
    founder = next((founder for founder in founders if founder.country == confirmation.country), None)
    if founder is None:
        raise CeremonyRefused(f"{what}: not among the founders")
    signer = recover_signer(digest_of("confirmation", genesis_hash), confirmation.signature, f"{what}: signature")
    if signer != founder.admin:
        raise CeremonyRefused(f"{what}: signed by 0x{signer.hex()}, expected the admin 0x{founder.admin.hex()}")
    return founder


def encode_confirmation(confirmation: Confirmation) -> bytes:
    """Return the canonical bytes of a confirmation file."""
    return encode_canonical(confirmation)


def decode_confirmation(data: bytes, what: str = "confirmation") -> Confirmation:
    """Read a confirmation file; ``verify_confirmation`` still has to judge it.

    :raises InvalidRecord: malformed.
    """
    return decode_strict(data, Confirmation, what)
