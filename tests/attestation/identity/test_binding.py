"""Bindings: seal and party speak for each other; nothing changed does, and the hash hides whose certificate it is."""

from dataclasses import replace

import pytest
from attestation.identity.authorities import BELOW, CHAIN, ROOT, SEAL_KEY, der, key_of
from attestation.identity.test_chain import AT, LISTS
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.identity.binding import (
    SealBinding,
    Statement,
    bind,
    binding_hash,
    decode_binding,
    encode_binding,
)
from cocket.attestation.identity.did import did_document, did_web
from cocket.attestation.identity.seal_verdict import SealFacts, seal_verdict
from cocket.attestation.sdjwt.issuer import Issuer, issuer_of_chain
from cocket.attestation.sdjwt.p256 import PrivateKey
from cocket.attestation.verdict import BlockPoint

STATEMENT = Statement(4711, b"g" * 32, b"p" * 20, 7, b"s" * 16)
KEY = PrivateKey(SEAL_KEY)
BOUND = bind(STATEMENT, issuer_of_chain(tuple(CHAIN)), KEY.sign)
FACTS = SealFacts(AT - 1000, 0, BlockPoint(9, AT + 10))


def answers(binding: SealBinding = BOUND, facts: SealFacts | None = FACTS, at_s: int = AT) -> list[str]:
    found = seal_verdict(binding, facts, [ROOT.certificate], LISTS, at_s)
    return [found.signed.answer, found.bound.answer, found.chain.answer, found.not_revoked.answer, found.overall]


def test_a_binding_reads_back_and_holds():
    assert decode_binding(encode_binding(BOUND)) == BOUND
    assert answers() == ["yes"] * 5


def test_the_hash_is_of_all_of_it_and_salted():
    others = [
        replace(BOUND, statement=replace(STATEMENT, salt=bytes(16))),
        replace(BOUND, statement=replace(STATEMENT, participant=8)),
        replace(BOUND, issuer=issuer_of_chain(tuple(CHAIN[:1]))),
        replace(BOUND, signature=bytes(64)),
    ]
    assert len({binding_hash(each) for each in (BOUND, *others)}) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [("chain_id", 1), ("genesis_hash", b"o" * 32), ("contract", b"o" * 20), ("participant", 8), ("salt", b"o" * 16)],
)
def test_the_seal_signs_for_one_party_of_one_ledger(name, value):
    moved = replace(BOUND, statement=replace(STATEMENT, **{name: value}))
    assert answers(moved)[0] == "no"


def test_a_certificate_of_another_key_binds_nothing():
    other = issuer_of_chain(der(BELOW.seal("Other", key_of(12)), BELOW.certificate))
    with pytest.raises(InvalidFile, match="another key"):
        bind(STATEMENT, other, KEY.sign)
    with pytest.raises(InvalidFile, match="without a certificate"):
        bind(STATEMENT, Issuer(KEY.public), KEY.sign)
    assert answers(replace(BOUND, issuer=other))[0] == "no"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (None, "could not check"),
        (SealFacts(0, 0, FACTS.as_of), "no"),
        (SealFacts(AT + 1, 0, FACTS.as_of), "no"),
        (SealFacts(AT - 9, AT, FACTS.as_of), "no"),
        (SealFacts(AT - 9, AT + 1, FACTS.as_of), "yes"),
        (SealFacts(AT, 0, FACTS.as_of), "yes"),
        (SealFacts(AT - 9, 0, BlockPoint(9, AT - 1)), "could not check"),
    ],
)
def test_the_ledger_says_when_it_stood(facts, expected):
    assert answers(facts=facts)[1] == expected
    assert answers(facts=facts)[4] == expected


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_else(data):
    with pytest.raises(InvalidFile):
        decode_binding(data)


@pytest.mark.parametrize(
    ("domain", "did", "url"),
    [
        ("chamber.example", "did:web:chamber.example", "https://chamber.example/.well-known/did.json"),
        ("a.example:8443", "did:web:a.example%3A8443", "https://a.example:8443/.well-known/did.json"),
        ("a.example/x/y", "did:web:a.example:x:y", "https://a.example/x/y/did.json"),
    ],
)
def test_did_web_of_a_domain(domain, did, url):
    found = did_web(domain)
    assert (found.did, found.url) == (did, url)


@pytest.mark.parametrize(
    "domain",
    ["", "localhost", "https://a.example", "a.example/", "a..example", "ä.example", "A.example", "a.example/../b c"],
)
def test_what_is_no_domain_is_refused(domain):
    with pytest.raises(InvalidFile, match="expected one like"):
        did_web(domain)


def test_a_document_has_keys_or_is_none():
    with pytest.raises(InvalidFile, match="without any key"):
        did_document("did:web:a.example", 1, [], None, [])
