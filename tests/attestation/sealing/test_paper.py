"""Paper: a recovery key written in parts and typed in again; a slip of the pen is found before it does harm."""

from itertools import combinations

import pytest
from attestation.sealing.trial import RECOVERY_KEY, random_of
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing.hpke import PrivateKey, Suite, unwrap, wrap
from cocket.attestation.sealing.paper import (
    decode_paper_share,
    encode_paper_share,
    paper_bytes,
    paper_shares,
    restore,
)

PARTS = paper_shares(RECOVERY_KEY, 2, 3, random_of("paper", paper_bytes(2)))
LINES = [encode_paper_share(part) for part in PARTS]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def test_any_two_of_three_lines_give_the_key_back_and_it_opens_what_was_wrapped():
    wrapped = wrap(RECOVERY_KEY.public, b"a seed", b"info")
    for pair in [*combinations(LINES, 2), tuple(LINES)]:
        key = restore(decode_paper_share(line) for line in pair)
        assert key == RECOVERY_KEY
        assert unwrap(key, wrapped, b"info") == b"a seed"


def test_one_line_or_the_same_twice_is_too_few():
    for few in (PARTS[:1], [PARTS[0], PARTS[0]]):
        with pytest.raises(InvalidFile, match="found 1 parts; expected 2"):
            restore(few)
    with pytest.raises(InvalidFile, match="parts of 0 keys"):
        restore([])


def test_parts_of_two_keys_are_not_mixed_and_a_false_part_is_found():
    other = PrivateKey(Suite.P256, random_of("another", 32))
    theirs = paper_shares(other, 2, 3, random_of("paper", paper_bytes(2)))
    assert restore(theirs[1:]) == other
    with pytest.raises(InvalidFile, match="of 2 keys"):
        restore([PARTS[0], theirs[1]])
    false = paper_shares(PrivateKey(Suite.HYBRID, b"f" * 32), 2, 3, random_of("paper", paper_bytes(2)))[1]
    object.__setattr__(false, "fingerprint", PARTS[0].fingerprint)
    with pytest.raises(InvalidFile, match="one of them is false"):
        restore([PARTS[0], false])


def test_a_line_reads_back_in_any_spacing_and_case():
    for part, line in zip(PARTS, LINES, strict=True):
        assert decode_paper_share(line) == part
        assert decode_paper_share(f"  {line.lower()}\n".replace(" ", "   ", 3)) == part
        assert RECOVERY_KEY.secret.hex() not in line
    assert repr(PARTS[0]) == "PaperShare(1 of 2/3)"


@given(st.integers(0, 2), st.data())
def test_a_letter_copied_wrong_is_found(which, data):
    line = LINES[which]
    at = data.draw(st.sampled_from([at for at, letter in enumerate(line) if letter in ALPHABET]))
    letter = data.draw(st.sampled_from([each for each in ALPHABET if each != line[at]]))
    with pytest.raises(InvalidFile):
        decode_paper_share(line[:at] + letter + line[at + 1 :])


@pytest.mark.parametrize("line", ["", "COCKET-SHARE-1", LINES[0].replace("-1", "-2", 1), LINES[0] + " A", "A" * 10_000])
def test_other_lines_are_refused(line):
    with pytest.raises(InvalidFile, match="begins with COCKET-SHARE-1"):
        decode_paper_share(line)
