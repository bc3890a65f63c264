"""Connections to vaults and custodians: HTTPS to an address that the ledger has, with the certificate that it has.

No other authority is asked about the certificate, and nothing is sent before it was compared. What is answered is
bounded; what is no answer of ours is Unavailable, and a refusal says why.
"""

import hashlib
import hmac
import http.client
import ssl
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.exchange import ANSWER_BYTES_MAX, Refusal, decode_refusal
from cocket.contracts.access import Service
from cocket.node.errors import Refused, Unavailable

TIMEOUT_S = 20.0
RELEASE_PATH = "/v1/release"
SEGMENT_PATH = "/v1/segment"
SHARE_PATH = "/v1/share"
ERASE_PATH = "/v1/erase"
LISTING_PATH = "/v1/listing"
PERIODS_PATH = "/v1/periods"
HEALTH_PATH = "/health"
HEALTH_BYTES_MAX = 4096
HTTPS_PORT = 443


class _Health(msgspec.Struct):
    answers: bool
    problem: str | None


class ReadRefused(Refused):
    """A vault or custodian said no: who, and what it told."""

    def __init__(self, who: str, refusal: Refusal) -> None:
        super().__init__(f"{who} says no: {refusal.text}")
        self.who = who
        self.refusal = refusal


def ask_health(service: Service, who: str) -> str | None:
    """Return what keeps a service from answering calls, None when nothing does; Unavailable when it says nothing."""
    connection = _connect(service, who)
    try:
        connection.request("GET", HEALTH_PATH)
        health = msgspec.json.decode(connection.getresponse().read(HEALTH_BYTES_MAX), type=_Health)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise Unavailable(f"{who} at {service.url} does not say how it is ({type(error).__name__})") from None
    finally:
        connection.close()
    return health.problem


def call_service(service: Service, path: str, body: bytes, who: str) -> bytes:
    """Return what a service answers to a call; ``who`` is what a person calls it.

    :raises ReadRefused: it said no.
    :raises Unavailable: it does not answer, not with the certificate on the ledger, or cannot decide now.
    """
    connection = _connect(service, who)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        data = response.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{who} at {service.url} does not answer ({type(error).__name__})") from None
    finally:
        connection.close()
    if len(data) > ANSWER_BYTES_MAX:
        raise Unavailable(f"{who} at {service.url} answers with more than {ANSWER_BYTES_MAX} bytes")
    if response.status == HTTPStatus.OK:
        return data
    try:
        refusal = decode_refusal(data)
    except InvalidFile:
        raise Unavailable(f"{who} at {service.url} answers with HTTP status {response.status}") from None
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"{who}: {refusal.text}")
    raise ReadRefused(who, refusal)


def _connect(service: Service, who: str) -> http.client.HTTPSConnection:
    parts = urlsplit(service.url)
    if parts.scheme != "https" or parts.hostname is None:
        raise Unavailable(f"{who}: the ledger has the address {service.url!r}; expected https://host:port")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the service's own hash is compared below, before anything is sent
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port or HTTPS_PORT, timeout=TIMEOUT_S, context=context
    )
    try:
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True) or b""
    except (OSError, ValueError) as error:
        connection.close()
        raise Unavailable(f"{who} at {service.url} cannot be reached ({type(error).__name__})") from None
    if not hmac.compare_digest(hashlib.sha256(shown).digest(), service.certificate):
        connection.close()
        raise Unavailable(
            f"{who} at {service.url} shows another certificate than the one that is known of it: nothing was sent"
        )
    return connection
