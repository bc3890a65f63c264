"""What was once written stays readable: a signed request and the receipts of two periods, with their hashes."""

import json
from pathlib import Path

from cocket.attestation.reading.receipt import decode_receipt, is_signed
from cocket.attestation.reading.receipts import Period, root_of
from cocket.attestation.reading.request import request_of, signer_of, signing_hash

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "reading_cocket.json").read_text())


def octets(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_the_request_has_its_hash_and_its_signer():
    request, signature = request_of(VECTORS["request"])
    assert signing_hash(request) == octets(VECTORS["signing_hash"])
    assert signer_of(request, signature) == octets(VECTORS["reader"])


def test_the_periods_have_their_roots():
    for each in VECTORS["periods"]:
        receipts = tuple(octets(receipt) for receipt in each["receipts"])
        seed, previous = octets(each["seed"]), octets(each["previous"])
        period = Period(each["keeper"], each["sequence"], each["first"], previous, seed, receipts)
        assert root_of(period) == octets(each["root"])
        assert all(is_signed(decode_receipt(receipt)) for receipt in receipts)
