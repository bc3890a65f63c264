"""Wraps: the vectors of RFC 9180 and of the drafts for the hybrid; others read what we write; all else is refused."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from attestation.sealing.receivers import ENCAPSULATION_BYTES, receive, xwing_decapsulate
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.sealing.hpke import (
    PUBLIC_KEY_BYTES,
    PrivateKey,
    PublicKey,
    Suite,
    decode_public_key,
    unwrap,
    wrap,
    wrap_bytes,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "hpke_ietf.json").read_text())
SECRET = bytes(range(32))
KEYS = {suite: PrivateKey(suite, b"\x07" * 32) for suite in Suite}
AES_256_GCM = 2


def octets(vector, name):
    return bytes.fromhex(vector[name])


@pytest.mark.parametrize("vector", VECTORS["base"], ids=lambda vector: vector["name"])
def test_published_keys_are_derived_and_published_messages_are_opened(vector):
    secret, encapsulated = octets(vector, "skRm"), octets(vector, "enc")
    assert PrivateKey(Suite(vector["kem"]), secret).public.encoded == octets(vector, "pkRm")
    message = [octets(vector, name) for name in ("ct", "info", "aad")]
    assert receive(vector["kem"], vector["aead"], secret, encapsulated, *message) == octets(vector, "pt")


@pytest.mark.parametrize("vector", VECTORS["xwing"], ids=lambda vector: vector["sk"][:8])
def test_published_keys_of_the_hybrid(vector):
    assert PrivateKey(Suite.HYBRID, octets(vector, "sk")).public.encoded == octets(vector, "pk")
    assert xwing_decapsulate(octets(vector, "sk"), octets(vector, "ct")) == octets(vector, "ss")


@pytest.mark.parametrize("suite", Suite)
def test_another_receiver_reads_what_we_wrap(suite):
    wrapped = wrap(KEYS[suite].public, SECRET, b"what it is for")
    assert len(wrapped) == wrap_bytes(suite, len(SECRET))
    end = ENCAPSULATION_BYTES[suite]
    args = (KEYS[suite].secret, wrapped[:end], wrapped[end:], b"what it is for", b"")
    assert receive(suite, AES_256_GCM, *args) == SECRET


def test_pyhpke_reads_what_we_wrap_and_we_what_it_does():
    suite = CipherSuite.new(KEMId.DHKEM_P256_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
    key = KEYS[Suite.P256]
    x, y = key.public.encoded[1:33], key.public.encoded[33:]
    numbers = {"kty": "EC", "crv": "P-256", "x": _base64url(x), "y": _base64url(y)}
    theirs = KEMKey.from_jwk({**numbers, "d": _base64url(key.secret)})
    wrapped = wrap(key.public, SECRET, b"info")
    assert suite.create_recipient_context(wrapped[:65], theirs, info=b"info").open(wrapped[65:]) == SECRET
    encapsulated, sender = suite.create_sender_context(KEMKey.from_jwk(numbers), info=b"info")
    assert unwrap(key, encapsulated + sender.seal(SECRET), b"info") == SECRET


def _base64url(data):
    return urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("suite", Suite)
def test_two_wraps_of_one_secret_are_not_alike(suite):
    assert wrap(KEYS[suite].public, SECRET, b"info") != wrap(KEYS[suite].public, SECRET, b"info")


@pytest.mark.parametrize("suite", Suite)
def test_a_wrap_opens_with_its_key_and_info_only(suite):
    wrapped = wrap(KEYS[suite].public, SECRET, b"info")
    assert unwrap(KEYS[suite], wrapped, b"info") == SECRET
    for key, found, info in [
        (PrivateKey(suite, b"\x08" * 32), wrapped, b"info"),
        (KEYS[suite], wrapped, b"another"),
        (KEYS[suite], wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"info"),
        (KEYS[suite], bytes([wrapped[0] ^ 1]) + wrapped[1:], b"info"),
        (KEYS[suite], wrapped[:-1], b"info"),
        (KEYS[suite], b"", b"info"),
    ]:
        with pytest.raises(InvalidFile, match="does not open"):
            unwrap(key, found, info)


@pytest.mark.parametrize("suite", Suite)
def test_a_public_key_reads_back(suite):
    public = KEYS[suite].public
    assert decode_public_key(suite.value, public.encoded) == public
    assert len(public.encoded) == PUBLIC_KEY_BYTES[suite]


@pytest.mark.parametrize(
    ("suite", "encoded", "why"),
    [
        (0x0020, bytes(32), "suite 0x0020"),
        (Suite.P256, b"\x04" + bytes(63), "64 bytes; expected 65"),
        (Suite.P256, b"\x04" + bytes(64), "no public key of P256"),
        (Suite.P256, KEYS[Suite.P256].public.encoded[:-1] + b"\0", "no public key of P256"),
        (Suite.HYBRID, bytes(1215), "1215 bytes; expected 1216"),
        (Suite.HYBRID, b"\xff" * 1216, "no public key of HYBRID"),
    ],
)
def test_what_is_no_public_key_is_refused(suite, encoded, why):
    with pytest.raises(InvalidFile, match=why):
        decode_public_key(suite, encoded)


def test_a_private_key_is_32_bytes_in_range_and_never_shown():
    for secret in (bytes(31), bytes(33)):
        with pytest.raises(AttestationError, match="expected 32"):
            _ = PrivateKey(Suite.HYBRID, secret).public
    for scalar in (bytes(32), b"\xff" * 32):
        with pytest.raises(AttestationError, match="no private key of P-256"):
            _ = PrivateKey(Suite.P256, scalar).public
    key = PrivateKey(Suite.P256, SECRET)
    assert repr(key) == "PrivateKey(P256)"
    assert wrap(PublicKey(Suite.P256, key.public.encoded), SECRET, b"")
