"""Why a reader may or may not read: the contract asked by a local call as of a block, and the rules it went by."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cocket.attestation.batch import ANY_COUNTRY
from cocket.attestation.prove import Certificate, OpenCountry, Presentation, integrity_of, whole
from cocket.cli.account import format_time
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.evidence import block_at
from cocket.cli.grant_file import Delegated, Grant
from cocket.cli.parties import party_of, party_text
from cocket.cli.terms import extent_text, group_names, kind_names, purpose_names
from cocket.contracts import access, certificates, participants
from cocket.contracts.access import (
    FIRST_PARTICIPANT,
    Claim,
    Decision,
    Evidence,
    Question,
    Reason,
    Residency,
    Right,
    encode_claim,
    encode_evidence,
)

DAY_S = 86_400
_OF_READER = (Reason.UNKNOWN_READER, Reason.READER_NOT_IN_FORCE, Reason.AUTHORITY_NOT_IN_FORCE)
_OF_RIGHT = (Reason.BY_RIGHT, Reason.NO_RIGHT, Reason.OPTED_OUT, Reason.OTHER_COUNTRY, Reason.NOT_IN_BATCH)


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that a reader can show, and what the contract says to it."""

    shown: str
    decision: Decision
    rules: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the fields for scripts."""
        reason = self.decision.reason
        return {
            "shown": self.shown,
            "may_read": self.decision.may_read,
            "reason": reason.name.lower(),
            "code": int(reason),
            "sentence": self.decision.text,
            "rules": list(self.rules),
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reader has at hand, and what its record's vault would show beside."""

    grants: Sequence[tuple[str, Grant]] = ()
    delegation: Delegated | None = None
    evidence: Evidence = field(default_factory=Evidence)


def moment_block(client: NodeClient, day_start: int) -> int:
    """Return the last block of a day, by its first second: the head's, while that day is not over on the ledger.

    :raises CommandError: the day lies before the ledger's first block or after its last one.
    """
    head = client.block_number()
    if client.block_time_s(head) < day_start:
        raise CommandError(
            f"the ledger's last block is of {format_time(client.block_time_s(head))}, before that day; nobody can say "
            "yet",
            Exit.COULD_NOT_CHECK,
        )
    if client.block_time_s(0) >= day_start + DAY_S:
        raise CommandError(f"the ledger begins later, on {format_time(client.block_time_s(0))}", Exit.COULD_NOT_CHECK)
    return block_at(client, day_start + DAY_S - 1, head)


def right_of(shown: Certificate | Presentation) -> Right | None:
    """Return what opens the importing authority's default right, as a vault knows it; None where the country is hidden.

    :raises CommandError: the certificate was changed since it was issued, so it opens nothing.
    """
    presentation = whole(shown) if isinstance(shown, Certificate) else shown
    country, anchor = presentation.country, presentation.anchor
    integrity = integrity_of(presentation)
    if integrity.problems or integrity.document_root is None:
        problem = integrity.problems[0].text() if integrity.problems else "it leads to no root"
        raise CommandError(f"the certificate was changed since it was issued: {problem}", Exit.VERIFICATION_NO)
    if anchor is None or not isinstance(country, OpenCountry):
        return None
    return Right(integrity.document_root, country.country, country.salt, anchor.path)


class Explanation:
    """Asks the contract as of one block, each way that a reader has: its grants one by one, then without any."""

    def __init__(self, client: NodeClient, question: Question, shown: Shown, block: int) -> None:
        self._client, self._question, self._shown, self.block = client, question, shown, block
        self.record = client.view(certificates.ADDRESS, certificates.batch(question.batch), block)
        self.ways = tuple([self._way(name, grant) for name, grant in shown.grants] + [self._way("no grant", None)])

    @property
    def best(self) -> Way:
        """Return the first way that is a yes; else the first one."""
        return next((way for way in self.ways if way.decision.may_read), self.ways[0])

    def _way(self, name: str, grant: Grant | None) -> Way:
        shown = self._shown
        claim = Claim(
            None if grant is None else grant.scope,
            None if shown.delegation is None else shown.delegation.delegation,
            () if grant is None else grant.officers,
        )
        view = access.may_read(self._question, encode_claim(claim), encode_evidence(shown.evidence))
        decision = self._client.view(access.ADDRESS, view, self.block)
        return Way(name, decision, tuple(self._rules(decision.reason, grant)))

    # -- the rules, told from the same block

    def _rules(self, reason: Reason, grant: Grant | None) -> list[str]:
        """Return what on the ledger the contract went by."""
        match reason:
            case Reason.UNKNOWN_RECORD | Reason.NOTHING_ASKED:
                return []
            case _ if reason in _OF_READER:
                return [self._reader_text()]
            case Reason.FROZEN:
                return [self._freeze_text()]
            case Reason.OUTSIDE_RESIDENCY:
                return [self._residency_text()]
            case Reason.BY_CONTROL:
                return [self._record_text()]
            case _ if reason in _OF_RIGHT:
                return [self._right_text(), *self._delegation_texts()]
            case _ if grant is not None:
                return [self._grant_text(grant), *self._delegation_texts()]
            case Reason.OTHER_GROUPS | Reason.OTHER_PURPOSE if self._shown.evidence.right is not None:
                return [self._right_text(), *self._delegation_texts()]
            case _:
                return [self._record_text(), *self._delegation_texts()]

    def _record_text(self) -> str:
        record = self.record
        return (
            f"the record is of participant {record.participant}, under "
            f"{party_text(self._client, record.authority)}, anchored {format_time(record.anchored_at)}"
        )

    def _reader_text(self) -> str:
        account = f"account 0x{self._question.reader.hex()}"
        party = party_of(self._client, self._question.reader, self.block)
        if not party:
            return f"{account} acts for nobody"
        if party < FIRST_PARTICIPANT:
            return f"{account} acts for {party_text(self._client, party)}"
        held = self._client.view(participants.ADDRESS, participants.mandate(party - FIRST_PARTICIPANT), self.block)
        return (
            f"{account} acts for {party_text(self._client, party)} of {party_text(self._client, held.authority)}, "
            f"mandate {held.status.name.lower()}, from {format_time(held.valid_from)} to {format_time(held.valid_to)}"
        )

    def _freeze_text(self) -> str:
        question = self._question
        view = access.frozen_for(question.batch, question.index, self.record.participant)
        return f"frozen with reason code {self._client.view(access.ADDRESS, view, self.block)}"

    def _residency_text(self) -> str:
        view = access.residency_of(self._question.batch, self.record.participant)
        found = self._client.view(access.ADDRESS, view, self.block)
        shown = self._shown.evidence.residency
        said = "no --residency file was shown" if shown is None else f"shown: {', '.join(shown.countries)}"
        return f"the batch is bound to countries by the hash 0x{found.hex()}; {said}"

    def _right_text(self) -> str:
        record, right = self.record, self._shown.evidence.right
        found = self._client.view(access.ADDRESS, access.default_right_at(record.kind, record.anchored_at), self.block)
        names = ", ".join(group_names(found.groups, record.kind)) or "no groups"
        country = "its importing country was not shown"
        if right is not None:
            country = (
                "it states no importing country" if right.country == ANY_COUNTRY else f"it goes to {right.country}"
            )
        return (
            f"default right to {', '.join(kind_names([record.kind]))} anchored {format_time(record.anchored_at)}: "
            f"{names} for {', '.join(purpose_names(found.purposes)) or 'no purpose'}; {country}"
        )

    def _grant_text(self, grant: Grant) -> str:
        scope = grant.scope
        kind = next(iter(scope.kinds), self.record.kind)
        return (
            f"{grant.what} to {party_text(self._client, scope.reader)}: {extent_text(scope)}; "
            f"{', '.join(group_names(scope.groups, kind))} for {', '.join(purpose_names(scope.purposes))}; "
            f"{standing_text(self._client, grant.commitment, self.block)}"
        )

    def _delegation_texts(self) -> list[str]:
        delegated = self._shown.delegation
        if delegated is None:
            return []
        delegation = delegated.delegation
        return [
            f"delegation of {party_text(self._client, delegation.authority)} to officer 0x{delegation.officer.hex()}: "
            f"{', '.join(group_names(delegation.groups, self.record.kind))} for "
            f"{', '.join(purpose_names(delegation.purposes))}; "
            f"{standing_text(self._client, delegated.commitment, self.block)}"
        ]


def standing_text(client: NodeClient, commitment: bytes, block: int) -> str:
    """Return what the ledger has under a commitment, as people read it."""
    found = client.view(access.ADDRESS, access.commitment_of(commitment), block)
    if not found.made_at:
        return f"commitment 0x{commitment.hex()} does not stand on the ledger"
    said = (
        f"commitment 0x{commitment.hex()} of {party_text(client, found.party)}, made {format_time(found.made_at)}, "
        f"from {format_time(found.valid_from)} to {format_time(found.valid_to)}"
    )
    if found.withdrawn_at:
        said += f", withdrawn {format_time(found.withdrawn_at)} (reason {found.reason})"
    return said


def evidence_of(shown: Certificate | Presentation | None, residency: Residency | None) -> Evidence:
    """Return what the vault of a certificate would show beside a claim."""
    return Evidence(None if shown is None else right_of(shown), residency)
