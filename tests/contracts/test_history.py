"""Slots and words as storage proofs show them: what they say is what the contracts' own views say."""

import pytest
from contract_ledger import COUNTRIES, KE, NL, SG, decide, founded

from cocket.contracts import consortium, directory
from cocket.contracts.artifact import deployed_code_hash
from cocket.contracts.errors import MalformedAnswer
from cocket.contracts.history import words_back

CONTRACTS = ("Directory", "Consortium", "Participants", "Certificates")


def word(time, sequence, fact=1):
    return time << 216 | sequence << 200 | fact


def history(*words):
    """Return a history's slots: the newest at 0, entry i at 100 + i."""
    *older, newest = words
    return {0: newest, **{100 + at: one for at, one in enumerate(older)}}


def walked(slots, count_max=10):
    return words_back(0, lambda slot: slots.get(slot, 0), lambda sequence: 100 + sequence, count_max)


def test_a_history_is_walked_back_as_far_as_wanted():
    words = tuple(word(10 + at, at) for at in range(5))
    assert walked(history(*words)) == (words, True)
    assert walked(history(*words), 5) == (words, True)
    assert walked(history(*words), 3) == (words[2:], False)
    assert walked({}) == ((), True)
    assert walked(history(word(7, 0), word(7, 1))) == ((word(7, 0), word(7, 1)), True)


@pytest.mark.parametrize(
    "slots",
    [
        {0: word(10, 2), 101: word(9, 0)},  # another entry there
        {0: word(10, 1)},  # none there
        history(word(11, 0), word(10, 1)),  # time goes back
    ],
)
def test_a_history_with_a_gap_is_no_history(slots):
    with pytest.raises(MalformedAnswer, match="history"):
        walked(slots)


def test_slots_of_the_consortium_and_the_directory():
    ledger = founded()

    def stored(slot, address=consortium.ADDRESS):
        return ledger.state.storage(address, slot)

    decide(ledger, (NL, KE, SG), consortium.propose_suspension(authority=4, reason=77))
    for number, country in enumerate(COUNTRIES, 1):
        assert consortium.decode_country_word(stored(consortium.country_slot(number))) == country
        newest = consortium.decode_standing_word(stored(consortium.standing_slot(number)))
        assert newest == ledger.ask_consortium(consortium.standing_at(number, ledger.time))
    first = consortium.decode_standing_word(stored(consortium.past_standing_slot(4, 0)))
    assert first.status is consortium.Status.ACTIVE
    assert newest.reason == 77
    assert stored(consortium.last_set_change_slot()) == ledger.ask_consortium(consortium.last_set_change()) > 0
    hashed = consortium.hash_validators(ledger.ask_consortium(consortium.get_validators()))
    assert stored(consortium.validators_hash_slot()) == int.from_bytes(hashed, "big")
    assert consortium.validators_hash_slot() == consortium.VALIDATORS_HASH_SLOT
    for name in (directory.CONSORTIUM, directory.PARTICIPANTS, directory.CERTIFICATES):
        entry = stored(directory.entry_slot(name), directory.ADDRESS)
        assert entry.to_bytes(20, "big") == ledger.ask_directory(directory.address_of(name))


def test_words_that_no_contract_writes_are_refused():
    assert consortium.decode_country_word(0) == ""
    for bad in (1, 0x4E4C << 240 | 1, 0x0001 << 240):
        with pytest.raises(MalformedAnswer, match="country"):
            consortium.decode_country_word(bad)
    with pytest.raises(MalformedAnswer, match="standing"):
        consortium.decode_standing_word(word(10, 0, 9))


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_code_on_a_chain_is_known_by_its_hash(name):
    state = founded().state
    address = directory.ADDRESS if name == "Directory" else founded().ask_directory(directory.address_of(name))
    account = state.account(address)
    assert account is not None
    assert account.code_hash == deployed_code_hash(name, directory.ADDRESS)
    assert (account.code_hash == deployed_code_hash(name, b"\1" * 20)) == (name == "Directory")
