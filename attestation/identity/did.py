"""DID documents (W3C, method did:web): a party's seal, accounts and services under its own domain.

Whoever resolves it gets the keys that the ledger and the seal's binding already name; the domain adds who says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.sdjwt.issuer import Issuer

_DOMAIN = re.compile(
    r"(?=.{1,253}(?:[:/]|$))(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]{1,64}){0,8}",
    re.ASCII,
)
_CONTEXTS = (
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/suites/jws-2020/v1",
    "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
)


@dataclass(frozen=True, slots=True)
class DidWeb:
    """A did:web identifier, and where its document has to be found."""

    did: str
    url: str


def did_web(domain: str) -> DidWeb:
    """Return the identifier of ``domain[:port][/path]``; InvalidFile when it is none.

    >>> did_web("chamber.example:8443/trade")
    DidWeb(did='did:web:chamber.example%3A8443:trade', url='https://chamber.example:8443/trade/did.json')
    >>> did_web("chamber.example").url
    'https://chamber.example/.well-known/did.json'
    """
    if not _DOMAIN.fullmatch(domain):
        raise InvalidFile(f"found domain {domain[:80]!r}; expected one like chamber.example or chamber.example/trade")
    host, *path = domain.split("/")
    did = ":".join(["did:web", host.replace(":", "%3A"), *path])
    return DidWeb(did, f"https://{domain}/{'' if path else '.well-known/'}did.json")


def did_document(
    did: str, chain_id: int, accounts: Sequence[str], seal: Issuer | None, services: Sequence[tuple[str, str]]
) -> bytes:
    """Return the document: ``accounts`` as checksummed addresses, ``services`` as (kind, HTTPS address)."""
    methods: list[dict[str, object]] = []
    if seal is not None:
        jwk = dict(seal.key.jwk)
        if seal.chain:
            jwk["x5c"] = seal.header["x5c"]
        methods.append(
            {
                "id": f"{did}#seal-{seal.key.thumbprint}",
                "type": "JsonWebKey2020",
                "controller": did,
                "publicKeyJwk": jwk,
            }
        )
    methods += [
        {
            "id": f"{did}#account-{account}",
            "type": "EcdsaSecp256k1RecoveryMethod2020",
            "controller": did,
            "blockchainAccountId": f"eip155:{chain_id}:{account}",
        }
        for account in accounts
    ]
    if not methods:
        raise InvalidFile("a document without any key; expected a seal or an account")
    names = [method["id"] for method in methods]
    return encode_json(
        {
            "@context": list(_CONTEXTS),
            "id": did,
            "verificationMethod": methods,
            "assertionMethod": names,
            "authentication": names,
            "service": [
                {"id": f"{did}#{kind.lower()}", "type": f"Cocket{kind}", "serviceEndpoint": url}
                for kind, url in services
            ],
        }
    )
