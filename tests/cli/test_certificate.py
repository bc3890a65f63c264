"""Certificates through the command line on a founded ledger: issue, show, present, use, withdraw, supersede, verify."""

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import cocket, done, refused
from office import FIRST_DAY, TODAY, Office

GOOD = ("integrity", "issuance", "in_force", "issuer_authority")
FIELD = "/credentialSubject/items/0/description"


def verify(office: Office, file: Path, code: int, on: str = TODAY) -> dict[str, dict[str, object]]:
    answer = cocket("certificate", "verify", file, "--on", on, "--node", office.url, "--json")
    assert answer.code == code, answer
    return answer.json()  # type: ignore[return-value]


@pytest.fixture(scope="module")
def certificate(office: Office) -> Path:
    """Give one good certificate that no test changes."""
    return office.issue()[0]


def test_a_good_certificate_is_yes_throughout(office: Office, certificate: Path) -> None:
    verdict = verify(office, certificate, 0)
    assert [verdict[name]["answer"] for name in GOOD] == ["yes"] * 4
    assert [verdict[name]["answer"] for name in ("superseded", "used")] == ["no"] * 2
    assert verdict["overall"] == "yes"
    said = cocket("certificate", "verify", certificate, "--on", TODAY, "--node", office.url)
    assert said.out.startswith(f"GOOD on {TODAY}\n")
    assert certificate.stat().st_mode & 0o777 == 0o600


def test_a_changed_field_is_no_and_named(office: Office, certificate: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.json"
    forged.write_bytes(certificate.read_bytes().replace(b"Model Dolce", b"Model Amaro"))
    verdict = verify(office, forged, 5)
    assert verdict["integrity"]["answer"] == "no"
    assert verdict["integrity"]["pointer"] == FIELD
    said = cocket("certificate", "verify", forged, "--on", TODAY, "--node", office.url)
    assert FIELD in said.out


def test_without_a_node_it_could_not_be_checked(certificate: Path, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    answer = cocket("certificate", "verify", certificate, "--node", nobody, "--json")
    assert answer.code == 6
    verdict = answer.json()
    assert verdict["overall"] == "could not check"
    assert "no" not in [verdict[name]["answer"] for name in GOOD]  # type: ignore[index]
    assert nobody in answer.err
    # What the file alone shows needs no node.
    forged = tmp_path / "forged.json"
    forged.write_bytes(certificate.read_bytes().replace(b"Model Dolce", b"Model Amaro"))
    assert cocket("certificate", "verify", forged, "--node", nobody).code == 5


def test_a_node_of_another_chain_could_not_check(certificate: Path) -> None:
    from single_node import SingleChain, served

    with served(SingleChain()) as url:
        answer = cocket("certificate", "verify", certificate, "--node", url, "--json")
        assert answer.code == 6
        issuance = answer.json()["issuance"]
        assert isinstance(issuance, dict)
        assert "chain" in issuance["reason"]
        refused(1, "participant", "list", "--node", url)
        refused(1, "authority", "list", "--node", url)


def test_what_answers_is_no_node(certificate: Path) -> None:
    for body in (b"<html>", b"[]", b"{}", b"null", b'{"result": null}', b'{"result": "0xzz"}', b'{"error": 1}'):
        with answering(lambda _method, body=body: body) as url:
            assert url in refused(1, "status", "--node", url)
            answer = cocket("certificate", "verify", certificate, "--node", url)
            assert answer.code == 6, (body, answer)


def test_a_node_that_catches_up_could_not_check(certificate: Path) -> None:
    """It does not know the batch yet, which must not read as a no."""
    results: dict[str, object] = {
        "eth_syncing": {"startingBlock": "0x0", "currentBlock": "0x1", "highestBlock": "0x9"},
        "eth_blockNumber": "0x1",
    }
    with answering(lambda method: json.dumps({"id": 1, "result": results.get(method)}).encode()) as url:
        answer = cocket("certificate", "verify", certificate, "--node", url, "--json")
    assert answer.code == 6
    assert "catching up (block 1 of 9)" in answer.err
    assert answer.json()["overall"] == "could not check"


@contextlib.contextmanager
def answering(answer_to: Callable[[str], bytes]) -> Iterator[str]:
    """Serve something that is no node: a method's name in, the body of an answer out; gives the URL."""

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer_to(asked["method"]))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_batch_that_the_ledger_has_not_is_no(office: Office, certificate: Path, tmp_path: Path) -> None:
    """A certificate of a root that nobody anchored, honest in itself."""
    from cocket.attestation.batch import BatchBuilder
    from cocket.attestation.check import require
    from cocket.attestation.commit import document_secret
    from cocket.attestation.files import decode_certificate, encode_certificate
    from cocket.attestation.prove import Anchor, certificate_of
    from cocket.attestation.work import Chunk, commit_chunk

    secret = bytes(range(32))
    data = office.documents[0].read_bytes()
    builder = BatchBuilder(1, secret, 1)
    builder.extend(commit_chunk(Chunk(0, (data,), secret, "ZZ")).leaves)
    batch = builder.build()
    anchored = decode_certificate(certificate.read_bytes()).anchor
    assert anchored is not None
    index = batch.index_of(0)
    anchor = Anchor(
        anchored.chain_id, anchored.genesis_hash, anchored.contract, 1, batch.root, index, batch.path_of(index)
    )
    made = tmp_path / "unanchored.json"
    made.write_bytes(
        encode_certificate(certificate_of(require(data), document_secret(secret, 0), "ZZ").anchored(anchor))
    )
    verdict = verify(office, made, 5)
    assert verdict["integrity"]["answer"] == "yes"
    assert verdict["issuance"]["answer"] == "no"
    assert refused(3, "certificate", "use", made, *office.home("SG"))


def test_a_presentation_shows_what_was_chosen(office: Office, certificate: Path, tmp_path: Path) -> None:
    out = tmp_path / "shown.json"
    answer = done("certificate", "present", certificate, "--field", "goods", "--out", out)
    fields = answer["fields"]
    assert isinstance(fields, list)
    assert FIELD in fields
    whole = done("certificate", "show", certificate)["fields"]
    assert isinstance(whole, dict)
    assert len(fields) < len(whole)
    assert verify(office, out, 0)["integrity"]["answer"] == "yes"
    assert str(out) in refused(3, "certificate", "present", certificate, "--out", out)
    refused(2, "certificate", "present", out, "--out", tmp_path / "again.json")
    refused(2, "certificate", "present", certificate, "--field", "nonsense", "--out", tmp_path / "none.json")


def test_use_in_parts_never_exceeds_the_whole(office: Office) -> None:
    file = office.issue()[0]
    assert done("certificate", "use", file, "--share", "40", *office.home("SG"))["used_ppm"] == 400_000
    assert done("certificate", "use", file, "--share", "35.5", *office.home("NL"))["used_ppm"] == 755_000
    assert "already used" in refused(3, "certificate", "use", file, "--share", "25", *office.home("BR"))
    verdict = verify(office, file, 0)  # use speaks neither for nor against it
    assert verdict["used"]["answer"] == "yes"
    assert "SG (40 %" in str(verdict["used"]["reason"])
    assert "24.5 % left" in str(verdict["used"]["reason"])
    done("certificate", "use", file, "--share", "24.5", *office.home("BR"))
    assert "in full" in str(verify(office, file, 0)["used"]["reason"])


@pytest.mark.parametrize("share", ["0", "-1", "100.1", "much", "0.00001", "nan"])
def test_a_share_is_more_than_nothing_and_at_most_all(office: Office, certificate: Path, share: str) -> None:
    answer = cocket("certificate", "use", certificate, f"--share={share}", *office.home("SG"))
    assert answer.code == 2
    assert answer.err


def test_only_authorities_use(office: Office, certificate: Path) -> None:
    assert refused(3, "certificate", "use", certificate, *office.by_chamber)


def test_withdrawal_is_for_good_and_dated(office: Office) -> None:
    file, other = office.issue(*office.documents)
    assert refused(3, "certificate", "withdraw", file, *office.home("NL"))  # neither issuer nor its authority
    answer = done("certificate", "withdraw", file, "--reason", "4", *office.by_chamber)
    verdict = verify(office, file, 5)
    assert verdict["in_force"]["answer"] == "no"
    assert verdict["in_force"]["block"] == answer["block"]
    assert "reason code 4" in str(verdict["in_force"]["reason"])
    assert verdict["integrity"]["answer"] == "yes"
    assert verify(office, other, 5, on=TODAY)["in_force"]["answer"] == "no"  # that one's own dates are past
    assert "withdrawn" not in str(verify(office, other, 5)["in_force"]["reason"])
    assert refused(3, "certificate", "withdraw", file, *office.by_chamber)
    assert refused(3, "certificate", "use", file, *office.home("SG"))


def test_the_authority_of_the_issuer_may_withdraw_too(office: Office) -> None:
    file = office.issue()[0]
    done("certificate", "withdraw", file, *office.home("KE"))
    assert "its authority" in str(verify(office, file, 5)["in_force"]["reason"])


def test_superseded_names_what_came_after(office: Office) -> None:
    old, new = office.issue()[0], office.issue()[0]
    assert refused(3, "certificate", "supersede", old, "--by", old, *office.by_chamber)
    done("certificate", "supersede", old, "--by", new, *office.by_chamber)
    verdict = verify(office, old, 5)
    assert verdict["superseded"]["answer"] == "yes"
    batch = done("certificate", "show", new)["anchor"]
    assert isinstance(batch, dict)
    assert batch["batch"] in str(verdict["superseded"]["reason"])
    assert verify(office, new, 0)["superseded"]["answer"] == "no"


def test_a_suspended_issuer_is_not_entitled_and_was(office: Office) -> None:
    key = office.make_key("suspended")
    number = office.accredit("KE", key, "A chamber that is suspended")
    by = office.signed_by(key)
    file = office.issue(by=by)[0]
    verify(office, file, 0)
    done("participant", "suspend", number, "--reason", "9", *office.home("KE"))
    verdict = verify(office, file, 5)
    assert verdict["issuer_authority"]["answer"] == "no"
    reason = str(verdict["issuer_authority"]["reason"])
    assert "suspended" in reason
    assert "reason code 9" in reason
    assert "it was entitled when the batch was anchored" in reason
    out = office.folder_for_batch()
    refused(3, "certificate", "issue", office.documents[0], "--out", out, "--valid-from", FIRST_DAY, *by)
    done("participant", "reinstate", number, *office.home("KE"))
    assert verify(office, file, 0)["issuer_authority"]["answer"] == "yes"
    done("certificate", "issue", office.documents[0], "--out", out, "--valid-from", FIRST_DAY, *by)


def test_a_date_before_the_anchor_is_no(office: Office, certificate: Path) -> None:
    assert verify(office, certificate, 5, on="2025-10-02")["in_force"]["answer"] == "no"
    assert "like 2026-11-23" in refused(2, "certificate", "verify", certificate, "--on", "soon", "--node", office.url)


# -- files that are none -----------------------------------------------------------------------------------------------

BAD_FILES = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "another format": b'{"format": "cocket-certificate-9"}',
    "bytes": bytes(range(256)),
    "deep": b"[" * 200_000,
    "a member too many": b'{"format": "cocket-certificate-1", "x": 1}',
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["show", "verify", "present", "withdraw", "use"])
def test_what_is_no_certificate_is_said_and_named(office: Office, tmp_path: Path, name: str, command: str) -> None:
    file = tmp_path / "broken.certificate.json"
    file.write_bytes(BAD_FILES[name])
    options: tuple[object, ...] = {
        "verify": ("--node", office.url),
        "present": ("--out", tmp_path / "out.json"),
        "withdraw": office.by_chamber,
        "use": office.home("SG"),
    }.get(command, ())
    assert str(file) in refused(2, "certificate", command, file, *options)


def test_an_oversized_certificate_is_not_read(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "huge.certificate.json"
    with file.open("wb") as hole:
        hole.truncate(10 << 30)
    assert str(file) in refused(2, "certificate", "verify", file, "--node", office.url)


def test_check_says_what_is_wrong_where(office: Office, tmp_path: Path) -> None:
    answer = done("certificate", "check", *office.documents)
    assert answer["acceptable"] == 2
    document = json.loads(office.documents[0].read_bytes())
    document["credentialSubject"]["items"][0]["product"]["commodity"]["commodityCode"] = "999999"
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(document))
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(json.dumps(document).encode() + b"\n\n{\n[]\n" + b"\xff\xfe\n" + b"[" * 100_000 + b"\n")
    found = cocket("certificate", "check", wrong, lines, "--json")
    assert found.code == 2
    documents = found.json()["documents"]
    assert isinstance(documents, list)
    assert len(documents) == 6
    assert not any(entry["is_acceptable"] for entry in documents)
    assert "commodityCode" in documents[0]["findings"][0]["pointer"]
