"""``sd-jwt``, an independent reader of RFC 9901, reads what we write, and we what it makes of that as a holder."""

import json
from dataclasses import replace

import pytest
from attestation.sdjwt.trial import CERTIFICATE, HOLDER, ISSUER, NOW, RAW_KEYS, SEAL, SEALED_ISSUER, issued, payload_of
from attestation.sealing.trial import anchored
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwcrypto.jwk import JWK
from sd_jwt.holder import SDJWTHolder
from sd_jwt.verifier import SDJWTVerifier

from cocket.attestation.codes import EXAMPLES
from cocket.attestation.prove import OpenGroup, PartialGroup, whole
from cocket.attestation.sdjwt.binding import Challenge, bind
from cocket.attestation.sdjwt.combined import split
from cocket.attestation.sdjwt.layout import SEED
from cocket.attestation.sdjwt.showing import show
from cocket.attestation.sdjwt.unfolding import unfold
from cocket.attestation.sdjwt.verification import signed_of, verify

EXPORTER = "/credentialSubject/exporterDetails/name"
POINTERS = [pointer for pointer, _ in whole(CERTIFICATE).groups[2].fields]
CHALLENGE = Challenge("https://customs.example", "n-0S6_WzA2Mj", NOW, 300)


def their_claims(sd_jwt, audience=None, nonce=None):
    key = JWK.from_json(json.dumps(SEAL.public.jwk))
    return SDJWTVerifier(sd_jwt.text, lambda _issuer, _header: key, audience, nonce).get_verified_payload()


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("selection", [["*"], ["goods", EXPORTER], ["origin"], []])
def test_they_see_what_we_show(name, selection):
    if name == EXAMPLES[0]:
        selection = [one for one in selection if one != EXPORTER]
    shown = show(issued(anchored(name)), selection)
    claims = their_claims(shown)
    assert claims == json.loads(json.dumps(unfold(signed_of(shown).payload, shown.disclosures).claims))
    found = {
        pointer: value
        for group in claims["document"].values()
        for pointer, value in group.items()
        if pointer.startswith("/")
    }
    expected = dict(verify(shown, ISSUER).contents.presentation.fields())
    assert found == expected
    assert claims["country"] == "SG"
    assert claims["document_root"] == payload_of(shown)["document_root"]


def test_they_take_our_key_binding_and_refuse_another():
    bound = bind(show(issued(), ["origin"]), HOLDER.sign, CHALLENGE.audience, CHALLENGE.nonce, NOW)
    assert their_claims(bound, CHALLENGE.audience, CHALLENGE.nonce)["country"] == "SG"
    with pytest.raises(ValueError, match="nonce"):
        their_claims(bound, CHALLENGE.audience, "another")
    fewer = replace(bound, disclosures=bound.disclosures[1:])
    with pytest.raises(ValueError, match="digest"):
        their_claims(fewer, CHALLENGE.audience, CHALLENGE.nonce)


def test_we_take_what_their_holder_chooses_and_binds():
    holder = SDJWTHolder(issued(issuer=SEALED_ISSUER).text)
    pem = RAW_KEYS[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    goods = dict.fromkeys([SEED, *POINTERS], True)
    wish = {"country": True, "document": {"goods": goods, "parties": {EXPORTER: True}}}
    holder.create_presentation(wish, CHALLENGE.nonce, CHALLENGE.audience, JWK.from_pem(pem))
    sd_jwt = split(holder.sd_jwt_presentation.encode())
    verified = verify(sd_jwt, ISSUER)
    assert verified.problems == ()
    groups = verified.contents.presentation.groups
    assert groups[2] == whole(CERTIFICATE).groups[2]
    assert isinstance(groups[2], OpenGroup)
    assert isinstance(groups[1], PartialGroup)
    now = replace(CHALLENGE, now=verified.binding.issued_at)
    assert verify(sd_jwt, ISSUER, now).problems == ()
    assert verify(sd_jwt, ISSUER, replace(now, nonce="another")).problems
