"""A shelf in a bucket of a real S3-compatible server: what the folder does it does, and what troubles it it says."""

from collections.abc import Iterator
from io import BytesIO

import pytest
from node.vault.buckets import CREDENTIALS, bucket, is_installed
from node.vault.test_shelf import ENTRY, ONE, TWO, test_what_is_put_is_there_until_it_is_taken_away

from cocket.node.errors import NodeFault, Refused, Unavailable
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.object_shelf import ObjectShelf

pytestmark = pytest.mark.skipif(not is_installed(), reason="scripts/oracles installs the server")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with bucket(tmp_path_factory.mktemp("bucket")) as address:
        yield address


@pytest.fixture
def shelf(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ObjectShelf:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return ObjectShelf(f"s3://vault/{request.node.name}", endpoint)


def test_it_does_what_the_folder_does(shelf: ObjectShelf) -> None:
    test_what_is_put_is_there_until_it_is_taken_away(shelf)


def test_a_vault_s_records_lie_in_it_whole_and_what_is_damaged_is_found(shelf: ObjectShelf) -> None:
    holdings = Holdings(shelf, 1 << 20)
    holdings.store(b"b" * 32, 5, 1, manifest=b"manifest", custody=b"custody", envelope=b"envelope")
    held = Holdings(shelf, 1 << 20).find(b"b" * 32, 5)
    assert held is not None
    assert (held.manifest, held.custody, held.envelope) == (b"manifest", b"custody", b"envelope")
    assert [step.problem for step in holdings.scrub()] == [None] * 4
    name = next(name for name, size in shelf.sizes() if size == len(b"envelope"))
    shelf.put(name, b"other thing")
    assert sum(step.problem is not None for step in holdings.scrub()) == 1
    assert holdings.erase(b"b" * 32, 5)
    assert [name for name, _ in shelf.sizes() if name.startswith("records/")] == []


def test_prefixes_keep_vaults_apart_and_foreign_names_are_passed_over(shelf: ObjectShelf, endpoint: str) -> None:
    other = ObjectShelf("s3://vault/another", endpoint)
    shelf.put(ONE, b"one")
    other.put(TWO, b"two")
    assert (shelf.get(TWO), other.get(ONE)) == (None, None)
    assert list(shelf.sizes()) == [(ONE, 3)]
    shelf._client.put_object("vault", f"{shelf._prefix}objects/README", BytesIO(b"x"), 1)
    assert list(shelf.sizes()) == [(ONE, 3)]
    with pytest.raises(NodeFault, match="is no name"):
        shelf.get("objects/../../secret")


def test_wrong_credentials_and_no_bucket_are_the_operator_s_to_see_to(
    shelf: ObjectShelf, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="NoSuchBucket"):
        ObjectShelf("s3://elsewhere/", endpoint).put(ENTRY, b"entry")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    stranger = ObjectShelf("s3://vault/x", endpoint)
    for ask in (lambda: stranger.get(ONE), lambda: stranger.put(ONE, b""), lambda: list(stranger.sizes())):
        with pytest.raises(Refused, match="credentials"):
            ask()


def test_a_store_that_does_not_answer_is_unavailable(shelf: ObjectShelf) -> None:
    silent = ObjectShelf("s3://vault/x", "http://127.0.0.1:9")
    for ask in (lambda: silent.get(ONE), lambda: silent.put(ONE, b""), lambda: silent.remove(ONE)):
        with pytest.raises(Unavailable, match="does not answer"):
            ask()


@pytest.mark.parametrize(
    ("address", "endpoint"), [("file:///x", "https://s3"), ("s3://", "https://s3"), ("s3://b", "s3")]
)
def test_what_is_no_bucket_is_refused(address: str, endpoint: str) -> None:
    with pytest.raises(Refused, match="expected s3://bucket/prefix"):
        ObjectShelf(address, endpoint)
