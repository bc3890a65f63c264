"""What a node's parts know, put side by side: only what is there, and what cannot be known is null."""

from dataclasses import replace
from pathlib import Path

import msgspec
from ledger.chains import Chain
from simulator.players import GENESIS, child, players

from cocket.node.consensus.effects import Rejected
from cocket.node.consensus.messages import Code
from cocket.node.consensus.state import Configuration, State, Times, Watch
from cocket.node.diagnosis import Diagnosis
from cocket.node.examination import Examination, Line, _votes, free_bytes
from cocket.node.judgement import judge
from cocket.node.observations import Observations

A, B, C, D = players(4)
BLOCK, OTHER = child(GENESIS, B.address), child(GENESIS, B.address, mark=b"other")
NOW_MS = 1_764_000_000_000


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


class Clinic:
    """A real ledger of four validators, and a node beside it that is the first of them."""

    def __init__(self, tmp_path: Path) -> None:
        self.now_s = 100.0
        self.chain = Chain(4)
        self.validators = self.chain.validators
        self.seen = Observations(lambda: self.now_s, lambda: NOW_MS)
        self.seen.begin(self.chain.head, self.validators)
        self.examination = Examination(
            ledger=self.chain.ledger,
            seen=self.seen,
            name="node",
            address=self.validators[0],
            state=None,
            countries={self.validators[1]: "KE"},
            lines={self.validators[1]: Line(30.04, 7)},
            peers=1,
            syncing_to=None,
            data=tmp_path,
        )

    def diagnosis(self, **changes: object) -> Diagnosis:
        found = replace(self.examination, **changes).diagnosis(NOW_MS)  # type: ignore[arg-type]
        assert msgspec.json.decode(msgspec.json.encode(found), type=Diagnosis) == found, "the doctor reads what is sent"
        return found


def test_it_names_the_node_the_chain_and_the_validators(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.chain.extend()
    clinic.now_s += 3
    found = clinic.diagnosis()
    assert (found.height, found.now_ms, found.up_s, found.since_block_s) == (1, NOW_MS, 3.0, 3.0)
    assert found.genesis_hash == hexed(clinic.chain.genesis.hash)
    assert (found.address, found.is_validator, found.is_watching, found.round) == (
        hexed(clinic.validators[0]),
        True,
        False,
        None,
    )
    assert [validator.address for validator in found.validators] == [hexed(v) for v in clinic.validators]
    own, kenya, *strangers = found.validators
    assert (own.is_self, own.is_connected, own.clock_ms) == (True, True, 0)
    assert (kenya.name, kenya.is_connected, kenya.connected_s, kenya.claimed_height) == ("KE", True, 30.0, 7)
    assert {(v.is_connected, v.connected_s, v.spoke_s, v.clock_ms, v.trouble) for v in strangers} == {
        (False, None, None, None, None)
    }
    assert found.free_bytes == free_bytes(tmp_path) != 0
    assert clinic.diagnosis(data=tmp_path / "gone").free_bytes is None


def test_a_key_without_a_seat_is_no_validator_and_a_follower_has_none(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    assert not clinic.diagnosis(address=A.address).is_validator
    assert clinic.diagnosis(address=None).address is None


def test_trouble_is_told_of_those_who_are_away_only(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    for address in clinic.validators[1:3]:
        clinic.seen.parted(address, "connection refused")
    _, kenya, away, _ = clinic.diagnosis().validators
    assert (kenya.trouble, away.trouble) == (None, "connection refused")


def test_rejections_refusals_and_equivocations_are_named_by_country(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    kenya = clinic.validators[1]
    clinic.seen.rejected(Rejected(Code.ROUND_CHANGE, 1, 0, kenya, "its round is over"))
    clinic.seen.refused(9, "seals: found 1, expected 3")
    clinic.seen.equivocated(B.prepare(BLOCK))
    found = clinic.diagnosis(countries={kenya: "KE", B.address: "NL"})
    (rejection,), (refused,), (twice,) = found.rejections, found.refused_blocks, found.equivocations
    assert (rejection.name, rejection.kind, rejection.reason, rejection.count) == (
        "KE",
        "round change",
        "its round is over",
        1,
    )
    assert (refused.height, refused.reason) == (9, "seals: found 1, expected 3")
    assert (twice.name, twice.kind, twice.height, twice.round) == ("NL", "prepare", 1, 0)
    assert {"equivocation", "block-refused"} <= {finding.code for finding in judge(found)}


def test_the_round_and_the_votes_of_this_height_are_shown(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    state = State(
        configuration=Configuration(A.address, Times(1, 2_000, 30_000)),
        parent=GENESIS,
        parent_hash=GENESIS.parent_hash,
        validators=tuple(player.address for player in (A, B, C, D)),
        prepares=(C.prepare(BLOCK), D.prepare(OTHER)),
        commits=(C.commit(BLOCK),),
        round_changes=(D.round_change(1, 3),),
        is_open=True,
    )
    clinic.seen.entered()
    clinic.now_s += 1.5
    found = clinic.diagnosis(state=state, address=A.address).round
    assert found is not None
    assert (found.height, found.round, found.since_s, found.timeout_s) == (1, 0, 1.5, 2.0)
    assert (found.has_proposal, found.prepares, found.commits) == (False, 2, 1)
    assert found.proposer == hexed(state.proposer_of(0))
    watching = clinic.diagnosis(state=replace(state, watch=Watch(9, 9), is_open=False))
    assert watching.is_watching
    assert watching.round is not None
    assert watching.round.since_s is None, "it waits for the block period"


def test_each_validators_votes_of_the_height_name_their_block() -> None:
    prepares = (C.prepare(BLOCK), D.prepare(OTHER))
    state = State(
        configuration=Configuration(A.address, Times(1, 2_000)),
        parent=GENESIS,
        parent_hash=GENESIS.parent_hash,
        validators=tuple(player.address for player in (A, B, C, D)),
        proposal=B.proposal(BLOCK),
        prepares=prepares,
        round_changes=(D.round_change(1, 3), C.round_change(1, 4, BLOCK, prepares[:1])),
        own=(A.prepare(BLOCK),),
    )
    names = {hexed(B.proposal(BLOCK).digest): "block", hexed(D.prepare(OTHER).digest): "other", None: None}
    said = [
        [(vote.kind, vote.round, names[vote.digest]) for vote in _votes(state, player.address)]
        for player in (A, B, C, D)
    ]
    assert said == [
        [("prepare", 0, "block")],
        [("proposal", 0, "block")],
        [("prepare", 0, "block"), ("round change", 4, "block")],
        [("prepare", 0, "other"), ("round change", 3, None)],
    ]
