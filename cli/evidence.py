"""What a ledger says about one certificate, gathered from a node into the facts that a verdict is made of.

All reads are as of one final block. Whatever cannot be read stays None, so that the verdict says "could not check".
"""

from collections.abc import Iterator

from cocket.attestation.printed_verdict import Signer
from cocket.attestation.prove import Anchor
from cocket.attestation.verdict import BatchFacts, BlockPoint, IssuerFacts, ItemChange, LedgerFacts, Mandate, Use
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.contracts import certificates, consortium, participants
from cocket.contracts.events import (
    BatchWithdrawn,
    Event,
    ItemReinstated,
    ItemSuperseded,
    ItemSuspended,
    ItemUsed,
    ItemWithdrawn,
    UseReleased,
    decode_log,
    event_topic,
)
from cocket.node.bundle.item import change_reason


def gather_facts(client: NodeClient, anchor: Anchor, moment_s: int) -> LedgerFacts:
    """Return the facts about an anchored item, with the issuer's standing at ``moment_s`` (UNIX seconds) among them.

    :raises CommandError: the node cannot be reached, or is catching up: what it does not know yet would read as a no.
    """
    highest = client.syncing_to()
    head = client.block_number()
    if highest is not None:
        raise CommandError(
            f"{client.url}: this node is catching up (block {head} of {highest}); ask it again when it is level, or "
            "another",
            Exit.COULD_NOT_CHECK,
        )
    as_of = BlockPoint(head, client.block_time_s(head))
    facts = LedgerFacts(client.chain_id(), client.genesis_hash(), certificates.ADDRESS, as_of)
    if (anchor.chain_id, anchor.genesis_hash, anchor.contract) != (facts.chain_id, facts.genesis_hash, facts.contract):
        return facts
    record = client.view(certificates.ADDRESS, certificates.batch(anchor.batch), head)
    if record.anchored_at == 0:
        return LedgerFacts(facts.chain_id, facts.genesis_hash, facts.contract, as_of, has_batch=False)
    anchored = BlockPoint(block_at(client, record.anchored_at, head), record.anchored_at)
    events = list(_events(client, anchor, anchored.number or 0, head))
    return LedgerFacts(
        facts.chain_id,
        facts.genesis_hash,
        facts.contract,
        as_of,
        has_batch=True,
        batch=BatchFacts(record.depth, record.kind, record.participant, anchored, record.valid_from, record.valid_to),
        changes=tuple(_changes(events)),
        issuer=_issuer(client, record, head, (record.anchored_at, min(moment_s, as_of.time_s))),
        uses=tuple(_uses(client, events, head)),
    )


def signer_standing(client: NodeClient, participant: int, account: bytes) -> Signer:
    """Return whether an account is, was or never was a key of a participant, as of the node's last block."""
    span = client.view(participants.ADDRESS, participants.key_span(participant, account))
    return Signer(account, "none" if not span.valid_from else "ended" if span.valid_to else "in force")


def block_at(client: NodeClient, time_s: int, head: int) -> int:
    """Return the last block that is not later than a moment: block times only grow, so a search by halves finds it."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        if client.block_time_s(middle) <= time_s:
            low = middle
        else:
            high = middle - 1
    return low


def _events(client: NodeClient, anchor: Anchor, first: int, last: int) -> Iterator[tuple[Event, BlockPoint]]:
    """Yield what happened to an item and its batch, oldest first."""
    index = anchor.index.to_bytes(32, "big")
    found = [*client.logs(certificates.ADDRESS, [None, anchor.batch, index], first, last)]
    found += client.logs(certificates.ADDRESS, [event_topic(BatchWithdrawn), anchor.batch], first, last)
    for entry in sorted(found, key=lambda entry: entry.block_number):
        event = decode_log(entry.address, entry.topics, entry.data)
        if event is not None:
            yield event, BlockPoint(entry.block_number, client.block_time_s(entry.block_number))


def _changes(events: list[tuple[Event, BlockPoint]]) -> Iterator[ItemChange]:
    for event, at in events:
        match event:
            case ItemSuspended() | ItemWithdrawn() | BatchWithdrawn():
                is_batch = isinstance(event, BatchWithdrawn)
                reason = change_reason(event.reason, is_by_authority=event.by_authority, is_batch=is_batch)
                yield ItemChange("suspended" if isinstance(event, ItemSuspended) else "withdrawn", at, reason)
            case ItemReinstated():
                yield ItemChange("in force", at)
            case ItemSuperseded():
                yield ItemChange("superseded", at, successor=f"0x{event.by_batch.hex()} item {event.by_index}")


def _uses(client: NodeClient, events: list[tuple[Event, BlockPoint]], head: int) -> Iterator[Use]:
    """Yield what each authority has used, less what it gave back, as of its last claim."""
    shares: dict[int, int] = {}
    points: dict[int, BlockPoint] = {}
    for event, at in events:
        if isinstance(event, ItemUsed):
            shares[event.authority] = shares.get(event.authority, 0) + event.share
            points[event.authority] = at
        elif isinstance(event, UseReleased):
            shares[event.authority] = shares.get(event.authority, 0) - event.share
    for authority, share in shares.items():
        if share > 0:
            country = client.view(consortium.ADDRESS, consortium.authority(authority), head).country
            yield Use(country, share, points[authority])


def _issuer(client: NodeClient, record: certificates.Batch, head: int, moments_s: tuple[int, ...]) -> IssuerFacts:
    """Return the issuer's mandate as it stood at these moments, its authority's standing counted in."""
    country = client.view(consortium.ADDRESS, consortium.authority(record.authority), head).country
    mandates: dict[tuple[int, str], Mandate] = {}
    for moment_s in moments_s:
        held = client.view(participants.ADDRESS, participants.mandate_at(record.participant, moment_s), head)
        if held.status is participants.MandateStatus.UNKNOWN:
            continue
        since = BlockPoint(block_at(client, held.since, head), held.since)
        reason = f"reason code {held.reason}" if held.reason else ""
        entry = _mandate(held, since, reason)
        mandates[held.since, entry.status] = entry
        standing = client.view(consortium.ADDRESS, consortium.standing_at(record.authority, moment_s), head)
        if standing.status is not consortium.Status.ACTIVE and standing.since > held.since:
            at = BlockPoint(block_at(client, standing.since, head), standing.since)
            word = f"its accrediting authority {country} was {standing.status.name.lower()}"
            mandates[standing.since, "suspended"] = Mandate(
                "suspended", at, entry.kinds, entry.valid_from_s, entry.valid_until_s, word
            )
    ordered = tuple(mandates[key] for key in sorted(mandates))
    return IssuerFacts(record.participant, country, ordered)


def _mandate(held: participants.Mandate, since: BlockPoint, reason: str) -> Mandate:
    kinds = tuple(sorted(held.kinds))
    match held.status:
        case participants.MandateStatus.SUSPENDED:
            return Mandate("suspended", since, kinds, held.valid_from, held.valid_to, reason)
        case participants.MandateStatus.ENDED:
            return Mandate("ended", since, kinds, held.valid_from, held.valid_to, reason)
        case _:
            return Mandate("active", since, kinds, held.valid_from, held.valid_to)
