"""What a member can tell of records and grants that are not its own: no more than by guessing.

A distinguisher gets all that lies in envelopes, manifests, custodies, item proofs and on the ledger, and the seed of
one custodian, one too few. It learns from records whose answer it is told and guesses the others', or tries all
answers. Each test has its control: with padding or salt switched off the same distinguisher does succeed.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import pytest
from attestation.sealing.trial import CHAIN_ID, GENESIS_HASH, custody_of, random_of

from cocket.attestation.batch import BatchBuilder, batch_leaf, country_hash
from cocket.attestation.check import require
from cocket.attestation.commit import commit, secrets_of
from cocket.attestation.examples import bulk_documents
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.merkle import keccak256
from cocket.attestation.prove import Anchor, certificate_of
from cocket.attestation.sealing import contents
from cocket.attestation.sealing.custody import mask, masked
from cocket.attestation.sealing.custody_file import encode_custody
from cocket.attestation.sealing.envelope import MAGIC
from cocket.attestation.sealing.manifest import manifest_json
from cocket.attestation.sealing.record import random_bytes, seal, sealable
from cocket.contracts.access import Purpose, Scope, ScopeKind, authority_party, grant_commitment, participant_party

TRIALS = 240
CUSTODIANS, THRESHOLD = 4, 2
LINES = (1, 12)
COUNTRIES = ("AU", "BE", "BR", "CA", "CN", "DE", "ES", "FR", "GB", "GH", "IN", "JP", "KE", "NL", "SG", "US")
READERS = (*map(authority_party, range(1, 9)), *map(participant_party, range(1, 9)))
NO_SALT = bytes(16)
SIGMAS = 4.0
"""By chance a guess lies farther from the mean once in 30,000 runs; and these trials are always the same."""


@dataclass(frozen=True)
class Seen:
    """What is to be seen of one record: its parts as they lie there, and what one custodian's seed makes of them."""

    lengths: tuple[int, ...]
    manifest: bytes
    custody: bytes
    destination: bytes
    path: tuple[bytes, ...]
    index: int
    unmasked: bytes


def records(country_of: Callable[[int], str], lines_of: Callable[[int], int], count: int = TRIALS) -> Iterator[Seen]:
    """Yield records of one batch each, sealed for four custodians, as they are seen."""
    for at in range(count):
        (document,) = bulk_documents(1, seed=f"record {at}".encode(), line_count=lines_of(at))
        checked = require(document)
        secret = random_of(f"secret {at}", 32)
        secrets = secrets_of(secret, checked.dialect.kind)
        root = commit(checked.dialect.kind, checked.groups, secrets)
        destination = country_hash(secrets.country_salt, country_of(at))
        builder = BatchBuilder(1, secret, 7)
        position = builder.add(batch_leaf(root, destination))
        batch = builder.build()
        index = batch.index_of(position)
        anchor = Anchor(CHAIN_ID, GENESIS_HASH, b"c" * 20, 7, batch.root, index, batch.path_of(index))
        certificate = certificate_of(checked, secret, country_of(at)).anchored(anchor)
        custody, seeds = custody_of(THRESHOLD, CUSTODIANS, batch.root, f"seeds {at}")
        sealed = seal(sealable(certificate), custody, seeds, random_of(f"seal {at}", RANDOM_BYTES))
        first = [
            masked(group.masked[0], mask(seeds.custodians[0], sealed.manifest.binding, number))
            for number, group in enumerate(sealed.manifest.groups)
        ]
        yield Seen(
            (len(MAGIC), *map(len, sealed.ciphertexts)),
            json.dumps(manifest_json(sealed.manifest, bytes(65))).encode(),
            encode_custody(custody),
            destination,
            anchor.path,
            index,
            b"".join(first) + b"".join(sealed.ciphertexts),
        )


RANDOM_BYTES = random_bytes(CERTIFICATE_OF_ORIGIN, THRESHOLD)


def features(seen: Seen) -> dict[str, float]:
    """Return everything that can be counted of a record."""
    data = seen.unmasked
    return {
        **{f"length {at}": length for at, length in enumerate(seen.lengths)},
        "manifest": len(seen.manifest),
        "custody": len(seen.custody),
        "path": len(seen.path),
        "index": seen.index,
        "mean byte": statistics.fmean(data[:4096]),
        "zero bytes": data.count(0) / len(data),
        "distinct pairs": len({data[at : at + 2] for at in range(0, 4096, 2)}),
        "first byte of destination": seen.destination[0],
    }


def learned_accuracy(samples: Sequence[Seen], answers: Sequence[bool]) -> float:
    """Return how often the best rule of one feature, learned on one half, is right on the other half."""
    table = [features(sample) for sample in samples]
    half = len(table) // 2
    best: tuple[float, str, float, bool] = (0.0, "", 0.0, True)
    for name in table[0]:
        for edge in {row[name] for row in table[:half]}:
            for above in (True, False):
                rate = _rate(table[:half], answers[:half], name, edge, above=above)
                best = max(best, (rate, name, edge, above))
    _, name, edge, above = best
    return _rate(table[half:], answers[half:], name, edge, above=above)


def _rate(rows: Sequence[dict[str, float]], answers: Sequence[bool], name: str, edge: float, *, above: bool) -> float:
    guesses = [(row[name] > edge) == above for row in rows]
    return statistics.fmean(guess == answer for guess, answer in zip(guesses, answers, strict=True))


def is_chance(rate: float, count: int, chance: float) -> bool:
    """Return whether so many right guesses can well be chance."""
    return abs(rate - chance) <= SIGMAS * sqrt(chance * (1 - chance) / count)


def goods_lines() -> tuple[list[Seen], list[bool]]:
    answers = [random_of(f"lines {at}", 1)[0] % 2 == 1 for at in range(TRIALS)]
    return list(records(lambda _: "SG", lambda at: LINES[answers[at]])), answers


def test_one_and_twelve_goods_lines_look_alike_within_a_size_class() -> None:
    samples, answers = goods_lines()
    assert len({sample.lengths for sample in samples}) == 1  # twelve lines are in the same classes as one
    assert is_chance(learned_accuracy(samples, answers), TRIALS // 2, 0.5)


def test_without_padding_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "pad", lambda data, least: data)
    samples, answers = goods_lines()
    assert learned_accuracy(samples, answers) > 0.95


# -- the importing country ---------------------------------------------------------------------------------------------


def guessed_country(seen: Seen, at: int) -> str:
    """Return the country that leads to the hash by any salt that is known to all, or a guess."""
    known = [NO_SALT, seen.destination[:16], seen.path[0][:16], keccak256(seen.manifest)[:16], seen.unmasked[:16]]
    known += [mixed[:16] for mixed in (seen.custody, seen.index.to_bytes(16))]
    for country in COUNTRIES:
        if any(country_hash(salt, country) == seen.destination for salt in known):
            return country
    return COUNTRIES[random_of(f"guess {at}", 1)[0] % len(COUNTRIES)]


def country_of(at: int) -> str:
    return COUNTRIES[random_of(f"country {at}", 1)[0] % len(COUNTRIES)]


def country_rate(samples: Sequence[Seen]) -> float:
    return statistics.fmean(guessed_country(seen, at) == country_of(at) for at, seen in enumerate(samples))


def test_the_importing_country_is_one_of_all() -> None:
    samples = list(records(country_of, lambda _: 1))
    assert is_chance(country_rate(samples), TRIALS, 1 / len(COUNTRIES))
    is_singapore = [country_of(at) == "SG" or country_of(at) < "G" for at in range(TRIALS)]
    share = statistics.fmean(is_singapore)
    assert learned_accuracy(samples, is_singapore) <= max(share, 1 - share) + SIGMAS * sqrt(0.25 / (TRIALS // 2))


def test_without_its_salt_it_is_known() -> None:
    samples = list(records(country_of, lambda _: 1, count=40))
    unsalted = [replace(seen, destination=country_hash(NO_SALT, country_of(at))) for at, seen in enumerate(samples)]
    assert country_rate(unsalted) == 1.0


# -- grants ------------------------------------------------------------------------------------------------------------


def scope_of(at: int, salt: bytes | None = None) -> Scope:
    draws = random_of(f"grant {at}", 2)
    return Scope(
        kind=ScopeKind.GRANT,
        controller=1,
        reader=READERS[draws[0] % len(READERS)],
        batch=b"b" * 32,
        index=5,
        kinds=frozenset(),
        anchored_from=0,
        anchored_to=0,
        groups=frozenset({0, 2}),
        purposes=frozenset({list(Purpose)[draws[1] % len(Purpose)]}),
        daily_cap=0,
        reference=bytes(32),
        salt=random_of(f"salt {at}", 16) if salt is None else salt,
    )


def guessed_grant(commitment: bytes, at: int) -> tuple[int, frozenset[int]]:
    """Return reader and purpose that lead to a commitment; all else of the grant is known, but its salt. Or a guess."""
    for salt in (NO_SALT, commitment[:16]):
        for reader in READERS:
            for purpose in Purpose:
                purposes: frozenset[int] = frozenset({purpose})
                tried = replace(scope_of(at, salt), reader=reader, purposes=purposes)
                if grant_commitment(CHAIN_ID, tried) == commitment:
                    return reader, purposes
    draws = random_of(f"guess {at}", 2)
    return READERS[draws[0] % len(READERS)], frozenset({list(Purpose)[draws[1] % len(Purpose)]})


def grant_rates(count: int, salt: bytes | None) -> tuple[float, float]:
    """Return how often the reader, and how often the purpose, of a grant was told right."""
    scopes = [scope_of(at, salt) for at in range(count)]
    guesses = [guessed_grant(grant_commitment(CHAIN_ID, scope), at) for at, scope in enumerate(scopes)]
    readers = [guess[0] == scope.reader for guess, scope in zip(guesses, scopes, strict=True)]
    purposes = [guess[1] == scope.purposes for guess, scope in zip(guesses, scopes, strict=True)]
    return statistics.fmean(readers), statistics.fmean(purposes)


GRANTS = 60


def test_a_grant_tells_neither_its_reader_nor_its_purpose() -> None:
    reader, purpose = grant_rates(GRANTS, None)
    assert is_chance(reader, GRANTS, 1 / len(READERS))
    assert is_chance(purpose, GRANTS, 1 / len(Purpose))


def test_without_its_salt_it_tells_both() -> None:
    assert grant_rates(10, NO_SALT) == (1.0, 1.0)
