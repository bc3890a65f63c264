"""The Directory: only the Consortium writes."""

import pytest
from contract_ledger import KE, NL, SG, STRANGER, decide, founded

from cocket.contracts import certificates, consortium, directory
from cocket.contracts.abi import encode_values, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.values import encode_name
from cocket.node.chain.vm import run_constructor

DIRECTORY = interface("Directory")


@pytest.mark.parametrize("sender", [NL, STRANGER, bytes(20)])
def test_nobody_else_writes(sender):
    ledger = founded()
    for data in (
        DIRECTORY.call("setEntry", encode_name("Measures"), certificates.ADDRESS),
        DIRECTORY.call("setCodeList", encode_name("HS"), b"\1" * 32),
    ):
        with pytest.raises(ContractRefusal, match=r"^directory: not the consortium$"):
            ledger.send(sender, directory.ADDRESS, data)


def test_names_are_kept_in_order_and_can_change_their_meaning():
    ledger = founded()
    decide(ledger, [NL, KE, SG], consortium.propose_entry(name="Measures", target=certificates.ADDRESS))
    assert ledger.ask_directory(directory.name_count()) == 5
    assert ledger.ask_directory(directory.name_at(4)) == "Measures"
    assert ledger.ask_directory(directory.name_at(5)) == ""
    # Another target for a known name is no new name.
    decide(ledger, [NL, KE, SG], consortium.propose_entry(name="Measures", target=consortium.ADDRESS))
    assert ledger.ask_directory(directory.name_count()) == 5
    assert ledger.ask_directory(directory.address_of("Measures")) == consortium.ADDRESS
    assert ledger.ask_directory(directory.address_of("Nothing")) == bytes(20)


def test_two_addresses_in_one_call():
    ledger = founded()
    view = DIRECTORY.view(
        "addressesOf",
        encode_name("Certificates"),
        encode_name("Nothing"),
        make=lambda first, second: (first, second),
    )
    assert ledger.ask_directory(view) == (certificates.ADDRESS, bytes(20))


def test_editions_stay_accepted_with_their_dates():
    ledger = founded()
    decide(ledger, [NL, KE, SG], consortium.propose_code_list(name="HS", edition=b"\5" * 32))
    first = ledger.time
    decide(ledger, [NL, KE, SG], consortium.propose_code_list(name="HS", edition=b"\6" * 32))
    assert ledger.ask_directory(directory.code_list("HS")) == b"\6" * 32
    assert ledger.ask_directory(directory.code_list_since("HS", b"\5" * 32)) == first
    assert ledger.ask_directory(directory.code_list_since("HS", b"\6" * 32)) == ledger.time
    assert ledger.ask_directory(directory.code_list_since("HS", b"\7" * 32)) == 0
    assert ledger.ask_directory(directory.code_list("UNLOCODE")) == bytes(32)


def test_it_trusts_not_even_the_consortium():
    """Rules that the Consortium keeps too, asked by somebody in its place."""
    ledger = founded()
    elsewhere = b"\x77" * 20
    arguments = ([encode_name("Consortium")], [NL])
    initcode = load_artifact("Directory").initcode + encode_values("test", DIRECTORY.constructor, arguments)
    ledger.state.lay(run_constructor(ledger.context(), ledger.state, elsewhere, initcode))
    for function, values, reason in (
        ("setEntry", (encode_name("Consortium"), certificates.ADDRESS), "fixed name"),
        ("setEntry", (encode_name("Measures"), KE), "not a contract"),
        ("setEntry", (bytes(32), certificates.ADDRESS), "zero name or target"),
        ("setCodeList", (bytes(32), b"\1" * 32), "zero name or edition"),
        ("setCodeList", (encode_name("HS"), bytes(32)), "zero name or edition"),
    ):
        with pytest.raises(ContractRefusal, match=f"^directory: {reason}$"):
            ledger.send(NL, elsewhere, DIRECTORY.call(function, *values))
    for function, values in (
        ("setEntry", (encode_name("Measures"), certificates.ADDRESS)),
        ("setCodeList", (encode_name("HS"), b"\1" * 32)),
    ):
        ledger.send(NL, elsewhere, DIRECTORY.call(function, *values))
