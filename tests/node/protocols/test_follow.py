"""Catching up: scripted peers, honest, slow, lying and leaving, around one follower without I/O."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from following.lines import Line, make_fat, make_line
from ledger.chains import Chain

from cocket.node.chain.block import Body
from cocket.node.chain.fork_id import ForkId
from cocket.node.chain.roots import ordered_root
from cocket.node.protocols import lookahead
from cocket.node.protocols.eth import (
    BlockBodies,
    BlockHeaders,
    GetBlockBodies,
    GetBlockHeaders,
    NewBlock,
    NewBlockHashes,
    Status,
)
from cocket.node.protocols.follow import Ask, CaughtUp, DropPeer, Effect, Follower, FollowLimits, ImportBlock

Answer = Callable[["Peer", GetBlockHeaders | GetBlockBodies], BlockHeaders | BlockBodies | None]


class Peer:
    """A peer that has a line up to a height; `answer` may be replaced to misbehave."""

    def __init__(self, name: str, line: Line, height: int) -> None:
        self.node_id = name.encode().rjust(64, b"\x00")
        self.line = line
        self.height = height
        self.asked: list[GetBlockHeaders | GetBlockBodies] = []
        self.answer: Answer = Peer.honest

    @property
    def status(self) -> Status:
        return Status(1, self.height, self.line.hash(self.height), self.line.hash(0), ForkId(b"abcd", 0))

    def honest(self, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
        known = self.line.numbers
        if isinstance(message, GetBlockBodies):
            found = [self.line[known[h]].body for h in message.hashes if known.get(h, self.height + 1) <= self.height]
            return BlockBodies(message.request_id, tuple(found))
        start = message.start if isinstance(message.start, int) else known.get(message.start, self.height + 1)
        count = max(0, min(message.limit, self.height + 1 - start))
        return BlockHeaders(message.request_id, self.line.headers(start, count))


class Play:
    """A follower with scripted peers; the true line decides which imports succeed."""

    def __init__(self, truth: Line, limits: FollowLimits | None = None, head: int = 0, seed: int | None = None) -> None:
        self.truth = truth
        self.now_s = 0.0
        self.head = head
        self.follower = Follower(truth.header(head), truth.hash(head), limits)
        self.peers: dict[bytes, Peer] = {}
        self.imported: list[int] = []
        self.drops: list[tuple[bytes, str, bool]] = []
        self.caught_up: list[int] = []
        self.pending: deque[Effect] = deque()
        self.is_importing = True
        self.most_bytes = self.most_blocks = 0
        self._random = random.Random(seed) if seed is not None else None

    def join(self, *peers: Peer) -> "Play":
        for peer in peers:
            self.peers[peer.node_id] = peer
            self.take(self.follower.upon_joined(peer.node_id, peer.status, self.now_s))
        return self

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, DropPeer):
                self.drops.append((effect.peer, effect.reason, effect.is_fault))
                self.peers.pop(effect.peer)
                self.take(self.follower.upon_gone(effect.peer, self.now_s))
            elif isinstance(effect, CaughtUp):
                self.caught_up.append(effect.number)
            else:
                self.pending.append(effect)

    def run(self, steps: int = 10_000) -> "Play":
        """Perform effects until none is left that anybody answers."""
        held: list[Effect] = []
        for _ in range(steps):
            if not self.pending:
                break
            if self._random is not None:
                self.pending.rotate(self._random.randrange(len(self.pending)))
            effect = self.pending.popleft()
            if isinstance(effect, ImportBlock) and not self.is_importing:
                held.append(effect)
            else:
                self._perform(effect)
            status = self.follower.status()
            self.most_blocks = max(self.most_blocks, status.look_ahead_blocks)
            self.most_bytes = max(self.most_bytes, status.look_ahead_bytes)
        else:
            raise AssertionError("the follower never comes to rest")
        self.pending.extend(held)
        return self

    def wait(self, seconds: float) -> "Play":
        """Let time pass in ticks of a second."""
        for _ in range(int(seconds)):
            self.now_s += 1
            self.take(self.follower.upon_tick(self.now_s))
            self.run()
        return self

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, ImportBlock):
            self._import(effect)
        elif isinstance(effect, Ask) and (peer := self.peers.get(effect.peer)) is not None:
            peer.asked.append(effect.message)
            self.deliver(peer, peer.answer(peer, effect.message))

    def deliver(self, peer: Peer, found: BlockHeaders | BlockBodies | None) -> None:
        match found:
            case BlockHeaders():
                self.take(self.follower.upon_headers(peer.node_id, found, self.now_s))
            case BlockBodies():
                self.take(self.follower.upon_bodies(peer.node_id, found, self.now_s))

    def _import(self, effect: ImportBlock) -> None:
        number = effect.block.header.number
        if number <= self.head:
            self.take(self.follower.upon_imported(effect.block_hash, self.truth.header(number), self.now_s))
        elif effect.block_hash == self.truth.hash(self.head + 1):
            assert effect.block == self.truth[self.head + 1]
            self.head = number
            self.imported.append(number)
            self.take(self.follower.upon_imported(effect.block_hash, effect.block.header, self.now_s))
        else:
            self.take(self.follower.upon_rejected(effect.block_hash, "seals: found 0, expected 3", self.now_s))


def only_its_head(peer: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
    """Answer what comes right after the Status, and then nothing."""
    return Peer.honest(peer, message) if isinstance(message, GetBlockHeaders) and message.limit == 1 else None


def silent(peer: Peer, message: GetBlockHeaders | GetBlockBodies) -> None:
    """Never answer."""


# -- what can be seen from outside ------------------------------------------------------------------------------------


def test_headers_at_hand_are_seen_before_their_blocks_are_imported(line: Line) -> None:
    play = Play(line).join(Peer("p", line, 700))
    assert play.follower.unknown() == 1
    assert play.follower.header_at(1) is None
    play.is_importing = False
    play.run()
    follower = play.follower
    assert follower.unknown() == 0
    assert follower.claims() == (700,)
    assert follower.header_at(1) == line.header(1)
    assert follower.header_at(192) == line.header(192)
    assert follower.header_at(0) is None
    last = follower.status().look_ahead_blocks
    assert follower.header_at(last) == line.header(last)
    assert follower.header_at(last + 1) is None


# -- the plain way ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_node_that_was_down_catches_up_in_order(line: Line, count: int) -> None:
    play = Play(line).join(*(Peer(f"p{n}", line, 700) for n in range(count))).run()
    assert play.imported == list(range(1, 701))
    assert play.caught_up == [700]
    assert play.drops == []
    status = play.follower.status()
    assert (status.start, status.head, status.highest, status.look_ahead_blocks) == (0, 700, 700, 0)
    assert status.look_ahead_bytes == 0
    assert status.is_level


def test_catching_up_begins_at_our_head(line: Line) -> None:
    play = Play(line, head=500).join(Peer("p", line, 520)).run()
    assert play.imported == list(range(501, 521))


def test_level_peers_are_asked_nothing(line: Line) -> None:
    peer = Peer("p", line, 9)
    play = Play(line, head=9).join(peer).run()
    assert peer.asked == []
    assert play.caught_up == [9]


def test_peer_behind_us_is_asked_only_how_far_it_is(line: Line) -> None:
    peer = Peer("p", line, 5)
    play = Play(line, head=9).join(peer).run()
    assert [type(message) for message in peer.asked] == [GetBlockHeaders]
    assert play.caught_up == [9]
    assert play.imported == []


def test_known_head_needs_no_question(line: Line) -> None:
    play = Play(line, head=9)
    play.follower = Follower(line.header(9), line.hash(9), number_of=lambda h: 5 if h == line.hash(5) else None)
    peer = Peer("p", line, 5)
    play.join(peer).run()
    assert peer.asked == []


def test_blocks_without_transactions_need_no_bodies(line: Line) -> None:
    peer = Peer("p", line, 30)
    Play(line).join(peer).run()
    wanted = [h for message in peer.asked if isinstance(message, GetBlockBodies) for h in message.hashes]
    assert wanted == [line.hash(n) for n in range(1, 31) if n % 3]


def test_bodies_are_shared_out_among_peers(line: Line) -> None:
    peers = [Peer(f"p{n}", line, 600) for n in range(3)]
    Play(line).join(*peers).run()
    for peer in peers:
        assert any(isinstance(message, GetBlockBodies) for message in peer.asked)


def test_short_answers_are_asked_on(line: Line) -> None:
    """Servers stop at 2 MiB: what is missing is asked for again, and nobody is blamed."""
    peer = Peer("p", line, 300)

    def short(self: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
        found = Peer.honest(self, message)
        if isinstance(found, BlockBodies):
            return replace(found, bodies=found.bodies[:3])
        assert found is not None
        return replace(found, headers=found.headers[:50])

    peer.answer = short
    play = Play(line).join(peer).run()
    assert play.imported == list(range(1, 301))
    assert play.drops == []


# -- announcements ----------------------------------------------------------------------------------------------------


def test_announced_next_block_is_imported_directly(line: Line) -> None:
    peer = Peer("p", line, 9)
    play = Play(line, head=9).join(peer).run()
    play.take(play.follower.upon_new_block(peer.node_id, NewBlock(line[10], 11), 0))
    play.run()
    assert play.imported == [10]
    assert peer.asked == []
    assert play.caught_up == [9]


def test_announced_block_further_on_starts_catching_up(line: Line) -> None:
    peer = Peer("p", line, 9)
    play = Play(line, head=9).join(peer).run()
    peer.height = 60
    play.take(play.follower.upon_new_block(peer.node_id, NewBlock(line[60], 61), 0))
    assert play.follower.status().highest == 60
    assert not play.follower.status().is_level
    play.run()
    assert play.imported == list(range(10, 61))
    assert play.caught_up == [9, 60]


def test_announced_hashes_start_catching_up(line: Line) -> None:
    peer = Peer("p", line, 9)
    play = Play(line, head=9).join(peer).run()
    peer.height = 12
    message = NewBlockHashes(((line.hash(11), 11), (line.hash(12), 12)))
    play.take(play.follower.upon_new_block_hashes(peer.node_id, message, 0))
    play.run()
    assert play.imported == [10, 11, 12]


def test_the_same_block_from_many_is_imported_once(line: Line) -> None:
    peers = [Peer(f"p{n}", line, 9) for n in range(4)]
    play = Play(line, head=9).join(*peers).run()
    for peer in peers:
        play.take(play.follower.upon_new_block(peer.node_id, NewBlock(line[10], 11), 0))
    play.run()
    for peer in peers:
        play.take(play.follower.upon_new_block(peer.node_id, NewBlock(line[10], 11), 0))
    play.run()
    assert play.imported == [10]
    assert play.drops == []


def test_old_announcements_are_ignored(line: Line, other_line: Line) -> None:
    peer = Peer("p", line, 50)
    play = Play(line, head=50).join(peer).run()
    for number in (1, 45, 50):
        play.take(play.follower.upon_new_block(peer.node_id, NewBlock(other_line[number], 1), 0))
    play.run()
    assert play.imported == []
    assert play.drops == []


def test_announced_block_with_foreign_transactions_costs_the_session(line: Line) -> None:
    peer = Peer("p", line, 9)
    play = Play(line, head=9).join(peer).run()
    wrong = replace(line[10], transactions=(b"\x02wrong",))
    play.take(play.follower.upon_new_block(peer.node_id, NewBlock(wrong, 11), 0))
    assert play.drops == [(peer.node_id, "new block 10: the transactions are not those of its header", True)]
    assert play.imported == []


def test_announced_block_with_bad_seals_costs_the_session(line: Line, other_line: Line) -> None:
    truth = Line((*line.blocks[:10], *other_line.blocks[10:11]))
    peer = Peer("p", line, 9)
    play = Play(truth, head=9).join(peer).run()
    play.take(play.follower.upon_new_block(peer.node_id, NewBlock(line[10], 11), 0))
    play.run()
    assert play.drops == [(peer.node_id, "block 10: seals: found 0, expected 3", True)]
    assert play.imported == []


def test_consensus_may_move_the_head_meanwhile(line: Line) -> None:
    """Blocks that we commit ourselves count; what is under way for them is not taken twice."""
    peer = Peer("p", line, 40)
    play = Play(line)
    play.is_importing = False
    play.join(peer).run()
    for number in range(1, 31):
        play.head = number
        play.take(play.follower.upon_head(line.header(number), line.hash(number), 0))
    assert play.follower.status().head == 30
    play.is_importing = True
    play.run()
    assert play.imported == list(range(31, 41))


def test_import_put_off_is_tried_again(line: Line) -> None:
    play = Play(line)
    play.is_importing = False
    play.join(Peer("p", line, 3)).run()
    (effect,) = play.pending
    assert isinstance(effect, ImportBlock)
    play.pending.clear()
    play.take(play.follower.upon_postponed(effect.block_hash, play.now_s))
    assert not play.pending
    play.is_importing = True
    play.wait(2)
    assert play.imported == [1, 2, 3]


# -- liars ------------------------------------------------------------------------------------------------------------


def test_first_bad_seal_drops_the_peer_and_all_it_sent(line: Line, other_line: Line) -> None:
    liar = Peer("liar", other_line, 900)
    play = Play(line).join(liar).run()
    assert play.drops == [(liar.node_id, "block 1: seals: found 0, expected 3", True)]
    assert play.imported == []
    assert play.follower.status().look_ahead_blocks == play.follower.status().look_ahead_bytes == 0
    play.join(Peer("honest", line, 20)).run()
    assert play.imported == list(range(1, 21))


@pytest.mark.parametrize("order", [0, 1])
def test_liar_that_claims_more_does_not_stop_an_honest_peer(line: Line, other_line: Line, order: int) -> None:
    liar, honest = Peer("liar", other_line, 900), Peer("honest", line, 300)
    peers = [liar, honest] if order else [honest, liar]
    play = Play(line).join(*peers).run().wait(20)
    assert play.imported == list(range(1, 301))
    assert [node_id for node_id, _, _ in play.drops] == [liar.node_id]
    assert play.peers == {honest.node_id: honest}


def test_liar_in_the_middle_of_the_line_costs_only_what_it_sent(line: Line, forked_line: Line) -> None:
    liar, honest = Peer("liar", forked_line, 399), Peer("honest", line, 399)
    play = Play(line).join(liar, honest).run().wait(20)
    assert play.imported == list(range(1, 400))
    assert [node_id for node_id, _, _ in play.drops] == [liar.node_id]


def with_foreign_bodies(peer: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
    """Answer with true headers and the transactions of no block."""
    found = Peer.honest(peer, message)
    return replace(found, bodies=(Body((b"\x02foreign",)),)) if isinstance(found, BlockBodies) else found


def with_a_gap(peer: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
    """Leave a header out once it is asked for block 1,500 or a later one."""
    found = Peer.honest(peer, message)
    if isinstance(found, BlockHeaders) and len(found.headers) > 2 and found.headers[-1].number >= 1500:
        return replace(found, headers=(found.headers[0], *found.headers[2:]))
    return found


FAR = 3000


@pytest.fixture(scope="module")
def far_line(chain: Chain, line: Line) -> Line:
    """The true line, three thousand blocks long."""
    return make_line(chain.genesis.header, chain.head, FAR + 1, 1, line.blocks)


@pytest.fixture(scope="module")
def far_liars(chain: Chain, far_line: Line) -> dict[str, tuple[Line, Answer]]:
    """What liars have and how they answer: foreign bodies, a gap in the headers, a fork, another chain, silence."""
    fork = make_line(chain.genesis.header, chain.head, FAR + 1, 4, far_line.blocks[:2000])
    strange = make_line(chain.genesis.header, chain.head, FAR + 1, 5)
    return {
        "bodies": (far_line, with_foreign_bodies),
        "gap": (far_line, with_a_gap),
        "fork": (fork, Peer.honest),
        "strange": (strange, Peer.honest),
        "silent": (far_line, only_its_head),
    }


REASONS: dict[str, str | None] = {
    "bodies": "bodies",
    "gap": "headers: found height",
    "fork": "block 2000: seals",
    "strange": "block 1: seals",
    "silent": None,
}
"""What each is dropped for; who is silent once is only passed over."""


def assert_bounded(play: Play) -> None:
    limits = FollowLimits()
    assert 0 < play.most_blocks <= limits.look_ahead_blocks
    assert 0 < play.most_bytes <= limits.look_ahead_bytes


@pytest.mark.parametrize("kind", REASONS)
def test_liar_that_leads_thousands_behind_keeps_nobody_from_catching_up(
    far_line: Line, far_liars: dict[str, tuple[Line, Answer]], kind: str
) -> None:
    liar_line, answer = far_liars[kind]
    liar = Peer("liar", liar_line, FAR)
    liar.answer = answer
    honest = [Peer("a", far_line, FAR), Peer("b", far_line, FAR)]
    play = Play(far_line).join(liar)
    play.join(*honest).run(100_000).wait(60)
    assert play.imported == list(range(1, FAR + 1))
    assert play.caught_up[-1] == FAR
    expected = REASONS[kind]
    assert [node_id for node_id, _, _ in play.drops] == ([] if expected is None else [liar.node_id])
    assert all(expected is not None and expected in reason for _, reason, _ in play.drops)
    assert len(liar.asked) >= 2
    assert all(any(isinstance(message, GetBlockBodies) for message in peer.asked) for peer in honest)
    assert_bounded(play)


@pytest.mark.parametrize("seed", range(4))
def test_liars_of_every_kind_together_do_not_keep_a_node_behind(
    far_line: Line, far_liars: dict[str, tuple[Line, Answer]], seed: int
) -> None:
    honest = [Peer("a", far_line, FAR), Peer("b", far_line, FAR)]
    liars = [Peer(kind, liar_line, FAR) for kind, (liar_line, _) in far_liars.items()]
    for liar, (_, answer) in zip(liars, far_liars.values(), strict=True):
        liar.answer = answer
    everyone = [*honest, *liars]
    random.Random(seed).shuffle(everyone)
    play = Play(far_line, seed=seed).join(*everyone).run(100_000).wait(60)
    assert play.imported == list(range(1, FAR + 1))
    assert play.drops
    assert {node_id for node_id, _, _ in play.drops} <= {liar.node_id for liar in liars}
    assert_bounded(play)


def drop_reason(play: Play, peer: Peer) -> str:
    assert [node_id for node_id, _, _ in play.drops] == [peer.node_id], play.drops
    return play.drops[0][1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda hs: (hs[0], *hs[2:]), "found height 3, expected 2"),
        (lambda hs: hs[1:], "found height 2, expected 1"),
        (lambda hs: (hs[0], replace(hs[1], parent_hash=bytes(32)), *hs[2:]), "block 2 has parent 0000000000000000"),
        (lambda hs: (replace(hs[0], parent_hash=bytes(32)), *hs[1:]), "block 1 has parent 0000000000000000"),
        (lambda hs: (*hs, hs[0]), "headers: found 31, expected at most 30"),
        (lambda hs: (hs[0], replace(hs[1], extra_data=b"\xc0"), *hs[2:]), "extraData"),
        (lambda hs: hs[::-1], "found height 30, expected 1"),
    ],
)
def test_headers_that_do_not_follow_cost_the_session(line: Line, change: Callable[..., object], says: str) -> None:
    peer = Peer("p", line, 30)

    def wrong(self: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
        found = Peer.honest(self, message)
        if isinstance(found, BlockHeaders) and isinstance(message.start, int):  # type: ignore[union-attr]
            return replace(found, headers=change(found.headers))  # type: ignore[arg-type]
        return found

    peer.answer = wrong
    play = Play(line).join(peer).run()
    assert says in drop_reason(play, peer)
    assert play.imported == []
    assert play.drops[0][2]


def test_another_header_than_its_head_costs_the_session(line: Line) -> None:
    peer = Peer("p", line, 30)
    peer.answer = lambda self, message: BlockHeaders(message.request_id, (line.header(29),))
    assert "another block than the head" in drop_reason(Play(line).join(peer).run(), peer)


def test_peer_without_its_own_head_is_dropped_without_blame(line: Line) -> None:
    peer = Peer("p", line, 30)
    peer.answer = lambda self, message: BlockHeaders(message.request_id, ())
    play = Play(line).join(peer).run()
    assert play.drops == [(peer.node_id, "does not serve the header of its own head", False)]


@pytest.mark.parametrize("bodies", [(Body((b"\x02foreign",)),), ()])
def test_foreign_or_missing_bodies_cost_the_session(line: Line, bodies: tuple[Body, ...]) -> None:
    peer = Peer("p", line, 30)

    def wrong(self: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
        found = Peer.honest(self, message)
        return replace(found, bodies=bodies) if isinstance(found, BlockBodies) else found

    peer.answer = wrong
    play = Play(line).join(peer).run()
    assert "bodies" in drop_reason(play, peer)
    assert play.imported == []
    assert play.follower.status().look_ahead_blocks == 0


def test_peer_that_only_lacks_bodies_of_anothers_headers_is_not_blamed(line: Line, other_line: Line) -> None:
    """A liar's made-up headers are asked of honest peers too; that they have no such bodies is no fault of theirs."""
    liar, honest = Peer("liar", other_line, 900), Peer("honest", line, 900)
    liar.answer = lambda self, message: None if isinstance(message, GetBlockBodies) else Peer.honest(self, message)
    play = Play(line).join(liar, honest).run().wait(40)
    assert play.imported == list(range(1, 901))
    assert honest.node_id in play.peers
    assert liar.node_id not in play.peers


def test_claim_that_is_not_kept_is_forgotten_and_the_third_costs_the_session(line: Line) -> None:
    peer = Peer("p", line, 9)
    play = Play(line, head=9).join(peer).run()
    for turn in range(3):
        assert play.drops == []
        play.take(play.follower.upon_new_block_hashes(peer.node_id, NewBlockHashes(((bytes(32), 10**6 + turn),)), 0))
        play.run()
        assert play.follower.status().highest == 9
    assert play.drops == [(peer.node_id, "has not the blocks that it announces", False)]


def test_unasked_answers_cost_the_session(line: Line) -> None:
    for found in (BlockHeaders(77, ()), BlockBodies(77, ())):
        peer = Peer("p", line, 9)
        play = Play(line, head=9).join(peer).run()
        play.deliver(peer, found)
        assert "nothing was asked" in drop_reason(play, peer)


def test_answer_of_the_wrong_kind_costs_the_session(line: Line) -> None:
    peer = Peer("p", line, 9)
    peer.answer = lambda self, message: BlockBodies(message.request_id, ())
    assert "nothing was asked" in drop_reason(Play(line).join(peer).run(), peer)


# -- slow peers and leaving ones --------------------------------------------------------------------------------------


def test_stalled_peers_requests_go_to_another(line: Line) -> None:
    stalled, honest = Peer("a", line, 300), Peer("b", line, 200)
    stalled.answer = only_its_head
    play = Play(line)
    play.join(stalled, honest).run()
    assert play.imported == []
    play.wait(6)
    assert play.imported == list(range(1, 201))
    assert play.drops == []
    play.wait(30)
    assert play.drops == [(stalled.node_id, "did not answer 3 requests in time", False)]
    assert play.follower.status().is_level


def test_silent_peer_is_dropped_after_three_stalls(line: Line) -> None:
    peer = Peer("p", line, 30)
    peer.answer = silent
    play = Play(line).join(peer).run().wait(14)
    assert play.drops == []
    play.wait(2)
    assert play.drops == [(peer.node_id, "did not answer 3 requests in time", False)]


def test_late_answer_is_ignored_not_punished(line: Line) -> None:
    peer = Peer("p", line, 30)
    peer.answer = silent
    play = Play(line).join(peer).run()
    first = peer.asked[0]
    play.wait(6)
    play.deliver(peer, Peer.honest(peer, first))
    assert play.drops == []
    peer.answer = Peer.honest
    play.wait(6)
    assert play.imported == list(range(1, 31))


def answering_after(play: Play, peer: Peer, delay_s: float, seconds: int) -> None:
    """Let time pass while a peer answers everything, so much later."""
    due: deque[tuple[float, GetBlockHeaders | GetBlockBodies]] = deque()
    for _ in range(seconds):
        due.extend([(play.now_s + delay_s, message) for message in peer.asked])
        peer.asked.clear()
        play.wait(1)
        while due and due[0][0] <= play.now_s:
            play.deliver(peer, Peer.honest(peer, due.popleft()[1]))
            play.run()


@pytest.mark.parametrize("delay_s", [4, 8, 14])
def test_peer_that_is_slow_is_given_time_and_never_dropped(line: Line, delay_s: float) -> None:
    """On a slow link or a busy machine: the chain comes all the same."""
    peer = Peer("p", line, 300)
    peer.answer = silent
    play = Play(line).join(peer).run()
    answering_after(play, peer, delay_s, 500)
    assert play.drops == []
    assert play.imported == list(range(1, 301))


def test_slow_peer_is_asked_after_the_quick_ones(line: Line) -> None:
    slow, quick = Peer("a", line, 300), Peer("b", line, 200)
    slow.answer = silent
    play = Play(line).join(slow).run()
    answering_after(play, slow, 14, 20)
    assert play.imported == []
    play.join(quick).run()
    answering_after(play, slow, 14, 20)
    assert play.imported == list(range(1, 201))
    assert play.drops == []


def test_peer_that_drips_loses_the_lead(line: Line) -> None:
    slow, quick = Peer("a", line, 600), Peer("b", line, 599)

    def drip(self: Peer, message: GetBlockHeaders | GetBlockBodies) -> BlockHeaders | BlockBodies | None:
        found = Peer.honest(self, message)
        return replace(found, headers=found.headers[:1]) if isinstance(found, BlockHeaders) else found

    slow.answer = drip
    play = Play(line).join(slow, quick).run()
    assert play.imported[-1] == 600
    from_slow = [m for m in slow.asked if isinstance(m, GetBlockHeaders)]
    assert len(from_slow) < 12


def test_leaving_peer_takes_its_headers_along_and_others_go_on(line: Line) -> None:
    leaver, other = Peer("a", line, 300), Peer("b", line, 300)
    leaver.answer = lambda self, message: None if isinstance(message, GetBlockBodies) else Peer.honest(self, message)
    play = Play(line).join(leaver).run()
    assert play.follower.status().look_ahead_blocks > 0
    play.peers.pop(leaver.node_id)
    play.take(play.follower.upon_gone(leaver.node_id, 0))
    assert play.follower.status().look_ahead_blocks == 0
    play.join(other).run()
    assert play.imported == list(range(1, 301))


def test_unknown_peers_are_ignored(line: Line) -> None:
    play = Play(line)
    assert play.follower.upon_headers(b"who", BlockHeaders(1, ()), 0) == []
    assert play.follower.upon_gone(b"who", 0) == []
    assert play.follower.upon_new_block(b"who", NewBlock(line[1], 1), 0) == []


# -- what is hashed at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gas_used", "is_taken"), [(42_000, True), (41_999, False)])
def test_new_block_with_more_transactions_than_its_gas_pays_is_not_hashed(
    line: Line, gas_used: int, is_taken: bool
) -> None:
    block = line[2]
    assert len(block.transactions) == 2
    announced = replace(block, header=replace(block.header, gas_used=gas_used))
    peer = Peer("a", line, 1)
    play = Play(line).join(peer).run()
    play.is_importing = False
    play.take(play.follower.upon_new_block(peer.node_id, NewBlock(announced, 1), 0))
    assert [reason for _, reason, _ in play.drops] == (
        [] if is_taken else ["new block 2: the transactions are not those of its header"]
    )


def test_root_of_a_body_is_computed_once_for_all_blocks_asked_for(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(items: Sequence[bytes]) -> bytes:
        sizes.append(len(items))
        return ordered_root(items)

    monkeypatch.setattr(lookahead, "ordered_root", counted)
    headers = [line.header(number) for number in range(1, 10)]
    wrong = lookahead.Delivered((b"\x02other",))
    assert not any(wrong.is_of(header) for header in headers)
    assert sizes == [1]
    many = lookahead.Delivered((b"\x02",) * 3)
    assert not any(many.is_of(header) for header in headers)
    assert sizes == [1]
    assert lookahead.Delivered(line[2].transactions).is_of(line.header(2))


@pytest.mark.parametrize("excess", [0, 1])
def test_gas_that_no_block_near_the_head_can_have_costs_the_session(line: Line, excess: int) -> None:
    limit = line.header(0).gas_limit
    peer = Peer("a", line, 0)
    for gas_limit, gas_used in ((limit, limit + excess), (100 * limit, 4 * limit + excess)):
        header = replace(line.header(1), gas_limit=gas_limit, gas_used=gas_used)
        play = Play(line).join(peer)
        play.is_importing = False
        block = replace(line[1], header=header)
        play.take(play.follower.upon_new_block(peer.node_id, NewBlock(block, 1), 0))
        assert [is_fault for _, _, is_fault in play.drops] == [True] * excess
        assert all("gas used, expected at most" in reason for _, reason, _ in play.drops)


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_look_ahead_is_bounded_in_blocks(line: Line) -> None:
    play = Play(line, FollowLimits(look_ahead_blocks=100, headers_at_once=40))
    play.is_importing = False
    play.join(Peer("a", line, 900), Peer("b", line, 900)).run()
    assert 60 <= play.most_blocks <= 100
    play.is_importing = True
    play.run()
    assert play.imported == list(range(1, 901))
    assert play.most_blocks <= 100


def test_look_ahead_is_bounded_in_bytes(line: Line) -> None:
    """Bodies of 100 kB: no further one is asked for once the bound is reached."""
    fat = make_fat(line, 200)
    limits = FollowLimits(look_ahead_bytes=3_000_000, bodies_at_once=8)
    play = Play(fat, limits)
    play.is_importing = False
    play.join(Peer("a", fat, 199), Peer("b", fat, 199)).run()
    assert play.most_bytes <= 3_000_000 + 2 * 8 * 100_700
    assert play.most_bytes >= 2_900_000
    play.is_importing = True
    play.run()
    assert play.imported == list(range(1, 200))
    assert play.most_bytes <= 3_000_000 + 2 * 8 * 100_700


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_answers_leads_to_the_same_end(line: Line, other_line: Line, forked_line: Line, seed: int) -> None:
    """Five peers, two of them liars, one leaving; answers in random order."""
    rng = random.Random(seed)
    peers = [Peer("a", line, 330), Peer("b", line, 250), Peer("c", line, 330)]
    liars = [Peer("d", other_line, 700), Peer("e", forked_line, 399)]
    everyone = [*peers, *liars]
    rng.shuffle(everyone)
    play = Play(line, FollowLimits(headers_at_once=rng.choice([7, 50, 192])), seed=seed).join(*everyone)
    for _ in range(rng.randrange(200)):
        if play.pending:
            play._perform(play.pending.popleft())
    leaver = rng.choice(peers[1:])
    if leaver.node_id in play.peers:
        del play.peers[leaver.node_id]
        play.take(play.follower.upon_gone(leaver.node_id, play.now_s))
    play.run().wait(30)
    assert play.imported == list(range(1, 331))
    assert {node_id for node_id, _, _ in play.drops} == {liar.node_id for liar in liars}
