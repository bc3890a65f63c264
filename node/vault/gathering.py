"""Gathering: asks custodians for their masks, as many as it takes and no more, until the groups open.

One that does not answer, says no, or answers falsely is replaced by the next; who lied is known by name.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cocket.attestation.errors import FalseShare, InvalidFile
from cocket.attestation.prove import OpenGroup
from cocket.attestation.reading.exchange import Given, Release
from cocket.attestation.reading.receipt import Receipt
from cocket.attestation.sealing.custody import Seat
from cocket.attestation.sealing.record import group_key, open_group
from cocket.node.errors import NodeError, Refused, Unavailable
from cocket.node.vault.connection import ReadRefused


@dataclass(frozen=True, slots=True)
class Masks:
    """What one custodian answered: its masks by record and group, and its receipt."""

    authority: int
    masks: tuple[dict[int, bytes], ...]
    receipt: Receipt


@dataclass(slots=True)
class Gathered:
    """What came of it: the groups of each record with their keys, whose masks opened them, and whose were false."""

    opened: list[dict[int, OpenGroup]] = field(default_factory=list)
    keys: list[dict[int, bytes]] = field(default_factory=list, repr=False)
    answers: dict[int, Masks] = field(default_factory=dict)
    liars: list[int] = field(default_factory=list)
    failures: list[NodeError] = field(default_factory=list)


def gather(release: Release, ask: Callable[[Seat], Masks]) -> Gathered:
    """Return the groups of a release's records, opened with the masks that ``ask`` gets from the holder of a seat.

    :raises ReadRefused: too many say no to reach the threshold; says the first one's reason.
    :raises Unavailable: too many do not answer; says who.
    :raises Refused: too many lied, or the record opens to something else than was attested.
    """
    threshold, seats = release.custody.threshold, release.custody.custodians
    waiting = list(enumerate(seats, 1))
    gathered = Gathered()
    with ThreadPoolExecutor(threshold) as threads:
        while True:
            missing = threshold - len(gathered.answers)
            asked, waiting = waiting[:missing], waiting[missing:]
            if len(asked) < missing:
                raise _failure(gathered, threshold, len(seats))
            outcomes = threads.map(lambda numbered: _outcome(ask, numbered[1]), asked)
            for (number, _), outcome in zip(asked, outcomes, strict=True):
                if isinstance(outcome, NodeError):
                    gathered.failures.append(outcome)
                else:
                    gathered.answers[number] = outcome
            if len(gathered.answers) == threshold:
                try:
                    gathered.keys = [_keys(release, *each, gathered.answers) for each in enumerate(release.records)]
                    gathered.opened = [_opened(*each) for each in zip(release.records, gathered.keys, strict=True)]
                except FalseShare as error:
                    gathered.liars.append(gathered.answers.pop(error.number).authority)
                except InvalidFile as error:
                    raise Refused(f"the record was not sealed as its manifest says: {error}") from None
                else:
                    return gathered


def _outcome(ask: Callable[[Seat], Masks], seat: Seat) -> Masks | NodeError:
    try:
        return ask(seat)
    except (Refused, Unavailable) as error:
        return error


def _keys(release: Release, at: int, record: Given, answers: dict[int, Masks]) -> dict[int, bytes]:
    keys = {}
    for group in record.ciphertexts:
        masks = {number: answer.masks[at][group] for number, answer in answers.items()}
        keys[group] = group_key(record.manifest, release.custody.threshold, group, masks)
    return keys


def _opened(record: Given, keys: dict[int, bytes]) -> dict[int, OpenGroup]:
    return {
        group: open_group(record.manifest, group, ciphertext, keys[group])
        for group, ciphertext in record.ciphertexts.items()
    }


def _failure(gathered: Gathered, threshold: int, count: int) -> NodeError:
    """Return why the threshold cannot be reached: a refusal before all else, for that is what a person can act on."""
    failures: Sequence[NodeError] = gathered.failures
    refusals = [each for each in failures if isinstance(each, ReadRefused)]
    if refusals:
        return refusals[0]
    words = [str(each) for each in failures]
    words += [f"the custodian of authority {each} answered with a false mask" for each in gathered.liars]
    kind = Refused if gathered.liars and not failures else Unavailable
    return kind(f"{threshold} of {count} custodians must answer, {len(gathered.answers)} did: " + "; ".join(words))
