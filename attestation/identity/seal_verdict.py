"""The verdict on a seal binding: each question answered yes, no or could not check, as of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from cryptography import x509

from cocket.attestation.identity.binding import SealBinding
from cocket.attestation.identity.chain import check_chain, check_revocation
from cocket.attestation.verdict import COULD_NOT_CHECK, NO, YES, Answer, BlockPoint, Word, unknown


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What a ledger has of a binding: from when to when it stood (Unix seconds; 0 never, 0 still), as of a block."""

    bound_from_s: int
    bound_to_s: int
    as_of: BlockPoint


@dataclass(frozen=True, slots=True)
class SealVerdict:
    """The answers about a seal: signed by its key, bound on the ledger, led to somebody trusted, not revoked."""

    signed: Answer
    bound: Answer
    chain: Answer
    not_revoked: Answer

    @property
    def overall(self) -> Word:
        """``no`` when one is that, else ``could not check`` when one is that."""
        words = {getattr(self, field.name).answer for field in fields(self)}
        return NO if NO in words else COULD_NOT_CHECK if COULD_NOT_CHECK in words else YES

    def as_json(self) -> dict[str, object]:
        """Return it as plain values, with the overall word."""
        return {"overall": self.overall, **{field.name: asdict(getattr(self, field.name)) for field in fields(self)}}


def seal_verdict(
    binding: SealBinding,
    facts: SealFacts | None,
    trusted: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at_s: int,
) -> SealVerdict:
    """Return the verdict as of a moment (Unix seconds); ``facts`` None: no ledger was asked, or it is another one."""
    chain = binding.issuer.chain
    participant = binding.statement.participant
    signed = Answer(YES, f"the seal's key says that its holder is participant {participant}")
    if not binding.is_signed:
        signed = Answer(NO, "the statement is not signed by the certificate's key")
    return SealVerdict(
        signed,
        unknown("no ledger was asked") if facts is None else _bound(facts, participant, at_s),
        check_chain(chain, trusted, at_s),
        check_revocation(chain, trusted, crls, at_s),
    )


def _bound(facts: SealFacts, participant: int, at_s: int) -> Answer:
    as_of = f"as of {facts.as_of.text()}"
    if at_s > facts.as_of.time_s:
        return unknown(f"the ledger ends with {facts.as_of.text()}, before that moment")
    if not facts.bound_from_s:
        return Answer(NO, f"participant {participant} never bound this seal {as_of}")
    since = BlockPoint(None, facts.bound_from_s).text()
    if at_s < facts.bound_from_s:
        return Answer(NO, f"bound by participant {participant} at {since} only")
    if facts.bound_to_s and at_s >= facts.bound_to_s:
        return Answer(NO, f"participant {participant}'s seal until {BlockPoint(None, facts.bound_to_s).text()} only")
    return Answer(YES, f"bound by participant {participant} since {since}; {as_of}")
