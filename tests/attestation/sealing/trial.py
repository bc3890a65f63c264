"""A certificate anchored in a batch of its own, and custodies of that batch, for the tests here."""

from hashlib import shake_256

from cocket.attestation.batch import BatchBuilder, batch_leaf, country_hash
from cocket.attestation.check import require
from cocket.attestation.codes import EXAMPLES, load_example
from cocket.attestation.commit import commit, secrets_of
from cocket.attestation.prove import Anchor, Certificate, certificate_of
from cocket.attestation.sealing.custody import Custody, Holder, Seeds, draw, seed_bytes
from cocket.attestation.sealing.hpke import PrivateKey, Suite

GENESIS_HASH = b"g" * 32
ACCESS = b"a" * 20
CHAIN_ID = 4711


def random_of(label: str, count: int) -> bytes:
    """Return bytes that are the same for the same label."""
    return shake_256(label.encode()).digest(count)


def anchored(name: str = EXAMPLES[1], country: str = "SG", secret: bytes = bytes(range(32))) -> Certificate:
    checked = require(load_example(name))
    secrets = secrets_of(secret, checked.dialect.kind)
    root = commit(checked.dialect.kind, checked.groups, secrets)
    builder = BatchBuilder(1, secret, 7)
    position = builder.add(batch_leaf(root, country_hash(secrets.country_salt, country)))
    batch = builder.build()
    index = batch.index_of(position)
    anchor = Anchor(CHAIN_ID, GENESIS_HASH, b"c" * 20, 7, batch.root, index, batch.path_of(index))
    return certificate_of(checked, secret, country).anchored(anchor)


CERTIFICATE = anchored()
KEYS = tuple(PrivateKey(Suite.HYBRID if at % 2 else Suite.P256, random_of(f"key {at}", 32)) for at in range(1, 8))
RECOVERY_KEY = PrivateKey(Suite.HYBRID, random_of("recovery", 32))
VAULT_KEY = PrivateKey(Suite.HYBRID, random_of("vault", 32))


def custody_of(
    threshold: int, count: int, batch: bytes = CERTIFICATE.anchor.batch, label: str = "seeds"
) -> tuple[Custody, Seeds]:
    """Return a custody with the authorities number 1 to ``count``, of which each has the key of its number."""
    holders = [Holder(number, 3, KEYS[number - 1].public) for number in range(1, count + 1)]
    randomness = random_of(label, seed_bytes(count))
    return draw(GENESIS_HASH, ACCESS, batch, threshold, holders, RECOVERY_KEY.public, VAULT_KEY.public, randomness)
