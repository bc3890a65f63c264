"""Signatures in the form of wallets: r, s and v 27 or 28, as requests and manifests carry them."""

from collections.abc import Callable

from coincurve import PrivateKey

_V_MIN = 27


def wallet_of(key: bytes) -> Callable[[bytes], bytes]:
    """Return what signs a hash of 32 bytes with a key, in 65 bytes."""
    private = PrivateKey(key)

    def sign(digest: bytes) -> bytes:
        signature = private.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((_V_MIN + signature[64],))

    return sign
