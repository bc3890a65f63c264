"""Answers: what a custodian gives a reader that may read: its masks of the groups asked for, wrapped to the fresh key.

Bound to the request and to the custodian, so an answer opens as nothing else and cannot be passed off as another's.
Whether a mask is true is found when it is combined (:func:`cocket.attestation.sealing.record.group_key`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import WRAPPED_MASKS
from cocket.attestation.reading.request import ReadRequest, groups_of, signing_hash
from cocket.attestation.sealing.hpke import PrivateKey, unwrap, wrap, wrap_bytes

MASK_BYTES = 32


def wrap_masks(request: ReadRequest, keeper: int, masks: Sequence[Mapping[int, bytes]]) -> bytes:
    """Return the masks of exactly the groups that a request asks for, by group and record, for its fresh key alone."""
    groups = groups_of(request.groups)
    for each in masks:
        if set(each) != set(groups) or any(len(mask) != MASK_BYTES for mask in each.values()):
            raise AttestationError(
                f"found masks of groups {sorted(each)}; expected {MASK_BYTES} bytes for each of {list(groups)}"
            )
    plaintext = b"".join([each[group] for each in masks for group in groups])
    return wrap(request.fresh_key, plaintext, _info(request, keeper))


def unwrap_masks(
    request: ReadRequest, keeper: int, key: PrivateKey, wrapped: bytes, record_count: int
) -> tuple[dict[int, bytes], ...]:
    """Return the masks in a custodian's answer by record and group, with the private part of the request's fresh key.

    :raises InvalidFile: it is no answer of this keeper to this request.
    """
    groups = groups_of(request.groups)
    size = MASK_BYTES * len(groups)
    expected = wrap_bytes(key.suite, size * record_count)
    if len(wrapped) != expected:
        what = f"{len(groups)} groups of {record_count} records"
        raise InvalidFile(f"an answer of {len(wrapped)} bytes; expected {expected} for {what}")
    plaintext = unwrap(key, wrapped, _info(request, keeper))
    return tuple(
        [
            {group: plaintext[start + MASK_BYTES * at :][:MASK_BYTES] for at, group in enumerate(groups)}
            for start in range(0, len(plaintext), size)
        ]
    )


def _info(request: ReadRequest, keeper: int) -> bytes:
    return WRAPPED_MASKS + signing_hash(request) + keeper.to_bytes(8)
