"""The demo: what authorities, a chamber and an importer's customs do, with the shipped commands and four real nodes.

Each step prints what is done and what came of it; the figures and answers in the last line come from the commands'
own ``--json``.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from demo_reads import ANSWERS, READ_NOTHING, Reads

from cocket.attestation.examples import bulk_documents, example_documents
from cocket.cli.ports import free_port_block
from cocket.cli.processes import NodeProcess, stop_all

COUNTRIES = ("BR", "KE", "NL", "SG")
BULK = 10_000
SETTLE_S = 60


class StepFailed(Exception):
    """A step did not come out as it should."""


class Demo:
    """One run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trial = folder / "trial"
        self.nodes: dict[str, NodeProcess] = {}
        self.result: dict[str, object] = {
            "authorities": 0,
            "heights": [],
            "state_roots_equal": False,
            "certificates": 0,
        }
        self._passphrase = folder / "chamber.passphrase"
        self.genesis_hash = ""
        self.reads = Reads(self)

    def run(self) -> None:
        """Do all steps."""
        self.found()
        self.start()
        self.accredit()
        self.issue()
        self.bulk()
        self.verify()
        self.tamper()
        self.use_twice()
        self.withdraw()
        self.kill_one()
        self.compare()
        self.reads.run()

    def finish(self) -> None:
        """Do what is done without a network."""
        self.stop()
        self.reads.verify_offline(self.genesis_hash)
        self.reads.attack()

    def stop(self) -> None:
        """Stop everything; stopping twice is nothing."""
        self.reads.stop()
        stop_all(list(self.nodes.values()))

    def found(self) -> None:
        say("1. Four customs authorities found a network: they make keys, exchange records, sign one genesis")
        rpc, peers = free_port_block(len(COUNTRIES)), free_port_block(len(COUNTRIES), above=26_000)
        options = [part for country in COUNTRIES for part in ("--authority", country)]
        answer = self.cocket(
            "network", "create", str(self.trial), *options, "--rpc-port", str(rpc), "--peer-port", str(peers)
        )
        self.result["authorities"] = len(answer["authorities"])
        self.genesis_hash = str(answer["genesis_hash"])
        say(f"   genesis {self.genesis_hash}")

    def start(self) -> None:
        say("2. Each starts its node: four processes, RLPx between them")
        self.nodes = {country: NodeProcess(self.trial / country) for country in COUNTRIES}
        for node in self.nodes.values():
            node.start()
        for node in self.nodes.values():
            node.wait_ready()
        self.wait_heights(2)
        say(f"   blocks are final at {', '.join(f'{c} {n.height()}' for c, n in self.nodes.items())}")

    def accredit(self) -> None:
        say("3. Kenya's customs accredits a chamber of commerce; the ledger gets a salted hash of its name")
        self._passphrase.write_text("demo passphrase\n")
        self._passphrase.chmod(0o600)
        key = self.cocket(
            "keys", "new", "chamber", "--folder", str(self.folder / "keys"), "--passphrase-file", str(self._passphrase)
        )
        answer = self.cocket(
            "participant", "accredit", "--home", str(self.trial / "KE"), "--name", "Kenya Chamber of Commerce",
            "--role", "chamber", "--account", str(key["address"]), "--to", "2099-01-01",
            "--out", str(self.folder / "chamber.participant.json"),
        )  # fmt: skip
        say(f"   participant {answer['participant']}, final in block {answer['block']}")

    def issue(self) -> None:
        say("4. The chamber checks and issues the published W3C/CBP certificates of origin")
        for name, data in example_documents():
            (self.folder / f"{Path(name).stem}.json").write_bytes(data)
        files = sorted(str(path) for path in self.folder.glob("w3c-*.json"))
        checked = self.cocket("certificate", "check", *files)
        for document in checked["documents"]:
            say(f"   {document['document']}: {len(document['findings'])} findings, none that forbids it")
        answer = self.cocket("certificate", "issue", *files, "--out", str(self.folder / "issued"), *self.chamber)
        self.result["certificates"] = int(answer["certificates"])
        say(f"   {answer['certificates']} certificates final in block {answer['block']}, batch {answer['batch']}")

    def bulk(self) -> None:
        say(f"5. ... and {BULK:,} made from them, in one transaction")
        source = self.folder / "bulk.jsonl"
        with source.open("wb") as lines:
            for document in bulk_documents(BULK):
                lines.write(document.replace(b"\n", b" ") + b"\n")
        started = time.monotonic()
        answer = self.cocket("certificate", "issue", str(source), "--out", str(self.folder / "bulk"), *self.chamber)
        self.result["certificates"] = int(str(self.result["certificates"])) + int(answer["certificates"])
        say(
            f"   {answer['certificates']:,} certificates final in block {answer['block']}, "
            f"from JSON to files on disk in {time.monotonic() - started:.1f} s"
        )

    def verify(self) -> None:
        say("6. Singapore's customs verifies one that came with the goods, on its own node")
        verdict = self.cocket("certificate", "verify", str(self.certificate), "--node", self.nodes["SG"].url)
        self.show_verdict(verdict)
        answers = [verdict[name]["answer"] for name in ("integrity", "issuance", "in_force", "issuer_authority")]
        self.note("verified", answers == ["yes"] * 4 and verdict["superseded"]["answer"] == "no")

    def tamper(self) -> None:
        say("7. Somebody changes a field: the description of the goods")
        forged = self.folder / "forged.certificate.json"
        forged.write_bytes(self.certificate.read_bytes().replace(b"Model Dolce", b"Model Amaro"))
        verdict = self.cocket("certificate", "verify", str(forged), "--node", self.nodes["SG"].url, code=5)
        self.show_verdict(verdict)
        named = verdict["integrity"]["pointer"] == "/credentialSubject/items/0/description"
        self.note("tampered", verdict["integrity"]["answer"] == "no" and named)

    def use_twice(self) -> None:
        say("8. Two authorities claim the same certificate in full: the second is refused by consensus")
        other = self.folder / "issued" / "w3c-usmca-certification-of-origin.certificate.json"
        first = self.cocket("certificate", "use", str(other), "--home", str(self.trial / "SG"))
        say(f"   SG: used in block {first['block']}")
        second = self.cocket("certificate", "use", str(other), "--home", str(self.trial / "NL"), code=3)
        say(f"   NL: {second['error']}")
        self.note("double_use", "already used" in str(second["error"]))

    def withdraw(self) -> None:
        say("9. The chamber withdraws the certificate")
        answer = self.cocket("certificate", "withdraw", str(self.certificate), "--reason", "4", *self.chamber)
        self.wait_heights(int(answer["block"]))
        verdict = self.cocket("certificate", "verify", str(self.certificate), "--node", self.nodes["SG"].url, code=5)
        self.show_verdict(verdict)
        in_force = verdict["in_force"]
        right = in_force["answer"] == "no" and in_force["block"] == answer["block"] and in_force["time"]
        self.note("withdrawn", bool(right) and "withdrawn" in in_force["reason"])

    def kill_one(self) -> None:
        say("10. Brazil's node is killed with -9; the others go on; it comes back by itself")
        victim = self.nodes["BR"]
        victim.kill()
        before = self.nodes["NL"].height() or 0
        self.wait_heights(before + 3, without="BR")
        victim.start()
        victim.wait_ready()
        target = self.nodes["NL"].height() or 0
        self.wait_heights(target + 1)
        self.result["recovered_after_kill"] = True
        say(f"   BR is level again at {victim.height()}")

    def compare(self) -> None:
        say("11. All four have the same state")
        deadline = time.monotonic() + SETTLE_S
        while True:
            height = min(self.heights().values())
            blocks = [node.ask("eth_getBlockByNumber", hex(height), False) for node in self.nodes.values()]
            heights = list(self.heights().values())
            if len(set(heights)) == 1 or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        roots = {block["stateRoot"] if isinstance(block, dict) else None for block in blocks}
        self.result["heights"] = heights
        self.result["state_roots_equal"] = len(roots) == 1 and None not in roots
        say(f"   heights {heights}, state root {roots.pop()}")

    # -- shared --------------------------------------------------------------------------------------------------------

    @property
    def chamber(self) -> Sequence[str]:
        """How the chamber signs, through Kenya's node."""
        key = str(self.folder / "keys" / "chamber.json")
        return ("--key", key, "--passphrase-file", str(self._passphrase), "--node", self.nodes["KE"].url)

    @property
    def certificate(self) -> Path:
        """The certificate that the story follows."""
        return self.folder / "issued" / "w3c-certification-of-origin.certificate.json"

    def cocket(self, *arguments: str, code: int = 0) -> dict:
        """Run a command as a user would, and return its JSON answer."""
        command = [sys.executable, "-m", "cocket.cli", *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != code:
            raise StepFailed(
                f"cocket {' '.join(arguments)}\nended with {done.returncode}, expected {code}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return json.loads(done.stdout)

    def heights(self) -> dict[str, int]:
        """Return the height of each node, -1 for one that does not answer."""
        return {country: -1 if (height := node.height()) is None else height for country, node in self.nodes.items()}

    def wait_heights(self, target: int, without: str = "") -> None:
        """Wait until all nodes but one are at a height."""
        deadline = time.monotonic() + SETTLE_S
        while any(height < target for country, height in self.heights().items() if country != without):
            if time.monotonic() > deadline:
                raise StepFailed(f"height {target} is not reached after {SETTLE_S} s: {self.heights()}")
            time.sleep(0.2)

    def say(self, sentence: str) -> None:
        """Tell the story."""
        say(sentence)

    def note(self, name: str, is_expected: bool) -> None:
        """Keep whether a step came out as it should."""
        self.result[name] = "as expected" if is_expected else "NOT AS EXPECTED"

    def show_verdict(self, verdict: dict) -> None:
        """Print the answers of a verdict."""
        for name in ("integrity", "issuance", "in_force", "issuer_authority", "superseded", "used"):
            answer = verdict[name]
            say(f"   {name.replace('_', ' '):17} {answer['answer']:16} {answer['reason']}")


def say(sentence: str) -> None:
    """Tell the story."""
    print(sentence, flush=True)


def is_as_expected(result: dict[str, object]) -> bool:
    """Whether everything came out as it should."""
    names = ("verified", "tampered", "withdrawn", "double_use", *ANSWERS)
    heights = result["heights"]
    return (
        result["authorities"] == 4
        and isinstance(heights, list)
        and len(set(heights)) == 1
        and result["state_roots_equal"] is True
        and int(str(result["certificates"])) >= BULK
        and all(result.get(name) == "as expected" for name in names)
        and result.get("validator_without_grant") == READ_NOTHING
        and result.get("recovered_after_kill") is True
    )


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="Four authorities, one ledger, certificates from issue to verdict.")
    parser.add_argument("--check", action="store_true", help="do not wait for a person; end with one JSON line")
    parser.add_argument("--folder", type=Path, help="where to work, kept afterwards; default: a temporary folder")
    options = parser.parse_args()
    started = time.monotonic()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="cocket-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    demo = Demo(folder)
    try:
        demo.run()
        if not options.check:
            say(f"\nThe network is still up. Look at it from another terminal, in {folder}:")
            say(f"   cocket status --node {demo.nodes['SG'].url}")
            say(f"   cocket participant list --node {demo.nodes['SG'].url}")
            say(f"   cocket certificate verify {demo.certificate} --node {demo.nodes['SG'].url}")
            say("Ctrl-C stops it.")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)
        demo.finish()
    except (StepFailed, TimeoutError) as error:
        say(f"\n{error}")
        for keeper in demo.reads.keepers.values():
            say(f"\n{keeper.log}:\n{keeper.log_tail()}")
        for node in demo.nodes.values():
            say(f"\n{node.log}:\n{node.log_tail()}")
    except KeyboardInterrupt:
        pass
    finally:
        demo.stop()
        demo.reads.clean()
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    demo.result["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(demo.result), flush=True)
    return 0 if is_as_expected(demo.result) else 1


if __name__ == "__main__":
    sys.exit(main())
