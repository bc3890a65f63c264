"""A reader, its requests, and receipts of them, for the tests here and of the vault."""

from dataclasses import replace
from hashlib import shake_256

from coincurve import PrivateKey as SigningKey

from cocket.attestation.merkle import keccak256
from cocket.attestation.reading.receipt import Receipt, encode_receipt, receipt_of
from cocket.attestation.reading.receipts import NO_ROOT, Period, root_of
from cocket.attestation.reading.request import ReadRequest, signing_hash
from cocket.attestation.sealing.hpke import PrivateKey, Suite

KEEPER = 2
READER_KEY = SigningKey(b"r" * 32)
READER = keccak256(READER_KEY.public_key.format(compressed=False)[1:])[12:]
FRESH_KEYS = {suite: PrivateKey(suite, b"f" * 32) for suite in Suite}
REQUEST = ReadRequest(
    chain_id=4711,
    genesis_hash=b"g" * 32,
    access=b"a" * 20,
    batch=b"b" * 32,
    index=5,
    count=1,
    groups=0b100101,
    purpose=3,
    vault=(1 << 32) + 7,
    block_hash=b"h" * 32,
    block_number=77,
    expires=1_800_000_300,
    nonce=b"n" * 32,
    fresh_key=FRESH_KEYS[Suite.P256].public,
)


def random_of(label: str, count: int) -> bytes:
    """Return bytes that are the same for the same label."""
    return shake_256(label.encode()).digest(count)


def sign(digest: bytes) -> bytes:
    """Return the reader's signature with v 27 or 28, as a wallet gives it."""
    signature = READER_KEY.sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes((signature[64] + 27,))


def receipt_number(number: int, keeper: int = KEEPER) -> Receipt:
    """Return the receipt of a number, each of a request of its own."""
    request = replace(REQUEST, nonce=random_of(f"nonce {number}", 32), index=number % 16)
    return receipt_of(
        request,
        sign(signing_hash(request)),
        number=number,
        keeper=keeper,
        time_s=1_800_000_000 + number,
        block_number=80 + number,
        party=4,
        decision=number % 3,
        salt=random_of(f"salt {number}", 16),
    )


def history_of(*counts: int) -> tuple[list[Period], dict[int, bytes]]:
    """Return periods with so many receipts each, and the roots as anchored."""
    periods: list[Period] = []
    anchored: dict[int, bytes] = {}
    first, previous = 0, NO_ROOT
    for sequence, count in enumerate(counts, 1):
        receipts = tuple(encode_receipt(receipt_number(first + at)) for at in range(count))
        periods.append(Period(KEEPER, sequence, first, previous, random_of(f"seed {sequence}", 32), receipts))
        first += count
        previous = anchored[sequence] = root_of(periods[-1])
    return periods, anchored
