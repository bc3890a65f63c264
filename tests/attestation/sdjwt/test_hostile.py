"""Hostile SD-JWTs: malformed, of another type, by an issuer who signs what contradicts itself; each beside its yes."""

import json
from base64 import b64encode
from copy import deepcopy
from dataclasses import replace

import pytest
from attestation.sdjwt.trial import (
    HOLDER,
    ISSUER,
    NOW,
    OTHER,
    RAW_KEYS,
    SEAL,
    SEALED_ISSUER,
    certificate_pem,
    content_of,
    disclosure_of,
    issued,
    payload_of,
)
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sdjwt import binding, combined, issuer
from cocket.attestation.sdjwt.base64url import encode_base64url
from cocket.attestation.sdjwt.combined import split
from cocket.attestation.sdjwt.issuer import issuer_of_chain, issuer_of_pem
from cocket.attestation.sdjwt.jws import encode_jws
from cocket.attestation.sdjwt.p256 import PublicKey, public_key
from cocket.attestation.sdjwt.unfolding import digest_of
from cocket.attestation.sdjwt.verification import verify

ISSUED = issued()
HEADER = {"alg": "ES256", "typ": "cocket+sd-jwt", "kid": SEAL.public.thumbprint}


def read(sd_jwt, key=ISSUER):
    return verify(split(sd_jwt.text.encode()), key)


def signed(payload, header=HEADER, disclosures=ISSUED.disclosures):
    """Return what an issuer who signs anything makes of a payload."""
    return combined.Combined(encode_jws(header, payload, SEAL.sign), disclosures)


def test_the_tool_of_these_tests_makes_a_good_one():
    assert signed(payload_of(ISSUED)).text == ISSUED.text
    assert read(signed(payload_of(ISSUED))).problems == ()


# -- form --------------------------------------------------------------------------------------------------------------


def raw(header: bytes, payload: bytes, signature: bytes | None = None) -> combined.Combined:
    text = f"{encode_base64url(header)}.{encode_base64url(payload)}"
    return combined.Combined(f"{text}.{encode_base64url(signature or SEAL.sign(text.encode()))}", ())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"alg": "none"}, "algorithm 'none'"),
        ({"alg": "HS256"}, "algorithm 'HS256'"),
        ({"alg": "ES384"}, "algorithm 'ES384'"),
        ({"alg": None}, "algorithm None"),
        ({"typ": "JWT"}, "type 'JWT'"),
        ({"typ": "kb+jwt"}, "type 'kb+jwt'"),
        ({"typ": "dc+sd-jwt"}, "type 'dc+sd-jwt'"),
        ({"crit": ["b64"], "b64": False}, "critical extensions"),
        ({"jwk": SEAL.public.jwk}, "kid or x5c"),
        ({"x5c": []}, "kid or x5c"),
    ],
)
def test_another_header_is_refused(header, said):
    with pytest.raises(InvalidFile) as caught:
        read(signed(payload_of(ISSUED), {**HEADER, **header}))
    assert said in str(caught.value)


def test_an_unsigned_one_is_refused():
    header, payload, _ = ISSUED.jwt.split(".")
    for jwt in (f"{header}.{payload}.", f"{header}.{payload}", f"{header}.{payload}.AA", f"{header}.{payload}.AA.AA"):
        with pytest.raises(InvalidFile):
            read(replace(ISSUED, jwt=jwt))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a":1,"a":1}',
        b'{"a": 1}',  # a space
        b'{"b":1,"a":1}',  # another order
        b'{"a":1e3}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_another_payload_is_refused(payload):
    with pytest.raises(InvalidFile):
        read(raw(json.dumps(HEADER, separators=(",", ":"), sort_keys=True).encode(), payload))


def test_a_signature_in_another_form_is_refused():
    spare = ISSUED.jwt[:-1] + chr(ord(ISSUED.jwt[-1]) + 1)  # the last character's spare bits
    for jwt in (spare, ISSUED.jwt + "==", ISSUED.jwt + "\n", ISSUED.jwt.replace(".", " .", 1)):
        with pytest.raises(InvalidFile):
            read(replace(ISSUED, jwt=jwt))
    zeros = encode_base64url(bytes(64))
    assert read(replace(ISSUED, jwt=ISSUED.jwt.rsplit(".", 1)[0] + "." + zeros)).problems


def test_sizes_are_bounded():
    for data, said in (
        (b"ey" + b"A" * combined.SD_JWT_BYTES_MAX, "bytes"),
        (b"e30~" + b"a~" * (combined.DISCLOSURES_MAX + 1), "disclosures"),
        (b"e30.e30.AA", "no ~"),
        ("é~".encode(), "ASCII"),
    ):
        with pytest.raises(InvalidFile, match=said):
            split(data)
    huge = encode_jws({"alg": "ES256", "typ": "kb+jwt"}, {"aud": "a" * binding.BYTES_MAX}, HOLDER.sign)
    with pytest.raises(InvalidFile, match="key binding"):
        read(replace(ISSUED, binding=huge))


@given(st.binary(max_size=200) | st.text("ey~.AQ_-=", max_size=200).map(str.encode))
def test_any_bytes_raise_nothing_but_the_own_error(data):
    with pytest.raises(InvalidFile):
        verify(split(data), ISSUER)


# -- an issuer who signs what contradicts itself -----------------------------------------------------------------------


def changed(*path, value=None, drop=False):
    """Return the payload with the member at a path changed, added, or taken out."""
    payload = deepcopy(payload_of(ISSUED))
    node = payload
    for name in path[:-1]:
        node = node[name]
    if drop:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return payload


H = "0x" + "11" * 32
NO = [
    changed("document", "goods", value={}),
    changed("country", value="SG"),
    changed("document_root", value=H),
    changed("group_hashes", 0, value=H),
    changed("group_hashes", 2, value=H),
    changed("country_hash", value=H),
    changed("document", "certificate", "seed", value=H),
    changed("document", "certificate", "/id", value="urn:other"),
    changed("document", "certificate", "/validUntil", drop=True),
    changed("document", "certificate", "/more", value="x"),
    changed("anchor", "batch", value=H),
    changed("anchor", "index", value=0),
    changed("anchor", "issuer", value=8),
    changed("iss", value="did:web:other"),
    changed("iss", drop=True),
    changed("exp", value=2**40),
    changed("exp", drop=True),
    changed("nbf", value=0),
    changed("dialect", value="w3c-certification-of-origin"),
]
NONE_OF_OURS = [
    changed("format", value="cocket-sd-jwt-2"),
    changed("dialect", value="unheard of"),
    changed("more", value=1),
    changed("document", "more", value={}),
    changed("document", "certificate", drop=True),
    changed("document", "certificate", value=[]),
    changed("document", "certificate", "/a", value={"b": 1}),
    changed("document", "certificate", "/a", value={"_sd": []}),
    changed("document", "certificate", "_sd", value=[]),
    changed("document", "_sd", value=sorted(payload_of(ISSUED)["document"]["_sd"], reverse=True)),
    changed("document", "_sd", value=[*payload_of(ISSUED)["document"]["_sd"], "one more"]),
    changed("_sd", value=[*payload_of(ISSUED)["_sd"], "one more"]),
    changed("group_hashes", value=payload_of(ISSUED)["group_hashes"][1:]),
    changed("document_root", drop=True),
    changed("document_root", value="0x00"),
    changed("iat", value=-1),
    changed("iat", value="now"),
    changed("anchor", value={}),
    changed("cnf", value={"jwk": {**HOLDER.public.jwk, "d": "AA"}}),
    changed("cnf", value={"jwk": {**HOLDER.public.jwk, "x": HOLDER.public.jwk["y"]}}),
    changed("cnf", value={"jwk": {**HOLDER.public.jwk, "crv": "P-384"}}),
    changed("cnf", value={"kid": "x"}),
]


@pytest.mark.parametrize("payload", NO)
def test_what_leads_elsewhere_is_no(payload):
    assert read(signed(payload)).problems


@pytest.mark.parametrize("payload", NONE_OF_OURS)
def test_what_is_none_of_ours_is_refused(payload):
    with pytest.raises(InvalidFile):
        read(signed(payload))


def with_group(name, change):
    """Return an SD-JWT whose group's own disclosure was changed and signed anew."""
    old = disclosure_of(ISSUED, name)
    salt, _, claims = content_of(old)
    change(claims)
    content = json.dumps([salt, name, claims], separators=(",", ":"), sort_keys=True)
    new = encode_base64url(content.encode())
    payload = payload_of(ISSUED)
    digests = payload["document"]["_sd"]
    payload["document"]["_sd"] = sorted([*(digest for digest in digests if digest != digest_of(old)), digest_of(new)])
    return signed(payload, disclosures=tuple(new if text == old else text for text in ISSUED.disclosures))


def decoys_of(name):
    """Return the digests of a group of which no disclosure is there."""
    own = {digest_of(text) for text in ISSUED.disclosures}
    return [digest for digest in content_of(disclosure_of(ISSUED, name))[2]["_sd"] if digest not in own]


def nothing(claims):
    pass


def another_leaf(claims):
    claims["leaves"][3] = claims["leaves"][3][:-1] + ("0" if claims["leaves"][3][-1] != "0" else "1")


def another_decoy(claims):
    at = claims["_sd"].index(decoys_of("transport")[0])
    claims["_sd"][at] = claims["_sd"][at][:-1] + ("A" if claims["_sd"][at][-1] != "A" else "E")
    claims["_sd"].sort()


def one_more_digest(claims):
    claims["_sd"] = sorted([*claims["_sd"], "one more"])


def half_the_leaves(claims):
    claims["leaves"] = claims["leaves"][:8]


def a_field_in_the_clear(claims):
    claims["/a"] = "b"


def a_name_that_is_none_of_ours(claims):
    claims["more"] = 1


def leaves_out_of_order(claims):
    claims["leaves"] = claims["leaves"][::-1]


def no_leaves(claims):
    del claims["leaves"]


def test_the_tool_changes_nothing_when_nothing_is_changed():
    assert read(with_group("transport", nothing)).problems == ()


@pytest.mark.parametrize("change", [another_leaf, another_decoy])
def test_a_group_that_contradicts_itself_is_no(change):
    assert read(with_group("transport", change)).problems


@pytest.mark.parametrize(
    "change",
    [
        one_more_digest,
        half_the_leaves,
        a_field_in_the_clear,
        a_name_that_is_none_of_ours,
        leaves_out_of_order,
        no_leaves,
    ],
)
def test_a_group_in_another_form_is_refused(change):
    with pytest.raises(InvalidFile):
        read(with_group("transport", change))


def test_a_field_that_is_signed_but_not_in_the_tree_is_no():
    """It has its digest among the group's: any reader of RFC 9901 shows it. The document root does not have it."""
    field = encode_base64url(b'["AAAAAAAAAAAAAAAAAAAAAA","/credentialSubject/goods/9/description","smuggled"]')

    def smuggle(claims):
        claims["_sd"].remove(decoys_of("goods")[0])
        claims["_sd"] = sorted([*claims["_sd"], digest_of(field)])

    for seed in ([], ["seed"]):
        sd_jwt = with_group("goods", smuggle)
        kept = [text for text in sd_jwt.disclosures if content_of(text)[1] != "seed" or seed]
        (problem, *_) = read(replace(sd_jwt, disclosures=(*kept, field))).problems
        assert (problem.pointer, problem.found) == ("/credentialSubject/goods/9/description", "'smuggled'")


# -- keys and certificates ---------------------------------------------------------------------------------------------


def test_a_header_that_names_another_key_is_no():
    payload = payload_of(ISSUED)
    x5c = {"x5c": SEALED_ISSUER.header["x5c"]}
    others = {"x5c": issuer_of_pem(certificate_pem(RAW_KEYS[2])).header["x5c"]}
    header = {"alg": "ES256", "typ": "cocket+sd-jwt"}
    assert read(signed(payload, {**header, **x5c})).problems == ()
    for named in (others, {"kid": OTHER.public.thumbprint}, {"kid": 1}):
        assert "names key" in read(signed(payload, {**header, **named})).problems[0].found


DER = SEALED_ISSUER.chain[0]


@pytest.mark.parametrize(
    "x5c",
    [
        "text",
        [],
        [1],
        ["!"],
        [b64encode(DER).decode() + "\n"],
        [b64encode(DER[:-1]).decode()],
        [b64encode(DER).decode()] * (issuer.CHAIN_MAX + 1),
        [b64encode(DER + bytes(issuer.CERTIFICATE_BYTES_MAX)).decode()],
        ["A" * (1 << 20)],
    ],
)
def test_a_header_without_readable_certificates_is_refused(x5c):
    with pytest.raises(InvalidFile):
        read(signed(payload_of(ISSUED), {"alg": "ES256", "typ": "cocket+sd-jwt", "x5c": x5c}))


def test_keys_of_other_kinds_are_refused():
    public = RAW_KEYS[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert issuer_of_pem(public) == ISSUER
    chain = certificate_pem() + certificate_pem(RAW_KEYS[1])
    assert issuer_of_pem(chain).key == SEAL.public
    assert len(issuer_of_pem(chain).chain) == 2
    other = ec.derive_private_key(7, ec.SECP256K1())
    for pem in (
        other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        certificate_pem(ec.derive_private_key(7, ec.SECP384R1())),
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"x" * (issuer.PEM_BYTES_MAX + 1),
    ):
        with pytest.raises(InvalidFile):
            issuer_of_pem(pem)
    with pytest.raises(InvalidFile):
        issuer_of_chain(())


@pytest.mark.parametrize("point", [(bytes(32), bytes(32)), (bytes(31), bytes(33)), (b"\xff" * 32, b"\xff" * 32)])
def test_what_is_no_point_is_no_key(point):
    with pytest.raises(InvalidFile):
        public_key(*point)
    assert public_key(SEAL.public.x, SEAL.public.y) == SEAL.public


def test_signatures_are_deterministic_and_keys_never_shown():
    assert SEAL.sign(b"x") == SEAL.sign(b"x")
    assert SEAL.public.verifies(b"x", SEAL.sign(b"x"))
    assert not SEAL.public.verifies(b"x", SEAL.sign(b"x")[:-1])
    assert not OTHER.public.verifies(b"x", SEAL.sign(b"x"))
    assert f"{RAW_KEYS[0].private_numbers().private_value:x}" not in repr(SEAL)
    # RFC 7638 has no example of P-256: the thumbprint of RFC 9901's issuer, computed from the rule's text.
    assert PublicKey(bytes(32), bytes(32)).thumbprint == digest_of(
        '{"crv":"P-256","kty":"EC","x":"' + "A" * 43 + '","y":"' + "A" * 43 + '"}'
    )


# -- key bindings ------------------------------------------------------------------------------------------------------

CLAIMS = {"aud": "a", "iat": NOW, "nonce": "n", "sd_hash": ISSUED.digest}


def bound(claims, header=None):
    return replace(ISSUED, binding=encode_jws(header or {"alg": "ES256", "typ": "kb+jwt"}, claims, HOLDER.sign))


def test_a_binding_of_another_wallet_is_taken():
    assert read(bound({**CLAIMS, "jti": "1", "exp": NOW + 60})).problems == ()
    header = b'{ "typ": "kb+jwt", "alg": "ES256", "kid": "k" }'
    text = f"{encode_base64url(header)}.{encode_base64url(json.dumps(CLAIMS).encode())}"
    other = replace(ISSUED, binding=f"{text}.{encode_base64url(HOLDER.sign(text.encode()))}")
    assert read(other).problems == ()


@pytest.mark.parametrize(
    "claims",
    [
        *({name: value for name, value in CLAIMS.items() if name != gone} for gone in CLAIMS),
        {**CLAIMS, "aud": ["a"]},
        {**CLAIMS, "iat": "1"},
        {**CLAIMS, "iat": True},
        {**CLAIMS, "iat": -1},
        {**CLAIMS, "nonce": ""},
        {**CLAIMS, "exp": "never"},
    ],
)
def test_a_binding_without_its_claims_is_refused(claims):
    with pytest.raises(InvalidFile):
        read(bound(claims))


@pytest.mark.parametrize("header", [{"alg": "ES256"}, {"alg": "none", "typ": "kb+jwt"}, {"alg": "ES256", "typ": "JWT"}])
def test_a_binding_of_another_type_is_refused(header):
    with pytest.raises(InvalidFile):
        read(bound(CLAIMS, header))


def test_a_binding_s_own_dates_are_held():
    challenge = binding.Challenge("a", "n", NOW, 300)
    for claims, holds in (({"exp": NOW + 1}, True), ({"exp": NOW}, False), ({"nbf": NOW + 99}, False), ({}, True)):
        verified = verify(bound({**CLAIMS, **claims}), ISSUER, challenge)
        assert (verified.problems == ()) is holds


def test_a_key_binding_is_no_sd_jwt_and_an_sd_jwt_no_key_binding():
    with pytest.raises(InvalidFile):
        read(replace(ISSUED, binding=ISSUED.jwt))
    with pytest.raises(InvalidFile):
        read(replace(ISSUED, jwt=bound(CLAIMS).binding))
