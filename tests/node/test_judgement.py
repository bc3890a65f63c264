"""What each illness looks like from one node, and what is said of it; beside each the case that is none."""

from typing import Final

import msgspec
import pytest

from cocket.node.diagnosis import (
    Diagnosis,
    Equivocation,
    RefusedBlock,
    Rejection,
    RoundView,
    ValidatorView,
    Vote,
)
from cocket.node.findings import ROOM_BYTES_MIN, Severity, judge_clocks
from cocket.node.judgement import call_roll, headline, judge

COUNTRIES: Final = ("BR", "KE", "NL", "SG")
NOW_MS: Final = 1_764_000_000_000
ROUND: Final = RoundView(
    height=101, round=0, since_s=0.2, timeout_s=2.0, proposer="0xKE", has_proposal=True, prepares=2, commits=0
)


def validator(country: str, **changes: object) -> ValidatorView:
    """Return a validator as BR sees it when all is well, but for what is named."""
    view = ValidatorView(
        address="0x" + country,
        country=country,
        is_self=country == "BR",
        is_connected=True,
        connected_s=None if country == "BR" else 3600.0,
        claimed_height=100,
        spoke_s=0.5,
        voted_s=0.5,
        agreed_s=0.5,
        round=0,
        clock_ms=0,
    )
    return msgspec.structs.replace(view, **changes)


def diagnosis(*validators: ValidatorView, **changes: object) -> Diagnosis:
    """Return what BR knows when all is well, but for what is named; validators not named are well."""
    named = {each.country: each for each in validators}
    well = Diagnosis(
        name="BR",
        now_ms=NOW_MS,
        up_s=7200.0,
        genesis_hash="0x" + "ab" * 32,
        height=100,
        head_timestamp=NOW_MS // 1000,
        since_block_s=0.7,
        block_period_s=1,
        request_timeout_s=2,
        address="0xBR",
        country="BR",
        is_validator=True,
        round=ROUND,
        validators=tuple(named.get(country, validator(country)) for country in COUNTRIES),
        peers=3,
        free_bytes=100 << 30,
    )
    return msgspec.structs.replace(well, **changes)


def codes(found: Diagnosis) -> list[tuple[str, ...]]:
    """Return code and people of each finding."""
    return [(finding.code, *finding.who) for finding in judge(found)]


def later_round(number: int, **changes: object) -> RoundView:
    changes = {"has_proposal": False, "prepares": 0} | changes
    return msgspec.structs.replace(ROUND, round=number, timeout_s=4.0, since_s=3.0, **changes)


def away(country: str, **changes: object) -> ValidatorView:
    changes = {"trouble": "127.0.0.1:30303: Connection refused", "voted_s": 40.0, "agreed_s": 40.0} | changes
    return validator(country, is_connected=False, connected_s=None, spoke_s=40.0, **changes)


def silent(country: str, **changes: object) -> ValidatorView:
    return validator(country, spoke_s=40.0, voted_s=40.0, agreed_s=40.0, **changes)


def rejection(author: str, reason: str, kind: str = "proposal", count: int = 2) -> Rejection:
    return Rejection(author="0x" + author, country=author, kind=kind, reason=reason, count=count, last_s=3.0)


STALLED: Final = {"since_block_s": 45.0, "round": later_round(4, proposer="0xNL")}
EARLY: Final = "its timestamp is 27000 ms too early, at most 3000 wait"
GENESIS: Final = "status genesis: found aa, expected bb"
INVALID: Final = "its block is not valid: state root: found 0x12, expected 0x34"

# name -> what BR knows, what must be found (code, who ...), nothing else.
STAGED: Final[dict[str, tuple[Diagnosis, list[tuple[str, ...]]]]] = {
    "all is well": (diagnosis(), []),
    "a block is a little late": (diagnosis(since_block_s=4.9), []),
    "a node that just started": (
        diagnosis(*[silent(c, connected_s=1.0) for c in COUNTRIES[1:]], up_s=1.0, since_block_s=1.0),
        [],
    ),
    "1 one stopped": (diagnosis(away("SG")), [("not-connected", "SG")]),
    "2 two of four stopped": (
        diagnosis(away("NL"), away("SG"), **STALLED),
        [("not-connected", "NL"), ("not-connected", "SG")],
    ),
    "3 a cut line with nobody on this side": (
        diagnosis(*[away(c) for c in COUNTRIES[1:]], peers=0, **STALLED),
        [("no-peers", "BR"), ("not-connected", "KE"), ("not-connected", "NL"), ("not-connected", "SG")],
    ),
    "4 one clock is ahead": (diagnosis(validator("KE", clock_ms=30_000)), [("clock-off", "KE")]),
    "4 one clock is behind": (diagnosis(validator("KE", clock_ms=-5_000)), [("clock-off", "KE")]),
    "4 our own clock is off by all others": (
        diagnosis(*[validator(c, clock_ms=9_000) for c in COUNTRIES[1:]]),
        [("clock-off", "BR")],
    ),
    "4 a clock within what proposals can tell": (diagnosis(validator("KE", clock_ms=1_900)), []),
    "4 clocks of which nobody knows the right one": (
        diagnosis(validator("KE", clock_ms=9_000), validator("NL", clock_ms=9_000)),
        [("clock-unclear", *COUNTRIES)],
    ),
    "4 one whose proposals are dropped as too early": (
        diagnosis(rejections=(rejection("KE", EARLY),)),
        [("clock-off", "KE")],
    ),
    "4 the proposals of most are too early for us": (
        diagnosis(rejections=(rejection("KE", EARLY), rejection("NL", EARLY))),
        [("clock-off", "BR")],
    ),
    "4 the head is from a time to come": (
        diagnosis(head_timestamp=NOW_MS // 1000 + 30),
        [("clock-off", "BR")],
    ),
    "4 the head is from a time to come, so whose proposals are too early is no wonder": (
        diagnosis(head_timestamp=NOW_MS // 1000 + 30, rejections=(rejection("KE", EARLY),)),
        [("clock-off", "BR")],
    ),
    "4 what follows from a clock is not said twice": (
        diagnosis(validator("KE", clock_ms=30_000, missed_turns=5, agreed_s=60.0)),
        [("clock-off", "KE")],
    ),
    "4 the network begins later": (
        diagnosis(
            *[silent(c) for c in COUNTRIES[1:]], height=0, head_timestamp=NOW_MS // 1000 + 600, since_block_s=300.0
        ),
        [("not-begun",)],
    ),
    "5 one is on another network": (diagnosis(away("SG", trouble=GENESIS)), [("genesis-differs", "SG")]),
    "5 we are on another network": (
        diagnosis(*[away(c, trouble=GENESIS) for c in COUNTRIES[1:]], peers=0, **STALLED),
        [("genesis-differs", "BR")],
    ),
    "5 we refuse what others have sealed": (
        diagnosis(refused_blocks=(RefusedBlock(height=101, reason="state root: found 0x12, expected 0x34"),)),
        [("block-refused", "BR")],
    ),
    "5 a refused block that is long passed": (
        diagnosis(refused_blocks=(RefusedBlock(height=100, reason="no seals"),)),
        [],
    ),
    "5 one proposes what we hold to be invalid": (
        diagnosis(rejections=(rejection("KE", INVALID),)),
        [("disagreement", "KE")],
    ),
    "5 most propose what we hold to be invalid": (
        diagnosis(rejections=(rejection("KE", INVALID), rejection("NL", INVALID))),
        [("disagreement", "BR")],
    ),
    "5 a rejection of no weight": (diagnosis(rejections=(rejection("KE", "it was heard already"),)), []),
    "6 we catch up": (diagnosis(height=40, syncing_to=100, round=None), [("behind", "BR")]),
    "6 another is behind": (diagnosis(silent("NL", claimed_height=40)), [("silent", "NL")]),
    "7 our key has no seat": (
        diagnosis(address="0xUY", country="", name="UY", is_validator=False, round=None),
        [("no-seat", "UY")],
    ),
    "7 a follower has no key and needs no seat": (
        diagnosis(address=None, country="", name="port", is_validator=False, round=None),
        [],
    ),
    "8 a round without its proposal": (diagnosis(**STALLED), [("no-agreement", "NL")]),
    "8 one lets its turns pass": (diagnosis(validator("KE", missed_turns=2)), [("turns-missed", "KE")]),
    "8 one let one turn pass": (diagnosis(validator("KE", missed_turns=1)), []),
    "8 one changes rounds and agrees to nothing": (
        diagnosis(validator("KE", agreed_s=60.0)),
        [("agrees-to-nothing", "KE")],
    ),
    "9 the disk is nearly full": (diagnosis(free_bytes=ROOM_BYTES_MIN - 1), [("disk-low", "BR")]),
    "9 the disk has room": (diagnosis(free_bytes=ROOM_BYTES_MIN), []),
    "9 a disk that cannot be asked": (diagnosis(free_bytes=None), []),
    "9 our journal was lost": (diagnosis(is_watching=True), [("watching", "BR")]),
    "9 our journal was lost, and others' it seems": (
        diagnosis(silent("KE"), is_watching=True, **STALLED),
        [("watching", "BR"), ("silent", "KE")],
    ),
    "10 one is not reached": (
        diagnosis(away("KE", trouble="10.0.0.9:30303: no answer within 5 s")),
        [("not-connected", "KE")],
    ),
    "10 nobody is reached, alone in the network": (
        diagnosis(validators=(validator("BR"),), peers=0),
        [],
    ),
    "one signed two things": (
        diagnosis(equivocations=(Equivocation(author="0xKE", country="KE", kind="prepare", height=99, round=1),) * 2),
        [("equivocation", "KE")],
    ),
    "votes for different blocks in one round": (
        diagnosis(
            validator("KE", votes=(Vote(kind="prepare", round=0, digest="0xaa"),)),
            validator("NL", votes=(Vote(kind="commit", round=0, digest="0xbb"),)),
        ),
        [("split-votes", "KE")],
    ),
    "votes for different blocks in different rounds": (
        diagnosis(
            validator("KE", votes=(Vote(kind="prepare", round=0, digest="0xaa"),)),
            validator("NL", votes=(Vote(kind="prepare", round=1, digest="0xbb"),)),
        ),
        [],
    ),
    "our own key speaks elsewhere": (
        diagnosis(rejections=(rejection("BR", "it is signed with our key, and not by us in this round", "prepare"),)),
        [("own-key-elsewhere", "BR")],
    ),
    "an echo of ourselves after a restart": (
        diagnosis(
            rejections=(rejection("BR", "it is signed with our key, and not by us in this round", "prepare", count=1),)
        ),
        [],
    ),
    "the contract does not say who validates": (
        diagnosis(validators=(), validators_trouble="Consortium: it reverted", peers=3, since_block_s=45.0, round=None),
        [("validators-unreadable",)],
    ),
    "no block, and no reason to be seen": (diagnosis(since_block_s=45.0, round=None), [("unknown",)]),
}


@pytest.mark.parametrize("name", STAGED)
def test_a_staged_illness_gives_its_findings_and_no_other(name: str) -> None:
    staged, expected = STAGED[name]
    assert codes(staged) == expected


@pytest.mark.parametrize("name", STAGED)
def test_every_sentence_is_whole_and_says_what_to_do(name: str) -> None:
    found = judge(STAGED[name][0])
    for finding in found:
        assert finding.seen.endswith("."), finding
        assert finding.advice, finding
        assert "None" not in finding.seen + finding.advice
        assert ".." not in finding.seen
    severities = [tuple(Severity).index(finding.severity) for finding in found]
    assert severities == sorted(severities)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("all is well", "Healthy: BR is at block 100, 1 s old; 4 of 4 validators take part, 3 are needed."),
        ("1 one stopped", "Blocks come, but: SG is not connected with BR, last heard 40 s ago: "),
        ("2 two of four stopped", "No block for 45 s: 2 of 4 validators are missing (NL, SG); 3 are needed."),
        (
            "8 a round without its proposal",
            "No block for 45 s: Enough validators speak, but round 4 of block 101 has no end yet since 3 s (it lasts "
            "4 s). It is NL's turn; no proposal of it has come.",
        ),
        ("6 we catch up", "Blocks come, but: BR is 60 blocks behind: it has 40 of 100 and is catching up."),
        ("7 our key has no seat", "Blocks come, but: UY's node has a validator key (0xUY) that has no seat among"),
        ("4 one clock is behind", "Blocks come, but: KE's clock is about 5 s behind that of BR, NL and SG."),
    ],
)
def test_the_headline_says_the_worst_first(name: str, said: str) -> None:
    staged, _ = STAGED[name]
    assert headline(staged, judge(staged)).startswith(said)


def test_those_who_are_missed_are_critical_only_when_they_keep_blocks_from_coming() -> None:
    assert [finding.severity for finding in judge(diagnosis(away("SG")))] == [Severity.WARNING]
    both = judge(diagnosis(away("NL"), away("SG"), **STALLED))
    assert {finding.severity for finding in both} == {Severity.CRITICAL}
    assert "2 of 4 take part and 3 are needed" in both[0].advice


def test_the_margin_is_counted() -> None:
    seven = [validator(country) for country in ("KE", "NL", "SG", "CL", "UY")]
    found = judge(diagnosis(validators=(validator("BR"), *seven, away("PE"))))
    assert [finding.code for finding in found] == ["not-connected"]
    assert "1 more may be away before blocks stop." in found[0].advice


def test_a_follower_counts_who_is_connected_since_it_hears_no_votes() -> None:
    follower = diagnosis(*[silent(c) for c in COUNTRIES[1:]], address=None, is_validator=False, round=None)
    assert call_roll(follower).active == 4
    assert call_roll(diagnosis(*[silent(c) for c in COUNTRIES[1:]])).active == 1


def test_a_node_that_catches_up_and_gets_nothing_is_stuck() -> None:
    (finding,) = judge(diagnosis(height=40, syncing_to=100, round=None, since_block_s=30.0))
    assert (finding.code, finding.severity) == ("behind", Severity.CRITICAL)
    assert "got none for 30 s" in finding.seen


def test_of_two_clocks_neither_is_called_wrong() -> None:
    assert [finding.code for finding in judge_clocks({"BR": 0, "KE": 60_000}, "")] == ["clock-unclear"]
    assert list(judge_clocks({"BR": 0, "KE": 1_000}, "")) == []
