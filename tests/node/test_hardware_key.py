"""Encryption keys in SoftHSM: made there, never given, opened by their file and PIN, and what is refused."""

import json
import threading
from pathlib import Path

import pytest
from softhsm import MODULE, PIN, WITHOUT, token

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing.custody import Holder, draw, open_seat, seed_bytes, seeds_of
from cocket.attestation.sealing.hpke import PrivateKey, Suite, unwrap, wrap
from cocket.node.encryption_key import load_encryption_key, load_public_key, open_encryption_key
from cocket.node.errors import NodeFault, Refused
from cocket.node.hardware_key import HardwareKey, Place, load_hardware_key, new_hardware_key, save_hardware_key

pytestmark = pytest.mark.skipif(not MODULE.is_file(), reason=WITHOUT)


@pytest.fixture(scope="module")
def place() -> Place:
    found = Place(MODULE, token(), "custodian")
    new_hardware_key(found, PIN)
    return found


@pytest.fixture
def file(place: Place, tmp_path: Path) -> Path:
    key = HardwareKey(place, PIN)
    path = tmp_path / "custodian.json"
    save_hardware_key(path, place, key.public)
    key.close()
    return path


def test_it_opens_what_is_wrapped_for_it_and_nothing_else(place: Place) -> None:
    key = HardwareKey(place, PIN)
    wrapped = wrap(key.public, b"s" * 32, b"info")
    assert unwrap(key, wrapped, b"info") == b"s" * 32
    for data, info in (
        (wrapped, b"other"),
        (wrapped[:-1] + b"\0", b"info"),
        (b"\x04" + bytes(100), b"info"),
        (b"", b"info"),
    ):
        with pytest.raises(InvalidFile, match="does not open"):
            unwrap(key, data, info)
    assert "PrivateKey" not in repr(key)
    key.close()


def test_it_has_a_seat_in_a_custody_like_any_other(place: Place) -> None:
    key, other = HardwareKey(place, PIN), PrivateKey(Suite.HYBRID, b"o" * 32)
    holders = [Holder(1, 1, key.public), Holder(2, 1, other.public)]
    randomness = bytes(range(seed_bytes(2) % 256)) + bytes(seed_bytes(2) - seed_bytes(2) % 256)
    custody, _ = draw(b"g" * 32, b"a" * 20, b"b" * 32, 1, holders, other.public, other.public, randomness)
    seeds = seeds_of(randomness, 2)
    assert open_seat(custody, custody.custodians[0], key) == seeds.custodians[0]
    with pytest.raises(InvalidFile):
        open_seat(custody, custody.custodians[1], key)
    key.close()


def test_several_threads_use_it(place: Place) -> None:
    key = HardwareKey(place, PIN)
    found: list[bytes] = []

    def work(at: int) -> None:
        for _ in range(5):
            found.append(unwrap(key, wrap(key.public, bytes((at,)) * 32, b"i"), b"i"))

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(bytes((at,)) * 32 for at in range(4) for _ in range(5))
    key.close()


def test_its_file_names_it_and_holds_no_secret(place: Place, file: Path) -> None:
    key = open_encryption_key(file, PIN)
    assert isinstance(key, HardwareKey)
    assert load_public_key(file) == key.public
    assert set(json.loads(file.read_text())) == {"format", "suite", "public_key", "module", "token", "label"}
    with pytest.raises(NodeFault):
        load_encryption_key(file, PIN)
    with pytest.raises(Refused, match="exists"):
        save_hardware_key(file, place, key.public)
    key.close()


def test_what_is_not_there_or_not_right_is_told(place: Place, file: Path) -> None:
    with pytest.raises(Refused, match="the PIN does not open"):
        HardwareKey(place, "wrong")
    with pytest.raises(Refused, match="no one token of label 'nobody'"):
        HardwareKey(Place(MODULE, "nobody", "custodian"), PIN)
    with pytest.raises(Refused, match="makes one with --new"):
        HardwareKey(Place(MODULE, token(), "nothing"), PIN)
    with pytest.raises(Refused, match="no PKCS #11 library there"):
        HardwareKey(Place(Path("libsofthsm2.so"), token(), "custodian"), PIN)
    with pytest.raises(Refused, match="it exists"):
        new_hardware_key(place, PIN)
    document = json.loads(file.read_text())
    other = PrivateKey(Suite.P256, b"o" * 32).public.encoded
    file.write_text(json.dumps(document | {"public_key": "0x" + other.hex()}))
    with pytest.raises(NodeFault, match="another key under 'custodian' than the file says"):
        load_hardware_key(file, PIN)
    file.write_text(json.dumps(document | {"token": 7}))
    with pytest.raises(NodeFault, match="no hardware key's file"):
        load_hardware_key(file, PIN)
