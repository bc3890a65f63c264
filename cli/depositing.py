"""Putting sealed records into a vault: each is looked at on the ledger first, and whose it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.sealing.custody_file import CUSTODY_BYTES_MAX
from cocket.attestation.sealing.envelope import ENVELOPE_BYTES_MAX
from cocket.attestation.sealing.manifest import MANIFEST_BYTES_MAX
from cocket.cli.attaching import sealed_file, sealed_paths
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.keeping import account_of
from cocket.cli.output import note
from cocket.cli.participant import parse_address
from cocket.cli.parties import party_of
from cocket.cli.sealing import CUSTODY_NAME, ENVELOPE_SUFFIX, MANIFEST_SUFFIX
from cocket.contracts import access, certificates, participants
from cocket.node.encryption_key import opened_encryption_key
from cocket.node.errors import Refused
from cocket.node.vault.deposit import Deposit, open_deposit, validate_deposit
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.settings import VAULT, KeeperHome, octets_of
from cocket.node.vault.shelf import Shelf
from cocket.node.vault.shelves import open_shelf
from cocket.node.vault.tombstones import Tombstones, load_tombstones

if TYPE_CHECKING:
    from cocket.attestation.sealing.hpke import Opener
    from cocket.node.vault.settings import KeeperSettings

PROGRESS_EVERY = 1000


def deposit_all(home: KeeperHome, manifests: Sequence[Path], passphrase: str) -> tuple[int, list[tuple[Path, str]]]:
    """Put records into a vault and return how many are in it, and which were refused and why.

    :raises Refused: another command writes to it.
    """
    settings = home.settings()
    if settings.kind != VAULT:
        raise CommandError(f"{home.config}: it is a {settings.kind}'s; expected a vault's home", Exit.USAGE)
    client = NodeClient(settings.node)
    tombstones = _tombstones(home, settings, client)
    count, problems = 0, []
    with opened_encryption_key(home.encryption_key, passphrase) as key, _written(home) as shelf:
        holdings = Holdings(shelf, settings.quota_bytes)
        for path in manifests:
            try:
                _deposit(path, holdings, key, client, settings, tombstones)
                count += 1
            except (AttestationError, CommandError, Refused) as error:
                problems.append((path, str(error)))
            if (count + len(problems)) % PROGRESS_EVERY == 0:
                note(f"{count + len(problems)} of {len(manifests)} records")
    return count, problems


@contextmanager
def _written(home: KeeperHome) -> Iterator[Shelf]:
    """Give the shelf to write on, which one process at a time may."""
    from cocket.node.store.home import DataFolder

    with DataFolder(home.shelf):
        yield open_shelf(home, home.settings(), is_reader=False)


def _deposit(
    path: Path,
    holdings: Holdings,
    key: "Opener",
    client: NodeClient,
    settings: "KeeperSettings",
    tombstones: Tombstones,
) -> None:
    if not path.name.endswith(MANIFEST_SUFFIX):
        raise InvalidFile(f"expected a file NAME{MANIFEST_SUFFIX}")
    manifest = read_bounded(path, MANIFEST_BYTES_MAX)
    custody = read_bounded(path.with_name(CUSTODY_NAME), CUSTODY_BYTES_MAX)
    name = path.name.removesuffix(MANIFEST_SUFFIX)
    envelope = read_bounded(path.with_name(name + ENVELOPE_SUFFIX), ENVELOPE_BYTES_MAX)
    deposit = open_deposit(manifest, custody, envelope, key)
    _validate(deposit, client, settings)
    anchor = deposit.opening.anchor
    if (anchor.batch, anchor.index) in tombstones:
        raise Refused("the record was erased from this vault; it is not taken again")
    epoch = deposit.manifest.binding.key_epoch
    files = [sealed_file(each) for each in sealed_paths(path.parent, name)]
    holdings.store(
        anchor.batch, anchor.index, epoch, manifest=manifest, custody=custody, envelope=envelope, files=files
    )


def _tombstones(home: KeeperHome, settings: "KeeperSettings", client: NodeClient) -> Tombstones:
    """Return what was erased from the vault; nothing before it ran."""
    if not home.receipts.exists():
        return Tombstones()
    keeper = party_of(client, parse_address(account_of(home)))
    return load_tombstones(home.receipts, octets_of(settings.genesis_hash, 32), keeper)


def _validate(deposit: Deposit, client: NodeClient, settings: "KeeperSettings") -> None:
    """Refuse a deposit that does not lead to the ledger, or that its controller did not sign."""
    anchor = deposit.opening.anchor
    batch = client.view(certificates.ADDRESS, certificates.batch(anchor.batch))
    if not batch.anchored_at:
        raise InvalidFile(f"batch 0x{anchor.batch.hex()} is not on the ledger: anchor it first")
    if access.participant_party(batch.participant) != settings.party:
        raise InvalidFile(f"a record of participant {batch.participant}; this vault is of party {settings.party}")
    validate_deposit(deposit, settings.chain_id, octets_of(settings.genesis_hash, 32), batch.participant)
    span = client.view(participants.ADDRESS, participants.key_span(batch.participant, deposit.signer))
    if not span.valid_from:
        raise InvalidFile(f"a manifest signed by 0x{deposit.signer.hex()}, no key of participant {batch.participant}")
