"""The RFC's own examples: digests, claims put back in place, signatures of issuer and holder; and what it rejects."""

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import FalseDisclosure, InvalidFile
from cocket.attestation.sdjwt.binding import Binding, binding_of
from cocket.attestation.sdjwt.combined import SD_JWT_BYTES_MAX, split
from cocket.attestation.sdjwt.jws import decode_jws
from cocket.attestation.sdjwt.p256 import public_key_of_jwk
from cocket.attestation.sdjwt.unfolding import digest_of, unfold

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "sd_jwt_rfc9901.json").read_text())
KEY = public_key_of_jwk(VECTORS["issuer_key"], "/issuer_key")
FOREVER = 2**53 - 1


def section(vector):
    return vector["section"]


@pytest.mark.parametrize("vector", VECTORS["digests"], ids=section)
def test_digests(vector):
    assert digest_of(vector["disclosure"]) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["payloads"], ids=section)
def test_disclosures_go_where_their_digests_stand(vector):
    assert unfold(vector["payload"], vector["disclosures"]).claims == vector["claims"]
    assert unfold(vector["payload"], list(reversed(vector["disclosures"]))).claims == vector["claims"]


@pytest.mark.parametrize("vector", VECTORS["tokens"], ids=section)
def test_tokens(vector):
    combined = split(vector["sd_jwt"].encode())
    assert combined.text == vector["sd_jwt"]
    jws = decode_jws(combined.jwt, SD_JWT_BYTES_MAX, "SD-JWT")
    assert KEY.verifies(jws.signed, jws.signature)
    assert not KEY.verifies(jws.signed + b" ", jws.signature)
    claims = unfold(jws.payload, combined.disclosures).claims
    assert claims == vector["claims"]
    holder = public_key_of_jwk(claims["cnf"]["jwk"], "/cnf") if "cnf" in claims else None
    binding, problems = binding_of(combined, holder)
    assert problems == ()
    expected = vector["key_binding"]
    assert binding == (None if expected is None else Binding(**expected, not_before=0, expires=FOREVER))


# -- what a reader rejects (section 7.1) -------------------------------------------------------------------------------


def disclosure(*content):
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


NAME = disclosure("salt", "name", "value")
ITEM = disclosure("salt", "item")
DIGEST, ITEM_DIGEST = digest_of(NAME), digest_of(ITEM)


@pytest.mark.parametrize(
    ("payload", "disclosures", "said"),
    [
        ({}, [NAME], "of which nothing signed has the digest"),
        ({"_sd": [DIGEST]}, [NAME, NAME], "there twice"),
        ({"_sd": [DIGEST, DIGEST]}, [NAME], "twice"),
        ({"_sd": ["decoy"], "a": {"_sd": ["decoy"]}}, [], "twice"),
        ({"_sd": ["decoy"], "a": [{"...": "decoy"}]}, [], "twice"),
        ({"_sd": [DIGEST], "name": 1}, [NAME], "two claims 'name'"),
        ({"_sd": [ITEM_DIGEST]}, [ITEM], "expected [salt, name, value]"),
        ({"a": [{"...": DIGEST}]}, [NAME], "expected [salt, value]"),
        ({"a": [{"...": ITEM_DIGEST, "b": 1}]}, [ITEM], "other claims beside it"),
        ({"a": {"...": ITEM_DIGEST}}, [ITEM], "where none may be"),
        ({"_sd_alg": "md5", "_sd": [DIGEST]}, [NAME], "expected sha-256"),
        ({"a": {"_sd_alg": "sha-256"}}, [], "where none may be"),
        ({"_sd": "no array"}, [], "no array of digests"),
        ({"_sd": [1]}, [], "expected text"),
        ({"a": [{"...": 1}]}, [], "expected text"),
    ],
)
def test_what_breaks_a_rule_is_rejected(payload, disclosures, said):
    with pytest.raises(FalseDisclosure) as caught:
        unfold(payload, disclosures)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["_sd", "...", 1, None])
def test_names_that_no_disclosure_may_have(name):
    text = disclosure("salt", name, "value")
    with pytest.raises(FalseDisclosure):
        unfold({"_sd": [digest_of(text)]}, [text])


@pytest.mark.parametrize("content", [b"{}", b"[]", b"[1, 2, 3]", b'"text"', b"not JSON", b'["a", "b", 1e3]'])
def test_a_disclosure_that_is_none_is_rejected(content):
    text = urlsafe_b64encode(content).rstrip(b"=").decode()
    with pytest.raises((FalseDisclosure, InvalidFile)):
        unfold({"_sd": [digest_of(text)]}, [text])


def test_disclosures_within_disclosures_have_an_end():
    texts, below = [], "leaf"
    for level in range(200):
        texts.append(disclosure("salt", f"level {level}", below))
        below = {"_sd": [digest_of(texts[-1])]}
    with pytest.raises(FalseDisclosure, match="nested too deep"):
        unfold(below, texts)


def test_an_element_that_is_not_disclosed_is_left_out():
    claims = unfold({"a": ["x", {"...": "decoy"}, {"...": ITEM_DIGEST}], "_sd": ["other"]}, [ITEM]).claims
    assert claims == {"a": ["x", "item"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["_sd", "...", "a"]), JSON, max_size=3), st.lists(st.text("ey~W.", max_size=5)))
def test_any_payload_raises_nothing_but_own_errors(payload, disclosures):
    with suppress(FalseDisclosure, InvalidFile):
        unfold(payload, disclosures)
