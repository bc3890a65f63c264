"""Between an engagement's file and the ledger: whose signatures it has, and the grants that stand for it."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.engagement import (
    CONTROLLERS_MAX,
    FILE_BYTES_MAX,
    SALT_BYTES,
    Engagement,
    SignedEngagement,
    decode_engagement,
    engagement_hash,
    grant_salt,
)
from cocket.cli.account import format_time
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.grant_file import Grant, Network, encode_opening
from cocket.cli.granting import network_of, require_network
from cocket.cli.parties import find_party
from cocket.cli.standing import Standing, standing_of
from cocket.cli.terms import (
    anchoring_text,
    group_names,
    kind_names,
    parse_anchoring,
    parse_groups,
    parse_kinds,
    parse_period,
    parse_purposes,
    purpose_names,
)
from cocket.contracts import access, participants
from cocket.contracts.access import FIRST_PARTICIPANT, Scope, ScopeKind
from cocket.contracts.participants import Role
from cocket.node.keystore import write_whole


@dataclass(frozen=True, slots=True)
class Draft:
    """What a user would agree on, in the user's words."""

    auditor: str
    controllers: tuple[str, ...]
    kinds: tuple[str, ...]
    anchored_from: str | None
    anchored_to: str | None
    groups: tuple[str, ...]
    purposes: tuple[str, ...]
    first_day: str | None
    end_day: str


def engagement_of(client: NodeClient, draft: Draft) -> Engagement:
    """Return a draft as an engagement, not signed yet.

    :raises CommandError: a name is unknown, a period empty, or the auditor is not accredited as one.
    """
    auditor = _participant(client, draft.auditor)
    controllers = tuple(sorted({_participant(client, name) for name in draft.controllers}))
    if auditor in controllers:
        raise CommandError(f"participant {auditor} cannot audit itself", Exit.USAGE)
    if len(controllers) > CONTROLLERS_MAX:
        raise CommandError(f"{len(controllers)} controllers; expected at most {CONTROLLERS_MAX}", Exit.USAGE)
    if not client.view(participants.ADDRESS, participants.mandate(auditor)).roles & Role.AUDITOR:
        raise CommandError(f"participant {auditor} is not accredited as an auditor", Exit.REFUSED)
    anchored_from, anchored_to = parse_anchoring(draft.anchored_from, draft.anchored_to)
    kinds = parse_kinds(draft.kinds)
    network = network_of(client)
    valid_from, valid_to = parse_period(draft.first_day, draft.end_day, client.block_time_s(client.block_number()))
    return Engagement(
        chain_id=network.chain_id,
        genesis_hash=network.genesis_hash,
        access=network.access,
        auditor=auditor,
        controllers=controllers,
        kinds=kinds,
        anchored_from=anchored_from,
        anchored_to=anchored_to,
        groups=parse_groups(draft.groups, min(kinds)),
        purposes=parse_purposes(draft.purposes),
        valid_from=valid_from,
        valid_to=valid_to,
        salt=secrets.token_bytes(SALT_BYTES),
    )


def _participant(client: NodeClient, name: str) -> int:
    number = find_party(client, name) - FIRST_PARTICIPANT
    if number <= 0:
        raise CommandError(f"{name}: an authority; auditors and controllers are participants", Exit.USAGE)
    return number


def load_engagement(path: Path, network: Network) -> SignedEngagement:
    """Return the engagement in a file.

    :raises CommandError: it holds none, or one of another network.
    """
    try:
        signed = decode_engagement(read_bounded(path, FILE_BYTES_MAX))
    except InvalidFile as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from None
    engagement = signed.engagement
    require_network(path, Network(engagement.chain_id, engagement.genesis_hash, engagement.access), network)
    return signed


def signers(client: NodeClient, signed: SignedEngagement) -> list[int]:
    """Return for which participant each signature's account acts now, 0 for none."""
    return [client.view(participants.ADDRESS, participants.participant_of(signer)) for signer in signed.signers()]


def grant_for(engagement: Engagement, controller: int) -> Grant:
    """Return the grant that a controller gives for an engagement: always the same."""
    scope = Scope(
        kind=ScopeKind.ENGAGEMENT,
        controller=controller,
        reader=access.participant_party(engagement.auditor),
        batch=bytes(32),
        index=0,
        kinds=engagement.kinds,
        anchored_from=engagement.anchored_from,
        anchored_to=engagement.anchored_to,
        groups=engagement.groups,
        purposes=engagement.purposes,
        daily_cap=0,
        reference=engagement_hash(engagement),
        salt=grant_salt(engagement, controller),
    )
    network = Network(engagement.chain_id, engagement.genesis_hash, engagement.access)
    return Grant(network, scope, engagement.valid_from, engagement.valid_to)


def rewritten(client: NodeClient, grant: Grant, controller: int, out: Path) -> bool:
    """Write the file of a controller's grant if that stands on the ledger already; return whether it does.

    :raises CommandError: the controller has ended it, or the file is there.
    """
    found = client.view(access.ADDRESS, access.commitment_of(grant.commitment))
    if not found.made_at or found.party != access.participant_party(controller):
        return False
    if found.withdrawn_at:
        raise CommandError(
            f"participant {controller} ended this engagement on {format_time(found.withdrawn_at)}; draft another",
            Exit.REFUSED,
        )
    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    write_whole(out, encode_opening(grant))
    return True


def require_own(engagement: Engagement, participant: int) -> int:
    """Return the number of a controller of an engagement.

    :raises CommandError: the participant is none.
    """
    if participant not in engagement.controllers:
        raise CommandError(
            f"participant {participant} is no controller in this engagement; they are "
            f"{', '.join(map(str, engagement.controllers))}",
            Exit.REFUSED,
        )
    return participant


@dataclass(frozen=True, slots=True)
class Side:
    """A party of an engagement: whether it has signed, and for a controller how its grant stands."""

    participant: int
    is_signed: bool
    standing: Standing | None

    def as_json(self) -> dict[str, object]:
        """Return the fields for scripts."""
        standing = self.standing
        return {
            "participant": self.participant,
            "side": "auditor" if standing is None else "controller",
            "is_signed": self.is_signed,
            "commitment": None if standing is None else standing.commitment,
            "state": None if standing is None else standing.state,
        }

    def text(self) -> str:
        """Return it as people read it."""
        said = f"participant {self.participant} has {'' if self.is_signed else 'not '}signed"
        if self.standing is None:
            return f"auditor: {said}"
        return f"controller: {said}; its grant 0x{self.standing.commitment.hex()}: {self.standing.state}"


def sides(client: NodeClient, signed: SignedEngagement, block: int) -> list[Side]:
    """Return how all parties of an engagement stand: the auditor first."""
    engagement, signed_by = signed.engagement, signers(client, signed)
    listed = [Side(engagement.auditor, engagement.auditor in signed_by, None)]
    for controller in engagement.controllers:
        standing = standing_of(client, None, grant_for(engagement, controller), block)
        listed.append(Side(controller, controller in signed_by, standing))
    return listed


def terms_text(engagement: Engagement) -> list[str]:
    """Return what was agreed on as people read it."""
    kind = min(engagement.kinds)
    anchored = anchoring_text(engagement.anchored_from, engagement.anchored_to)
    return [
        f"engagement 0x{engagement_hash(engagement).hex()}",
        f"participant {engagement.auditor} may read {', '.join(group_names(engagement.groups, kind))} of "
        f"{', '.join(kind_names(engagement.kinds))} anchored {anchored} by participants "
        f"{', '.join(map(str, engagement.controllers))}",
        f"for {', '.join(purpose_names(engagement.purposes))}, from {format_time(engagement.valid_from)} until "
        f"{format_time(engagement.valid_to)}",
    ]


def terms_json(engagement: Engagement) -> dict[str, object]:
    """Return what was agreed on for scripts."""
    return {
        "engagement": engagement_hash(engagement),
        "auditor": engagement.auditor,
        "controllers": list(engagement.controllers),
        "kinds": kind_names(engagement.kinds),
        "anchored_from": engagement.anchored_from,
        "anchored_to": engagement.anchored_to,
        "groups": group_names(engagement.groups, min(engagement.kinds)),
        "purposes": purpose_names(engagement.purposes),
        "valid_from": engagement.valid_from,
        "valid_to": engagement.valid_to,
    }
