"""From a file to its verdict: what is shown in it, and whose word says what a ledger has of that.

The word of a node that is asked, or a bundle's proofs from an anchor that the user already has. A bundle is judged with
no network and no engine: this module imports what speaks with a node only when a node is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cocket.attestation.errors import AttestationError
from cocket.attestation.files import FILE_BYTES_MAX, decode_file
from cocket.attestation.printed import Printed, decode_printed, is_printed
from cocket.attestation.printed_verdict import Signer, printed_verdict
from cocket.attestation.prove import Anchor as Place
from cocket.attestation.prove import Certificate, Presentation
from cocket.attestation.verdict import LedgerFacts, Verdict, Warrant, verdict
from cocket.cli.account import day_start_s, format_time
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.exchange import refuse_sd_jwt
from cocket.cli.files import read_bounded
from cocket.cli.output import note
from cocket.node.bundle.checkpoint import CHECKPOINT_BYTES_MAX, Checkpoint, decode_checkpoint, validate_signers
from cocket.node.bundle.errors import InvalidBundle, Unproven
from cocket.node.bundle.file import BUNDLE_BYTES_MAX, Bundle, decode_bundle, is_bundle
from cocket.node.bundle.proof import Anchor, prove

if TYPE_CHECKING:
    from collections.abc import Iterable

STALE_S = 300  # blocks come without transactions too: an older head means that the network, or the node, stands still
ANSWERS = {
    "integrity": "unchanged",
    "issuance": "anchored on the ledger",
    "in_force": "in force",
    "issuer_authority": "issuer entitled",
    "superseded": "superseded",
    "used": "used",
}
OVERALL = {"yes": "GOOD", "no": "NOT GOOD", "could not check": "COULD NOT BE CHECKED IN FULL"}


@dataclass(frozen=True, slots=True)
class Source:
    """Who is asked what the ledger says: a node, an anchor for bundles, either or both."""

    node_url: str | None = None
    anchor: Anchor | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on a file, and the facts it was made of, None when there were none."""

    file: Path
    day: date
    verdict: Verdict
    facts: LedgerFacts | None

    def as_json(self) -> dict[str, object]:
        """Return the verdict as plain values, with what it stands on."""
        facts = self.facts
        standing: dict[str, object] = {"as_of": None, "warrant": None}
        if facts is not None:
            standing["as_of"] = {"block": facts.as_of.number, "time": facts.as_of.time_s}
            standing["warrant"] = None if facts.warrant is None else facts.warrant.text
        return {**self.verdict.as_json(), "on": self.day.isoformat(), **standing}

    def sentences(self) -> list[str]:
        """Return the verdict as people read it."""
        lines = [f"{OVERALL[self.verdict.overall]} {on_text(self.day)}"]
        for name, label in ANSWERS.items():
            answer = getattr(self.verdict, name)
            lines.append(f"  {label + ':':24}{answer.answer} - {answer.reason}")
        return lines


def on_text(day: date) -> str:
    """Return a day or a moment as a sentence goes on.

    >>> on_text(datetime(2026, 11, 27, 7, 13, 1, tzinfo=UTC))
    'at 2026-11-27 07:13:01 UTC'
    """
    return f"at {format_time(last_second(day))}" if isinstance(day, datetime) else f"on {day}"


def last_second(day: date) -> int:
    """Return the second that counts, since 1970: a moment's own, a day's last."""
    return int(day.timestamp()) if isinstance(day, datetime) else day_start_s(day) + 86_399


def exit_of(judged: "Iterable[Judged]") -> Exit:
    """Return the exit code: a no before what could not be checked, before good."""
    words = {one.verdict.overall for one in judged}
    if "no" in words:
        return Exit.VERIFICATION_NO
    return Exit.COULD_NOT_CHECK if "could not check" in words else Exit.DONE


def judge(file: Path, source: Source, day: date) -> Judged:
    """Return the verdict on a certificate, a presentation, a printed one or a bundle.

    :raises CommandError: the file is none of these, or a bundle comes without an anchor.
    """
    shown = read_shown(file)
    if isinstance(shown, Bundle):
        if source.anchor is None:
            raise CommandError(
                f"{file}: a bundle is held to an anchor that you already have: --anchor GENESIS_HASH, or a checkpoint",
                Exit.USAGE,
            )
        return _judge_bundle(file, shown, source.anchor, day)
    facts, missing = _asked(shown, source, day)
    if isinstance(shown, Printed):
        signer = None if facts is None or source.node_url is None else _signer(file, shown, source.node_url)
        return Judged(file, day, printed_verdict(shown, facts, day, signer, missing), facts)
    return Judged(file, day, verdict(shown, facts, day, missing), facts)


def _asked(shown: Certificate | Presentation | Printed, source: Source, day: date) -> tuple[LedgerFacts | None, str]:
    """Return what a node's ledger says, or what is missing when none was asked, or it is another's."""
    if source.node_url is None:
        return None, "no ledger was asked: name a --node, or get the certificate's bundle"
    facts = node_facts(shown.anchor, source.node_url, day)
    if facts is not None and source.anchor is not None and facts.genesis_hash != genesis_of(source.anchor):
        return None, f"the node is on the network of genesis 0x{facts.genesis_hash.hex()}, not on the anchor's"
    return facts, "no ledger was asked"


def _signer(file: Path, printed: Printed, node_url: str) -> Signer | None:
    """Return what a node's ledger says of who signed a printed certificate; None when nobody did."""
    from cocket.cli.evidence import signer_standing

    try:
        account = printed.signer()
    except AttestationError as error:
        raise CommandError(f"{file}: {error}", Exit.VERIFICATION_NO) from None
    return None if account is None else signer_standing(NodeClient(node_url), printed.anchor.issuer, account)


def read_shown(file: Path) -> Certificate | Presentation | Printed | Bundle:
    """Read a certificate, presentation or bundle file, or the text of a printed certificate's code.

    :raises CommandError: it is none of these.
    """
    data = read_bounded(file, BUNDLE_BYTES_MAX)
    try:
        if is_bundle(data):
            return decode_bundle(data)
        if len(data) > FILE_BYTES_MAX:
            raise CommandError(f"{file}: larger than {FILE_BYTES_MAX} bytes, so not read", Exit.USAGE)
        if is_printed(data):
            return decode_printed(data)
        refuse_sd_jwt(file, data)
        return decode_file(data)
    except InvalidBundle as error:
        raise CommandError(f"{file}: no whole bundle ({error}); get it again", Exit.USAGE) from None
    except AttestationError as error:
        raise CommandError(f"{file}: {error}", Exit.USAGE) from None


def parse_anchor(text: str, trust: Path | None = None, crls: Sequence[Path] = ()) -> Anchor:
    """Return the genesis hash, or the checkpoint in the file, that a user names.

    With ``trust``, certificates that the user trusts: a checkpoint that is sealed by a quorum of authorities whose
    certificates lead there.

    :raises CommandError: it is neither, or a checkpoint that too few signed.
    """
    digits = text.removeprefix("0x")
    if trust is not None and not Path(text).is_file():
        raise CommandError("--trust is for a checkpoint that was sealed: --anchor FILE", Exit.USAGE)
    if len(digits) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return bytes.fromhex(digits)
    path = Path(text)
    if not path.is_file():
        raise CommandError(
            f"--anchor {text[:80]!r}: expected a genesis hash (0x and 64 hexadecimal digits) or a checkpoint file",
            Exit.USAGE,
        )
    checkpoint = read_checkpoint(path)
    validate_signers(checkpoint)
    if trust is not None:
        from cocket.cli.checkpointing import require_trusted
        from cocket.cli.identity import read_crl, read_trusted

        require_trusted(checkpoint, read_trusted(trust), [read_crl(each) for each in crls])
    return checkpoint


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint file, whoever signed it."""
    return decode_checkpoint(read_bounded(path, CHECKPOINT_BYTES_MAX))


def genesis_of(anchor: Anchor) -> bytes:
    """Return the genesis hash of an anchor's network."""
    return anchor if isinstance(anchor, bytes) else anchor.genesis_hash


def node_facts(place: Place | None, node_url: str, day: date) -> LedgerFacts | None:
    """Return what a node's ledger says, None when it cannot be asked (then the verdict says "could not check")."""
    from cocket.cli.evidence import gather_facts
    from cocket.contracts.errors import ContractError

    if place is None:
        return None
    try:
        facts = gather_facts(NodeClient(node_url), place, last_second(day))
    except (CommandError, ContractError) as error:
        note(f"cocket: {error}")
        return None
    age_s = datetime.now(UTC).timestamp() - facts.as_of.time_s
    if age_s > STALE_S:
        note(
            f"cocket: the node's last block is {age_s / 60:.0f} minutes old; what happened since is not in this verdict"
        )
    return replace(facts, warrant=Warrant(f"by the word of the node {node_url}", is_closed=False))


def _judge_bundle(file: Path, bundle: Bundle, anchor: Anchor, day: date) -> Judged:
    try:
        facts = prove(bundle, anchor, int(datetime.now(UTC).timestamp()))
    except Unproven as error:
        missing = f"the bundle does not prove it: {error}"
        return Judged(file, day, verdict(bundle.presentation, None, day, missing), None)
    if facts.is_silent_on(day):
        last = datetime.fromtimestamp(facts.as_of.time_s + 1, UTC).date() - timedelta(days=1)
        note(
            f"cocket: {file} ends with block {facts.as_of.number}, {format_time(facts.as_of.time_s)}; the last day of "
            f"which it can say everything is --on {last}, and the last moment --on "
            f"{datetime.fromtimestamp(facts.as_of.time_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
    return Judged(file, day, verdict(bundle.presentation, facts, day), facts)
