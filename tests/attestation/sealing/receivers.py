"""A receiver of HPKE of its own, from RFC 9180 and the X-Wing draft, to read what the package writes."""

from hashlib import sha3_256, shake_256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CIPHERS = {1: (AESGCM, 16), 2: (AESGCM, 32), 3: (ChaCha20Poly1305, 32)}
ENCAPSULATION_BYTES = {0x0010: 65, 0x647A: 1120}


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    mac = HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + ikm)
    return mac.finalize()


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), length, labeled).derive(prk)


def xwing_decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    expanded = shake_256(seed).digest(96)
    own = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    kyber = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(ciphertext[:1088])
    theirs = ciphertext[1088:]
    agreed = own.exchange(x25519.X25519PublicKey.from_public_bytes(theirs))
    return sha3_256(kyber + agreed + theirs + own.public_key().public_bytes_raw() + rb"\.//^\ "[:-1]).digest()


def p256_decapsulate(scalar: bytes, encapsulated: bytes) -> bytes:
    private = ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encapsulated)
    own = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    suite = b"KEM" + (0x0010).to_bytes(2)
    prk = _extract(suite, b"", b"eae_prk", private.exchange(ec.ECDH(), public))
    return _expand(suite, prk, b"shared_secret", encapsulated + own, 32)


def receive(
    kem: int, aead: int, secret: bytes, encapsulated: bytes, ciphertext: bytes, info: bytes, aad: bytes
) -> bytes:
    """Open one message in base mode, with HKDF-SHA256."""
    shared = (p256_decapsulate if kem == 0x0010 else xwing_decapsulate)(secret, encapsulated)
    suite = b"HPKE" + kem.to_bytes(2) + (1).to_bytes(2) + aead.to_bytes(2)
    context = b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    prk = _extract(suite, shared, b"secret", b"")
    cipher, key_bytes = CIPHERS[aead]
    key = _expand(suite, prk, b"key", context, key_bytes)
    return cipher(key).decrypt(_expand(suite, prk, b"base_nonce", context, 12), ciphertext, aad)
