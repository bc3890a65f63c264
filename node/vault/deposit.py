"""Deposits: a sealed record as a vault takes and gives it: manifest, custody, envelope, and the opening inside.

It is taken when every part leads to the record's place in an anchored batch, and its controller signed the manifest;
so what a reader later finds false was false when the controller sealed it.
"""

from dataclasses import dataclass
from hashlib import sha256

from cocket.attestation.batch import country_hash
from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.item import Item, validate_item
from cocket.attestation.sealing.custody import Custody, open_seat
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.attestation.sealing.envelope import decode_envelope
from cocket.attestation.sealing.hpke import Opener
from cocket.attestation.sealing.manifest import Manifest, decode_manifest, signing_hash
from cocket.attestation.sealing.opening import Opening
from cocket.attestation.sealing.record import open_vault, validate_manifest
from cocket.attestation.signature import recover


@dataclass(frozen=True, slots=True)
class Deposit:
    """A record's parts, taken apart."""

    manifest: Manifest
    signature: bytes
    custody: Custody
    ciphertexts: tuple[bytes, ...]
    opening: Opening

    @property
    def item(self) -> Item:
        """Return the proof of the record's place in its batch; it shows neither field nor importing country."""
        binding, country = self.manifest.binding, self.opening.country
        return Item(
            binding.document_root,
            binding.kind,
            binding.key_epoch,
            country_hash(country.salt, country.country),
            self.opening.anchor.path,
        )

    @property
    def signer(self) -> bytes:
        """Return the address that signed the manifest; InvalidFile when nobody can have."""
        return recover(signing_hash(self.manifest), self.signature)


def open_deposit(manifest: bytes, custody: bytes, envelope: bytes, key: Opener) -> Deposit:
    """Return the deposit in three files, opened with the vault's key.

    :raises InvalidFile: they do not belong together, are none of ours, or were made for another vault's key.
    """
    found, signature = decode_manifest(manifest)
    held, ciphertexts = decode_custody(custody), decode_envelope(envelope)
    validate_manifest(found, held)
    hashes = [sha256(each).digest() for each in ciphertexts]
    if hashes != [group.ciphertext for group in found.groups]:
        raise InvalidFile("an envelope that is not the one that the manifest names")
    opening = open_vault(found, open_seat(held, held.vault, key))
    return Deposit(found, signature, held, ciphertexts, opening)


def validate_deposit(deposit: Deposit, chain_id: int, genesis_hash: bytes, issuer: int) -> None:
    """Refuse (InvalidFile) a deposit that is of another network, or not at its place in the batch of ``issuer``."""
    anchor, manifest = deposit.opening.anchor, deposit.manifest
    networks = {
        (anchor.chain_id, anchor.genesis_hash),
        (manifest.chain_id, manifest.binding.genesis_hash),
        (manifest.chain_id, deposit.custody.genesis_hash),
    }
    if networks != {(chain_id, genesis_hash)}:
        raise InvalidFile(f"a record of another network; expected chain {chain_id}, genesis 0x{genesis_hash.hex()}")
    if anchor.batch != deposit.custody.batch:
        raise InvalidFile("a custody of another batch than the record's")
    validate_item(deposit.item, issuer, anchor.batch, anchor.index)
