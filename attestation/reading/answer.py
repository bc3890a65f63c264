"""Answers: what a custodian gives a reader that may read: its masks of the groups asked for, wrapped to the fresh key.

Bound to the request and to the custodian, so an answer opens as nothing else and cannot be passed off as another's.
Whether a mask is true is found when it is combined (:func:`cocket.attestation.sealing.record.group_key`).
"""

from __future__ import annotations

from collections.abc import Mapping

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import WRAPPED_MASKS
from cocket.attestation.reading.request import ReadRequest, groups_of, signing_hash
from cocket.attestation.sealing.hpke import PrivateKey, unwrap, wrap, wrap_bytes

MASK_BYTES = 32


def wrap_masks(request: ReadRequest, keeper: int, masks: Mapping[int, bytes]) -> bytes:
    """Return the masks of exactly the groups that a request asks for, by group, encrypted to its fresh key."""
    groups = groups_of(request.groups)
    if set(masks) != set(groups) or any(len(mask) != MASK_BYTES for mask in masks.values()):
        raise AttestationError(
            f"found masks of groups {sorted(masks)}; expected {MASK_BYTES} bytes for each of {list(groups)}"
        )
    plaintext = b"".join([masks[group] for group in groups])
    return wrap(request.fresh_key, plaintext, _info(request, keeper))


def unwrap_masks(request: ReadRequest, keeper: int, key: PrivateKey, wrapped: bytes) -> dict[int, bytes]:
    """Return the masks in a custodian's answer by group, with the private part of the request's fresh key.

    :raises InvalidFile: it is no answer of this keeper to this request.
    """
    groups = groups_of(request.groups)
    expected = wrap_bytes(key.suite, MASK_BYTES * len(groups))
    if len(wrapped) != expected:
        raise InvalidFile(f"an answer of {len(wrapped)} bytes; expected {expected} for {len(groups)} groups")
    plaintext = unwrap(key, wrapped, _info(request, keeper))
    return {group: plaintext[MASK_BYTES * at :][:MASK_BYTES] for at, group in enumerate(groups)}


def _info(request: ReadRequest, keeper: int) -> bytes:
    return WRAPPED_MASKS + signing_hash(request) + keeper.to_bytes(8)
