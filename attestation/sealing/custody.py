"""Custody: who must answer before a record of a batch can be read, and what each of them answers with.

The sealer draws one seed for each custodian of a batch and wraps it to the key that the custodian has on the ledger.
Each group key is shared among the custodians, and each share is kept masked with what only that custodian's seed gives:
so ciphertexts and masked shares beside each other open nothing, and neither do seeds without them. One more seed masks
the whole key for the recovery key, which lies offline; the seed that springs from it encrypts the opening for the
controller's own vault, so that who recovers a record also knows where it is anchored.
With one custodian "the contract decides" means "one honest custodian decides".
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cocket.attestation.errors import AttestationError
from cocket.attestation.merkle import (
    FROM_RECOVERY_SEED,
    FROM_SEED_MASK,
    FROM_SEED_OPENING,
    HASH_BYTES,
    WRAPPED_SEED,
)
from cocket.attestation.sealing.binding import Binding
from cocket.attestation.sealing.draws import draws_of
from cocket.attestation.sealing.hpke import Opener, PublicKey, Suite, unwrap, wrap
from cocket.attestation.sealing.shamir import SHARES_MAX

SEED_BYTES = 32
ACCESS_BYTES = 20
RECOVERY = 0xFFFFFFFF
"""In place of an authority's number: the recovery key's seat."""
VAULT = 0xFFFFFFFE
"""In place of an authority's number: the seat of the controller's vault."""
OPENING_GROUP = 0xFF


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is to hold a seed: the authority's number on the ledger, the epoch of its keys there, and its key."""

    authority: int
    keys_epoch: int
    key: PublicKey


@dataclass(frozen=True, slots=True)
class Seat:
    """A seed, wrapped for its holder."""

    authority: int
    keys_epoch: int
    suite: Suite
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Custody:
    """How records of one batch are held: ``threshold`` of the ``custodians`` must answer, in no order.

    A custodian's number is its place here, counted from 1. ``access`` is the address of the contract that decides about
    reads of these records, whatever the ledger's directory names later: custodians ask that one.
    """

    genesis_hash: bytes
    access: bytes
    batch: bytes
    threshold: int
    custodians: tuple[Seat, ...]
    recovery: Seat
    vault: Seat


@dataclass(frozen=True, slots=True)
class Seeds:
    """The seeds of a custody, which only the sealer has together, and only while it seals."""

    custodians: tuple[bytes, ...]
    recovery: bytes
    vault: bytes

    def __repr__(self) -> str:
        return f"Seeds({len(self.custodians)} custodians)"

    def all(self) -> tuple[bytes, ...]:
        """Return them in order of seats: the custodians', the recovery key's, the vault's."""
        return (*self.custodians, self.recovery, self.vault)


def validate_threshold(threshold: int, count: int) -> None:
    """Refuse a custody that f faulty custodians could open, or that they could keep shut.

    Of four or more, f = (count - 1) // 3 may be faulty: ``f < threshold <= count - f``. Of fewer, none.
    """
    faulty = (count - 1) // 3
    if not 1 <= count <= SHARES_MAX or not faulty < threshold <= count - faulty:
        raise AttestationError(
            f"found a threshold of {threshold} with {count} custodians; expected 1 to {SHARES_MAX} of them and a "
            f"threshold from {faulty + 1} to {count - faulty}: {faulty} of them may be faulty"
        )


def seed_bytes(count: int) -> int:
    """Return how many random bytes :func:`draw` takes for so many custodians."""
    return SEED_BYTES * (count + 1)


def seeds_of(randomness: bytes, count: int) -> Seeds:
    """Return the seeds that :func:`draw` wraps for so many custodians; the same randomness gives the same."""
    drawn = draws_of(randomness, count + 1, SEED_BYTES)
    return Seeds(drawn[:-1], drawn[-1], vault_seed(drawn[-1]))


def vault_seed(recovery: bytes) -> bytes:
    """Return the vault's seed, which springs from the recovery seed: who has that one opens all, as it is to."""
    return hmac.digest(recovery, FROM_RECOVERY_SEED, "sha256")


def draw(
    genesis_hash: bytes,
    access: bytes,
    batch: bytes,
    threshold: int,
    custodians: Sequence[Holder],
    recovery: PublicKey,
    vault: PublicKey,
    randomness: bytes,
) -> tuple[Custody, Seeds]:
    """Return a new custody of a batch and its seeds, which must not be kept."""
    validate_threshold(threshold, len(custodians))
    if len({holder.authority for holder in custodians}) != len(custodians):
        raise AttestationError("an authority is named as custodian twice; expected each once")
    if any(holder.authority >= VAULT for holder in custodians):
        raise AttestationError("found a custodian that is no authority's number")
    holders = [*custodians, Holder(RECOVERY, 0, recovery), Holder(VAULT, 0, vault)]
    seeds = seeds_of(randomness, len(custodians))
    context = _context(genesis_hash, access, batch, threshold, len(custodians))
    seats = [
        Seat(
            holder.authority,
            holder.keys_epoch,
            holder.key.suite,
            wrap(holder.key, seed, _info(context, place, holder)),
        )
        for place, (holder, seed) in enumerate(zip(holders, seeds.all(), strict=True))
    ]
    return Custody(genesis_hash, access, batch, threshold, tuple(seats[:-2]), seats[-2], seats[-1]), seeds


def open_seat(custody: Custody, seat: Seat, key: Opener) -> bytes:
    """Return the seed of a seat of this custody; InvalidFile when the key is not its holder's."""
    seats = (*custody.custodians, custody.recovery, custody.vault)
    context = _context(custody.genesis_hash, custody.access, custody.batch, custody.threshold, len(custody.custodians))
    return unwrap(key, seat.wrapped, _info(context, seats.index(seat), seat))


def mask(seed: bytes, binding: Binding, group: int) -> bytes:
    """Return what a custodian answers for one group of one record: 32 bytes that unmask its share, and no other."""
    return hmac.digest(seed, FROM_SEED_MASK + binding.encode(group), "sha256")


def masks(seed: bytes, binding: Binding, group_count: int) -> bytes:
    """Return the masks of all groups of a record, one after the other."""
    label = FROM_SEED_MASK + binding.encode(0)[:-1]
    return b"".join([hmac.digest(seed, label + bytes((group,)), "sha256") for group in range(group_count)])


def opening_key(seed: bytes, binding: Binding) -> bytes:
    """Return the key under which the vault keeps a record's opening."""
    return hmac.digest(seed, FROM_SEED_OPENING + binding.encode(OPENING_GROUP), "sha256")


def masked(share: bytes, mask: bytes) -> bytes:
    """Return a share under its mask, or from under it.

    >>> masked(masked(b"share", b"masks"), b"masks")
    b'share'
    """
    return (int.from_bytes(share) ^ int.from_bytes(mask)).to_bytes(len(share))


def _context(genesis_hash: bytes, access: bytes, batch: bytes, threshold: int, count: int) -> bytes:
    """Return what all seeds of a custody are bound to."""
    if len(genesis_hash) != HASH_BYTES or len(batch) != HASH_BYTES or len(access) != ACCESS_BYTES:
        raise AttestationError(
            f"expected a genesis hash and a batch root of {HASH_BYTES} bytes and an address of {ACCESS_BYTES}"
        )
    return genesis_hash + access + batch + bytes((threshold, count))


def _info(context: bytes, place: int, holder: Holder | Seat) -> bytes:
    """Return to what one wrapped seed is bound, so that it opens as nothing else."""
    return WRAPPED_SEED + context + bytes((place,)) + holder.authority.to_bytes(4) + holder.keys_epoch.to_bytes(4)
