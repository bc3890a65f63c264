"""An authority's record: its country, keys and endpoints, and by each signing key a signature over all of them.

A record leaves the authority; the private keys do not.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec
from coincurve import PrivateKey, PublicKey

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing import hpke
from cocket.genesis.canonical import decode_strict, digest_of, encode_canonical, parse_hex
from cocket.genesis.errors import InvalidRecord
from cocket.genesis.parameters import Parameters
from cocket.node.chain.hashing import keccak256

ENDPOINT_BYTES_MAX = 64  # the bound in Consortium


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What is signed: addresses and keys as ``0x`` hex, the endpoint as ``host:port``."""

    country: str
    admin: str
    validator: str
    node_id: str
    endpoint: str
    encryption_suite: int
    encryption_key: str
    seal_certificate_hash: str
    parameters: str


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A body and its three signatures (r || s || recovery id, 65 bytes as ``0x`` hex)."""

    body: Body
    admin_signature: str
    validator_signature: str
    node_signature: str


@dataclass(frozen=True, slots=True)
class Founder:
    """A record's contents: addresses of 20 bytes, node id of 64, certificate hash of 32, encryption key decoded."""

    country: str
    admin: bytes
    validator: bytes
    node_id: bytes
    endpoint: str
    encryption_key: hpke.PublicKey
    seal_certificate_hash: bytes


class DigestSigner(Protocol):
    """Signs 32 bytes; a key in memory or an HSM."""

    @property
    def address(self) -> bytes:
        """The 20 bytes that signatures recover to."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r || s || recovery id."""


def make_record(
    parameters: Parameters,
    country: str,
    *,
    admin: DigestSigner,
    validator: DigestSigner,
    node_key: bytes,
    endpoint: str,
    encryption_key: hpke.PublicKey,
    seal_certificate_hash: bytes = bytes(32),
) -> Record:
    """Return the signed record of one authority.

    ``node_key`` is the RLPx private key (32 bytes), ``encryption_key`` what others seal to for its custodian.

    :raises InvalidRecord: the country does not take part, or a part is malformed.
    """
    node = PrivateKey(node_key)
    body = Body(
        country=country,
        admin=_hex(admin.address),
        validator=_hex(validator.address),
        node_id=_hex(node.public_key.format(compressed=False)[1:]),
        endpoint=endpoint,
        encryption_suite=encryption_key.suite.value,
        encryption_key=_hex(encryption_key.encoded),
        seal_certificate_hash=_hex(seal_certificate_hash),
        parameters=_hex(parameters.digest()),
    )
    digest = _digest(body)
    record = Record(
        body=body,
        admin_signature=_hex(admin.sign_digest(digest)),
        validator_signature=_hex(validator.sign_digest(digest)),
        node_signature=_hex(node.sign_recoverable(digest, hasher=None)),
    )
    verify_record(record, parameters)
    return record


def verify_record(record: Record, parameters: Parameters) -> Founder:
    """Return what a record says, once its three signatures hold for these parameters.

    :raises InvalidRecord: malformed, for other parameters, or signed by another key.
    """
    body = record.body
    what = _name_of(body)
    if body.country not in parameters.countries:
        raise InvalidRecord(f"{what}: not among the countries of the parameters ({', '.join(parameters.countries)})")
    if body.parameters != _hex(parameters.digest()):
        raise InvalidRecord(
            f"{what}: signed for parameters {body.parameters[:18]}...; these are {_hex(parameters.digest())[:18]}..."
        )
    return verify_signatures(record)


def verify_signatures(record: Record) -> Founder:
    """Return what a record says, once its three signatures hold, whatever the parameters: for a later admission.

    :raises InvalidRecord: malformed, or signed by another key.
    """
    body = record.body
    what = _name_of(body)
    _validate_endpoint(body.endpoint, what)
    founder = Founder(
        country=body.country,
        admin=parse_hex(body.admin, 20, f"{what}: admin"),
        validator=parse_hex(body.validator, 20, f"{what}: validator"),
        node_id=parse_hex(body.node_id, 64, f"{what}: nodeId"),
        endpoint=body.endpoint,
        encryption_key=_encryption_key(body, what),
        seal_certificate_hash=parse_hex(body.seal_certificate_hash, 32, f"{what}: sealCertificateHash"),
    )
    digest = _digest(body)
    for name, signature, expected in (
        ("admin", record.admin_signature, founder.admin),
        ("validator", record.validator_signature, founder.validator),
        ("node", record.node_signature, _address(founder.node_id)),
    ):
        signer = recover_signer(digest, signature, f"{what}: {name}Signature")
        if signer != expected:
            raise InvalidRecord(f"{what}: {name}Signature is by 0x{signer.hex()}, expected by 0x{expected.hex()}")
    return founder


def recover_signer(digest: bytes, signature: str, what: str) -> bytes:
    """Return the address that signed a digest.

    :raises InvalidRecord: not 65 bytes of hex or not a signature.
    """
    raw = parse_hex(signature, 65, what)
    try:
        key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as error:  # coincurve raises bare Exception and ValueError alike
        raise InvalidRecord(f"{what}: not a signature") from error
    return _address(key.format(compressed=False)[1:])


def encode_record(record: Record) -> bytes:
    """Return the canonical bytes of a record file."""
    return encode_canonical(record)


def decode_record(data: bytes, what: str = "record") -> Record:
    """Read a record file; ``verify_record`` still has to judge it.

    :raises InvalidRecord: malformed.
    """
    return decode_strict(data, Record, what)


def _encryption_key(body: Body, what: str) -> hpke.PublicKey:
    suite = next((suite for suite in hpke.Suite if suite == body.encryption_suite), None)
    if suite is None:
        known = ", ".join(f"{each:#06x} ({each.name})" for each in hpke.Suite)
        raise InvalidRecord(f"{what}: encryptionSuite {body.encryption_suite:#06x}; expected one of {known}")
    encoded = parse_hex(body.encryption_key, hpke.PUBLIC_KEY_BYTES[suite], f"{what}: encryptionKey")
    try:
        return hpke.decode_public_key(suite, encoded)
    except InvalidFile as error:
        raise InvalidRecord(f"{what}: encryptionKey: {error}") from None


def _validate_endpoint(endpoint: str, what: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if (
        not host
        or not endpoint.isascii()
        or len(endpoint) > ENDPOINT_BYTES_MAX
        or not port.isdigit()
        or not 0 < int(port) < 65536
    ):
        raise InvalidRecord(
            f"{what}: endpoint {endpoint[:80]!r}; expected host:port of at most {ENDPOINT_BYTES_MAX} characters"
        )
    if any(not "!" <= character <= "~" or character in "/@?#" for character in host):
        raise InvalidRecord(f"{what}: endpoint {endpoint[:80]!r} is not host:port")


def _name_of(body: Body) -> str:
    return f"record of {body.country[:2]!r}"


def _digest(body: Body) -> bytes:
    return digest_of("record", encode_canonical(body))


def _address(public_key: bytes) -> bytes:
    return keccak256(public_key)[12:]


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
