"""The commitment: golden bytes recomputed by a second, tiny implementation; order, padding, separation."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sha3 import keccak_256

from cocket.attestation import merkle
from cocket.attestation.batch import BatchBuilder, batch_leaf, batch_root, country_hash
from cocket.attestation.check import require
from cocket.attestation.commit import (
    commit,
    document_secret,
    group_hash_of,
    group_leaves,
    secrets_of,
)
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.disclose import fields_of
from cocket.attestation.errors import AttestationError
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/commitment_cocket.json").read_text())
SEED = bytes(range(32))


def h(role: int, body: bytes) -> bytes:
    return keccak_256(b"cocket\x01" + bytes([role]) + body).digest()


def xof(role: int, body: bytes, size: int) -> bytes:
    return hashlib.shake_256(b"cocket\x01" + bytes([role]) + body).digest(size)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def plain_root(secret: bytes, groups: list[dict[str, object]]) -> bytes:
    """The document root, from docs/formats.md alone."""
    seeds = xof(0x11, secret, 32 * len(groups) + 16)
    body = (1).to_bytes(2, "big") + bytes([len(groups)])
    for index, fields in enumerate(groups):
        size = 16
        while size < len(fields):
            size *= 2
        stream = xof(0x12, seeds[32 * index : 32 * index + 32], 16 * len(fields) + 32 * (size - len(fields)))
        leaves = []
        for pointer in sorted(fields):
            salt, stream = stream[:16], stream[16:]
            content = json.dumps([b64(salt), pointer, fields[pointer]], separators=(",", ":"), ensure_ascii=False)
            leaves.append(h(0x01, b64(content.encode()).encode()))
        leaves = sorted(leaves + [stream[at : at + 32] for at in range(0, len(stream), 32)])
        depth = 0
        while len(leaves) > 1:
            leaves = [h(0x02, leaves[at] + leaves[at + 1]) for at in range(0, len(leaves), 2)]
            depth += 1
        body += h(0x03, bytes([index, depth]) + leaves[0])
    return h(0x04, body)


@pytest.mark.parametrize("vector", VECTORS["documents"], ids=lambda vector: vector["name"])
def test_golden_documents_by_both_implementations(vector):
    secret = bytes.fromhex(vector["secret"])
    dialect = DIALECTS[vector["dialect"]]
    groups = fields_of(vector["document"], dialect.tree, len(dialect.kind.groups))
    assert [[pointer for pointer, _ in fields] for fields in groups] == vector["groups"]
    root = commit(dialect.kind, groups, secrets_of(secret, dialect.kind))
    assert root.hex() == vector["document_root"]
    assert plain_root(secret, [dict(fields) for fields in groups]).hex() == vector["document_root"]
    salt = secrets_of(secret, dialect.kind).country_salt
    assert salt == xof(0x11, secret, 32 * 6 + 16)[-16:]
    leaf = h(0x06, root + h(0x05, salt + vector["country"].encode()))
    assert leaf.hex() == vector["batch_leaf"] == batch_leaf(root, country_hash(salt, vector["country"])).hex()


def test_the_golden_batch_by_both_implementations():
    vector = VECTORS["batch"]
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves"]]
    builder = BatchBuilder(vector["kind"], bytes.fromhex(vector["seed"]), vector["issuer"])
    for leaf in leaves:
        builder.add(leaf)
    batch = builder.build()
    assert (batch.root.hex(), batch.top.hex(), batch.depth) == (vector["root"], vector["top"], vector["depth"])
    for position, (leaf, item) in enumerate(zip(leaves, vector["items"], strict=True)):
        assert batch.index_of(position) == item["index"]
        assert [sibling.hex() for sibling in batch.path_of(item["index"])] == item["path"]
        node, index = leaf, item["index"]
        for sibling in map(bytes.fromhex, item["path"]):
            node = h(0x07, sibling + node if index & 1 else node + sibling)
            index >>= 1
        assert node.hex() == vector["top"]
        body = bytes([vector["depth"]]) + vector["kind"].to_bytes(2, "big") + vector["issuer"].to_bytes(4, "big") + node
        assert h(0x08, body).hex() == vector["root"]


def test_the_golden_document_secret():
    vector = VECTORS["document_secret"]
    secret = document_secret(bytes.fromhex(vector["batch_secret"]), vector["position"])
    assert secret.hex() == vector["secret"]
    assert secret == xof(0x10, bytes.fromhex(vector["batch_secret"]) + vector["position"].to_bytes(4, "big"), 32)


def test_no_two_roles_share_a_domain():
    domains = [value for name, value in vars(merkle).items() if name.isupper() and isinstance(value, bytes)]
    domains.remove(b"cocket\x01") if b"cocket\x01" in domains else None
    assert len(domains) == len(set(domains)) > 20
    assert {len(domain) for domain in domains} == {8}


def test_order_of_names_and_spacing_do_not_change_the_root():
    document = VECTORS["documents"][0]["document"]
    turned = json.dumps(dict(reversed(document.items())), indent=3).encode()
    roots = set()
    for data in (turned, json.dumps(document).encode()):
        checked = require(data)
        roots.add(commit(checked.dialect.kind, checked.groups, secrets_of(SEED, checked.dialect.kind)))
    assert len(roots) == 1


FIELDS = st.dictionaries(st.text("ab/", min_size=1, max_size=5), st.text(max_size=5) | st.integers(-9, 9), max_size=20)


@given(FIELDS, st.binary(min_size=32, max_size=32))
def test_a_group_is_padded_and_sorted(fields, seed):
    group = group_leaves(seed, sorted(fields.items()))
    assert len(group.leaves) == (16 if len(fields) <= 16 else 32)
    assert list(group.leaves) == sorted(set(group.leaves))
    assert set(group.own) <= set(group.leaves)


@given(FIELDS, FIELDS)
def test_other_fields_give_another_group(one, other):
    hashes = [group_hash_of(SEED, 0, sorted(fields.items())) for fields in (one, other)]
    assert (hashes[0] == hashes[1]) == (repr(sorted(one.items())) == repr(sorted(other.items())))


def test_the_number_of_lines_does_not_show():
    # A path has the same length, and a hidden group the same size, from none to sixteen fields.
    for count in (0, 1, 15, 16):
        group = group_leaves(SEED, [(f"/{at:02}", at) for at in range(count)])
        assert group.depth == 4
        assert all(len(path) == 4 for _, path in group.places_of(range(count)))


def test_a_group_is_bound_to_its_place_and_a_document_to_its_kind():
    assert group_hash_of(SEED, 0, []) != group_hash_of(SEED, 1, [])
    with pytest.raises(AttestationError, match="6"):
        commit(CERTIFICATE_OF_ORIGIN, [[]] * 5, secrets_of(SEED, CERTIFICATE_OF_ORIGIN))


@pytest.mark.parametrize(("secret", "position"), [(b"x" * 31, 0), (SEED, -1), (SEED, 2**32)])
def test_secrets_of_the_wrong_shape_are_refused(secret, position):
    with pytest.raises(AttestationError):
        document_secret(secret, position)
    with pytest.raises(AttestationError):
        secrets_of(b"x" * 33, CERTIFICATE_OF_ORIGIN)


def test_each_secret_differs():
    secrets = secrets_of(SEED, CERTIFICATE_OF_ORIGIN)
    assert len({*secrets.group_seeds, document_secret(SEED, 0), document_secret(SEED, 1), SEED}) == 9
    assert batch_root(SEED, 0, (SEED,) * 4, 1, 1) != batch_root(SEED, 0, (SEED,) * 5, 1, 1)
    assert batch_root(SEED, 0, (SEED,) * 4, 1, 1) != batch_root(SEED, 0, (SEED,) * 4, 2, 1)
    assert batch_root(SEED, 0, (SEED,) * 4, 1, 1) == batch_root(SEED, 0, (SEED,) * 4, 1, 1)
    assert batch_root(SEED, 0, (SEED,) * 4, 1, 1) != batch_root(SEED, 0, (SEED,) * 4, 1, 2)
