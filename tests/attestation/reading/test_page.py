"""Pages: the root tells nobody which records, shows each one alone, and no other list leads to it."""

import pytest
from attestation.reading.trial import random_of
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.page import Page, decode_page, encode_page, record_path, records_root, root_by

BATCH, SALT = random_of("batch", 32), random_of("salt", 16)
PAGE = Page(BATCH, SALT, (3, 5, 8))
PLACES = st.sets(st.integers(0, (1 << 20) - 1), min_size=1, max_size=64).map(lambda found: tuple(sorted(found)))


@given(PLACES)
def test_a_page_reads_back_and_shows_each_record_alone(indices):
    page = Page(BATCH, SALT, indices)
    assert decode_page(encode_page(page)) == page
    root = records_root(page)
    for place, index in ((0, indices[0]), (len(indices) - 1, indices[-1])):
        path = record_path(page, place)
        assert root_by(BATCH, SALT, index, place=place, count=len(indices), path=path) == root


def test_no_other_list_has_the_root():
    root = records_root(PAGE)
    others = [
        Page(BATCH, SALT, (3, 5)),
        Page(BATCH, SALT, (3, 5, 9)),
        Page(BATCH, SALT, (3, 5, 8, 9)),
        Page(BATCH, bytes(16), (3, 5, 8)),
        Page(bytes(32), SALT, (3, 5, 8)),
    ]
    assert all(records_root(other) != root for other in others)


def test_a_record_that_was_not_given_is_not_shown():
    root, path = records_root(PAGE), record_path(PAGE, 1)
    assert root_by(BATCH, SALT, 6, place=1, count=3, path=path) != root
    assert root_by(BATCH, SALT, 5, place=1, count=4, path=path) != root
    for place, count, length in ((3, 3, 6), (1, 65, 6), (1, 3, 5), (-1, 3, 6)):
        with pytest.raises(InvalidFile, match="which no page has"):
            root_by(BATCH, SALT, 5, place=place, count=count, path=path[:length])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "cocket-page-records-2"}, "expected cocket-page-records-1"),
        ({"batch": "0x00"}, "hexadecimal digits"),
        ({"salt": "0x00"}, "hexadecimal digits"),
        ({"indices": []}, "each once and in order"),
        ({"indices": [3, 3]}, "each once and in order"),
        ({"indices": [5, 3]}, "each once and in order"),
        ({"indices": [1 << 20]}, "expected an index below"),
        ({"indices": [True]}, "expected an index below"),
        ({"indices": list(range(65))}, "an array of at most 64"),
        ({"more": 1}, "expected an object of"),
    ],
)
def test_another_file_is_refused(changes, why):
    members = {"format": "cocket-page-records-1", "batch": "0x" + BATCH.hex(), "salt": "0x" + SALT.hex()}
    with pytest.raises(InvalidFile, match=why):
        decode_page(encode_json(members | {"indices": [3, 5]} | changes))
    assert decode_page(encode_json(members | {"indices": [3, 5]})) == Page(BATCH, SALT, (3, 5))


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_else(data):
    with pytest.raises(InvalidFile):
        decode_page(data)
