"""Reading a record as a user asks for it: signed by the reader's key, given by vault and custodians, kept in files."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.files import encode_presentation
from cocket.attestation.kinds import KINDS
from cocket.attestation.prove import OpenGroup
from cocket.attestation.reading.receipt import encode_receipt
from cocket.cli.access_options import PURPOSES, Records
from cocket.cli.account import Signatory
from cocket.cli.attaching import open_attached
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.granting import load_claim, network_of
from cocket.cli.parties import party_text
from cocket.cli.terms import anchored_batch, parse_groups
from cocket.contracts import access
from cocket.node.errors import Refused
from cocket.node.keystore import write_whole
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.reader import AttachedRead, Reader, Reading, Wanted
from cocket.node.vault.signing import wallet_of

RECEIPTS_FORMAT = "cocket-read-receipts-1"
RECEIPTS_SUFFIX = ".receipts.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for, and on what."""

    records: Records
    groups: Sequence[str]
    purpose: str
    grant: Path | None
    delegation: Path | None
    vault: int | None


@dataclass(frozen=True, slots=True)
class Read:
    """What came of it: where it is, and what a person is told."""

    path: Path
    receipts: Path
    reading: Reading
    groups: tuple[str, ...]
    files: tuple[Path, ...]

    def as_json(self) -> dict[str, object]:
        """Return the answer as an object."""
        return {
            "file": str(self.path),
            "receipts_file": str(self.receipts),
            "groups": list(self.groups),
            "attached_files": [str(path) for path in self.files],
            "reason": self.reading.receipts[0][1].decision,
            "block": self.reading.block_number,
            "answered": [party for party, _ in self.reading.receipts],
            "liars": list(self.reading.liars),
        }

    def sentences(self, signatory: Signatory) -> list[str]:
        """Return the answer as sentences."""
        why = access.REASON_TEXTS[access.Reason(self.reading.receipts[0][1].decision)]
        names = [party_text(signatory.client, party) for party, _ in self.reading.receipts[1:]]
        attached = [each.file.attachment.name for files in self.reading.files for each in files]
        said = [
            f"read by {why}: {', '.join(self.groups)} in {self.path}",
            f"custodians that answered: {', '.join(names)}; receipts of all in {self.receipts}",
            f"`cocket verify {self.path}` says what it is worth",
        ]
        if self.files:
            said.append(f"attached files: {', '.join(map(str, self.files))}")
        elif attached:
            said.append(f"it attaches {', '.join(attached)}; --attachments FOLDER fetches that with the read")
        liars = [
            f"NOTE: {party_text(signatory.client, each)} answered with a false mask" for each in self.reading.liars
        ]
        return said + liars


def request(signatory: Signatory, asked: Request, out: Path, folder: Path | None = None) -> Read:
    """Read a record into ``out``, the receipts beside it, what it attaches into a folder; nothing is overwritten.

    :raises CommandError: it was refused, and why; or the words of the request are none.
    """
    receipts = out.with_name(out.name.removesuffix(".json") + RECEIPTS_SUFFIX)
    for path in (out, receipts):
        if path.exists():
            raise CommandError(f"{path} exists; choose another name", Exit.REFUSED)
    try:
        with opened_reader(signatory) as reader:
            reading = reader.read(wanted_of(signatory.client, asked))
            write_whole(out, encode_presentation(reading.presentation))
            write_whole(receipts, receipts_json(reading))
            files = [] if folder is None else _fetch(reader, reading.files[0], folder)
    except ReadRefused as error:
        raise CommandError(refused_text(error), Exit.REFUSED) from None
    opened = [at for at, group in enumerate(reading.presentation.groups) if isinstance(group, OpenGroup)]
    names = KINDS[reading.manifest.binding.kind].groups
    return Read(out, receipts, reading, tuple([names[at] for at in opened]), tuple(files))


def _fetch(reader: Reader, attached: Sequence[AttachedRead], folder: Path) -> list[Path]:
    """Write the files that a record attaches into a folder.

    :raises CommandError: one exists, or is not what the record names; those before it stay.
    """
    try:
        segments = [reader.fetch(each) for each in attached]
        return open_attached(folder, [each.file for each in attached], segments)
    except InvalidFile as error:
        raise CommandError(f"an attached file: {error}", Exit.VERIFICATION_NO) from None


def wanted_of(client: NodeClient, asked: Request, index: int | None = None, count: int = 1) -> Wanted:
    """Return what is asked for, as a reader takes it; in bulk of a whole batch, from ``index`` on.

    :raises CommandError: the words of the request are none, or they name no one record, or in bulk no one batch.
    """
    network = network_of(client)
    place = asked.records.require(network)
    if index is None and place.index == access.EVERY_INDEX:
        raise CommandError("a read is of one record; name it with --record FILE or --index N", Exit.USAGE)
    if index is not None and place.index != access.EVERY_INDEX:
        raise CommandError("a bulk read is of a batch; name it with --batch ROOT --all", Exit.USAGE)
    return Wanted(
        batch=place.batch,
        index=place.index if index is None else index,
        groups=parse_groups(asked.groups, anchored_batch(client, place).kind),
        purpose=1 + PURPOSES.index(asked.purpose),
        claim=load_claim(asked.grant, asked.delegation, network=network),
        vault=asked.vault,
        count=count,
    )


@contextmanager
def opened_reader(signatory: Signatory) -> Iterator[Reader]:
    """Give a reader for an account; what is false, in all that it does, is a CommandError.

    :raises ReadRefused: a read was refused.
    """
    ledger = Ledger(signatory.client.url)
    try:
        yield Reader(ledger, wallet_of(signatory.key), lambda: int(time.time()))
    except ReadRefused:
        raise
    except Refused as error:
        raise CommandError(str(error), Exit.VERIFICATION_NO) from None
    finally:
        ledger.close()


def refused_text(error: ReadRefused) -> str:
    """Return why a read was refused, as of when, and what helps."""
    refusal = error.refusal
    where = f" (reason {refusal.code}, as of block {refusal.block_number})" if refusal.code else ""
    hint = "; `cocket access explain` says what would open it" if refusal.code else ""
    return f"{error}{where}{hint}"


def receipts_json(reading: Reading) -> bytes:
    """Return the file of the receipts of a read."""
    receipts = [
        {"party": party, "receipt": "0x" + encode_receipt(receipt).hex()} for party, receipt in reading.receipts
    ]
    return json.dumps({"format": RECEIPTS_FORMAT, "receipts": receipts}, indent=1).encode() + b"\n"
