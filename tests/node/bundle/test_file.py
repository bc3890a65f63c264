"""The encoding of bundles: one for each, and nothing but InvalidBundle on any other bytes."""

from dataclasses import replace

import pytest
from bundles.networks import Story
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.bundle.errors import InvalidBundle
from cocket.node.bundle.file import (
    BUNDLE_BYTES_MAX,
    CHANGES_MAX,
    MAGIC,
    Bundle,
    Founding,
    decode_bundle,
    encode_bundle,
    is_bundle,
)
from cocket.node.chain.rlp_codec import decode, encode


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Story().bundle()


def test_what_is_written_is_read_and_nothing_else(bundle: Bundle) -> None:
    data = encode_bundle(bundle)
    assert is_bundle(data)
    assert decode_bundle(data) == bundle
    assert encode_bundle(decode_bundle(data)) == data
    for other in (data + b"\0", data[:-1], data[1:], data[: len(MAGIC)], b"", data.replace(b"bundle-1", b"bundle-2")):
        with pytest.raises(InvalidBundle):
            decode_bundle(other)


def test_a_bundle_from_a_checkpoint_is_written_with_its_hash(bundle: Bundle) -> None:
    from_checkpoint = replace(bundle, start=bytes(range(32)))
    assert decode_bundle(encode_bundle(from_checkpoint)) == from_checkpoint
    with pytest.raises(InvalidBundle, match="start: found 31 bytes, expected 32"):
        decode_bundle(encode_bundle(replace(bundle, start=bytes(31))))


def test_only_the_canonical_presentation_of_an_anchored_certificate_is_taken(bundle: Bundle) -> None:
    with pytest.raises(InvalidBundle, match="found no anchor"):
        decode_bundle(encode_bundle(replace(bundle, presentation=replace(bundle.presentation, anchor=None))))
    parts = decode(encode_bundle(bundle)[len(MAGIC) :])
    assert isinstance(parts, list)
    text = parts[0]
    assert isinstance(text, bytes)
    for other, said in (
        (text.replace(b'{"anchor"', b'{ "anchor"'), "canonical"),
        (text + b"\n", "canonical"),
        (b"{}", "presentation"),
        (b"", "presentation"),
    ):
        with pytest.raises(InvalidBundle, match=said):
            decode_bundle(MAGIC + encode([other, *parts[1:]]))


def test_sets_and_users_are_ascending_and_everything_has_a_bound(bundle: Bundle) -> None:
    change, head, start = bundle.changes[0], bundle.head, bundle.start
    assert isinstance(start, Founding)
    wrong = {
        "validators": replace(bundle, changes=(replace(change, validators=change.validators[::-1]),)),
        "validators: found none": replace(bundle, changes=(replace(change, validators=()),)),
        "validators: found 65": replace(bundle, start=replace(start, validators=(bytes(20),) * 65)),
        "validator: found 21 bytes": replace(bundle, start=replace(start, validators=(bytes(21),))),
        "users: found another": replace(bundle, head=replace(head, users=head.users[::-1])),
        "user: found": replace(bundle, head=replace(head, users=(256,))),
        "found a node of|proof node: found 601": replace(bundle, head=replace(head, nodes=(bytes(601),))),
        "proof node: found 0": replace(bundle, head=replace(head, nodes=(b"",))),
        "configuration: found": replace(bundle, start=replace(start, configuration=bytes(20_000))),
        f"changes: found {CHANGES_MAX + 1}": replace(bundle, changes=(replace(change, nodes=()),) * (CHANGES_MAX + 1)),
    }
    for said, changed in wrong.items():
        with pytest.raises(InvalidBundle, match=said):
            decode_bundle(encode_bundle(changed))
    with pytest.raises(InvalidBundle, match="expected at most"):
        decode_bundle(MAGIC + bytes(BUNDLE_BYTES_MAX))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_bundle_or_invalid(data: bytes) -> None:
    with pytest.raises(InvalidBundle):
        decode_bundle(MAGIC + data)
