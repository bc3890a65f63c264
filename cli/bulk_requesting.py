"""Reading many records of a batch by one grant with a daily cap: page after page, each with receipts of its own."""

from dataclasses import dataclass, replace
from pathlib import Path

from cocket.attestation.files import encode_presentation
from cocket.attestation.reading.request import RECORDS_MAX
from cocket.cli.account import Signatory
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import note
from cocket.cli.requesting import RECEIPTS_SUFFIX, Request, opened_reader, receipts_json, refused_text, wanted_of
from cocket.node.keystore import write_whole
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.reader import Reading, Wanted

PRESENTATION_SUFFIX = ".read.json"


@dataclass(slots=True)
class BulkRead:
    """What came of it: how many records are in which folder, from where to go on, and why it ended before the end."""

    folder: Path
    records: int
    following: int | None
    problem: str | None = None
    code: int = 0

    def as_json(self) -> dict[str, object]:
        """Return it as an object."""
        return {
            "folder": str(self.folder),
            "records": self.records,
            "following": self.following,
            "problem": self.problem,
            "reason": self.code,
        }

    def sentences(self) -> list[str]:
        """Return it in sentences."""
        said = [f"{self.records} records are in {self.folder}, each page's receipts beside them"]
        if self.problem is not None:
            said.append(f"then: {self.problem}")
        if self.following is not None:
            said.append(f"the rest: the same command with --from-index {self.following}")
        return said


def request_all(signatory: Signatory, asked: Request, out: Path, first: int) -> BulkRead:
    """Read what a grant opens of a batch, from an index on, into a folder; nothing there is overwritten.

    It ends with the last record, or with the first refusal (the day's cap): what was read until then stays.

    :raises CommandError: the first page was refused already; or something that came was false.
    """
    if not first and out.is_dir() and any(out.glob("*" + PRESENTATION_SUFFIX)):
        raise CommandError(f"{out} has records that were read; choose another folder, or --from-index N", Exit.REFUSED)
    wanted = wanted_of(signatory.client, asked, index=first, count=RECORDS_MAX)
    found = BulkRead(out, 0, first)
    with opened_reader(signatory) as reader:
        while found.following is not None:
            try:
                reading = reader.read(_from(wanted, found.following))
            except ReadRefused as error:
                if not found.records:
                    raise CommandError(refused_text(error), Exit.REFUSED) from None
                found.problem, found.code = refused_text(error), error.refusal.code
                break
            _write(out, reading)
            found.records += len(reading.presentations)
            found.following = reading.following
            note(f"{found.records} records")
    return found


def _from(wanted: Wanted, index: int) -> Wanted:
    return replace(wanted, index=index)


def _write(out: Path, reading: Reading) -> None:
    """Write a page: its receipts, then the records; one that is there already was read before and stays."""
    write_whole(out / f"from-{reading.indices[0]}{RECEIPTS_SUFFIX}", receipts_json(reading))
    for index, presentation in zip(reading.indices, reading.presentations, strict=True):
        path = out / f"{index}{PRESENTATION_SUFFIX}"
        if not path.exists():
            write_whole(path, encode_presentation(presentation))
