"""What a ``Diagnosis`` means: findings, the gravest first, each with who, what was seen and what to do.

Pure. It says no more than one node's view allows: where two causes look alike from there it names both, and where
nothing tells, it says so. The sentences are for the people who run the node of an authority; validators are called by
their country.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cocket.node.consensus.validators import quorum
from cocket.node.diagnosis import Diagnosis, ValidatorView
from cocket.node.findings import (
    CLOCK_TOLERANCE_MS,
    Finding,
    Severity,
    clock_off,
    gravest_first,
    judge_clocks,
    judge_room,
    names_of,
    seconds_of,
)
from cocket.node.observations import MISFIT

MISSED_TURNS_MIN: Final = 2
"""One turn may pass for any reason."""
BY_PROPOSALS: Final = "Read from the times in proposals, so to about a second."


@dataclass(frozen=True, slots=True)
class Roll:
    """The validators by what this node sees them do; ``needed`` of ``count`` must take part for a block.

    ``away`` have no session, ``silent`` are connected without a word, ``idle`` speak but agree to no block.
    """

    count: int
    needed: int
    away: tuple[ValidatorView, ...]
    silent: tuple[ValidatorView, ...]
    idle: tuple[ValidatorView, ...]
    active: int

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those who take no part."""
        return tuple(sorted([validator.name for validator in (*self.away, *self.silent)]))


def call_roll(diagnosis: Diagnosis) -> Roll:
    """Return who takes part, as far as this node can know.

    A node that validates nothing hears no votes: for it, whoever is connected takes part.
    """
    validators, patience_s = diagnosis.validators, diagnosis.patience_s
    others = [validator for validator in validators if not validator.is_self]
    away = [validator for validator in others if not validator.is_connected]
    hears = diagnosis.round is not None and diagnosis.syncing_to is None and not _has_not_begun(diagnosis)
    settled = [v for v in others if v.is_connected and (v.connected_s or 0.0) > patience_s] if hears else []
    silent = [v for v in settled if _is_past(v.spoke_s, patience_s)]
    idle = [
        v
        for v in settled
        if v not in silent
        and _is_past(v.agreed_s, 2 * patience_s)
        and (v.connected_s or 0.0) > 2 * patience_s
        and not is_overdue(diagnosis)
    ]
    watches_itself = diagnosis.is_validator and diagnosis.is_watching
    active = len(validators) - len(away) - len(silent) - watches_itself
    return Roll(len(validators), quorum(len(validators)), tuple(away), tuple(silent), tuple(idle), active)


def judge(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """Return all findings, the gravest first; of one severity those nearest to a cause first."""
    roll = call_roll(diagnosis)
    found = [
        *_of_genesis(diagnosis, roll),
        *_of_itself(diagnosis, roll),
        *_of_clocks(diagnosis),
        *_of_disagreement(diagnosis),
        *_of_others(diagnosis, roll),
        *_of_progress(diagnosis, roll),
    ]
    off = {name for finding in found if finding.code == "clock-off" for name in finding.who}
    found = [finding for finding in found if not is_clocks_work(finding, off)]
    if is_overdue(diagnosis) and not any(finding.is_illness for finding in found):
        found.append(
            Finding(
                "unknown",
                Severity.CRITICAL,
                (),
                f"No block comes, and {diagnosis.who} cannot tell why.",
                "Ask the other validators too: cocket doctor --node URL --node URL ...",
            )
        )
    return gravest_first(found)


def is_clocks_work(finding: Finding, off: Collection[str]) -> bool:
    """Whether a finding only says what follows from these validators' clocks being off."""
    return finding.code in ("agrees-to-nothing", "turns-missed") and all(name in off for name in finding.who)


def headline(diagnosis: Diagnosis, found: Sequence[Finding]) -> str:
    """Return the one sentence to read first."""
    roll = call_roll(diagnosis)
    ill = [finding for finding in found if finding.is_illness]
    if is_overdue(diagnosis):
        start = f"No block for {seconds_of(diagnosis.since_block_s)}"
        if roll.active < roll.needed and roll.missing and not any(f.code == "genesis-differs" for f in ill):
            are = "is" if len(roll.missing) == 1 else "are"
            return (
                f"{start}: {len(roll.missing)} of {roll.count} validators {are} missing "
                f"({', '.join(roll.missing)}); {roll.needed} are needed."
            )
        return f"{start}: {ill[0].seen}" if ill else f"{start}."
    if ill:
        return ill[0].seen if ill[0].severity is Severity.CRITICAL else f"Blocks come, but: {ill[0].seen}"
    return (
        f"Healthy: {diagnosis.who} is at block {diagnosis.height}, {seconds_of(diagnosis.since_block_s)} old; "
        f"{roll.active} of {roll.count} validators take part, {roll.needed} are needed."
    )


def is_overdue(diagnosis: Diagnosis) -> bool:
    """Whether a block is overdue, and not because this node is catching up or the network has yet to begin."""
    is_late = diagnosis.since_block_s >= diagnosis.patience_s
    return is_late and diagnosis.syncing_to is None and not _has_not_begun(diagnosis)


# -- this node ---------------------------------------------------------------------------------------------------------


def _of_genesis(diagnosis: Diagnosis, roll: Roll) -> Iterator[Finding]:
    who, foreign = diagnosis.who, [validator.name for validator in roll.away if _is_foreign(validator)]
    is_odd = len(foreign) * 2 > roll.count - 1 and len(foreign) > 1
    for name in [who] if is_odd else foreign:
        trouble = next(v.trouble for v in roll.away if _is_foreign(v) and (is_odd or v.name == name))
        yield Finding(
            "genesis-differs",
            Severity.CRITICAL if is_odd else Severity.WARNING,
            (name,),
            f"{name} is on another network than {names_of(foreign) if is_odd else who}: {trouble}.",
            f"Compare the genesis_hash that all confirmed with {name}'s genesis.json, and put the confirmed file back.",
        )


def _of_itself(diagnosis: Diagnosis, roll: Roll) -> Iterator[Finding]:
    who = diagnosis.who
    if diagnosis.validators_trouble is not None:
        yield Finding(
            "validators-unreadable",
            Severity.CRITICAL,
            (),
            f"The consortium contract does not say who validates: {diagnosis.validators_trouble}.",
            "No block can follow until it does. Report this; all nodes see the same.",
        )
    for refused in diagnosis.refused_blocks[-1:]:
        if refused.height > diagnosis.height:
            yield Finding(
                "block-refused",
                Severity.CRITICAL,
                (who,),
                f"{who} refuses block {refused.height} that a peer brought as sealed: {refused.reason}.",
                f"If the others have that block, {who} is the odd one out: compare its version and its genesis.json "
                "with theirs, and keep its data for the report. If they do not, a peer lies.",
            )
    if diagnosis.is_validator and diagnosis.is_watching:
        yield _watching(diagnosis, roll)
    if diagnosis.address is not None and not diagnosis.is_validator:
        yield Finding(
            "no-seat",
            Severity.WARNING,
            (who,),
            f"{who}'s node has a validator key ({diagnosis.address}) that has no seat among the "
            f"{roll.count} validators, so it takes no part in making blocks.",
            "cocket authority list says how the authority stands and which key it has. An admitted one takes its seat "
            "with cocket authority activate; for a node that is to follow only, set validates = false in node.toml.",
        )
    if diagnosis.peers == 0 and any(not v.is_self and not _is_foreign(v) for v in diagnosis.validators):
        yield Finding(
            "no-peers",
            Severity.CRITICAL,
            (who,),
            f"{who} is connected with no other node.",
            f"Look at the network between {who} and the others first, then at [peers] in its node.toml.",
        )
    yield from judge_room(who, diagnosis.free_bytes, "its data")


def _watching(diagnosis: Diagnosis, roll: Roll) -> Finding:
    who = diagnosis.who
    seen = f"{who} only watches: its signing journal was missing or older than its chain when it started"
    if not is_overdue(diagnosis) or (roll.active >= roll.needed and not roll.silent):
        return Finding(
            "watching",
            Severity.WARNING,
            (who,),
            f"{seen}.",
            "Nothing: it votes again by itself once a block proposed after its start is final. Find out who removed "
            "the journal.",
        )
    silent = [validator.name for validator in roll.silent]
    besides = f"; {names_of(silent)}, connected but without a word, may do the same" if silent else ""
    return Finding(
        "watching",
        Severity.CRITICAL,
        (who,),
        f"{seen}{besides}.",
        "Ask the others with cocket doctor. When more validators watch than may be away, see that none of their keys "
        "runs twice, then start each once with cocket node run --trust-journal.",
    )


# -- clocks ------------------------------------------------------------------------------------------------------------


def _of_clocks(diagnosis: Diagnosis) -> Iterator[Finding]:
    """Yield whose clock is off: by the head, else by the times in proposals, else by proposals dropped as too early."""
    who = diagnosis.who
    others = [validator for validator in diagnosis.validators if not validator.is_self]
    clocks = {validator.name: validator.clock_ms for validator in others if validator.clock_ms is not None}
    told = tuple(judge_clocks({**clocks, who: 0}, BY_PROPOSALS))
    early = {rejection.name: rejection.reason for rejection in diagnosis.rejections if "too early" in rejection.reason}
    ahead_s = diagnosis.head_timestamp - diagnosis.now_ms / 1000
    if _has_not_begun(diagnosis):
        yield Finding(
            "not-begun",
            Severity.NOTE,
            (),
            f"The network begins in {seconds_of(ahead_s)}, by {who}'s clock: so says its genesis.",
            "Nothing, if the clock is right.",
        )
    elif ahead_s * 1000 > CLOCK_TOLERANCE_MS:
        ahead = f"block {diagnosis.height}, which a quorum sealed, is from {seconds_of(ahead_s)} ahead"
        yield clock_off(who, f"{who}'s clock is behind: {ahead}.", "")
    elif told:
        yield from told
    elif len(early) > 1 and len(early) * 2 > len(others):
        yield clock_off(
            who, f"{who}'s clock is behind: the proposals of {names_of(sorted(early))} come too early.", BY_PROPOSALS
        )
    elif early:
        name = sorted(early)[0]
        yield clock_off(name, f"{name}'s clock seems ahead of {who}'s: its proposal is dropped, {early[name]}.", "")


# -- who disagrees on what ---------------------------------------------------------------------------------------------


def _of_disagreement(diagnosis: Diagnosis) -> Iterator[Finding]:
    who = diagnosis.who
    invalid = [r for r in diagnosis.rejections if r.kind == "proposal" and "block is not valid" in r.reason]
    authors = sorted({rejection.name for rejection in invalid})
    others = [validator for validator in diagnosis.validators if not validator.is_self]
    if len(authors) > 1 and len(authors) * 2 > len(others):
        yield Finding(
            "disagreement",
            Severity.CRITICAL,
            (who,),
            f"{who} rejects the blocks that {names_of(authors)} propose: {invalid[-1].reason}.",
            f"{who} is the odd one out: compare its version and its genesis.json with the others'.",
        )
    else:
        for author in authors:
            last = [rejection for rejection in invalid if rejection.name == author][-1]
            yield Finding(
                "disagreement",
                Severity.WARNING,
                (author,),
                f"{who} rejects what {author} proposes (last {seconds_of(last.last_s)} ago): {last.reason}.",
                f"If the others reject it too, {author} runs another version or another genesis.json, or cheats; "
                f"if they do not, {who} does. cocket doctor --node URL --node URL compares them.",
            )
    yield from _of_split_votes(diagnosis)
    for name, twice in {equivocation.name: equivocation for equivocation in diagnosis.equivocations}.items():
        yield Finding(
            "equivocation",
            Severity.WARNING,
            (name,),
            f"{name} signed two different {twice.kind} messages for block {twice.height}, round {twice.round}: "
            "its key runs twice, or it cheats.",
            f"Ask {name} where its validator key runs. Both signed messages are kept (qbft_getEvidence).",
        )
    if any("signed with our key" in rejection.reason and rejection.count > 1 for rejection in diagnosis.rejections):
        yield Finding(
            "own-key-elsewhere",
            Severity.WARNING,
            (who,),
            f"{who} hears messages signed with its own key that it did not sign in this round.",
            "Just after a restart these are echoes. Otherwise the validator key runs in a second place: stop one.",
        )


def _of_split_votes(diagnosis: Diagnosis) -> Iterator[Finding]:
    """Yield that validators speak for different blocks in one round: only its proposer can cause that."""
    if diagnosis.round is None:
        return
    sides: dict[str, list[str]] = {}
    for validator in diagnosis.validators:
        for vote in validator.votes:
            if vote.kind in ("prepare", "commit") and vote.round == diagnosis.round.round and vote.digest is not None:
                names = sides.setdefault(vote.digest, [])
                if validator.name not in names:
                    names.append(validator.name)
    if len(sides) > 1:
        camps = "; ".join([f"{names_of(sorted(names))} for {digest[:12]}" for digest, names in sorted(sides.items())])
        proposer = _called(diagnosis, diagnosis.round.proposer)
        yield Finding(
            "split-votes",
            Severity.WARNING,
            (proposer,),
            f"In round {diagnosis.round.round} of block {diagnosis.round.height} the votes are for different blocks: "
            f"{camps}. {proposer} proposed both, or who votes for a block that was not proposed cheats.",
            "The next round has another proposer. Ask where the keys of those named run.",
        )


# -- the others --------------------------------------------------------------------------------------------------------


def _of_others(diagnosis: Diagnosis, roll: Roll) -> Iterator[Finding]:
    who, is_short, spare = diagnosis.who, roll.active < roll.needed, roll.active - roll.needed
    severity = Severity.CRITICAL if is_short and is_overdue(diagnosis) else Severity.WARNING
    margin = (
        f"{spare} more may be away before blocks stop."
        if spare > 0
        else f"{roll.active} of {roll.count} take part and {roll.needed} are needed."
    )
    for validator in [validator for validator in roll.away if not _is_foreign(validator)]:
        heard = "" if validator.voted_s is None else f", last heard {seconds_of(validator.voted_s)} ago"
        trouble = f": {validator.trouble}" if validator.trouble else ""
        yield Finding(
            "not-connected",
            severity,
            (validator.name,),
            f"{validator.name} is not connected with {who}{heard}{trouble}.",
            f"Ask {validator.name} whether its node runs; if it does, look at the network between, and at the address "
            f"and key that the ledger lists for it (cocket authority list). {margin}",
        )
    for validator in roll.silent:
        is_behind = validator.claimed_height is not None and validator.claimed_height < diagnosis.height
        at = f" It told of block {validator.claimed_height} last." if is_behind else ""
        yield Finding(
            "silent",
            severity,
            (validator.name,),
            f"{validator.name} is connected but has sent no vote{_since(validator.spoke_s)}: it is catching up, it "
            f"only watches because its signing journal was lost, or its node hangs.{at}",
            f"Ask {validator.name} to run cocket doctor there. {margin}",
        )
    rejected = {rejection.name for rejection in diagnosis.rejections}
    for validator in roll.idle:
        if validator.name not in rejected:
            yield Finding(
                "agrees-to-nothing",
                Severity.WARNING,
                (validator.name,),
                f"{validator.name} is connected and speaks, but has agreed to no block"
                f"{_since(validator.agreed_s)}: its clock is behind, or it holds the blocks of the others to be "
                f"invalid; {who} cannot tell which.",
                f"Ask {validator.name} to run cocket doctor there. {margin}",
            )
    known = {validator.name for validator in (*roll.away, *roll.silent, *roll.idle)} | rejected
    for validator in diagnosis.validators:
        if validator.missed_turns >= MISSED_TURNS_MIN and validator.name not in known:
            yield Finding(
                "turns-missed",
                Severity.WARNING,
                (validator.name,),
                f"{validator.name} takes part, but let its last {validator.missed_turns} turns to propose pass: its "
                "node, its line or its clock is slow, or it was away until just now.",
                f"Look at the load, the clock and the log of {validator.name}'s node.",
            )


def _of_progress(diagnosis: Diagnosis, roll: Roll) -> Iterator[Finding]:
    who, view = diagnosis.who, diagnosis.round
    if diagnosis.syncing_to is not None:
        is_stuck = diagnosis.since_block_s > diagnosis.patience_s
        yield Finding(
            "behind",
            Severity.CRITICAL if is_stuck else Severity.WARNING,
            (who,),
            f"{who} is {diagnosis.syncing_to - diagnosis.height} blocks behind: it has {diagnosis.height} of "
            f"{diagnosis.syncing_to}"
            + (f" and got none for {seconds_of(diagnosis.since_block_s)}." if is_stuck else " and is catching up."),
            "Look at its log and its peers." if is_stuck else "Wait; cocket status shows how far it is.",
        )
    elif view is not None and is_overdue(diagnosis) and roll.active >= roll.needed:
        proposer = _called(diagnosis, view.proposer)
        since = "" if view.since_s is None else f" since {seconds_of(view.since_s)}"
        rounds = [f"{v.name} {v.round}" for v in diagnosis.validators if v.round is not None]
        yield Finding(
            "no-agreement",
            Severity.CRITICAL,
            (proposer,),
            f"Enough validators speak, but round {view.round} of block {view.height} has no end yet{since} (it lasts "
            f"{seconds_of(view.timeout_s)}). It is {proposer}'s turn; "
            + (
                f"{view.prepares} have prepared its proposal and {view.commits} committed."
                if view.has_proposal
                else "no proposal of it has come."
            )
            + (f" Last heard rounds: {', '.join(rounds)}." if rounds else ""),
            "Wait for one more round, which has another proposer; if it stays so, ask the other validators too.",
        )


# -- words -------------------------------------------------------------------------------------------------------------


def _has_not_begun(diagnosis: Diagnosis) -> bool:
    return diagnosis.height == 0 and diagnosis.head_timestamp * 1000 - diagnosis.now_ms > CLOCK_TOLERANCE_MS


def _is_foreign(validator: ValidatorView) -> bool:
    return (validator.trouble or "").startswith(MISFIT)


def _is_past(age_s: float | None, bound_s: float) -> bool:
    return age_s is None or age_s > bound_s


def _called(diagnosis: Diagnosis, address: str) -> str:
    return next((validator.name for validator in diagnosis.validators if validator.address == address), address)


def _since(age_s: float | None) -> str:
    return f" for {seconds_of(age_s)}" if age_s is not None else " since this node started"
