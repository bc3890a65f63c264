"""KZG proofs (EIP-4844), verified by c-kzg's own C function without its trusted setup.

ckzg's Python door wants the whole setup: 8,257 points, two seconds of a core in which no other thread of Python runs,
so that a node stood still after its start or its first point evaluation. A verification reads two of these points, the
second group's generator and its multiple by the ceremony's secret. The settings that the C function gets here hold
these two and nothing else; they are ready at once, and other threads run while it computes.

This module knows nothing of gas, nor of how a transaction names a commitment.
"""

import ctypes
from typing import Final

import ckzg  # type: ignore[import-not-found]

from cocket.node.errors import NodeFault

POINT_BYTES: Final = 48
"""A point of the first group, compressed: a commitment or a proof."""

FIELD_BYTES: Final = 32

FIELD: Final = 0x73EDA753_299D7D48_3339D808_09A1D805_53BDA402_FFFE5BFE_FFFFFFFF_00000001
"""The order of both groups: where evaluation points and values are from."""

SECRET_G2: Final = bytes.fromhex(
    "b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72"
    "185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2"
)
"""The second group's generator times the ceremony's secret, compressed."""

_SECRET_G1: Final = bytes.fromhex(
    "ad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81"
)
_GENERATOR_G1: Final = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)
_AFFINE_G2_BYTES: Final = 192  # blst_p2_affine
_G2_BYTES: Final = 288  # blst_p2
_SETTINGS_POINTERS: Final = 32  # KZGSettings has ten fields; whichever of them holds the second group's points
_BAD_ARGUMENTS: Final = 1  # C_KZG_BADARGS


class MalformedProof(Exception):
    """A commitment or proof that is no point of the group, or a number that is not below the field's order."""


class _Verifier:
    """The C function, and the settings that it gets."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(ckzg.__file__)
            self._verify = library.verify_kzg_proof
            generator, uncompress = library.blst_p2_generator, library.blst_p2_uncompress
            widen = library.blst_p2_from_affine
        except (OSError, AttributeError) as error:
            raise NodeFault(f"ckzg lacks a C function: install the version in setup.cfg ({error})") from error
        generator.restype = ctypes.c_void_p
        affine = ctypes.create_string_buffer(_AFFINE_G2_BYTES)
        self._points = ctypes.create_string_buffer(2 * _G2_BYTES)
        ctypes.memmove(self._points, ctypes.c_void_p(generator()), _G2_BYTES)
        if uncompress(affine, SECRET_G2):
            raise NodeFault("ckzg does not read a point of its own setup: install the version in setup.cfg")
        widen(ctypes.byref(self._points, _G2_BYTES), affine)
        self._settings = (ctypes.c_void_p * _SETTINGS_POINTERS)(*[ctypes.addressof(self._points)] * _SETTINGS_POINTERS)
        self._verify.argtypes = [ctypes.POINTER(ctypes.c_bool), *[ctypes.c_char_p] * 4, ctypes.c_void_p]

    def verify(self, commitment: bytes, point: bytes, value: bytes, proof: bytes) -> bool:
        is_proven = ctypes.c_bool(False)
        code = self._verify(ctypes.byref(is_proven), commitment, point, value, proof, self._settings)
        if code == _BAD_ARGUMENTS:
            raise MalformedProof
        if code:
            raise NodeFault(f"ckzg could not verify a proof: code {code}")
        return is_proven.value


_VERIFIER: Final = _Verifier()


def verify_proof(commitment: bytes, point: bytes, value: bytes, proof: bytes) -> bool:
    """Say whether the committed polynomial has a value (32 bytes, big-endian) at a point (likewise).

    :raises MalformedProof: one of the four is not what it should be.
    """
    if (len(commitment), len(point), len(value), len(proof)) != (POINT_BYTES, FIELD_BYTES, FIELD_BYTES, POINT_BYTES):
        raise MalformedProof
    return _VERIFIER.verify(commitment, point, value, proof)


def validate_backend() -> None:
    """Raise NodeFault unless a proof that holds is accepted, and one that does not is refused.

    The polynomial x has the secret itself as commitment, the value 5 at 5, and the quotient 1 as proof.
    """
    five, six = (number.to_bytes(FIELD_BYTES, "big") for number in (5, 6))
    if not verify_proof(_SECRET_G1, five, five, _GENERATOR_G1) or verify_proof(_SECRET_G1, five, six, _GENERATOR_G1):
        raise NodeFault("ckzg verifies proofs wrongly: install the version in setup.cfg")
