"""Keys of seals and holders at rest: P-256 in PEM, as certificate authorities' and other software makes them.

Only PKCS #8 under a passphrase is opened. One is made by
``openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -out seal.pem``.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cocket.attestation.sdjwt.p256 import PrivateKey
from cocket.node.errors import NodeFault, Refused

PEM_BYTES_MAX = 1 << 14  # an encrypted P-256 key has 400 bytes
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def load_pem_key(path: Path, passphrase: str) -> PrivateKey:
    """Decrypt a key file.

    :raises NodeFault: the file is missing, or no P-256 key's.
    :raises Refused: it is not encrypted, or the passphrase does not open it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(PEM_BYTES_MAX + 1)
    except FileNotFoundError:
        raise NodeFault(f"{path}: no such key file") from None
    if len(data) > PEM_BYTES_MAX:
        raise NodeFault(f"{path}: larger than {PEM_BYTES_MAX} bytes, so not a key file")
    if _ENCRYPTED not in data:
        if b"PRIVATE KEY-----" in data:
            raise Refused(
                f"{path}: not under a passphrase (PKCS #8); openssl pkcs8 -topk8 -v2 aes-256-cbc -in {path} -out NEW"
            )
        raise NodeFault(f"{path}: expected a P-256 private key in PEM (BEGIN ENCRYPTED PRIVATE KEY)")
    try:
        key = load_pem_private_key(data, passphrase.encode("utf-8", "surrogateescape"))
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(f"{path}: the passphrase does not open this key, or the file is damaged") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NodeFault(f"{path}: a key of another kind; expected P-256 (secp256r1), which ES256 signs with")
    return PrivateKey(key)
