"""From a user's words to the question that the contract is asked, with what the reader and the vault would show."""

from collections.abc import Sequence
from pathlib import Path

from cocket.cli.access_options import PURPOSES, Records
from cocket.cli.certificate import read_certificate
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.explaining import Explanation, Shown, evidence_of
from cocket.cli.files import read_bounded
from cocket.cli.granting import load_delegation, load_grant, network_of
from cocket.cli.parties import account_of
from cocket.cli.terms import parse_groups
from cocket.contracts import access, certificates
from cocket.contracts.access import Question, Residency
from cocket.node.vault.residency import decode_residency

_CERTIFICATE_OF_ORIGIN = 1
RESIDENCY_BYTES_MAX = 4096


def explain_as_of(
    client: NodeClient,
    block: int,
    reader: str,
    records: Records,
    groups: Sequence[str],
    purpose: str,
    grants: Sequence[Path],
    delegation: Path | None,
    residency: Path | None,
) -> Explanation:
    """Ask the contract, as of a block, whether a reader may read these groups of a record for a purpose.

    :raises CommandError: a file is of another network or no such file, or a name is unknown.
    """
    network = network_of(client)
    place = records.require(network)
    if place.index == access.EVERY_INDEX:
        raise CommandError("a read is of one record; name it with --record FILE or --index N", Exit.USAGE)
    known = client.view(certificates.ADDRESS, certificates.batch(place.batch), block)
    question = Question(
        reader=account_of(client, reader, block),
        batch=place.batch,
        index=place.index,
        groups=parse_groups(groups, known.kind if known.anchored_at else _CERTIFICATE_OF_ORIGIN),
        purpose=1 + PURPOSES.index(purpose),
    )
    shown = Shown(
        grants=[(path.name, load_grant(path, network)) for path in grants],
        delegation=None if delegation is None else load_delegation(delegation, network),
        evidence=evidence_of(
            None if records.record is None else read_certificate(records.record),
            None if residency is None else _load_residency(residency, place.batch),
        ),
    )
    return Explanation(client, question, shown, block)


def _load_residency(path: Path, batch: bytes) -> Residency:
    found, residency = decode_residency(read_bounded(path, RESIDENCY_BYTES_MAX))
    if found != batch:
        raise CommandError(f"{path}: of batch 0x{found.hex()}, the record is of 0x{batch.hex()}", Exit.REFUSED)
    return residency
