"""Files of grants, delegations and orders: what is written is read, and nothing else is."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.cli.grant_file import FILE_BYTES_MAX, Delegated, Grant, Network, decode_opening, encode_opening
from cocket.contracts import access
from cocket.contracts.access import EVERY_INDEX, Delegation, OrderSignature, Scope, ScopeKind
from cocket.node.signer import KeySigner

NETWORK = Network(4711, b"g" * 32, access.ADDRESS)
FIRST, SECOND = KeySigner(b"\x01" * 32), KeySigner(b"\x02" * 32)
SCOPE = Scope(
    kind=ScopeKind.GRANT,
    controller=1,
    reader=access.participant_party(3),
    batch=b"b" * 32,
    index=5,
    kinds=frozenset(),
    anchored_from=0,
    anchored_to=0,
    groups=frozenset({0, 2, 3}),
    purposes=frozenset({1, 31}),
    daily_cap=100,
    reference=bytes(32),
    salt=b"s" * 16,
)
GRANT = Grant(NETWORK, SCOPE, 1_790_000_000, 1_800_000_000)
WIDE = replace(SCOPE, batch=bytes(32), index=0, kinds=frozenset({1, 63}), anchored_from=1, anchored_to=2)
DELEGATED = Delegated(
    NETWORK, Delegation(2, FIRST.address, frozenset({2}), frozenset({5}), b"o" * 16), 1_790_000_000, 1_800_000_000
)


def order(*officers: KeySigner) -> Grant:
    unsigned = replace(GRANT, scope=replace(SCOPE, kind=ScopeKind.ORDER, reference=b"r" * 32))
    digest = access.order_digest(unsigned.commitment)
    signatures = [
        OrderSignature(replace(DELEGATED.delegation, officer=each.address), each.sign_digest(digest))
        for each in officers
    ]
    return replace(unsigned, officers=tuple(signatures))


OPENINGS = {
    "grant": GRANT,
    "batch": replace(GRANT, scope=replace(SCOPE, index=EVERY_INDEX)),
    "wide": replace(GRANT, scope=WIDE),
    "engagement": replace(GRANT, scope=replace(WIDE, kind=ScopeKind.ENGAGEMENT, reference=b"e" * 32)),
    "delegation": DELEGATED,
    "unsigned order": order(),
    "order of one": order(FIRST),
    "order": order(FIRST, SECOND),
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_what_is_written_is_read(opening: Grant | Delegated) -> None:
    data = encode_opening(opening)
    assert decode_opening(data) == opening
    assert len(data) < FILE_BYTES_MAX


def test_the_largest_file_fits() -> None:
    everything = {"groups": frozenset(range(16)), "purposes": frozenset(range(1, 32))}
    grant = order(FIRST, SECOND)
    officers = tuple(replace(each, delegation=replace(each.delegation, **everything)) for each in grant.officers)
    assert len(encode_opening(replace(grant, scope=replace(WIDE, **everything), officers=officers))) < FILE_BYTES_MAX


def changed(opening: Grant | Delegated, path: str, value: object) -> bytes:
    document = json.loads(encode_opening(opening))
    *inside, last = [int(name) if name.isdigit() else name for name in path.split("/")]
    node = document
    for name in inside:
        node = node[name]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("grant", "format", "cocket-grant-2"),
        ("grant", "format", 1),
        ("grant", "format", "cocket-order-1"),
        ("grant", "chain_id", "4711"),
        ("grant", "access", "0x" + "AB" * 20),
        ("grant", "valid_to", 1_790_000_000),
        ("grant", "valid_to", 253_402_300_800),
        ("grant", "more", 1),
        ("grant", "scope", []),
        ("grant", "scope/kind", "order"),
        ("grant", "scope/kind", "none"),
        ("grant", "scope/controller", 0),
        ("grant", "scope/controller", 1 << 32),
        ("grant", "scope/reader", 0),
        ("grant", "scope/reader", 1 << 32),
        ("grant", "scope/index", 1 << 20),
        ("grant", "scope/index", -1),
        ("grant", "scope/kinds", [1]),
        ("grant", "scope/anchored_to", 5),
        ("grant", "scope/groups", []),
        ("grant", "scope/groups", [2, 0]),
        ("grant", "scope/groups", [2, 2]),
        ("grant", "scope/groups", [16]),
        ("grant", "scope/groups", [True]),
        ("grant", "scope/groups", list(range(17))),
        ("grant", "scope/groups", 7),
        ("grant", "scope/purposes", [0]),
        ("grant", "scope/purposes", [32]),
        ("grant", "scope/daily_cap", 1 << 32),
        ("grant", "scope/salt", "0x00"),
        ("grant", "scope/reference", None),
        ("grant", "officers", []),
        ("grant", "scope/batch", "0x" + "00" * 32),
        ("wide", "scope/batch", "0x" + "01" * 32),
        ("wide", "scope/index", 1),
        ("wide", "scope/kinds", []),
        ("wide", "scope/kinds", [64]),
        ("wide", "scope/anchored_from", 2),
        ("delegation", "delegation/authority", 0),
        ("delegation", "delegation/authority", 256),
        ("delegation", "delegation/officer", "0x"),
        ("delegation", "scope", {}),
        ("order", "scope/kind", "grant"),
        ("order", "officers", {}),
        ("order", "officers/0/signature", "0x" + "00" * 65),
        ("order", "scope/reference", "0x" + "11" * 32),
        ("order", "scope/groups", [1]),
    ],
)
def test_what_was_changed_is_refused(name: str, path: str, value: object) -> None:
    with pytest.raises(InvalidFile):
        decode_opening(changed(OPENINGS[name], path, value))


def test_officers_sign_once_each_and_for_themselves() -> None:
    signed = order(FIRST, SECOND)
    first, second = signed.officers
    for officers in ((first, first), (replace(first, delegation=second.delegation), second), (first, second, first)):
        with pytest.raises(InvalidFile):
            decode_opening(encode_opening(replace(signed, officers=officers)))


def test_the_bound_of_a_file() -> None:
    with pytest.raises(InvalidFile, match="at most 16384 bytes"):
        decode_opening(encode_opening(GRANT) + b" " * FILE_BYTES_MAX)


@given(st.sampled_from(list(OPENINGS.values())), st.data())
def test_a_flipped_byte_is_refused_or_opens_another_hash(opening: Grant | Delegated, draw: st.DataObject) -> None:
    data = bytearray(encode_opening(opening))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    try:
        found = decode_opening(bytes(data))
    except InvalidFile:
        return
    assert (terms(found) == terms(opening)) == (found.commitment == opening.commitment)


def terms(opening: Grant | Delegated) -> tuple[object, ...]:
    network = opening.network
    return network.chain_id, network.access, opening.scope if isinstance(opening, Grant) else opening.delegation


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_file(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        decode_opening(data)
