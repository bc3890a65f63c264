"""``cocket doctor``: what several answers show together, what a home shows at rest, and how it is said."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from command import cocket
from e2e.trial import Trial

from cocket.cli import views as module
from cocket.cli.errors import Exit
from cocket.cli.home_check import find_at_rest, find_stranger, find_unsound
from cocket.cli.views import View, compare, is_said_better
from cocket.node.config import Home
from cocket.node.diagnosis import Diagnosis, RoundView, ValidatorView
from cocket.node.findings import Finding
from cocket.node.judgement import judge
from cocket.node.store.home import DataFolder, owner_of

COUNTRIES = ("BR", "KE", "NL", "SG")
NOW_MS = 1_764_000_000_000
CHAIN = "0x" + "ab" * 32


def view_of(country: str, sees: tuple[str, ...] = COUNTRIES, clock_ms: int | None = 0, **changes: object) -> View:
    """Return what a validator's node says that sees these others, all being well but for what is named."""
    diagnosis = Diagnosis(
        name=country,
        now_ms=NOW_MS,
        up_s=600.0,
        genesis_hash=CHAIN,
        height=100,
        head_timestamp=NOW_MS // 1000,
        since_block_s=0.5,
        block_period_s=1,
        request_timeout_s=2,
        address="0x" + country,
        country=country,
        is_validator=True,
        round=RoundView(
            height=101, round=0, since_s=None, timeout_s=2.0, proposer="0xKE", has_proposal=False, prepares=0, commits=0
        ),
        validators=tuple(
            ValidatorView(
                address="0x" + other,
                country=other,
                is_self=other == country,
                is_connected=other == country or other in sees,
                connected_s=600.0,
                spoke_s=0.5,
                agreed_s=0.5,
            )
            for other in COUNTRIES
        ),
        peers=len(sees) - 1,
    )
    return View(f"http://{country}:8545", msgspec.structs.replace(diagnosis, **changes), clock_ms)


def one_chain(_url: str, height: int) -> str:
    return f"0x{height:064x}"


def codes(found: Iterator[Finding]) -> list[tuple[str, ...]]:
    return [(finding.code, *finding.who) for finding in found]


ALL = [view_of(country) for country in COUNTRIES]
TOGETHER: dict[str, tuple[list[View], list[tuple[str, ...]]]] = {
    "all is well": (ALL, []),
    "a cut through the middle": (
        [*[view_of(c, ("BR", "KE")) for c in ("BR", "KE")], *[view_of(c, ("NL", "SG")) for c in ("NL", "SG")]],
        [("cut", *COUNTRIES)],
    ),
    "one line down": (
        [view_of("BR", ("KE", "SG")), view_of("NL", ("KE", "SG")), *ALL[1:2], *ALL[3:]],
        [("line-down", "BR", "NL")],
    ),
    "one end of a line down": ([view_of("BR", ("NL", "SG")), ALL[1]], [("line-down", "BR", "KE")]),
    "another network": ([*ALL[:2], view_of("SG", genesis_hash="0x" + "cd" * 32)], [("genesis-differs", "SG")]),
    "two networks of one each": (
        [ALL[0], view_of("SG", genesis_hash="0x" + "cd" * 32)],
        [("genesis-differs", "BR", "SG")],
    ),
    "a clock off": ([*ALL[:2], view_of("NL", clock_ms=-40_000)], [("clock-off", "NL")]),
    "a clock that the way hides": ([*ALL[:2], view_of("NL", clock_ms=None)], []),
    "two that watch": (
        [view_of("BR", is_watching=True), view_of("KE", is_watching=True), ALL[2]],
        [("too-many-watch", "BR", "KE")],
    ),
    "one that watches": ([view_of("BR", is_watching=True), *ALL[1:]], []),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_what_only_several_views_show(name: str) -> None:
    views, expected = TOGETHER[name]
    assert codes(compare(views, one_chain)) == expected


def test_a_fork_is_two_hashes_at_the_height_that_all_have() -> None:
    views = [view_of("BR", height=90), *ALL[1:]]
    asked = []

    def forked(url: str, height: int) -> str | None:
        asked.append(height)
        return None if "SG" in url else "0xaa" if "BR" in url else "0xbb"

    (fork,) = compare(views, forked)
    assert (fork.code, fork.who) == ("fork", ("BR", "KE", "NL"))
    assert "height 90: BR 0xaa; KE and NL 0xbb" in fork.seen
    assert asked == [90] * 4


def test_what_one_node_guesses_gives_way_to_what_the_other_says_itself() -> None:
    blind = view_of("BR", ("KE", "SG"))
    (guess,) = judge(blind.diagnosis)
    assert (guess.code, guess.who) == ("not-connected", ("NL",))
    assert not is_said_better(guess, blind, [blind, ALL[1]], ())
    assert is_said_better(guess, blind, [blind, ALL[2]], ())
    follower = view_of("BR", ("KE", "SG"), is_validator=False, address=None, round=None)
    assert not is_said_better(guess, follower, [follower, ALL[2]], ())  # of its lines only itself speaks


# -- what answers ------------------------------------------------------------------------------------------------------


@contextmanager
def answering(answer: Callable[[str], bytes]) -> Iterator[str]:
    """Give the URL of a server that answers each JSON-RPC method so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["method"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def result(value: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": value})


NO_NODES = {
    "no JSON": (b"<html>", "no node"),
    "no object": (b"[]", "no node"),
    "nested without end": (b"[" * 100_000, "no node"),
    "a number": (result(7), "another version"),
    "a node without a network": (result(None), "without a network"),
    "half a diagnosis": (result({"name": "KE"}), "another version"),
    "no such method": (b'{"error": {"code": -32601, "message": "no"}}', "gives no diagnosis"),
    "busy": (b'{"error": {"code": -32002, "message": "busy"}}', "busy"),
}


@pytest.mark.parametrize("name", NO_NODES)
def test_what_is_no_answer_is_said_and_is_no_verdict(name: str) -> None:
    body, said = NO_NODES[name]
    with answering(lambda _method: body) as url:
        answer = cocket("doctor", "--node", url, "--json")
    assert answer.code == Exit.COULD_NOT_CHECK
    assert answer.json()["is_healthy"] is None
    assert said in str(answer.json()["headline"])


def test_a_refusal_is_quoted_no_longer_than_it_may_be() -> None:
    endless = "x" * 10_000
    with answering(lambda _method: msgspec.json.encode({"error": {"code": -32002, "message": endless}})) as url:
        answer = cocket("doctor", "--node", url, "--json")
    assert answer.code == Exit.COULD_NOT_CHECK
    assert str(answer.json()["headline"]).count("x") == module.MESSAGE_CHARACTERS_MAX


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8545", "ftp://BR:8545", "http://", "http://[::1", "http://BR:99999", "http://BR:0", "http://B R"]
)
def test_what_is_no_address_is_not_asked(url: str) -> None:
    answer = cocket("doctor", "--node", url)
    assert answer.code == Exit.COULD_NOT_CHECK
    assert f"at {url}: it is no address of a node" in answer.out


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 1000)
    with answering(lambda _method: result(ALL[0].diagnosis)) as url:
        assert cocket("doctor", "--node", url).code == Exit.COULD_NOT_CHECK


def test_a_nodes_words_do_not_command_the_terminal() -> None:
    evil = msgspec.structs.replace(view_of("BR", ("KE", "NL")).diagnosis, country="B\x1b[2JR")
    with answering(lambda _method: result(evil)) as url:
        answer = cocket("doctor", "--node", url)
    assert answer.code == Exit.FAILED
    assert "B?[2JR" in answer.out
    assert "\x1b" not in answer.out


def test_two_answers_are_merged_into_one_object() -> None:
    def node(country: str) -> Callable[[str], bytes]:
        def answer(method: str) -> bytes:
            now_ms = time.time_ns() // 1_000_000
            diagnosis = view_of(country, ("BR", "KE", "NL"), now_ms=now_ms).diagnosis
            return result(diagnosis if method == "cocket_diagnosis" else {"hash": "0x01"})

        return answer

    with answering(node("BR")) as one, answering(node("KE")) as other:
        answer = cocket("doctor", "--node", one, "--node", other, "--json")
        people = cocket("doctor", "--node", one, "--node", other)
    assert answer.code == people.code == Exit.FAILED
    (finding,) = answer.json()["findings"]  # type: ignore[misc]
    assert (finding["code"], finding["severity"], finding["who"]) == ("not-connected", "warning", ["SG"])  # type: ignore[index]
    assert finding["by"] == ["BR", "KE"]  # type: ignore[index]
    assert people.out.startswith("Blocks come, but: SG is not connected with BR.\n    Ask SG whether its node runs;")
    assert people.out.splitlines()[-2].split() == [
        "BR",
        "100",
        "0",
        "s",
        "ago",
        "0",
        "of",
        "block",
        "101",
        "KE",
        "KE,",
        "NL",
    ]


# -- a home at rest ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("two"), "KE", "NL")


@pytest.fixture
def home(founded: Trial) -> Iterator[Home]:
    """Give a founded home; what a test changes in its files is put back."""
    home = founded.homes["NL"]
    kept = {path: (path.read_bytes(), path.stat().st_mode) for path in home.path.rglob("*") if path.is_file()}
    yield home
    for path in [path for path in home.path.rglob("*") if path.is_file() and path not in kept]:
        path.unlink()
    for path, (content, mode) in kept.items():
        path.write_bytes(content)
        path.chmod(mode)


def test_a_sound_home_that_never_ran_is_told_to_start(home: Home) -> None:
    assert list(find_unsound(home)) == []
    (finding,) = find_at_rest(home, "it refuses the connection")
    assert finding.code == "not-running"
    assert "has never run" in finding.seen
    assert str(home.path) in finding.advice


DAMAGES: dict[str, tuple[Callable[[Home], object], str]] = {
    "no genesis": (lambda h: h.genesis.unlink(), "genesis.json"),
    "another genesis": (
        lambda h: h.genesis.write_bytes(h.genesis.read_bytes().replace(b'"gasLimit": "0x', b'"gasLimit": "0x1')),
        "confirmed",
    ),
    "settings of nobody": (lambda h: h.config.write_text("nmae = 'x'"), "nmae"),
    "an open passphrase": (lambda h: (h.path / "passphrase").chmod(0o644), "chmod 600"),
    "no node key": (lambda h: (h.path / "keys/node.json").unlink(), "node.json"),
    "a hollow validator key": (lambda h: (h.path / "keys/validator.json").write_text("{}"), "validator.json"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_keeps_a_node_from_starting_is_named(home: Home, damage: str) -> None:
    do, said = DAMAGES[damage]
    do(home)
    unsound = [finding for finding in find_unsound(home) if finding.code == "home-unsound"]
    assert len(unsound) == 1
    assert said in unsound[0].seen
    answer = cocket("doctor", "--home", home.path, "--json")
    assert answer.code == Exit.FAILED
    assert said in str(answer.json()["headline"])


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("block height=7\nnode stopped height=7\n", "stopped in order"),
        ("block height=7\ncocket: journal /x: no space left\n", "It ended with: journal /x: no space left."),
        ("block height=7\n", "without a word"),
        ("", "There is no log"),
    ],
)
def test_the_end_of_the_log_says_how_a_node_ended(home: Home, log: str, said: str) -> None:
    (home.path / "node.log").write_text(log)
    with DataFolder(home.data):
        assert owner_of(home.data) is not None
    (finding,) = [finding for finding in find_at_rest(home, "") if finding.code == "not-running"]
    assert said in finding.seen


def test_a_lost_journal_beside_a_chain_is_named(home: Home) -> None:
    with DataFolder(home.data) as folder:
        folder.chain.mkdir(exist_ok=True)
        assert [finding.code for finding in find_unsound(home)] == ["no-journal"]
        folder.journal.touch()
        assert list(find_unsound(home)) == []
        folder.journal.unlink()
        folder.chain.rmdir()


def test_a_process_that_holds_the_home_and_does_not_answer_is_told_from_none(home: Home) -> None:
    with DataFolder(home.data):
        (finding,) = find_at_rest(home, "it refuses the connection")
    assert finding.code == "no-answer"
    assert "runs (process " in finding.seen
    assert "it refuses the connection" in finding.seen
    (finding,) = find_at_rest(home, "it refuses the connection")
    assert finding.code == "not-running"


def test_what_answers_in_a_homes_place_must_be_its_node(founded: Trial, home: Home) -> None:
    address = "0x" + _address(founded.homes["NL"])
    ours = msgspec.structs.replace(
        ALL[0].diagnosis, genesis_hash="0x" + founded.founded.genesis.hash.hex(), address=address
    )
    assert list(find_stranger(home, ours)) == []
    (finding,) = find_stranger(home, msgspec.structs.replace(ours, genesis_hash=CHAIN))
    assert "another network" in finding.seen
    (finding,) = find_stranger(home, msgspec.structs.replace(ours, address="0x" + _address(founded.homes["KE"])))
    assert "another key" in finding.seen


def _address(home: Home) -> str:
    return str(json.loads((home.path / "keys/validator.json").read_text())["address"]).removeprefix("0x").lower()


def test_the_help_has_an_example_and_a_home_must_be_there(tmp_path: Path) -> None:
    answer = cocket("doctor", "--help")
    assert answer.code == Exit.DONE
    assert "cocket doctor --home trial/NL" in answer.out
    assert cocket("doctor", "--home", tmp_path / "nowhere").code == Exit.USAGE
