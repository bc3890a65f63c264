"""Who read a record, asked of its vault by the capability that came with its copy; without a key or a node."""

from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.exchange import ANSWER_BYTES_MAX
from cocket.attestation.reading.listing import (
    ALWAYS_S,
    CAPABILITY_BYTES_MAX,
    Capability,
    Listing,
    ListingCall,
    Row,
    decode_capability,
    decode_listing,
    encode_call,
    encode_capability,
    listing_secret,
)
from cocket.cli.auditing import told_row
from cocket.cli.certificate import anchor_of
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.contracts import access, certificates
from cocket.contracts.access import FIRST_PARTICIPANT, Service, ServiceKind
from cocket.node.keystore import write_whole
from cocket.node.vault.connection import LISTING_PATH, call_service
from cocket.node.vault.lister import load_listing_key
from cocket.node.vault.settings import VAULT, KeeperHome, octets_of

PAGES_MAX = 1000


def write_capability(home: KeeperHome, record: Path, out: Path) -> Capability:
    """Write the file by which who holds it lists the reads of a record, from the vault of a home.

    :raises CommandError: it is no vault's home, the vault is not announced, or the record is another network's or
        another controller's.
    """
    settings = home.settings()
    if settings.kind != VAULT:
        raise CommandError(f"{home.path} is a {settings.kind}'s home; expected a vault's", Exit.USAGE)
    if out.exists():
        raise CommandError(f"{out} exists; choose another name", Exit.REFUSED)
    client, anchor = NodeClient(settings.node), anchor_of(record)
    genesis_hash = octets_of(settings.genesis_hash, 32)
    if (anchor.chain_id, anchor.genesis_hash) != (settings.chain_id, genesis_hash):
        raise CommandError(f"{record} is of another network than the vault", Exit.REFUSED)
    batch = client.view(certificates.ADDRESS, certificates.batch(anchor.batch))
    if settings.party != access.participant_party(batch.participant):
        raise CommandError(f"{record} is not of party {settings.party}, whose vault this is", Exit.REFUSED)
    service = client.view(access.ADDRESS, access.service_of(settings.party, ServiceKind.VAULT))
    if not service.url:
        raise CommandError(
            f"the ledger does not know where it is: cocket vault announce {home.path} --url https://... --key KEY",
            Exit.REFUSED,
        )
    capability = Capability(
        chain_id=settings.chain_id,
        genesis_hash=genesis_hash,
        vault=settings.party,
        url=service.url,
        certificate=service.certificate,
        batch=anchor.batch,
        index=anchor.index,
        secret=listing_secret(load_listing_key(home.listing_key), genesis_hash, anchor.batch, anchor.index),
    )
    write_whole(out, encode_capability(capability))
    return capability


def list_reads(path: Path, node_url: str | None) -> Listing:
    """Return what a vault tells of the reads of the record that a capability's file is for: all of it.

    Where the vault is, the file says; with a node, the ledger.

    :raises CommandError: the file is no capability, or the ledger has no vault of that party.
    :raises NodeError: the vault says no, does not answer, or answers something else.
    """
    try:
        capability = decode_capability(read_bounded(path, CAPABILITY_BYTES_MAX))
    except InvalidFile as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from None
    service = Service(0, capability.certificate, capability.url) if node_url is None else _found(capability, node_url)
    who = f"the vault of party {capability.vault}"
    rows: list[Row] = []
    before_s = ALWAYS_S
    for _ in range(PAGES_MAX):
        call = ListingCall(
            capability.chain_id,
            capability.genesis_hash,
            capability.batch,
            capability.index,
            capability.secret,
            before_s,
        )
        answer = call_service(service, LISTING_PATH, encode_call(call), who)
        try:
            listing = decode_listing(answer, ANSWER_BYTES_MAX)
        except InvalidFile as error:
            raise CommandError(f"{who} answers something else: {error}", Exit.FAILED) from None
        rows += listing.rows
        if listing.is_complete or not listing.rows or listing.rows[-1].time_s >= before_s:
            break
        before_s = listing.rows[-1].time_s
    return Listing(listing.kind, listing.block_number, listing.time_s, tuple(rows), listing.is_complete)


def row_json(row: Row, kind: int) -> dict[str, object]:
    """Return one read as people ask of it, in the members that `document receipts` has."""
    return told_row(row.time_s, _reader_text(row), row.purpose, row.groups, row.decision, row.records, kind)


def _reader_text(row: Row) -> str:
    if not row.party:
        return "nobody in force"
    if row.party < FIRST_PARTICIPANT:
        return f"the authority of {row.country}" if row.country else f"authority {row.party}"
    under = f", accredited by {row.country}" if row.country else ""
    return f"participant {row.party - FIRST_PARTICIPANT}{under}"


def _found(capability: Capability, node_url: str) -> Service:
    client = NodeClient(node_url)
    if (client.chain_id(), client.genesis_hash()) != (capability.chain_id, capability.genesis_hash):
        raise CommandError(f"node {client.url} is of another network than the capability", Exit.REFUSED)
    service = client.view(access.ADDRESS, access.service_of(capability.vault, ServiceKind.VAULT))
    if not service.url:
        raise CommandError(f"the ledger has no vault of party {capability.vault}", Exit.NOT_FOUND)
    return service
