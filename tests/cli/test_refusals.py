"""Every reason that a contract can give to a command has a sentence, and no sentence is of a reason that is gone."""

import re
from pathlib import Path

from command import refused
from office import Office

from cocket.cli.refusals import SENTENCES, explain

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
# Reasons of the founding, of the directory and of calls that no command makes: they never reach a command's user.
NOT_BY_COMMAND = {
    "access": {
        "address", "delay too long", "founding time", "not https", "not the consortium", "out of sequence",
        "unknown purpose", "unknown service",
        "zero commitment", "zero directory", "zero root",
    },
    "certificates": {"depth", "path length", "zero directory", "zero top"},
    "participants": {"unknown role", "zero directory", "zero identity"},
    "consortium": {
        "delay too long", "duplicate validator", "endpoint", "founding time", "keys not distinct",
        "no encryption key", "no endpoint", "no founder", "no node", "not in the set",
        "unknown parameter", "zero directory", "zero key", "zero name or edition", "unknown purpose", "zero node",
    },
}  # fmt: skip


def reasons() -> set[str]:
    found: set[str] = set()
    for path in CONTRACTS.glob("*.vy"):
        found |= set(re.findall(r'"([a-z]+: [^"]+)"', path.read_text()))
    return {reason for reason in found if reason.split(": ")[0] in NOT_BY_COMMAND}


def test_every_reason_has_a_sentence() -> None:
    unseen = {f"{contract}: {reason}" for contract, known in NOT_BY_COMMAND.items() for reason in known}
    assert sorted(reasons() - set(SENTENCES) - unseen) == []


def test_no_sentence_is_of_a_reason_that_is_gone() -> None:
    assert sorted(set(SENTENCES) - reasons()) == []


def test_a_refusal_is_a_sentence_with_its_reason(office: Office) -> None:
    error = refused(3, "participant", "suspend", 999, *office.home("NL"))
    assert (
        error == "there is no such participant; `cocket participant list` shows all (participants: unknown participant)"
    )
    assert explain("elsewhere: other") == "elsewhere: other"
