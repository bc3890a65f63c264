"""Base 45: the examples of RFC 9285, and nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.base45 import decode_base45, encode_base45
from cocket.attestation.errors import InvalidFile

RFC_9285 = {b"AB": "BB8", b"Hello!!": "%69 VD92EX0", b"base-45": "UJCLQE7W581", b"ietf!": "QED8WEX0", b"": ""}


@pytest.mark.parametrize(("data", "text"), RFC_9285.items())
def test_the_examples_of_the_rfc(data, text):
    assert encode_base45(data) == text
    assert decode_base45(text) == data


@given(st.binary(max_size=200))
def test_bytes_come_back(data):
    assert decode_base45(encode_base45(data)) == data


@pytest.mark.parametrize("text", ["GGW", "::", "A", "ABCD", "abc", "BBÄ"])
def test_what_stands_for_no_bytes_is_refused(text):
    with pytest.raises(InvalidFile, match="base"):
        decode_base45(text)


@given(st.text(alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", max_size=30))
def test_a_text_is_the_only_one_of_its_bytes(text):
    try:
        data = decode_base45(text)
    except InvalidFile:
        return
    assert encode_base45(data) == text
