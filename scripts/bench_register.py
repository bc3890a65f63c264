"""Measures a keeper's register of receipts on a real disk, its fsyncs included; prints one JSON object.

    python scripts/bench_register.py                 a few seconds, in the system's folder for temporary files
    python scripts/bench_register.py --folder /data  on the disk that a vault would use

receipts_per_s_alone      one request after the other: each receipt has its own fsync
receipts_per_s_together   32 requests at a time: what waits shares one fsync
open_100k_s               opening a register whose open period has 100,000 receipts
close_100k_s              the root of those, on the disk
audit_receipts_per_s      verify_history over those: tree, numbers, and each reader's signature
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from coincurve import PrivateKey

from cocket.attestation.merkle import keccak256
from cocket.attestation.reading.receipt import Receipt, encode_receipt
from cocket.attestation.reading.receipts import NO_ROOT, verify_history
from cocket.node.vault.period_file import Header, Noted, encode_header, encode_noted
from cocket.node.vault.register import Register

GENESIS_HASH, KEEPER, NOW_S = bytes(32), 1, 1_800_000_000
KEY = PrivateKey(b"r" * 32)
ALONE, TOGETHER, THREADS, MANY = 500, 6400, 32, 100_000


def signed() -> Receipt:
    """Return a receipt whose signature holds."""
    digest = keccak256(b"request")
    signature = KEY.sign_recoverable(digest, hasher=None)
    reader = keccak256(KEY.public_key.format(compressed=False)[1:])[12:]
    whole = signature[:64] + bytes((signature[64] + 27,))
    return Receipt(0, KEEPER, NOW_S, 1, digest, whole, reader, 1, bytes(32), 0, 1, 1, 0, 0, bytes(16))


RECEIPT = signed()


def took_s(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def opened(folder: Path) -> Register:
    register = Register(folder, GENESIS_HASH, KEEPER, NOW_S)
    register.agree(0, NO_ROOT)
    return register


def append(register: Register, first: int, count: int) -> None:
    for number in range(first, first + count):
        register.append(RECEIPT, number.to_bytes(32), NOW_S + 60)


def together(register: Register) -> None:
    each = TOGETHER // THREADS
    threads = [threading.Thread(target=append, args=(register, at * each, each)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def write_many(folder: Path) -> None:
    """Write the file of an open period as the register does, without its fsyncs."""
    folder.mkdir()
    data = encode_header(Header(GENESIS_HASH, KEEPER, 1, 0, NO_ROOT))
    frames = [data]
    for first in range(0, MANY, 1000):
        noted = [
            Noted(encode_receipt(replace(RECEIPT, number=number)), number.to_bytes(32), NOW_S - 1)
            for number in range(first, first + 1000)
        ]
        frames.append(encode_noted(noted, first, 0))
    (folder / "000000000001.receipts").write_bytes(b"".join(frames))


def measure(folder: Path) -> dict[str, float]:
    figures = {}
    register = opened(folder / "alone")
    figures["receipts_per_s_alone"] = round(ALONE / took_s(lambda: append(register, 0, ALONE)))
    register = opened(folder / "together")
    figures["receipts_per_s_together"] = round(TOGETHER / took_s(lambda: together(register)))
    write_many(folder / "many")
    figures["open_100k_s"] = round(took_s(lambda: opened(folder / "many").close()), 2)
    register = opened(folder / "many")
    figures["close_100k_s"] = round(took_s(lambda: register.close_period(bytes(32), NOW_S)), 2)
    period, anchored = register.period(1), {1: register.root_of(1)}
    found: list[object] = []
    figures["audit_receipts_per_s"] = round(
        MANY / took_s(lambda: found.extend(verify_history(KEEPER, [period], anchored)))
    )
    if found:
        raise SystemExit(f"the register and its audit disagree: {found[0]}")
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; nothing is left in it")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        print(json.dumps(measure(Path(name)), indent=2))
