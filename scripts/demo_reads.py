"""The demo's second half: sealed documents, reads that the contract decides about, their receipts, and an attacker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from attacker import attack

from cocket.cli.ports import free_port_block
from cocket.cli.processes import NodeProcess, last_lines

CUSTODIANS = ("BR", "KE", "NL", "SG")
THRESHOLD = 2
ANCHOR_S = 5
WAIT_S = 60
STOP_S = 20
LINES = 10
WORDS = ("Model Dolce", "Espresso Italiano", "North Italy Chamber")
ANSWERS = ("read_by_right", "refused", "granted", "withdrawn_refused", "receipts_proved", "offline_verdict")
READ_NOTHING = "read nothing"
MEMORY = Path("/dev/shm")


class Story(Protocol):
    """What the demo's first half has at hand."""

    folder: Path
    trial: Path
    nodes: dict[str, NodeProcess]
    result: dict[str, object]

    @property
    def chamber(self) -> Sequence[str]: ...

    def cocket(self, *arguments: str, code: int = 0) -> dict: ...

    def note(self, name: str, is_expected: bool) -> None: ...

    def say(self, sentence: str) -> None: ...


class Keeper:
    """A vault or custodian: its home, and the process that runs in it."""

    def __init__(self, home: Path, kind: str, passphrase: Path) -> None:
        self.home = home
        self.kind = kind
        self.passphrase = passphrase
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where its log lines go."""
        return self.home / "keeper.log"

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(last_lines(self.log)[-LINES:])

    def start(self) -> None:
        """Start it, in a group of its own."""
        command = [sys.executable, "-m", "cocket.cli", self.kind, "run", str(self.home)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--passphrase-file", str(self.passphrase)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        """End it, by force when it does not end by itself."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Reads:
    """All that is about reads, in the order in which it happens."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.folder = story.folder
        self.keepers: dict[str, Keeper] = {}
        self.port = 0
        self.moment = ""
        memory = MEMORY if os.access(MEMORY, os.W_OK) else None
        self.secrets = Path(tempfile.mkdtemp(prefix="cocket-demo-", dir=memory))
        self.record = self.folder / "for-sg" / "w3c-certification-of-origin.certificate.json"
        self.grant = self.folder / "brazil.grant.json"

    def run(self) -> None:
        """Do all steps while the network is up."""
        self.open_services()
        self.seal()
        self.read_by_right()
        self.refuse_and_grant()
        self.withdraw()
        self.audit()
        self.bundle()

    def open_services(self) -> None:
        say = self.story.say
        say("12. The chamber opens a vault, each authority a custodian: services with keys that no node has")
        self.port = free_port_block(1 + len(CUSTODIANS), above=28_000)
        account = self.story.cocket("keys", "list", "--folder", str(self.folder / "keys"))["keys"][0]["address"]
        with ThreadPoolExecutor(2) as threads:  # each authority by itself, with its own key
            made = list(threads.map(lambda country: self._open_at(country, str(account)), CUSTODIANS))
        self.keepers = {keeper.home.name: keeper for keepers in made for keeper in keepers}
        for keeper in self.keepers.values():
            keeper.start()
        for keeper in self.keepers.values():
            self._wait(lambda keeper=keeper: bool(self._status(keeper)["answers"]), f"{keeper.home.name} to answer")
        say(f"   {', '.join(self.keepers)} are on the ledger, with the certificates that they show")

    def _open_at(self, country: str, chamber: str) -> list[Keeper]:
        """Make an authority's custodian, and in Kenya the chamber's vault."""
        port = self.port + 1 + CUSTODIANS.index(country)
        key = self.story.trial / country / "custodian" / "encryption.json"
        made = self._make(
            "custodian", f"{country.lower()}-custodian", country, port,
            "--country", country, "--encryption-key", str(key),
        )  # fmt: skip
        if country != "KE":
            return [made]
        return [self._make("vault", "ke-vault", "KE", self.port, "--account", chamber), made]

    def _make(self, kind: str, name: str, country: str, port: int, *options: str) -> Keeper:
        """Make, accredit and announce a vault or custodian."""
        home = self.folder / name
        passphrase = self.secrets / f"{name}.passphrase"
        if kind == "custodian":
            shutil.copyfile(self.story.trial / country / "custodian" / "passphrase", passphrase)
        else:
            passphrase.write_text("the vault's passphrase of the demo\n")
        passphrase.chmod(0o600)
        node = ("--node", self.story.nodes[country].url)
        made = self.story.cocket(
            kind, "init", str(home), *options, "--port", str(port), "--anchor-every", str(ANCHOR_S),
            "--passphrase-file", str(passphrase), *node,
        )  # fmt: skip
        authority = ("--home", str(self.story.trial / country))
        self.story.cocket(
            "participant", "accredit", *authority, "--name", name, "--role", "service", "--account",
            str(made["account"]), "--to", "2099-01-01", "--out", str(self.folder / f"{name}.participant.json"),
        )  # fmt: skip
        signing = self.story.chamber if kind == "vault" else authority
        self.story.cocket(kind, "announce", str(home), "--url", f"https://127.0.0.1:{port}", *signing)
        return Keeper(home, kind, passphrase)

    def seal(self) -> None:
        say = self.story.say
        say(f"13. The chamber issues a certificate for import into Singapore and seals it: {THRESHOLD} of 4 custodians")
        document = self.folder / "w3c-certification-of-origin.json"
        self.story.cocket(
            "certificate", "issue", str(document), "--out", str(self.record.parent), "--for-country", "SG",
            *self.story.chamber,
        )  # fmt: skip
        self.seal_record()

    def seal_record(self) -> None:
        """Seal the record that the story follows, and put it into the vault."""
        say = self.story.say
        recovery = ("--folder", str(self.folder / "offline"), "--passphrase-file", self.story.chamber[3])
        self.story.cocket("keys", "new", "recovery", "--encryption", *recovery)
        names = [part for country in CUSTODIANS for part in ("--custodian", country)]
        sealed = self.folder / "sealed"
        vault = self.keepers["ke-vault"]
        answer = self.story.cocket(
            "document", "seal", str(self.record), "--out", str(sealed), *names, "--threshold", str(THRESHOLD),
            "--vault-key", str(vault.home / "keys" / "encryption.public.json"),
            "--recovery", str(self.folder / "offline" / "recovery.public.json"), *self.story.chamber,
        )  # fmt: skip
        manifests = [str(path) for path in sealed.glob("*.manifest.json")]
        stored = self.story.cocket(
            "vault", "store", str(vault.home), *manifests, "--passphrase-file", str(vault.passphrase)
        )
        say(f"   batch {answer['batch']}: {stored['stored']} record in the vault, which cannot open it")

    def read_by_right(self) -> None:
        say = self.story.say
        say("14. Singapore, the importing authority, reads goods and origin by its default right")
        answer = self._request("SG", "singapore.json", "import-clearance", "goods", "origin")
        verdict = self.story.cocket("verify", str(self.folder / "singapore.json"), "--node", self.story.nodes["SG"].url)
        text = (self.folder / "singapore.json").read_text()
        say(f"   read {', '.join(answer['groups'])} at block {answer['block']}; parties stay closed")
        say(f"   {verdict_line(verdict)}")
        is_right = answer["groups"] == ["certificate", "goods", "origin"] and WORDS[0] in text
        self.story.note("read_by_right", is_right and verdict["overall"] == "yes" and not answer["liars"])

    def refuse_and_grant(self) -> None:
        say = self.story.say
        say("15. Brazil asks for the same and is refused; the chamber grants it goods, for risk analysis")
        refused = self._request("BR", "no.json", "risk-analysis", "goods", code=3)
        say(f"   BR: {refused['error']}")
        self.story.note("refused", "another country" in str(refused["error"]))
        granted = self.story.cocket(
            "access", "grant", "--reader", "BR", "--record", str(self.record), "--group", "certificate", "--group",
            "goods", "--purpose", "risk-analysis", "--to", "2099-01-01", "--out", str(self.grant), *self.story.chamber,
        )  # fmt: skip
        say(f"   the ledger has {granted['commitment']} and no word of whom, what or why")
        answer = self._request("BR", "brazil.json", "risk-analysis", "goods", more=("--grant", str(self.grant)))
        wrong = self._request("BR", "no.json", "statistics", "goods", more=("--grant", str(self.grant)), code=3)
        say(f"   BR: read {', '.join(answer['groups'])} at block {answer['block']}; for statistics: {wrong['error']}")
        self.story.note("granted", answer["groups"] == ["certificate", "goods"] and "purposes" in str(wrong["error"]))

    def withdraw(self) -> None:
        say = self.story.say
        say("16. The chamber withdraws the grant: from that block on Brazil is refused; what it has read it has read")
        withdrawn = self.story.cocket("access", "withdraw", str(self.grant), *self.story.chamber)
        answer = self._request("BR", "no.json", "risk-analysis", "goods", more=("--grant", str(self.grant)), code=3)
        say(f"   withdrawn in block {withdrawn['block']}; BR: {answer['error']}")
        self.story.note("withdrawn_refused", "was withdrawn" in str(answer["error"]))

    def audit(self) -> None:
        say = self.story.say
        say("17. The exporter, without key or node, lists who read; an auditor holds all receipts to the ledger")
        told = self._told()
        self._wait_anchored()
        block = ("--block", str(self.story.nodes["NL"].height()))
        exported = {name: self._export(keeper) for name, keeper in self.keepers.items()}
        from_vault = str(exported["ke-vault"])
        node = ("--node", self.story.nodes["NL"].url)
        listed = self.story.cocket("document", "receipts", from_vault, "--record", str(self.record), *node)
        for row in told:
            outcome = "given" if row["was_given"] else "refused"
            say(f"   {row['reader']}, for {row['purpose']}: {outcome}, {row['reason']}")
        is_same = [summary(row) for row in told] == [summary(row) for row in listed["reads"]]
        files = [str(self.folder / f"{name}.receipts.json") for name in ("singapore", "brazil")]
        held = [part for path in files for part in ("--held", path)]
        audited = self.story.cocket("audit", "receipts", *map(str, exported.values()), *held, *block, *node)
        forged = self._forged(exported["ke-vault"])
        found = self.story.cocket("audit", "receipts", str(forged), *block, *node, code=5)
        finding = found["keepers"][0]["findings"][0]
        say(f"   all as anchored: {audited['is_as_anchored']}; with one receipt deleted: {finding[:90]} ...")
        given = [row["was_given"] for row in listed["reads"]]
        is_right = audited["is_as_anchored"] and given == [True, False, True, False, False] and bool(finding)
        self.story.note("receipts_proved", is_right and is_same)

    def _told(self) -> list[dict]:
        """Return what the vault tells who holds the record's capability, the oldest first."""
        capability = self.folder / "coffee.reads.json"
        vault = self.keepers["ke-vault"].home
        self.story.cocket("vault", "capability", str(vault), "--record", str(self.record), "--out", str(capability))
        return self.story.cocket("document", "reads", str(capability))["reads"][::-1]

    def _wait_anchored(self) -> None:
        """Wait until the last read's receipt is on the ledger everywhere: two more periods than now are anchored."""
        before = {name: int(self._status(keeper)["periods_anchored"]) for name, keeper in self.keepers.items()}
        for name, keeper in self.keepers.items():
            wanted = before[name] + 2
            self._wait(
                lambda keeper=keeper, wanted=wanted: int(self._status(keeper)["periods_anchored"]) >= wanted,
                f"{name} to anchor its receipts",
            )

    def _export(self, keeper: Keeper) -> Path:
        """Export a keeper's receipts."""
        out = self.folder / f"{keeper.home.name}-receipts"
        self.story.cocket(keeper.kind, "receipts", str(keeper.home), "--out", str(out))
        return out

    def _forged(self, folder: Path) -> Path:
        """Return a copy of exported periods from which one receipt was deleted."""
        copy = self.folder / "forged-receipts"
        shutil.copytree(folder, copy)
        path = max(copy.iterdir(), key=lambda each: each.stat().st_size)
        head, _, *rest = path.read_bytes().splitlines(keepends=True)
        said = json.loads(head)
        said["receipts"] -= 1
        path.write_bytes(json.dumps(said, separators=(",", ":"), sort_keys=True).encode() + b"\n" + b"".join(rest))
        return copy

    def bundle(self) -> None:
        say = self.story.say
        say("18. Singapore makes a bundle of what it read: one file with proofs, for whoever asks years later")
        made = self.story.cocket(
            "certificate", "bundle", str(self.folder / "singapore.json"), "--out", str(self.folder / "verdict.bundle"),
            "--node", self.story.nodes["SG"].url,
        )  # fmt: skip
        size = (self.folder / "verdict.bundle").stat().st_size
        self.moment = str(made["last_moment"])
        say(f"   {size} bytes, up to block {made['block']}, {self.moment}")

    def verify_offline(self, genesis_hash: str) -> None:
        """Verify the bundle; the network and all services were stopped before."""
        say = self.story.say
        say("19. The network is shut down. The auditor verifies from that file and the genesis hash alone")
        bundle = str(self.folder / "verdict.bundle")
        verdict = self.story.cocket("verify", bundle, "--on", self.moment, "--anchor", genesis_hash)
        say(f"   {verdict_line(verdict)}")
        other = "0x" + "11" * 32
        no = self.story.cocket("verify", bundle, "--on", self.moment, "--anchor", other, code=6)
        say(f"   by another network's genesis hash: {no['overall']}")
        self.story.note("offline_verdict", verdict["overall"] == "yes" and no["overall"] != "yes")

    def attack(self) -> None:
        """Try to read the disks of all nodes, of the vault and of all custodians."""
        say = self.story.say
        say("20. Somebody has all disks: nodes, vault, custodians; everything but passphrases")
        disks = [
            *[self.story.trial / country for country in CUSTODIANS],
            *[each.home for each in self.keepers.values()],
        ]
        passphrases = {name: keeper.passphrase.read_text().strip() for name, keeper in self.keepers.items()}
        nothing = attack(disks, WORDS)
        one = attack(disks, WORDS, [passphrases["ke-vault"], passphrases["br-custodian"]])
        two = attack(disks, WORDS, [passphrases["br-custodian"], passphrases["nl-custodian"]])
        say(
            f"   {nothing.files} files, {nothing.records} sealed record, {nothing.windows:,} windows tried as keys: "
            f"{nothing.groups_opened} groups opened, {len(nothing.words)} words found"
        )
        say(
            f"   with the vault's passphrase and one custodian's: {one.groups_opened} groups; "
            f"with two custodians': {two.groups_opened}, and the words are found"
        )
        is_sound = nothing.is_nothing() and one.is_nothing() and nothing.records == 1 and one.keys_opened == 2
        is_able = two.groups_opened == 6 and set(two.words) == set(WORDS)  # the same tool does find them
        refused = self.story.result.get("refused") == "as expected"
        self.story.result["validator_without_grant"] = READ_NOTHING if is_sound and is_able and refused else "READ"

    def stop(self) -> None:
        """Stop all services."""
        for keeper in self.keepers.values():
            keeper.stop()

    def clean(self) -> None:
        """Forget the passphrases."""
        shutil.rmtree(self.secrets, ignore_errors=True)

    # -- shared --------------------------------------------------------------------------------------------------------

    def _request(
        self, country: str, out: str, purpose: str, *groups: str, more: Sequence[str] = (), code: int = 0
    ) -> dict:
        names = [part for group in groups for part in ("--group", group)]
        return self.story.cocket(
            "access", "request", "--record", str(self.record), *names, "--purpose", purpose, *more,
            "--out", str(self.folder / out), "--home", str(self.story.trial / country), code=code,
        )  # fmt: skip

    def _status(self, keeper: Keeper) -> dict:
        return self.story.cocket(keeper.kind, "status", str(keeper.home))

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {WAIT_S} s for {what}")
            time.sleep(0.2)


def summary(row: dict) -> tuple:
    """Return what a listing and the receipts must say alike of a read."""
    return row["time"], row["reader"], row["purpose"], row["groups"], row["was_given"], row["reason"]


def verdict_line(verdict: dict) -> str:
    """Return the answers of a verdict in one line."""
    first = verdict["verdicts"][0]
    names = ("integrity", "issuance", "in_force", "issuer_authority")
    return ", ".join(f"{name.replace('_', ' ')} {first[name]['answer']}" for name in names)
