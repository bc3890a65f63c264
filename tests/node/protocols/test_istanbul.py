"""istanbul/100: four codes, and a size for each."""

import pytest

from cocket.node.errors import PeerError
from cocket.node.protocols.istanbul import CAPABILITY, PAYLOAD_BYTES_MAX, Code, parse_code


def test_capability_is_that_of_besu() -> None:
    assert CAPABILITY == ("istanbul", 100, 22)
    assert [int(code) for code in Code] == [0x12, 0x13, 0x14, 0x15]


@pytest.mark.parametrize("code", list(Code))
def test_each_code_passes_up_to_its_size(code: Code) -> None:
    payload = bytes(PAYLOAD_BYTES_MAX[code])
    assert parse_code(int(code), payload) is code
    with pytest.raises(PeerError, match="expected at most"):
        parse_code(int(code), payload + b"\x00")


@pytest.mark.parametrize("code", [0, 0x11, 0x16, 255])
def test_other_codes_are_refused(code: int) -> None:
    with pytest.raises(PeerError, match="expected 0x12 to 0x15"):
        parse_code(code, b"")
