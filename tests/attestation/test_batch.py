"""Batches: every path leads to the root, nothing else does; shuffled, padded, deterministic, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.batch import BatchBuilder, batch_leaf, batch_root, country_hash
from cocket.attestation.errors import InvalidBatch

SEED = bytes(range(32))


def leaf(number: int) -> bytes:
    return number.to_bytes(32, "big")


def built(count: int, seed: bytes = SEED, kind: int = 1, issuer: int = 7):
    builder = BatchBuilder(kind, seed, issuer)
    builder.extend(b"".join(leaf(number) for number in range(count)))
    return builder.build()


@pytest.mark.parametrize(("count", "depth"), [(1, 4), (16, 4), (17, 5), (32, 5), (33, 6), (1000, 10)])
def test_every_document_is_proven_and_at_its_own_index(count, depth):
    batch = built(count)
    assert (batch.depth, batch.count) == (depth, count)
    indices = [batch.index_of(position) for position in range(count)]
    assert len(set(indices)) == count
    assert max(indices) < 1 << depth
    for position, index in enumerate(indices):
        assert batch.leaf_at(index) == leaf(position)
        assert batch_root(leaf(position), index, batch.path_of(index), 1, 7) == batch.root


@given(st.integers(1, 40), st.data())
def test_no_other_leaf_index_path_kind_or_issuer_reaches_the_root(count, data):
    batch = built(count)
    position = data.draw(st.integers(0, count - 1))
    index = batch.index_of(position)
    path = batch.path_of(index)
    at, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
    bent = bytearray(path[at])
    bent[bit // 8] ^= 1 << bit % 8
    assert batch_root(leaf(position), index, (*path[:at], bytes(bent), *path[at + 1 :]), 1, 7) != batch.root
    assert batch_root(leaf(position + count), index, path, 1, 7) != batch.root
    assert batch_root(leaf(position), index ^ 1 << at, path, 1, 7) != batch.root
    assert batch_root(leaf(position), index, path, 2, 7) != batch.root
    assert batch_root(leaf(position), index, path[:-1], 1, 7) != batch.root
    assert batch_root(leaf(position), index, path, 1, 8) != batch.root


def test_same_leaves_and_seed_give_the_same_batch_and_another_seed_another_order():
    first, again, other = built(100), built(100), built(100, seed=bytes(32))
    assert first.root == again.root
    orders = [[batch.index_of(position) for position in range(100)] for batch in (first, again, other)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_the_same_tree_of_another_issuer_is_another_batch():
    one, other, last = built(20), built(20, issuer=8), built(20, issuer=(1 << 32) - 1)
    assert one.top == other.top == last.top
    assert len({one.root, other.root, last.root}) == 3
    assert (one.issuer, other.issuer) == (7, 8)


def test_the_order_is_evenly_shuffled():
    # Where the first of sixteen documents lands, over 1,600 seeds: 100 expected a place, chi-squared far below 50.
    counts = [0] * 16
    for number in range(1600):
        counts[built(16, seed=leaf(number)).index_of(0)] += 1
    assert sum((count - 100) ** 2 / 100 for count in counts) < 50


def test_padding_looks_like_leaves_and_depends_on_the_seed():
    padded = [{built(3, seed).leaf_at(index) for index in range(16)} for seed in (SEED, bytes(32))]
    own = {leaf(number) for number in range(3)}
    assert padded[0] & padded[1] == own
    assert all(len(leaves) == 16 for leaves in padded)


def test_a_builder_goes_on_after_building():
    builder = BatchBuilder(1, SEED, 7)
    assert builder.add(leaf(0)) == 0
    builder.build()
    assert builder.add(leaf(1)) == 1
    assert len(builder) == 2
    assert builder.build().root == built(2).root


def test_refused():
    with pytest.raises(InvalidBatch, match="no document"):
        BatchBuilder(1, SEED, 7).build()
    with pytest.raises(InvalidBatch, match="33"):
        BatchBuilder(1, SEED, 7).add(bytes(33))
    with pytest.raises(InvalidBatch):
        BatchBuilder(1, SEED, 7).extend(bytes(31))
    with pytest.raises(InvalidBatch):
        BatchBuilder(1, SEED, 7).extend(bytes(32 * ((1 << 20) + 1)))
    with pytest.raises(InvalidBatch):
        BatchBuilder(1, b"short", 7)
    with pytest.raises(InvalidBatch):
        BatchBuilder(0, SEED, 7)
    for issuer in (0, -1, 1 << 32):
        with pytest.raises(InvalidBatch, match=f"issuer {issuer};"):
            BatchBuilder(1, SEED, issuer)
    with pytest.raises(InvalidBatch):
        built(3).index_of(3)
    with pytest.raises(InvalidBatch):
        built(3).path_of(16)


@pytest.mark.parametrize("country", ["", "K", "KEN", "ke", "Ké", "1A"])
def test_what_is_no_country_code_is_refused(country):
    with pytest.raises(InvalidBatch):
        country_hash(bytes(16), country)


def test_a_leaf_binds_document_and_country():
    hashes = {country_hash(salt, country) for salt in (bytes(16), SEED[:16]) for country in ("KE", "SG")}
    assert len(hashes) == 4
    assert len({batch_leaf(root, country) for root in (SEED, bytes(32)) for country in hashes}) == 8
