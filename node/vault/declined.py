"""Declined: a request that is answered with a refusal, and what is told of why."""

from http import HTTPStatus

from cocket.attestation.reading.exchange import Refusal
from cocket.node.errors import Refused

NO_SUCH_RECORD = Refusal("no such record, or you may not read it")


class Declined(Refused):
    """A request that is answered with a refusal: the HTTP status and what is told."""

    def __init__(self, status: HTTPStatus, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.status = status
        self.refusal = refusal


def declined(status: HTTPStatus, text: str) -> Declined:
    """Return a refusal that tells a reason in words and nothing else."""
    return Declined(status, Refusal(text))
