"""Which validator is connected, through which of its nodes."""

from cocket.node.voters import Voters

NL, KE = bytes([1]) * 20, bytes([2]) * 20


class FakeSession:
    """What a voter's session shows: its node id, what it speaks, what was sent."""

    def __init__(self, node: int, *, votes: bool = True) -> None:
        self.node_id = bytes([node]) * 64
        self.capabilities = {"eth": 68, "istanbul": 100} if votes else {"eth": 68}
        self.sent: list[tuple[str, int, bytes]] = []

    def send(self, capability: str, code: int, payload: bytes) -> bool:
        self.sent.append((capability, code, payload))
        return True


class Story:
    """Voters and what they told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes]] = []
        self.voters = Voters(
            lambda address: self.told.append(("connected", address)),
            lambda address: self.told.append(("disconnected", address)),
        )

    def add(self, address: bytes, session: FakeSession) -> None:
        self.voters.add(address, session)  # type: ignore[arg-type]

    def remove(self, session: FakeSession) -> None:
        self.voters.remove(session)  # type: ignore[arg-type]


def test_a_validator_is_connected_from_its_first_node_to_its_last() -> None:
    story, first, second = Story(), FakeSession(1), FakeSession(2)
    story.add(NL, first)
    story.add(NL, second)
    story.remove(first)
    assert story.told == [("connected", NL)]
    story.remove(second)
    story.remove(second)
    assert story.told == [("connected", NL), ("disconnected", NL)]
    assert story.voters.node_ids(NL) == ()


def test_votes_go_to_all_nodes_of_one_validator_alone() -> None:
    story, first, second, other = Story(), FakeSession(1), FakeSession(2), FakeSession(3)
    story.add(NL, first)
    story.add(NL, second)
    story.add(KE, other)
    story.voters.send(NL, 0x13, b"vote")
    story.voters.send(bytes(20), 0x13, b"to nobody")
    assert first.sent == second.sent == [("istanbul", 0x13, b"vote")]
    assert other.sent == []
    assert story.voters.node_ids(NL) == (first.node_id, second.node_id)


def test_a_session_without_the_capability_is_no_voter() -> None:
    story = Story()
    story.add(NL, FakeSession(1, votes=False))
    assert story.told == []


def test_an_older_session_of_the_same_node_does_not_take_the_newer_along() -> None:
    story, older, newer = Story(), FakeSession(1), FakeSession(1)
    story.add(NL, older)
    story.add(NL, newer)
    story.remove(older)
    assert story.voters.node_ids(NL) == (newer.node_id,)
    assert story.told == [("connected", NL)]


def test_a_node_behind_which_another_validator_stands_now_is_forgotten() -> None:
    story, stays, moves = Story(), FakeSession(1), FakeSession(2)
    story.add(NL, stays)
    story.add(KE, moves)
    story.voters.remove_moved(lambda _node_id: NL)
    assert story.told == [("connected", NL), ("connected", KE), ("disconnected", KE)]
    assert story.voters.node_ids(NL) == (stays.node_id,)
