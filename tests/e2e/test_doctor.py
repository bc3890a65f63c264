"""``cocket doctor`` at the bedside: real nodes are made ill, and it must say with what, to people and to programs."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cli.command import cocket
from e2e.ailments import Ailment
from e2e.trial import Trial, free_ports, save_passphrase, wait_until
from founding.founders import make_home

from cocket.cli.processes import NodeProcess
from cocket.node.config import Settings, format_settings


class Verdict:
    """What one call of the doctor said."""

    def __init__(self, code: int, answer: dict[str, object]) -> None:
        self.code = code
        self.headline = str(answer["headline"])
        self.is_healthy = answer["is_healthy"]
        findings, nodes = answer["findings"], answer["nodes"]
        assert isinstance(findings, list)
        assert isinstance(nodes, list)
        self.findings = [(found["code"], *found["who"]) for found in findings]
        self.text = "\n".join([self.headline, *[f"{found['seen']} {found['advice']}" for found in findings]])
        self.rounds = [node["diagnosis"]["round"] for node in nodes]

    def has(self, *finding: str) -> bool:
        return finding in self.findings

    def __repr__(self) -> str:
        return f"{self.code} {self.findings}\n{self.text}"


def examine(*arguments: object) -> Verdict:
    answer = cocket("doctor", *arguments, "--json")
    return Verdict(answer.code, answer.json())


def ask(trial: Trial, *countries: str) -> Verdict:
    return examine(*[word for country in countries for word in ("--node", trial[country].url)])


def look(trial: Trial, country: str) -> Verdict:
    return examine("--home", trial.homes[country].path)


def until(take: Callable[[], Verdict], holds: Callable[[Verdict], bool]) -> Verdict:
    """Examine until something is said; the last verdict is in the error if it never is."""
    last: list[Verdict] = []

    def is_said() -> bool:
        last[:] = [take()]
        return holds(last[0])

    try:
        wait_until(is_said, "the doctor says it")
    except AssertionError as error:
        raise AssertionError(f"{error}; last: {last}") from None
    return last[0]


class Ward(Trial):
    """Four nodes that are made ill in turn, in the order of the tests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "BR", "KE", "NL", "SG")
        self.ailments = {country: Ailment(folder / f"{country}.ailment") for country in self.nodes}
        for country, ailment in self.ailments.items():
            self.environments[country].update(ailment.environment)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    ward = Ward(tmp_path_factory.mktemp("ward"))
    with closing(ward):
        ward.start()
        yield ward


@pytest.fixture
def four(ward: Ward) -> Ward:
    ward.restore()
    return ward


def test_nobody_at_the_address_is_no_verdict_on_the_network(four: Ward) -> None:
    verdict = examine("--node", f"http://127.0.0.1:{free_ports(1)}")
    assert verdict.code == 6
    assert verdict.is_healthy is None
    assert "refuses the connection" in verdict.headline
    assert examine("--node", f"http://127.0.0.1:{four.peer_ports['BR']}").code == 6  # RLPx, not JSON-RPC
    assert examine("--node", "127.0.0.1:8545").code == 6


def test_a_healthy_network_is_called_healthy(four: Ward) -> None:
    verdict = until(lambda: ask(four, "BR"), lambda verdict: verdict.code == 0)
    assert verdict.is_healthy is True
    assert verdict.headline.startswith("Healthy: BR is at block ")
    assert "4 of 4 validators take part, 3 are needed" in verdict.headline
    all_of_them = [word for node in four.nodes.values() for word in ("--node", node.url)]
    assert until(lambda: examine(*all_of_them), lambda verdict: verdict.code == 0).findings == []
    told = cocket("doctor", *all_of_them).out
    assert [line.split()[0] for line in told.splitlines()[-4:]] == ["BR", "KE", "NL", "SG"]


def test_one_that_hangs_is_said_to_be_silent_and_suspended(four: Ward) -> None:
    pid = four["NL"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        at_home = look(four, "NL")
        assert at_home.findings == [("suspended", "NL")], at_home
        assert f"kill -CONT {pid}" in at_home.text
        verdict = until(lambda: ask(four, "BR"), lambda v: v.has("silent", "NL") or v.has("not-connected", "NL"))
        assert verdict.code == 1
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_validator_without_a_seat_whom_nobody_lets_in(four: Ward, tmp_path: Path) -> None:
    home = make_home(tmp_path, "UY")
    save_passphrase(home)
    shutil.copy(four.homes["BR"].genesis, home.genesis)
    port, ours = free_ports(2), four.homes["BR"].settings()
    settings = Settings(
        name="UY",
        genesis_hash=ours.genesis_hash,
        rpc=msgspec.structs.replace(ours.rpc, port=port),
        peers=msgspec.structs.replace(ours.peers, port=port + 1),
    )
    home.config.write_text(format_settings(settings))
    assert examine("--home", home.path).findings == [("not-running", "UY")]
    stranger = NodeProcess(home.path)
    stranger.start()
    try:
        stranger.wait_ready()
        verdict = until(lambda: examine("--home", home.path), lambda verdict: verdict.has("no-peers", "UY"))
        assert verdict.code == 1
        assert verdict.has("no-seat", "UY")
        assert {finding for finding in verdict.findings if finding[0] == "not-connected"} == {
            ("not-connected", country) for country in four.nodes
        }
    finally:
        stranger.kill()
    home.config.write_text(format_settings(msgspec.structs.replace(settings, rpc=ours.rpc)))
    assert examine("--home", home.path).has("another-node", "UY")


def test_who_is_missing_is_named_with_a_quorum_and_without(four: Ward) -> None:
    """One stopped: blocks come. Two: none comes, the round goes up, the log says so, and the homes say why."""
    four["SG"].terminate()
    assert four["SG"].wait_stopped()
    verdict = until(
        lambda: ask(four, "BR"), lambda v: v.headline.startswith("Blocks come, but: SG is not connected with BR")
    )
    assert verdict.code == 1
    assert verdict.has("not-connected", "SG")
    assert "3 of 4 take part and 3 are needed" in verdict.text
    at_home = look(four, "SG")
    assert at_home.code == 1
    assert at_home.findings == [("not-running", "SG")]
    assert "It was stopped in order" in at_home.headline

    four["NL"].kill()
    verdict = until(
        lambda: ask(four, "BR"),
        lambda v: (
            v.headline.startswith("No block for")
            and "2 of 4 validators are missing (NL, SG); 3 are needed" in v.headline
            and "Connection refused" in v.text
            and v.rounds[0]["round"] > 0
        ),
    )
    assert verdict.code == 1
    assert verdict.is_healthy is False
    assert {finding for finding in verdict.findings if finding[0] == "not-connected"} == {
        ("not-connected", "NL"),
        ("not-connected", "SG"),
    }
    assert "ended without a word" in look(four, "NL").text
    wait_until(lambda: "no block comes" in four["KE"].log_tail(), "the log tells of it")
    assert "2 of 4 validators are missing (NL, SG); 3 are needed." in four["KE"].log_tail()

    journal = four.homes["NL"].data / "journal"
    kept = journal.read_bytes()
    journal.write_bytes(bytes(200))
    four["NL"].start()
    wait_until(lambda: not four["NL"].is_running(), "the node refuses to start")
    at_home = look(four, "NL")
    journal.write_bytes(kept)
    assert at_home.findings == [("not-running", "NL")]
    assert "It ended with: " in at_home.headline
    assert str(journal) in at_home.headline


def test_a_node_of_another_chain_is_told_from_one_that_is_away(ward: Ward) -> None:
    home = ward.homes["SG"]
    ward["SG"].kill()
    kept = {path: path.read_bytes() for path in (home.genesis, home.config)}
    other = json.loads(kept[home.genesis])
    other["timestamp"] = hex(int(str(other["timestamp"]), 16) - 60)
    home.genesis.write_text(json.dumps(other))
    at_rest = look(ward, "SG")
    assert at_rest.findings[0] == ("home-unsound", "SG")
    assert "this authority confirmed" in at_rest.headline
    home.config.write_text(format_settings(msgspec.structs.replace(home.settings(), genesis_hash="")))
    home.data.rename(home.path / "kept")
    try:
        ward.start("SG")
        verdict = until(lambda: ask(ward, "BR"), lambda verdict: verdict.has("genesis-differs", "SG"))
        assert verdict.code == 1
        assert not verdict.has("not-connected", "SG")
        assert until(lambda: ask(ward, "SG"), lambda verdict: verdict.has("genesis-differs", "SG")).code == 1
        assert ask(ward, "BR", "KE", "SG").has("genesis-differs", "SG")
    finally:
        ward["SG"].kill()
        for path, content in kept.items():
            path.write_bytes(content)
        shutil.rmtree(home.data)
        (home.path / "kept").rename(home.data)


def test_one_that_catches_up_says_how_far_it_is(ward: Ward) -> None:
    """Two others must tell of blocks that it lacks, lest one could make them up."""
    ward["KE"].kill()
    shutil.rmtree(ward.homes["KE"].data)
    stopped = [country for country in ("BR", "NL") if not ward[country].is_running()]
    if stopped:
        ward.start(*stopped)
    ward.ailments["KE"].set(import_s=1)
    ward.start("KE")
    verdict = until(lambda: ask(ward, "KE"), lambda verdict: verdict.has("behind", "KE"))
    assert verdict.code == 1
    assert "blocks behind: it has " in verdict.text


def test_a_cut_network_and_a_clock_that_is_off_are_seen_from_both_sides(ward: Ward) -> None:
    """BR and NL may go on running: the others come back to find the lines cut."""
    ports = ward.peer_ports
    for country in ("KE", "SG"):
        ward[country].kill()
    for country, others in (("BR", "KE SG"), ("NL", "KE SG"), ("KE", "BR NL"), ("SG", "BR NL")):
        cut = [ports[other] for other in others.split()]
        ward.ailments[country].set(cut_ports=cut, clock_s=-40 if country == "SG" else 0)
    ward.start(*[country for country, node in ward.nodes.items() if not node.is_running()])
    verdict = until(
        lambda: ask(ward, *ward.nodes),
        lambda v: (
            v.headline.startswith("No block for")
            and "into [BR and NL] and [KE and SG]: all" in v.headline
            and v.has("clock-off", "SG")  # not while an answer is too slow to read a clock by
        ),
    )
    assert verdict.has("cut", "BR", "KE", "NL", "SG")
    assert [finding for finding in verdict.findings if finding[0] == "clock-off"] == [("clock-off", "SG")]
    behind = re.search(r"SG's clock is about (\d+) s behind", verdict.text)
    assert behind is not None, verdict
    assert 39 <= int(behind[1]) <= 41  # two answers, each read to half a second
    one_side = ask(ward, "KE")
    assert {finding for finding in one_side.findings if finding[0] == "not-connected"} == {
        ("not-connected", "BR"),
        ("not-connected", "NL"),
    }
    assert "no route to host" in one_side.text
